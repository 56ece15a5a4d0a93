"""Mistakes in register lists: one sentence with the place, and what is allowed."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from modwire_tools.register_lists import read_list
from modwire_tools.simulator.files import DeviceFileError

TELEGRAF = '[[inputs.modbus]]\nname = "m"\n'
FIELD = TELEGRAF + "holding_registers = [ { name = 'a', address = [0], {} } ]\n"
METRIC = TELEGRAF + 'configuration_type = "metric"\n[[inputs.modbus.metric]]\nfields = [ { {} } ]\n'
MODULE = "modules:\n  - name: m\n    metrics:\n      - {name: a, {}}\n"
HUB = "modbus:\n  - name: h\n    type: tcp\n    host: h\n    sensors:\n      - {name: a, {}}\n"
DEVICE = "device,d,1\npoll,holding_register,0,10,BE_BE\n"
SETUP = {
    "co size": 10,
    "di size": 10,
    "hr size": 10,
    "ir size": 10,
    "shared blocks": True,
    "type exception": False,
    "defaults": {"value": {}, "action": {}},
}


def field(text: str) -> str:
    return FIELD.replace("{}", text)


def metric(text: str) -> str:
    return METRIC.replace("{}", text)


def module(text: str) -> str:
    return MODULE.replace("{}", text)


def sensor(text: str) -> str:
    return HUB.replace("{}", text)


def simulator(**sections: object) -> str:
    return json.dumps({"setup": SETUP, **sections})


MISTAKES = [
    ("a.conf", "x = [", "this is no TOML"),
    ("a.conf", "x = 1", "cannot be recognised as a list of telegraf, modpoll"),
    ("a.txt", "", "cannot be recognised as a list of .*: name one of them with --from"),
    (
        "a.conf",
        field("byte_order = 'XY', data_type = 'INT16', scale = 1.0"),
        r"inputs.modbus 1 \(m\), holding_registers 1 \(a\), byte_order must be one of AB, BA, ABCD",
    ),
    (
        "a.conf",
        field("byte_order = 'AB', data_type = 'INT17', scale = 1.0"),
        "data_type must be one of INT8L, UINT8L, .*, got 'INT17'",
    ),
    (
        "a.conf",
        field("byte_order = 'AB', data_type = 'INT16'"),
        "scale must be a number other than 0, telegraf demands it here",
    ),
    (
        "a.conf",
        field("byte_order = 'AB', data_type = 'INT32', scale = 1.0"),
        r"address must be 2 for INT32, got \[0\]",
    ),
    (
        "a.conf",
        field("byte_order = 'ABCD', data_type = 'INT16', scale = 1.0"),
        "byte_order must have 2 letters for 1 addresses, got 'ABCD'",
    ),
    ("a.conf", field("byte_oder = 'AB'"), "got 'byte_oder'; did you mean byte_order?"),
    (
        "a.conf",
        TELEGRAF + "coils = [ { name = 'a', address = [3, 5] } ]",
        r"coils 1 \(a\), address must be consecutive addresses, such as \[5, 6\], got \[3, 5\]",
    ),
    ("a.conf", TELEGRAF + 'controller = "http://x"', "controller must be tcp://HOST:PORT or file:"),
    ("a.conf", TELEGRAF + 'controller = "tcp://x:99999"', "controller: .*99999"),
    ("a.conf", TELEGRAF + 'timeout = "1 parsec"', "timeout must be a time"),
    ("a.conf", TELEGRAF + "interval = -1", "interval must be 0 or more seconds, got -1"),
    ("a.conf", TELEGRAF + "interval = '-1s'", "interval must be a time"),
    (
        "a.yml",
        "modules:\n  - name: m\n    protocol: serial\n    baudrate: fast\n    metrics: []\n",
        "a.yml, m: connection, baudrate must be",
    ),
    (
        "a.conf",
        metric("address = 70000, name = 'a', type = 'INT16'"),
        r"address must be 0\.\.65535",
    ),
    ("a.conf", metric("address = 0, name = 'a', type = 'STRING'"), "length is missing"),
    (
        "a.conf",
        metric("address = 0, name = 'a', type = 'INT16', length = 2"),
        "length is for the type STRING, not for INT16",
    ),
    (
        "a.conf",
        metric("address = 65535, name = 'a', type = 'INT32'"),
        "has 2 registers from hr:65535 on, which leads out of 0..65535",
    ),
    ("a.conf", metric("address = 0, type = 'INT16'"), "metric 1, fields 1, name is missing"),
    ("a.csv", "device,d\n", "line 1: must have at least 3 columns, device,NAME,ID"),
    ("a.csv", "device,d,256\n", r"line 1, the unit id must be a whole number, 0\.\.255, got '256'"),
    ("a.csv", "device,d,1\npoll,coils,0,1,BE_BE\n", "line 2: the table must be one of coil, discr"),
    ("a.csv", "device,d,1\npoll,coil,0,1,XX\n", "line 2: the order must be one of BE_BE, LE_BE, B"),
    ("a.csv", "device,d,1\npoll,coil,0,2001,BE_BE\n", r"the count must be .*1\.\.2000, got '2001'"),
    ("a.csv", "device,d,1\nref,a,0,int16,r\n", "line 2: a reference must be behind a poll"),
    ("a.csv", DEVICE + "ref,a,0,int24,r\n", r"line 3 \(a\): the type must be int16, .*got 'int24'"),
    ("a.csv", DEVICE + "ref,a,x,int16,r\n", r"line 3 \(a\), the address must be a whole number"),
    ("a.csv", DEVICE + "ref,a,0:16,bool,r\n", r"the bit must be a whole number, 0\.\.15, got '16'"),
    ("a.csv", DEVICE + "ref,a,0:1,int16,r\n", "a bit, as in 0:1, must have the type bool"),
    ("a.csv", DEVICE + "ref,a,0,int16,r,V,ten\n", "the scale must be a number, such as 22.5, got"),
    ("a.csv", "name,at\na,hr:x\n", r"line 2: point \(a\), at: an address is co:, di:, hr: or ir:"),
    ("a.csv", "name,at,typ\n", "line 1: a column may be id, name, at, .*, got 'typ'"),
    ("a.csv", "name,at,scale\na,hr:0,x\n", "line 2: scale must be a number"),
    ("a.csv", "name,at,type\na,hr:0,int\n", "type must be one of int8, uint8"),
    ("a.csv", "name,at\na,hr:0,3\n", "line 2: must have at most 2 columns, got 3"),
    ("a.csv", "name,at,id\na,hr:0,300\n", r"line 2: id must be 0\.\.255, got 300"),
    ("a.yml", "a: [", r"line \d: this is no YAML"),
    ("a.yml", "a: &x [*x]", "line 1: an alias must not be inside its own anchor"),
    ("a.yml", "modules: 1\nmodules: 2", "line 2: the key 'modules' is there twice in one table"),
    ("a.yml", "modules: 3", "modules must be a list, got 3"),
    (
        "a.yml",
        module("address: 40001x, dataType: int16"),
        r"line 4: modules 1 \(m\), metrics 1 \(a\), address must be a whole number, .*40001x",
    ),
    (
        "a.yml",
        module("address: 522, dataType: int16"),
        "must have the function code that reads it as first digit, 1 to 4",
    ),
    (
        "a.yml",
        module("address: 31, dataType: int15"),
        "dataType must be one of bool, int16, uint16",
    ),
    (
        "a.yml",
        module("address: 31, dataType: bool"),
        "bitOffset is missing, the type bool needs it",
    ),
    ("a.yml", module("address: 31, dataType: int16, factor: 0"), "factor must not be 0"),
    ("a.yml", module("address: 31, datatype: int16"), "got 'datatype'; did you mean dataType?"),
    ("a.yml", "modbus: !include modbus.yaml", "modbus is !include modbus.yaml, which another file"),
    ("a.yml", "modbus:\n  - type: tcp\n    sensors: []", "line 2: modbus 1, host is missing"),
    ("a.yml", "modbus:\n  - type: usb", "type must be one of tcp, udp, rtuovertcp, serial, got"),
    ("a.yml", sensor("address: -1"), r"line 6: modbus 1 \(h\), sensors 1 \(a\), address must be 0"),
    ("a.yml", sensor("address: 1, data_type: string"), "count is missing, a string needs its"),
    ("a.yml", sensor("address: 1, data_type: int32, count: 1"), "count must be left out for int32"),
    ("a.yml", sensor("address: 1, swap: words"), "swap must be one of none, byte, word, word_byte"),
    (
        "a.yml",
        sensor("address: 1, data_type: custom, structure: '>q', count: 2"),
        "count must be 4, the registers of >q",
    ),
    (
        "a.yml",
        sensor("address: 1, data_type: custom, structure: '>y', count: 2"),
        'structure must be a format of struct, such as ">f"',
    ),
    ("a.yml", sensor("address: 1, slave: 256"), r"slave must be 0\.\.255, got 256"),
    ("a.yml", sensor("address: 1, scale: x"), "scale must be a number, such as 22.5, got 'x'"),
    ("a.json", "{", "this is no JSON"),
    ("a.json", '{"setup": 1, "setup": 2}', "the key 'setup' is there twice in one object"),
    ("a.json", simulator(uint17=[]), "got 'uint17'; did you mean uint16?"),
    ("a.json", simulator(uint16=[10]), r"uint16 must be a register or \[first, last\] of 0\.\.9"),
    ("a.json", simulator(uint16=[1]), "uint16 1, value must be a number for uint16, got None"),
    (
        "a.json",
        simulator(uint16=[{"addr": 1, "value": 70000}]),
        "uint16 1, value does not fit uint16, got 70000",
    ),
    (
        "a.json",
        simulator(uint16=[{"addr": 1, "value": 1}], bits=[{"addr": 1, "value": 1}]),
        "uint16 1, addr has register 1, which another entry has",
    ),
    ("a.json", simulator(write=[3]), "write has register 3, which is not defined"),
    (
        "a.json",
        simulator(string=[{"addr": [1, 2], "value": "hello"}]),
        "string 1, value must have at most 4 bytes, got 'hello'",
    ),
    ("a.py", "x = (", "line 1: this is no Python"),
    ("a.py", "x = 1", "must have a class whose base is RegisterMap"),
    (
        "a.py",
        "class A(RegisterMap):\n    x = uint16(scale=3)",
        "line 2: a point in registers must have holding= or input=",
    ),
    (
        "a.py",
        "class A(RegisterMap):\n    x = uint16(holding=70000)",
        r"line 2: address must be 0\.\.65535, got 70000",
    ),
    (
        "a.py",
        "class A(RegisterMap):\n    x = uint16(holding=0, order='XYZ')",
        "line 2: order must be one of ABCD, BADC, CDAB, DCBA, got 'XYZ'",
    ),
    ("a.py", "class A(RegisterMap):\n    UNIT = 300", r"line 2: UNIT must be 0\.\.255, got 300"),
]


@pytest.mark.parametrize(("name", "text", "wanted"), MISTAKES, ids=range(len(MISTAKES)))
def test_a_mistake_is_named_with_its_place(
    name: str, text: str, wanted: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(DeviceFileError) as caught:
        read_list(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert re.search(wanted, message), message
    assert "\n" not in message or "YAML" in message


LEFT_OUT = [
    ("a.py", "class A(RegisterMap):\n    x = enum(Color, holding=0)", "the function enum makes no"),
    ("a.py", "class A(RegisterMap):\n    x = y", "an expression that is no call makes no point"),
    (
        "a.py",
        "class A(RegisterMap):\n    x = int16(holding=0, scale='f')",
        "a device file has no scale in another register",
    ),
    (
        "a.py",
        "class A(RegisterMap):\n    x = string(4, holding=0, padding=' ')",
        "a device file has no padding",
    ),
    (
        "a.conf",
        TELEGRAF + "[inputs.modbus.request]\nslave_id = 1",
        "telegraf does not read it: configuration_type is register",
    ),
    (
        "a.conf",
        metric("address = 0, name = 'a', type = 'STRING', length = 2")
        + "[inputs.modbus.workarounds]\nstring_register_location = 'lower'",
        "no text with one character in each register",
    ),
    ("a.yml", module("address: 122, dataType: int16"), "the coils hold no int16, only bool"),
    (
        "a.yml",
        sensor("address: 1, data_type: string, count: 2, swap: word"),
        "a text with its registers in reverse order",
    ),
    (
        "a.json",
        simulator(int16=[{"addr": 1, "value": 3}]),
        "pymodbus gives them other values than the file says",
    ),
    ("a.csv", DEVICE + "hello,1\n", "line 3: left out: modpoll ignores it: a line begins with"),
]


@pytest.mark.parametrize(("name", "text", "wanted"), LEFT_OUT, ids=range(len(LEFT_OUT)))
def test_an_entry_without_a_place_is_named(
    name: str, text: str, wanted: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_text(text)
    lost = [str(each) for each in read_list(path).notes if each.is_lost]
    assert len(lost) == 1
    assert wanted in lost[0]
    assert lost[0].startswith(str(path))


def test_yaml_without_its_package_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    path = tmp_path / "a.yml"
    path.write_text("modules: []")
    with pytest.raises(ImportError, match=r'pip install "modwire-tools\[import\]"'):
        read_list(path)


def test_a_secret_of_home_assistant_is_no_endpoint(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(
        "- name: h\n  type: tcp\n  host: !secret meter\n  sensors:\n    - {name: a, address: 1}\n"
    )
    found = read_list(path)
    assert (found.devices[0].endpoint, len(found.devices[0].units[0].points)) == ("", 1)
    assert "host is !secret meter, which the file does not have: --endpoint" in str(found.notes[0])


def test_the_same_name_twice_gets_a_number(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    text = sensor("address: 1").rstrip()
    path.write_text(f"{text}\n      - {{name: a, address: 2}}\n      - {{name: a, address: 1}}\n")
    found = read_list(path)
    assert [each.name for each in found.devices[0].units[0].points] == ["a", "a 2"]
    assert [str(each).partition(": ")[2] for each in found.notes] == [
        "is called 'a 2' here: a unit has each name once",
        "a is there already, with the same settings",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: &d [*c, *c]\nmodules: [*d, *d]",
        # Each level has nine times as many values: the last one has 10**12 of them.
        "x0: &x0 [x]\n"
        + "".join(f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 9)}]\n" for n in range(1, 13))
        + "modules: *x12",
        "x0: &x0 {a: b}\n"
        + "".join(f"x{n}: &x{n} {{c: [{', '.join([f'*x{n - 1}'] * 9)}]}}\n" for n in range(1, 13))
        + "modules: [{name: *x12}]",
        "modules: " + "[" * 2000,
        "modules: [{name: m, metrics: [{name: a, address: " + "9" * 5000 + "}]}]",
    ],
)
def test_a_file_made_to_harm_is_refused_at_once(text: str, tmp_path: Path) -> None:
    path = tmp_path / "a.yml"
    path.write_text(text)
    with pytest.raises(DeviceFileError):
        read_list(path)
