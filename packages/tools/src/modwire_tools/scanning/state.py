"""`ScanFile`: how far a scan got, in a file, so that the same scan can go on another day."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from time import monotonic
from typing import Any

from .tables import TableScan
from .units import FoundUnit, UnitScan

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
        if path.exists():
            self._state = self._read()

    def _read(self) -> dict[str, Any]:
        try:
            state = json.loads(self._path.read_text(encoding="utf-8"))
            settings = state["modwire scan"]
        except (ValueError, KeyError, TypeError):
            raise self._is_damaged() from None
        if settings != self._settings:
            raise ValueError(
                f"{self._path} belongs to the scan {settings!r}, this one is {self._settings!r}: "
                "name another file, or remove it"
            )
        return dict(state)

    @property
    def is_begun(self) -> bool:
        """Whether the file was there."""
        return bool(self._state)

    def load_units(self, scan: UnitScan) -> None:
        """Take up `scan` where it was left."""
        if not self._state:
            return
        try:
            scan.found += [
                FoundUnit(int(each["unit"]), str(each["endpoint"]), dict(each["identity"]))
                for each in self._state["units"]
            ]
            scan.position = int(self._state["position"])
        except (ValueError, KeyError, TypeError):
            raise self._is_damaged() from None

    def load_tables(self, scans: Sequence[TableScan]) -> None:
        """Take up `scans` where they were left."""
        if not self._state:
            return
        try:
            for scan, state in zip(scans, self._state["tables"], strict=True):
                scan.ranges = [(int(first), int(count)) for first, count in state["ranges"]]
                scan.position, scan.most = int(state["position"]), int(state["most"])
        except (ValueError, KeyError, TypeError):
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
        # Written beside it and renamed: a crash leaves the old file or the new one.
        beside = self._path.with_name(f"{self._path.name}.new")
        text = json.dumps({"modwire scan": self._settings, **state}, indent=1)
        beside.write_text(text, encoding="utf-8")
        os.replace(beside, self._path)
        self._written = monotonic()
