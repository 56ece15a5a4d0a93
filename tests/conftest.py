"""Settings of all tests: peers that may be missing, Ctrl+C, and profiles of hypothesis."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING, Protocol

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from store_servers import PostgresServer

# The tests of a package alone do without pytest-modwire. Where it is installed, its entry point has
# this name too, so it is one plugin.
pytest_plugins = ["pytest_modwire"] if find_spec("pytest_modwire") else []

# A slow machine is not a failure; pytest-timeout ends a test that hangs.
settings.register_profile("modwire", deadline=None)
settings.register_profile("quick", settings.get_profile("modwire"), max_examples=10)
settings.load_profile("modwire")

# A shell that runs the tests in the background ignores SIGINT for them and for every program that
# they start, and some tests send it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--few-cases`, for runs that only look for a missing dependency."""
    parser.addoption(
        "--few-cases",
        action="store_true",
        help="of a test with parameters, run the first and the last case",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the cases that `--few-cases` leaves out."""
    if not config.getoption("--few-cases"):
        return
    first: dict[str, pytest.Item] = {}
    last: dict[str, pytest.Item] = {}
    for item in items:
        name = item.nodeid.partition("[")[0]
        first.setdefault(name, item)
        last[name] = item
    kept = {*first.values(), *last.values()}
    config.hook.pytest_deselected(items=[each for each in items if each not in kept])
    items[:] = [each for each in items if each in kept]


def pytest_collection_finish() -> None:
    """Leave the tests themselves out of collections: there are twenty thousand, and they stay."""
    gc.collect()
    gc.freeze()


class RequirePeer(Protocol):
    """The type of the fixture `require_peer`."""

    def __call__(self, name: str, ok: bool, how: str) -> None: ...


@pytest.fixture(scope="session")
def require_peer() -> RequirePeer:
    """A function that skips the test if a peer is missing, or fails it if REQUIRE_PEERS=1.

    `name` is the peer, `ok` is True if it is installed, `how` is the command that installs it:
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


@pytest.fixture(scope="session")
def postgres_server(require_peer: RequirePeer) -> Iterator[PostgresServer]:
    """A new PostgreSQL server, for the tests of stores and of `modwire poll`."""
    # Imported here, because the tests of other packages do without, and Windows does.
    from store_servers import POSTGRES, PostgresServer

    require_peer("PostgreSQL", POSTGRES is not None, "apt-get install postgresql")
    require_peer("psycopg", find_spec("psycopg") is not None, "pip install psycopg[binary]")
    server = PostgresServer()
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return twice the number of processors: most tests wait more than they compute."""
    return 2 * (os.cpu_count() or 1)
