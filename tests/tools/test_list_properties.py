"""Lists with any mistake: devices that can be served, or one error with the name of the file."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import tomli_w
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from modwire_tools.map_modules import class_module
from modwire_tools.register_lists import read_list
from modwire_tools.simulator.files import DeviceFileError, dump_device, read_device, write_device
from reference_readers import LISTS

# What somebody may write in the place of something else; TOML has no null.
WRONG: list[Any] = [0, 1, -1, 17, 65535, 65536, 1e40, 0.5, "", "x", "0x10", "int16", True, [], {}]
WRONG += [[1], ["x"], {"a": 1}, {"address": 3}, "INT16", "STRING", "BIT", "custom", ">f", "40001"]
LEAF = st.sampled_from(WRONG) | st.integers() | st.text(max_size=3)


def mutated(values: Any, draw: st.DataObject, leaf: st.SearchStrategy[Any]) -> Any:
    """Return a copy in which one value, somewhere, is another one, or is missing."""
    keys = list(values) if isinstance(values, dict) else range(len(values))
    if not keys:
        return values
    key = draw.draw(st.sampled_from(list(keys)))
    new = dict(values) if isinstance(values, dict) else list(values)
    if isinstance(values[key], (dict, list)) and draw.draw(st.integers(0, 9)):
        new[key] = mutated(values[key], draw, leaf)
    elif draw.draw(st.booleans()):
        new[key] = draw.draw(leaf)
    else:
        del new[key]
    return new


def check(name: str, text: str, kind: str) -> None:
    """Read a list: what comes of it can be written, read and made a class of."""
    with TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_text(text, encoding="utf-8")
        try:
            found = read_list(path, kind)
        except DeviceFileError as error:
            assert str(error).startswith(str(path))
            return
        for spec in found.devices:
            if spec.units:
                file = Path(folder, "device.toml")
                write_device(spec, file)
                assert dump_device(read_device(file)) == dump_device(spec)
                if any(unit.points for unit in spec.units):
                    compile(class_module(spec).text, "module.py", "exec")


def _toml() -> Any:
    toml = import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    return toml.loads((LISTS / "telegraf.conf").read_text(encoding="utf-8"))


STRUCTURES: dict[str, tuple[str, Callable[[], Any], Callable[[Any], str]]] = {
    "a.conf": ("telegraf", _toml, tomli_w.dumps),
    "a.yml": (
        "modbus_exporter",
        lambda: yaml.safe_load((LISTS / "modbus.yml").read_text(encoding="utf-8")),
        json.dumps,
    ),
    "a.yaml": (
        "home_assistant",
        lambda: yaml.safe_load((LISTS / "configuration.yaml").read_text(encoding="utf-8")),
        json.dumps,
    ),
    "a.json": (
        "pymodbus",
        lambda: json.loads((LISTS / "simulator.json").read_text(encoding="utf-8")),
        json.dumps,
    ),
}


@pytest.mark.parametrize("name", STRUCTURES)
@given(draw=st.data())
@settings(max_examples=60)
def test_any_value_in_the_place_of_another(name: str, draw: st.DataObject) -> None:
    kind, load, dump = STRUCTURES[name]
    leaf = LEAF if name == "a.conf" else LEAF | st.none()
    values = mutated(mutated(load(), draw, leaf), draw, leaf)
    try:
        text = dump(values)
    except (TypeError, UnicodeEncodeError, ValueError):
        return  # the format cannot say that
    check(name, text, kind)


@pytest.mark.parametrize("name", ["modpoll.csv", "plain.csv"])
@given(draw=st.data())
@settings(max_examples=60)
def test_any_cell_in_the_place_of_another(name: str, draw: st.DataObject) -> None:
    delimiter = ";" if name == "plain.csv" else ","
    text = (LISTS / name).read_text(encoding="utf-8")
    rows = list(csv.reader(io.StringIO(text), delimiter=delimiter))
    changed: list[list[str]] = mutated(rows, draw, st.just(["x"]))
    for _ in range(2):
        row = draw.draw(st.sampled_from([each for each in changed if each]))
        row[draw.draw(st.integers(0, len(row) - 1))] = str(draw.draw(LEAF))
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter).writerows(changed)
    check("a.csv", out.getvalue(), "modpoll" if name == "modpoll.csv" else "csv")


@given(text=st.text(max_size=60), name=st.sampled_from([*STRUCTURES, "a.csv", "a.py"]))
@settings(max_examples=100)
def test_any_text_at_all(text: str, name: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        return
    for kind in ("", STRUCTURES[name][0] if name in STRUCTURES else ""):
        check(name, text, kind)
