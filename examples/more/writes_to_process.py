"""A server that hands writes to another process: python examples/more/writes_to_process.py [FILE]

The file maps addresses of holding registers to names of devices; devices.json is the default. The
server stays quick, however slow a device is: the other process sets one after the other. Runs until
Ctrl+C.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing import get_context, parent_process
from multiprocessing.queues import Queue
from pathlib import Path
from queue import Empty, Full
from typing import TypeAlias

from modwire import ServerDeviceBusyError, SparseBlock, Unit, Units
from modwire_sync import TcpServer

Writes: TypeAlias = "Queue[list[tuple[str, int]] | None]"  # names and values; None ends the process

MOST_WAITING = 1000  # writes in the queue
PERIOD = 1.0  # seconds


def read_devices(path: Path) -> dict[int, str]:
    """Read a JSON object such as {"0": "pump", "0x10": "fan"}."""
    entries = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(entries, dict) or not entries:
        raise ValueError(f'{path} must have an object such as {{"0": "pump"}}')
    devices = {}
    for key, name in entries.items():
        try:
            address = int(key, 0)
        except ValueError:
            address = -1
        if not 0 <= address <= 0xFFFF:
            raise ValueError(f"{path}: an address must be 0..65535, got {key!r}")
        if not isinstance(name, str):
            raise ValueError(f"{path}: the name of device {key} must be a string, got {name!r}")
        devices[address] = name
    return devices


def device_table(devices: dict[int, str], queue: Writes) -> SparseBlock:
    """Return holding registers, one for each device, whose writes go to the queue."""

    def on_write(address: int, values: Sequence[int]) -> None:
        names = (devices[address + offset] for offset in range(len(values)))
        try:
            queue.put_nowait([*zip(names, values, strict=True)])
        except Full:  # the old values are restored, and the client gets exception 06
            raise ServerDeviceBusyError(detail="too many writes are waiting") from None

    return SparseBlock(dict.fromkeys(devices, 0), on_write=on_write)


def set_devices(queue: Writes) -> None:
    """Take writes from the queue until None comes or the server has ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C ends the server, which sends None
    server = parent_process()
    while True:
        try:
            writes = queue.get(timeout=PERIOD)
        except Empty:
            if server is None or not server.is_alive():
                return
            continue
        if writes is None:
            return
        for device, value in writes:
            print(f"{device} set to {value}", flush=True)  # replace it with your device


def main() -> None:
    path = Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).with_name("devices.json")
    devices = read_devices(path)
    context = get_context("spawn")
    queue: Writes = context.Queue(MOST_WAITING)
    process = context.Process(target=set_devices, args=(queue,))
    process.start()
    try:
        unit = Unit(holding_registers=device_table(devices, queue))
        with suppress(KeyboardInterrupt):
            TcpServer(Units({1: unit}), ("127.0.0.1", 5020)).serve_forever()
    finally:
        queue.put(None)
        process.join()


if __name__ == "__main__":
    main()
