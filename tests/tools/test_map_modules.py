"""Device files as modules with `RegisterMap` classes, and back, without loss."""

from __future__ import annotations

import subprocess
import sys
import types
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from modwire.errors import InvalidResponseError
from modwire.maps import RegisterMap
from modwire_tools.addresses import Place
from modwire_tools.map_modules import class_module
from modwire_tools.map_modules.names import attribute_names, class_name
from modwire_tools.register_lists import read_list
from modwire_tools.register_lists.python_maps import read_class_module
from modwire_tools.simulator.devices import DeviceSpec, PointSpec, UnitSpec
from modwire_tools.simulator.files import dump_device, read_device, write_device
from modwire_tools.simulator.meter import energy_meter
from modwire_tools.simulator.points import FLOATS, INTEGERS, Codec
from reference_readers import LISTS

ROOT = Path(__file__).parents[2]
NUMBERS = st.floats(-1e6, 1e6).filter(lambda each: abs(each) > 1e-6)
SCALES = st.sampled_from([1.0, 0.1, -3, 25]) | NUMBERS
OFFSETS = st.just(0.0) | NUMBERS
ORDERS = st.sampled_from(["ABCD", "CDAB", "BADC", "DCBA"])
# Any text that TOML can hold, and names that are wrong in Python or taken in maps.
NAMES = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=8
) | st.sampled_from(
    [
        "class",
        "read",
        "points",
        "float32",
        "Phase L1",
        "phase_l1",
        "UNIT",
        "_x",
        "__y",
        "é",
        "ﬁ",
        "1",
    ]
)
UNITS = st.text(st.characters(exclude_categories=["Cs"]), max_size=3)


@st.composite
def points(draw: st.DrawFn, name: str) -> PointSpec:
    """A point with all that a class can hold."""
    address = draw(st.integers(0, 60000))
    if draw(st.booleans()):
        return PointSpec(
            name, Place(draw(st.sampled_from(["coils", "discrete_inputs"])), address), "bool"
        )
    place = Place(draw(st.sampled_from(["holding_registers", "input_registers"])), address)
    kind = draw(st.sampled_from([*INTEGERS, *FLOATS, "string", "bcd", "bits", "bit"]))
    if kind == "bit":
        return PointSpec(name, place, kind, bit=draw(st.integers(0, 15)))
    order, unit = draw(ORDERS), draw(UNITS)
    size = draw(st.integers(1, 20)) if kind in ("string", "bcd", "bits") else 1
    if kind in ("string", "bits"):
        return PointSpec(name, place, kind, size, order, unit=unit)
    none = draw(st.sampled_from([(), (0x7F,), (1, 2)] + [(float("nan"),)] * (kind in FLOATS)))
    if kind == "bcd":
        none = ()
    return PointSpec(name, place, kind, size, order, draw(SCALES), draw(OFFSETS), unit, none=none)


@st.composite
def devices(draw: st.DrawFn) -> DeviceSpec:
    units: list[UnitSpec] = []
    for number in draw(st.lists(st.integers(0, 255), min_size=1, max_size=3, unique=True)):
        names = draw(st.lists(NAMES, min_size=1, max_size=5, unique=True))
        made = tuple(draw(points(name)) for name in names)
        units.append(UnitSpec(number, draw(UNITS), points=made))
    endpoint, connection = draw(
        st.sampled_from(
            [("", {}), ("tcp://192.0.2.7", {}), ("rtu:///dev/ttyUSB0", {"baudrate": 9600})]
        )
    )
    name = draw(NAMES)
    return DeviceSpec(name, tuple(sorted(units, key=lambda unit: unit.id)), connection, endpoint)


def loaded(text: str) -> dict[str, type[RegisterMap]]:
    """Return the classes of a module, by their unit ids."""
    module = types.ModuleType("generated")
    exec(compile(text, "generated.py", "exec"), module.__dict__)
    return {
        name: each
        for name, each in vars(module).items()
        if isinstance(each, type) and issubclass(each, RegisterMap) and each is not RegisterMap
    }


@given(devices())
@example(DeviceSpec("class", (UnitSpec(1, points=(PointSpec("a", Place("coils", 0), "bool"),)),)))
def test_a_device_comes_back_from_its_classes(spec: DeviceSpec) -> None:
    module = class_module(spec)
    found = read_class_module(module.text, "device.py")
    assert dump_device(found.devices[0]) == dump_device(spec)  # NaN is not itself
    assert found.notes == []
    assert module.notes == []
    kinds = loaded(module.text)
    assert len(kinds) == len(spec.units)
    for kind in kinds.values():
        unit: int = kind.UNIT  # type: ignore[attr-defined]
        (own,) = [each for each in spec.units if each.id == unit]
        assert len(kind.points) == len(own.points)


@given(devices(), st.randoms(use_true_random=False))
@settings(max_examples=50)
def test_a_class_reads_what_the_device_file_reads(spec: DeviceSpec, draw: Any) -> None:
    for kind in loaded(class_module(spec).text).values():
        unit: int = kind.UNIT  # type: ignore[attr-defined]
        names: dict[str, str] = getattr(kind, "NAMES", {})
        specs = {
            point.name: point for each in spec.units if each.id == unit for point in each.points
        }
        for attribute, point in kind.points.items():
            own = replace(specs[names.get(attribute, attribute)], none=())
            most = 2 if own.place.has_bits else 0x10000
            items = [draw.randrange(most) for _ in range(point.span.count)]
            if point.has_none(items):  # type: ignore[attr-defined]
                continue
            try:
                expected = Codec(own).decode(items)
            except ValueError:
                with pytest.raises(InvalidResponseError):
                    point.decode(items)  # type: ignore[attr-defined]
                continue
            value = point.decode(items)  # type: ignore[attr-defined]
            value = list(value) if isinstance(value, tuple) else value
            assert value == expected or value != value


def test_names_that_are_free_stay() -> None:
    wanted = ["Phase L1", "phase_l1", "voltage", "read", "class", "float32", "é", "1a", "%"]
    assert attribute_names(wanted) == [
        "phase_l1_2",
        "phase_l1",
        "voltage",
        "read_",
        "class_",
        "float32_",
        "é",
        "point_1a",
        "point_",
    ]
    assert class_name("energy meter 3") == "EnergyMeter3"
    assert class_name("3 meters") == "Device3Meters"
    assert class_name("%") == "Device"
    assert class_name("register_map") == "RegisterMapMap"


def test_what_a_class_cannot_hold_is_said() -> None:
    meter = energy_meter()
    module = class_module(meter)
    assert "unit 1, voltage_l1: a class has no value of its own" in module.notes
    assert "unit 1: a class has its points, and nothing else of the unit" in module.notes
    with pytest.raises(ValueError, match="at least one unit with a point"):
        class_module(DeviceSpec("empty", ()))
    point = PointSpec("a", Place("coils", 0), "bool", unit="V")
    (note,) = class_module(DeviceSpec("d", (UnitSpec(1, points=(point,)),))).notes
    assert note == "unit 1, a: a bit has no unit of measurement in a class, here 'V'"


def test_a_map_written_by_hand_is_a_list_too(tmp_path: Path) -> None:
    path = tmp_path / "pump.py"
    path.write_text(
        "from modwire import maps\n"
        "class Pump(maps.RegisterMap, order='CDAB'):\n"
        "    pressure = maps.uint32(input=0, scale=0.01, unit='bar')\n"
        "    speed: object = maps.float32(holding=10, order='ABCD', none=float('nan'))\n"
        "    running = maps.coil(address=3)\n"
        "    fault = maps.bit(number=4, input=7)\n"
    )
    (spec,) = read_list(path).devices
    pressure, speed, running, fault = spec.units[0].points
    assert (pressure.type, pressure.order, pressure.scale) == ("uint32", "CDAB", 0.01)
    assert (speed.order, len(speed.none)) == ("ABCD", 1)
    assert (running.place, fault.bit) == (Place("coils", 3), 4)
    assert (spec.name, spec.units[0].id) == ("pump", 1)


def test_the_modules_pass_the_strict_type_checker(tmp_path: Path) -> None:
    """One module for each list, and one with every type."""
    pytest.importorskip("mypy", reason="no mypy, so modules are not checked")
    every = tuple(
        PointSpec(
            f"{kind} {number}",
            Place("holding_registers", 10 * number),
            kind,
            size=4,
            scale=scale,
            none=none,
        )
        for number, (kind, scale, none) in enumerate(
            [
                *((kind, 1.0, ()) for kind in (*FLOATS, "string", "bits", "bit")),
                *((kind, 0.5, (1, 2)) for kind in (*INTEGERS, "bcd")),
                *((kind, 1.0, (1,)) for kind in INTEGERS),
            ]
        )
    )
    specs = [DeviceSpec("every", (UnitSpec(1, "one", points=every),)), energy_meter()]
    for name in ("telegraf.conf", "modpoll.csv", "modbus.yml", "configuration.yaml", "plain.csv"):
        specs += read_list(LISTS / name).devices
    files = []
    for number, spec in enumerate(specs):
        file = tmp_path / f"module_{number}.py"
        file.write_text(class_module(spec).text, encoding="utf-8")
        files.append(str(file))
    use = tmp_path / "use.py"
    use.write_text(
        "from module_1 import EnergyMeter\n"
        "meter = EnergyMeter(voltage_l1=230.0)\n"
        "voltage: float = meter.voltage_l1\nlabel: str = meter.location\nunit: int = meter.UNIT\n"
    )
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy",
            "--strict",
            "--cache-dir",
            str(tmp_path / "cache"),
            *files,
            str(use),
        ],
        cwd=tmp_path,
        env={"MYPYPATH": f"{ROOT / 'packages/core/src'}:{tmp_path}", "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "no issues found" in done.stdout, done.stdout + done.stderr


def test_the_whole_way_through_files(tmp_path: Path) -> None:
    """A list, a device file, a module, a device file: the two files are equal."""
    for name in ("telegraf.conf", "modpoll.csv", "modbus.yml"):
        for spec in read_list(LISTS / name).devices:
            spec = replace(
                spec,
                units=[
                    replace(
                        unit,
                        points=tuple(
                            replace(point, polled=type(point.polled)()) for point in unit.points
                        ),
                    )
                    for unit in spec.units
                ],
            )
            if not spec.endpoint:
                spec = replace(spec, connection={})
            first, module, second = (tmp_path / each for each in ("a.toml", "a.py", "b.toml"))
            write_device(spec, first)
            module.write_text(class_module(read_device(first)).text, encoding="utf-8")
            write_device(read_list(module).devices[0], second)
            assert first.read_text(encoding="utf-8") == second.read_text(encoding="utf-8")
