"""Plant files: what they mean, and that each mistake is named with its place, all at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from modwire_tools.poll.plant import Plant, PlantError, read_plant

METER = """
[connection]
endpoint = "tcp://192.0.2.7"
pause = 0.05
[[unit]]
id = 17
limits = { holding_registers = 20 }
[[unit.block]]
at = "hr:0"
count = 10
[[unit.point]]
name = "voltage"
at = "hr:0"
type = "float32"
unit = "V"
[[unit.point]]
name = "energy"
at = "hr:2"
type = "uint32"
interval = "1m"
none = 0xFFFFFFFF
[[unit.point]]
name = "state"
at = "co:0"
on_change = true
"""


def read(folder: Path, text: str, **environment: str) -> Plant:
    (folder / "meter.toml").write_text(METER)
    (folder / "plant.toml").write_text(text)
    return read_plant(folder / "plant.toml", environment)


def mistakes(folder: Path, text: str, **environment: str) -> list[str]:
    """Return the mistakes in a plant file, each without the folder."""
    with pytest.raises(PlantError) as raised:
        read(folder, text, **environment)
    return [each.replace(f"{folder}/", "") for each in raised.value.mistakes]


def test_a_device_file_is_enough(tmp_path: Path) -> None:
    """The file that `modwire simulate` serves, with the endpoint that `read --device` uses."""
    plant = read(tmp_path, '[[device]]\nname = "m"\nfile = "meter.toml"\ninterval = "500ms"')
    (device,) = plant.devices
    assert (device.name, device.unit, str(device.endpoint)) == (
        "m",
        17,
        "tcp://192.0.2.7:502?pause=0.05",
    )
    assert [(each.name, each.interval, each.on_change) for each in device.points] == [
        ("voltage", 0.5, False),
        ("energy", 60.0, False),
        ("state", 0.5, True),
    ]
    assert device.points[1].item.decode([0xFFFF, 0xFFFF]) is None
    assert device.limits.max_registers == 20
    assert (plant.name, plant.sinks, plant.spool) == ("plant", [], None)


def test_a_plant_may_have_the_points_itself(tmp_path: Path) -> None:
    plant = read(
        tmp_path,
        """
        name = "hall 3"
        interval = 2
        [spool]
        file = "values.spool"
        size = "20MB"
        age = "3d"
        [[device]]
        name = "boiler"
        endpoint = "rtu:///dev/ttyUSB0?baudrate=9600&unit=3"
        tags = { hall = "3" }
        max_registers = 50
        max_gap = 0
        stale = "10s"
        retry = "5m"
        [[device.point]]
        name = "temperature"
        at = "ir:0"
        scale = 0.1
        deadband = 0.5
        [[device]]
        name = "pump"
        endpoint = "rtu:///dev/ttyUSB0?baudrate=9600&timeout=0.2"
        unit = 4
        only = ["on"]
        point = [{ name = "on", at = "co:0" }, { name = "off", at = "co:1" }]
        [[sink]]
        json = "${FOLDER}/$$values.jsonl"
        """,
        FOLDER="/var/lib",
    )
    boiler, pump = plant.devices
    assert (boiler.unit, boiler.tags, boiler.stale, boiler.retry) == (3, {"hall": "3"}, 10, 300)
    assert (boiler.limits.max_registers, boiler.limits.max_gap) == (50, 0)
    assert (boiler.points[0].deadband, boiler.points[0].interval) == (0.5, 2.0)
    assert boiler.line == pump.line
    assert (pump.unit, [each.name for each in pump.points]) == (4, ["on"])
    assert plant.spool is not None
    assert (plant.spool.file, plant.spool.size, plant.spool.age) == (
        tmp_path / "values.spool",
        20_000_000,
        3 * 86400,
    )
    assert plant.sinks[0].name == "json /var/lib/$values.jsonl"


WRONG = """\
nam = "x"
[spool]
file = "s.db"
size = "10 potatoes"
[[device]]
name = "meter1"
endpoint = "tcp://127.0.0.1:99999"
interval = "1 parsec"
tags = { hall = 3 }
text = \"\"\"
[[device]]
name = "a line of a text is no table"
\"\"\"
[[device.point]]
name = "a"
at = "hr:0"
type = "flot32"
[[device.point]]
name = "b"
at = "hr:99999"
deadbnd = 1
[[device]]
name = "meter1"
endpoint = "tcp://127.0.0.1"
file = "nix.toml"
unit = 300
[[device]]
name = "m3"
endpoint = "rtu:///dev/ttyS0?quirks=answers_unit_zero"
retry = -1
stale = false
point = [{ name = "x", at = "hr:0" }, { name = "x", at = "hr:1" },
  { name = "y", at = "hr:1", none = 0x10000 }]
[[device]]
name = "m4"
file = "meter.toml"
point = []
only = ["volt"]
interval = 1
[[device]]
name = "m5"
file = "meter.toml"
interval = 1
only = ["volt"]
max_registers = 126
[[device]]
name = "m6"
endpoint = "rtu:///dev/ttyUSB0?baudrate=9600"
interval = 1
[[device.point]]
name = "p"
at = "hr:0"
deadband = -1
[[device.point]]
name = "q"
at = "hr:0"
on_change = "yes"
[[device]]
name = ""
[[device]]
name = "m7"
endpoint = "rtu:///dev/ttyUSB1?baudrate=9600"
interval = 1
point = [{ name = "x", at = "hr:0" }]
[[device]]
name = "m8"
endpoint = "rtu:///dev/ttyUSB1?baudrate=19200"
interval = 1
point = [{ name = "x", at = "hr:0" }]
[[sink]]
json = "${NIX}/x"
[[sink]]
jso = "-"
[[sink]]
json = "-"
csv = "-"
[[sink]]
json = "$HOME/x"
[[sink]]
json = "-"
size = "1"
kep = 3
[[sink]]
csv = "a.csv"
keep = -1
[[sink]]
csv = "b.csv"
[[sink]]
csv = "b.csv"
"""

SAID = """\
plant.toml:1: the plant may have name, interval, spool, device, sink, got 'nam'; did you mean name?
plant.toml:4: spool, size must be a size such as 100MB, at least 1kB, got '10 potatoes'
plant.toml:7: device 1 (meter1), endpoint: endpoint 'tcp://127.0.0.1:99999': port must be 0..65535,
plant.toml:8: device 1 (meter1), interval must be a time of more than 0, such as 500ms, 1s or 2m,
plant.toml:9: device 1 (meter1), tags, hall must be a text, got 3
plant.toml:10: device 1 (meter1) may have name, endpoint, file, unit,
plant.toml:17: device 1 (meter1), point 1 (a), type must be one of int8, uint8,
plant.toml:20: device 1 (meter1), point 2 (b), at: an address is co:, di:, hr: or ir: with 0..65535
plant.toml:21: device 1 (meter1), point 2 (b) may have name, at, type,
plant.toml:23: device 2 (meter1), name must be that of one device only, and is there twice
plant.toml:25: device 2 (meter1), file: cannot read nix.toml: No such file or directory
plant.toml:26: device 2 (meter1), unit must be 0..255, got 300
plant.toml:27: device 3 (m3), interval is missing, such as interval = "1s"
plant.toml:30: device 3 (m3), retry must be a number more than 0, got -1
plant.toml:31: device 3 (m3), stale must be a number, got False
plant.toml:32: device 3 (m3), point 2 (x), name must be that of one point only, and is there twice
plant.toml:32: device 3 (m3), point 3 (y): none of uint16 must be a raw value 0..0xFFFF
plant.toml:37: device 4 (m4), point must be left out beside file
plant.toml:44: device 5 (m5), only must name points, of which there are voltage, energy, state,
plant.toml:45: device 5 (m5), max_registers must be 1..125, got 126
plant.toml:53: device 6 (m6), point 1 (p), deadband must be a number more than 0, got -1
plant.toml:57: device 6 (m6), point 2 (q), on_change must be true or false, got 'yes'
plant.toml:59: device 7 (), name must have 1..100 printable characters, got ''
plant.toml:58: device 7 () must have a file with points, or [[device.point]]
plant.toml:58: device 7 (), endpoint is missing, such as tcp://192.0.2.7
plant.toml:67: device 9 (m8), endpoint must have the same options as that of m7, except unit and
plant.toml:71: sink 1, json needs NIX in the environment, and it is not there
plant.toml:72: sink 2 must have one of json, csv, influx, prometheus, sql, mqtt, got none of them
plant.toml:74: sink 3 must have one of json, csv, influx, prometheus, sql, mqtt, got json and csv
plant.toml:78: sink 4, json must have $$ for a dollar, or ${NAME} for a variable
plant.toml:81: sink 5, size must be a size such as 100MB, at least 1kB, got '1'
plant.toml:82: sink 5 may have json, name, size, keep, got 'kep'; did you mean keep?
plant.toml:85: sink 6, keep must be 0..1000, got -1
plant.toml:89: sink 8, csv must have a name of its own, name = ...,
"""


def test_all_mistakes_are_named_with_their_lines(tmp_path: Path) -> None:
    """Whoever has twenty of them does not want to start the command twenty times."""
    found = mistakes(tmp_path, WRONG)
    said = SAID.splitlines()
    missing = [line for line in said if not any(each.startswith(line) for each in found)]
    assert missing == []
    assert len(found) == len(said), [
        each for each in found if not any(each.startswith(line) for line in said)
    ]


def test_a_mistake_in_a_device_file_is_named_once_with_its_own_line(tmp_path: Path) -> None:
    (tmp_path / "boiler.toml").write_text('[[unit]]\nid = 1\n[[unit.point]]\nname = "a"\nat = 5.5')
    device = '[[device]]\nname = "{}"\nfile = "boiler.toml"\ninterval = 1\n'
    assert mistakes(tmp_path, device.format("a") + device.format("b")) == [
        "boiler.toml:5: unit 1 (1), point 1 (a), at must be a place such as hr:16, got 5.5"
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[device]", "plant.toml: this is no TOML: "),
        ("", "plant.toml: device: is missing: a plant has at least one, [[device]]"),
        ("device = 3", "plant.toml:1: device must be a list, [[device]] in TOML, got 3"),
        ("[device]\nname = 3", "plant.toml:1: device must be a list, [[device]] in TOML, got "),
    ],
)
def test_a_file_that_is_no_plant_is_said(text: str, said: str, tmp_path: Path) -> None:
    assert mistakes(tmp_path, text)[0].startswith(said)


POINT = '[[device.point]]\nname = "{}"\nat = "{}"\ntype = "{}"\n'
DEVICE = '[[device]]\nname = "x"\nendpoint = "tcp://127.0.0.1"\ninterval = 1\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            DEVICE + POINT.format("a", "hr:65534", "uint64"),
            "plant.toml:7: device 1 (x), point 1 (a), at: addresses must be 0..65535, got 65534..",
        ),
        (
            DEVICE + 'only = [["a"]]\n' + POINT.format("a", "hr:0", "uint16"),
            "plant.toml:5: device 1 (x), only must name points, of which there are a, got ['a']",
        ),
        (
            DEVICE + POINT.format("a\\nb", "hr:0", "uint16"),
            "plant.toml:1: device 1 (x): the name of a point must have 1..200 printable characters",
        ),
        (
            DEVICE + POINT.format("a" * 201, "hr:0", "uint16"),
            "plant.toml:1: device 1 (x): the name of a point must have 1..200 printable characters",
        ),
        (
            'name = "a\\u0000"\n' + DEVICE + POINT.format("a", "hr:0", "uint16"),
            "plant.toml:1: name must have 1..100 printable characters, got 'a\\x00'",
        ),
        (
            '[[device]]\nname = "x"\nfile = "a\\u0000b"\ninterval = 1\n',
            "plant.toml:3: device 1 (x), file must be the name of a file, got 'a\\x00b'",
        ),
    ],
)
def test_what_no_request_or_sink_can_have_is_said(text: str, said: str, tmp_path: Path) -> None:
    (found,) = mistakes(tmp_path, text)
    assert found.startswith(said)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="there is no /dev/zero")
def test_a_device_file_without_an_end_is_read_once(tmp_path: Path) -> None:
    """It was read once more for its lines, until no memory was left."""
    (found,) = mistakes(tmp_path, '[[device]]\nname = "x"\nfile = "/dev/zero"\ninterval = 1\n')
    assert found == "/dev/zero: must have at most 33554432 bytes, and has more"


def test_of_many_mistakes_a_hundred_are_said(tmp_path: Path) -> None:
    text = DEVICE + "".join(POINT.format(f"p{n}", "hr:0", "no") for n in range(300))
    (tmp_path / "plant.toml").write_text(text)
    with pytest.raises(PlantError) as raised:
        read_plant(tmp_path / "plant.toml", {})
    assert (len(raised.value.mistakes), raised.value.number) == (100, 300)


def test_devices_on_one_line_are_compared_with_the_first(tmp_path: Path) -> None:
    """Each with each of ten thousand took minutes."""
    device = (
        '[[device]]\nname = "{}"\nendpoint = "tcp://127.0.0.1:{}"\ninterval = 1\n'
        'point = [{{ name = "x", at = "hr:0" }}]\n'
    )
    text = "".join(device.format(n, 1000 + n % 5) for n in range(20))
    assert len(read(tmp_path, text).devices) == 20
    text += device.format("last", "1003?pause=1")
    (found,) = mistakes(tmp_path, text)
    assert "device 21 (last), endpoint must have the same options as that of 3, except" in found


def test_several_units_need_a_choice(tmp_path: Path) -> None:
    (tmp_path / "two.toml").write_text(
        '[[unit]]\nid = 1\npoint = [{ name = "a", at = "hr:0" }]\n'
        '[[unit]]\nid = 2\npoint = [{ name = "b", at = "hr:0" }]\n'
    )
    device = '[[device]]\nname = "x"\nendpoint = "tcp://127.0.0.1"\nfile = "two.toml"\ninterval = 1'
    assert mistakes(tmp_path, device) == [
        "plant.toml:1: device 1 (x), unit must be one of 1, 2, the units with points in the file"
    ]
    assert read(tmp_path, device + "\nunit = 2").devices[0].points[0].name == "b"


def test_values_may_not_be_stale_before_they_are_read_again(tmp_path: Path) -> None:
    text = '[[device]]\nname = "m"\nfile = "meter.toml"\ninterval = 1\nstale = "60s"'
    (said,) = mistakes(tmp_path, text)
    assert said == (
        "plant.toml:5: device 1 (m), stale must be longer than each interval, 60 s, got 60 s"
    )


PLACES = {
    "plant": ("interval = 1e-7\n", "", ""),
    "device": ("", "interval = 1e-7\n", ""),
    "point": ("interval = 1\n", "", "interval = 1e-7\n"),
}


@pytest.mark.parametrize("place", PLACES)
def test_an_interval_may_not_be_too_short(place: str, tmp_path: Path) -> None:
    """It would take a whole core, and the device."""
    plant, device, point = PLACES[place]
    device = f'[[device]]\nname = "x"\nendpoint = "tcp://127.0.0.1"\n{device}'
    point = f'[[device.point]]\nname = "a"\nat = "hr:0"\n{point}'
    (said,) = mistakes(tmp_path, plant + device + point)
    assert "interval must be at least 1ms, got 1e-07" in said


def test_a_secret_is_never_shown(tmp_path: Path) -> None:
    text = '[[device]]\nname = "x"\nendpoint = "tcp://${PLACE}:x"\ninterval = 1\n'
    text += 'point = [{ name = "a", at = "hr:0" }]\n[[sink]]\njson = "${SECRET}\\u0000"\n'
    plant = mistakes(tmp_path, text, PLACE="a", SECRET="hush")
    assert len(plant) == 2
    assert "hush" not in "".join(plant)
