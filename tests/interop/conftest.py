"""The peers, and the links between them and us."""

from __future__ import annotations

import importlib.util
import os
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from ..conftest import RequirePeer

_PATIENCE = 20.0  # seconds for another interpreter to start on a busy machine


def has_version(name: str, wanted: str) -> bool:
    """Whether the distribution `name` is installed in a version that starts with `wanted`."""
    try:
        return f"{version(name)}.".startswith(f"{wanted}.")
    except PackageNotFoundError:
        return False


@pytest.fixture(scope="session")
def pymodbus(require_peer: RequirePeer) -> None:
    """Tests that use pymodbus ask for this first, and import it in their body."""
    found = has_version("pymodbus", "3.16")
    require_peer("pymodbus 3.16", found, "pip install 'pymodbus==3.16.*'")


@pytest.fixture(scope="session")
def minimalmodbus(require_peer: RequirePeer) -> None:
    """Tests that use minimalmodbus ask for this first, and import it in their body."""
    found = importlib.util.find_spec("minimalmodbus") is not None
    require_peer("minimalmodbus", found, "pip install minimalmodbus")


class PymodbusServer:
    """A running `pymodbus_process.py`; `port` is a number, or the device of a serial one."""

    def __init__(self, transport: str, framer: str, device: str = "-") -> None:
        script = Path(__file__).with_name("pymodbus_process.py")
        self._process = subprocess.Popen(
            [sys.executable, str(script), transport, framer, device],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            ready, _, _ = select.select([self._process.stdout], [], [], _PATIENCE)
            line = self._process.stdout.readline().strip() if ready else ""
            assert line, f"the server of pymodbus ({transport}, {framer}) has not started"
        except BaseException:
            self.close()
            raise
        self.port = line

    def close(self) -> None:
        """End the process: it does when its input does, else it is killed."""
        try:
            self._process.communicate(timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            raise


StartPymodbus = Callable[[str, str, str], AbstractContextManager[PymodbusServer]]


@contextmanager
def pymodbus_server(
    transport: str, framer: str, device: str = "-"
) -> Iterator[PymodbusServer]:
    """A server of pymodbus, while the `with` block lasts."""
    server = PymodbusServer(transport, framer, device)
    try:
        yield server
    finally:
        server.close()
