"""Calls that are cancelled at each stage: other calls and the link are not affected."""

from __future__ import annotations

from collections.abc import Sequence

from modwire import ConnectionLostError, IllegalDataAddressError, RtuFraming

from ..drivers.base import PATIENCE
from .client_answers import TORN, answer, asked, client_options, read, usable
from .client_lines import LINES, Line
from .client_steps import (
    SHORT,
    Accept,
    Cancel,
    ClientScenario,
    ClientStep,
    Close,
    Expect,
    IsOpen,
    NobodyCame,
    PeerCloses,
    PeerComesBack,
    PeerGoesAway,
    PeerIsBusy,
    PeerIsFree,
    Quiet,
    Raises,
    Result,
    Send,
    Start,
    Waits,
)
from .frames import tcp
from .patient_steps import Discard, Lasts, StillWorks

_LONG = 0.3  # seconds: the timeout of calls that are cancelled before
_TWO = {"max_in_flight": 2}


def _with_transactions() -> list[ClientScenario]:
    two: list[ClientStep] = [read("a", 5), read("b", 6), Expect(asked(5, 1) + asked(6, 2))]
    return [
        ClientScenario(
            "a caller gives up while the call is queued",
            [read("a", 5), read("b", 6), read("c", 7), Expect(asked(5)), Cancel("b"), Waits("a"),
             Send(answer(5)), Result("a", [5]), Expect(asked(7, 2)), Send(answer(7, 2)),
             Result("c", [7]), *usable(3)],
        ),
        ClientScenario(
            "a caller gives up while another receives for all",
            [*two, Cancel("b"), Waits("a"), Send(answer(6, 2)), Waits("a"), Send(answer(5)),
             Result("a", [5]), *usable(3)],
            arguments=_TWO,
        ),
        ClientScenario(
            "the caller who receives for all gives up",
            [*two, Cancel("a"), Waits("b"), Send(answer(5)), Waits("b"), Send(answer(6, 2)),
             Result("b", [6]), *usable(3)],
            arguments=_TWO,
        ),
        ClientScenario(
            "the place of a caller who gave up is free",
            [*two, read("c", 7), Cancel("a"), Expect(asked(7, 3)), Send(answer(7, 3)),
             Result("c", [7]), Send(answer(6, 2)), Result("b", [6])],
            arguments=_TWO,
        ),
        ClientScenario(
            "the place of a caller who gave up is free for the receiver too",
            [*two, read("c", 7), Cancel("b"), Expect(asked(7, 3)), Send(answer(7, 3)),
             Result("c", [7]), Send(answer(5, 1)), Result("a", [5])],
            arguments=_TWO,
        ),
        ClientScenario(
            "all callers give up",
            [*two, Cancel("a"), Cancel("b"), IsOpen(True), *usable(3),
             Send(answer(5), answer(6, 2)), *usable(4)],
            arguments=_TWO,
        ),
        ClientScenario(
            "the answer comes after its caller gave up, before the next call",
            [read("a", 5), Expect(asked(5)), Cancel("a"), Send(answer(5)), *usable(2), *usable(3)],
        ),
        ClientScenario(
            "the answer comes after its caller gave up, during the next call",
            [read("a", 5), Expect(asked(5)), Cancel("a"), read("b", 6), Expect(asked(6, 2)),
             Send(answer(5)), Waits("b"), Send(answer(6, 2)), Result("b", [6])],
        ),
        ClientScenario(
            "a caller gives up when half of the answer is there",
            [read("a", 5), Expect(asked(5)), Send(answer(5)[:7]), Waits("a"), Cancel("a"),
             read("b", 6), Expect(asked(6, 2)), Send(answer(5)[7:], answer(6, 2)[:4]), Waits("b"),
             Send(answer(6, 2)[4:]), Result("b", [6]), *usable(3)],
        ),
        ClientScenario(
            "a caller gives up when half of another's answer is there",
            [*two, Send(answer(6, 2)[:7]), Cancel("a"), Waits("b"), Send(answer(6, 2)[7:]),
             Result("b", [6]), Send(answer(5)), *usable(3)],
            arguments=_TWO,
        ),
        ClientScenario(
            "a refusal comes after its caller gave up",
            [*two, Cancel("a"), Send(tcp("83 02", 1), tcp("83 02", 2)),
             Raises("b", IllegalDataAddressError), *usable(3)],
            arguments=_TWO,
        ),
        ClientScenario(
            "a call that was cancelled is not retried",
            [read("a", 5, timeout=_LONG), Expect(asked(5)), Cancel("a"), Discard(),
             Quiet(_LONG + SHORT), StillWorks()],
            arguments={"retries": 100},
        ),
        ClientScenario(
            "a caller gives up between two attempts",
            [read("a", 5, timeout=_LONG), Expect(asked(5, 1)), Expect(asked(5, 2)), Cancel("a"),
             Discard(), Send(answer(5, 1), answer(5, 2)), Quiet(), StillWorks()],
            arguments={"retries": 100},
        ),
        ClientScenario(
            "a caller gives up between two requests of one call",
            [Start("a", "read_device_identification"), Expect(tcp("2b 0e 01 00", 1)),
             Send(tcp("2b 0e 01 81 ff 01 01 00 01 41", 1)), Expect(tcp("2b 0e 01 01", 2)),
             Cancel("a"), Send(tcp("2b 0e 01 81 00 00 01 01 01 42", 2)), *usable(3)],
        ),
        ClientScenario(
            "many calls are cancelled among many",
            [
                *(read(f"call {each}", each) for each in range(1, 17)),
                Expect(b"".join(asked(each, each) for each in range(1, 17))),
                *(Cancel(f"call {each}") for each in (1, 2, 5, 9, 16, 15, 3)),
                Send(*(answer(each, each) for each in range(16, 0, -1))),
                *(Result(f"call {each}", [each]) for each in (4, 6, 7, 8, 10, 11, 12, 13, 14)),
                *usable(17),
            ],
            arguments={"max_in_flight": 16},
        ),
    ]  # fmt: skip


def _of_a_line(line: Line) -> list[ClientScenario]:
    framing, name = line.framing, line.framing.name
    return [
        ClientScenario(
            f"the line stays taken until the answer came, {name}",
            [
                read("a", 5),
                Expect(line.asked(5)),
                Cancel("a"),
                read("b", 6),
                Quiet(),
                Waits("b"),
                Send(line.answer(5)),
                Expect(line.asked(6)),
                Send(line.answer(6)),
                Result("b", [6]),
            ],
            framing=framing,
        ),
        ClientScenario(
            f"a caller gives up while the line is another's, {name}",
            [
                read("a", 5),
                read("b", 6),
                read("c", 7),
                Expect(line.asked(5)),
                Cancel("b"),
                Send(line.answer(5)),
                Result("a", [5]),
                Expect(line.asked(7)),
                Send(line.answer(7)),
                Result("c", [7]),
            ],
            framing=framing,
        ),
        ClientScenario(
            f"a caller gives up when half of the answer is there, {name}",
            [
                read("a", 5),
                read("b", 6),
                Expect(line.asked(5)),
                Send(line.answer(5)[:4]),
                Cancel("a"),
                Waits("b"),
                Send(line.answer(5)[4:]),
                Expect(line.asked(6)),
                Send(line.answer(6)),
                Result("b", [6]),
            ],
            framing=framing,
            arguments={"options": client_options(tolerance=TORN)},
        ),
    ]


def _of_time() -> list[ClientScenario]:
    """Scenarios in which time passes; they are the same for every framing."""
    line = Line(RtuFraming)
    return [
        ClientScenario(
            "the line stays taken until the time for the answer is over",
            [
                Lasts(
                    _LONG,
                    [
                        read("a", 5, timeout=_LONG),
                        Expect(line.asked(5)),
                        Cancel("a"),
                        read("b", 6, unit=2),
                        Expect(line.asked(6, 2)),
                    ],
                ),
                Send(line.answer(6, 2)),
                Result("b", [6]),
            ],
            framing=RtuFraming,
        ),
        ClientScenario(
            "a caller gives up in the turnaround of a broadcast",
            [
                Start("a", "write_register", 1, 2, unit=0),
                Expect(line.frame("06 0001 0002", 0)),
                Cancel("a", may_be_done=True),
                *line.usable(),
            ],
            framing=RtuFraming,
            arguments={"options": client_options(turnaround=_LONG)},
        ),
    ]


def _links() -> list[ClientScenario]:
    rtu = Line(RtuFraming)
    patient = {"connect_timeout": PATIENCE}
    return [
        ClientScenario(
            "the only caller gives up while the link is being opened",
            [
                PeerIsBusy(),
                read("a", 5),
                Waits("a"),
                Cancel("a"),
                IsOpen(False),
                PeerGoesAway(),
                PeerComesBack(),
                read("b", 6),
                Accept(),
                Expect(asked(6)),
                Send(answer(6)),
                Result("b", [6]),
            ],
            is_opened=False,
        ),
        ClientScenario(
            "connecting is cancelled, and a call gets the link",
            [
                PeerIsBusy(),
                Start("a", "connect"),
                read("b", 6),
                Cancel("a"),
                PeerIsFree(),
                Accept(),
                Expect(asked(6)),
                Send(answer(6)),
                Result("b", [6]),
                NobodyCame(),
            ],
            is_opened=False,
            arguments=patient,
        ),
        ClientScenario(
            "the caller who opens the link gives up, and the others get it",
            [
                PeerIsBusy(),
                read("a", 5),
                read("b", 6),
                read("c", 6),
                Cancel("a"),
                PeerIsFree(),
                Accept(),
                Expect(asked(6, 1) + asked(6, 2)),
                Send(answer(6, 2), answer(6, 1)),
                Result("b", [6]),
                Result("c", [6]),
                NobodyCame(),
            ],
            is_opened=False,
            arguments={**_TWO, **patient},
        ),
        ClientScenario(
            "a caller who waits for the link that another opens gives up",
            [
                PeerIsBusy(),
                read("a", 5),
                read("b", 6),
                Cancel("b"),
                PeerIsFree(),
                Accept(),
                Expect(asked(5)),
                Send(answer(5)),
                Result("a", [5]),
                NobodyCame(),
                *usable(2),
            ],
            is_opened=False,
            arguments=patient,
        ),
        ClientScenario(
            "all who wait for the link give up",
            [
                PeerIsBusy(),
                read("a", 5),
                read("b", 6),
                Cancel("a"),
                Cancel("b"),
                PeerIsFree(),
                read("c", 7),
                Accept(),
                Expect(asked(7)),
                Send(answer(7)),
                Result("c", [7]),
                NobodyCame(),
            ],
            is_opened=False,
        ),
        ClientScenario(
            "a caller gives up, then the link ends",
            [
                *usable(1),
                read("a", 5),
                read("b", 6),
                Expect(asked(5, 2) + asked(6, 3)),
                Cancel("a"),
                PeerCloses(),
                Accept(),
                Expect(asked(6, 4)),
                Send(answer(6, 4)),
                Result("b", [6]),
            ],
            arguments=_TWO,
        ),
        ClientScenario(
            "a caller gives up, then the client is closed",
            [
                read("a", 5),
                read("b", 6),
                Expect(asked(5, 1) + asked(6, 2)),
                Cancel("a"),
                Close(),
                Raises("b", ConnectionLostError, "the client was closed"),
            ],
            arguments=_TWO,
        ),
        ClientScenario(
            "a caller gives up on a serial port",
            [
                read("a", 5),
                Expect(rtu.asked(5)),
                Cancel("a"),
                read("b", 6),
                Quiet(),
                Send(rtu.answer(5)),
                Expect(rtu.asked(6)),
                Send(rtu.answer(6)),
                Result("b", [6]),
            ],
            link="serial",
            framing=RtuFraming,
        ),
        ClientScenario(
            "a caller gives up on UDP",
            [read("a", 5), Expect(asked(5)), Cancel("a"), Send(answer(5)), *usable(2)],
            link="udp",
        ),
    ]  # fmt: skip


def scenarios() -> Sequence[ClientScenario]:
    return [
        *_with_transactions(),
        *(each for framing in LINES for each in _of_a_line(Line(framing))),
        *_of_time(),
        *_links(),
    ]
