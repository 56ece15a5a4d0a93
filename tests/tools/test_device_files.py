"""Device files: written devices are read as equal, and errors name the place of a mistake."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from device_specs import devices
from modwire import Endpoint
from modwire_tools.simulator.behaviours import Replay
from modwire_tools.simulator.devices import DeviceSpec
from modwire_tools.simulator.files import (
    DeviceFileError,
    connection_of,
    dump_device,
    read_device,
    with_connection,
    write_device,
)
from modwire_tools.simulator.meter import energy_meter

DOCUMENT = Path(__file__).parents[2] / "docs" / "reference" / "device-files.md"


@pytest.mark.timeout(600)  # seconds: it computes a lot, and the machine may be busy
@pytest.mark.parametrize("form", ["toml", "json"])
@given(device=devices())
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_what_is_written_is_read_as_the_same(
    form: str, device: DeviceSpec, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("devices") / f"device.{form}"
    write_device(device, path)
    assert read_device(path) == device


def test_the_energy_meter_can_be_written_and_read(tmp_path: Path) -> None:
    path = tmp_path / "meter.toml"
    write_device(energy_meter(), path)
    assert dump_device(read_device(path)) == dump_device(energy_meter()) == path.read_text("utf-8")


def test_the_example_of_the_document_is_a_device(tmp_path: Path) -> None:
    text = DOCUMENT.read_text("utf-8")
    example = re.search(r"```toml\n(.*?)```", text, re.DOTALL)
    assert example is not None
    path = tmp_path / "boiler.toml"
    path.write_text(example[1], "utf-8")
    device = read_device(path)
    assert [device.name, *(point.name for point in device.units[0].points)] == [
        "Boiler",
        "temperature",
        "too_hot",
        "pump",
    ]


def read(tmp_path: Path, text: str) -> DeviceSpec:
    path = tmp_path / "d.toml"
    path.write_text(text, "utf-8")
    return read_device(path)


def test_short_forms_are_read(tmp_path: Path) -> None:
    unit = read(
        tmp_path,
        """
        [[unit]]
        id = 1
        limits = { coils = 100 }
        identity = { vendor_name = "hex:ff00", "0x80" = "private", "129" = "x" }
        block = [
            { at = "40001", values = "0001 00ff\\nABCD" },
            { at = 30011, count = 3, fill = 7 },
            { at = "co:5", values = "01 10" },
            { at = "di:0", values = [true, 0, 1] },
        ]
        point = [
            { name = "a", at = "hr:0x20", word_order = "little", value = { copy = "b" } },
            { name = "b", at = "hr:33", value = { expression = "3" } },
        ]
        """,
    ).units[0]
    assert [(str(block.place), block.values) for block in unit.blocks] == [
        ("hr:0", (1, 255, 0xABCD)),
        ("ir:10", (7, 7, 7)),
        ("co:5", (0, 1, 1, 0)),
        ("di:0", (1, 0, 1)),
    ]
    assert unit.points[0].order == "CDAB"
    assert (unit.limits["coils"].count, unit.limits["coils"].code) == (100, 3)
    assert unit.identity == {0: b"\xff\x00", 0x80: b"private", 129: b"x"}


def test_the_options_of_the_connection_are_those_of_endpoints(tmp_path: Path) -> None:
    """They are for clients of the real device: the simulator keeps them without using them."""
    device = read(
        tmp_path,
        """
        connection.pause = 0.1
        connection.quirks = ["any_unit", "wrong_length"]
        connection.reconnect_after = "never"
        connection.timeout = 2
        [[unit]]
        id = 1
        """,
    )
    endpoint = Endpoint.parse(with_connection("tcp://h?pause=0.5", device.connection))
    assert endpoint == Endpoint.parse(
        "tcp://h?pause=0.5&quirks=any_unit,wrong_length&reconnect_after=never&timeout=2"
    )
    for name in ("copy.toml", "copy.json"):
        copy = tmp_path / name
        write_device(device, copy)
        assert read_device(copy) == device
    assert connection_of(Endpoint.parse(with_connection("tcp://h", device.connection))) == (
        device.connection
    )
    copy.write_text('{"connection": {"unit": null}, "unit": [{"id": 1}]}')
    with pytest.raises(DeviceFileError, match="connection, unit must have a value, got null"):
        read_device(copy)


def test_a_replay_is_read_from_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "day.csv").write_text(
        "when;P;Q\n2026-01-31T00:00:00;1,5;2\n".replace(",", ".")
        + "2026-01-31T00:01:00;2.5;3\n2026-01-31T00:03:00;0;4\n"
    )
    point = read(
        tmp_path,
        """
        [[unit]]
        id = 1
        [[unit.point]]
        name = "p"
        at = "ir:0"
        type = "float32"
        value = { replay = { file = "day.csv", column = "P", time_column = "when" } }
        """,
    ).units[0]
    replay = point.points[0].behaviour
    assert isinstance(replay, Replay)
    assert (replay.times, replay.values) == ((0, 60, 180), (1.5, 2.5, 0))


UNIT = "[[unit]]\nid = 1\n"
POINT = UNIT + '[[unit.point]]\nname = "p"\nat = "hr:0"\n'
MISTAKES = {
    "a = ": "this is no TOML",
    "": "unit is missing: a device has at least one",
    "unit = 3": r"unit must be a list, \[\[unit\]\] in TOML, got 3",
    "unit = [3]": "unit 1 must be a table, got 3",
    "nmae = 'x'": "the device may have name, connection, unit, got 'nmae'; did you mean name?",
    "name = 3\n" + UNIT: "name must be a text, got 3",
    "connection = 3\n" + UNIT: "connection must be a table, got 3",
    "connection = { puase = 1 }\n" + UNIT: "connection may have unit, .*; did you mean pause?",
    "connection = { pause = -1 }\n" + UNIT: "connection, pause must be at least 0 seconds, at",
    "connection = { pause = '0,1' }\n" + UNIT: "connection, pause must be a time, .* got '0,1'",
    "connection = { timeout = 0 }\n" + UNIT: "connection, timeout must be greater than 0 seconds",
    "connection = { unit = 256 }\n" + UNIT: "connection, unit must be 0..255, got 256",
    "connection = { keepalive = 1 }\n" + UNIT: "connection, keepalive must be true or false, got",
    "connection = { reconnect_after = 'no' }\n" + UNIT: "must be a number or \"never\", got 'no'",
    "connection = { reconnect_after = 0 }\n" + UNIT: "reconnect_after must be a whole number, at",
    "connection = { quirks = 'any_unit' }\n"
    + UNIT: r'a list of names, such as \["any_unit"\], got',
    "connection = { quirks = [3] }\n" + UNIT: "connection, quirks must be a list of names",
    "connection = { quirks = ['any'] }\n" + UNIT: "quirks must be one of none, zero_transaction_id",
    "connection = { parity = 'X' }\n" + UNIT: "connection, parity must be N, E or O, got 'X'",
    "connection = { rs485 = true, keepalive = true }\n" + UNIT: "connection: ascii has no keepal",
    "[[unit]]": "unit 1, id is missing",
    "[[unit]]\nid = 300": r"unit 1 \(300\), id must be 0..255, got 300",
    UNIT * 2: "unit must have an id of its own, 1 is there twice",
    UNIT + "every_id = 1": "every_id must be true or false, got 1",
    UNIT + "[[unit.block]]\nvalues = [1]": "block 1, at is missing",
    UNIT + "[[unit.block]]\nat = 'xy:1'\nvalues = [1]": r"block 1 \(xy:1\), at: an address is",
    UNIT + "[[unit.block]]\nat = 'hr:0'": "count is missing",
    UNIT + "[[unit.block]]\nat = 'hr:0'\nvalues = [65536]": "must be 0..65535, got 65536 as num",
    UNIT + "[[unit.block]]\nat = 'hr:0'\nvalues = '12'": "four hexadecimal digits each, got '12'",
    UNIT + "[[unit.block]]\nat = 'co:0'\nvalues = '012'": "must be 0 and 1, got '012'",
    UNIT + "[[unit.block]]\nat = 'co:0'\nvalues = [2]": "must be 0, 1, true or false, got 2",
    UNIT + "[[unit.block]]\nat = 'hr:65535'\nvalues = [1, 2]": "must be 1..1 from hr:65535 on",
    UNIT + "[[unit.block]]\nat = 'hr:0'\nvalues = [1]\nfill = 2": "fill must be left out beside",
    UNIT + "[unit.identity]\nvendor = 'x'": "identity may have vendor_name, .*got 'vendor'",
    UNIT + "[unit.identity]\nvendor_name = 'hex:0'": "pairs of hexadecimal digits",
    UNIT + "[unit.server_id]\nid = 'x'\nrunning = 'no'": "running must be true or false",
    UNIT + "exception_status = 256": "exception_status must be 0..255, got 256",
    UNIT + "missing = { coil = 1 }": "missing may have the tables coils, .*got 'coil'",
    UNIT + "missing = { coils = 0 }": 'must be an exception code 1..255 or "silence", got 0',
    UNIT + "limits = { coils = 2001 }": "limits, coils must be 1..2000, got 2001",
    UNIT + "refuses = { 200 = 1 }": "refuses may have function codes 1..127, got '200'",
    UNIT + "faults = { drop = 2 }": "faults, drop must be 0..1, got 2",
    UNIT + "faults = { drip = 1 }": "did you mean drop?",
    UNIT + "[[unit.file]]\nnumber = 0": "number must be 1..65535, got 0",
    UNIT + "[[unit.fifo]]\naddress = 1\nvalues = '" + "0000 " * 32 + "'": "must be 0..31, got 32",
    POINT + "type = 'flot32'": r"point 1 \(p\), type must be one of int8, .*got 'flot32'",
    POINT + "type = 'string'": "length is missing",
    POINT + "length = 3": "length is for the types string, bcd, bits, not for uint16",
    POINT + "order = 'ABC'": "order must be one of ABCD, CDAB, BADC, DCBA, got 'ABC'",
    POINT + "order = 'ABCD'\nword_order = 'big'": "word_order must be left out beside order",
    POINT + "scale = 0": "scale must be a finite number other than 0",
    POINT + "value = 70000": "uint16 must be an integer 0..65535, got 70000",
    POINT + "value = { sinus = 3 }": "value may have sine, .*did you mean sine?",
    POINT + "value = { }": "value must be one of sine, .*got 0 of them",
    POINT + "value = { sine = { period = 0 } }": "period must be a number more than 0, got 0",
    POINT + "value = { sine = 3 }": "sine must be a table, got 3",
    POINT + "none = 0x10000": r"none of uint16 must be a raw value 0\.\.0xFFFF",
    POINT + "none = 'x'": "none must be a raw value such as 0x8000, or a list of them, got 'x'",
    POINT + "none = []": "none must be a raw value such as 0x8000, or a list of them, got ",
    POINT + "interval = '1 parsec'": "interval must be a time of more than 0, such as 500ms",
    POINT + "interval = 0": "interval must be a number more than 0, got 0",
    POINT + "deadband = -1": "deadband must be a number more than 0, got -1",
    POINT + "type = 'bits'\nlength = 4\ndeadband = 1": "deadband is for numbers, not for bits",
    POINT + "type = 'bit'": "bit is missing",
    POINT + "type = 'bit'\nbit = 16": r"bit must be 0\.\.15, got 16",
    POINT + "bit = 1": "bit is for the type bit, not for uint16",
    POINT + "type = 'bit'\nbit = 1\nscale = 2": "a bit has no scale, no offset and no order",
    POINT + "on_change = 1": "on_change must be true or false, got 1",
    POINT + "value = { copy = 'q' }": r"unit 1 \(1\): point 'p': there is no point 'q'",
    POINT + "value = { expression = 'q + 1' }": "has the name 'q', which is neither a point",
    POINT + "value = { expression = '1 +' }": "cannot be read",
    POINT + "value = { expression = 'q = 1' }": "cannot be read",
    POINT + "value = { expression = '1; 2' }": "cannot be read",
    POINT + "value = { random_walk = { start = 5, high = 1 } }": "start must be -inf..1, got 5",
    POINT + "value = { choice = { values = [] } }": "values must be a list of at least one",
    POINT + "value = { replay = { file = 'no.csv', column = 'c' } }": r"cannot read .*no\.csv",
    POINT + "[[unit.point]]\nname = 'p'\nat = 'hr:1'": "point 'p' is there twice in unit 1",
    UNIT + "[[unit.point]]\nname = 'p'\nat = 'co:0'\ntype = 'int8'": "type must be one of bool",
    UNIT + "[[unit.point]]\nname = 'p'\nat = 'hr:65535'\ntype = 'int32'": "leads out of 0..65535",
}


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_is_named_with_the_file_and_its_place(text: str, tmp_path: Path) -> None:
    with pytest.raises(DeviceFileError, match=MISTAKES[text]) as raised:
        read(tmp_path, text)
    assert str(raised.value).startswith(f"{tmp_path / 'd.toml'}: ")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("time,c\n", "has no line of values"),
        ("time,d\n0,1\n", "has no column 'c' in its first line"),
        ("time,c\n0,x\n", "line 2: a value must be a finite number$"),
        ("time,c\nnoon,1\n", "line 2: a time must be seconds or such as 2026-01-31T12:00:00"),
        ("time,c\n0,1\n0,2\n", "line 3: times must ascend"),
    ],
)
def test_a_recording_that_cannot_be_used_is_named_with_its_line(
    text: str, expected: str, tmp_path: Path
) -> None:
    (tmp_path / "r.csv").write_text(text)
    with pytest.raises(DeviceFileError, match=expected):
        read(tmp_path, POINT + "value = { replay = { file = 'r.csv', column = 'c' } }")


def test_other_files_than_toml_and_json_are_refused_with_a_reason(tmp_path: Path) -> None:
    path = tmp_path / "d.json"
    path.write_text("[]")
    with pytest.raises(DeviceFileError, match=r"d\.json: a device must be a table, got \[\]"):
        read_device(path)
    path.write_text("{")
    with pytest.raises(DeviceFileError, match=r"d\.json: this is no JSON"):
        read_device(path)
    path.write_bytes(b"\xff")
    with pytest.raises(DeviceFileError, match=r"d\.json: must be UTF-8"):
        read_device(path)
    with pytest.raises(OSError, match="cannot read"):
        read_device(tmp_path / "none.toml")


def test_json_has_the_structure_of_toml(tmp_path: Path) -> None:
    path = tmp_path / "d.json"
    write_device(energy_meter(), path)
    unit = json.loads(path.read_text("utf-8"))["unit"][0]
    assert unit["point"][0]["value"] == {"sine": {"around": 230, "amplitude": 4, "period": 60}}


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="cannot write"):
        write_device(energy_meter(), tmp_path / "no" / "d.toml")
    assert list(tmp_path.iterdir()) == []
