"""Each reader takes hostile bytes, those of old findings too; and the check can fail."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

pytest.importorskip("modwire_tools")  # the readers of all packages are targets

from fuzz.__main__ import main
from fuzz.driving import FINDINGS, Finding, by_hypothesis, failure, load, on_seeds, save, shortened
from fuzz.target import Target
from fuzz.targets import TARGETS
from modwire.framing import rtu
from modwire.server.execution import Executor
from modwire.tls.filter import Filter
from modwire_tools.explain.capture import packets
from modwire_tools.web import queries

INPUTS = 60  # of each target, besides its seeds
LATEST = 40.0  # seconds; a busy machine tries fewer inputs


@pytest.mark.parametrize("name", TARGETS)
def test_no_input_does_harm(name: str) -> None:
    until = time.monotonic() + LATEST
    assert on_seeds(TARGETS[name]) is None
    assert by_hypothesis(TARGETS[name], examples=INPUTS, number=1, until=until) is None


@pytest.mark.parametrize(
    "path", sorted(FINDINGS.glob("*/*.hex")), ids=lambda path: f"{path.parent.name}-{path.stem}"
)
def test_old_findings_are_mended(path: Path) -> None:
    assert failure(TARGETS[path.parent.name], load(path)) == ""


# Planted faults.


def found_in(name: str) -> str:
    """Return the error that fuzzing of a target finds within a few hundred inputs."""
    target = TARGETS[name]
    until = time.monotonic() + LATEST
    found = on_seeds(target) or by_hypothesis(target, examples=400, number=1, until=until)
    return "" if found is None else shortened(found, target).error


@pytest.mark.parametrize("name", ["rtu-server", "rtu-client", "sniffer-rtu"])
def test_a_wrong_crc_that_is_taken_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    file = "modwire.sniffing.rtu_bus" if name == "sniffer-rtu" else "modwire.framing.rtu"
    right = rtu.crc16

    def lenient(data: bytes) -> int:
        crc = right(data)
        return 0 if crc < 0x2000 else crc

    monkeypatch.setattr(f"{file}.crc16", lenient)
    assert "a frame that was not sent" in found_in(name)


def test_an_answer_for_another_unit_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Executor, "find", lambda self, unit, units: units[1])
    assert "it answered for unit" in found_in("server-protocol-tcp")


def test_a_late_byte_that_changes_a_frame_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modwire.framing.ascii.MAX_CHARACTERS", 100)
    assert found_in("ascii-client")


def test_an_undocumented_error_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packets, "_LARGEST", 40)
    monkeypatch.setattr(packets, "CaptureError", ArithmeticError)
    assert "ArithmeticError" in found_in("parse-capture")


def test_a_page_that_fails_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> object:
        raise ZeroDivisionError

    monkeypatch.setattr(queries, "values", fail)
    assert "ZeroDivisionError" in found_in("web-request")


def test_a_role_out_of_nothing_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fuzz.targets.tls.role_of", lambda data: "engineer" if data else None)
    assert "a role that is not in the certificate" in found_in("certificates")


def test_bytes_that_pass_without_their_check_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def unchecked(self: Filter, most: int) -> bytes:
        self.has_more = False
        return self._incoming.read() or b"?"

    monkeypatch.setattr(Filter, "read", unchecked)
    assert "plaintext" in found_in("tls-damage")


def test_work_without_bound_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(self: rtu.RtuFraming, data: bytes, at: int) -> int:
        for each in range(at, len(data)):
            len(data[each:])
        return 0

    monkeypatch.setattr(rtu.RtuFraming, "_wait", slow)
    assert "calls for" in found_in("rtu-server")


def endless(data: bytes) -> None:
    while data:
        pass


def test_an_input_without_end_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fuzz.budget.MOST_SECONDS", 0.2)
    target = Target("endless", endless, lambda: [b"", b"x"])
    found = on_seeds(target)
    assert found is not None
    assert found.data == b"x"
    assert "BudgetError" in found.error


def test_the_command_saves_a_finding_and_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def check(data: bytes) -> None:
        assert b"bad" not in data, "a planted fault"

    monkeypatch.setitem(
        TARGETS, "planted", Target("planted", check, lambda: [b"so " * 9], [b"bad"])
    )
    monkeypatch.setattr("fuzz.__main__.lower_priority", lambda: None)
    monkeypatch.setattr("fuzz.driving.find_spec", lambda name: None)  # no atheris
    arguments = ["--target", "planted", "--seconds", "30", "--seed", "1", "--save", str(tmp_path)]
    assert main(arguments) == 1
    shown = capsys.readouterr().out
    assert "a planted fault" in shown
    assert b"bad".hex() in shown
    (saved,) = tmp_path.glob("planted/*.hex")
    assert load(saved) == b"bad"
    assert str(saved) in shown


def test_the_command_refuses_an_unknown_target(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--target", "nothing"])
    assert caught.value.code == 2
    assert "no target is called 'nothing'" in capsys.readouterr().err


def test_a_saved_finding_is_read_back(tmp_path: Path) -> None:
    found = Finding("any", bytes(range(256)) * 3, "it fails\nin two lines")
    path = save(found, tmp_path)
    assert load(path) == found.data
    assert path.read_text().startswith("# it fails in two lines\n")
