"""Units of every kind behind a trio server: in memory, blocking in a thread, and awaited."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.lowlevel
import trio.testing

from modwire import (
    AsciiFraming,
    Decoder,
    Response,
    SequentialBlock,
    ServerDeviceBusyError,
    ServerOptions,
    Unit,
    Units,
)
from modwire_trio import AsyncUnit, serve_stream
from server_peers import tcp
from serving_peers import End, served, until

if TYPE_CHECKING:
    from modwire.messages.base import AnyRequest

KINDS = ["memory", "blocking", "async"]
READ, ANSWER = tcp("0300000001"), tcp("03024711")
WRITE = tcp("0600000777")


def block() -> SequentialBlock:
    return SequentialBlock(0, [0x4711])


class Watched(Unit):
    """Records the thread in which it is executed."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(holding_registers=block(), **arguments)
        self.threads: list[int] = []

    def execute(self, request: AnyRequest, *, broadcast: bool = False) -> Response | None:
        self.threads.append(threading.get_ident())
        return super().execute(request, broadcast=broadcast)


class AsyncWatched(AsyncUnit):
    """Waits before it responds, and records the thread in which it is executed."""

    def __init__(self) -> None:
        super().__init__(holding_registers=block())
        self.threads: list[int] = []

    async def execute(self, request: AnyRequest, *, broadcast: bool = False) -> Response | None:
        await trio.lowlevel.checkpoint()
        self.threads.append(threading.get_ident())
        return await super().execute(request, broadcast=broadcast)


def watched(kind: str) -> Watched | AsyncWatched:
    return AsyncWatched() if kind == "async" else Watched(blocking=kind == "blocking")


def failing(kind: str, error: BaseException) -> Unit:
    """Return a unit that raises `error` for every request."""

    class Failing(Unit):
        def execute(self, request: AnyRequest, *, broadcast: bool = False) -> Response | None:
            raise error

    class AsyncFailing(AsyncUnit):
        async def execute(self, request: AnyRequest, *, broadcast: bool = False) -> Response | None:
            raise error

    return AsyncFailing() if kind == "async" else Failing(blocking=kind == "blocking")


def exchange(
    unit: Unit, request: bytes, answer: bytes, options: ServerOptions | None = None
) -> None:
    """Send one request to `unit`, in TCP frames."""

    async def main() -> None:
        near, far = trio.testing.memory_stream_pair()
        async with served(serve_stream, Units.single(unit), near, options=options):
            await End(far).ask(request, answer)

    trio.run(main)


def reporting(reported: list[BaseException]) -> ServerOptions:
    return ServerOptions(on_error=lambda peer, request, error: reported.append(error))


@pytest.mark.parametrize("kind", KINDS)
def test_only_a_unit_that_blocks_needs_a_thread(kind: str) -> None:
    unit = watched(kind)
    exchange(unit, READ, ANSWER)
    (thread,) = unit.threads
    assert (thread == threading.get_ident()) is (kind != "blocking")


def test_a_broadcast_reaches_units_of_every_kind_and_is_not_answered() -> None:
    units = Units({number: watched(kind) for number, kind in enumerate(KINDS, 1)})
    wrap = AsciiFraming(Decoder(), is_server=True).wrap

    async def main() -> None:
        near, far = trio.testing.memory_stream_pair()
        async with served(serve_stream, units, near, framing=AsciiFraming):
            end = End(far)
            await end.send(wrap(0, 0, bytes.fromhex("0600000777")))
            await until(
                lambda: all(unit.holding_registers.read(0, 1) == (0x777,) for unit in units)
            )
            await end.ask(
                wrap(1, 0, bytes.fromhex("0300000001")), wrap(1, 0, bytes.fromhex("03020777"))
            )

    trio.run(main)


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_of_a_unit_is_answered_04_and_reported(kind: str) -> None:
    reported: list[BaseException] = []
    error = ZeroDivisionError()
    exchange(failing(kind, error), READ, tcp("8304"), reporting(reported))
    assert reported == [error]


@pytest.mark.parametrize("kind", KINDS)
def test_a_unit_refuses_with_the_exception_code_that_it_raises(kind: str) -> None:
    reported: list[BaseException] = []
    exchange(failing(kind, ServerDeviceBusyError()), READ, tcp("8306"), reporting(reported))
    assert reported == []


@pytest.mark.parametrize("ending", [KeyboardInterrupt, SystemExit])
def test_a_unit_in_a_thread_cannot_end_the_program(ending: type[BaseException]) -> None:
    reported: list[BaseException] = []
    exchange(failing("blocking", ending()), READ, tcp("8304"), reporting(reported))
    assert [type(error.__cause__) for error in reported] == [ending]


@pytest.mark.parametrize("kind", KINDS)
def test_an_execute_that_returns_no_response_is_answered_04(kind: str) -> None:
    class Odd(Unit):
        def execute(self, request: AnyRequest, *, broadcast: bool = False) -> Any:
            return "a response"

    class AsyncOdd(AsyncUnit):
        async def execute(self, request: AnyRequest, *, broadcast: bool = False) -> Any:
            return "a response"

    reported: list[BaseException] = []
    unit = AsyncOdd() if kind == "async" else Odd(blocking=kind == "blocking")
    exchange(unit, READ, tcp("8304"), reporting(reported))
    assert str(reported[0]).startswith(
        f"{type(unit).__name__}.execute() must return a ReadHoldingRegistersResponse for "
        "ReadHoldingRegistersRequest(address=0, count=1), or raise an error, got 'a response'"
    )


@pytest.mark.parametrize("kind", KINDS)
def test_hooks_see_every_call_and_what_they_forbid_is_not_executed(kind: str) -> None:
    seen: list[tuple[object, bytes | None]] = []
    options = ServerOptions(
        authorize=lambda peer, role, unit, request: not request.is_write,
        on_call=lambda peer, request, response: seen.append(
            (request.function_code, None if response is None else response.encode())
        ),
    )
    unit = watched(kind)
    exchange(unit, WRITE, tcp("8601"), options)
    assert unit.threads == []
    exchange(unit, READ, ANSWER, options)
    assert seen == [(6, bytes.fromhex("8601")), (3, bytes.fromhex("03024711"))]
