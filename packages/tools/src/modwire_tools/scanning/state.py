"""`ScanFile`: how far a scan got, in a file, so that the same scan can go on another day."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from time import monotonic
from typing import Any

from .state_files import DAMAGES, between, is_there, read_state, write_state
from .tables import TableScan
from .units import FoundUnit, UnitScan

_KEY = "modwire scan"
_INTERVAL = 2.0  # seconds between two writings, at least


class ScanFile:
    """The file at `path`; `settings` are what the scan was told, and have to be the same again.

    Raises OSError where the file cannot be read, ValueError where it belongs to another scan.
    """

    def __init__(self, path: Path, settings: str) -> None:
        self._path = path
        self._settings = settings
        self._written = 0.0
        self._state: dict[str, Any] = {}
        if is_there(path):
            self._state = self._read()

    def _read(self) -> dict[str, Any]:
        try:
            settings, state = read_state(self._path, _KEY)
        except DAMAGES:
            raise self._is_damaged() from None
        if settings != self._settings:
            raise ValueError(
                f"{self._path} belongs to the scan {settings!r}, this one is {self._settings!r}: "
                "name another file, or remove it"
            )
        return state

    @property
    def is_begun(self) -> bool:
        """Whether the file was there."""
        return bool(self._state)

    def load_units(self, scan: UnitScan) -> None:
        """Take up `scan` where it was left."""
        if not self._state:
            return
        try:
            scan.position = between(0, self._state["position"], scan.total)
            scan.found += [
                FoundUnit(int(each["unit"]), str(each["endpoint"]), dict(each["identity"]))
                for each in self._state["units"]
            ]
        except DAMAGES:
            raise self._is_damaged() from None

    def load_tables(self, scans: Sequence[TableScan]) -> None:
        """Take up `scans` where they were left."""
        if not self._state:
            return
        try:
            for scan, state in zip(scans, self._state["tables"], strict=True):
                scan.ranges = [
                    (between(scan.first, first, scan.last), between(1, count, 0x10000))
                    for first, count in state["ranges"]
                ]
                scan.position = between(scan.first, state["position"], 2 * 0x10000)
                scan.most = between(1, state["most"], scan.most)
        except DAMAGES:
            raise self._is_damaged() from None

    def _is_damaged(self) -> ValueError:
        return ValueError(f"{self._path} is no file of a scan, name another one or remove it")

    def save_units(self, scan: UnitScan, *, now: bool = False) -> None:
        """Write down how far it is, if the last time is a while ago, or `now`."""
        found = [each.as_json() for each in scan.found]
        self._save({"position": scan.position, "units": found}, now)

    def save_tables(self, scans: Sequence[TableScan], *, now: bool = False) -> None:
        """Write down how far they are, if the last time is a while ago, or `now`."""
        tables = [
            {
                "table": scan.table,
                "position": scan.position,
                "ranges": scan.ranges,
                "most": scan.most,
            }
            for scan in scans
        ]
        self._save({"tables": tables}, now)

    def _save(self, state: dict[str, object], now: bool) -> None:
        if not now and monotonic() - self._written < _INTERVAL:
            return
        write_state(self._path, {_KEY: self._settings, **state})
        self._written = monotonic()
