"""What all tests share: peers that may be missing, and how thorough hypothesis is."""

from __future__ import annotations

import os
from typing import Protocol

import pytest
from hypothesis import settings

# A slow machine is no failure; pytest-timeout ends what hangs.
settings.register_profile("modwire", deadline=None)
settings.register_profile("quick", settings.get_profile("modwire"), max_examples=10)
settings.load_profile("modwire")


class RequirePeer(Protocol):
    """The type of the fixture `require_peer`."""

    def __call__(self, name: str, ok: bool, how: str) -> None: ...


@pytest.fixture(scope="session")
def require_peer() -> RequirePeer:
    """A function that skips the test where a peer is missing, or fails it if REQUIRE_PEERS=1.

    `name` is the peer, `ok` whether it is there, `how` the command that installs it:
    `require_peer("mbpoll", shutil.which("mbpoll") is not None, "apt-get install mbpoll")`.
    """

    def require(name: str, ok: bool, how: str) -> None:
        if ok:
            return
        reason = f"{name} is missing, so nothing was tried against it; to install it: {how}"
        if os.environ.get("REQUIRE_PEERS", "") not in ("", "0"):
            pytest.fail(f"{reason} (REQUIRE_PEERS is set)", pytrace=False)
        pytest.skip(reason)

    return require


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more than there are processors: tests wait for each other's ends of a line."""
    return (os.cpu_count() or 1) + 1
