"""The programs of examples/more: writes to a process, several processes, a framing, all loggers."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import signal
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modwire import Decoder, Frame, FrameError, IllegalDataAddressError, ServerDeviceBusyError
from modwire_sync import TcpClient
from programs import PATIENCE, changed, free_port, run, serving

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples" / "more"


def example(name: str, tmp_path: Path, changes: dict[str, str]) -> Path:
    """A copy of an example with other numbers in it."""
    source = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8")
    return changed(source, changes, tmp_path / f"{name}.py")


def load(name: str) -> ModuleType:
    """An example as a module."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_program_is_run_by_a_test() -> None:
    programs = {path.stem for path in EXAMPLES.glob("*.py")}
    assert programs == {
        "logging_everything",
        "own_framing",
        "performance_processes",
        "writes_to_process",
    }


# Writes to another process.


def test_another_process_sets_the_devices_of_the_file(tmp_path: Path) -> None:
    port = free_port()
    shutil.copy(EXAMPLES / "devices.json", tmp_path)
    script = example("writes_to_process", tmp_path, {"5020": str(port)})
    with serving(script, port) as process:
        with TcpClient("127.0.0.1", port, timeout=PATIENCE) as client:
            client.write_registers(0, [75, 1])
            client.write_register(16, 1200)
            with pytest.raises(IllegalDataAddressError):
                client.write_register(2, 1)
            assert client.read_holding_registers(0, 2) == [75, 1]
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=PATIENCE)
    assert output.splitlines() == ["pump set to 75", "valve set to 1", "fan set to 1200"]
    assert process.returncode == 0


def test_the_process_ends_when_the_server_is_killed(tmp_path: Path) -> None:
    port = free_port()
    shutil.copy(EXAMPLES / "devices.json", tmp_path)
    changes = {"5020": str(port), "PERIOD = 1.0": "PERIOD = 0.05"}
    with serving(example("writes_to_process", tmp_path, changes), port) as process:
        process.kill()
        # The end of the output comes when no process has it open.
        assert process.communicate(timeout=PATIENCE) == ("", None)


def test_a_full_queue_refuses_the_write() -> None:
    from queue import Queue

    waiting: Queue[object] = Queue(1)
    block = load("writes_to_process").device_table({0: "pump", 1: "valve"}, waiting)
    block.write(0, [75, 1])
    with pytest.raises(ServerDeviceBusyError, match="too many writes are waiting"):
        block.write(0, [80])
    assert list(block.read(0, 2)) == [75, 1]
    assert waiting.get_nowait() == [("pump", 75), ("valve", 1)]


@pytest.mark.parametrize(
    ("entries", "error"),
    [
        ({"65536": "pump"}, "an address must be 0..65535, got '65536'"),
        ({"first": "pump"}, "an address must be 0..65535, got 'first'"),
        ({"0": 7}, "the name of device 0 must be a string, got 7"),
        ({}, "must have an object such as"),
        (["pump"], "must have an object such as"),
    ],
)
def test_a_wrong_file_of_devices_says_what_is_wrong(
    entries: object, error: str, tmp_path: Path
) -> None:
    path = tmp_path / "devices.json"
    path.write_text(json.dumps(entries), encoding="utf-8")
    with pytest.raises(ValueError, match=re.escape(error)):
        load("writes_to_process").read_devices(path)


# Performance by processes.

LINE = re.compile(
    r"(\d process(?:es)?): ([\d,]+) requests per second, median [\d.]+ ms, 99 % within [\d.]+ ms"
)


def test_several_processes_count_requests(tmp_path: Path) -> None:
    changes = {"CALLS = 500": "CALLS = 50", "PROCESSES = (1, 4)": "PROCESSES = (1, 2)"}
    lines = run(example("performance_processes", tmp_path, changes))
    found = [LINE.fullmatch(line) for line in lines]
    assert [match and match[1] for match in found] == ["1 process", "2 processes"]
    assert all(match and int(match[2].replace(",", "")) > 0 for match in found)


def test_each_process_asks_the_server_it_is_given(tmp_path: Path) -> None:
    port = free_port()
    source = (ROOT / "examples" / "sync" / "server.py").read_text(encoding="utf-8")
    counting = {
        '("127.0.0.1", 5020)': f'("127.0.0.1", {port}), on_call=lambda *call: print(call[0])',
    }
    changes = {
        "CALLS = 500": "CALLS = 5",
        "PROCESSES = (1, 4)": "PROCESSES = (3,)",
        "registers(0, 10)": "registers(0, 2)",
    }
    with serving(changed(source, counting, tmp_path / "server.py"), port) as server:
        script = example("performance_processes", tmp_path, changes)
        assert len(run(script, "127.0.0.1", port)) == 1
        server.kill()
        output, _ = server.communicate(timeout=PATIENCE)
    peers = output.splitlines()
    assert [peers.count(peer) for peer in dict.fromkeys(peers)] == [5, 5, 5]


def test_a_server_that_is_not_there_ends_all_processes(tmp_path: Path) -> None:
    script = example("performance_processes", tmp_path, {"PROCESSES = (1, 4)": "PROCESSES = (2,)"})
    assert run(script, "127.0.0.1", free_port(), expected=1, warns=True) == []


# A framing of one's own.


def test_client_and_server_use_a_framing_of_ones_own() -> None:
    assert run(EXAMPLES / "own_framing.py") == [
        "['C0DB', 'DBDC', '0007']",
        "[8]",
        "c0 11 03 00 db dc 00 03 36 4e cd b7 c0",
        "a SLIP frame must have 6..258 bytes, got 5",
        r"Frame(unit=17, transaction=0, pdu=b'\x03\x00\xc0\x00\x03')",
    ]


SLIP = load("own_framing").SlipFraming
SPECIAL = st.lists(st.sampled_from([b"\xc0", b"\xdb", b"\xdc", b"\xdd", b"\x03"])).map(b"".join)


def received(*pieces: bytes) -> list[object]:
    """Return the frames in these pieces, and the texts of the errors."""
    framing = SLIP(Decoder(), is_server=True)
    for piece in pieces:
        framing.receive_data(piece, 0.0)
        assert framing.buffered <= 2 * framing.max_adu
    frames = [framing.next_frame() for _ in range(len(framing.frames))]
    return [str(each) if isinstance(each, FrameError) else each for each in frames]


@given(st.integers(0, 255), SPECIAL.filter(lambda pdu: 1 <= len(pdu) <= 253), SPECIAL)
def test_any_frame_comes_back_after_any_bytes(unit: int, pdu: bytes, before: bytes) -> None:
    frame = Frame(unit, 0, pdu)
    adu = SLIP(Decoder(), is_server=True).encode(frame)
    assert len(adu) <= SLIP.max_adu
    assert received(before, adu)[-1] == frame
    assert received(*(bytes((byte,)) for byte in before + adu)) == received(before + adu)


def test_a_frame_without_end_takes_no_memory_and_costs_no_other() -> None:
    framing = SLIP(Decoder(), is_server=True)
    adu, damaged = framing.wrap(1, 0, b"\x07"), framing.wrap_damaged(1, 0, b"\x07")
    good = Frame(1, 0, b"\x07")
    assert received(*[b"\x00" * 300] * 9, adu) == [
        "a SLIP frame must have 6..258 bytes, got 518",
        good,
    ]
    assert received(damaged + adu) == ["a SLIP frame has a wrong CRC", good]


# All loggers.


def loggers_in_the_sources() -> set[str]:
    pattern = re.compile(r'(?:[gG]et_?[lL]ogger\(|^NAME = )"(modwire\.\w+)"', re.MULTILINE)
    return {
        name
        for file in ROOT.glob("packages/*/src/**/*.py")
        for name in pattern.findall(file.read_text(encoding="utf-8"))
    }


def test_the_levels_are_those_of_all_loggers_that_there_are() -> None:
    assert set(load("logging_everything").LEVELS) == loggers_in_the_sources()


def test_the_page_on_logs_has_all_loggers() -> None:
    page = (ROOT / "docs" / "how-to" / "logging.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(modwire\.\w+)`", page, re.MULTILINE)) == loggers_in_the_sources()


def test_four_loggers_tell_of_a_read_a_write_and_a_failure() -> None:
    lines = run(EXAMPLES / "logging_everything.py")
    records = [line for line in lines if re.match(r"(DEBUG|INFO|WARNING|ERROR) +modwire\.", line)]
    assert {line.split()[1] for line in records} == {
        "modwire.client",
        "modwire.server",
        "modwire.wire",
        "modwire.audit",
    }
    shown = [re.sub(r"127.0.0.1:\d+", "PEER", line) for line in records]
    write = "WriteSingleRegisterRequest(address=0, value="
    for line in (
        "INFO    modwire.client tcp://PEER: opened",
        "DEBUG   modwire.wire   tcp://PEER: sent 00 01 00 00 00 06 01 03 00 00 00 01",
        f"ERROR   modwire.server unit 1: {write}101) from PEER failed",
        f"INFO    modwire.audit  PEER, subject '', role None, unit 1: {write}75): done",
    ):
        assert line in shown
    assert "RuntimeError: the valve is stuck" in lines
