"""A server on a shared serial line: its responses and its silence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from modwire import (
    AsciiFraming,
    BinaryFraming,
    Call,
    Decoder,
    Framing,
    Response,
    RtuFraming,
    SequentialBlock,
    ServerOptions,
    Unit,
    Units,
)
from modwire.server.line import LineServer
from reference_server import executed

if TYPE_CHECKING:
    from modwire.messages.base import AnyRequest

SILENCE, TOLERANCE = 0.002, 0.02


def rtu(pdu: str, unit: int = 1) -> bytes:
    return RtuFraming(Decoder(), is_server=True).wrap(unit, 0, bytes.fromhex(pdu))


READ, ANSWER = rtu("0300050001"), rtu("03020005")
SLOW_READ, SLOW_ANSWER = rtu("0300050001", unit=2), rtu("03020005", unit=2)
BROADCAST = rtu("0600050777", unit=0)


class Line:
    """A line server in front of unit 1 in memory and unit 2 that blocks, and its clock."""

    def __init__(
        self, framing: type[Framing] = RtuFraming, units: Units | None = None, **options: object
    ) -> None:
        self.dropped: list[str] = []
        self.reported: list[BaseException] = []
        self.units = units or Units({1: registers(), 2: registers(blocking=True)})
        merged = ServerOptions(
            silence=SILENCE,
            tolerance=TOLERANCE,
            on_error=lambda *about: self.reported.append(about[2]),
            **options,  # type: ignore[arg-type]
        )
        self.overruns = 7
        self.server = LineServer(
            framing,
            merged,
            self.units,
            peer="/dev/line",
            on_drop=self.dropped.append,
            count_overruns=lambda: self.overruns,
        )
        self.now = 100.0

    def hear(self, data: bytes) -> None:
        self.server.receive_data(data, self.now)

    def wait(self, seconds: float) -> bytes:
        """Let time pass, and call the server at each deadline; return the bytes that it sends."""
        end = self.now + seconds
        sent = self.server.handle_timeout(self.now) if self.server.deadline() is not None else b""
        while (deadline := self.server.deadline()) is not None and deadline <= end:
            assert deadline >= self.now - SILENCE, "a deadline that has passed would be a spin"
            self.now = max(self.now, deadline)
            sent += self.server.handle_timeout(self.now)
        self.now = end
        return sent

    def ask(self, data: bytes) -> bytes:
        self.hear(data)
        return self.wait(2.0)

    def call(self) -> Call:
        return self.server.calls.popleft()

    def finish(self, call: Call) -> None:
        self.server.finish(call, executed(call, self.units))


def registers(*, blocking: bool = False) -> Unit:
    return Unit(holding_registers=SequentialBlock(0, range(10)), blocking=blocking)


@pytest.mark.parametrize("framing", [RtuFraming, AsciiFraming, BinaryFraming])
def test_a_request_is_answered(framing: type[Framing]) -> None:
    wrap = framing(Decoder(), is_server=True).wrap
    line = Line(framing)
    request = wrap(1, 0, bytes.fromhex("0300050001"))
    for _ in range(3):
        assert line.ask(request) == wrap(1, 0, bytes.fromhex("03020005"))
    assert line.server.is_idle
    assert line.server.deadline() is None
    assert line.dropped == []


def test_an_answer_waits_for_silence_and_every_byte_begins_it_anew() -> None:
    line = Line()
    line.hear(READ)
    assert line.server.handle_timeout(line.now) == b""
    assert line.server.deadline() == line.now + SILENCE
    assert not line.server.is_idle
    line.now += SILENCE / 2
    line.hear(b"\x09")  # another device begins to send
    assert line.server.handle_timeout(line.now + SILENCE / 2) == b""
    assert line.server.handle_timeout(line.now + SILENCE) == ANSWER
    assert line.server.handle_timeout(line.now + SILENCE) == b""


def test_what_only_silence_ends_is_answered_after_it() -> None:
    line = Line()
    echo = rtu("080000a537")
    line.hear(echo)
    assert line.server.handle_timeout(line.now + SILENCE) == b""
    assert line.wait(SILENCE + TOLERANCE + 0.001) == echo


def test_others_and_broadcasts_get_no_answer() -> None:
    line = Line(units=Units({1: registers(), 2: registers()}))
    assert line.ask(rtu("0300050001", unit=9) + rtu("03020005", unit=9)) == b""
    assert line.ask(BROADCAST) == b""
    assert line.ask(READ) == rtu("03020777")
    assert line.ask(SLOW_READ) == rtu("03020777", unit=2)


@pytest.mark.parametrize("gap", [0.0, SILENCE / 2])
@pytest.mark.parametrize("unit", [1, 9])
def test_another_request_cancels_the_answer_to_the_one_before(gap: float, unit: int) -> None:
    line = Line()
    line.hear(READ)
    line.now += gap
    assert line.ask(rtu("0300060001", unit)) == (rtu("03020006") if unit == 1 else b"")
    assert len(line.dropped) == 1


def test_requests_that_came_in_one_piece_get_one_answer_the_last_ones() -> None:
    line = Line()
    assert line.ask(READ * 50 + rtu("0300060001")) == rtu("03020006")


def test_a_unit_that_blocks_is_waited_for_and_no_deadline_spins_meanwhile() -> None:
    line = Line()
    assert line.ask(SLOW_READ) == b""
    assert not line.server.is_idle
    assert line.server.deadline() is None
    call = line.call()
    assert not line.server.calls
    line.finish(call)
    assert line.wait(0.0) == SLOW_ANSWER
    assert line.server.is_idle


def test_an_answer_that_the_client_gave_up_is_dropped() -> None:
    line = Line()
    line.hear(SLOW_READ)
    call = line.call()
    assert line.ask(READ) == ANSWER, "units in memory are answered meanwhile"
    line.finish(call)
    assert line.wait(1.0) == b""
    assert "took longer than the client waits" in line.dropped[0]
    assert line.ask(READ) == ANSWER


def test_a_request_to_another_device_gives_up_a_call_too() -> None:
    line = Line()
    line.hear(SLOW_READ)
    call = line.call()
    line.ask(rtu("0300050001", unit=9))
    line.finish(call)
    assert line.wait(1.0) == b""


def test_noise_does_not_give_up_a_call() -> None:
    line = Line()
    line.hear(SLOW_READ)
    call = line.call()
    line.ask(READ[:-1] + b"\x00")
    line.finish(call)
    assert line.wait(1.0) == SLOW_ANSWER


def test_a_late_answer_is_not_sent_into_an_exchange_that_begins() -> None:
    line = Line()
    line.hear(SLOW_READ)
    call = line.call()
    line.now += 1.0
    line.hear(READ[:4])
    line.finish(call)
    assert line.server.handle_timeout(line.now) == b""
    line.hear(READ[4:])
    assert line.wait(1.0) == ANSWER


def test_a_second_call_to_units_that_block_is_answered_busy() -> None:
    line = Line()
    line.hear(SLOW_READ)
    call = line.call()
    assert line.ask(SLOW_READ) == rtu("8306", unit=2)
    assert not line.server.calls
    line.finish(call)
    assert line.units[2].busy_count == 1
    assert line.ask(SLOW_READ) == b""
    line.finish(line.call())
    assert line.wait(0.0) == SLOW_ANSWER


def test_a_broadcast_goes_to_units_that_block_by_a_call_of_its_own() -> None:
    line = Line()
    assert line.ask(BROADCAST) == b""
    broadcast = line.call()
    assert broadcast.broadcast
    line.hear(SLOW_READ)  # is not refused for it
    call = line.call()
    assert not line.server.is_idle
    line.finish(broadcast)
    line.finish(call)
    assert line.wait(1.0) == rtu("03020777", unit=2)
    assert line.ask(READ) == rtu("03020777")
    assert line.server.is_idle


def test_broadcasts_that_wait_are_bounded() -> None:
    line = Line()
    for _ in range(100):
        line.hear(BROADCAST)
    calls = []
    while line.server.calls:
        calls.append(line.call())
    assert len(calls) == 16
    assert len(line.dropped) == 84
    for call in calls:
        line.finish(call)
    assert line.server.is_idle
    line.hear(BROADCAST)
    line.finish(line.call())
    assert line.server.is_idle


def test_a_call_that_failed_is_answered_04_and_reported() -> None:
    line = Line()
    line.hear(SLOW_READ)
    error = SystemExit()
    line.server.failed(line.call(), error)
    assert line.wait(1.0) == rtu("8304", unit=2)
    assert line.reported == [error]
    line.hear(BROADCAST)
    line.server.failed(line.call(), error)
    assert line.wait(1.0) == b""
    assert line.server.is_idle


def test_units_whose_own_code_fails_do_not_stop_others() -> None:
    class Faulty(Units):
        def get(self, unit_id: int) -> Unit | None:
            if unit_id == 3:
                raise ZeroDivisionError
            return super().get(unit_id)

    line = Line(units=Faulty({1: registers()}))
    assert line.ask(rtu("0300050001", unit=3) * 2 + READ) == ANSWER
    assert [type(error) for error in line.reported] == [ZeroDivisionError] * 2


def test_damaged_frames_and_overruns_are_counted() -> None:
    line = Line()
    line.ask(READ[:-1] + b"\x00")
    line.overruns += 1
    line.ask(READ[:3] + READ[5:])
    assert line.units[1].communication_error_count == 2
    assert line.units[1].overrun_count == 1
    assert line.ask(READ) == ANSWER


def test_its_own_echo_is_no_request() -> None:
    line = Line(suppress_echo=True)
    write = rtu("0600050777")
    assert line.ask(write) == write
    assert line.ask(write) == b"", "that was the echo of the answer"
    assert line.ask(write) == write


def test_an_idle_timeout_closes_no_line_and_does_not_spin() -> None:
    line = Line(idle_timeout=5.0)
    assert line.server.deadline() is None
    line.wait(100.0)
    assert line.ask(READ) == ANSWER


def test_hooks_see_the_port_as_peer() -> None:
    seen: list[object] = []

    def on_call(peer: object, request: AnyRequest, response: Response | None) -> None:
        seen.append(peer)

    line = Line(on_call=on_call)
    line.ask(READ)
    assert seen == ["/dev/line"]
