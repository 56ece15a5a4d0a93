"""A device that does not answer, and the others of a plant: by the schedule, and on real lines.

No test depends on a quick machine: where time is real, `Stalls` measures by how much this machine
was late by itself. With MODWIRE_FULL=1, the real lines are polled for minutes.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import select
import threading
import time
import tty
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path

import pytest

from modwire.checksums import crc16
from modwire_tools.poll.sample import BAD, GOOD
from modwire_tools.poll.schedule import DeviceState
from polled_plant import Polled, plant_of, polling, run
from simulated_line import TIMEOUT, Simulated, device, timeout

FULL = os.environ.get("MODWIRE_FULL", "") not in ("", "0")
SECONDS = 300.0 if FULL else 3.0  # of each real line
CHARACTER = 11 / 9600  # seconds
DEAD = 5  # a unit
pytestmark = pytest.mark.timeout(3 * SECONDS + 120)


def exchange(registers: int) -> float:
    """Return the seconds of a request at 9600 baud, of its answer, and of the silences."""
    return (8 + 5 + 2 * registers + 2 * 3.5) * CHARACTER + 0.01


@pytest.mark.parametrize("dead", range(10))
@pytest.mark.parametrize(
    ("interval", "registers"), [(1.0, 2), (1.0, 10), (5.0, 100)], ids=["2 at 1 s", "10", "100"]
)
def test_one_of_ten_dead_devices_at_9600_baud_makes_no_reading_later_than_its_timeout(
    dead: int, interval: float, registers: int
) -> None:
    """Ten minutes: no reading of the others is left out, and none comes twice."""
    line = Simulated(seconds=lambda name: exchange(registers), failing={f"d{dead}": timeout()})
    line.add(*(device(f"d{number}", interval) for number in range(10)))
    line.run(600.0)
    others = [f"d{number}" for number in range(10) if number != dead]
    assert max(line.state(name).latest for name in others) <= TIMEOUT
    for name in others:
        begun = line.begun[name]
        assert (len(begun), line.state(name).missed) == (600 / interval, 0)
        # Each is read again at its own time, not at once: there is no burst.
        gaps = [after - before for before, after in itertools.pairwise(begun)]
        assert min(gaps) >= interval - TIMEOUT
        late = [number for number, gap in enumerate(gaps) if gap < interval - 0.001]
        assert len(late) <= 2 * len(line.begun[f"d{dead}"])


class Stalls:
    """Measures how late this machine is by itself."""

    def __init__(self) -> None:
        self._late: list[tuple[float, float]] = []  # time, seconds

    def add(self, wanted: float, now: float) -> None:
        if now > wanted + 0.001:
            self._late.append((now, now - wanted))

    def worst(self, window: float = 2.0) -> float:
        """Return the most that came together in so many seconds."""
        worst = total = 0.0
        first = 0
        late = sorted(self._late)
        for now, seconds in late:
            total += seconds
            while late[first][0] < now - window:
                total -= late[first][1]
                first += 1
            worst = max(worst, total)
        return worst

    async def watch(self) -> None:
        while True:
            wanted = time.monotonic() + 0.005
            await asyncio.sleep(0.005)
            self.add(wanted, time.monotonic())


@asynccontextmanager
async def watched(stalls: Stalls) -> AsyncIterator[None]:
    task = asyncio.create_task(stalls.watch())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def answer(request: bytes) -> bytes:
    """Return the answer of a device whose registers are 7, without its checksum."""
    return request[:2] + bytes((2 * request[5],)) + bytes((0, 7)) * request[5]


class SlowLine:
    """The far end of a line at 9600 baud, with units 1 to 10, of which one is dead."""

    def __init__(self, stalls: Stalls) -> None:
        self.asked: list[tuple[int, float]] = []
        self._stalls = stalls
        self._end, self._near = os.openpty()
        tty.setraw(self._near)
        self.path = os.ttyname(self._near)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        data = b""
        until = 0.0
        while not self._is_over.is_set():
            if not select.select([self._end], [], [], 0.05)[0]:
                continue
            if not data:
                until = time.monotonic()
            data += os.read(self._end, 8 - len(data))
            if len(data) < 8:
                continue
            request, data = data, b""
            assert crc16(request[:6]) == int.from_bytes(request[6:], "little")
            self.asked.append((request[0], until))
            if request[0] == DEAD:
                continue
            body = answer(request)
            frame = body + crc16(body).to_bytes(2, "little")
            # A terminal takes no time: the request's characters are still on their way.
            until += (len(request) + len(frame)) * CHARACTER + 0.005
            time.sleep(max(0.0, until - time.monotonic()))
            self._stalls.add(until, time.monotonic())
            os.write(self._end, frame)

    def close(self) -> None:
        self._is_over.set()
        self._thread.join()
        os.close(self._end)
        os.close(self._near)


@contextmanager
def slow_line(stalls: Stalls) -> Iterator[SlowLine]:
    line = SlowLine(stalls)
    try:
        yield line
    finally:
        line.close()


async def poll_for(polled: Polled, seconds: float, count: int) -> dict[str, DeviceState]:
    """Poll `count` devices for some time, and until each was asked twice; return their states."""
    schedule = polled.schedule
    await polled.until(lambda: len(list(schedule.devices())) == count)
    states = {each.spec.name: each for each in schedule.devices()}
    await asyncio.sleep(seconds)
    await polled.until(lambda: all(each.requests >= 2 for each in states.values()))
    return states


def test_a_dead_device_on_a_real_line_at_9600_baud(tmp_path: Path) -> None:
    """Readings of the others are late by one timeout at most, and none of them is made twice."""
    stalls, limit = Stalls(), 0.3

    async def test(line: SlowLine) -> None:
        text = "".join(
            f'[[device]]\nname = "u{unit}"\ninterval = "1s"\n'
            f'endpoint = "rtu://{line.path}?baudrate=9600&parity=N&timeout={limit}&unit={unit}"\n'
            'point = [{ name = "level", at = "hr:0" }, { name = "flow", at = "hr:1" }]\n'
            for unit in range(1, 11)
        )
        async with watched(stalls), polling(plant_of(tmp_path, text)) as polled:
            states = await poll_for(polled, SECONDS, 10)
        dead = states.pop(f"u{DEAD}")
        assert {each.quality for each in polled.sink.samples if each.device == dead.spec.name} == {
            BAD
        }
        good = [each for each in polled.sink.samples if each.device != dead.spec.name]
        assert {(each.value, each.quality) for each in good} == {(7, GOOD)}
        assert max(each.latest for each in states.values()) <= limit + 0.02 + stalls.worst()
        first, last = line.asked[0][1], line.asked[-1][1]
        counts = Counter(unit for unit, _ in line.asked)
        for unit in set(range(1, 11)) - {DEAD}:
            assert counts[unit] + states[f"u{unit}"].missed >= int(last - first)
            assert counts[unit] <= last - first + 2
        print(f"late by up to {max(e.latest for e in states.values()):.3f} s, "
              f"stalls {stalls.worst():.3f} s, {dict(counts)}")  # fmt: skip

    with slow_line(stalls) as line:
        run(lambda: test(line))


class Gateway(asyncio.Protocol):
    """Units 1 to 3 at a connection; the `dead` one does not answer."""

    def __init__(self, dead: int | None) -> None:
        self._dead = dead
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        while len(self._data) >= 12:
            request, self._data = self._data[:12], self._data[12:]
            if request[6] != self._dead:
                body = answer(request[6:])
                self._transport.write(request[:4] + len(body).to_bytes(2, "big") + body)


def test_one_dead_device_behind_each_of_fifty_gateways(tmp_path: Path) -> None:
    """A gateway without one does not notice; behind the others, one timeout is noticed."""
    stalls, limit = Stalls(), 0.5

    async def test() -> None:
        loop = asyncio.get_running_loop()
        async with AsyncExitStack() as stack:
            text = ""
            for number in range(51):
                dead = None if number == 50 else 1 + number % 3
                server = await loop.create_server(lambda dead=dead: Gateway(dead), "127.0.0.1", 0)
                await stack.enter_async_context(server)
                port = server.sockets[0].getsockname()[1]
                for unit in (1, 2, 3):
                    kind = "dead" if unit == dead else "beside" if dead else "free"
                    text += (
                        f'[[device]]\nname = "{kind} {number} {unit}"\ninterval = "1s"\n'
                        f'endpoint = "tcp://127.0.0.1:{port}?timeout={limit}&unit={unit}"\n'
                        'point = [{ name = "level", at = "hr:0" }]\n'
                    )
            await stack.enter_async_context(watched(stalls))
            async with polling(plant_of(tmp_path, text)) as polled:
                states = await poll_for(polled, SECONDS, 51 * 3)
            late = {
                kind: max(each.latest for name, each in states.items() if name.startswith(kind))
                for kind in ("dead", "beside", "free")
            }
            print(f"late by up to {late}, stalls {stalls.worst():.3f} s")
            assert late["free"] <= 0.02 + stalls.worst()
            assert late["beside"] <= limit + 0.02 + stalls.worst()
            by_quality = {(each.device.partition(" ")[0], each.quality)
                          for each in polled.sink.samples}  # fmt: skip
            assert by_quality == {("dead", BAD), ("beside", GOOD), ("free", GOOD)}
            assert len({each.device for each in polled.sink.samples}) == 51 * 3

    run(test)
