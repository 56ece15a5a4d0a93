"""mbpoll, which is libmodbus in a command, on one link."""

from __future__ import annotations

import re
import subprocess

_PATIENCE = 40.0  # seconds
_REFERENCE = re.compile(r"^\[(\d+)\]: \t(\S+)", re.MULTILINE)


class Mbpoll:
    """Runs mbpoll on one link, "tcp" or "rtu"; `port` is a number, or a device."""

    def __init__(self, mode: str, port: str | int) -> None:
        self.mode = mode
        if mode == "tcp":
            self._link = ["-m", "tcp", "-p", str(port)]
            self._place = "127.0.0.1"
        else:
            self._link = ["-m", "rtu", "-b", "115200", "-P", "none"]
            self._place = str(port)

    def run(self, *arguments: str, unit: int = 1) -> subprocess.CompletedProcess[str]:
        """Run it once, with addresses as on the wire; values to write come after "--"."""
        at = arguments.index("--") if "--" in arguments else len(arguments)
        options, values = arguments[:at], arguments[at:]
        common = ("-a", str(unit), "-0", "-1", "-o", "10")
        return subprocess.run(
            ["mbpoll", *self._link, *common, *options, self._place, *values],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PATIENCE,
            check=False,
        )

    def read(self, *arguments: str, unit: int = 1) -> dict[int, str]:
        """Return the value that it prints for each reference."""
        done = self.run(*arguments, unit=unit)
        assert done.returncode == 0, done.stderr
        return {int(address): value for address, value in _REFERENCE.findall(done.stdout)}

    def write(self, *arguments: str, unit: int = 1) -> None:
        done = self.run(*arguments, unit=unit)
        assert done.returncode == 0, done.stderr
        assert re.search(r"Written \d+ references?\.", done.stdout)
