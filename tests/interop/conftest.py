"""Fixtures: the package under test, and peers that are Python packages.

If a peer is missing, the test is skipped.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .adapters import ADAPTERS, Adapter
from .old_pymodbus import HOW, VERSION, environment
from .peers import HAS_MINIMALMODBUS, HAS_PYMODBUS
from .serial_bus import Bus, new_bus

if TYPE_CHECKING:
    from ..conftest import RequirePeer


@pytest.fixture(scope="module", params=ADAPTERS, ids=repr)
def adapter(request: pytest.FixtureRequest) -> Adapter:
    """Each of our packages."""
    found: Adapter = request.param
    return found


@pytest.fixture(scope="session")
def pymodbus(require_peer: RequirePeer) -> None:
    require_peer("pymodbus 3.16", HAS_PYMODBUS, "pip install 'pymodbus==3.16.*'")


@pytest.fixture(scope="session")
def old_pymodbus(request: pytest.FixtureRequest, require_peer: RequirePeer) -> Path:
    """The interpreter of an environment with pymodbus 2.5.3."""
    found = environment(request.config.cache.mkdir("peers"))
    require_peer(f"pymodbus {VERSION}", found is not None, HOW)
    assert found is not None
    return found


@pytest.fixture(scope="session")
def minimalmodbus(require_peer: RequirePeer) -> None:
    require_peer("minimalmodbus 2", HAS_MINIMALMODBUS, "pip install 'minimalmodbus==2.*'")


@pytest.fixture(scope="module")
def bus() -> Iterator[Bus]:
    """A line that the gateways open one after the other."""
    with new_bus() as made:
        yield made


@pytest.fixture(scope="session")
def openssl(require_peer: RequirePeer) -> None:
    require_peer("openssl", shutil.which("openssl") is not None, "apt-get install openssl")


@pytest.fixture(scope="session")
def _mbpoll(require_peer: RequirePeer) -> None:
    require_peer("mbpoll", shutil.which("mbpoll") is not None, "apt-get install mbpoll")
