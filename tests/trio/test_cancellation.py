"""A cancelled call: other calls are not affected, and its late response is dropped."""

from __future__ import annotations

import os
import random
import signal
import socket
from functools import partial

import pytest
import trio
import trio.testing

from client_peers import Far, Names, accept, listening, pair, play, reply
from modwire import ConnectionLostError, RtuFraming
from modwire_trio import Client, TcpClient

pytestmark = pytest.mark.long

CALLERS = 16
FULL = os.environ.get("MODWIRE_FULL", "") not in ("", "0")
CANCELLATIONS = 10_000 if FULL else 2_000


def test_the_receiver_is_cancelled_and_the_others_go_on() -> None:
    async def main() -> None:
        client, far = pair(max_in_flight=16)
        got: dict[int, list[int]] = {}
        scopes: dict[int, trio.CancelScope] = {}

        async def caller(address: int) -> None:
            with trio.CancelScope() as scope:
                scopes[address] = scope
                got[address] = await client.read_holding_registers(address)

        async with client, trio.open_nursery() as nursery:
            for address in range(8):
                nursery.start_soon(caller, address)
                await trio.testing.wait_all_tasks_blocked()
            requests = [await far.request() for _ in range(8)]
            for address in range(6):  # the first has the turn, then the second, and so on
                scopes[address].cancel()
                await trio.testing.wait_all_tasks_blocked()
            await far.send(*(reply(request) for request in requests))
        assert got == {6: [6], 7: [7]}

    play(main)


def test_a_call_that_waits_for_its_place_is_never_sent() -> None:
    async def main() -> None:
        client, far = pair()
        async with client, trio.open_nursery() as nursery:
            nursery.start_soon(client.read_holding_registers, 1)
            first = await far.request()
            with trio.move_on_after(0.1) as scope:
                await client.read_holding_registers(2)
            assert scope.cancelled_caught
            nursery.start_soon(client.read_holding_registers, 3)
            await trio.testing.wait_all_tasks_blocked()
            await far.send(reply(first))
            third = await far.request()
            assert third[8:10] == b"\0\3"
            await far.send(reply(third))

    play(main)


def test_the_next_call_is_sent_when_the_one_before_is_cancelled() -> None:
    async def main() -> None:
        client, far = pair()
        async with client, trio.open_nursery() as nursery:
            with trio.CancelScope() as scope:
                nursery.start_soon(call_and_cancel, far, scope, nursery, client)
                await client.read_holding_registers(1)
            assert scope.cancelled_caught

    async def call_and_cancel(
        far: Far, scope: trio.CancelScope, nursery: trio.Nursery, client: Client
    ) -> None:
        late = reply(await far.request())
        nursery.start_soon(expect, client, 2)
        await trio.testing.wait_all_tasks_blocked()
        scope.cancel()
        await far.send(late, reply(await far.request()))

    play(main)


def test_on_a_serial_line_the_next_call_waits_for_the_late_response() -> None:
    async def main() -> None:
        client, far = pair(framing=RtuFraming)
        async with client:
            with trio.move_on_after(0.3):
                await client.read_holding_registers(1)
            await far.request(8)
            start = trio.current_time()
            with trio.move_on_after(10):
                await client.read_holding_registers(2, timeout=0.5)
            assert trio.current_time() - start >= 0.7  # the rest of the first one's second

    with pytest.raises(Exception, match="did not answer"):
        play(main)


def test_cancelled_while_the_link_is_opened() -> None:
    """The caller that opens the link is cancelled; another waiting caller opens it."""

    async def look_up(attempt: int) -> None:
        if attempt == 1:
            await trio.sleep_forever()

    async def main() -> None:
        Names(look_up)
        with listening() as listener:
            client = TcpClient("device.example", listener.getsockname()[1])
            got: list[int] = []

            async def caller(address: int, scope: trio.CancelScope) -> None:
                with scope:
                    got.extend(await client.read_holding_registers(address))

            async with trio.open_nursery() as nursery:
                scope = trio.CancelScope()
                nursery.start_soon(caller, 0, scope)
                await trio.testing.wait_all_tasks_blocked()
                for address in (1, 2, 3):
                    nursery.start_soon(caller, address, trio.CancelScope())
                    await trio.testing.wait_all_tasks_blocked()
                scope.cancel()
                far = await accept(listener)
                for _ in range(3):
                    await far.send(reply(await far.request()))
            await client.aclose()
            await far.stream.aclose()
            assert got == [1, 2, 3]

    trio.run(main)


class Room:
    """Lets the TCP sockets of this process send `left` more bytes; None for any number."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left: int | None = None
        plain = socket.socket.send

        def send(sock: socket.socket, data: bytes) -> int:
            if self.left is None or sock.family != socket.AF_INET:
                return plain(sock, data)
            if not self.left:
                raise BlockingIOError
            sent = plain(sock, data[: self.left])
            self.left -= sent
            return sent

        monkeypatch.setattr(socket.socket, "send", send, raising=False)


@pytest.mark.parametrize("sent", [0, 7], ids=["unsent", "half"])
def test_cancelled_while_there_is_no_room_to_send(
    sent: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a request cannot be undone: the link is closed, and the reads of others are retried."""

    async def main() -> None:
        room = Room(monkeypatch)
        with listening() as listener:
            client = TcpClient("127.0.0.1", listener.getsockname()[1], max_in_flight=16)
            async with client, trio.open_nursery() as nursery:
                far = await accept(listener)
                nursery.start_soon(expect, client, 1)
                first = await far.request()
                room.left = sent
                with trio.CancelScope() as scope:
                    nursery.start_soon(cancel, scope, far, sent)
                    await client.read_holding_registers(2)
                assert scope.cancelled_caught
                room.left = None
                if sent:
                    assert await far.ended()
                    await far.stream.aclose()
                    far = await accept(listener)
                    first = await far.request()
                assert first[8:10] == b"\0\1"
                await far.send(reply(first))
            await far.stream.aclose()

    async def cancel(scope: trio.CancelScope, far: Far, sent: int) -> None:
        await far.request(sent)
        for _ in range(20):  # the client tries again and again, as the socket seems writable
            await trio.lowlevel.checkpoint()
        scope.cancel()

    trio.run(main)


async def expect(client: Client, address: int) -> None:
    assert await client.read_holding_registers(address) == [address]


def test_a_stream_that_was_left_inside_a_request_is_closed() -> None:
    async def main() -> None:
        near, far = trio.testing.lockstep_stream_pair()
        client = Client(near)
        async with client:
            start = trio.current_time()
            with trio.move_on_after(0.5) as scope:
                await client.read_holding_registers(0)
            assert scope.cancelled_caught
            assert trio.current_time() - start == pytest.approx(0.5)
            assert not client.is_open
            with pytest.raises(ConnectionLostError):
                await client.read_holding_registers(0)
        with pytest.raises(trio.BrokenResourceError):
            await far.send_all(b"x")

    play(main)


def test_an_interrupt_from_the_keyboard_leaves_the_client_usable() -> None:
    async def main() -> None:
        client, far = pair()
        async with client:
            for address in range(3):
                with pytest.raises(KeyboardInterrupt):
                    await interrupted(client)
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(answer, far)
                    assert await client.read_holding_registers(address) == [address]

    async def interrupted(client: Client) -> None:
        signal.raise_signal(signal.SIGINT)
        await client.read_holding_registers(9)

    async def answer(far: Far) -> None:
        request = await far.request()
        while request[8:10] == b"\0\x09":
            request = await far.request()
        await far.send(reply(request))

    play(main)


class Device:
    """Answers each request with its address, late and in any order, in any pieces."""

    def __init__(self, dice: random.Random, *, may_sleep: bool) -> None:
        self._dice = dice
        self._may_sleep = may_sleep

    async def serve(self, stream: trio.abc.Stream) -> None:
        far = Far(stream)
        dice = self._dice
        try:
            async with stream:
                while True:
                    answers = [reply(await far.request())]
                    while len(far.buffer) >= 12 and dice.random() < 0.9:
                        answers.append(reply(await far.request()))
                    dice.shuffle(answers)
                    if self._may_sleep and dice.random() < 0.3:
                        await trio.sleep(dice.random() * 0.01)
                    data = b"".join(answers)
                    cut = dice.randrange(len(data))
                    await far.send(*(piece for piece in (data[:cut], data[cut:]) if piece))
        except (AssertionError, trio.BrokenResourceError, trio.ClosedResourceError, OSError):
            pass  # the client has closed the link


async def _cancel_at_random(
    client: Client, dice: random.Random, cancellations: int, *, may_sleep: bool
) -> int:
    """Cancel calls of 16 tasks at random; return the number of completed calls."""
    completed = 0
    cancelled = 0
    scopes = {number: trio.CancelScope() for number in range(CALLERS)}

    async def caller(number: int) -> None:
        nonlocal completed, cancelled
        while cancelled < cancellations:
            address = dice.randrange(0x10000)
            with trio.CancelScope() as scope:
                scopes[number] = scope
                assert await client.read_holding_registers(address) == [address]
                completed += 1
            cancelled += scope.cancelled_caught
        del scopes[number]

    async with trio.open_nursery() as nursery:
        for number in range(CALLERS):
            nursery.start_soon(caller, number)
        while scopes:
            for _ in range(dice.randrange(4)):
                await trio.lowlevel.checkpoint()
            if may_sleep and dice.random() < 0.2:
                await trio.sleep(dice.random() * 0.005)
            if scopes:
                dice.choice(list(scopes.values())).cancel()
    return completed


def test_thousands_of_cancellations_on_one_stream() -> None:
    async def main() -> None:
        dice = random.Random(1)
        client, far = pair(max_in_flight=16)
        async with client, trio.open_nursery() as nursery:
            nursery.start_soon(Device(dice, may_sleep=True).serve, far.stream)
            completed = await _cancel_at_random(client, dice, CANCELLATIONS, may_sleep=True)
            assert client.is_open  # one connection for all of it
            assert await client.read_holding_registers(1) == [1]
            nursery.cancel_scope.cancel()
        assert completed > CANCELLATIONS // 10

    play(main)


@pytest.mark.parametrize("max_in_flight", [1, 3, 16])
def test_cancellations_on_a_socket(max_in_flight: int) -> None:
    async def main() -> None:
        dice = random.Random(max_in_flight)
        device = Device(dice, may_sleep=False)
        async with trio.open_nursery() as nursery:
            serve = partial(trio.serve_tcp, host="127.0.0.1")
            listeners = await nursery.start(serve, device.serve, 0)
            port = listeners[0].socket.getsockname()[1]
            async with TcpClient(
                "127.0.0.1", port, timeout=30.0, max_in_flight=max_in_flight
            ) as client:
                completed = await _cancel_at_random(
                    client, dice, CANCELLATIONS // 4, may_sleep=False
                )
                assert await client.read_holding_registers(1) == [1]
            nursery.cancel_scope.cancel()
        assert completed > CANCELLATIONS // 100

    trio.run(main)
