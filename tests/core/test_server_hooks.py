"""A server whose hooks and units fail or wait, and lost characters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from modwire import (
    FRAMINGS,
    Decoder,
    FaultyResponse,
    FrameError,
    Framing,
    ReadHoldingRegistersResponse,
    RtuFraming,
    SequentialBlock,
    ServerOptions,
    ServerProtocol,
    TcpFraming,
    Unit,
    Units,
)
from reference_server import executed

if TYPE_CHECKING:
    from modwire import Response
    from modwire.messages.base import AnyRequest

WRITE = bytes.fromhex("0600050777")


def frame(framing: type[Framing], pdu: bytes = WRITE, unit: int = 1) -> bytes:
    return framing(Decoder(), is_server=True).wrap(unit, 0, pdu)


def registers(*, blocking: bool = False) -> Unit:
    return Unit(holding_registers=SequentialBlock(0, [0] * 10), blocking=blocking)


def test_a_failing_on_call_costs_no_answer_and_is_reported() -> None:
    def on_call(peer: object, request: AnyRequest, response: Response | None) -> None:
        raise ZeroDivisionError

    reported: list[BaseException] = []
    options = ServerOptions(on_call=on_call, on_error=lambda *details: reported.append(details[2]))
    protocol = ServerProtocol(TcpFraming, options)
    protocol.receive_data(frame(TcpFraming) * 2, 0.0)
    assert protocol.answer_all(Units.single(registers())) == frame(TcpFraming) * 2
    assert [type(error) for error in reported] == [ZeroDivisionError] * 2


def test_a_failing_authorize_allows_nothing_and_answers_04() -> None:
    def authorize(peer: object, role: str | None, unit: int, request: AnyRequest) -> bool:
        raise ZeroDivisionError

    reported: list[BaseException] = []
    options = ServerOptions(
        authorize=authorize, on_error=lambda *details: reported.append(details[2])
    )
    protocol = ServerProtocol(TcpFraming, options)
    unit = registers()
    protocol.receive_data(frame(TcpFraming), 0.0)
    refused = frame(TcpFraming, bytes.fromhex("8604"))
    assert protocol.answer_all(Units.single(unit)) == refused
    assert unit.holding_registers.read(5, 1) == (0,)
    assert [type(error) for error in reported] == [ZeroDivisionError]


def test_answering_stops_in_front_of_a_unit_that_blocks() -> None:
    units = Units({1: registers(), 2: registers(blocking=True)})
    protocol = ServerProtocol(TcpFraming)
    ours, slow = frame(TcpFraming), frame(TcpFraming, unit=2)
    protocol.receive_data(ours + slow + ours, 0.0)
    assert protocol.answer_all(units) == ours
    call = protocol.next_call()
    assert call is not None
    assert call.unit == 2
    assert protocol.answer(call, executed(call, units)) == slow
    assert protocol.answer_all(units) == ours
    assert protocol.next_call() is None


def test_a_unit_whose_execute_is_a_coroutine_function_blocks_too() -> None:
    """Only a server on an event loop can await the unit, so `answer_all` must not call it."""

    class Awaited(Unit):
        async def execute(  # type: ignore[override]
            self, request: AnyRequest, *, broadcast: bool = False
        ) -> Response | None:
            raise AssertionError

    class Heir(Awaited):
        pass

    class Plain(Awaited):
        def execute(  # type: ignore[override]
            self, request: AnyRequest, *, broadcast: bool = False
        ) -> Response | None:
            return Unit.execute(self, request, broadcast=broadcast)

    for kind, blocks in ((Awaited, True), (Heir, True), (Plain, False)):
        units = Units.single(kind(holding_registers=SequentialBlock(0, [0] * 10)))
        protocol = ServerProtocol(TcpFraming)
        protocol.receive_data(frame(TcpFraming), 0.0)
        assert protocol.answer_all(units) == (b"" if blocks else frame(TcpFraming))
        assert (protocol.next_call() is not None) is blocks


def test_a_broadcast_blocks_where_any_unit_does() -> None:
    units = Units({1: registers(), 2: registers(blocking=True)})
    protocol = ServerProtocol(RtuFraming)
    protocol.receive_data(frame(RtuFraming, unit=0), 0.0)
    assert protocol.answer_all(units) == b""
    call = protocol.next_call()
    assert call is not None
    assert call.broadcast
    assert protocol.answer(call, executed(call, units)) == b""
    assert [unit.holding_registers.read(5, 1) for unit in units] == [(0x777,)] * 2


def test_lost_characters_are_counted_with_the_frame_that_they_damaged() -> None:
    unit = registers()
    units = Units({1: unit})
    protocol = ServerProtocol(RtuFraming)
    protocol.overrun()
    protocol.receive_data(frame(RtuFraming), 0.0)
    assert protocol.answer_all(units) == frame(RtuFraming)
    for now in (10.0, 20.0):
        protocol.receive_data(frame(RtuFraming)[:-2], now)
        protocol.handle_timeout(now + 5)
        assert protocol.answer_all(units) == b""
    assert (unit.communication_error_count, unit.overrun_count) == (2, 1)
    assert unit.overrun_flag


def test_an_authorize_that_gives_no_verdict_allows_nothing_and_answers_04() -> None:
    """A true value that is not True, such as the coroutine of an async function."""
    reported: list[BaseException] = []
    options = ServerOptions(
        authorize=lambda *details: object(),  # type: ignore[arg-type, return-value]
        on_error=lambda *details: reported.append(details[2]),
    )
    unit = registers()
    protocol = ServerProtocol(TcpFraming, options)
    protocol.receive_data(frame(TcpFraming), 0.0)
    assert protocol.answer_all(Units.single(unit)) == frame(TcpFraming, b"\x86\x04")
    assert unit.holding_registers.read(5, 1)[0] == 0
    assert [type(error) for error in reported] == [TypeError]


class Faulty(Unit):
    """Answers its one write with a fault."""

    def __init__(self, **fault: bool) -> None:
        super().__init__(holding_registers=SequentialBlock(0, [0] * 10))
        self.fault = fault

    def execute(self, request: AnyRequest, *, broadcast: bool = False) -> Response | None:
        response = super().execute(request, broadcast=broadcast)
        return FaultyResponse(response, fault="test", **self.fault)


@pytest.mark.parametrize("framing", FRAMINGS.values())
def test_a_damaged_answer_is_rejected_by_every_framing(framing: type[Framing]) -> None:
    protocol = ServerProtocol(framing)
    protocol.receive_data(frame(framing), 0.0)
    protocol.handle_timeout(1.0)
    data = protocol.answer_all(Units({1: Faulty(is_damaged=True)}))
    client = framing(Decoder(), is_server=False)
    client.receive_data(data, 0.0)
    client.handle_timeout(1.0)
    client.receive_data(frame(framing), 2.0)  # Binary sees the end of a frame by what follows
    assert isinstance(client.next_frame(), FrameError)


def test_a_drop_closes_what_was_opened_and_answers_nothing_behind_it() -> None:
    units = Units({1: Faulty(drops=True), 2: registers()})
    protocol = ServerProtocol(TcpFraming)
    protocol.opened(0.0)
    protocol.receive_data(frame(TcpFraming, unit=2) + frame(TcpFraming), 0.0)
    protocol.receive_data(frame(TcpFraming, unit=2), 0.0)
    assert protocol.answer_all(units) == frame(TcpFraming, unit=2)
    assert protocol.closed
    assert "fault" in protocol.closing_reason
    assert protocol.answer_all(units) == b""


def test_a_drop_without_a_connection_is_silence() -> None:
    protocol = ServerProtocol(RtuFraming)
    protocol.receive_data(frame(RtuFraming), 0.0)
    assert protocol.answer_all(Units({1: Faulty(drops=True)})) == b""
    assert not protocol.closed
    protocol.receive_data(frame(RtuFraming), 1.0)
    assert protocol.answer_all(Units({1: registers()})) == frame(RtuFraming)


def test_a_faulty_response_without_a_fault_is_the_response() -> None:
    protocol = ServerProtocol(TcpFraming)
    protocol.receive_data(frame(TcpFraming), 0.0)
    assert protocol.answer_all(Units({1: Faulty()})) == frame(TcpFraming)
    assert FaultyResponse(None).encode() == b""
    assert FaultyResponse(None, is_damaged=True) != FaultyResponse(None)


def test_requests_are_counted() -> None:
    read = frame(TcpFraming, bytes.fromhex("0300000001"))
    units = Units({1: registers(), 2: registers(blocking=True)})
    protocol = ServerProtocol(TcpFraming)
    for now, data in enumerate((read, read * 3, frame(TcpFraming), frame(TcpFraming, unit=2))):
        protocol.receive_data(data, float(now))
        protocol.answer_all(units)
    protocol.next_call()
    assert (protocol.requests, protocol.heard) == (6, 3.0)


def test_on_answer_can_come_and_go_while_the_server_runs() -> None:
    read = frame(TcpFraming, bytes.fromhex("0300000001"))
    units = Units({1: registers()})
    protocol = ServerProtocol(TcpFraming, peer="p")
    told: list[tuple[object, int, object]] = []

    def ask(now: float) -> None:
        protocol.receive_data(read, now)
        protocol.answer_all(units)

    ask(1.0)
    protocol.on_answer = lambda protocol, call, response: told.append(
        (protocol.peer, call.unit, response)
    )
    ask(2.0)
    protocol.on_answer = None
    ask(3.0)
    assert told == [("p", 1, ReadHoldingRegistersResponse([0]))]


def test_hooks_are_called_once_when_a_connection_comes_and_once_when_it_goes() -> None:
    told: list[str] = []
    reported: list[BaseException] = []

    def fail(protocol: ServerProtocol) -> None:
        told.append("gone")
        raise ZeroDivisionError

    options = ServerOptions(
        on_connect=lambda protocol: told.append(str(protocol.peer)),
        on_disconnect=fail,
        on_error=lambda *details: reported.append(details[2]),
    )
    protocol = ServerProtocol(TcpFraming, options, peer="p")
    protocol.ended()
    protocol.opened(0.0)
    protocol.ended()
    protocol.ended()
    assert told == ["p", "gone"]
    assert [type(error) for error in reported] == [ZeroDivisionError]
