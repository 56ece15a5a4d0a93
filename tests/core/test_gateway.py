"""`GatewayUnits`: which unit ids lead where, and what servers answer for them.

What these tests know of how a server executes a call stands in `Device`, `execute` and
`line_answers`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from modwire import (
    Call,
    Decoder,
    ExceptionResponse,
    FrameError,
    RawRequest,
    RawResponse,
    Response,
    RtuFraming,
    SequentialBlock,
    ServerOptions,
    ServerProtocol,
    TcpFraming,
    Unit,
    Units,
    WriteSingleRegisterRequest,
)
from modwire.errors import GatewayPathUnavailableError
from modwire.framing.base import Frame
from modwire.gateway.units import GatewayUnits, passed_on
from modwire.messages import ReadHoldingRegistersRequest, ReadWriteMultipleRegistersRequest
from modwire.messages.base import Request
from modwire.server.line import LineServer

READ = ReadHoldingRegistersRequest(0).encode()
WRITE = WriteSingleRegisterRequest(3, 4).encode()
READ_WRITE = ReadWriteMultipleRegistersRequest(0, 1, 0, [5]).encode()


class Device(Unit):
    """A device on a line: notes its calls and their clients, and answers with its own id."""

    forwards: ClassVar[bool] = True

    def __init__(self, name: str, target: int) -> None:
        super().__init__(blocking=True)
        self.name = name
        self.target = target
        self.asked: list[tuple[object, Request[Response], bool]] = []

    def execute_for(
        self, asker: object, request: Request[Response], *, broadcast: bool = False
    ) -> Response | None:
        self.asked.append((asker, request, broadcast))
        return None if broadcast else RawResponse(request.function_code, bytes((self.target,)))


class Gateway(GatewayUnits):
    """A gateway as adapters make it, without I/O."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.lines: dict[str, dict[int, Device]] = {}
        self.clients: dict[str, Any] = {}
        self.gone: list[tuple[str, object]] = []

    def add_line(self, name: str, units: Any = None) -> None:
        devices = self.lines.setdefault(name, {})
        client = self.clients.setdefault(name, object())

        def make(target: int) -> Device:
            assert target not in devices
            devices[target] = Device(name, target)
            return devices[target]

        self._add_line(client, make, units, lambda asker: self.gone.append((name, asker)))


def gateway(*units: Any) -> Gateway:
    """A gateway to the lines "a", "b" and so on, with these units on each."""
    made = Gateway()
    for name, each in zip("abc", units, strict=False):
        made.add_line(name, each)
    return made


def found(units: Units, find: Callable[[int], Unit | None], unit_id: int) -> tuple[str, int]:
    unit = find(unit_id)
    assert isinstance(unit, Device)
    return unit.name, unit.target


def execute(protocol: ServerProtocol, call: Call, units: Units) -> Response | None:
    """Execute a call to a unit that blocks, as an adapter does."""
    return protocol.execute(call, units)


def ask(units: Units, unit: int, pdu: bytes, options: ServerOptions | None = None) -> bytes:
    """Return the PDU with which a TCP server answers, b"" for silence."""
    protocol = ServerProtocol(TcpFraming, options, peer="peer")
    protocol.receive_data(protocol.framing.encode(Frame(unit, 7, pdu)), 0.0)
    data = protocol.answer_all(units)
    while protocol.has_call:
        call = protocol.next_call()
        assert call is not None
        data += protocol.answer(call, execute(protocol, call, units)) + protocol.answer_all(units)
    if not data:
        return b""
    framing = TcpFraming(Decoder(), is_server=False)
    framing.receive_data(data, 0.0)
    frame = framing.next_frame()
    assert frame is not None
    assert not isinstance(frame, FrameError)
    assert (frame.unit, frame.transaction, framing.next_frame()) == (unit, 7, None)
    return frame.pdu


# Which ids lead where.


def test_ids_are_mapped_or_named_or_passed() -> None:
    mapped = gateway({1: 17, 2: 18})
    assert found(mapped, mapped.get, 1) == ("a", 17)
    assert found(mapped, mapped.for_tcp, 2) == ("a", 18)
    assert mapped.get(17) is None
    named = gateway([17, 18])
    assert found(named, named.get, 17) == ("a", 17)
    assert named.get(1) is None
    passed = gateway(None)
    assert found(passed, passed.get, 1) == ("a", 1)
    assert found(passed, passed.get, 255) == ("a", 255)
    assert passed.get(1) is passed.get(1)
    assert passed.get(0) is None
    assert (1 in passed, 0 in passed, 1 in named, 17 in named) == (True, False, False, True)


def test_several_lines_and_own_units_stand_side_by_side() -> None:
    units = gateway([1, 2], None, {3: 1})
    own = Unit(holding_registers=SequentialBlock(0, [55]))
    units[9] = own
    assert [found(units, units.get, each) for each in (1, 2, 3, 4)] == [
        ("a", 1),
        ("a", 2),
        ("c", 1),
        ("b", 4),
    ]
    assert units[9] is own
    assert repr(units) == "<Gateway [1, 2, 3, 9], all others>"
    del units[9]
    assert found(units, units.get, 9) == ("b", 9)
    with pytest.raises(KeyError):
        units[0]


def test_a_line_that_is_added_twice_is_one() -> None:
    """With another timeout for some of its devices, for one."""
    units = gateway([1], [2])
    units.add_line("a", [3])
    assert ask(units, 0, WRITE) == b""
    assert [len(devices[0].asked) for devices in units.lines.values()] == [1, 1]
    units.hung_up("asker")
    assert units.gone == [("a", "asker"), ("b", "asker")]


def test_two_ids_of_one_device_share_it() -> None:
    units = gateway({1: 17, 2: 17})
    assert units[1] is units[2]


@pytest.mark.parametrize(
    ("units", "text"),
    [
        ([1], "^unit 1 is in use already$"),
        ([9], "^unit 9 is in use already$"),
        ([256], "^unit id must be 0..255, got 256$"),
        ({3: 0}, "^unit id on the line must be 1..255, got 0$"),
        ({"3": 3}, "^unit id must be 0..255, got '3'$"),
        ({3: 3.5}, "^unit id on the line must be 1..255, got 3.5$"),
    ],
)
def test_ids_that_cannot_be(units: Any, text: str) -> None:
    made = gateway([1])
    made[9] = Unit()
    with pytest.raises(ValueError, match=text):
        made.add_line("b", units)


def test_only_one_line_gets_all_ids() -> None:
    made = gateway(None)
    with pytest.raises(ValueError, match="^units must be named: all other ids lead to another"):
        made.add_line("b")
    with pytest.raises(TypeError, match="^units must be unit ids, or map them to others, got 17$"):
        made.add_line("b", 17)


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
        Gateway(**arguments)


# What a server on TCP answers.


def test_requests_go_to_their_devices() -> None:
    units = gateway({1: 17})
    assert ask(units, 1, READ) == b"\x03\x11"
    ((_, request, broadcast),) = units.lines["a"][17].asked
    assert (request, broadcast) == (ReadHoldingRegistersRequest(0), False)


def test_what_leads_nowhere_has_no_path() -> None:
    units = gateway([1])
    assert ask(units, 2, READ) == b"\x83\x0a"
    assert ask(units, 2, b"\x64\1\2") == b"\xe4\x0a"  # an unknown function
    assert ask(units, 2, b"\x03\1") == b"\x83\x03"  # what is no request at all
    assert ask(units, 255, READ) == b"\x83\x0a"


def test_255_is_the_gateway_itself_where_it_has_one_unit() -> None:
    units = gateway(None)
    assert ask(units, 255, READ) == b"\x03\xff"
    units = gateway([1])
    units[9] = Unit(holding_registers=SequentialBlock(0, [55]))
    assert ask(units, 255, READ) == b"\x03\x02\x00\x37"
    units[10] = Unit()
    assert ask(units, 255, READ) == b"\x83\x0a"


def test_a_write_to_unit_0_is_a_broadcast_once_to_each_line() -> None:
    units = gateway([1, 2], [3], None)
    own = Unit(holding_registers=SequentialBlock(0, [0] * 8))
    units[9] = own
    assert ask(units, 0, WRITE) == b""
    assert own.holding_registers.read(3, 1) == (4,)
    for devices in units.lines.values():
        asked = {target: device.asked for target, device in devices.items() if device.asked}
        assert list(asked) == [0]
        ((_, request, broadcast),) = asked[0]
        assert (request, broadcast) == (WriteSingleRegisterRequest(3, 4), True)


def test_what_wants_an_answer_cannot_be_a_broadcast() -> None:
    units = gateway([1])
    for pdu in (READ, READ_WRITE):
        assert ask(units, 0, pdu) == bytes((pdu[0] | 0x80, 0x0A))
    assert ask(units, 0, b"\x64\1") == b"\xe4\x0a"
    assert ask(units, 0, b"\x06\1") == b"\x86\x03"
    assert units.lines["a"][0].asked == []


def test_0_is_an_id_where_a_unit_has_it() -> None:
    units = gateway({0: 17})
    assert ask(units, 0, READ) == b"\x03\x11"
    assert ask(units, 0, WRITE) == b"\x06\x11"


def test_units_that_are_no_gateway_take_0_for_themselves() -> None:
    own = Unit(holding_registers=SequentialBlock(0, [0] * 8))
    assert ask(Units({9: own}), 0, WRITE) == WRITE


def test_functions_that_the_server_does_not_know_are_passed_on() -> None:
    units = gateway([17])
    for pdu in (b"\x64\1\2\3", b"\x2b\x77abc", b"\x08\x00\x09\x00\x00"):
        assert ask(units, 17, pdu) == bytes((pdu[0], 17))
        assert units.lines["a"][17].asked[-1][1] == RawRequest(pdu[0], pdu[1:])
    asked = len(units.lines["a"][17].asked)
    # What breaks the rules of a known function is answered here: a device on RTU could not even
    # tell where such a frame ends.
    assert ask(units, 17, b"\x03\0\0\0\x7e") == b"\x83\x03"
    assert len(units.lines["a"][17].asked) == asked


def test_hooks_see_the_calls_and_forbidden_ones_are_not_passed_on() -> None:
    calls: list[Any] = []
    options = ServerOptions(
        authorize=lambda peer, role, unit, request: unit != 2,
        on_call=lambda *call: calls.append(call),
    )
    units = gateway([1, 2])
    assert ask(units, 1, READ, options) == b"\x03\x01"
    assert ask(units, 2, READ, options) == b"\x83\x01"
    assert ask(units, 2, b"\x64", options) == b"\xe4\x01"
    assert ask(units, 5, READ, options) == b"\x83\x0a"
    assert units.lines["a"][2].asked == []
    assert [(call[0], call[1].function_code) for call in calls] == [
        ("peer", 3),
        ("peer", 3),
        ("peer", 100),
        ("peer", 3),
    ]
    response = calls[-1][2]
    assert isinstance(response, ExceptionResponse)
    assert isinstance(response.cause, GatewayPathUnavailableError)


def test_connections_and_peers_of_datagrams_take_turns() -> None:
    """All peers on a Unix socket have the same name, and a UDP server has one socket for all."""
    units = gateway([1])
    protocols = [ServerProtocol(TcpFraming, peer="/run/modbus") for _ in range(2)]
    datagram = ServerProtocol(TcpFraming, peer="p", asker=("127.0.0.1", 5))
    for protocol in (*protocols, datagram):
        protocol.receive_data(protocol.framing.encode(Frame(1, 1, READ)), 0.0)
        call = protocol.next_call()
        assert call is not None
        execute(protocol, call, units)
    askers = [asker for asker, _, _ in units.lines["a"][1].asked]
    assert askers == [*protocols, ("127.0.0.1", 5)]


def test_each_line_learns_that_a_client_has_hung_up() -> None:
    units = gateway([1], [2])
    units.hung_up("asker")
    assert units.gone == [("a", "asker"), ("b", "asker")]
    Units({}).hung_up("asker")  # it has nothing to forget


# What a server on a serial line answers.


def line_answers(units: Units, unit: int, pdu: bytes) -> bytes:
    dropped: list[str] = []
    line = LineServer(RtuFraming, ServerOptions(), units, peer="port", on_drop=dropped.append)
    line.receive_data(line.protocol.framing.encode(Frame(unit, 0, pdu)), 1.0)
    line.handle_timeout(2.0)
    while (call := line.next_call()) is not None:
        line.finish(call, execute(line.protocol, call, units), 2.0)
    assert dropped == []
    return line.data_to_send(3.0)


def test_a_serial_line_stays_silent_for_what_leads_nowhere() -> None:
    """Another device on it may have that address."""
    units = gateway({1: 17})
    assert line_answers(units, 1, READ)[:3] == b"\1\x03\x11"
    for unit in (2, 247, 255):
        assert line_answers(units, unit, READ) == b""


def test_a_broadcast_on_a_serial_line_goes_to_each_line_even_if_0_is_mapped() -> None:
    units = gateway({0: 17}, [3])
    assert line_answers(units, 0, WRITE) == b""
    for devices in units.lines.values():
        assert [target for target, device in devices.items() if device.asked] == [0]


# What is sent on a line.


def test_what_is_passed_on() -> None:
    request = WriteSingleRegisterRequest(3, 4)
    assert passed_on(request, broadcast=False) is request
    assert passed_on(ReadHoldingRegistersRequest(0), broadcast=True) is None
    broadcast = passed_on(request, broadcast=True)
    assert broadcast is not None
    assert broadcast.encode() == request.encode()
    assert (
        not broadcast.expects_response
    )  # a server on TCP might answer, but the client does not wait
    assert broadcast.may_be_broadcast
