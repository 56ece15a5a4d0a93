"""`read_list`: reads the register list of another tool, whose format it recognises."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..simulator.files.sections import DeviceFileError
from .findings import Findings
from .home_assistant import is_home_assistant, read_home_assistant
from .loading import load_json, load_toml, load_yaml, read_text
from .modbus_exporter import is_modbus_exporter, read_modbus_exporter
from .modpoll import is_modpoll, read_modpoll
from .plain_csv import is_plain_csv, read_plain_csv
from .pymodbus_simulator import is_pymodbus, read_pymodbus
from .python_maps import read_class_module
from .telegraf import is_telegraf, read_telegraf

FORMATS = ("telegraf", "modpoll", "modbus_exporter", "home_assistant", "pymodbus", "csv", "python")
"""The names of the formats."""

_YAML = (".yaml", ".yml")


def read_list(path: Path, kind: str = "", *, unit: int = 1) -> Findings:
    """Return the devices in a register list of the format `kind`, or of the one that it has.

    `unit` is the unit id where the list has none. Raises OSError, ImportError if YAML needs an
    extra, and DeviceFileError for a mistake in the list, with its place.
    """
    text, file = read_text(path), str(path)
    readers: dict[str, Callable[[], Findings]] = {
        "telegraf": lambda: read_telegraf(text, file),
        "modpoll": lambda: read_modpoll(text, file),
        "modbus_exporter": lambda: read_modbus_exporter(text, file, unit),
        "home_assistant": lambda: read_home_assistant(text, file),
        "pymodbus": lambda: read_pymodbus(text, file),
        "csv": lambda: read_plain_csv(text, file, unit),
        "python": lambda: read_class_module(text, file),
    }
    return readers[kind or find_format(text, path)]()


def find_format(text: str, path: Path) -> str:
    """Return the format of a list, by the suffix of its name and its content.

    Raises DeviceFileError if it is none of them.
    """
    file, suffix = str(path), path.suffix.lower()
    found = ""
    if suffix == ".py":
        found = "python"
    elif suffix == ".csv":
        found = "modpoll" if is_modpoll(text) else "csv" if is_plain_csv(text) else ""
    elif suffix == ".json":
        found = "pymodbus" if is_pymodbus(load_json(text, file)) else ""
    elif suffix in _YAML:
        values = load_yaml(text, file)
        if is_modbus_exporter(values):
            found = "modbus_exporter"
        elif is_home_assistant(values):
            found = "home_assistant"
    elif suffix in (".conf", ".toml"):
        found = "telegraf" if is_telegraf(load_toml(text, file)) else ""
    if not found:
        raise DeviceFileError(
            f"{file}: cannot be recognised as a list of {', '.join(FORMATS)}: name one of them "
            "with --from"
        )
    return found
