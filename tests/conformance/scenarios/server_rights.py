"""Networks that are changed while a server runs, and requests to units that nobody has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from modwire import (
    AllowedNetworks,
    ExceptionResponse,
    RawRequest,
    ReadHoldingRegistersRequest,
    RtuFraming,
    ServerOptions,
)

from .frames import framed, tcp
from .server_functions import READ, READ_ANSWER, ask, one_device, two_devices
from .server_steps import (
    Called,
    Closed,
    Connect,
    Expect,
    Holds,
    Send,
    ServerScenario,
    ServerStage,
    ServerStep,
    Silence,
)

HERE, ELSEWHERE = "127.0.0.0/8", "192.0.2.0/24"
ANSWERING: dict[str, Any] = {"options": ServerOptions(answer_missing_units=True)}


@dataclass
class Allow(ServerStep):
    """The networks that peers may come from are these from now on."""

    needs: ClassVar[frozenset[str]] = frozenset({"tcp"})
    networks: list[str]

    async def play(self, stage: ServerStage) -> None:
        stage.allowed.networks = self.networks


def _networks() -> list[ServerScenario]:
    live = {"allow": AllowedNetworks}
    write = tcp("06 0005 0777", 2)
    return [
        ServerScenario(
            "networks are changed while the server runs",
            [
                Connect("a"),
                *ask(READ, READ_ANSWER),
                Allow([ELSEWHERE]),
                Connect("b"),
                Closed("b"),
                # It is open, and may ask nothing more.
                Send("a", write),
                Closed("a"),
                Holds(1, 5, [5]),
                Allow([ELSEWHERE, HERE]),
                Connect("c"),
                Send("c", tcp(READ)),
                Expect("c", tcp(READ_ANSWER)),
                Allow([HERE]),
                Send("c", write),
                Expect("c", write),
            ],
            one_device,
            arguments=live,
        ),
        ServerScenario(
            "networks of datagrams are changed while the server runs",
            [
                Connect("a"),
                *ask(READ, READ_ANSWER),
                Allow([]),
                Send("a", write),
                Silence("a"),
                Holds(1, 5, [5]),
                Allow([HERE]),
                *ask(READ, READ_ANSWER, 3),
            ],
            one_device,
            link="udp",
            arguments=live,
        ),
    ]


def _missing() -> list[ServerScenario]:
    nobody: list[ServerStep] = [
        Connect("a"),
        *ask(READ, "83 0b", 1, 9),
        *ask("06 0005 0001", "86 0b", 2, 9),
        *ask("41 01", "c1 0b", 3, 9),
        *ask("03 0000", "83 0b", 4, 9),
        *ask("08 8001", "88 0b", 5, 9),
        *ask(READ, READ_ANSWER, 6),
    ]
    called = [
        (ReadHoldingRegistersRequest(5, 1), ExceptionResponse(3, 0x0B)),
        (RawRequest(0x41), ExceptionResponse(0x41, 0x0B)),
    ]
    serial: list[ServerStep] = [
        Connect("a"),
        Send("a", framed(RtuFraming, READ, 1, 9)),
        Silence("a"),
        Send("a", framed(RtuFraming, READ)),
        Expect("a", framed(RtuFraming, READ_ANSWER)),
    ]
    return [
        ServerScenario(
            "a unit that nobody has is answered for with 0B", nobody, one_device,
            arguments=ANSWERING,
        ),
        ServerScenario(
            "a unit that nobody has is answered for with 0B in datagrams", nobody, one_device,
            link="udp", arguments=ANSWERING,
        ),
        ServerScenario(
            "0 and 255 are nobody where there are two units, and answered for",
            [Connect("a"), *ask(READ, "83 0b", 1, 0), *ask(READ, "83 0b", 2, 255),
             *ask(READ, READ_ANSWER, 3, 2)],
            two_devices,
            arguments=ANSWERING,
        ),
        ServerScenario(
            "hooks see requests to a unit that nobody has",
            [Connect("a"), *ask(READ, "83 0b", 1, 9), *ask("41", "c1 0b", 2, 9), Called(called)],
            one_device,
            arguments=ANSWERING,
            records=True,
        ),
        ServerScenario(
            "nobody is answered for in serial frames", serial, one_device,
            arguments={**ANSWERING, "framing": RtuFraming},
        ),
    ]  # fmt: skip


def scenarios() -> Sequence[ServerScenario]:
    return [*_networks(), *_missing()]
