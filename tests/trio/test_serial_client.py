"""`SerialClient` on pseudo-terminals."""

from __future__ import annotations

import fcntl
import io
import os
import sys
import termios
import tty
from collections.abc import Iterator

import pytest
import serial
import trio
import trio.testing

from client_peers import PATIENCE
from modwire import AsciiFraming, ConnectionLostError, ResponseTimeoutError
from modwire.checksums import crc16, lrc
from modwire_trio import SerialClient


def rtu(unit: int, pdu: str) -> bytes:
    body = bytes([unit]) + bytes.fromhex(pdu)
    return body + crc16(body).to_bytes(2, "little")


class Line:
    """The device's end of a serial line; `path` is the port that the client opens."""

    def __init__(self) -> None:
        self.far, self._near = os.openpty()
        tty.setraw(self._near)
        self.path = os.ttyname(self._near)

    async def request(self, size: int = 8) -> bytes:
        data = b""
        with trio.fail_after(PATIENCE):
            while len(data) < size:
                await trio.lowlevel.wait_readable(self.far)
                data += os.read(self.far, 2048)
        return data

    def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            os.write(self.far, piece)

    async def send_early(self, data: bytes) -> None:
        """Send to a client that does not read; return when all of it can be read."""
        self.send(data)
        with trio.fail_after(PATIENCE):
            while self._readable() < len(data):  # noqa: ASYNC110 - there is no event
                await trio.sleep(0.001)

    def _readable(self) -> int:
        count = fcntl.ioctl(self._near, termios.FIONREAD, bytes(4))
        return int.from_bytes(count, sys.byteorder)

    def unplug(self) -> None:
        os.close(self.far)
        self.far = -1

    def close(self) -> None:
        os.close(self._near)
        if self.far >= 0:
            os.close(self.far)


@pytest.fixture
def line() -> Iterator[Line]:
    line = Line()
    yield line
    line.close()


def test_reads_writes_and_broadcasts(line: Line) -> None:
    async def main() -> None:
        async with SerialClient(line.path) as client, trio.open_nursery() as nursery:
            assert client.name == f"rtu://{line.path}"

            async def device() -> None:
                assert await line.request() == rtu(7, "03 0002 0003")
                answer = rtu(7, "03 06 000a 0014 001e")
                line.send(b"\xff", answer[:4], answer[4:])
                assert await line.request() == rtu(0, "06 0001 0002")
                request = await line.request()
                line.send(request)

            nursery.start_soon(device)
            assert await client.read_holding_registers(2, 3, unit=7) == [10, 20, 30]
            await client.write_register(1, 2, unit=0)
            await client.write_register(9, 256)

    trio.run(main)


def test_ascii_with_an_echo(line: Line) -> None:
    def frame(body: str) -> bytes:
        data = bytes.fromhex(body)
        return b":" + (data + bytes([lrc(data)])).hex().upper().encode() + b"\r\n"

    async def main() -> None:
        async with (
            SerialClient(line.path, framing=AsciiFraming, suppress_echo=True) as client,
            trio.open_nursery() as nursery,
        ):

            async def device() -> None:
                request = await line.request(17)
                assert request == frame("01 03 0000 0001")
                line.send(request, frame("01 03 02 0005"))

            nursery.start_soon(device)
            assert await client.read_holding_registers(0) == [5]

    trio.run(main)


def test_a_late_response_is_dropped(line: Line) -> None:
    """This also holds if it arrives between two calls, while the client does not read."""

    async def main() -> None:
        async with SerialClient(line.path, timeout=0.1) as client:
            with pytest.raises(ResponseTimeoutError):
                await client.read_holding_registers(0)
            await line.request()
            await trio.sleep(0.15)  # the late reply window is over
            await line.send_early(rtu(1, "03 02 006f"))
            async with trio.open_nursery() as nursery:

                async def device() -> None:
                    await line.request()
                    line.send(rtu(1, "03 02 00de"))

                nursery.start_soon(device)
                assert await client.read_holding_registers(0, timeout=PATIENCE) == [222]

    trio.run(main)


def test_callers_take_turns_and_one_of_them_is_cancelled(line: Line) -> None:
    async def main() -> None:
        async with SerialClient(line.path) as client:
            got: dict[int, list[int]] = {}

            async def caller(unit: int, scope: trio.CancelScope) -> None:
                timeout = 0.3 if unit == 1 else PATIENCE
                with scope:
                    got[unit] = await client.read_holding_registers(
                        unit, unit=unit, timeout=timeout
                    )

            async with trio.open_nursery() as nursery:
                scopes = [trio.CancelScope() for _ in range(4)]
                for unit in range(1, 5):
                    nursery.start_soon(caller, unit, scopes[unit - 1])
                    await trio.testing.wait_all_tasks_blocked()
                assert (await line.request())[0] == 1
                scopes[0].cancel()  # its line stays busy until the timeout
                for unit in range(2, 5):
                    assert (await line.request())[0] == unit
                    line.send(rtu(unit, f"03 02 000{unit}"))
            assert got == {2: [2], 3: [3], 4: [4]}

    trio.run(main)


def test_an_adapter_that_is_pulled_out_is_a_lost_link(line: Line) -> None:
    async def main() -> None:
        async with SerialClient(line.path) as client:

            async def pull() -> None:
                await line.request()
                line.unplug()

            async with trio.open_nursery() as nursery:
                nursery.start_soon(pull)
                with pytest.raises(ConnectionLostError):
                    await client.read_holding_registers(0)
            assert not client.is_open

    trio.run(main)


def test_closing_ends_a_call(line: Line) -> None:
    async def main() -> None:
        client = SerialClient(line.path)

        async def caller() -> None:
            with pytest.raises(ConnectionLostError, match="was closed"):
                await client.read_holding_registers(0)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(caller)
            await line.request()
            await client.aclose()

    trio.run(main)


def test_a_port_that_is_not_there_or_taken(line: Line) -> None:
    async def main() -> None:
        with pytest.raises(ConnectionLostError, match="cannot be opened"):
            await SerialClient("/dev/nothing").connect()
        async with SerialClient(line.path):
            with pytest.raises(ConnectionLostError, match="cannot be opened"):
                await SerialClient(line.path).connect()

    trio.run(main)


def test_a_port_that_only_a_thread_can_read(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """This is the case on Windows, and for some URLs of pyserial; also after a cancelled call."""

    def fileno(port: serial.Serial) -> int:
        raise io.UnsupportedOperation("fileno")

    monkeypatch.setattr(serial.Serial, "fileno", fileno)

    async def main() -> None:
        async with SerialClient(line.path, timeout=0.2) as client:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(client.read_holding_registers, 0)
                await line.request()
                nursery.cancel_scope.cancel()
            for value in (1, 2, 3):
                async with trio.open_nursery() as nursery:

                    async def device(value: int = value) -> None:
                        await line.request()
                        line.send(rtu(1, f"03 02 000{value}"))

                    nursery.start_soon(device)
                    got = await client.read_holding_registers(0, timeout=PATIENCE)
                    assert got == [value]
            with pytest.raises(ResponseTimeoutError):
                await client.read_holding_registers(0)

    trio.run(main)


def test_a_port_behind_a_url() -> None:
    async def main() -> None:
        async with SerialClient("loop://", suppress_echo=True, timeout=0.1) as client:
            with pytest.raises(ResponseTimeoutError):
                await client.read_holding_registers(0)

    trio.run(main)
