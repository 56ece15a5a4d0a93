"""Values by name: `--device` with the points of a device file, for `read` and `write`."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from modwire import SequentialBlock, Unit, Units
from modwire_command import good, modwire
from modwire_sync import TcpServer
from modwire_tools.client.points import Points
from modwire_tools.simulator.files import read_device, write_device

POINTS = """
[[unit]]
id = 1
[[unit.point]]
name = "voltage_l1"
at = "ir:0"
scale = 0.1
unit = "V"
[[unit.point]]
name = "active power"
at = "ir:8"
type = "float32"
unit = "W"
[[unit.point]]
name = "label"
at = "hr:30"
type = "string"
length = 8
[[unit.point]]
name = "setpoint"
at = "hr:10"
type = "float32"
order = "CDAB"
[[unit.point]]
name = "offset"
at = "hr:20"
type = "int16"
scale = 0.5
offset = -40
[[unit.point]]
name = "relay"
at = "co:3"
[[unit.point]]
name = "input=1"
at = "di:0"
"""


@pytest.fixture
def file(endpoint: str, tmp_path: Path) -> Path:
    """A file with the endpoint of the device, and names for its values."""
    place, _, query = endpoint.partition("?")
    timeout = query.partition("=")[2]
    path = tmp_path / "meter.toml"
    path.write_text(f'[connection]\nendpoint = "{place}"\ntimeout = {timeout}\n{POINTS}')
    return path


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """A file with names, but without the endpoint."""
    path = tmp_path / "plain.toml"
    path.write_text(POINTS)
    return path


def test_a_value_is_read_by_its_name(file: Path) -> None:
    assert good("read", "--device", file, "voltage_l1") == "voltage_l1\t230.4\n"
    assert good("read", "--device", file, "active power", "ir:1", "label") == (
        "active power\t3218.25\nir:1\t2311\nlabel\tpump\n"
    )


def test_the_endpoint_may_be_given(plain: Path, endpoint: str) -> None:
    assert good("read", endpoint, "--device", plain, "voltage_l1") == "voltage_l1\t230.4\n"
    assert good("read", endpoint, "input=1", "--device", plain) == "input=1\ton\n"


def test_without_names_all_points_are_read(file: Path) -> None:
    names = [line.partition("\t")[0] for line in good("read", "--device", file).splitlines()]
    assert names == [
        "voltage_l1",
        "active power",
        "label",
        "setpoint",
        "offset",
        "relay",
        "input=1",
    ]


def test_csv_has_no_formulas(tmp_path: Path) -> None:
    """A spreadsheet would run what a device sends as its text."""
    path = tmp_path / "meter.toml"
    path.write_text(
        "[[unit]]\nid = 1\n"
        '[[unit.point]]\nname = "@label"\nat = "hr:0"\ntype = "string"\nlength = 4\n'
        '[[unit.point]]\nname = "level"\nat = "hr:2"\ntype = "int16"\nunit = "+"\n'
    )
    units = Units({1: Unit(holding_registers=SequentialBlock(0, [0x3D31, 0x2B31, 0xFFFD]))})
    with TcpServer(units, ("127.0.0.1", 0)) as server:
        host, port = server.address
        out = good(
            "read", f"tcp://{host}:{port}?timeout=20", "--device", path, "@label", "level", "--csv"
        )
    _, label, level = csv.reader(io.StringIO(out))
    assert label[1:5] == ["'@label", "hr:0", "string:4", "'=1+1"]
    assert level[1:6] == ["level", "hr:2", "int16", "-3", "'+"]


def test_json_and_csv_have_the_names_and_the_units(file: Path) -> None:
    words = ("--device", file, "voltage_l1", "hr:0")
    assert json.loads(good("read", *words, "--json")) == [
        {
            "name": "voltage_l1",
            "address": "ir:0",
            "type": "uint16",
            "unit": "V",
            "value": 230.4,
        },
        {"address": "hr:0", "type": "uint16", "value": 0},
    ]
    head, first, second = csv.reader(io.StringIO(good("read", *words, "--csv")))
    assert head == ["time", "name", "address", "type", "value", "unit", "error"]
    assert first[1:] == ["voltage_l1", "ir:0", "uint16", "230.4", "V", ""]
    assert second[1:] == ["hr:0", "hr:0", "uint16", "0", "", ""]


def test_values_are_written_by_name(file: Path, device: Unit) -> None:
    words = ("setpoint=22.5", "offset=-10", "relay=on", "label=fan", "hr:5=7")
    assert good("write", "--device", file, *words, "--verify") == (
        "setpoint = 22.5\noffset = -10\nrelay = on\nlabel = fan\nhr:5 = 7\n"
    )
    assert device.holding_registers is not None
    assert list(device.holding_registers.read(10, 2)) == [0, 0x41B4]
    assert list(device.holding_registers.read(20, 1)) == [60]
    out = good("write", "--device", file, "label=pump", "--json")
    assert json.loads(out) == [
        {"name": "label", "address": "hr:30", "type": "string:8", "value": "pump"}
    ]
    assert good("write", "--device", file, "relay=off") == "relay = off\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("read", "voltage_l9"), "FILE has no point 'voltage_l9'; did you mean voltage_l1?"),
        (("read", "xyz"), "FILE has no point 'xyz'; it has voltage_l1, active power, label, "),
        (("read", "hr0"), "did you mean hr:0?"),
        (("write", "setpoint"), "setpoint has no value, write setpoint=..."),
        (("write", "setpiont=1"), "FILE has no point 'setpiont'; did you mean setpoint?"),
        (("write", "voltage_l1=1"), "voltage_l1 cannot be written, it is one of the input regis"),
        (("write", "setpoint=warm"), "float32 must be a number, such as 22.5, got 'warm'"),
        (("write", "setpoint=22,5"), "float32 must be a number, such as 22.5, got '22,5'"),
        (("write",), "missing argument 'ADDRESS=VALUE...'; see modwire write --help"),
    ],
)
def test_a_wrong_name_says_which_there_are(words: tuple[str, ...], said: str, file: Path) -> None:
    command, *names = words
    result = modwire(command, "--device", file, *names)
    assert (result.out, result.code) == ("", 2)
    assert said.replace("FILE", str(file)) in result.err
    assert result.err.count("\n") == 1


def test_a_file_without_endpoint_says_what_is_missing(plain: Path) -> None:
    for words in (("read", "voltage_l1"), ("write", "relay=on"), ("scan",), ("read", "hr:0")):
        command, *names = words
        result = modwire(command, *names, "--device", plain)
        assert (result.out, result.code) == ("", 2), words
        assert f"--device {plain} has no endpoint: write endpoint = " in result.err
        line = result.err.partition("or name it: ")[2].strip()
        assert line == " ".join(
            ["modwire", command, "tcp://192.0.2.7", "--device", str(plain), *names]
        )


def test_an_endpoint_without_scheme_is_no_name(file: Path, plain: Path) -> None:
    for path in (file, plain):
        result = modwire("read", "127.0.0.1:5020", "voltage_l1", "--device", path)
        assert "must start with a scheme, such as tcp://127.0.0.1:5020\n" in result.err


def test_the_endpoint_of_the_file_is_used_by_scan_and_scrape(file: Path, tmp_path: Path) -> None:
    assert "ACME" in good("scan", "--device", file, "--units", "1")
    copy = tmp_path / "copy.toml"
    words = ("--device", file, "-o", copy, "--unit", "1", "--addresses", "0..9")
    assert modwire("scrape", *words).code == 0
    assert copy.exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('endpoint = "127.0.0.1:5020"', "endpoint is wrong: endpoint '127.0.0.1:5020': must start"),
        ("endpoint = 5", "endpoint must be a text, got 5"),
        ('endpoint = "tcp://x"\nrs485 = true', "tcp has no rs485"),
        ('endpiont = "tcp://x"', "did you mean endpoint?"),
    ],
)
def test_a_wrong_endpoint_in_a_file_is_said(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(f"[connection]\n{text}\n{POINTS}")
    result = modwire("read", "--device", path, "relay")
    assert (result.out, result.code) == ("", 2)
    assert f"--device {path}: connection" in result.err
    assert said in result.err


def test_the_endpoint_stays_in_a_written_file(file: Path, tmp_path: Path) -> None:
    found = read_device(file)
    assert found.endpoint.startswith("tcp://127.0.0.1:")
    again = tmp_path / "again.json"
    write_device(found, again)
    assert read_device(again) == found


# Units.

TWO = """
[connection]
endpoint = "{}?timeout=20"
[[unit]]
id = 17
[[unit.point]]
name = "period"
at = "hr:0"
[[unit.point]]
name = "here"
at = "hr:1"
[[unit]]
id = 18
[[unit.point]]
name = "period"
at = "hr:0"
[[unit.point]]
name = "there"
at = "hr:1"
"""


def test_the_unit_is_the_one_that_has_the_names(tmp_path: Path) -> None:
    units = {
        number: Unit(holding_registers=SequentialBlock(0, [number, number + 100]))
        for number in (17, 18)
    }
    path = tmp_path / "two.toml"
    with TcpServer(Units(units), ("127.0.0.1", 0)) as server:
        path.write_text(TWO.format(f"tcp://127.0.0.1:{server.address[1]}"))
        assert good("read", "--device", path, "there") == "there\t118\n"
        assert good("read", "--device", path, "period", "here") == "period\t17\nhere\t117\n"
        assert good("read", "--device", path, "period", "-u", "18") == "period\t18\n"
        assert good("read", "--device", path, "-u", "17") == "period\t17\nhere\t117\n"
        assert good("write", "--device", path, "there=5") == "there = 5\n"
        result = modwire("read", "--device", path, "period")
        assert f"{path} has period in the units 17 and 18: name one with --unit" in result.err
        result = modwire("read", "--device", path, "here", "there")
        assert "in the units 17 and 18: name one with --unit" in result.err
        result = modwire("read", "--device", path)
        assert f"{path} has the units 17, 18: name one with --unit" in result.err
        result = modwire("read", "--device", path, "-u", "19")
        assert f"{path} has no points of unit 19" in result.err


def test_one_unit_is_asked_under_another_id_too(plain: Path) -> None:
    """A copy of the device may have another id."""
    points = Points(read_device(plain).units, "plain.toml")
    assert points.item(9, "voltage_l1") is not None
    assert points.unit(["voltage_l1"], None) == 1
    assert points.unit(["hr:0"], None) is None


def test_a_raw_value_may_stand_for_none(file: Path, tmp_path: Path, device: Unit) -> None:
    """A meter without a sensor answers 0x8000, which is no temperature of -3276.8 degrees."""
    changed = tmp_path / "sensor.toml"
    text = file.read_text().replace('type = "int16"\n', 'type = "int16"\nnone = 0x8000\n')
    changed.write_text(text)
    good("write", "--device", changed, "offset=-30")
    assert good("read", "--device", changed, "offset") == "offset\t-30\n"
    result = modwire("write", "--device", changed, "offset=-16424")
    assert "stands for None" in result.err
    assert result.code == 2
    good("write", "--device", file, "offset=-16424")
    assert good("read", "--device", changed, "offset") == "offset\tnone\n"
    assert json.loads(good("read", "--device", changed, "offset", "--json"))[0]["value"] is None


BITS = """
[[unit]]
id = 1
[[unit.point]]
name = "running"
at = "hr:40"
type = "bit"
bit = 0
[[unit.point]]
name = "alarm"
at = "hr:40"
type = "bit"
bit = 15
"""


def test_bits_of_a_register_have_names(file: Path, tmp_path: Path, device: Unit) -> None:
    """A status word has a meaning for each bit: one is written without the others."""
    changed = tmp_path / "bits.toml"
    changed.write_text(file.read_text().partition("[[unit]]")[0] + BITS)
    device.holding_registers[40] = 0x0102
    good("write", "--device", changed, "running=on", "alarm=on")
    assert device.holding_registers[40] == 0x8103
    assert good("read", "--device", changed) == "running\ton\nalarm\ton\n"
    good("write", "--device", changed, "running=off")
    assert device.holding_registers[40] == 0x8102
    assert json.loads(good("read", "--device", changed, "alarm", "--json"))[0]["type"] == "bit:15"
