"""What an event loop's server decides: the same as `execute`, whether it waits or not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Generator
from types import coroutine
from typing import TYPE_CHECKING, TypeVar

import pytest

from modwire import (
    Call,
    ExceptionResponse,
    ReadHoldingRegistersRequest,
    Response,
    SequentialBlock,
    ServerDeviceBusyError,
    ServerOptions,
    ServerProtocol,
    TcpFraming,
    Unit,
    Units,
    WriteSingleRegisterRequest,
)
from modwire.framing import Framing, RtuFraming
from modwire.server.call import busy_call

if TYPE_CHECKING:
    from modwire.messages.base import AnyRequest

T = TypeVar("T")
READ = Call(1, 7, ReadHoldingRegistersRequest(0, 1))
WRITE = Call(1, 7, WriteSingleRegisterRequest(0, 0x777))
BROADCAST = Call(0, 0, WriteSingleRegisterRequest(0, 0x777), broadcast=True)


def run(awaited: Coroutine[object, None, T]) -> T:
    """The result of what never has to wait."""
    try:
        awaited.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    awaited.close()
    raise AssertionError("it waits")


@coroutine
def pause() -> Generator[str, None, None]:
    yield "paused"


class Threads:
    """Stands for the threads of an event loop; counts what it is given."""

    def __init__(self) -> None:
        self.count = 0

    async def __call__(self, function: Callable[[], Response | None]) -> Response | None:
        self.count += 1
        return function()


class AsyncUnit(Unit):
    """Waits before it answers from memory."""

    async def execute(  # type: ignore[override]
        self, request: AnyRequest, *, broadcast: bool = False
    ) -> Response | None:
        await pause()
        return super().execute(request, broadcast=broadcast)


class Heir(AsyncUnit):
    pass


class Plain(AsyncUnit):
    def execute(  # type: ignore[override]
        self, request: AnyRequest, *, broadcast: bool = False
    ) -> Response | None:
        return Unit.execute(self, request, broadcast=broadcast)


def registers(kind: type[Unit] = Unit, *, blocking: bool = False) -> Unit:
    return kind(holding_registers=SequentialBlock(0, [0x4711]), blocking=blocking)


def protocol_with(
    reported: list[BaseException] | None = None, framing: type[Framing] = TcpFraming
) -> ServerProtocol:
    told = [] if reported is None else reported
    return ServerProtocol(framing, ServerOptions(on_error=lambda *about: told.append(about[2])))


def code_of(response: Response | None) -> int:
    assert isinstance(response, ExceptionResponse)
    return response.exception_code


def test_an_async_execute_makes_a_unit_block_by_itself() -> None:
    assert [
        (kind.is_async, registers(kind).blocking) for kind in (Unit, AsyncUnit, Heir, Plain)
    ] == [
        (False, False),
        (True, True),
        (True, True),
        (False, False),
    ]
    protocol = protocol_with()
    assert protocol.blocks(READ, Units.single(registers(AsyncUnit)))


def test_an_async_unit_is_awaited_and_needs_no_thread() -> None:
    threads = Threads()
    waiting = protocol_with().execute_async(READ, Units.single(registers(AsyncUnit)), threads)
    assert waiting.send(None) == "paused"
    with pytest.raises(StopIteration) as end:
        waiting.send(None)
    assert end.value.value.encode() == bytes.fromhex("03024711")
    assert threads.count == 0


def test_a_unit_that_blocks_runs_in_a_thread_and_one_in_memory_does_not() -> None:
    protocol = protocol_with()
    for blocking, count in ((True, 1), (False, 0)):
        threads = Threads()
        units = Units.single(registers(blocking=blocking))
        response = run(protocol.execute_async(READ, units, threads))
        assert response is not None
        assert response.encode() == bytes.fromhex("03024711")
        assert threads.count == count
        assert units.bus.messages == 1


def test_a_unit_that_is_not_there_says_nothing() -> None:
    units = Units({2: registers(), 3: registers()})
    assert run(protocol_with().execute_async(READ, units, Threads())) is None
    assert units.bus.messages == 1


def test_a_broadcast_reaches_units_of_every_kind_and_has_no_answer() -> None:
    units = Units({1: registers(), 2: registers(blocking=True), 3: registers(AsyncUnit)})
    threads = Threads()
    waiting = protocol_with(framing=RtuFraming).execute_async(BROADCAST, units, threads)
    assert waiting.send(None) == "paused"
    with pytest.raises(StopIteration) as end:
        waiting.send(None)
    assert end.value.value is None
    assert [unit.holding_registers.read(0, 1) for unit in units] == [(0x777,)] * 3
    assert threads.count == 1


@pytest.mark.parametrize("kind", ["memory", "blocking", "async"])
def test_what_a_unit_raises_is_answered_04_and_reported(kind: str) -> None:
    class Faulty(Unit):
        def execute(self, request: AnyRequest, *, broadcast: bool = False) -> Response | None:
            raise ZeroDivisionError

    class AsyncFaulty(Unit):
        async def execute(  # type: ignore[override]
            self, request: AnyRequest, *, broadcast: bool = False
        ) -> Response | None:
            raise ZeroDivisionError

    reported: list[BaseException] = []
    unit = AsyncFaulty() if kind == "async" else Faulty(blocking=kind == "blocking")
    response = run(protocol_with(reported).execute_async(READ, Units.single(unit), Threads()))
    assert code_of(response) == 4
    assert [type(error) for error in reported] == [ZeroDivisionError]


@pytest.mark.parametrize("kind", ["memory", "blocking", "async"])
def test_a_unit_refuses_with_the_code_that_it_raises(kind: str) -> None:
    class Busy(Unit):
        def execute(self, request: AnyRequest, *, broadcast: bool = False) -> Response | None:
            raise ServerDeviceBusyError

    class AsyncBusy(Unit):
        async def execute(  # type: ignore[override]
            self, request: AnyRequest, *, broadcast: bool = False
        ) -> Response | None:
            raise ServerDeviceBusyError

    reported: list[BaseException] = []
    unit = AsyncBusy() if kind == "async" else Busy(blocking=kind == "blocking")
    protocol, units = protocol_with(reported), Units.single(unit)
    assert code_of(run(protocol.execute_async(READ, units, Threads()))) == 6
    if kind != "async":
        assert code_of(protocol.execute(READ, units)) == 6
    assert reported == []


@pytest.mark.parametrize("ending", [KeyboardInterrupt, SystemExit])
def test_what_ends_a_program_ends_no_server_from_a_thread(ending: type[BaseException]) -> None:
    class Quitter(Unit):
        def execute(self, request: AnyRequest, *, broadcast: bool = False) -> Response | None:
            raise ending

    reported: list[BaseException] = []
    units = Units.single(Quitter(blocking=True))
    response = run(protocol_with(reported).execute_async(READ, units, Threads()))
    assert code_of(response) == 4
    assert [type(error.__cause__) for error in reported] == [ending]


def test_cancelling_goes_through() -> None:
    class Cancelled(BaseException):
        pass

    reported: list[BaseException] = []
    waiting = protocol_with(reported).execute_async(
        READ, Units.single(registers(AsyncUnit)), Threads()
    )
    waiting.send(None)
    with pytest.raises(Cancelled):
        waiting.throw(Cancelled())
    assert reported == []


@pytest.mark.parametrize("kind", [Unit, Plain])
def test_an_execute_that_gives_no_response_is_answered_04(kind: type[Unit]) -> None:
    class Odd(kind):  # type: ignore[valid-type,misc]
        def execute(self, request: AnyRequest, *, broadcast: bool = False) -> object:
            return "a response"

    reported: list[BaseException] = []
    response = run(protocol_with(reported).execute_async(READ, Units.single(Odd()), Threads()))
    assert code_of(response) == 4
    assert "execute() must give a response or None, got 'a response'" in str(reported[0])


def test_a_function_that_gives_an_awaitable_is_awaited_too() -> None:
    class Decorated(Unit):
        def execute(self, request: AnyRequest, *, broadcast: bool = False) -> Awaitable[object]:  # type: ignore[override]
            async def wait() -> Response | None:
                return Unit.execute(self, request, broadcast=broadcast)

            return wait()

    response = run(
        protocol_with().execute_async(READ, Units.single(registers(Decorated)), Threads())
    )
    assert response is not None
    assert response.encode() == bytes.fromhex("03024711")


def test_a_blocking_server_says_that_it_cannot_await() -> None:
    reported: list[BaseException] = []
    response = protocol_with(reported).execute(READ, Units.single(registers(AsyncUnit)))
    assert code_of(response) == 4
    assert "only async servers can await it" in str(reported[0])


def test_hooks_decide_and_are_told_as_in_execute() -> None:
    seen: list[tuple[object, AnyRequest, Response | None]] = []
    options = ServerOptions(
        authorize=lambda peer, role, unit, request: not request.is_write,
        on_call=lambda peer, request, response: seen.append((peer, request, response)),
    )
    protocol = ServerProtocol(TcpFraming, options, peer="meter")
    for blocking in (False, True):
        unit = registers(blocking=blocking)
        threads = Threads()
        refused = run(protocol.execute_async(WRITE, Units.single(unit), threads))
        assert code_of(refused) == 1
        assert unit.holding_registers.read(0, 1) == (0x4711,)
        assert threads.count == 0, "what is refused needs no thread"
        assert seen.pop() == ("meter", WRITE.request, refused)
        allowed = run(protocol.execute_async(READ, Units.single(unit), threads))
        assert seen.pop() == ("meter", READ.request, allowed)


def test_a_busy_server_answers_06_without_asking_the_unit() -> None:
    threads = Threads()
    for unit in (registers(blocking=True), registers(AsyncUnit)):
        units = Units.single(unit)
        protocol = protocol_with()
        response = run(protocol.execute_async(busy_call(READ), units, threads))
        assert code_of(response) == code_of(protocol.execute(busy_call(READ), units)) == 6
        assert protocol.answer(READ, response)[-2:] == bytes.fromhex("8306")
    assert threads.count == 0


def test_a_call_whose_thread_was_ended_is_answered_04_and_a_broadcast_is_not() -> None:
    reported: list[BaseException] = []
    protocol = protocol_with(reported, RtuFraming)
    error = SystemExit()
    assert code_of(protocol.failed(READ, error)) == 4
    assert protocol.failed(BROADCAST, error) is None
    assert reported == [error, error]
