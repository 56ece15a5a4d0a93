"""`SerialServer` on a pseudo-terminal: one device of several on a line."""

# ruff: noqa: SIM117 - a server, and in it those who talk to it

from __future__ import annotations

import logging
import time
from collections.abc import Iterator

import gevent
import pytest

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
from modwire_gevent import RemoteUnit, SerialServer, TcpClient, TcpServer
from modwire_gevent.servers import line as line_module
from modwire_gevent.servers import port as port_module
from serve_peers import (
    LOOPBACK,
    PATIENCE,
    Line,
    gated_units,
    line,
    memory_unit,
    rtu,
    run,
    wait_until,
)

READ = rtu("0300050001")
READ_ANSWER = rtu("03020005")


@pytest.fixture
def wire() -> Iterator[Line]:
    with line() as made:
        yield made


@pytest.mark.parametrize("framing", [RtuFraming, AsciiFraming, BinaryFraming])
def test_requests_are_answered_in_every_framing(wire: Line, framing: type[Framing]) -> None:
    wrap = framing(Decoder(), is_server=True).wrap
    units = Units({1: memory_unit()})
    with SerialServer(units, wire.port, framing=framing) as server:
        assert server.address == wire.port
        for _ in range(3):
            wire.ask(wrap(1, 0, bytes.fromhex("0300050001")), wrap(1, 0, bytes.fromhex("03020005")))


def test_ports_that_cannot_be_polled_are_read_in_a_thread(
    wire: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(port_module, "descriptor", lambda port: None)
    with SerialServer(Units({1: memory_unit()}), wire.port):
        for _ in range(3):
            wire.ask(READ, READ_ANSWER)


def test_byte_by_byte_and_what_ends_by_silence(wire: Line) -> None:
    options = ServerOptions(tolerance=0.5)  # this machine may be busy with other things
    with SerialServer(Units({1: memory_unit()}), wire.port, options=options):
        for byte in READ:
            wire.send(bytes((byte,)))
        assert wire.receive(len(READ_ANSWER)) == READ_ANSWER
        wire.ask(rtu("080000a537"), rtu("080000a537"))


def test_other_units_and_broadcasts_are_not_answered(wire: Line) -> None:
    units = Units({1: memory_unit(), 2: memory_unit()})
    with SerialServer(units, wire.port):
        wire.send(rtu("0300050001", unit=9) + rtu("03020005", unit=9))
        wire.send(rtu("0600050777", unit=0))
        wire.ask(READ, rtu("03020777"))
        wire.ask(rtu("0300050001", unit=2), rtu("03020777", unit=2))


def test_noise_costs_no_request(wire: Line) -> None:
    units = Units({1: memory_unit()})
    with SerialServer(units, wire.port):
        for noise in (b"\x00", b"\xff\xff", b"\x01\x03", READ[:-1] + b"\x00"):
            wire.send(noise)
            gevent.sleep(0.1)  # the silence is part of the case
            wire.ask(READ, READ_ANSWER)
    assert units[1].communication_error_count > 0


def test_an_answer_waits_for_the_silence_of_the_line(wire: Line) -> None:
    with SerialServer(Units({1: memory_unit()}), wire.port, baudrate=300):
        start = time.monotonic()
        wire.ask(READ, READ_ANSWER)
        assert time.monotonic() - start >= silent_interval(300) * 0.95


def test_its_own_echo_is_not_taken_for_a_request(wire: Line) -> None:
    write = rtu("0600050777")
    with SerialServer(Units({1: memory_unit()}), wire.port, suppress_echo=True):
        wire.ask(write, write)
        wire.send(write)  # the adapter hears what the server has sent
        wire.ask(READ, rtu("03020777"))


def test_a_unit_that_blocks_is_answered_and_others_meanwhile(wire: Line) -> None:
    units, gate = gated_units()
    with SerialServer(units, wire.port):
        wire.send(rtu("0300000001", unit=2))
        gate.wait_entered()
        gate.opened.set()
        assert wire.receive(7) == rtu("03024711", unit=2)


def test_an_answer_that_the_client_gave_up_is_not_sent_into_another_exchange(
    wire: Line, caplog: pytest.LogCaptureFixture
) -> None:
    units, gate = gated_units()
    with SerialServer(units, wire.port):
        wire.send(rtu("0300000001", unit=2))
        gate.wait_entered()
        wire.ask(READ, READ_ANSWER)
        wire.ask(rtu("0300000001", unit=2), rtu("8306", unit=2))
        gate.opened.set()
        wire.ask(READ, READ_ANSWER)
        wire.ask(rtu("0300000001", unit=2), rtu("03024711", unit=2))
    assert "longer than the client waits" in caplog.text
    assert units[2].busy_count == 1


def test_a_broadcast_waits_for_units_that_block_and_reaches_all(wire: Line) -> None:
    written: list[int] = []

    units, gate = gated_units()
    gate.write = lambda address, values: written.extend(values)  # type: ignore[method-assign]
    gate.check = lambda address, count: None  # type: ignore[method-assign]
    with SerialServer(units, wire.port):
        wire.send(rtu("0300000001", unit=2))
        gate.wait_entered()
        wire.send(rtu("0600050777", unit=0))
        wire.ask(READ, READ_ANSWER)  # the broadcast was heard, and waits
        gate.opened.set()
        wait_until(lambda: bool(written))
        wire.ask(READ, rtu("03020777"))
    assert written == [0x777]


def test_a_gateway_on_a_line_keeps_the_order_of_what_it_heard(wire: Line) -> None:
    units = Units.single(memory_unit())
    with TcpServer(units, LOOPBACK) as device:
        assert isinstance(device.address, tuple)
        with TcpClient(*device.address) as behind:
            with SerialServer(Units({1: RemoteUnit(behind, 1)}), wire.port):
                for value in range(10):
                    wire.send(rtu(f"060005{value:04x}", unit=0))
                    wire.ask(READ, rtu(f"0302{value:04x}"))


def test_a_line_that_takes_no_bytes_costs_an_answer_and_not_the_server(
    wire: Line, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with SerialServer(Units({1: memory_unit()}), wire.port) as server:
        wire.ask(READ, READ_ANSWER)
        assert server._port is not None
        link = server._port.link
        assert isinstance(link, port_module.Port)
        write, link._write = link._write, lambda data: 0
        link._send_timeout = 0.01
        wire.send(READ)
        wait_until(lambda: "takes no more bytes" in caplog.text)
        link._write = write
        wire.ask(READ, READ_ANSWER)


def test_a_port_that_vanishes_ends_serve_forever_with_a_clear_error(wire: Line) -> None:
    server = SerialServer(Units({1: memory_unit()}), wire.port)
    serving = run(server.serve_forever)
    wait_until(lambda: server._port is not None)  # opening drops what came before
    wire.ask(READ, READ_ANSWER)
    wire.hang_up()
    error = serving.get(timeout=PATIENCE)
    assert isinstance(error, ConnectionLostError)
    assert wire.port in str(error)
    server.shutdown()


@pytest.mark.parametrize("polled", [True, False])
def test_after_start_serve_forever_tells_what_ended_the_serving(
    wire: Line, polled: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    if not polled:
        monkeypatch.setattr(port_module, "descriptor", lambda port: None)
    with SerialServer(Units({1: memory_unit()}), wire.port) as server:
        wire.ask(READ, READ_ANSWER)
        wire.hang_up()
        with pytest.raises(ConnectionLostError, match=wire.port):
            server.serve_forever()
    assert wire.port in caplog.text


def test_a_port_that_is_not_there_is_told_where_serving_starts() -> None:
    server = SerialServer(Units({1: memory_unit()}), "/dev/there-is-no-such-port")
    with pytest.raises(OSError, match="there-is-no-such-port"):
        server.start()


def test_two_servers_cannot_share_a_port(wire: Line) -> None:
    with SerialServer(Units({1: memory_unit()}), wire.port):
        with pytest.raises(OSError, match="lock"):
            SerialServer(Units({1: memory_unit()}), wire.port).start()
        wire.ask(READ, READ_ANSWER)


def test_lost_characters_are_counted_as_overruns(
    wire: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = iter([0, 0, 2, 2, 2, 2, 2, 2])
    monkeypatch.setattr(line_module, "count_overruns", lambda fd: next(lost, 2))
    units = Units({1: memory_unit()})
    with SerialServer(units, wire.port):
        wire.ask(READ, READ_ANSWER)
        wire.send(READ[:3] + READ[5:])
        gevent.sleep(0.1)  # the silence is part of the case
        wire.ask(READ, READ_ANSWER)
    assert units[1].overrun_count == 1


def test_the_system_is_asked_for_overruns_where_it_knows(wire: Line) -> None:
    assert line_module.count_overruns(wire.far) is None, "a pseudo-terminal cannot overrun"


def test_shutdown_sends_the_answer_of_a_call_that_is_out(wire: Line) -> None:
    units, gate = gated_units()
    server = SerialServer(units, wire.port).start()
    wire.send(rtu("0300000001", unit=2))
    gate.wait_entered()
    gate.opened.set()
    server.shutdown()
    assert wire.receive(7) == rtu("03024711", unit=2)


def test_bytes_are_logged_when_the_wire_log_is_on(
    wire: Line, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, logger="modwire.wire"):
        with SerialServer(Units({1: memory_unit()}), wire.port):
            wire.ask(READ, READ_ANSWER)
    assert READ_ANSWER.hex(" ") in caplog.text


def test_what_does_not_fit_a_line_is_refused() -> None:
    units = Units({1: memory_unit()})
    with pytest.raises(ValueError, match="framing must be one for serial lines, got TcpFraming"):
        SerialServer(units, "/dev/null", framing=TcpFraming)
    with pytest.raises(ValueError, match="parity must be N, E or O, got 'X'"):
        SerialServer(units, "/dev/null", parity="X")
    with pytest.raises(ValueError, match="bytesize must be 7 or 8"):
        SerialServer(units, "/dev/null", bytesize=9)
