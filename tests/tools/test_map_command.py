"""`modwire map`: lists to files, files to classes, and what it says about the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from modwire_command import good, modwire
from modwire_tools.simulator.files import read_device
from reference_readers import LISTS


def test_one_device_goes_to_a_file_or_to_standard_output(tmp_path: Path) -> None:
    path = tmp_path / "meter.toml"
    result = modwire("map", "import", LISTS / "plain.csv", "-o", path)
    assert (result.out, result.code) == ("", 0)
    assert f"{path} has 7 points; try: modwire simulate {path}" in result.err
    assert good("map", "import", LISTS / "plain.csv") == path.read_text(encoding="utf-8")
    as_json = tmp_path / "meter.json"
    modwire("map", "import", LISTS / "plain.csv", "-o", as_json)
    assert [unit.points for unit in read_device(as_json).units][1][0].name == "power"


def test_names_from_a_file_do_no_harm(tmp_path: Path) -> None:
    """They may be of any length, leave the folder, or have characters that control a terminal."""
    device = "device,{},1\npoll,holding_register,0,9,BE_BE\nref,a,0,uint16,r\n"
    names = ("../up", "/tmp/there", "n" * 300, "a\x1b[31m\x07b", "..")
    path = tmp_path / "list.csv"
    path.write_text("".join(device.format(name) for name in names))
    folder = tmp_path / "folder"
    folder.mkdir()
    result = modwire("map", "import", path, "-o", folder)
    assert result.code == 0
    assert sorted(each.name for each in folder.iterdir()) == [
        "a_31m_b.toml",
        "device.toml",
        f"{'n' * 100}.toml",
        "tmp_there.toml",
        "up.toml",
    ]
    result = modwire("map", "import", path)
    assert result.code == 2
    assert "a?[31m?b" in result.err
    assert result.err.strip().isprintable()


def test_several_devices_need_a_folder_or_a_name(tmp_path: Path) -> None:
    result = modwire("map", "import", LISTS / "telegraf.conf")
    assert result.code == 2
    assert "has 3 devices, boiler, line, plc: choose one with --name, or name a fol" in result.err
    result = modwire("map", "import", LISTS / "telegraf.conf", "-o", tmp_path)
    assert result.code == 0
    assert "tags is not used" in result.err
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        "boiler.toml",
        "line.toml",
        "plc.toml",
    ]
    result = modwire("map", "import", LISTS / "telegraf.conf", "--name", "plc")
    assert result.out.startswith('name = "plc"\n')
    result = modwire("map", "import", LISTS / "telegraf.conf", "--name", "x")
    assert (result.code, "has the devices boiler, line, plc, got 'x'" in result.err) == (2, True)


def test_an_entry_that_is_left_out_is_exit_code_1(tmp_path: Path) -> None:
    path = tmp_path / "heat_pump.toml"
    words = ("map", "import", LISTS / "configuration.yaml", "--name", "heat_pump", "-o", path)
    result = modwire(*words)
    assert result.code == 1
    assert "sensors 14 (Pair): left out: the structure >2h is not one number" in result.err
    assert result.err.endswith("configuration.yaml: 1 entry was left out, see above\n")
    assert len(read_device(path).units[0].points) == 30
    result = modwire(*words)
    assert (result.code, "exists already" in result.err) == (2, True)
    assert modwire(*words, "--force").code == 1


def test_units_and_endpoints_that_a_list_lacks_are_given(tmp_path: Path) -> None:
    path = tmp_path / "inverter.toml"
    words = ("--name", "inverter", "--unit", "9", "--endpoint", "tcp://192.0.2.7?timeout=2")
    result = modwire("map", "import", LISTS / "modbus.yml", *words, "-o", path)
    assert (result.code, "never" in result.err) == (0, False)  # which is of the other device
    device = read_device(path)
    assert (device.endpoint, device.connection) == ("tcp://192.0.2.7", {"timeout": 2.0})
    assert [unit.id for unit in device.units] == [9]
    result = modwire("map", "import", LISTS / "modbus.yml", "--endpoint", "tcp://192.0.2.7")
    assert (result.code, "choose one with --name" in result.err) == (2, True)
    result = modwire(
        "map", "import", LISTS / "modbus.yml", "--name", "meter", "--endpoint", "x://y"
    )
    assert (result.code, result.err.splitlines()[-1].startswith("modwire: --endpoint: ")) == (
        2,
        True,
    )


def test_a_format_that_is_not_recognised_is_named(tmp_path: Path) -> None:
    path = tmp_path / "points.txt"
    path.write_text("name,at\na,hr:0\n")
    result = modwire("map", "import", path)
    assert (result.code, "name one of them with --from" in result.err) == (1, True)
    assert 'at = "hr:0"' in good("map", "import", path, "--from", "csv")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("import", "no.csv"), "cannot read no.csv: No such file"),
        (("class", "no.toml"), "cannot read no.toml: No such file"),
        (("export", "x"), "import|class: 'export' is not one of 'import', 'class'"),
        (("class", "FILE", "--from", "csv"), "--from is for modwire map import"),
        (("class", "FILE", "--unit", "9"), "has the units 1, 2, got 9"),
        (("class", "FILE", "-o", "x.txt"), "--output must end in .py, got 'x.txt'"),
        (("import", "FILE", "-o", "x.txt"), "cannot be recognised as a list"),
    ],
    ids=range(7),
)
def test_wrong_arguments_are_one_sentence(
    words: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    path = tmp_path / "plain.toml"
    modwire("map", "import", LISTS / "plain.csv", "-o", path)
    result = modwire("map", *(str(path) if word == "FILE" else word for word in words))
    assert said in result.err
    assert result.out == ""
    assert result.code in (1, 2)
    assert "Traceback" not in result.err


def test_a_class_is_written_for_a_unit(tmp_path: Path) -> None:
    path, module = tmp_path / "plain.toml", tmp_path / "plain.py"
    modwire("map", "import", LISTS / "plain.csv", "-o", path)
    result = modwire("map", "class", path, "--unit", "2", "-o", module)
    assert result.code == 0
    assert "unit 2, alarm: a class has no value of its own" in result.err
    text = module.read_text(encoding="utf-8")
    assert "class Plain(RegisterMap):" in text
    assert '    power = float32(holding=48, none=float("nan"), order="CDAB", unit="W")\n' in text
    assert "    alarm = bit(9, holding=50)\n" in text
    both = modwire("map", "class", path).out
    assert "class PlainUnit1(RegisterMap):" in both
    assert "class PlainUnit2(RegisterMap):" in both
    result = modwire("map", "class", path, "-o", module)
    assert (result.code, "exists already" in result.err) == (2, True)
