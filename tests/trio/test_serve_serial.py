"""`serve_serial` on a pseudo-terminal: one device of several on a line."""

from __future__ import annotations

import fcntl
import io
import logging
import os
import struct
import termios
import time
from collections.abc import Iterator
from typing import Any

import pytest
import serial
import trio
import trio.testing

from modwire import (
    AsciiFraming,
    BinaryFraming,
    ConnectionLostError,
    Decoder,
    Framing,
    RtuFraming,
    ServerOptions,
    TcpFraming,
    Units,
    silent_interval,
)
from modwire_trio import SerialClient, serve_serial
from server_peers import Gate, Line, gated_units, line, memory_unit, rtu
from serving_peers import (
    in_thread,
    play,
    play_by_hand,
    served,
    until,
    waiting_units,
)

READ = rtu("0300050001")
READ_ANSWER = rtu("03020005")
SLOW_READ = rtu("0300000001", unit=2)
SLOW_ANSWER = rtu("03024711", unit=2)


@pytest.fixture
def wire() -> Iterator[Line]:
    with line() as made:
        yield made


async def ask(wire: Line, request: bytes, answer: bytes) -> None:
    """Send `request` and expect `answer`; the server runs meanwhile."""
    wire.send(request)
    await expect(wire, answer)


async def expect(wire: Line, answer: bytes) -> None:
    received = await in_thread(lambda: wire.receive(len(answer)))
    assert received == answer, f"{received.hex(' ')} is not {answer.hex(' ')}"


async def deliver(wire: Line, data: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """Send `data`, and return when the server has read it, from when it counts the silence."""
    caplog.set_level(logging.DEBUG, "modwire.wire")
    caplog.clear()
    wire.send(data)

    def read() -> bytes:
        pieces = [record.getMessage().partition(" brought ")[2] for record in caplog.records]
        return bytes.fromhex(" ".join(pieces))

    while read() != data:
        await trio.testing.wait_all_tasks_blocked(0.001)


@pytest.mark.parametrize("framing", [RtuFraming, AsciiFraming, BinaryFraming])
def test_requests_are_answered_in_every_framing(wire: Line, framing: type[Framing]) -> None:
    wrap = framing(Decoder(), is_server=True).wrap

    async def main() -> None:
        async with served(
            serve_serial, Units({1: memory_unit()}), wire.port, framing=framing
        ) as server:
            assert server.address == wire.port
            request = wrap(1, 0, bytes.fromhex("0300050001"))
            for _ in range(3):
                await ask(wire, request, wrap(1, 0, bytes.fromhex("03020005")))

    trio.run(main)


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


def test_byte_by_byte_and_what_ends_by_silence(wire: Line) -> None:
    async def main() -> None:
        options = ServerOptions(tolerance=0.5)  # this machine may be busy with other things
        units = Units({1: memory_unit()})
        async with served(serve_serial, units, wire.port, options=options):
            for byte in READ[:-1]:
                wire.send(bytes((byte,)))
                await trio.lowlevel.checkpoint()
            await ask(wire, READ[-1:], READ_ANSWER)
            await ask(wire, rtu("080000a537"), rtu("080000a537"))

    trio.run(main)


def test_other_units_and_broadcasts_are_not_answered(wire: Line) -> None:
    async def main() -> None:
        units = Units({1: memory_unit(), 2: memory_unit()})
        async with served(serve_serial, units, wire.port):
            wire.send(rtu("0300050001", unit=9) + rtu("03020005", unit=9))
            wire.send(rtu("0600050777", unit=0))
            await ask(wire, READ, rtu("03020777"))
            await ask(wire, rtu("0300050001", unit=2), rtu("03020777", unit=2))

    trio.run(main)


def test_noise_costs_no_request(wire: Line, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        units = Units({1: memory_unit()})
        async with served(serve_serial, units, wire.port):
            for noise in (b"\x00", b"\xff\xff", b"\x01\x03", READ[:-1] + b"\x00"):
                await deliver(wire, noise, caplog)
                await trio.sleep(0.1)
                await ask(wire, READ, READ_ANSWER)
        assert units[1].communication_error_count > 0

    trio.run(main)


def test_an_answer_waits_for_the_silence_of_the_line(wire: Line) -> None:
    async def main() -> None:
        units = Units({1: memory_unit()})
        async with served(serve_serial, units, wire.port, baudrate=300):
            start = time.monotonic()
            await ask(wire, READ, READ_ANSWER)
            assert time.monotonic() - start >= silent_interval(300) * 0.95

    trio.run(main)


def test_its_own_echo_is_not_taken_for_a_request(wire: Line) -> None:
    async def main() -> None:
        write = rtu("0600050777")
        units = Units({1: memory_unit()})
        async with served(serve_serial, units, wire.port, suppress_echo=True):
            await ask(wire, write, write)
            wire.send(write)  # the adapter receives what the server has sent
            await ask(wire, READ, rtu("03020777"))

    trio.run(main)


@pytest.mark.parametrize("blocking", [False, True])
def test_an_answer_that_comes_too_late_is_not_sent_into_another_exchange(
    wire: Line, caplog: pytest.LogCaptureFixture, blocking: bool
) -> None:
    async def main() -> None:
        units: Units
        if blocking:
            units, gate = gated_units()
        else:
            units, unit = waiting_units()
        async with served(serve_serial, units, wire.port):
            wire.send(SLOW_READ)
            await (in_thread(gate.wait_entered) if blocking else unit.entered.wait())
            await ask(wire, READ, READ_ANSWER)
            await ask(wire, SLOW_READ, rtu("8306", unit=2))
            (gate if blocking else unit).opened.set()
            await until(lambda: "longer than the client waits" in caplog.text)
            await ask(wire, READ, READ_ANSWER)
            await ask(wire, SLOW_READ, SLOW_ANSWER)
        assert units[2].busy_count == 1

    trio.run(main)


def test_broadcasts_are_executed_in_order_after_what_was_asked_before(wire: Line) -> None:
    written: list[int] = []

    class Book(Gate):
        def write(self, address: int, values: Any) -> None:
            written.extend(values)

        def check(self, address: int, count: int) -> None:
            pass

        check_write = check

    async def main() -> None:
        units, gate = gated_units()
        gate.__class__ = Book
        async with served(serve_serial, units, wire.port):
            wire.send(SLOW_READ)
            await in_thread(gate.wait_entered)
            for value in range(10):
                wire.send(rtu(f"060005{value:04x}", unit=0))
            await ask(wire, READ, READ_ANSWER)  # the server has read the broadcasts too
            assert not written
            gate.opened.set()
            await until(lambda: len(written) == 10)
            assert written == list(range(10))

    trio.run(main)


def test_a_client_of_ours_is_answered(wire: Line) -> None:
    async def main() -> None:
        with line() as other:

            async def carry(source: Line, target: Line) -> None:
                while True:
                    await trio.lowlevel.wait_readable(source.far)
                    target.send(os.read(source.far, 4096))

            async with (
                served(serve_serial, Units({1: memory_unit()}), wire.port),
                SerialClient(other.port) as client,
                trio.open_nursery() as nursery,
            ):
                nursery.start_soon(carry, wire, other)
                nursery.start_soon(carry, other, wire)
                for address in range(5):
                    assert await client.read_holding_registers(address) == [address]
                await client.write_register(3, 77)
                assert await client.read_holding_registers(3) == [77]
                nursery.cancel_scope.cancel()

    trio.run(main)


def test_when_cancelled_an_answer_that_waits_for_the_silence_is_sent(wire: Line) -> None:
    async def main() -> None:
        units, unit = waiting_units()
        async with served(serve_serial, units, wire.port, baudrate=300) as server:
            wire.send(SLOW_READ)
            await unit.entered.wait()
            unit.opened.set()
            server.scope.cancel()
            await expect(wire, SLOW_ANSWER)
            await server.over()

    trio.run(main)


def test_a_call_that_hangs_ends_with_the_grace(wire: Line) -> None:
    async def main() -> None:
        units, gate = gated_units()
        async with served(serve_serial, units, wire.port, grace=0.05) as server:
            wire.send(SLOW_READ)
            await in_thread(gate.wait_entered)
            await server.stop()
            gate.opened.set()
        # The port is free again.
        async with served(serve_serial, units, wire.port):
            await ask(wire, READ, READ_ANSWER)

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
                clock.jump(10.0)  # the port has taken nothing more for so long
                while not purged:
                    await trio.lowlevel.checkpoint()
                told.append(caplog.text)

    play_by_hand(main)
    assert "takes no more bytes: an answer is lost" in told[0]


def test_the_wire_is_logged(wire: Line, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "modwire.wire")

    async def main() -> None:
        async with served(serve_serial, Units({1: memory_unit()}), wire.port):
            await ask(wire, READ, READ_ANSWER)

    trio.run(main)
    assert f"{wire.port} brought" in caplog.text
    assert f"{wire.port} gets {READ_ANSWER.hex(' ')}" in caplog.text


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
