"""The installed peers, and the server of pymodbus."""

from __future__ import annotations

import select
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import TracebackType

_PATIENCE = 20.0  # seconds for another interpreter to start or end on a busy machine


def _is_installed(name: str, wanted: str) -> bool:
    try:
        return f"{version(name)}.".startswith(wanted)
    except PackageNotFoundError:
        return False


# Test modules check these before they import a peer, so that tests without it are skipped.
HAS_PYMODBUS = _is_installed("pymodbus", "3.16.")
HAS_MINIMALMODBUS = _is_installed("minimalmodbus", "2.")


class PymodbusServer:
    """A running `pymodbus_process.py`; `port` is a number, or a device."""

    def __init__(self, transport: str, framer: str, device: str = "-") -> None:
        script = Path(__file__).with_name("pymodbus_process.py")
        self._process = subprocess.Popen(
            [sys.executable, str(script), transport, framer, device],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.port = ""
        try:
            ready, _, _ = select.select([self._process.stdout], [], [], _PATIENCE)
            if ready and self._process.stdout is not None:
                self.port = self._process.stdout.readline().strip()
            assert self.port, f"pymodbus has not started to serve {transport} {framer}"
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the process: the end of its input ends it, otherwise it is killed."""
        try:
            self._process.communicate(timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            raise

    def __enter__(self) -> PymodbusServer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
