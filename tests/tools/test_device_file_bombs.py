"""Small device files that would take the memory, minutes, or other files' contents."""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from time import process_time

import pytest

from modwire_tools.simulator.files import DeviceFileError, read_device
from modwire_tools.simulator.units import SimulatedUnit, UnitPlan

UNIT = "[[unit]]\nid = 1\n"
KEY = ".".join(["a"] * 20_000)
MOST_SECONDS = 20.0  # of the processor; the attacks took as long on a fast one, or never ended


def read(tmp_path: Path, text: str, name: str = "d.toml") -> object:
    path = tmp_path / name
    path.write_text(text, "utf-8")
    return read_device(path)


def points(values: list[str], *, kind: str = "", table: str = "hr") -> str:
    """A unit with the points a0, a1 and so on."""
    return UNIT + "".join(
        f'[[unit.point]]\nname = "a{number}"\nat = "{table}:{number}"\n{kind}value = {value}\n'
        for number, value in enumerate(values)
    )


BOMBS = {
    "blocks": (UNIT + '[[unit.block]]\nat = "hr:0"\ncount = 65536\n' * 6_000, "is one too many"),
    "all blocks": (
        "".join(
            f"[[unit]]\nid = {number}\n"
            + "".join(
                f'[[unit.block]]\nat = "{table}:0"\ncount = 65536\n'
                for table in ("co", "di", "hr", "ir")
            )
            for number in range(256)
        ),
        "values in all blocks",
    ),
    "units": ("[[unit]]\nid = 1\n" * 20_000, "at most 256 times"),
    "a key": (UNIT + f"{KEY} = 1\n", "a key must have at most 64 parts .at line 3"),
    "a header": (f"[{KEY}]\n", "a key must have at most 64 parts"),
    "a list of tables": (f"[[ {KEY.replace('.', ' . ')} ]]\n", "at most 64 parts"),
    "an inline key": (f"x = {{{KEY} = 1}}\n", "a key must have at most 64 parts"),
    "a key in quotes": (f"{KEY.replace('a', chr(34) + 'b c' + chr(34))} = 1\n", "at most 64 parts"),
    "points": (
        UNIT + '[[unit.point]]\nname = "x"\nat = "hr:0"\ntype = "string"\nlength = 99999\n' * 3000,
        "is one too many",
    ),
    "nesting": ("x = " + "[" * 300_000, "this is no TOML"),
    "a function": (UNIT + f"[unit.refuses]\n{'1' * 300_000} = 1\n", "function codes 1..127"),
    "an address": (UNIT + f"[[unit.block]]\nat = 0x{'f' * 300_000}\n", "must be a place such as"),
    "a value": (points(["[{a=" + "[" * 300 + "]" * 300 + "}]"]), "must have plain values"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_one_sentence_soon(tmp_path: Path, name: str) -> None:
    text, wanted = BOMBS[name]
    started = process_time()
    tracemalloc.start()
    try:
        with pytest.raises(DeviceFileError, match=wanted) as caught:
            read(tmp_path, text)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert process_time() - started < MOST_SECONDS
    assert most < 400_000_000
    assert len(str(caught.value)) < 600


def test_a_file_for_which_there_is_no_memory_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> object:
        raise MemoryError

    monkeypatch.setattr("modwire_tools.simulator.files.reading.parse_device", fail)
    with pytest.raises(DeviceFileError, match="needs more memory than there is"):
        read(tmp_path, UNIT)


@pytest.mark.parametrize("name", ["d.toml", "d.json"])
def test_a_bom_is_no_part_of_a_file(tmp_path: Path, name: str) -> None:
    text = UNIT if name == "d.toml" else '{"unit": [{"id": 1}]}'
    assert read(tmp_path, "\ufeff" + text, name) == read(tmp_path, text, name)


# Expressions.

CHAINS = {
    "bits": ("co", "", "a{0} * a{0}", 1),
    "numbers": ("hr", "", "a{0} * a{0} * a{0}", 0xFFFF),
    "signed": ("hr", 'type = "int16"\n', "a{0} * -a{0}", -0x8000),
    "shifts": ("hr", "", "a{0} << 900", 0xFFFF),
    "sums": ("ir", 'type = "uint16"\n', "(a{0} + a{0}) ** 3", 0xFFFF),
}


@pytest.mark.parametrize("name", CHAINS)
def test_a_point_has_the_range_of_its_type_for_the_points_that_use_it(
    tmp_path: Path, name: str
) -> None:
    table, kind, text, last = CHAINS[name]
    chain = ["{expression = '3'}"]
    chain += [f"{{expression = '{text.format(number)}'}}" for number in range(30)]
    started = process_time()
    device = read(tmp_path, points(chain, kind=kind, table=table))
    unit = SimulatedUnit(UnitPlan(device.units[0]), lambda: 1.0)  # type: ignore[attr-defined]
    assert unit.points["a30"].value(1.0) == last
    # A point that uses it sees the limits too, and still what is between two registers.
    assert unit.lookup("a30", 1.0) == last
    assert process_time() - started < MOST_SECONDS


@pytest.mark.parametrize(
    "text",
    [
        " * ".join(["9**999"] * 3000),
        " * ".join(["(1 << 4000)"] * 3000),
        "(1 << 9999) << 9999",
        "'x' * 99999",
        "len('x' * 99999)",
        "int('9' * 4000) ** 2",
        f"0x{'f' * 2_000_000} % 0x{'e' * 1_000_000}",
        f"int('{'f' * 90_000}', 16) % int('{'e' * 45_000}', 16)",
    ],
)
def test_a_number_in_an_expression_has_an_end(tmp_path: Path, text: str) -> None:
    started = process_time()
    try:
        device = read(tmp_path, points([f'{{expression = "{text}"}}']))
    except DeviceFileError as error:
        assert len(str(error)) < 700
    else:
        unit = SimulatedUnit(UnitPlan(device.units[0]), lambda: 1.0)  # type: ignore[attr-defined]
        assert unit.points["a0"].value(1.0) == 0
    assert process_time() - started < MOST_SECONDS


@pytest.mark.parametrize(
    "text",
    ["'a'.zfill(10**8)", "(1).to_bytes(10**8, 'big')", "'\\t'.expandtabs(10**8)", "t.real"],
)
def test_an_expression_has_no_methods(tmp_path: Path, text: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(DeviceFileError, match="Attribute is not available"):
            read(tmp_path, points([f'{{expression = "{text}"}}']))
        assert tracemalloc.get_traced_memory()[1] < 1 << 26
    finally:
        tracemalloc.stop()


def test_an_error_does_not_quote_megabytes(tmp_path: Path) -> None:
    with pytest.raises(DeviceFileError, match="must be an integer") as caught:
        read(tmp_path, points([f'"{"x" * 3_000_000}"'], kind='type = "uint16"\n'))
    assert len(str(caught.value)) < 1100


def test_a_scaled_point_is_not_rounded_for_others(tmp_path: Path) -> None:
    device = read(
        tmp_path,
        points(["{expression = '12.34'}", "{expression = 'a0 * 100'}"], kind=""),
    )
    unit = SimulatedUnit(UnitPlan(device.units[0]), lambda: 1.0)  # type: ignore[attr-defined]
    assert [unit.points[name].value(1.0) for name in ("a0", "a1")] == [12, 1234]


# Recordings.

SECRET = "hidden:x:0:0:secret\n1,2\n"


def replay(file: object, column: str = "c") -> str:
    return points([f"{{replay = {{file = '{file}', column = '{column}'}}}}"])


def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "secret.csv").write_text(SECRET)
    (folder / "good.csv").write_text("time,c\n0,1\n1,2\n")
    return folder


def device_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "devices"
    (folder / "inside").mkdir(parents=True)
    return folder


def by_path(folder: Path, other: Path) -> object:
    return other / "secret.csv"


def by_dots(folder: Path, other: Path) -> object:
    return "../elsewhere/secret.csv"


def by_link(folder: Path, other: Path) -> object:
    (folder / "it.csv").symlink_to(other / "secret.csv")
    return "it.csv"


def by_linked_folder(folder: Path, other: Path) -> object:
    (folder / "it").symlink_to(other)
    return "it/secret.csv"


@pytest.mark.parametrize("way", [by_path, by_dots, by_link, by_linked_folder])
def test_a_device_file_reads_no_recording_elsewhere(
    tmp_path: Path, way: Callable[[Path, Path], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MODWIRE_RECORDINGS", raising=False)
    folder, other = device_folder(tmp_path), outside(tmp_path)
    with pytest.raises(DeviceFileError, match="is not in the folder of the device file") as caught:
        read(folder, replay(way(folder, other)))
    assert "hidden" not in str(caught.value)


def test_recordings_may_be_inside_and_where_the_owner_allows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, other = device_folder(tmp_path), outside(tmp_path)
    (folder / "inside" / "it.csv").write_text("time,c\n0,1\n")
    read(folder, replay("inside/it.csv"))
    read(folder, replay("inside/../inside/it.csv"))
    monkeypatch.setenv("MODWIRE_RECORDINGS", os.pathsep.join(["/nowhere", str(other)]))
    read(folder, replay(other / "good.csv"))
    monkeypatch.setenv("MODWIRE_RECORDINGS", "")
    with pytest.raises(DeviceFileError, match="is not in the folder"):
        read(folder, replay(other / "good.csv"))


@pytest.mark.parametrize(
    "content",
    [
        SECRET.encode(),
        b"time,c\nsecret,1\n",
        b"time,c\n1,secret\n",
        b"\x89secret\xff",
        b"time,c\n0001-01-01T00:00:00,secret\n",
        b'time,c\n0,"' + b"secret" * 40_000 + b'"\n',
    ],
)
def test_no_error_shows_what_is_in_a_recording(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "it.csv").write_bytes(content)
    with pytest.raises(DeviceFileError, match=r"it\.csv|field larger") as caught:
        read(tmp_path, replay("it.csv"))
    for word in ("secret'", "secretsecret", "hidden", "x89"):
        assert word not in str(caught.value)


@pytest.mark.skipif(os.name == "nt", reason="a pipe in a folder")
def test_a_pipe_or_a_giant_is_no_recording(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(DeviceFileError, match="is no file"):
        read(tmp_path, replay("pipe.csv"))
    with open(tmp_path / "giant.csv", "wb") as giant:
        giant.truncate(1 << 40)
    with pytest.raises(DeviceFileError, match="must have at most"):
        read(tmp_path, replay("giant.csv"))
    (tmp_path / "circle.csv").symlink_to("circle.csv")
    with pytest.raises(DeviceFileError):
        read(tmp_path, replay("circle.csv"))
