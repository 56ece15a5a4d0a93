"""An audit file that several processes write: no line is lost, torn or written twice."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from modwire import WriteSingleRegisterRequest
from modwire.server.audit import AuditEvent
from modwire.tls import AuditLog
from modwire_tools.server.shared_file import SharedFile

fcntl = pytest.importorskip("fcntl", reason="there are no locks of files")

EACH, WRITERS = 300, 3
# Waits for a line on standard input, so that all begin at the same time.
WRITER = """
import sys
from modwire import WriteSingleRegisterRequest
from modwire.server.audit import AuditEvent
from modwire.tls import AuditLog
from modwire_tools.server.shared_file import SharedFile

path, number, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
log = AuditLog(handler=SharedFile(path, 2000, 1000))
print("ready", flush=True)
sys.stdin.readline()
for value in range(count):
    log(AuditEvent("peer", "", None, number, WriteSingleRegisterRequest(0, value), "done"))
print("written", flush=True)
sys.stdin.readline()
"""


def event(unit: int, value: int) -> AuditEvent:
    return AuditEvent("peer", "", None, unit, WriteSingleRegisterRequest(0, value), "done")


def writer(path: Path, number: int, count: int = EACH) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    words = [sys.executable, "-c", WRITER, str(path), str(number), str(count)]
    return subprocess.Popen(words, stdin=pipe, stdout=pipe, text=True)


def say(child: subprocess.Popen[str]) -> None:
    assert child.stdin is not None
    child.stdin.write("\n")
    child.stdin.flush()


def expect(child: subprocess.Popen[str], word: str) -> None:
    assert child.stdout is not None
    assert child.stdout.readline() == f"{word}\n"


def lines(path: Path) -> list[tuple[int, int]]:
    """Return the unit and the value of each line, the oldest file first."""
    number = {each: int(each.suffix[1:]) for each in path.parent.glob(f"{path.name}.[0-9]*")}
    files = [*sorted(number, key=lambda each: -number[each]), path]
    assert all(each.stat().st_size <= 2000 for each in files)
    found = [json.loads(line) for each in files for line in each.read_text("ascii").splitlines()]
    return [(each["unit"], int(each["pdu"][6:], 16)) for each in found]


def test_no_line_is_lost_or_torn(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    children = [writer(path, number) for number in range(1, WRITERS + 1)]
    try:
        for step in ("ready", "written"):
            for child in children:
                expect(child, step)
            for child in children:
                say(child)
        assert [child.wait(60) for child in children] == [0] * WRITERS
    finally:
        for child in children:
            child.kill()
            child.communicate()
    found = lines(path)
    assert len(found) == EACH * WRITERS
    assert max(Counter(found).values()) == 1
    for unit in range(1, WRITERS + 1):
        assert [value for number, value in found if number == unit] == list(range(EACH))


def test_a_process_that_is_killed_holds_up_no_other(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    child = writer(path, 1, 10)
    try:
        expect(child, "ready")
        say(child)
        expect(child, "written")
    finally:
        child.kill()
        child.communicate()
    log = AuditLog(handler=SharedFile(path, 2000))
    log(event(2, 7))
    log.close()
    assert lines(path) == [*((1, value) for value in range(10)), (2, 7)]


def test_a_file_that_was_removed_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    log = AuditLog(handler=SharedFile(path))
    log(event(1, 1))
    path.unlink()
    log(event(1, 2))
    log.close()
    log.close()
    assert lines(path) == [(1, 2)]


def test_a_folder_that_is_missing_leaves_nothing_open(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="missing"):
        SharedFile(tmp_path / "missing" / "audit.jsonl")
    (tmp_path / "audit.jsonl").mkdir()
    with pytest.raises(OSError, match="audit.jsonl"):
        SharedFile(tmp_path / "audit.jsonl")


def test_a_system_without_locks_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows."""
    monkeypatch.setitem(sys.modules, "fcntl", None)
    with pytest.raises(OSError, match="several processes cannot share a file on this system"):
        SharedFile(tmp_path / "audit.jsonl")
