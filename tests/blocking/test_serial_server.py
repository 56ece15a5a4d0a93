"""`SerialServer` on a pseudo-terminal: one device of several on a line."""

# ruff: noqa: SIM117 - a server, and in it the peers that talk to it

from __future__ import annotations

import fcntl
import io
import logging
import struct
import termios
from collections.abc import Iterator
from time import monotonic
from typing import Any

import pytest
import serial

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
from packages import LOOPBACK, Package
from server_peers import Line, memory_unit, rtu

READ = rtu("0300050001")
READ_ANSWER = rtu("03020005")
SLOW_READ, SLOW_ANSWER = rtu("0300000001", unit=2), rtu("03024711", unit=2)


@pytest.fixture
def wire(package: Package) -> Iterator[Line]:
    with package.line() as made:
        yield made


class WithoutDescriptor(serial.Serial):
    """A port without a file descriptor, as on Windows and with some URLs of pyserial."""

    def fileno(self) -> int:
        raise io.UnsupportedOperation("fileno")


@pytest.fixture(params=[True, False], ids=["with descriptor", "without descriptor"])
def any_port(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the test on a port with a descriptor, and on one without."""
    if not request.param:
        monkeypatch.setattr(serial, "serial_for_url", WithoutDescriptor)


@pytest.mark.parametrize("framing", [RtuFraming, AsciiFraming, BinaryFraming])
def test_requests_are_answered_in_every_framing(
    package: Package, wire: Line, framing: type[Framing]
) -> None:
    wrap = framing(Decoder(), is_server=True).wrap
    units = Units({1: memory_unit()})
    with package.SerialServer(units, wire.port, framing=framing) as server:
        assert server.address == wire.port
        for _ in range(3):
            wire.ask(wrap(1, 0, bytes.fromhex("0300050001")), wrap(1, 0, bytes.fromhex("03020005")))


@pytest.mark.usefixtures("any_port")
def test_ports_without_a_descriptor_are_served_too(package: Package, wire: Line) -> None:
    with package.SerialServer(Units({1: memory_unit()}), wire.port):
        for _ in range(3):
            wire.ask(READ, READ_ANSWER)


def test_a_frame_byte_by_byte_and_one_that_ends_by_silence(package: Package, wire: Line) -> None:
    options = ServerOptions(tolerance=0.5)  # this machine may be busy with other things
    with package.SerialServer(Units({1: memory_unit()}), wire.port, options=options):
        for byte in READ:
            wire.send(bytes((byte,)))
        assert wire.receive(len(READ_ANSWER)) == READ_ANSWER
        wire.ask(rtu("080000a537"), rtu("080000a537"))


def test_other_units_and_broadcasts_are_not_answered(package: Package, wire: Line) -> None:
    units = Units({1: memory_unit(), 2: memory_unit()})
    with package.SerialServer(units, wire.port):
        wire.send(rtu("0300050001", unit=9) + rtu("03020005", unit=9))
        wire.send(rtu("0600050777", unit=0))
        wire.ask(READ, rtu("03020777"))
        wire.ask(rtu("0300050001", unit=2), rtu("03020777", unit=2))


@pytest.mark.parametrize("noise", ["00", "ff ff", "01 03", "01 03 00 05 00 01 94 00"])
def test_noise_costs_no_request(package: Package, wire: Line, noise: str) -> None:
    units = Units({1: memory_unit()})
    with package.SerialServer(units, wire.port):
        wire.ask(READ, READ_ANSWER)
        wire.send(bytes.fromhex(noise))
        package.wait_until(lambda: units[1].communication_error_count == 1)
        wire.ask(READ, READ_ANSWER)


def test_an_answer_waits_for_the_silence_of_the_line(package: Package, wire: Line) -> None:
    with package.SerialServer(Units({1: memory_unit()}), wire.port, baudrate=300):
        start = monotonic()
        wire.ask(READ, READ_ANSWER)
        assert monotonic() - start >= silent_interval(300) * 0.95


def test_its_own_echo_is_not_taken_for_a_request(package: Package, wire: Line) -> None:
    write = rtu("0600050777")
    with package.SerialServer(Units({1: memory_unit()}), wire.port, suppress_echo=True):
        wire.ask(write, write)
        wire.send(write)  # the adapter receives what the server has sent
        wire.ask(READ, rtu("03020777"))


def test_a_unit_that_blocks_is_answered(package: Package, wire: Line) -> None:
    units, gate = package.gated_units()
    with package.SerialServer(units, wire.port):
        wire.send(SLOW_READ)
        gate.wait_entered()
        gate.opened.set()
        assert wire.receive(7) == SLOW_ANSWER


def test_an_answer_that_the_client_gave_up_is_not_sent_into_another_exchange(
    package: Package, wire: Line, caplog: pytest.LogCaptureFixture
) -> None:
    units, gate = package.gated_units()
    with package.SerialServer(units, wire.port):
        wire.send(SLOW_READ)
        gate.wait_entered()
        wire.ask(READ, READ_ANSWER)
        wire.ask(SLOW_READ, rtu("8306", unit=2))
        gate.opened.set()
        package.wait_until(lambda: "longer than the client waits" in caplog.text)
        wire.ask(READ, READ_ANSWER)
        wire.ask(SLOW_READ, SLOW_ANSWER)
    assert units[2].busy_count == 1


def test_a_broadcast_waits_for_units_that_block_and_reaches_all(
    package: Package, wire: Line
) -> None:
    written: list[int] = []

    units, gate = package.gated_units()
    gate.write = lambda address, values: written.extend(values)  # type: ignore[method-assign]
    gate.check = lambda address, count: None  # type: ignore[method-assign]
    with package.SerialServer(units, wire.port):
        wire.send(SLOW_READ)
        gate.wait_entered()
        wire.send(rtu("0600050777", unit=0))
        wire.ask(READ, READ_ANSWER)  # the broadcast has arrived, and waits
        gate.opened.set()
        package.wait_until(lambda: written)
        wire.ask(READ, rtu("03020777"))
    assert written == [0x777]


def test_a_gateway_on_a_line_keeps_the_order_of_the_requests(package: Package, wire: Line) -> None:
    with package.TcpServer(Units.single(memory_unit()), LOOPBACK) as device:
        with package.TcpClient(*device.address, timeout=20.0) as behind:
            with package.SerialServer(Units({1: package.RemoteUnit(behind, 1)}), wire.port):
                for value in range(10):
                    wire.send(rtu(f"060005{value:04x}", unit=0))
                    wire.ask(READ, rtu(f"0302{value:04x}"))


@pytest.mark.long
def test_a_line_that_takes_no_bytes_costs_an_answer_and_not_the_server(
    package: Package, wire: Line, caplog: pytest.LogCaptureFixture
) -> None:
    with package.SerialServer(Units({1: memory_unit()}), wire.port):
        wire.ask(READ, READ_ANSWER)
        wire.fill()
        wire.send(READ)
        package.wait_until(lambda: "takes no more bytes" in caplog.text)
        wire.drain()
        wire.ask(READ, READ_ANSWER)


def test_a_port_that_vanishes_ends_serve_forever_with_a_clear_error(
    package: Package, wire: Line
) -> None:
    server = package.SerialServer(Units({1: memory_unit()}), wire.port)
    serving = package.start(server.serve_forever)
    wire.ask_until_answered(READ, READ_ANSWER)
    wire.hang_up()
    with pytest.raises(ConnectionLostError, match=wire.port):
        serving.result()
    server.shutdown()


@pytest.mark.usefixtures("any_port")
def test_after_start_serve_forever_raises_the_error_that_ended_the_serving(
    package: Package, wire: Line, caplog: pytest.LogCaptureFixture
) -> None:
    with package.SerialServer(Units({1: memory_unit()}), wire.port) as server:
        wire.ask(READ, READ_ANSWER)
        wire.hang_up()
        with pytest.raises(ConnectionLostError, match=wire.port):
            server.serve_forever()
    assert wire.port in caplog.text


def test_a_port_that_does_not_exist_is_told_where_serving_starts(package: Package) -> None:
    server = package.SerialServer(Units({1: memory_unit()}), "/dev/there-is-no-such-port")
    with pytest.raises(OSError, match="there-is-no-such-port"):
        server.start()


def test_two_servers_cannot_share_a_port(package: Package, wire: Line) -> None:
    with package.SerialServer(Units({1: memory_unit()}), wire.port):
        with pytest.raises(OSError, match="lock"):
            package.SerialServer(Units({1: memory_unit()}), wire.port).start()
        wire.ask(READ, READ_ANSWER)


@pytest.mark.skipif(not hasattr(termios, "TIOCGICOUNT"), reason="this system counts no overruns")
def test_lost_characters_are_counted_as_overruns(
    package: Package, wire: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pseudo-terminal loses no characters, so the test simulates the driver of a real port."""
    lost = 1
    ioctl = fcntl.ioctl

    def counting(fd: int, request: int, *arguments: Any) -> Any:
        if request != termios.TIOCGICOUNT:
            return ioctl(fd, request, *arguments)
        counters = [0] * 20  # struct serial_icounter_struct
        counters[7] = lost
        return struct.pack("20i", *counters)

    monkeypatch.setattr(fcntl, "ioctl", counting)
    units = Units({1: memory_unit()})
    with package.SerialServer(units, wire.port):
        wire.ask(READ, READ_ANSWER)
        assert units[1].overrun_count == 0, "what was lost before is not counted"
        lost = 3
        wire.send(READ[:3] + READ[5:])
        package.wait_until(lambda: units[1].communication_error_count == 1)
        wire.ask(READ, READ_ANSWER)
    assert units[1].overrun_count == 1


def test_shutdown_sends_the_answer_of_a_call_that_is_out(package: Package, wire: Line) -> None:
    units, gate = package.gated_units()
    server = package.SerialServer(units, wire.port).start()
    wire.send(SLOW_READ)
    gate.wait_entered()
    gate.opened.set()
    server.shutdown()
    assert wire.receive(7) == SLOW_ANSWER


def test_bytes_are_logged_when_the_wire_log_is_on(
    package: Package, wire: Line, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, logger="modwire.wire"):
        with package.SerialServer(Units({1: memory_unit()}), wire.port):
            wire.ask(READ, READ_ANSWER)
    assert READ_ANSWER.hex(" ") in caplog.text


def test_arguments_that_do_not_fit_a_line_are_refused(package: Package) -> None:
    units = Units({1: memory_unit()})
    with pytest.raises(ValueError, match="framing must be one for serial lines, got TcpFraming"):
        package.SerialServer(units, "/dev/null", framing=TcpFraming)
    with pytest.raises(ValueError, match="parity must be N, E or O, got 'X'"):
        package.SerialServer(units, "/dev/null", parity="X")
    with pytest.raises(ValueError, match="bytesize must be 7 or 8"):
        package.SerialServer(units, "/dev/null", bytesize=9)
