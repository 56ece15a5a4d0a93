"""`LoggedMeters`: many devices on loopback, which log who has asked them, and when."""

from __future__ import annotations

import asyncio
import struct
import threading
import time
from collections import defaultdict
from collections.abc import Collection
from itertools import combinations
from types import TracebackType


class LoggedMeters:
    """Devices, each a port of 127.0.0.1, in a thread; registers have the number of the request.

    `log` has the times of the requests to each device by connection, in seconds, monotonic.
    """

    def __init__(self, count: int) -> None:
        self.ports: list[int] = []
        self.log: list[dict[object, list[float]]] = [defaultdict(list) for _ in range(count)]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self) -> LoggedMeters:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._serve(), self._loop).result()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: object, traceback: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        self._open: set[asyncio.Transport] = set()
        self._servers = [
            await loop.create_server(lambda log=log: _Connection(log, self._open), "127.0.0.1", 0)
            for log in self.log
        ]
        self.ports += [each.sockets[0].getsockname()[1] for each in self._servers]

    async def _end(self) -> None:
        for each in self._servers:
            each.close()
        for transport in list(self._open):
            transport.abort()
        await asyncio.sleep(0)

    def plant(self, interval: str, **nodes: str) -> str:
        """Return the devices m0, m1 and so on of a plant file; `nodes` has those that are bound."""
        return "".join(
            f'[[device]]\nname = "m{number}"\nendpoint = "tcp://127.0.0.1:{port}?timeout=1"\n'
            f'interval = "{interval}"\npoint = [{{ name = "count", at = "hr:0" }}]\n'
            + (f'node = "{nodes[f"m{number}"]}"\n' if f"m{number}" in nodes else "")
            for number, port in enumerate(self.ports)
        )

    def last(self, number: int) -> float:
        """Return the time of the last request to a device; 0 if there was none."""
        return max((times[-1] for times in self.log[number].values() if times), default=0.0)

    def until_asked(self, since: float, patience: float, without: Collection[int] = ()) -> float:
        """Wait until each device was asked after the time `since`; return the seconds from then."""
        give_up = time.monotonic() + patience
        asked = set(range(len(self.log))) - set(without)
        waiting = asked
        while waiting:
            waiting = {each for each in waiting if self.last(each) <= since}
            assert time.monotonic() < give_up, f"{len(waiting)} are not asked: {sorted(waiting)}"
            time.sleep(0.02)
        firsts = [
            min(at for times in list(log.values()) for at in list(times) if at > since)
            for log in map(self.log.__getitem__, asked)
        ]
        return max(firsts) - since

    def longest_overlap(self, pause: float) -> float:
        """Return the most seconds in which two connections have asked one device.

        A connection that is silent for longer than `pause` seconds is one that does not ask then.
        """
        spans = [
            [span for times in list(log.values()) for span in _spans(list(times), pause)]
            for log in self.log
        ]
        return max(
            (
                min(one[1], other[1]) - max(one[0], other[0])
                for each in spans
                for one, other in combinations(each, 2)
            ),
            default=0.0,
        )

    def connections(self, number: int) -> int:
        """Return the number of connections that have asked a device."""
        return len(self.log[number])


def _spans(times: list[float], pause: float) -> list[tuple[float, float]]:
    """Return the times from which to which a connection has asked without a longer pause."""
    found: list[tuple[float, float]] = []
    for at in times:
        if found and at - found[-1][1] <= pause:
            found[-1] = found[-1][0], at
        else:
            found.append((at, at))
    return found


class _Connection(asyncio.Protocol):
    def __init__(self, log: dict[object, list[float]], open_: set[asyncio.Transport]) -> None:
        self._log = log
        self._open = open_
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._open.add(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._open.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        self._data += data
        while len(self._data) >= 12:
            head, self._data = self._data[:12], self._data[12:]
            transaction, _, _, unit, function, _, count = struct.unpack(">HHHBBHH", head)
            self._log[self].append(time.monotonic())
            number = sum(map(len, self._log.values()))
            size = 2 * count
            answer = struct.pack(">HHHBBB", transaction, 0, size + 3, unit, function, size)
            self._transport.write(answer + struct.pack(">H", number & 0xFFFF) * count)
