"""Every device of the zoo with every player, without options and with those of its declaration."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from . import command
from .__main__ import chosen
from .device import RIGHT, WRONG, Fails
from .devices import DEVICES, load
from .play import play_all, plays_of
from .table import FILE, GROUPS, heading_of, table

load()

FILES = sorted({each.file for each in DEVICES.values()})


@pytest.fixture(scope="module", autouse=True)
def _processes() -> Iterator[None]:
    yield
    command.end()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("file", FILES)
def test_devices(file: str) -> None:
    """The table says truly what a user sees, and its options do what it promises.

    `python -m tests.zoo NAME` plays a device, and shows what came.
    """
    faults = play_all(plays_of(each for each in DEVICES.values() if each.file == file))
    assert not faults, "\n" + "\n".join(faults)


def test_the_table_is_that_of_the_declarations() -> None:
    assert FILE.read_text(encoding="utf-8") == table(), "write it anew: python -m tests.zoo"


def test_the_zoo_is_large() -> None:
    assert len(DEVICES) >= 130
    assert all(each.seen_in and each.symptom and each.does for each in DEVICES.values())


def test_an_error_names_a_part_of_its_text() -> None:
    for each in DEVICES.values():
        for outcome in (each.without, each.then):
            assert not isinstance(outcome, Fails) or outcome.text, each.name


def test_a_device_that_cannot_be_helped_says_so() -> None:
    """A row with an error in the end has advice, and a wrong value never is the end."""
    for each in DEVICES.values():
        last = each.then if each.can_be_helped else each.without
        assert last != WRONG, each.name
        assert last == RIGHT or each.advice, each.name


def test_every_heading_has_devices_and_every_device_its_name() -> None:
    text = FILE.read_text(encoding="utf-8")
    assert {heading_of(each) for each in DEVICES.values()} == set(GROUPS)
    assert text.index("## Nothing: ") == text.rindex("\n## ") + 1, "they come last"
    for name, each in DEVICES.items():
        assert text.count(f"; `{name}` | ") == 1
        is_nothing = heading_of(each).startswith("Nothing")
        assert is_nothing or not each.symptom.startswith("Nothing"), name


def test_a_wrong_name_is_said_and_names_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert [each.name for each in chosen(["dead", "refuses"])] == ["dead", "refuses"]
    with pytest.raises(SystemExit) as ended:
        chosen(["refusez"])
    assert ended.value.code == 2
    assert "no device is called 'refusez': did you mean refuses?" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        chosen(["-h"])
    listed = capsys.readouterr().out.partition("names:\n")[2].replace("\n", " ").split(", ")
    assert [each.strip() for each in listed] == list(DEVICES)
