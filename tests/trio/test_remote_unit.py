"""`RemoteUnit` forwards requests to a device behind a client; `AsyncUnit` is its base."""

from __future__ import annotations

import trio
import trio.testing

from client_peers import (
    pair,
    play,
    reply,
)
from modwire import (
    BaseUnit,
    ExceptionResponse,
    IllegalDataAddressError,
    ReadHoldingRegistersRequest,
    ReadHoldingRegistersResponse,
    Response,
    SequentialBlock,
    WriteSingleRegisterRequest,
)
from modwire_trio import (
    AsyncUnit,
    RemoteUnit,
    TcpClient,
)


def test_a_remote_unit_passes_on_answers_and_refusals() -> None:
    async def main() -> None:
        client, far = pair()
        unit = RemoteUnit(client, 9)
        request = ReadHoldingRegistersRequest(4, 1)
        async with client, trio.open_nursery() as nursery:

            async def device() -> None:
                asked = await far.request()
                assert asked[6] == 9
                await far.send(reply(asked))
                asked = await far.request()
                await far.send(asked[:4] + b"\0\3\x09\x83\2")
                await far.send(await far.request())

            nursery.start_soon(device)
            assert await unit.execute(request) == ReadHoldingRegistersResponse((4,))
            refusal = await unit.execute(request)
            assert isinstance(refusal, ExceptionResponse)
            assert refusal.exception_code == 2
            assert isinstance(refusal.cause, IllegalDataAddressError)
            write = WriteSingleRegisterRequest(1, 2)
            assert await unit.execute(write, broadcast=True) is None
            assert await unit.execute(request, broadcast=True) is None  # it is not sent
        await far.stream.aclose()
        lost = await unit.execute(request)
        assert isinstance(lost, ExceptionResponse)
        assert lost.exception_code == 0x0A

    play(main)


def test_a_remote_unit_that_does_not_answer() -> None:
    async def main() -> None:
        client, _ = pair()
        async with client:
            answer = await RemoteUnit(client, timeout=0.5).execute(
                ReadHoldingRegistersRequest(0, 1)
            )
        assert isinstance(answer, ExceptionResponse)
        assert answer.exception_code == 0x0B

    play(main)


def test_an_async_unit_is_a_unit_that_is_awaited() -> None:
    class Doubling(AsyncUnit):
        async def execute(
            self, request: object, *, broadcast: bool = False
        ) -> Response | None:  # its request has no public type
            await trio.lowlevel.checkpoint()
            return await super().execute(request, broadcast=broadcast)  # type: ignore[arg-type]

    unit = Doubling(holding_registers=SequentialBlock(0, [5]))
    assert isinstance(unit, BaseUnit)
    assert isinstance(RemoteUnit(TcpClient("192.0.2.1")), AsyncUnit)
    request = ReadHoldingRegistersRequest(0, 1)
    assert trio.run(unit.execute, request) == ReadHoldingRegistersResponse((5,))
