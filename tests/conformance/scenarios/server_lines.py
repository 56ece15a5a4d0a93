"""Servers on shared lines, with serial framings on a stream, on UDP and Unix sockets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from modwire import AsciiFraming, BinaryFraming, ConnectionLostError, RtuFraming, ServerOptions

from ..drivers.base import PATIENCE
from .client_lines import LINES
from .frames import framed, plain, rtu, tcp
from .server_functions import READ, READ_ANSWER, one_device, two_devices
from .server_limits import SLOW, SLOW_ANSWER, slow_unit
from .server_steps import (
    Asked,
    Closed,
    Connect,
    EndsBy,
    Expect,
    HangUp,
    Holds,
    OpenGate,
    Pass,
    Send,
    ServerScenario,
    ServerStage,
    ServerStep,
    Shutdown,
    Silence,
    Stopped,
)

_GAP = 0.06  # seconds: silence that ends every frame on a serial port here


@dataclass
class AskUntil(ServerStep):
    """A peer repeats a request until the response is not `busy`."""

    peer: str
    request: bytes
    answer: bytes
    busy: bytes

    async def play(self, stage: ServerStage) -> None:
        end = stage.peers[self.peer]
        for _ in range(int(PATIENCE / 0.01)):
            await end.send(self.request)
            received = await end.receive(min(len(self.busy), len(self.answer)))
            if received != self.busy:
                received += await end.receive(len(self.answer) - len(received))
                assert received == self.answer, f"{received.hex(' ')!r} came"
                return
            await stage.driver.sleep(0.01)
        raise AssertionError("it is still busy")


def _on_streams() -> list[ServerScenario]:
    found = []
    for framing in LINES:
        name = framing.name

        def frame(pdu: str, unit: int = 1, framing: type = framing) -> bytes:
            return framed(framing, pdu, unit=unit)

        arguments = {"framing": framing}
        found += [
            ServerScenario(
                f"a broadcast reaches all units and is not answered, {name}",
                [
                    Connect("a"),
                    Send("a", frame("06 0005 0777", 0)),
                    Holds(1, 5, [0x777]),
                    Holds(2, 5, [0x777]),
                    Silence("a"),
                    Send("a", frame(READ, 0)),
                    Silence("a"),
                    Send("a", frame(READ, 2)),
                    Expect("a", frame("03 02 0777", 2)),
                ],
                two_devices,
                arguments=arguments,
            ),
            ServerScenario(
                f"255 is no unit on a line, {name}",
                [
                    Connect("a"),
                    Send("a", frame(READ, 255)),
                    Silence("a"),
                    Send("a", frame(READ)),
                    Expect("a", frame(READ_ANSWER)),
                ],
                one_device,
                arguments=arguments,
            ),
            ServerScenario(
                f"what others on the line say is not answered, {name}",
                [
                    Connect("a"),
                    Send("a", frame(READ, 9)),
                    Send("a", frame(READ_ANSWER, 9)),
                    Send("a", frame("06 0005 0001", 9)),
                    Send("a", frame("06 0005 0001", 9)),
                    Send("a", frame("83 02", 9)),
                    Silence("a"),
                    Send("a", frame(READ)),
                    Expect("a", frame(READ_ANSWER)),
                ],
                one_device,
                arguments=arguments,
            ),
        ]
    damaged = {
        AsciiFraming: b":010300050001FF\r\n",
        BinaryFraming: plain("7b 01 03 0005 0001 0000 7d"),
        RtuFraming: rtu(READ)[:-1] + b"\0",
    }
    found += [
        ServerScenario(
            f"a damaged frame costs one frame, {framing.name}",
            [
                Connect("a"),
                Send("a", damage),
                # A silence longer than the pauses of a network ends an RTU frame.
                Pass(0.7 if framing is RtuFraming else 0.01),
                Send("a", framed(framing, READ)),
                Expect("a", framed(framing, READ_ANSWER)),
            ],
            one_device,
            arguments={"framing": framing},
        )
        for framing, damage in damaged.items()
    ]
    return found


def _on_a_port() -> list[ServerScenario]:
    found = [
        ServerScenario(
            f"requests on a serial port, {framing.name}",
            [
                Connect("line"),
                Send("line", framed(framing, READ)),
                Expect("line", framed(framing, READ_ANSWER)),
                Send("line", framed(framing, READ), size=3),
                Expect("line", framed(framing, READ_ANSWER)),
                Send("line", framed(framing, "03 0063 0002")),
                Expect("line", framed(framing, "83 02")),
                Send("line", framed(framing, "06 0005 7b7d", unit=0)),
                Holds(1, 5, [0x7B7D]),
                Silence("line"),
                Send("line", framed(framing, READ, unit=9)),
                Send("line", framed(framing, READ_ANSWER, unit=9)),
                Silence("line"),
                Send("line", framed(framing, READ)),
                Expect("line", framed(framing, "03 02 7b7d")),
            ],
            one_device,
            link="serial",
            # A busy machine may be late with a piece.
            arguments={"framing": framing, "options": ServerOptions(tolerance=PATIENCE)},
        )
        for framing in LINES
    ]
    noise = [
        ServerScenario(
            f"noise on an RTU bus costs no request: {junk.hex(' ')}",
            [
                Connect("line"),
                Send("line", junk),
                Pass(_GAP),
                Send("line", rtu(READ)),
                Expect("line", rtu(READ_ANSWER)),
            ],
            one_device,
            link="serial",
        )
        for junk in (b"\0", b"\xff\xff", b"\x01\x03", rtu(READ)[:-1] + b"\0")
    ]
    return [
        *found,
        *noise,
        ServerScenario(
            "an echo on an RTU bus is no request",
            [
                Connect("line"),
                Send("line", rtu("06 0005 0777")),
                Expect("line", rtu("06 0005 0777")),
                Send("line", rtu("06 0005 0777")),
                Silence("line"),
                Send("line", rtu(READ)),
                Expect("line", rtu("03 02 0777")),
            ],
            one_device,
            link="serial",
            arguments={"suppress_echo": True},
        ),
        ServerScenario(
            "a port that goes away ends the serving with a clear error",
            [
                Connect("line"),
                Send("line", rtu(READ)),
                Expect("line", rtu(READ_ANSWER)),
                HangUp("line"),
                EndsBy(ConnectionLostError, "^the serial port /dev/.* is lost: "),
            ],
            one_device,
            link="serial",
        ),
        ServerScenario(
            "a slow unit on an RTU bus",
            [
                Connect("line"),
                Send("line", rtu(SLOW, 2)),
                Asked(),
                OpenGate(),
                Expect("line", rtu(SLOW_ANSWER, 2)),
            ],
            slow_unit,
            link="serial",
        ),
        ServerScenario(
            "a late answer is not sent into another exchange",
            [
                Connect("line"),
                Send("line", rtu(SLOW, 2)),
                Asked(),
                Send("line", rtu(READ)),
                Expect("line", rtu(READ_ANSWER)),
                Send("line", rtu(SLOW, 2)),
                Expect("line", rtu("83 06", 2)),
                OpenGate(),
                Silence("line"),
                AskUntil("line", rtu(SLOW, 2), rtu(SLOW_ANSWER, 2), rtu("83 06", 2)),
            ],
            slow_unit,
            link="serial",
        ),
        ServerScenario(
            "a shutdown sends the answer of a slow unit on an RTU bus",
            [
                Connect("line"),
                Send("line", rtu(SLOW, 2)),
                Asked(),
                Shutdown(),
                OpenGate(),
                Expect("line", rtu(SLOW_ANSWER, 2)),
                Stopped(),
            ],
            slow_unit,
            link="serial",
        ),
    ]


def _on_udp() -> list[ServerScenario]:
    return [
        ServerScenario(
            "requests on UDP, and datagrams that are not",
            [
                Connect("a", "b"),
                Send("a", tcp(READ, 1)),
                Expect("a", tcp(READ_ANSWER, 1)),
                Send("a", "ffff ffff ffff"),
                Send("a", tcp(READ, 2)[:-1]),
                Send("b", tcp(READ, 3)[-1:]),
                Silence("a"),
                Send("b", tcp("03 0063 0002", 4)),
                Expect("b", tcp("83 02", 4)),
                Send("a", tcp(READ, 5, 9)),
                Silence("a"),
                Send("a", tcp(READ, 6), tcp(READ, 7)),
                Expect("a", tcp(READ_ANSWER, 6)),
                Expect("a", tcp(READ_ANSWER, 7)),
            ],
            two_devices,
            link="udp",
        ),
        ServerScenario(
            "a slow unit on UDP stalls no other peer, and answers its own",
            [
                Connect("a", "b"),
                Send("a", tcp(SLOW, 1, 2)),
                Asked(),
                Send("b", tcp(READ, 2)),
                Expect("b", tcp(READ_ANSWER, 2)),
                Send("a", tcp(READ, 3)),
                Expect("a", tcp(READ_ANSWER, 3)),
                OpenGate(),
                Expect("a", tcp(SLOW_ANSWER, 1, 2)),
                Silence("b", 0.01),
            ],
            slow_unit,
            link="udp",
        ),
        ServerScenario(
            "too many slow calls on UDP are answered 06",
            [
                Connect("a", "b"),
                Send("a", tcp(SLOW, 1, 2)),
                Asked(),
                Send("b", tcp(SLOW, 2, 2)),
                Expect("b", tcp("83 06", 2, 2)),
                OpenGate(),
                Expect("a", tcp(SLOW_ANSWER, 1, 2)),
            ],
            slow_unit,
            link="udp",
            arguments={"max_calls": 1},
        ),
        ServerScenario(
            "a peer that may not ask on UDP is not answered",
            [Connect("a"), Send("a", tcp(READ)), Silence("a")],
            one_device,
            link="udp",
            arguments={"allow": ["192.0.2.1"]},
        ),
        ServerScenario(
            "a shutdown sends the answer of a slow unit on UDP",
            [
                Connect("a"),
                Send("a", tcp(SLOW, 1, 2)),
                Asked(),
                Shutdown(),
                OpenGate(),
                Expect("a", tcp(SLOW_ANSWER, 1, 2)),
                Stopped(),
            ],
            slow_unit,
            link="udp",
        ),
    ]


def _on_unix() -> list[ServerScenario]:
    return [
        ServerScenario(
            "requests on a Unix socket",
            [
                Connect("a", "b"),
                Send("a", tcp(READ), size=1),
                Expect("a", tcp(READ_ANSWER)),
                Send("b", tcp(SLOW, 1, 2)),
                Asked(),
                Shutdown(),
                Closed("a"),
                OpenGate(),
                Expect("b", tcp(SLOW_ANSWER, 1, 2)),
                Closed("b"),
                Stopped(),
            ],
            slow_unit,
            link="unix",
        )
    ]


def scenarios() -> Sequence[ServerScenario]:
    return [*_on_streams(), *_on_a_port(), *_on_udp(), *_on_unix()]
