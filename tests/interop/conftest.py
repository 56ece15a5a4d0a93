"""The peers that are Python packages: a test names the fixture, and is skipped if it is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .peers import HAS_MINIMALMODBUS, HAS_PYMODBUS

if TYPE_CHECKING:
    from ..conftest import RequirePeer


@pytest.fixture(scope="session")
def pymodbus(require_peer: RequirePeer) -> None:
    require_peer("pymodbus 3.16", HAS_PYMODBUS, "pip install 'pymodbus==3.16.*'")


@pytest.fixture(scope="session")
def minimalmodbus(require_peer: RequirePeer) -> None:
    require_peer("minimalmodbus 2", HAS_MINIMALMODBUS, "pip install 'minimalmodbus==2.*'")
