"""The links beside TCP: Unix sockets, UDP, and serial ports."""

from __future__ import annotations

from collections.abc import Sequence

from modwire import ConnectionLostError, ResponseTimeoutError, RtuFraming

from .client_answers import TORN, answer, asked, client_options, read, usable
from .client_lines import LINES
from .client_steps import (
    SHORT,
    Accept,
    ClientScenario,
    ClientStep,
    Expect,
    IsOpen,
    PeerCloses,
    PeerGoesAway,
    Quiet,
    Raises,
    Result,
    Send,
    Start,
    Waits,
)
from .frames import framed
from .patient_steps import AnswersAgain, StillWorks

_WRITE = "06 0001 0002"


def _each() -> list[ClientScenario]:
    return [
        ClientScenario(
            "an exchange on a Unix socket, which is opened anew",
            [*usable(1), read("a", 5), Expect(asked(5, 2)), PeerCloses(), Accept(),
             Expect(asked(5, 3)), Send(answer(5, 3)), Result("a", [5])],
            link="unix",
        ),
        ClientScenario(
            "exchanges on UDP, with what does not belong there",
            [
                *usable(1),
                read("a", 5),
                Expect(asked(5, 2)),
                Send("ffff ffff ffff"),
                Send(answer(1, 2)[:-1]),
                Send(answer(1, 1)),
                Send(answer(1, 7), answer(5, 2)),
                Result("a", [5]),
                *usable(3),
            ],
            link="udp",
        ),
        ClientScenario(
            "a lost datagram is sent again, and what comes twice counts once",
            [read("a", 5), AnswersAgain("a", lambda transaction: [
                answer(5, transaction), answer(6, transaction)]), Result("a", [5]), StillWorks()],
            link="udp",
            arguments={"timeout": 0.3, "retries": 100},
        ),
        ClientScenario(
            "many datagrams in flight",
            [read("a", 1), read("b", 2), Expect(asked(1, 1)), Expect(asked(2, 2)),
             Send(answer(2, 2)), Send(answer(1, 1)), Result("a", [1]), Result("b", [2])],
            link="udp",
            arguments={"max_in_flight": 2},
        ),
        ClientScenario(
            "nobody there on UDP",
            [PeerGoesAway(), read("a"), Raises("a", ConnectionLostError, "refused")],
            link="udp",
        ),
        ClientScenario(
            "a serial adapter that is pulled out",
            [
                read("a", 5),
                Expect(framed(RtuFraming, "03 0005 0001")),
                PeerCloses(),
                Raises("a", ConnectionLostError),
                IsOpen(False),
            ],
            link="serial",
            framing=RtuFraming,
        ),
        ClientScenario(
            "a broadcast on a serial line, then a call",
            [
                Start("a", "write_register", 1, 2, unit=0),
                Expect(framed(RtuFraming, _WRITE, 0, 0)),
                Result("a"),
                read("b", 5),
                Expect(framed(RtuFraming, "03 0005 0001")),
                Send(framed(RtuFraming, "03 02 0005")),
                Result("b", [5]),
            ],
            link="serial",
            framing=RtuFraming,
        ),
        ClientScenario(
            "an adapter that receives its own echo",
            [
                Start("a", "write_register", 1, 2),
                Expect(framed(RtuFraming, _WRITE)),
                Send(framed(RtuFraming, _WRITE)),
                Waits("a"),
                Send(framed(RtuFraming, _WRITE)),
                Result("a"),
            ],
            link="serial",
            framing=RtuFraming,
            arguments={"suppress_echo": True},
        ),
    ]  # fmt: skip


def _serial() -> list[ClientScenario]:
    found = []
    for framing in LINES:
        pdus = [("03 0005 0001", "03 02 7b7d"), ("03 0005 0001", "03 02 0a0d")]
        steps: list[ClientStep] = []
        for request, response in pdus:
            steps += [
                read("a", 5),
                Expect(framed(framing, request)),
                Send(framed(framing, response), size=None if response == pdus[0][1] else 3),
                Result("a", [int(response.split()[2], 16)]),
            ]
        steps += [
            Start("late", "read_holding_registers", 5, timeout=SHORT),
            Expect(framed(framing, "03 0005 0001")),
            Raises("late", ResponseTimeoutError),
            read("next", 6),
            Quiet(),
            Send(framed(framing, "03 02 0005")),
            Expect(framed(framing, "03 0006 0001")),
            Send(framed(framing, "03 02 0006")),
            Result("next", [6]),
        ]
        found.append(
            ClientScenario(
                f"exchanges on a serial port, {framing.name}",
                steps,
                link="serial",
                framing=framing,
                arguments={"options": client_options(silence=0.002, tolerance=TORN)},
            )
        )
    return found


def scenarios() -> Sequence[ClientScenario]:
    return [*_each(), *_serial()]
