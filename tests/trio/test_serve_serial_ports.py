"""`serve_serial` and its port: reading, writing, and failures."""

from __future__ import annotations

import fcntl
import io
import os
import struct
import termios
from collections.abc import Iterator
from typing import Any

import pytest
import serial
import trio
import trio.testing

from modwire import (
    ConnectionLostError,
    TcpFraming,
    Units,
)
from modwire_trio import serve_serial
from serial_wires import READ, READ_ANSWER, SLOW_ANSWER, SLOW_READ, ask, deliver, expect
from server_peers import Line, line, memory_unit
from serving_peers import (
    play,
    play_by_hand,
    served,
    waiting_units,
)


@pytest.fixture
def wire() -> Iterator[Line]:
    with line() as made:
        yield made


def test_ports_that_cannot_be_polled_are_read_in_a_thread(
    wire: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fileno(port: serial.Serial) -> int:
        raise io.UnsupportedOperation("fileno")

    monkeypatch.setattr(serial.Serial, "fileno", fileno)

    async def main() -> None:
        units, unit = waiting_units()
        async with served(serve_serial, units, wire.port) as server:
            for _ in range(3):
                await ask(wire, READ, READ_ANSWER)
            unit.opened.set()
            await ask(wire, SLOW_READ, SLOW_ANSWER)
            await server.stop()

    trio.run(main)


def test_a_port_that_goes_away_is_a_plain_error_and_no_group(wire: Line) -> None:
    async def main() -> None:
        units, unit = waiting_units()
        async with served(serve_serial, units, wire.port) as server:
            await ask(wire, READ, READ_ANSWER)
            wire.send(SLOW_READ)
            await unit.entered.wait()
            wire.hang_up()
            with pytest.raises(ConnectionLostError, match=f"the serial port {wire.port} is lost"):
                await server.over()

    trio.run(main)


def test_a_port_in_use_or_not_there_is_an_error(wire: Line) -> None:
    async def main() -> None:
        units = Units({1: memory_unit()})
        async with served(serve_serial, units, wire.port):
            with pytest.raises(OSError, match=wire.port):
                await serve_serial(units, wire.port)
        with pytest.raises(OSError, match="nowhere"):
            await serve_serial(units, "/dev/nowhere")

    trio.run(main)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"framing": TcpFraming}, "framing must be one for serial lines, got TcpFraming"),
        ({"parity": "X"}, "parity must be N, E or O, got 'X'"),
        ({"baudrate": 0}, "baudrate must be greater than 0, got 0"),
        ({"workers": 0}, "workers must be a whole number, at least 1, got 0"),
        ({"grace": -1}, "grace must be at least 0 seconds, got -1"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: dict[str, Any], message: str) -> None:
    async def main() -> None:
        with pytest.raises(ValueError, match=message):
            await serve_serial(Units({1: memory_unit()}), "/dev/nowhere", **arguments)

    play(main)


def test_lost_characters_are_counted(
    wire: Line, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    lost = 0
    plain = fcntl.ioctl

    def ioctl(fd: Any, request: int, *arguments: Any) -> Any:
        if request != termios.TIOCGICOUNT:
            return plain(fd, request, *arguments)
        counters = [0] * 20  # struct serial_icounter_struct of Linux
        counters[7] = lost  # its overruns
        return struct.pack("@20i", *counters)

    monkeypatch.setattr(fcntl, "ioctl", ioctl)

    async def main() -> None:
        nonlocal lost
        units = Units({1: memory_unit()})
        async with served(serve_serial, units, wire.port):
            await ask(wire, READ, READ_ANSWER)
            lost = 3
            await deliver(wire, READ[:-1] + b"\x00", caplog)
            await trio.sleep(0.1)
            await ask(wire, READ, READ_ANSWER)
        assert units[1].overrun_count == 1

    trio.run(main)


def test_a_port_that_takes_nothing_costs_its_answer_only(
    wire: Line, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    purged: list[object] = []
    monkeypatch.setattr(serial.Serial, "reset_output_buffer", lambda port: purged.append(port))
    write = os.write

    def sticks(number: int, data: bytes) -> int:
        if number == wire.far or purged:
            return write(number, data)
        if len(data) == len(READ_ANSWER):
            return write(number, data[:2])
        raise BlockingIOError

    monkeypatch.setattr(os, "write", sticks)

    async def main(clock: trio.testing.MockClock) -> None:
        async with served(serve_serial, Units({1: memory_unit()}), wire.port):
            for received in (READ_ANSWER[:2], READ_ANSWER):
                await deliver(wire, READ, caplog)
                clock.jump(1.0)  # the silent interval is over
                await expect(wire, received)
                clock.jump(10.0)  # the port has sent nothing during this time
                while not purged:
                    await trio.lowlevel.checkpoint()
                told.append(caplog.text)

    play_by_hand(main)
    assert "takes no more bytes: an answer is lost" in told[0]


def test_an_answer_that_the_port_takes_in_pieces_is_whole(
    wire: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    monkeypatch.setattr(
        os, "write", lambda number, data: write(number, data if number == wire.far else data[:3])
    )

    async def main() -> None:
        async with served(serve_serial, Units({1: memory_unit()}), wire.port) as server:
            await ask(wire, READ, READ_ANSWER)
            await ask(wire, READ, READ_ANSWER)
            await server.stop()

    trio.run(main)
