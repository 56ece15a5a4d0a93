"""Poll many meters into an MQTT broker: `modwire poll` beside a script with pymodbus.

    python benchmarks/polling.py                          200 meters of 40 points at 1 s, 5 minutes
    python benchmarks/polling.py --meters 2000 --points 10 --interval 10
    python benchmarks/polling.py --seconds 20 --only modwire

It needs mosquitto. The meters are one process, the broker another, and the poller a third, whose
processor time counts. Each meter is a connection to an address of its own, and answers with a
counter, so that a value that is missing at the subscriber is noticed. A reading is on time if its
first request comes within 50 ms of its time: the phase of the meter is the median of all readings.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import ClassVar

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

LATE = 0.05  # seconds
SETTLE = 3.0  # seconds until the meters are connected, and until the last values have come


# The meters.


class Meter(asyncio.Protocol):
    """A connection: each register pair has the number of the reading, as a uint32."""

    all: ClassVar[list[Meter]] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.times: list[float] = []
        self.data = b""
        Meter.all.append(self)

    def data_received(self, data: bytes) -> None:
        self.data += data
        while len(self.data) >= 12:
            head, self.data = self.data[:12], self.data[12:]
            transaction, _, _, unit, function, address, count = struct.unpack(">HHHBBHH", head)
            if address == 0:
                self.times.append(time.monotonic())
            number = struct.pack(">L", len(self.times)) * (count // 2)
            size = len(number)
            answer = struct.pack(">HHHBBB", transaction, 0, size + 3, unit, function, size)
            self.transport.write(answer + number)


async def serve_meters() -> None:
    """Serve until SIGTERM; print the port, and at the end the times of all readings."""
    loop = asyncio.get_running_loop()
    ended = loop.create_future()
    loop.add_signal_handler(signal.SIGTERM, ended.set_result, None)
    server = await loop.create_server(Meter, "0.0.0.0", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await ended
    print(json.dumps([each.times for each in Meter.all if each.times]))


# The pollers.


def host(meter: int) -> str:
    """Return the address of a meter."""
    return f"127.0.{1 + meter // 250}.{1 + meter % 250}"


def plant(folder: Path, options: argparse.Namespace, port: int, broker: int) -> Path:
    """Write the files for modwire poll."""
    points = "".join(
        f'[[unit.point]]\nname = "p{number}"\nat = "ir:{2 * number}"\ntype = "uint32"\n'
        for number in range(options.points)
    )
    (folder / "meter.toml").write_text(f"[[unit]]\nid = 1\n{points}")
    devices = "".join(
        f'[[device]]\nname = "m{meter}"\nendpoint = "tcp://{host(meter)}:{port}"\n'
        f'file = "meter.toml"\ninterval = {options.interval}\n'
        for meter in range(options.meters)
    )
    spool = '[spool]\nfile = "values.spool"\n' if options.spool else ""
    sink = f'[[sink]]\nmqtt = "mqtt://127.0.0.1:{broker}"\ntopic = "plant/{{device}}/{{point}}"\n'
    file = folder / "plant.toml"
    file.write_text(spool + devices + sink)
    return file


async def poll_with_pymodbus(options: argparse.Namespace, port: int, broker: int) -> None:
    """Do the same with pymodbus' client and paho, a task for each meter."""
    from pymodbus.client import AsyncModbusTcpClient

    publisher = paho.Client(CallbackAPIVersion.VERSION2)
    publisher.max_inflight_messages_set(1000)
    publisher.connect("127.0.0.1", broker)
    publisher.loop_start()

    async def poll(meter: int) -> None:
        client = AsyncModbusTcpClient(host(meter), port=port)
        await client.connect()
        await asyncio.sleep(options.interval * meter / options.meters)
        due = time.monotonic()
        while True:
            answer = await client.read_input_registers(0, count=2 * options.points, device_id=1)
            now = time.time()
            for number in range(options.points):
                registers = answer.registers[2 * number : 2 * number + 2]
                value = client.convert_from_registers(registers, client.DATATYPE.UINT32)
                payload = json.dumps({"value": value, "quality": "good", "time": now})
                publisher.publish(f"plant/m{meter}/p{number}", payload, 1)
            due += options.interval
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    await asyncio.gather(*(poll(meter) for meter in range(options.meters)))


# Measuring.


class Received:
    """Counts the messages to a topic; the last point of a reading is decoded."""

    def __init__(self, port: int) -> None:
        self.count = 0
        client = self.client = paho.Client(CallbackAPIVersion.VERSION2)
        subscribed = threading.Event()
        client.on_subscribe = lambda *_: subscribed.set()
        client.on_message = self._count
        client.connect("127.0.0.1", port)
        client.loop_start()
        client.subscribe("plant/+/+", 0)
        assert subscribed.wait(10)

    def _count(self, *message: object) -> None:
        self.count += 1


def processor_time(pid: int) -> float:
    """Return the seconds of a processor that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def on_time(readings: list[list[float]], interval: float) -> tuple[int, int]:
    """Return the number of readings within `LATE` of their times, and of all."""
    good = total = 0
    for times in readings:
        first = times[0]
        offsets = [(each - first + interval / 2) % interval - interval / 2 for each in times]
        phase = statistics.median(offsets)
        good += sum(abs(each - phase) <= LATE for each in offsets)
        total += len(times)
    return good, total


def measure(name: str, options: argparse.Namespace, folder: Path) -> str:
    """Return a row of the table for one poller."""
    me = [sys.executable, __file__, "--meters", str(options.meters), "--points"]
    me += [str(options.points), "--interval", str(options.interval)]
    meters = subprocess.Popen([*me, "--serve"], stdout=subprocess.PIPE, text=True)
    assert meters.stdout is not None
    port = int(meters.stdout.readline())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        broker_port = int(free.getsockname()[1])
    conf = folder / "mosquitto.conf"
    conf.write_text(
        f"listener {broker_port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n"
        "max_inflight_messages 0\n"
    )
    mosquitto = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    broker = subprocess.Popen([mosquitto, "-c", str(conf)], stderr=subprocess.DEVNULL)
    time.sleep(1.0)
    received = Received(broker_port)
    if name == "modwire":
        file = plant(folder, options, port, broker_port)
        command = [sys.executable, "-m", "modwire_tools", "poll", str(file)]
    else:
        command = [*me, "--pymodbus", f"{port},{broker_port}"]
    poller = subprocess.Popen(command)
    try:
        time.sleep(SETTLE + options.interval)
        used, begun = processor_time(poller.pid), time.monotonic()
        time.sleep(options.seconds)
        used = processor_time(poller.pid) - used
        seconds = time.monotonic() - begun
        poller.terminate()
        poller.wait()
        time.sleep(SETTLE)
        meters.terminate()
        readings = json.loads(meters.communicate()[0])
    finally:
        for process in (poller, meters, broker):
            process.kill()
            process.wait()
        received.client.loop_stop()
    good, total = on_time(readings, options.interval)
    missing = total * options.points - received.count
    return (
        f"| {name} | {len(readings)} | {total} | {received.count} | {missing} | "
        f"{good / total:.2%} | {used / seconds:.0%} |"
    )


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description="Poll many meters into an MQTT broker.")
    parser.add_argument("--meters", type=int, default=200)
    parser.add_argument("--points", type=int, default=40, help="at most 62")
    parser.add_argument("--interval", type=float, default=1.0)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--spool", action="store_true", help="with a spool on disk")
    parser.add_argument("--only", choices=("modwire", "pymodbus"))
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--pymodbus", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve_meters())
        return
    if options.pymodbus:
        port, broker = map(int, options.pymodbus.split(","))
        asyncio.run(poll_with_pymodbus(options, port, broker))
        return
    print("| poller | meters | readings | values | missing | on time | of one core |")
    print("|---|---|---|---|---|---|---|")
    for name in [options.only] if options.only else ("modwire", "pymodbus"):
        with tempfile.TemporaryDirectory() as folder:
            print(measure(name, options, Path(folder)), flush=True)


if __name__ == "__main__":
    main()
