"""Files of the user are not overwritten, and a damaged state file gets one sentence."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from modwire import SequentialBlock, Unit, Units
from modwire_command import good, modwire
from modwire_sync import TcpServer

DEEP = "[" * 100_000
TEXTS = ["", "{}", "[]", "null", "my own notes", DEEP, "\x00\xff"]
BAD = [-5, 1 << 40, None, [], "x", float("inf")]


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    unit = Unit(holding_registers=SequentialBlock(0, range(9)))
    with TcpServer(Units({1: unit}), ("127.0.0.1", 0)) as server:
        yield f"tcp://127.0.0.1:{server.address[1]}"


def check_refused(path: Path, text: str, *arguments: object) -> None:
    path.write_text(text, "latin-1")
    result = modwire(*arguments)
    assert result.code == 2
    assert str(path) in result.err
    assert result.err.startswith("modwire: ")
    assert result.err.count("\n") == 1
    assert len(result.err) < 400
    assert path.read_text("latin-1") == text


def test_a_file_of_another_kind_than_a_scan_is_left_as_it_is(endpoint: str, tmp_path: Path) -> None:
    path = tmp_path / "scan.json"
    tables = ("scan", endpoint, "--table", "hr", "--addresses", "0..20", "--resume", path)
    units = ("scan", endpoint, "--units", "1", "--resume", path)
    for text in TEXTS:
        check_refused(path, text, *tables)
    for arguments, key in ((tables, "values"), (tables, "most"), (tables, "position"), (units, "")):
        path.unlink()
        good(*arguments)
        state = json.loads(path.read_text())
        within = state["tables"][0] if key else state
        for value in BAD:
            within[key or "position"] = [[value, [1]]] if key == "values" else value
            check_refused(path, json.dumps(state), *arguments)
    assert [each.name for each in tmp_path.iterdir()] == ["scan.json"]


def test_a_file_of_another_kind_than_a_scrape_is_left_as_it_is(
    endpoint: str, tmp_path: Path
) -> None:
    path, part = tmp_path / "copy.toml", tmp_path / "copy.toml.part"
    scrape = ("scrape", endpoint, "-o", path, "--unit", "1", "--table", "hr")
    for text in TEXTS:
        check_refused(part, text, *scrape)
    settings = f"{endpoint} [1] ['holding_registers'] 0..65535 auto None None"
    for spec, tables in (({"id": 999}, {}), ([], {}), (None, {"holding_registers": {}}), (None, 3)):
        state = {"modwire scrape": settings, "units": {"1": {"spec": spec, "tables": tables}}}
        check_refused(part, json.dumps(state), *scrape)
    part.unlink()
    check_refused(path, "my own notes", *scrape)


@pytest.mark.parametrize("name", ["/dev/full", "/dev/zero", "/dev/null"])
def test_a_device_is_not_a_file_to_continue_from(endpoint: str, name: str) -> None:
    result = modwire("scan", endpoint, "--resume", name)
    assert result == ("", f"modwire: --resume: {name} is not a file, name another one\n", 2)


def test_a_folder_is_no_file_to_write(endpoint: str, tmp_path: Path) -> None:
    """Otherwise the error would come at the end of a scrape of hours."""
    folder = tmp_path / "copy.toml"
    folder.mkdir()
    result = modwire("scrape", endpoint, "-o", folder, "--unit", "1", "--force")
    assert result == ("", f"modwire: --output: {folder} is not a file, name another one\n", 2)
    result = modwire("scan", endpoint, "--resume", tmp_path)
    assert result.code == 2


def test_what_stands_beside_the_file_is_kept(endpoint: str, tmp_path: Path) -> None:
    other = tmp_path / "scan.json.new"
    other.write_text("my own notes")
    good("scan", endpoint, "--units", "1", "--resume", tmp_path / "scan.json")
    assert other.read_text() == "my own notes"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["scan.json", "scan.json.new"]


def test_a_copy_of_a_unit_that_says_nothing_is_no_success(endpoint: str, tmp_path: Path) -> None:
    path = tmp_path / "copy.toml"
    scrape = ("scrape", endpoint, "-o", path, "--unit", "77", "--timeout", "10ms")
    result = modwire(*scrape)
    assert result.code == 1
    assert "try: modwire simulate" not in result.err
    last = result.err.splitlines()[-1]
    assert last.startswith(f"modwire: {endpoint}: unit 77 has answered nothing, so {path} was")
    assert list(tmp_path.iterdir()) == []
