"""`serve_serial` on a pseudo-terminal: one device of several on a line."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from typing import Any

import pytest
import trio
import trio.testing

from modwire import (
    AsciiFraming,
    BinaryFraming,
    Decoder,
    Framing,
    RtuFraming,
    ServerOptions,
    Units,
    silent_interval,
)
from modwire_trio import SerialClient, serve_serial
from serial_wires import READ, READ_ANSWER, SLOW_ANSWER, SLOW_READ, ask, deliver, expect
from server_peers import Gate, Line, gated_units, line, memory_unit, rtu
from serving_peers import (
    in_thread,
    served,
    until,
    waiting_units,
)


@pytest.fixture
def wire() -> Iterator[Line]:
    with line() as made:
        yield made


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


def test_the_wire_is_logged(wire: Line, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "modwire.wire")

    async def main() -> None:
        async with served(serve_serial, Units({1: memory_unit()}), wire.port):
            await ask(wire, READ, READ_ANSWER)

    trio.run(main)
    assert f"{wire.port} brought" in caplog.text
    assert f"{wire.port} gets {READ_ANSWER.hex(' ')}" in caplog.text
