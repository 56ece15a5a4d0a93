"""Frames without transaction ids on a stream: one at a time, and waiting for late responses."""

from __future__ import annotations

from collections.abc import Sequence

from modwire import (
    AsciiFraming,
    BinaryFraming,
    ClientOptions,
    Framing,
    IllegalDataAddressError,
    InvalidResponseError,
    RawRequest,
    RawResponse,
    ResponseTimeoutError,
    RtuFraming,
)

from .client_answers import client_options, read
from .client_steps import (
    SHORT,
    ClientScenario,
    ClientStep,
    Expect,
    Pass,
    Quiet,
    Raises,
    Result,
    Send,
    Start,
    Waits,
)
from .frames import framed, plain
from .patient_steps import AnswersAgain, Lasts, SendOwed

LINES: list[type[Framing]] = [RtuFraming, AsciiFraming, BinaryFraming]
_WRITE = "06 0001 0002"


class Line:
    """The frames of one framing."""

    def __init__(self, framing: type[Framing]) -> None:
        self.framing = framing

    def asked(self, address: int, unit: int = 1) -> bytes:
        return framed(self.framing, f"03 {address:04x} 0001", unit=unit)

    def answer(self, value: int, unit: int = 1) -> bytes:
        return framed(self.framing, f"03 02 {value:04x}", unit=unit)

    def frame(self, pdu: str, unit: int = 1) -> bytes:
        return framed(self.framing, pdu, unit=unit)

    def usable(self) -> list[ClientStep]:
        return [
            read("usable", 0x99),
            Expect(self.asked(0x99)),
            Send(self.answer(0x99)),
            Result("usable", [0x99]),
        ]

    def damaged(self) -> bytes:
        """An answer whose check is wrong."""
        if self.framing is AsciiFraming:
            return b":0103020001FF\r\n"
        if self.framing is BinaryFraming:
            return plain("7b 01 03 02 0001 0000 7d")
        return plain("01 03 02 0001 0000")


def _for_each(line: Line) -> list[ClientScenario]:
    framing, name = line.framing, line.framing.name
    begin: list[ClientStep] = [read("a", 5), Expect(line.asked(5))]
    late: list[ClientStep] = [
        read("a", 5, timeout=SHORT),
        Expect(line.asked(5)),
        Raises("a", ResponseTimeoutError),
    ]
    return [
        ClientScenario(
            f"one call at a time, {name}",
            [
                read("a", 5),
                read("b", 6, unit=2),
                Expect(line.asked(5)),
                Quiet(),
                Send(line.answer(5)),
                Result("a", [5]),
                Expect(line.asked(6, 2)),
                Send(line.frame("83 02", 2)),
                Raises("b", IllegalDataAddressError),
                *line.usable(),
            ],
            framing=framing,
            arguments={"options": ClientOptions(max_in_flight=16)},
        ),
        ClientScenario(
            f"damage, other units and other functions before the answer, {name}",
            [
                *begin,
                Send(line.damaged()),
                Send(line.answer(1, 9)),
                Send(line.frame("04 02 0002")),
                Send(line.answer(3)),
                Result("a", [3]),
                *line.usable(),
            ],
            framing=framing,
        ),
        ClientScenario(
            f"nothing but answers that do not fit is an error, {name}",
            [
                read("a", 5, timeout=1.0),
                Expect(line.asked(5)),
                Send(line.frame("04 02 0002")),
                Pass(SHORT),
                Raises("a", InvalidResponseError),
            ],
            framing=framing,
        ),
        ClientScenario(
            f"a unit that owes an answer is not asked before it came, others are, {name}",
            [
                *late,
                read("b", 6),
                Quiet(),
                read("other", 7, unit=2),
                Expect(line.asked(7, 2)),
                Send(line.answer(7, 2)),
                Result("other", [7]),
                Waits("b"),
                Send(line.answer(5)),
                Expect(line.asked(6)),
                Send(line.answer(6)),
                Result("b", [6]),
            ],
            framing=framing,
        ),
        ClientScenario(
            f"what comes between two calls is dropped, {name}",
            [Send(line.answer(1)), Pass(0.02), *line.usable(), Send(line.answer(2)), Pass(0.02),
             *line.usable()],
            framing=framing,
        ),
        ClientScenario(
            f"only plain writes are broadcast, {name}",
            [
                read("a", 5, unit=0),
                Raises("a", ValueError, "a broadcast .* must be a plain write"),
                Quiet(0.02),
                *line.usable(),
            ],
            framing=framing,
        ),
        ClientScenario(
            f"an echo is dropped, {name}",
            [
                Start("a", "write_register", 1, 2),
                Expect(line.frame(_WRITE)),
                Send(line.frame(_WRITE)),
                Waits("a"),
                Send(line.frame(_WRITE)),
                Result("a"),
                read("b", 5),
                Expect(line.asked(5)),
                Send(line.asked(5), line.answer(5)),
                Result("b", [5]),
            ],
            framing=framing,
            arguments={"options": client_options(suppress_echo=True)},
        ),
        ClientScenario(
            f"an answer of an unknown function, {name}",
            [
                Start("a", "call", RawRequest(0x41, b"\x09")),
                Expect(line.frame("41 09")),
                Send(line.frame("41 01 02")),
                Result("a", RawResponse(0x41, b"\x01\x02")),
                *line.usable(),
            ],
            framing=framing,
        ),
    ]  # fmt: skip


def _of_time() -> list[ClientScenario]:
    """Scenarios in which time passes; they are the same for every framing."""
    line = Line(RtuFraming)
    late: list[ClientStep] = [
        read("a", 5, timeout=SHORT),
        Expect(line.asked(5)),
        Raises("a", ResponseTimeoutError),
    ]
    return [
        ClientScenario(
            "nothing but damage is a timeout",
            [
                read("a", 5, timeout=SHORT),
                Expect(line.asked(5)),
                Send(line.damaged()),
                Raises("a", ResponseTimeoutError),
                Pass(SHORT),
                *line.usable(),
            ],
            framing=RtuFraming,
            arguments={"options": client_options(late_reply_window=SHORT / 2)},
        ),
        ClientScenario(
            "a unit that owes an answer is asked when its time is over",
            [*late, read("b", 6), Expect(line.asked(6)), Send(line.answer(6)), Result("b", [6])],
            framing=RtuFraming,
            arguments={"options": client_options(late_reply_window=SHORT)},
        ),
        ClientScenario(
            "both answers to a read that was sent twice",
            [
                read("a", 5, timeout=0.3),
                AnswersAgain("a", lambda _: [line.answer(5)], size=len(line.asked(5))),
                Result("a", [5]),
                read("b", 6),
                Quiet(0.02),
                SendOwed(line.answer(5)),
                Expect(line.asked(6)),
                Send(line.answer(6)),
                Result("b", [6]),
            ],
            framing=RtuFraming,
            arguments={"options": client_options(retries=100, late_reply_window=SHORT)},
        ),
        ClientScenario(
            "a broadcast is done after the turnaround",
            [
                Lasts(
                    3 * SHORT,
                    [
                        Start("a", "write_register", 1, 2, unit=0),
                        read("b", 5),
                        Expect(line.frame(_WRITE, 0)),
                        Result("a"),
                        Expect(line.asked(5)),
                    ],
                ),
                Send(line.answer(5)),
                Result("b", [5]),
            ],
            framing=RtuFraming,
            arguments={"options": client_options(turnaround=3 * SHORT)},
        ),
    ]


def _rtu() -> list[ClientScenario]:
    line = Line(RtuFraming)
    return [
        ClientScenario(
            f"noise before an RTU answer: {noise}",
            [read("a", 5), Expect(line.asked(5)), Send(noise), Send(line.answer(5)),
             Result("a", [5]), *line.usable()],
            framing=RtuFraming,
        )
        for noise in ("00", "ff ff", "01", "01 03")
    ]  # fmt: skip


def _delimiter() -> ClientScenario:
    line = Line(AsciiFraming)
    return ClientScenario(
        "an ASCII line with another delimiter",
        [
            Start("a", "change_ascii_input_delimiter", ";"),
            Expect(line.frame("08 0003 3b00")),
            Send(line.frame("08 0003 3b00")),
            Result("a"),
            read("b", 5),
            Expect(line.asked(5)[:-1] + b";"),
            Send(line.answer(5)[:-1] + b";"),
            Result("b", [5]),
        ],
        framing=AsciiFraming,
    )


def scenarios() -> Sequence[ClientScenario]:
    return [
        *(each for framing in LINES for each in _for_each(Line(framing))),
        *_of_time(),
        *_rtu(),
        _delimiter(),
    ]
