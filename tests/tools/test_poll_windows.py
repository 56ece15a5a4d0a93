"""`modwire poll` on Windows, which a test imitates: the lock of the spool, and signals."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from pathlib import Path
from time import monotonic, sleep
from types import SimpleNamespace

import pytest

from modwire import SequentialBlock, Unit, Units
from modwire_sync import TcpServer
from modwire_tools.cli import poll_running
from modwire_tools.poll.delivery import spool_lock
from polled_plant import PATIENCE, device, plant_of

fcntl = pytest.importorskip("fcntl", reason="this is Windows")


def test_a_spool_is_locked_at_a_byte_that_nobody_reads(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """There, a byte that is locked cannot be read, and the name of the holder must be."""

    def locking(number: int, mode: int, count: int) -> None:
        assert (mode, count, os.lseek(number, 0, os.SEEK_CUR)) == (2, 1, 1 << 30)
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PermissionError(13, "Permission denied") from None

    monkeypatch.setitem(sys.modules, "msvcrt", SimpleNamespace(locking=locking, LK_NBLCK=2))
    monkeypatch.setattr(spool_lock, "sys", SimpleNamespace(platform="win32"))
    first = spool_lock.SpoolLock(tmp_path / "s")
    for _ in range(2):
        with pytest.raises(OSError, match=f"in use by process {os.getpid()} on .*: each poller"):
            spool_lock.SpoolLock(tmp_path / "s")
    first.close()
    spool_lock.SpoolLock(tmp_path / "s").close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_it_in_a_loop_that_takes_none(
    number: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(*arguments: object) -> None:
        raise NotImplementedError

    monkeypatch.setattr(asyncio.SelectorEventLoop, "add_signal_handler", refuse)
    before = signal.getsignal(number)
    file = tmp_path / "v.jsonl"

    def interrupt() -> None:
        give_up = monotonic() + PATIENCE
        while monotonic() < give_up and not (file.exists() and file.stat().st_size):
            sleep(0.005)
        os.kill(os.getpid(), number)

    unit = Unit(holding_registers=SequentialBlock(0, [7]), coils=SequentialBlock(0, [True]))
    with TcpServer(Units.single(unit), ("127.0.0.1", 0)) as server:
        plant = plant_of(tmp_path, device("tank", server.address[1]) + f'[[sink]]\njson = "{file}"')
        thread = threading.Thread(target=interrupt)
        thread.start()
        if number == signal.SIGINT:
            with pytest.raises(KeyboardInterrupt):
                poll_running.run_plant(plant, once=False, watch=False, follow=False)
        else:
            poll_running.run_plant(plant, once=False, watch=False, follow=False)
        thread.join()
    assert signal.getsignal(number) == before
    assert file.read_text().endswith("\n")
