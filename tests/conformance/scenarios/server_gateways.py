"""A device behind a client, as a unit of a server: what is passed on, and what comes back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from modwire import ServerOptions

from .client_steps import Accept, ClientStep, PeerCloses, PeerGoesAway
from .client_steps import Expect as PeerExpects
from .client_steps import Send as PeerSends
from .frames import tcp
from .server_functions import READ, READ_ANSWER, one_device
from .server_steps import Connect, Expect, Send, ServerScenario, ServerStage, ServerStep, Silence


@dataclass
class Behind(ServerStep):
    """A step of the device behind a gateway."""

    step: ClientStep

    async def play(self, stage: ServerStage) -> None:
        assert stage.behind is not None
        await self.step.play(stage.behind)


# Requests of every form, and what a device may answer: functions, sub-functions and MEI types that
# modwire knows or does not, with data that are not even words, and exceptions.
PASSED_ON = [
    ("01 0000 0003", "01 01 05"),
    ("2b 0e 04 81", "2b 0e 04 83 00 00 01 81 02 00ff"),
    ("08 0013 0000", "08 0013 0007"),
    ("08 0015 0003", "08 0015 0003 0001"),
    ("08 8001 0001 0002", "08 8001 00 01 02"),
    ("08 8001", "08 8001"),
    ("08 8001 00", "08 8001 0000"),
    ("08 8001 0000", "88 04"),
    ("41", "41 01 02"),
    ("41 0102030405", "41"),
    ("64 00", "e4 63"),
    ("7f 7f", "7f"),
    ("2b 0f 01", "2b 0f 02 03"),
    ("2b 0f", "ab 02"),
]


def ask_own(peer: str, transaction: int = 1) -> list[ServerStep]:
    """A peer reads a register of the server's own unit."""
    return [Send(peer, tcp(READ, transaction)), Expect(peer, tcp(READ_ANSWER, transaction))]


def _devices() -> list[ServerScenario]:
    def passes(transaction: int, request: str) -> list[ServerStep]:
        return [Send("a", tcp(request, transaction, 17))]

    def gets(transaction: int, answer: str) -> ServerStep:
        return Expect("a", tcp(answer, transaction, 17))

    def behind(transaction: int, request: str, answer: str) -> list[ServerStep]:
        return [
            *passes(transaction, request),
            Behind(PeerExpects(tcp(request, transaction, 17))),
            Behind(PeerSends(tcp(answer, transaction, 17))),
            gets(transaction, answer),
        ]

    everything: list[ServerStep] = [Connect("a"), *passes(1, READ), Behind(Accept())]
    everything += [Behind(PeerExpects(tcp(READ, 1, 17))), Behind(PeerSends(tcp("83 02", 1, 17)))]
    everything += [gets(1, "83 02")]
    for transaction, (request, answer) in enumerate(PASSED_ON, 2):
        everything += behind(transaction, request, answer)
    first: list[ServerStep] = [
        Connect("a"),
        *passes(7, READ),
        Behind(Accept()),
        Behind(PeerExpects(tcp(READ, 1, 17))),
    ]
    return [
        ServerScenario("a gateway passes everything on", everything, one_device, gateway=True),
        ServerScenario(
            "a gateway passes on that a device shall be silent",
            [
                *everything[:6],
                *passes(2, "08 0004 0000"),
                Behind(PeerExpects(tcp("08 0004 0000", 2, 17))),
                Silence("a"),
                *behind(3, "03 0000 0001", "03 02 0007"),
            ],
            one_device,
            arguments={"options": ServerOptions(listen_only=True)},
            gateway=True,
        ),
        ServerScenario(
            "a device behind a gateway",
            [
                *first,
                Behind(PeerSends(tcp("03 02 1234", 1, 17))),
                gets(7, "03 02 1234"),
                *passes(8, "06 0001 0002"),
                Behind(PeerExpects(tcp("06 0001 0002", 2, 17))),
                Behind(PeerSends(tcp("86 02", 2, 17))),
                gets(8, "86 02"),
            ],
            one_device,
            gateway=True,
        ),
        ServerScenario(
            "a device behind a gateway stalls no other peer",
            [*first, Connect("b"), *ask_own("b"), Behind(PeerSends(tcp("03 02 1234", 1, 17))),
             gets(7, "03 02 1234")],
            one_device,
            gateway=True,
        ),
        ServerScenario(
            "a device behind a gateway that goes away is answered for with 0A",
            [*first, Behind(PeerCloses()), Behind(PeerGoesAway()), gets(7, "83 0a"),
             *passes(8, READ), gets(8, "83 0a"),
             *ask_own("a", 9)],
            one_device,
            gateway=True,
        ),
    ]  # fmt: skip


def scenarios() -> Sequence[ServerScenario]:
    return _devices()
