"""`Gateway`: the map of unit ids to devices, and the responses of servers for them."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing

from modwire import (
    AsciiFraming,
    Decoder,
    ExceptionResponse,
    Frame,
    FrameError,
    Framing,
    GatewayPathUnavailableError,
    RawResponse,
    ReadHoldingRegistersRequest,
    ReadWriteMultipleRegistersRequest,
    Request,
    SequentialBlock,
    ServerOptions,
    TcpFraming,
    Unit,
    Units,
    WriteSingleRegisterRequest,
)
from modwire_trio import Client, Gateway, serve_stream
from serving_peers import End, play, served

READ = ReadHoldingRegistersRequest(0).encode()
WRITE = WriteSingleRegisterRequest(3, 4).encode()
READ_WRITE = ReadWriteMultipleRegistersRequest(0, 1, 0, [5]).encode()


class Line(Client):
    """A client with devices that return their own ids; `asked` has the units and requests."""

    def __init__(self) -> None:
        super().__init__(trio.testing.memory_stream_pair()[0])
        self.asked: list[tuple[int | None, Request[Any]]] = []

    async def call(
        self,
        request: Request[Any],
        *,
        unit: int | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> Any:
        await trio.lowlevel.checkpoint()
        self.asked.append((unit, request))
        return RawResponse(request.function_code, bytes((unit,))) if unit else None


class Lines:
    """The lines "a", "b" and so on, and a gateway to them with these units on each."""

    def __init__(self, *units: Any) -> None:
        self.lines = {name: Line() for name, _ in zip("abc", units, strict=False)}
        first, *others = zip(self.lines.values(), units, strict=True)
        self.gateway = Gateway(*first)
        for line, named in others:
            self.gateway.add_line(line, named)

    def found(self, unit: int) -> tuple[str, int]:
        """Return the line and the id on the line for a unit id of the gateway."""
        for line in self.lines.values():
            line.asked.clear()
        assert ask(self.gateway, unit, READ)[0] == READ[0]
        ((name, target),) = [
            (name, target) for name, line in self.lines.items() for target, _ in line.asked
        ]
        assert target is not None
        return name, target


def ask(
    units: Units,
    unit: int,
    pdu: bytes,
    options: ServerOptions | None = None,
    framing: type[Framing] = TcpFraming,
) -> bytes:
    """Return the PDU of a server's response; b"" for silence."""
    received = b""

    async def main() -> None:
        nonlocal received
        near, far = trio.testing.memory_stream_pair()
        async with served(serve_stream, units, near, framing=framing, options=options, peer="peer"):
            await End(far).send(framing(Decoder(), is_server=False).wrap(unit, 7, pdu))
            with trio.move_on_after(1.0):
                received = bytes(await far.receive_some())

    play(main)
    if not received:
        return b""
    client = framing(Decoder(), is_server=False)
    client.receive_data(received, 0.0)
    frame = client.next_frame()
    assert frame is not None
    assert not isinstance(frame, FrameError)
    assert isinstance(frame, Frame)
    assert (frame.unit, client.next_frame()) == (unit, None)
    return frame.pdu


# Which ids lead where.


def test_ids_are_mapped_or_named_or_passed() -> None:
    mapped = Lines({1: 17, 2: 18})
    assert mapped.found(1) == ("a", 17)
    assert mapped.found(2) == ("a", 18)
    named = Lines([17, 18])
    assert named.found(17) == ("a", 17)
    passed = Lines(None)
    assert passed.found(1) == ("a", 1)
    assert passed.found(255) == ("a", 255)
    for units, unit, leads in ((passed, 1, True), (passed, 0, False), (named, 17, True)):
        assert (unit in units.gateway) is leads
    for units, unit in ((mapped, 17), (named, 1)):
        assert unit not in units.gateway
        assert ask(units.gateway, unit, READ) == b"\x83\x0a"


def test_several_lines_and_own_units_stand_side_by_side() -> None:
    lines = Lines([1, 2], None, {3: 1})
    units = lines.gateway
    own = Unit(holding_registers=SequentialBlock(0, [55]))
    units[9] = own
    assert [lines.found(each) for each in (1, 2, 3, 4)] == [
        ("a", 1),
        ("a", 2),
        ("c", 1),
        ("b", 4),
    ]
    assert units[9] is own
    assert repr(units) == "<Gateway [1, 2, 3, 9], all others>"
    del units[9]
    assert lines.found(9) == ("b", 9)
    with pytest.raises(KeyError):
        units[0]


def test_a_line_that_is_added_twice_is_one() -> None:
    """Some of its devices may have another timeout, for example."""
    lines = Lines([1], [2])
    lines.gateway.add_line(lines.lines["a"], [3], timeout=5.0)
    assert ask(lines.gateway, 0, WRITE) == b""
    assert [len(line.asked) for line in lines.lines.values()] == [1, 1]


def test_two_ids_of_one_device_share_it() -> None:
    units = Lines({1: 17, 2: 17}).gateway
    assert units[1] is units[2]


@pytest.mark.parametrize(
    ("units", "text"),
    [
        ([1], "^unit 1 is in use already$"),
        ([9], "^unit 9 is in use already$"),
        ([256], "^unit id must be 0..255, got 256$"),
        ({3: 256}, "^unit id on the line must be 0..255, got 256$"),
        ({"3": 3}, "^unit id must be 0..255, got '3'$"),
        ({3: 3.5}, "^unit id on the line must be 0..255, got 3.5$"),
    ],
)
def test_ids_that_cannot_be(units: Any, text: str) -> None:
    made = Lines([1]).gateway
    made[9] = Unit()
    with pytest.raises(ValueError, match=text):
        made.add_line(Line(), units)


def test_only_one_line_gets_all_ids() -> None:
    made = Lines(None).gateway
    with pytest.raises(ValueError, match="^units must be named: all other ids lead to another"):
        made.add_line(Line())
    with pytest.raises(TypeError, match="^units must be unit ids, or map them to others, got 17$"):
        made.add_line(Line(), 17)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"queue": 0}, "^queue must be a whole number, at least 1, got 0$"),
        ({"patience": 0}, "^patience must be greater than 0 seconds, at most 1e9, got 0$"),
        ({"pause": -1}, "^pause must be greater than 0 seconds, at most 1e9, got -1$"),
        (
            {"pause": 31.0},
            "^longest_pause must be at least pause, in seconds, got 30.0 and 31.0$",
        ),
    ],
)
def test_numbers_out_of_range(arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        Gateway(Line(), **arguments)


# What a server on TCP answers.


def test_requests_go_to_their_devices() -> None:
    lines = Lines({1: 17})
    assert ask(lines.gateway, 1, READ) == b"\x03\x11"
    assert lines.lines["a"].asked == [(17, ReadHoldingRegistersRequest(0))]


def test_what_leads_nowhere_has_no_path() -> None:
    units = Lines([1]).gateway
    assert ask(units, 2, READ) == b"\x83\x0a"
    assert ask(units, 2, b"\x64\1\2") == b"\xe4\x0a"  # an unknown function
    assert ask(units, 2, b"\x03\1") == b"\x83\x03"  # not a valid request
    assert ask(units, 255, READ) == b"\x83\x0a"


def test_255_is_the_gateway_itself_where_it_has_one_unit() -> None:
    units = Lines(None).gateway
    assert ask(units, 255, READ) == b"\x03\xff"
    units = Lines([1]).gateway
    units[9] = Unit(holding_registers=SequentialBlock(0, [55]))
    assert ask(units, 255, READ) == b"\x03\x02\x00\x37"
    units[10] = Unit()
    assert ask(units, 255, READ) == b"\x83\x0a"


def test_a_write_to_unit_0_is_a_broadcast_once_to_each_line() -> None:
    lines = Lines([1, 2], [3], None)
    own = Unit(holding_registers=SequentialBlock(0, [0] * 8))
    lines.gateway[9] = own
    assert ask(lines.gateway, 0, WRITE) == b""
    assert own.holding_registers.read(3, 1) == (4,)
    for line in lines.lines.values():
        ((unit, request),) = line.asked
        assert (unit, request.encode()) == (0, WRITE)
        assert not request.expects_response, "a server on TCP might answer unit 0"
        assert request.may_be_broadcast


def test_what_wants_an_answer_cannot_be_a_broadcast() -> None:
    lines = Lines([1])
    units = lines.gateway
    for pdu in (READ, READ_WRITE):
        assert ask(units, 0, pdu) == bytes((pdu[0] | 0x80, 0x0A))
    assert ask(units, 0, b"\x64\1") == b"\xe4\x0a"
    assert ask(units, 0, b"\x06\1") == b"\x86\x03"
    assert lines.lines["a"].asked == []


def test_0_is_an_id_where_a_unit_has_it() -> None:
    units = Lines({0: 17}).gateway
    assert ask(units, 0, READ) == b"\x03\x11"
    assert ask(units, 0, WRITE) == b"\x06\x11"


def test_units_that_are_no_gateway_take_0_for_themselves() -> None:
    own = Unit(holding_registers=SequentialBlock(0, [0] * 8))
    assert ask(Units({9: own}), 0, WRITE) == WRITE


def test_functions_that_the_server_does_not_know_are_passed_on() -> None:
    lines = Lines([17])
    units = lines.gateway
    asked = lines.lines["a"].asked
    for pdu in (b"\x64\1\2\3", b"\x2b\x77abc", b"\x08\x00\x09\x00\x00"):
        assert ask(units, 17, pdu) == bytes((pdu[0], 17))
        assert asked[-1][1].encode() == pdu
    count = len(asked)
    # A request that breaks the rules of a known function is refused here: a device on RTU could not
    # find the end of its frame.
    assert ask(units, 17, b"\x03\0\0\0\x7e") == b"\x83\x03"
    assert len(asked) == count


def test_hooks_see_the_calls_and_forbidden_ones_are_not_passed_on() -> None:
    calls: list[Any] = []
    options = ServerOptions(
        authorize=lambda peer, role, unit, request: unit != 2,
        on_call=lambda *call: calls.append(call),
    )
    lines = Lines([1, 2])
    units = lines.gateway
    assert ask(units, 1, READ, options) == b"\x03\x01"
    assert ask(units, 2, READ, options) == b"\x83\x01"
    assert ask(units, 2, b"\x64", options) == b"\xe4\x01"
    assert ask(units, 5, READ, options) == b"\x83\x0a"
    assert [unit for unit, _ in lines.lines["a"].asked] == [1]
    assert [(call[0], call[1].function_code) for call in calls] == [
        ("peer", 3),
        ("peer", 3),
        ("peer", 100),
        ("peer", 3),
    ]
    response = calls[-1][2]
    assert isinstance(response, ExceptionResponse)
    assert isinstance(response.cause, GatewayPathUnavailableError)


# What a server on a serial line answers.


def test_a_serial_line_stays_silent_for_what_leads_nowhere() -> None:
    """Another device on the line may have that address."""
    units = Lines({1: 17}).gateway
    assert ask(units, 1, READ, framing=AsciiFraming) == b"\x03\x11"
    for unit in (2, 247, 255):
        assert ask(units, unit, READ, framing=AsciiFraming) == b""


def test_a_broadcast_on_a_serial_line_goes_to_each_line_even_if_0_is_mapped() -> None:
    lines = Lines({0: 17}, [3])
    assert ask(lines.gateway, 0, WRITE, framing=AsciiFraming) == b""
    assert [[unit for unit, _ in line.asked] for line in lines.lines.values()] == [[0], [0]]
    assert ask(lines.gateway, 0, READ, framing=AsciiFraming) == b""
    assert [len(line.asked) for line in lines.lines.values()] == [1, 1], "a read is no broadcast"
