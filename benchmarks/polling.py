"""Poll many meters into an MQTT broker: `modwire poll` beside modpoll and a script with pymodbus.

    python benchmarks/polling.py                       both plants, all pollers: 24 minutes
    python benchmarks/polling.py --readme              also put the table into benchmarks/README.md
    python benchmarks/polling.py --seconds 20 --peer-seconds 20 --only modwire
    python benchmarks/polling.py --meters 50 --points 10 --interval 0.5      another plant

It needs mosquitto, and modpoll, which has to have an environment of its own: give its command with
`--modpoll`. Meters, broker and poller are processes of their own, whose processor time counts. A
reading is on time if its request comes within 50 ms of its time: the phase of the meter is the
median of all readings. What is due is what the interval asks for, so a poller that does not keep
up has fewer readings than that, and the values of the others are missing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import platform
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from bisect import bisect_left
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from polling_meters import Numbers, Subscriber
from rounds import write_table
from servers import allow_open_files

README = Path(__file__).with_name("README.md")
METERS = Path(__file__).with_name("polling_meters.py")
LATE = 0.05  # seconds
SETTLE = 3.0  # seconds until the meters are connected, and until the last values have come
UNITS = 250  # meters at one address, for modpoll, which reads one address
POLLERS = ("modwire", "modwire, with a spool", "modpoll", "pymodbus")


class Plant(NamedTuple):
    """So many meters of so many points, every `interval` seconds."""

    meters: int
    points: int
    interval: float

    def __str__(self) -> str:
        return f"{self.meters:,} of {self.points}, {self.interval:g} s"


PLANTS = (Plant(200, 40, 1.0), Plant(2000, 10, 10.0))


class Place(NamedTuple):
    """The ports of the meters and of the broker, and a folder for files."""

    folder: Path
    meters: int
    broker: int


# The pollers.


def host(number: int) -> str:
    """Return an address of loopback."""
    return f"127.0.{1 + number // 250}.{1 + number % 250}"


def modwire(plant: Plant, place: Place, *, spool: bool) -> list[list[str]]:
    """Write the files for modwire poll; return its command."""
    points = "".join(
        f'[[unit.point]]\nname = "p{number}"\nat = "ir:{2 * number}"\ntype = "uint32"\n'
        for number in range(plant.points)
    )
    (place.folder / "meter.toml").write_text(f"[[unit]]\nid = 1\n{points}")
    devices = "".join(
        f'[[device]]\nname = "m{meter}"\nendpoint = "tcp://{host(meter)}:{place.meters}"\n'
        f'file = "meter.toml"\ninterval = {plant.interval}\n'
        for meter in range(plant.meters)
    )
    head = '[spool]\nfile = "values.spool"\n' if spool else ""
    sink = f'[[sink]]\nmqtt = "mqtt://127.0.0.1:{place.broker}"\n'
    sink += 'topic = "plant/{device}/{point}"\n'
    file = place.folder / "plant.toml"
    file.write_text(head + devices + sink)
    return [[sys.executable, "-m", "modwire_tools", "poll", str(file)]]


def modpoll(plant: Plant, place: Place, program: str) -> list[list[str]]:
    """Write the files for modpoll; return its commands, one for each address."""
    commands: list[list[str]] = []
    for first in range(0, plant.meters, UNITS):
        lines: list[str] = []
        for meter in range(first, min(first + UNITS, plant.meters)):
            lines += [f"device,m{meter},{1 + meter - first},,"]
            lines += [f"poll,input_register,0,{2 * plant.points},BE_BE"]
            lines += [f"ref,p{number},{2 * number},uint32,r" for number in range(plant.points)]
        file = place.folder / f"modpoll{first}.csv"
        file.write_text("\n".join(lines))
        command = [program, "--config", str(file), "--rate", str(plant.interval)]
        command += ["--interval", "0", "--tcp", host(first // UNITS), "--daemon"]
        command += ["--tcp-port", str(place.meters), "--mqtt-host", "127.0.0.1"]
        command += ["--mqtt-port", str(place.broker), "--mqtt-qos", "1", "--mqtt-single"]
        command += ["--mqtt-clientid", f"modpoll{first}", "--loglevel", "ERROR"]
        # Its login by version 3.1.1 fails with today's paho.
        command += ["--mqtt-version", "5.0"]
        command += ["--mqtt-publish-topic-pattern", "plant/{{device_name}}"]
        commands.append(command)
    return commands


def pymodbus(plant: Plant, place: Place) -> list[list[str]]:
    """Return the command for `poll_with_pymodbus`."""
    values = [*plant, place.meters, place.broker]
    return [[sys.executable, __file__, "--pymodbus", ",".join(map(str, values))]]


async def poll_with_pymodbus(plant: Plant, port: int, broker: int) -> None:
    """Poll with pymodbus' client and paho, a task for each meter."""
    from pymodbus.client import AsyncModbusTcpClient

    publisher = paho.Client(CallbackAPIVersion.VERSION2)
    publisher.max_inflight_messages_set(1000)
    publisher.connect("127.0.0.1", broker)
    publisher.loop_start()

    async def poll(meter: int) -> None:
        client = AsyncModbusTcpClient(host(meter), port=port)
        await client.connect()
        await asyncio.sleep(plant.interval * meter / plant.meters)
        due = time.monotonic()
        while True:
            answer = await client.read_input_registers(0, count=2 * plant.points, device_id=1)
            now = time.time()
            for number in range(plant.points):
                registers = answer.registers[2 * number : 2 * number + 2]
                value = client.convert_from_registers(registers, client.DATATYPE.UINT32)
                payload = json.dumps({"value": value, "quality": "good", "time": now})
                publisher.publish(f"plant/m{meter}/p{number}", payload, 1)
            due += plant.interval
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    await asyncio.gather(*(poll(meter) for meter in range(plant.meters)))


def commands_of(poller: str, plant: Plant, place: Place, program: str) -> list[list[str]]:
    """Return the commands of a poller; a plant may need several processes of it."""
    if poller == "modpoll":
        return modpoll(plant, place, program)
    if poller == "pymodbus":
        return pymodbus(plant, place)
    return modwire(plant, place, spool=poller != "modwire")


def key_of(poller: str, meter: int) -> str:
    """Return the address and the unit of a meter."""
    if poller == "modpoll":
        return f"{host(meter // UNITS)} {1 + meter % UNITS}"
    return f"{host(meter)} 1"


# Measuring.


class Found(NamedTuple):
    """A row: readings that were due, made and on time, values that are missing, and processors."""

    plant: Plant
    poller: str
    seconds: float
    due: int
    made: int
    on_time: int
    missing: int
    processes: int
    used: float
    meters: float
    broker: float

    def __str__(self) -> str:
        ours = self.poller == "modwire"
        share = self.on_time / self.due
        name = self.poller + f", {self.processes} processes" * (self.processes > 1)
        cells = [
            str(self.plant),
            name,
            f"{self.seconds:g}",
            f"{self.due:,}",
            f"{self.made:,}",
            f"{share:.2%}" + " **missed**" * (ours and share < 0.99),
            f"{self.missing:,}" + " **missed**" * (ours and self.missing > 0),
            f"{self.used:.0%}" + " **missed**" * (ours and self.used >= 0.6),
            f"{self.meters:.0%}",
            f"{self.broker:.0%}",
        ]
        return f"| {' | '.join(cells)} |"


TABLE = """\
| meters of points, every | poller | seconds | readings due | made | within 50 ms, ≥ 99 % \
| values missing, 0 | of one core, < 60 % | meters | broker |
|---|---|---:|---:|---:|---:|---:|---:|---:|---:|"""


def processor_time(*processes: subprocess.Popen[str]) -> float:
    """Return the seconds of a processor that processes have used."""
    total = 0
    for process in processes:
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


class Judged(NamedTuple):
    """Readings of a meter within the time that counts, and the numbers of the first and last."""

    due: int
    made: int
    on_time: int
    first: int
    last: int


def judge(times: Sequence[float], begun: float, seconds: float, interval: float) -> Judged:
    """Compare the times of the readings of a meter with those at which they were due."""
    due = round(seconds / interval)
    inside = [each for each in times if begun <= each < begun + seconds]
    if not inside:
        return Judged(due, 0, 0, 1, 0)
    first = inside[0]
    half = interval / 2
    phase = first + statistics.median((each - first + half) % interval - half for each in inside)
    phase -= math.floor((phase - begun) / interval) * interval
    numbers = [round((each - phase) / interval) for each in times]
    late = [abs(each - phase - interval * number)
            for each, number in zip(times, numbers, strict=True)]  # fmt: skip
    begin, end = bisect_left(numbers, 0), bisect_left(numbers, due)
    on_time = {numbers[at] for at in range(begin, end) if late[at] <= LATE}
    return Judged(due, len(set(numbers[begin:end])), len(on_time), begin + 1, end)


def start_broker(folder: Path) -> tuple[subprocess.Popen[str], int]:
    """Start mosquitto; return it and its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    conf = folder / "mosquitto.conf"
    conf.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n"
        "max_inflight_messages 0\n"
    )
    program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    broker = subprocess.Popen([program, "-c", str(conf)], stderr=subprocess.DEVNULL, text=True)
    until = time.monotonic() + 10
    while time.monotonic() < until:
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                return broker, port
        time.sleep(0.05)
    raise SystemExit("mosquitto does not start")


def measure(poller: str, plant: Plant, seconds: float, folder: Path, program: str) -> Found:
    """Return the row of the table for one poller."""
    meters = subprocess.Popen([sys.executable, str(METERS)], stdout=subprocess.PIPE, text=True)
    assert meters.stdout is not None
    port = int(meters.stdout.readline())
    broker, broker_port = start_broker(folder)
    received = Subscriber(broker_port)
    commands = commands_of(poller, plant, Place(folder, port, broker_port), program)
    pollers = [
        subprocess.Popen(each, text=True, stdout=subprocess.DEVNULL if program in each else None)
        for each in commands
    ]
    try:
        time.sleep(SETTLE + plant.interval)
        if any(each.poll() is not None for each in pollers):
            raise SystemExit(f"{poller} has ended")
        begun = time.monotonic()
        before = [processor_time(*each) for each in (pollers, [meters], [broker])]
        time.sleep(seconds)
        after = [processor_time(*each) for each in (pollers, [meters], [broker])]
        elapsed = time.monotonic() - begun
        time.sleep(plant.interval / 2)  # a reading that is late belongs to a time before
        for each in pollers:
            each.send_signal(signal.SIGINT if poller == "modpoll" else signal.SIGTERM)
        for each in pollers:
            each.wait(60)
        time.sleep(SETTLE)
        meters.terminate()
        times = json.loads(meters.communicate()[0])["times"]
    finally:
        for process in (*pollers, meters, broker):
            process.kill()
            process.wait()
    received.close()
    used = [(new - old) / elapsed for new, old in zip(after, before, strict=True)]
    judged = [
        judge(times.get(key_of(poller, meter), []), begun, seconds, plant.interval)
        for meter in range(plant.meters)
    ]
    due, made, on_time = (sum(each[at] for each in judged) for at in range(3))
    missing = (due - made) * plant.points + sum(
        received.topics.get(f"plant/m{meter}/p{number}".encode(), Numbers()).missing(*each[3:])
        for meter, each in enumerate(judged)
        for number in range(plant.points)
    )
    if poller.startswith("modwire"):
        # Nor may any be missing from before, or from the end.
        missing += sum(
            received.topics.get(f"plant/m{meter}/p{number}".encode(), Numbers()).missing(
                first, last
            )
            for meter, each in enumerate(judged)
            for first, last in (
                (1, each.first - 1),
                (each.last + 1, len(times.get(key_of(poller, meter), []))),
            )
            for number in range(plant.points)
        )
    return Found(plant, poller, seconds, due, made, on_time, missing, len(pollers), *used)


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description="Poll many meters into an MQTT broker.")
    parser.add_argument("--meters", type=int)
    parser.add_argument("--points", type=int, default=10, help="at most 61")
    parser.add_argument("--interval", type=float, default=1.0)
    parser.add_argument("--seconds", type=float, default=300.0, help="of modwire")
    parser.add_argument("--peer-seconds", type=float, default=120.0, help="of the others")
    parser.add_argument("--only", action="append", choices=POLLERS)
    parser.add_argument("--modpoll", default=shutil.which("modpoll"), help="its command")
    parser.add_argument("--readme", action="store_true", help="write the table to README.md")
    parser.add_argument("--pymodbus", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.pymodbus:
        numbers = options.pymodbus.split(",")
        plant = Plant(int(numbers[0]), int(numbers[1]), float(numbers[2]))
        asyncio.run(poll_with_pymodbus(plant, *map(int, numbers[3:])))
        return
    pollers = list(options.only or POLLERS)
    if options.readme and (options.only or options.meters or not options.modpoll):
        parser.error("--readme must stand alone, and needs modpoll: the page has all rows")
    if not options.modpoll and "modpoll" in pollers:
        pollers.remove("modpoll")
        print("modpoll is not here: its rows are left out", file=sys.stderr)
    if not allow_open_files(8000):
        raise SystemExit("too few files may be open")
    version = f"{platform.python_implementation()} {platform.python_version()}"
    lines: list[str] = []

    def add(text: str) -> None:
        lines.append(text)
        print(text, flush=True)

    add(f"Measured on {version}, {platform.system()}, {os.cpu_count()} processors:\n\n{TABLE}")
    plants: Sequence[Plant] = PLANTS
    if options.meters:
        plants = (Plant(options.meters, options.points, options.interval),)
    for plant in plants:
        for poller in pollers:
            seconds = options.seconds if poller == "modwire" else options.peer_seconds
            with tempfile.TemporaryDirectory() as folder:
                add(str(measure(poller, plant, seconds, Path(folder), options.modpoll or "")))
    if options.readme:
        write_table(README, "polling.py", "\n".join(lines))


if __name__ == "__main__":
    main()
