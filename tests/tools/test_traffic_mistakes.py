"""The traffic shows bytes that are no request for a device: why a client gets no answer."""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable

import pytest
import trio

from copied_devices import SerialLine
from modwire import ReadHoldingRegistersRequest, RtuFraming, TcpFraming
from modwire.options import LineOptions
from modwire_tools.simulator.meter import energy_meter
from modwire_tools.simulator.mistakes import MOST_PER_SECOND
from modwire_tools.simulator.view import Message, TrafficFilter, View
from modwire_trio import connect
from running_simulation import ANY, client_of, running, until

READ = ReadHoldingRegistersRequest(0, 2)
DECODER = LineOptions().decoder
RTU = RtuFraming(DECODER, is_server=False)
HTTP = b"GET /status HTTP/1.1\r\nHost: 127.0.0.1:502\r\n\r\n"


def rtu(count: int, unit: int = 1) -> bytes:
    return RTU.wrap(unit, 0, ReadHoldingRegistersRequest(0, count).encode())


def mbap(unit: int, pdu: bytes, protocol: int = 0) -> bytes:
    whole = TcpFraming(DECODER, is_server=False).wrap(7, 0, pdu)
    return whole[:2] + protocol.to_bytes(2, "big") + whole[4:6] + bytes((unit,)) + whole[7:]


async def port_of(view: View, endpoint: int = 0) -> int:
    return int(view.devices()[0].endpoints[endpoint].rpartition(":")[2])


async def mistakes_after(
    data: bytes, endpoint: str = ANY, *, closes: bool = False
) -> list[Message]:
    """Send `data` to a meter whose traffic is looked at; return what the traffic shows."""
    async with running([energy_meter()], [endpoint]) as view:
        view.traffic()
        stream = await trio.open_tcp_stream("127.0.0.1", await port_of(view))
        async with stream:
            await stream.send_all(data)
            if closes:
                await stream.send_eof()
            await until(view.traffic)
        return view.traffic()


def run(main: Callable[[], Awaitable[None]]) -> None:
    trio.run(main)


def test_a_unit_that_does_not_exist() -> None:
    async def main() -> None:
        [message] = await mistakes_after(mbap(9, READ.encode()))
        assert (message.unit, message.function, message.outcome) == (9, 3, "mistake")
        assert message.request == READ.encode().hex()
        assert message.request_text == "read 2 holding registers from 0"
        assert message.response_text == "no answer: there is no unit 9 here, only 1"
        assert message.peer.startswith("127.0.0.1:")
        assert message.device == 0

    run(main)


def test_the_only_unit_of_a_device_answers_to_0_and_255_too() -> None:
    """That is no mistake: older clients use these ids for the device itself."""

    async def main() -> None:
        for unit in (0, 255, 1):
            [message] = await mistakes_after(mbap(unit, READ.encode()))
            assert message.outcome == "ok", unit

    run(main)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (HTTP, "an HTTP client in place of Modbus TCP: MBAP protocol id must be 0, got 21536"),
        (
            mbap(1, READ.encode(), protocol=5),
            "bytes that are no frame: MBAP protocol id must be 0, got 5",
        ),
        (
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            "a client that uses TLS in place of Modbus TCP: MBAP protocol id must be 0, got 258",
        ),
        (
            b"\x00\x01\x00\x00\x05\x00\x01\x03\x00\x00\x00\x02",
            "bytes that are no frame: MBAP length must be 2..254, got 1280",
        ),
        (
            b":010300000002FA\r\n",
            "a frame of Modbus ASCII in place of Modbus TCP: MBAP protocol id must be 0, got 12592",
        ),
    ],
)
def test_bytes_that_are_no_frame(data: bytes, what: str) -> None:
    async def main() -> None:
        [message] = await mistakes_after(data)
        assert message.outcome == "mistake"
        assert (message.unit, message.function, message.request) == (None, None, "")
        assert message.request_text == what
        assert message.response_text == "the connection is closed"
        assert bytes.fromhex(message.data) == data

    run(main)


@pytest.mark.parametrize(
    ("count", "data"),
    [
        (2, rtu(2)),  # its bytes happen to be an MBAP frame for unit 196
        (10, rtu(10)),  # the beginning of one, whose rest does not come
        (10, rtu(10, unit=2)),
        (125, rtu(125)),
    ],
)
def test_an_rtu_frame_at_a_port_for_modbus_tcp(count: int, data: bytes) -> None:
    async def main() -> None:
        [message] = await mistakes_after(data)
        assert message.outcome == "mistake"
        assert message.request_text == (
            f"an RTU frame in place of Modbus TCP: unit {data[0]}, "
            f"read {count} holding registers from 0"
        )
        assert message.data == data.hex()

    run(main)


def test_an_rtu_write_at_a_port_for_modbus_tcp() -> None:
    async def main() -> None:
        data = RTU.wrap(1, 0, bytes.fromhex("0600010003"))
        [message] = await mistakes_after(data)
        assert message.request_text == (
            "an RTU frame in place of Modbus TCP: unit 1, write register 1: 3"
        )

    run(main)


def test_an_unfinished_frame_is_shown_when_its_connection_ends() -> None:
    async def main() -> None:
        [message] = await mistakes_after(mbap(1, READ.encode())[:-3], closes=True)
        assert message.request_text == "an unfinished frame: 9 bytes, and the rest is missing"
        assert message.response_text == "the connection was closed"

    run(main)


def test_an_unfinished_frame_is_shown_once_while_its_connection_is_open() -> None:
    async def main() -> None:
        async with running([energy_meter()]) as view:
            view.traffic()
            stream = await trio.open_tcp_stream("127.0.0.1", await port_of(view))
            async with stream:
                await stream.send_all(mbap(1, READ.encode())[:-3])
                await until(view.traffic)
                [message] = view.traffic()
                assert message.response_text == "no answer: the rest is awaited"
                await stream.send_all(mbap(1, READ.encode())[-3:])
                await stream.receive_some()
            await until(lambda: not view.devices()[0].connections)
            assert [each.outcome for each in view.traffic()] == ["mistake", "ok"]

    run(main)


def test_a_response_in_place_of_a_request() -> None:
    async def main() -> None:
        [message] = await mistakes_after(mbap(1, b"\x83\x02"))
        assert message.request_text == "a response in place of a request, function code 131"

    run(main)


def test_mistakes_in_datagrams() -> None:
    async def main() -> None:
        async with running([energy_meter()], ["udp://127.0.0.1:0"]) as view:
            view.traffic()
            link = trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM)
            with link:
                await link.connect(("127.0.0.1", await port_of(view)))
                for data in (HTTP, rtu(10), mbap(9, READ.encode()), mbap(1, READ.encode())):
                    await link.send(data)
                await until(lambda: len(view.traffic()) >= 3)
                await link.recv(300)
            *mistakes, last = view.traffic()
            assert [each.outcome for each in mistakes] == ["mistake"] * len(mistakes)
            texts = [each.request_text for each in mistakes]
            assert "HTTP client" in texts[0]
            assert texts[-1] == "read 2 holding registers from 0"
            assert last.outcome == "ok"

    run(main)


def test_serial_frames_over_tcp() -> None:
    async def main() -> None:
        damaged = rtu(2)[:-1] + b"\x00"
        endpoint = "rtu+tcp://127.0.0.1:0"
        [message] = await mistakes_after(damaged, endpoint)
        assert "bytes that are no frame: " in message.request_text
        assert message.data == damaged.hex()
        [message] = await mistakes_after(rtu(2, unit=9), endpoint)
        assert message.response_text == "no answer: there is no unit 9 here, only 1"
        async with running([energy_meter()], ["ascii+tcp://127.0.0.1:0"]) as view:
            view.traffic()
            async with await trio.open_tcp_stream("127.0.0.1", await port_of(view)) as stream:
                await stream.send_all(b":010300000002FF\r\n")
                await until(view.traffic)
                assert "has LRC FF, FA was due" in view.traffic()[0].request_text

    run(main)


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="there are no pseudo-terminals")
def test_a_serial_line() -> None:
    async def main() -> None:
        with SerialLine() as line:
            endpoint = f"rtu://{line.right}?baudrate=115200"
            client = connect(f"rtu://{line.left}?baudrate=115200&timeout=30&retries=3")
            async with running([energy_meter()], [endpoint]) as view, client:
                view.traffic()
                with pytest.raises(TimeoutError):
                    await client.read_holding_registers(0, 2, unit=5, timeout=0.3)
                assert await client.read_holding_registers(0, 2)
                mistakes = view.traffic(wanted=TrafficFilter(outcome="mistake"))
                assert mistakes[0].response_text == "no answer: there is no unit 5 here, only 1"
                assert mistakes[0].peer == line.right
                assert mistakes[0].endpoint == view.devices()[0].endpoints[0]

    run(main)


def test_nothing_is_kept_before_somebody_looks() -> None:
    async def main() -> None:
        async with running([energy_meter()]) as view, client_of(view) as client:
            stream = await trio.open_tcp_stream("127.0.0.1", await port_of(view))
            async with stream:
                await stream.send_all(HTTP)
                assert await stream.receive_some() == b""
            assert view.traffic() == []
            await client.read_coils(0)
            assert [each.outcome for each in view.traffic()] == ["ok"]

    run(main)


def test_a_flood_of_mistakes_is_bounded_and_leaves_the_others_served() -> None:
    """A scanner must not push the messages of real clients out of the record."""

    async def main() -> None:
        async with running([energy_meter()]) as view:
            view.traffic()
            begun = time.time()
            async with client_of(view) as client:
                await client.read_coils(0)
                stream = await trio.open_tcp_stream("127.0.0.1", await port_of(view))
                async with stream:
                    request = mbap(9, READ.encode())
                    await stream.send_all(request * 5000 + mbap(1, READ.encode()))
                    await stream.receive_some()
                await client.read_coils(1)
            found = view.traffic(most=10_000)
            mistakes = [each for each in found if each.outcome == "mistake"]
            seconds = int(time.time()) - int(begun) + 1
            assert 1 <= len(mistakes) <= MOST_PER_SECOND * seconds
            assert [each.outcome for each in found].count("ok") == 3
            # The next one, in another second, says how many there were.
            stream = await trio.open_tcp_stream("127.0.0.1", await port_of(view))
            async with stream:

                def has_count() -> bool:
                    texts = [each.request_text for each in view.traffic(most=10_000)]
                    return any("more mistakes were not recorded" in each for each in texts)

                while not has_count():
                    await stream.send_all(request)
                    await trio.sleep(0.05)

    run(main)


def test_mistakes_are_filtered_like_other_messages() -> None:
    async def main() -> None:
        async with running([energy_meter()]) as view:
            view.traffic()
            async with client_of(view) as client:
                await client.read_coils(0)
                async with await trio.open_tcp_stream("127.0.0.1", await port_of(view)) as stream:
                    await stream.send_all(mbap(9, READ.encode()) + HTTP)
                    assert await stream.receive_some() == b""

            def numbers(**wanted: object) -> list[int]:
                chosen = TrafficFilter(**wanted)  # type: ignore[arg-type]
                return [each.number for each in view.traffic(0, chosen)]

            assert numbers() == [1, 2, 3]
            assert numbers(outcome="mistake") == [2, 3]
            assert numbers(unit=9) == [2]
            assert numbers(functions=[3]) == [2]
            assert numbers(text="http") == [3]
            assert numbers(outcome="ok") == [1]

    run(main)
