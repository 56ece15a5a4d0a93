"""Time and memory that an import adds to a bare interpreter, each in its own process."""

from __future__ import annotations

import importlib.util
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence

from rounds import FLOOR, OURS, Row, Settings, quartiles

TARGET_MS, TARGET_MB = 60.0, 8.0
MODULES = {
    OURS: "modwire_sync",
    "modwire (core alone)": "modwire",
    "pymodbus": "pymodbus.client",
    "pyModbusTCP": "pyModbusTCP.client",
}
# VmHWM is the peak of this process alone; getrusage() also counts that of its parent.
_PROGRAM = """
from time import perf_counter
started = perf_counter()
{statement}
print((perf_counter() - started) * 1e3)
with open("/proc/self/status") as status:
    print(next(line.split()[1] for line in status if line.startswith("VmHWM")))
"""


def installed(module: str) -> bool:
    """True if `module` can be imported; it is not imported."""
    return importlib.util.find_spec(module.partition(".")[0]) is not None


def _once(module: str | None, cache: str) -> tuple[float, float]:
    """Return the milliseconds of the import, and the peak memory of the process in MB."""
    statement = "pass" if module is None else f"import {module}"
    program = _PROGRAM.format(statement=statement)
    done = subprocess.run(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env=_environment(cache),
    )
    milliseconds, kib = done.stdout.split()
    return float(milliseconds), int(kib) / 1024


def _environment(cache: str) -> dict[str, str]:
    """Return an environment with its own bytecode cache, so that imports need not compile."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    return {**environment, "PYTHONPYCACHEPREFIX": cache}


def run(settings: Settings) -> list[Row]:
    """Return a row for the time and one for the memory of each import."""
    if not sys.platform.startswith("linux"):
        print("import: needs /proc/self/status, so it is measured on Linux only")
        return []
    modules = {name: module for name, module in MODULES.items() if installed(module)}
    rounds = max(3, settings.rounds // 5)
    bare: list[tuple[float, float]] = []
    costs: dict[str, list[tuple[float, float]]] = {name: [] for name in modules}
    with tempfile.TemporaryDirectory() as cache:
        for module in (None, *modules.values()):  # the first import fills the cache
            _once(module, cache)
        for _ in range(rounds):
            bare.append(_once(None, cache))
            for name, module in modules.items():
                costs[name].append(_once(module, cache))
    rows = []
    for name, found in costs.items():
        for index, (unit, target) in enumerate((("ms", TARGET_MS), ("MB", TARGET_MB))):
            base = [each[index] for each in bare]
            more = [each[index] - at for each, at in zip(found, base, strict=True)]
            rows.append(_row(name, unit, more, base, target if name == OURS else None))
    return rows


def _row(
    name: str, unit: str, more: Sequence[float], base: Sequence[float], target: float | None
) -> Row:
    what = "time" if unit == "ms" else "memory"
    module = MODULES[name]
    return Row(
        "import",
        f"`import {module}`, {what} over a bare interpreter",
        unit,
        {FLOOR: statistics.median(base), OURS: statistics.median(more)},
        statistics.median(more),
        quartiles(more),
        target,
        True,
        {},
    )
