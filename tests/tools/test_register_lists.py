"""Imported lists read the values that their tools read, from a simulated device.

The device has random registers and serves every address of the list; what each tool makes of them
is in `reference_readers`, and modpoll itself runs beside its list.
"""

from __future__ import annotations

import json
import math
import os
import random
import shutil
import struct
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trio

import reference_readers as tools
from modwire import ExceptionResponseError
from modwire.units.tables import TABLES
from modwire_tools.addresses import Place
from modwire_tools.client.points import item_of
from modwire_tools.register_lists import Findings, read_list
from modwire_tools.simulator.devices import BlockSpec, DeviceSpec, UnitSpec
from modwire_tools.simulator.files import dump_device, read_device, write_device
from modwire_tools.simulator.points import Codec
from reference_readers import LISTS, Memory, Values
from running_simulation import client_of, running

if TYPE_CHECKING:
    from ..conftest import RequirePeer

FUNCTIONS = dict(zip(TABLES, (1, 2, 3, 4), strict=True))
# Where text is: random registers would be no UTF-8.
TEXTS = {
    ("boiler", 4): (20, 21, 22, 23, 24, 25),
    ("plc", 3): (70, 71, 72, 73),
    ("sub meter", 3): range(28, 33),
    ("sub meter", 4): (107, 108),
    ("heat_pump", 3): range(40, 47),
}
MISSING = {"heat_pump": {32: 0x8000}}


def served(spec: DeviceSpec, seed: int) -> DeviceSpec:
    """Return a device with random values at every address of the points, and at some beside."""
    draw = random.Random(seed)
    units: list[UnitSpec] = []
    for unit in spec.units:
        blocks: list[BlockSpec] = []
        for table in TABLES:
            points = [each for each in unit.points if each.place.table == table]
            if not points:
                continue
            first = min(each.place.address for each in points) // 16 * 16
            last = max(each.place.address + Codec(each).size for each in points) + 16
            values = [_value(spec.name, table, at, draw) for at in range(first, min(last, 0x10000))]
            blocks.append(BlockSpec(Place(table, first), values))
        units.append(UnitSpec(unit.id, blocks=blocks))
    return DeviceSpec(spec.name, units)


def _value(device: str, table: str, at: int, draw: random.Random) -> int:
    if table in ("coils", "discrete_inputs"):
        return draw.getrandbits(1)
    if at in TEXTS.get((device, FUNCTIONS[table]), ()):
        return draw.randint(65, 90) << 8 | draw.randint(97, 122)
    # No exponent that makes a float infinite or no number.
    return MISSING.get(device, {}).get(at, draw.getrandbits(16) & 0xBFBF)


async def read_all(view_device: DeviceSpec) -> Memory:
    """Return all values of a device, read from it over TCP."""
    memory: dict[tuple[int, int, int], int] = {}
    async with running([view_device]) as view, client_of(view) as client:
        reads = (
            client.read_coils,
            client.read_discrete_inputs,
            client.read_holding_registers,
            client.read_input_registers,
        )
        for unit in view_device.units:
            for block in unit.blocks:
                function = FUNCTIONS[block.place.table]
                for at in range(block.place.address, block.stop, 100):
                    count = min(100, block.stop - at)
                    found = await reads[function - 1](at, count, unit=unit.id)
                    memory |= {
                        (unit.id, function, at + number): int(each)
                        for number, each in enumerate(found)
                    }
    return memory


def ours(spec: DeviceSpec, memory: Memory) -> Values:
    """Return the values of all points, as `modwire read` and `modwire poll` decode them."""
    found: Values = {}
    for unit in spec.units:
        for point in unit.points:
            item = item_of(point)
            function = FUNCTIONS[point.place.table]
            span = range(item.span.address, item.span.stop)
            found[unit.id, point.name] = item.decode([memory[unit.id, function, at] for at in span])
    return found


def check_equal(found: Values, expected: Values) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        own = found[name]
        if isinstance(value, float) and isinstance(own, (int, float)):
            assert math.isclose(own, value, rel_tol=1e-12) or own == value, (name, own, value)
        else:
            assert own == value, (name, own, value)


def imported(name: str, tmp_path: Path) -> Findings:
    """Return the findings of a list, after their devices were written and read again."""
    found = read_list(LISTS / name)
    for number, spec in enumerate(found.devices):
        path = tmp_path / f"{number}.toml"
        write_device(spec, path)
        assert dump_device(read_device(path)) == dump_device(spec)  # NaN is not itself
    return found


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("name", "reader"),
    [
        ("telegraf.conf", tools.telegraf),
        ("modbus.yml", tools.modbus_exporter),
        ("configuration.yaml", tools.home_assistant),
    ],
)
def test_a_list_reads_what_its_tool_reads(
    name: str, reader: Callable[[Memory, int], Values], seed: int, tmp_path: Path
) -> None:
    devices = imported(name, tmp_path).devices
    assert len(devices) > 1
    for number, spec in enumerate(devices):
        memory = trio.run(read_all, served(spec, seed))
        found = {
            # The tools have 0 and 1 for bits.
            key: int(value) if isinstance(value, bool) else value
            for key, value in ours(spec, memory).items()
        }
        check_equal(found, reader(memory, number))


@pytest.mark.parametrize("seed", range(2))
def test_modpoll_reads_the_same(seed: int, tmp_path: Path, require_peer: RequirePeer) -> None:
    """modpoll itself reads the simulated devices with the list that was imported."""
    program = shutil.which("modpoll")
    require_peer("modpoll", program is not None, "pipx install modpoll")
    assert program is not None
    specs = imported("modpoll.csv", tmp_path).devices
    plant = DeviceSpec("plant", [unit for each in specs for unit in served(each, seed).units])
    values = tmp_path / "values.json"

    async def poll() -> None:
        async with running([plant]) as view:
            port = view.devices()[0].endpoints[0].rpartition(":")[2].partition("?")[0]
            words = ["-f", str(LISTS / "modpoll.csv"), "--tcp", "127.0.0.1", "--tcp-port", port]
            words += ["--once", "--interval", "0", "-o", str(values)]
            done = await trio.run_process(
                [str(program), *words],
                capture_stdout=True,
                capture_stderr=True,
                check=False,
                env={**os.environ, "PYTHONPATH": ""},
            )
            assert values.exists(), done.stderr.decode()

    trio.run(poll)
    memory = trio.run(read_all, plant)
    theirs = json.loads(values.read_text())
    compared = 0
    for spec in specs:
        own = {name: value for (_, name), value in ours(spec, memory).items()}
        expected = theirs[spec.name]
        assert expected.pop("setpoint", None) is None  # it is only written
        own.pop("setpoint", None)
        expected.pop("number", None)  # a number of coils was left out
        listed = {
            f"{name}/{at}": each
            for name, value in expected.items()
            if isinstance(value, list) and f"{name}/0" in own
            for at, each in enumerate(value)
        }
        plain = {name: value for name, value in expected.items() if f"{name}/0" not in own}
        expected = plain | listed
        assert own.keys() == expected.keys()
        for name, value in own.items():
            theirs_ = expected[name]
            if isinstance(value, float):
                assert math.isclose(value, theirs_, rel_tol=1e-12), name
            else:
                assert value == (tuple(theirs_) if isinstance(theirs_, list) else theirs_), name
            compared += 1
    assert compared > 60


@pytest.mark.parametrize("name", ["shared", "apart"])
def test_a_device_of_pymodbus_has_the_same_registers(name: str, tmp_path: Path) -> None:
    """pymodbus's own simulator and ours answer alike, at every address."""
    datastore = pytest.importorskip("pymodbus.datastore")
    configuration = tools.pymodbus_configuration()["device_list"][name]
    for entry in configuration["uint16"], configuration["float32"]:
        for each in entry:
            if isinstance(each, dict):
                each["action"] = None  # both keep the first value then
    path = tmp_path / "simulator.json"
    path.write_text(json.dumps({"device_list": {name: configuration}}))
    (spec,) = read_list(path).devices
    assert spec.units[0].every_id
    context = datastore.ModbusSimulatorContext(json.loads(json.dumps(configuration)), None)
    setup = configuration["setup"]
    sizes = [setup[f"{table} size"] for table in ("co", "di", "hr", "ir")]
    is_shared = setup["shared blocks"]

    async def compare() -> int:
        found = 0
        async with running([spec]) as view, client_of(view) as client:
            reads = (
                client.read_coils,
                client.read_discrete_inputs,
                client.read_holding_registers,
                client.read_input_registers,
            )
            for function, size in enumerate(sizes, 1):
                bits = 16 if function < 3 else 1
                for at in range(size * bits):
                    for count in (1, 2, 4):
                        if at + count > size * bits or (bits == 16 and count > 1):
                            continue
                        theirs = await context.async_OLD_getValues(function, at, count)
                        expected = theirs if isinstance(theirs, list) else None
                        if is_shared and bits == 16 and not _is_bits(configuration, at // 16):
                            expected = None  # numbers are no coils
                        try:
                            own: object = await reads[function - 1](at, count)
                        except ExceptionResponseError:
                            own = None
                        assert own == expected, (function, at, count)
                        found += expected is not None
        return found

    assert trio.run(compare) > 50


def _is_bits(configuration: dict[str, list[object]], register: int) -> bool:
    ranges = [(2, 2), (8, 9), (60, 60), (64, 64)]  # with those of "repeat"
    return any(first <= register <= last for first, last in ranges)


def test_values_of_pymodbus_are_named_by_their_address() -> None:
    shared, apart = read_list(LISTS / "simulator.json").devices
    values = {each.name: each.value for each in shared.units[0].points}
    assert values["hr_3"] == 17001
    assert values["hr_4"] == 617001
    assert values["hr_10"] == 404.17
    assert values["hr_40"] == "A_B_C_D_E_"
    assert (shared.units[0].id, shared.units[0].identity[0]) == (4, b"ACME")
    behaviours = {
        each.name: each.behaviour.text for each in apart.units[0].points if each.behaviour
    }
    assert behaviours == {"hr_2": "= 1 + random() * 1"}


def test_a_plain_table_has_the_keys_of_points(tmp_path: Path) -> None:
    (spec,) = imported("plain.csv", tmp_path).devices
    assert [unit.id for unit in spec.units] == [1, 2]
    voltage, temperature = spec.units[0].points
    assert (voltage.value, voltage.none, voltage.polled.interval) == (230.5, (0xFFFF,), 10.0)
    assert (temperature.place, temperature.offset) == (Place("holding_registers", 20), -40)
    power, alarm, model, counter, pump = spec.units[1].points
    assert (power.order, math.isnan(power.none[0])) == ("CDAB", True)
    assert (alarm.type, alarm.bit, alarm.value) == ("bit", 9, True)
    assert (model.type, model.size, model.value) == ("string", 8, "1234")
    assert (counter.type, counter.size, pump.type) == ("bcd", 6, "bool")


def test_connections_and_times_come_along() -> None:
    boiler, line, plc = read_list(LISTS / "telegraf.conf").devices
    assert (boiler.endpoint, boiler.connection) == (
        "tcp://192.0.2.10:502",
        {"timeout": 0.8, "busy_retries": 2},
    )
    assert {point.polled.interval for point in boiler.units[0].points} == {30.0}
    assert line.endpoint == "rtu:///dev/ttyUSB0"
    assert line.connection == {"pause": 0.05}  # 19200 baud and even parity are the defaults
    assert plc.endpoint == "rtu+tcp://192.0.2.11:1502"
    pump, meters = read_list(LISTS / "configuration.yaml").devices
    assert pump.connection == {"timeout": 3.0, "pause": 0.03, "connect_delay": 1.0}
    assert meters.endpoint == "rtu:///dev/ttyUSB1"
    assert meters.connection == {"baudrate": 9600, "parity": "N", "stopbits": 1}
    first = pump.units[0].points[0]
    assert (first.unit, first.polled.interval) == ("°C", 30.0)
    assert next(each for each in pump.units[0].points if each.name == "Sensor gone").none == (
        0x8000,
    )


def kept(notes: Iterable[object], *words: str) -> list[str]:
    return [str(each) for each in notes if all(word in str(each) for word in words)]


LEFT_OUT = {
    "telegraf.conf": [],
    "modpoll.csv": [
        "line 15 (far): left out: modpoll ignores it, 49 is not in the poller from 10 on, 40 long",
        "line 40 (number): left out: a device file has no uint16 of coils, only single ones",
    ],
    "modbus.yml": [
        "line 33, modules 1 (meter), metrics 13 (never): left out: one of the coils has no bit 4, "
        "only bit 0"
    ],
    "configuration.yaml": [
        "line 51, modbus 1 (heat_pump), sensors 14 (Pair): left out: the structure >2h is not one "
        "number of a known type"
    ],
    "simulator.json": [],
    "plain.csv": [],
}


@pytest.mark.parametrize("name", LEFT_OUT)
def test_each_entry_that_is_left_out_is_named(name: str) -> None:
    notes = read_list(LISTS / name).notes
    assert [str(each) for each in notes if each.is_lost] == [
        f"{LISTS / name}, {text}" for text in LEFT_OUT[name]
    ]


def test_settings_without_a_place_are_named_once_for_each_key() -> None:
    notes = read_list(LISTS / "telegraf.conf").notes
    assert len(kept(notes, "measurement is not used")) == 3  # each device has one
    assert {each.device for each in notes} == {"boiler", "line", "plc"}
    assert len(kept(notes, "fields 3 (spare): has no point, omit is true")) == 1
    notes = read_list(LISTS / "configuration.yaml").notes
    assert len(kept(notes, "line 37", "min_value: -40 changes what Home Assistant shows")) == 1
    assert len(kept(notes, "precision is not used", "and at 6 more")) == 1
    notes = read_list(LISTS / "simulator.json").notes
    assert len(kept(notes, "uint16 2: increment: counts at each read")) == 1


def test_words_of_the_reference_are_big_endian() -> None:
    """The helper of this test itself, with the example of the documentation of modwire."""
    data = struct.pack(">f", 22.34)
    for order in ("ABCD", "CDAB", "BADC", "DCBA"):
        letters = dict(zip("ABCD", data, strict=True))
        sent = bytes(letters[letter] for letter in order)
        assert tools.ordered(sent, order) == data
