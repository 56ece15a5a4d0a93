"""`serve_stream` on memory streams, with a clock that jumps: responses and their times."""

from __future__ import annotations

import logging

import pytest
import trio
import trio.testing

from modwire import AsciiFraming, RtuFraming, ServerOptions, Unit, Units
from modwire_trio import Client, serve_stream
from server_peers import READ, READ_ANSWER, memory_unit, rtu, tcp
from serving_peers import (
    SLOW_ANSWER,
    SLOW_READ,
    End,
    OddUnits,
    play,
    served,
    single,
    waiting_units,
)


def pair() -> tuple[End, trio.abc.Stream]:
    """Return the far end of a stream, and the near end for the server."""
    near, far = trio.testing.memory_stream_pair()
    return End(far), near


def test_requests_are_answered_until_the_stream_ends() -> None:
    async def main() -> None:
        end, near = pair()
        async with served(serve_stream, single(), near) as server:
            assert server.address is None
            for _ in range(3):
                await end.ask(READ, READ_ANSWER)
            await end.aclose()
            await server.over()
        with pytest.raises(trio.ClosedResourceError):
            await near.send_all(b"?")

    play(main)


def test_byte_by_byte_and_many_in_a_piece() -> None:
    async def main() -> None:
        end, near = pair()
        async with served(serve_stream, single(), near):
            for byte in READ:
                await end.send(bytes((byte,)))
            assert await end.receive(len(READ_ANSWER)) == READ_ANSWER
            asked = b"".join(tcp("0300010001", number) for number in range(1000))
            await end.ask(asked, b"".join(tcp("03020001", number) for number in range(1000)))

    play(main)


def test_a_client_and_a_server_meet_on_a_stream() -> None:
    async def main() -> None:
        near, far = trio.testing.memory_stream_pair()
        async with (
            served(serve_stream, single(), near, framing=AsciiFraming),
            Client(far, framing=AsciiFraming) as client,
        ):
            await client.write_register(7, 99)
            assert await client.read_holding_registers(6, 3) == [6, 99, 8]

    play(main)


def test_what_is_no_frame_closes_the_stream_after_the_answers_before_it() -> None:
    async def main() -> None:
        end, near = pair()
        async with served(serve_stream, single(), near) as server:
            await end.ask(READ + b"GET / HTTP/1.1\r\n\r\n", READ_ANSWER)
            assert await end.is_closed()
            await server.over()

    play(main)


@pytest.mark.parametrize("by_options", [False, True])
def test_an_idle_stream_is_closed_in_time_and_a_busy_one_is_not(by_options: bool) -> None:
    async def main() -> None:
        units, unit = waiting_units()
        end, near = pair()
        arguments: dict[str, object] = {"idle_timeout": 10.0}
        if by_options:
            arguments = {"options": ServerOptions(idle_timeout=10.0)}
        async with served(serve_stream, units, near, **arguments) as server:
            for _ in range(3):
                await trio.sleep(9.0)
                await end.ask(READ, READ_ANSWER)
            await end.send(SLOW_READ)
            await unit.entered.wait()
            await trio.sleep(100.0)
            unit.opened.set()
            assert await end.receive(len(SLOW_ANSWER)) == SLOW_ANSWER, "it was not idle"
            start = trio.current_time()
            assert await end.is_closed()
            assert trio.current_time() - start == pytest.approx(10.0)
            await server.over()

    play(main)


def test_a_peer_that_never_reads_is_idle_too_and_costs_little() -> None:
    async def main() -> None:
        # Here `send_all` waits until the other side has read.
        near, far = trio.testing.lockstep_stream_pair()
        async with served(serve_stream, single(), near, idle_timeout=10.0) as server:
            start = trio.current_time()
            await far.send_all(READ * 22)  # the first turn
            with pytest.raises(trio.BrokenResourceError):
                await far.send_all(READ * 170)
            assert trio.current_time() - start == pytest.approx(10.0)
            await server.over()

    play(main)


def test_silence_ends_a_frame_of_unknown_length() -> None:
    async def main() -> None:
        end, near = pair()
        async with served(
            serve_stream, Units({1: memory_unit()}), near, framing=RtuFraming, idle_timeout=12.0
        ):
            for _ in range(2):
                await end.ask(rtu("080000a537"), rtu("080000a537"))
            await end.send(rtu("0300050001")[:5])
            start = trio.current_time()
            await trio.sleep(1.0)  # the silence drops the incomplete frame
            await end.ask(rtu("0300050001"), rtu("03020005"))
            assert trio.current_time() - start == pytest.approx(1.0)
            assert await end.is_closed()
            assert trio.current_time() - start == pytest.approx(13.0)

    play(main)


def test_requests_wait_for_those_before_them_and_units_in_memory_answer_at_once() -> None:
    async def main() -> None:
        units, unit = waiting_units()
        end, near = pair()
        async with served(serve_stream, units, near):
            await end.ask(READ, READ_ANSWER)
            await end.send(READ + SLOW_READ + READ + SLOW_READ)
            assert await end.receive(len(READ_ANSWER)) == READ_ANSWER
            await unit.entered.wait()
            await trio.testing.wait_all_tasks_blocked()
            assert unit.asked == 1
            unit.opened.set()
            rest = SLOW_ANSWER + READ_ANSWER + SLOW_ANSWER
            assert await end.receive(len(rest)) == rest

    play(main)


def test_hooks_see_peer_and_role() -> None:
    seen: list[object] = []

    def authorize(peer: object, role: str | None, unit: int, request: object) -> bool:
        seen.append((peer, role, unit))
        return role == "Operator"

    async def main() -> None:
        for role, answer in (("Operator", READ_ANSWER), (None, tcp("8301"))):
            end, near = pair()
            async with served(
                serve_stream, single(), near, peer="pump 3", role=role, authorize=authorize
            ):
                await end.ask(READ, answer)
        assert seen == [("pump 3", "Operator", 1), ("pump 3", None, 1)]

    play(main)


# The end: cancellation and its grace.


def test_when_cancelled_a_call_may_end_and_its_answer_is_sent() -> None:
    async def main() -> None:
        units, unit = waiting_units()
        end, near = pair()
        async with served(serve_stream, units, near, grace=20.0) as server:
            await end.send(SLOW_READ + READ + SLOW_READ)
            await unit.entered.wait()
            server.scope.cancel()
            await end.send(READ)
            start = trio.current_time()
            await trio.sleep(15.0)
            assert not server.ended.is_set()
            unit.opened.set()
            assert await end.receive(99) == SLOW_ANSWER, "no other request is taken"
            await server.over()
            assert trio.current_time() - start == pytest.approx(15.0)
            assert unit.asked == 1

    play(main)


@pytest.mark.parametrize("grace", [0.0, 3.0])
def test_the_grace_ends_a_call_that_lasts_too_long(grace: float) -> None:
    async def main() -> None:
        units, unit = waiting_units()
        end, near = pair()
        async with served(serve_stream, units, near, grace=grace) as server:
            await end.send(SLOW_READ)
            await unit.entered.wait()
            start = trio.current_time()
            await server.stop()
            assert trio.current_time() - start == pytest.approx(grace)
            assert await end.is_closed()

    play(main)


def test_without_a_call_the_end_is_at_once() -> None:
    async def main() -> None:
        end, near = pair()
        async with served(serve_stream, single(), near, grace=1000.0) as server:
            await end.ask(READ, READ_ANSWER)
            start = trio.current_time()
            await server.stop()
            assert trio.current_time() == start
            assert await end.is_closed()

    play(main)


def test_cancellation_reaches_the_caller_alone_and_in_no_group() -> None:
    async def main() -> None:
        caught: list[BaseException] = []
        with trio.move_on_after(5.0) as scope:
            try:
                await serve_stream(single(), pair()[1])
            except BaseException as error:
                caught.append(error)
                raise
        assert scope.cancelled_caught
        assert [type(error) for error in caught] == [trio.Cancelled]

    play(main)


def test_one_that_is_cancelled_before_it_begins_closes_its_stream() -> None:
    async def main() -> None:
        end, near = pair()
        with trio.CancelScope() as scope:
            scope.cancel()
            await serve_stream(single(), near)
        assert scope.cancelled_caught
        assert await end.is_closed()

    play(main)


# What goes wrong.


def test_an_error_that_is_no_peers_ends_the_connection_with_a_log_entry(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        end, near = pair()
        async with served(serve_stream, OddUnits({1: memory_unit()}), near) as server:
            await end.ask(READ, READ_ANSWER)
            await end.send(tcp("0300050001", unit=13))
            assert await end.is_closed()
            await server.over()

    play(main)
    assert "no luck" in caplog.text
    assert "connection of stream ends" in caplog.text


def test_what_ends_a_program_ends_the_server_alone_and_in_no_group() -> None:
    class Quitter(Unit):
        def execute(self, request: object, *, broadcast: bool = False) -> None:
            raise KeyboardInterrupt

    async def main() -> None:
        end, near = pair()
        async with served(serve_stream, Units.single(Quitter()), near) as server:
            await end.send(READ)
            with pytest.raises(KeyboardInterrupt):
                await server.over()
            assert await end.is_closed()

    play(main)


def test_a_unit_that_fails_answers_04_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    class Failing(Unit):
        async def execute(  # type: ignore[override]
            self, request: object, *, broadcast: bool = False
        ) -> None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.fail)

        async def fail(self) -> None:
            raise LookupError("the far device is gone")

    async def main() -> None:
        end, near = pair()
        async with served(serve_stream, Units.single(Failing()), near):
            for _ in range(2):
                await end.ask(READ, tcp("8304"))

    play(main)
    assert "the far device is gone" in caplog.text


def test_a_broken_stream_is_the_end_of_it() -> None:
    class Broken(trio.abc.Stream):
        closed = False

        async def receive_some(self, max_bytes: int | None = None) -> bytes:
            await trio.lowlevel.checkpoint()
            return READ

        async def send_all(self, data: bytes | bytearray | memoryview) -> None:
            await trio.lowlevel.checkpoint()
            raise trio.BrokenResourceError("cut")

        async def wait_send_all_might_not_block(self) -> None:
            await trio.lowlevel.checkpoint()

        async def aclose(self) -> None:
            self.closed = True
            await trio.lowlevel.checkpoint()

    async def main() -> None:
        stream = Broken()
        async with served(serve_stream, single(), stream) as server:
            await server.over()
        assert stream.closed

    play(main)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"workers": 0}, "workers must be a whole number, at least 1, got 0"),
        ({"grace": -1.0}, "grace must be at least 0 seconds, got -1.0"),
        ({"grace": float("nan")}, "grace must be at least 0 seconds, got nan"),
        ({"idle_timeout": 0}, "idle_timeout must be greater than 0 seconds, got 0"),
        ({"framing": "rtu"}, "framing must be a class such as RtuFraming, got 'rtu'"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: dict[str, object], message: str) -> None:
    async def main() -> None:
        with pytest.raises((ValueError, TypeError), match=message):
            await serve_stream(single(), pair()[1], **arguments)  # type: ignore[arg-type]

    play(main)


def test_a_unit_is_not_taken_for_units() -> None:
    async def main() -> None:
        with pytest.raises(TypeError, match="units must be Units"):
            await serve_stream(memory_unit(), pair()[1])  # type: ignore[arg-type]

    play(main)


def test_the_wire_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "modwire.wire")

    async def main() -> None:
        units, unit = waiting_units()
        unit.opened.set()
        end, near = pair()
        async with served(serve_stream, units, near):
            await end.ask(READ, READ_ANSWER)
            await end.ask(SLOW_READ, SLOW_ANSWER)

    play(main)
    lines = [record.getMessage() for record in caplog.records if record.name == "modwire.wire"]
    assert lines == [
        f"stream sent {READ.hex(' ')}",
        f"stream gets {READ_ANSWER.hex(' ')}",
        f"stream sent {SLOW_READ.hex(' ')}",
        f"stream gets {SLOW_ANSWER.hex(' ')}",
    ]
