"""The sinks of `modwire poll` for files: rotation, crashes and full disks."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

import programs
from modwire_tools.poll.sample import BAD
from polled_plant import run, sample, sink_of


def test_a_file_rotates_and_keeps_the_last(tmp_path: Path) -> None:
    sink = sink_of("csv", tmp_path, csv="v.csv", size=1000, keep=2)

    async def test() -> None:
        for number in range(60):
            await sink.write([sample(number)])
        await sink.aclose()

    run(test)
    files = sorted(tmp_path.iterdir())
    assert [each.name for each in files] == ["v.csv", "v.csv.1", "v.csv.2"]
    assert all(each.stat().st_size <= 1000 for each in files)
    values = []
    for each in ("v.csv.2", "v.csv.1", "v.csv"):
        head, *rows = (tmp_path / each).read_text().splitlines()
        assert head == "time,device,point,value,unit,quality,reason"
        values += [int(row.split(",")[3]) for row in rows]
    assert values == list(range(values[0], 60))
    assert len(values) > 30


def test_no_cell_is_a_formula(tmp_path: Path) -> None:
    """A spreadsheet that opens the file would run it, and a device may send any text."""
    sink = sink_of("csv", tmp_path, csv="v.csv")

    async def test() -> None:
        await sink.write(
            [sample("=1+1", "@x", measure="+"), sample(-3), sample("\tx"), sample("a")]
        )
        await sink.aclose()

    run(test)
    _, *rows = (tmp_path / "v.csv").read_text().splitlines()
    assert [row.split(",")[2:5] for row in rows] == [
        ["'@x", "'=1+1", "'+"],
        ["p", "-3", "V"],
        ["p", "'\tx", "V"],
        ["p", "a", "V"],
    ]


def test_a_line_that_was_cut_by_a_crash_does_not_spoil_the_next(tmp_path: Path) -> None:
    (tmp_path / "v.jsonl").write_text('{"value":1}\n{"valu')
    sink = sink_of("json", tmp_path, json="v.jsonl")

    async def test() -> None:
        await sink.write([sample(2.5), sample(None, quality=BAD), sample((True, False))])
        await sink.aclose()

    run(test)
    lines = (tmp_path / "v.jsonl").read_text().splitlines()
    assert lines[:2] == ['{"value":1}', '{"valu']
    values = [json.loads(line) for line in lines[2:]]
    assert [each["value"] for each in values] == [2.5, None, [True, False]]
    assert values[0]["time"] == "2023-11-14T22:13:20.250Z"
    assert values[1]["reason"] == "no answer"


def test_a_full_disk_leaves_whole_lines_and_is_tried_again(tmp_path: Path) -> None:
    """/dev/full takes nothing; then it is a file like any other."""
    path = tmp_path / "v.jsonl"
    path.symlink_to("/dev/full")
    sink = sink_of("json", tmp_path, json="v.jsonl")

    async def test() -> None:
        with pytest.raises(OSError, match="No space left on device"):
            await sink.write([sample(1)])
        await sink.aclose()
        path.unlink()
        await sink.write([sample(1)])
        await sink.aclose()

    run(test)
    assert len(path.read_text().splitlines()) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_what_a_full_disk_took_of_the_values_is_not_there_twice(tmp_path: Path) -> None:
    """A disk takes the first bytes; a limit for the size of files does the same."""
    import resource

    path = tmp_path / "v.jsonl"
    sink = sink_of("json", tmp_path, json="v.jsonl")
    samples = [sample(number) for number in range(20)]

    async def test() -> None:
        await sink.write(samples[:5])
        whole = path.read_bytes()
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(whole) + 100, hard))
        try:
            with pytest.raises(OSError, match="File too large"):
                await sink.write(samples[5:])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert path.read_bytes() == whole
        await sink.write(samples[5:])
        await sink.aclose()

    run(test)
    values = [json.loads(line)["value"] for line in path.read_text().splitlines()]
    assert values == list(range(20))


def test_a_call_that_hangs_does_not_hold_up_the_end(tmp_path: Path) -> None:
    """A thread of asyncio's own would: the process would wait until the database answers."""
    program = tmp_path / "program.py"
    program.write_text(
        "import asyncio, threading\n"
        "from modwire_tools.poll.threads import in_thread\n"
        "async def main():\n"
        "    assert await in_thread(divmod, 7, 2) == (3, 1)\n"
        "    try:\n"
        "        await in_thread(divmod, 7, 0)\n"
        "    except ZeroDivisionError:\n"
        "        print('raised')\n"
        "    begun = threading.Event()\n"
        "    def hang():\n"
        "        begun.set()\n"
        "        threading.Event().wait()\n"
        "    task = asyncio.ensure_future(in_thread(hang))\n"
        "    await in_thread(begun.wait)\n"
        "    task.cancel()\n"
        "asyncio.run(main())\n"
        "print('ended')\n"
    )
    assert programs.run(program) == ["raised", "ended"]
