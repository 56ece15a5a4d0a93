"""Links that are opened, lost, closed and reopened, and the outcome of the calls on them."""

from __future__ import annotations

from collections.abc import Sequence

from modwire import (
    ClientOptions,
    ConnectionLostError,
    FrameError,
    ResponseTimeoutError,
    RtuFraming,
)

from .client_answers import answer, asked, read, usable
from .client_steps import (
    SHORT,
    Accept,
    ClientScenario,
    ClientStep,
    Close,
    Connect,
    Ended,
    Expect,
    IsOpen,
    NobodyCame,
    Pass,
    PeerCloses,
    PeerComesBack,
    PeerGoesAway,
    PeerIsBusy,
    PeerResets,
    Raises,
    Result,
    Send,
    Start,
    Waits,
)
from .frames import framed, tcp
from .patient_steps import FailsAtOnce, Lasts

_WRITE = "06 0001 0002"
_IDLE = 0.6  # idle time in seconds after which a client checks its link


def _opening() -> list[ClientScenario]:
    return [
        ClientScenario(
            "the first call opens the link",
            [IsOpen(False), read("a", 5), Accept(), Expect(asked(5)), IsOpen(True),
             Send(answer(5)), Result("a", [5]), *usable(2)],
            is_opened=False,
        ),
        ClientScenario(
            "connecting twice opens one link",
            [Connect(), Connect(), Accept(), IsOpen(True), *usable(1), NobodyCame()],
            is_opened=False,
        ),
        ClientScenario(
            "the first callers share one link",
            [
                read("a", 5),
                Start("b", "read_holding_registers", 5),
                Accept(),
                Expect(asked(5, 1) + asked(5, 2)),
                Send(answer(1, 2), answer(1, 1)),
                Result("a", [1]),
                Result("b", [1]),
                NobodyCame(),
            ],
            is_opened=False,
            arguments={"max_in_flight": 2},
        ),
        ClientScenario(
            "a link that cannot be opened is an error, tried again, then waited for",
            [
                PeerGoesAway(),
                read("a"),
                Raises(
                    "a",
                    ConnectionLostError,
                    r"^tcp://127\.0\.0\.1:\d+, unit 1: cannot be opened: .*[Cc]onnection refused",
                ),
                read("b"),
                Raises("b", ConnectionLostError, "cannot be opened"),
                read("patient"),
                Raises("patient", ConnectionLostError, "cannot be opened"),
                FailsAtOnce("read_coils", 0.001, r"the next try is in \d\.\d s"),
                PeerComesBack(),
                read("c", 5),
                Accept(),
                Expect(asked(5)),
                Send(answer(5)),
                Result("c", [5]),
            ],
            is_opened=False,
        ),
        ClientScenario(
            "all calls that wait for a link share the failure to open it",
            [
                PeerIsBusy(),
                read("a"),
                read("b"),
                Waits("a"),
                Waits("b"),
                PeerGoesAway(),
                Raises("a", ConnectionLostError, "cannot be opened"),
                Raises("b", ConnectionLostError, "cannot be opened"),
                IsOpen(False),
                # This counts as one failure, so the next call need not wait.
                PeerComesBack(),
                read("c", 5, timeout=0.05),
                Accept(),
                Expect(asked(5)),
                Raises("c", ResponseTimeoutError),
            ],
            is_opened=False,
        ),
        ClientScenario(
            "a link that takes too long to open",
            [
                PeerIsBusy(),
                read("a"),
                Raises("a", ConnectionLostError, "cannot be opened: timed out"),
                IsOpen(False),
            ],
            is_opened=False,
            arguments={"connect_timeout": 0.1},
        ),
        ClientScenario(
            "a server that accepts and closes at once is no endless loop",
            [
                read("a"),
                Accept(),
                Expect(asked(0, 1)),
                PeerCloses(),
                Raises("a", ConnectionLostError, "closed the connection"),
                NobodyCame(),
            ],
            is_opened=False,
        ),
    ]  # fmt: skip


def _useless() -> ClientScenario:
    """A link that is lost before the first byte counts as a failed connection attempt."""
    return ClientScenario(
        "a server that closes every connection at once is tried again after a pause",
        [
            read("a"),
            Accept(),
            Expect(asked(0, 1)),
            PeerCloses(),
            Raises("a", ConnectionLostError),
            read("b"),
            Accept(),
            Expect(asked(0, 2)),
            Lasts(
                0.1,
                [
                    PeerCloses(),
                    Raises("b", ConnectionLostError),
                    read("c", 5),
                    Accept(),
                    Expect(asked(5, 3)),
                ],
            ),
            Send(answer(5, 3)),
            Result("c", [5]),
        ],
        is_opened=False,
    )


def _dead() -> list[ClientScenario]:
    """A peer that is gone without a sign, and one that closes after each answer."""
    unanswered: list[ClientStep] = []
    for number in range(3):
        name = f"unanswered {number}"
        unanswered += [read(name, 7, timeout=0.05), Expect(asked(7, 2 + number))]
        unanswered += [Raises(name, ResponseTimeoutError)]
    return [
        ClientScenario(
            "a connection on which three requests in a row had no answer is reopened",
            [*usable(1), *unanswered, IsOpen(False), read("a", 5), Accept(), Expect(asked(5, 5)),
             Send(answer(5, 5)), Result("a", [5]), *usable(6)],
        ),
        ClientScenario(
            "a connection is kept if it is never to be reopened",
            [*usable(1), *unanswered, *usable(5), NobodyCame()],
            arguments={"options": ClientOptions(reconnect_after=None)},
        ),
        ClientScenario(
            "a write is sent on a new link if the server has closed the link",
            [*usable(1), PeerCloses(), Start("a", "write_register", 1, 2), Accept(),
             Expect(tcp(_WRITE, 2)), Send(tcp(_WRITE, 2)), Result("a"), NobodyCame()],
        ),
    ]  # fmt: skip


def _closing() -> list[ClientScenario]:
    return [
        ClientScenario(
            "closing ends the link, and the next call opens another",
            [*usable(1), Close(), Close(), IsOpen(False), Ended(), read("a", 5), Accept(),
             Expect(asked(5, 2)), Send(answer(5, 2)), Result("a", [5]), IsOpen(True)],
        ),
        ClientScenario(
            "closing ends all calls that wait, none of which is done again",
            [
                *usable(1),
                read("a", 5),
                read("b", 6),
                read("c", 7),
                Expect(asked(5, 2) + asked(6, 3)),
                Close(),
                Raises("a", ConnectionLostError, "the client was closed"),
                Raises("b", ConnectionLostError, "the client was closed"),
                Raises("c", ConnectionLostError, "the client was closed"),
                Ended(),
            ],
            arguments={"max_in_flight": 2},
        ),
        ClientScenario("closing what was never opened", [Close(), IsOpen(False)], is_opened=False),
    ]  # fmt: skip


def _losing() -> list[ClientScenario]:
    told: list[ClientStep] = [
        read("a", 5),
        read("b", 6),
        read("c", 7),
        Expect(asked(5, 1) + asked(6, 2)),
    ]
    again: list[ClientStep] = [
        Accept(),
        Expect(asked(5, 3)),
        Send(answer(5, 3)),
        Result("a", [5]),
        *usable(4),
    ]
    return [
        ClientScenario(
            "the end of a new link ends all calls that were sent",
            [
                read("a", 5),
                read("b", 6),
                Expect(asked(5, 1) + asked(6, 2)),
                PeerCloses(),
                Raises("a", ConnectionLostError, "the server closed the connection"),
                Raises("b", ConnectionLostError, "the server closed the connection"),
                IsOpen(False),
            ],
            arguments={"max_in_flight": 2},
        ),
        ClientScenario(
            "what was not sent yet goes out on the next link",
            [
                *told,
                PeerCloses(),
                Raises("a", ConnectionLostError),
                Raises("b", ConnectionLostError),
                Accept(),
                Expect(asked(7, 3)),
                Send(answer(7, 3)),
                Result("c", [7]),
            ],
            arguments={"max_in_flight": 2},
        ),
        ClientScenario(
            "a cut connection is lost",
            [*usable(1), Start("a", "write_register", 1, 2), Expect(tcp(_WRITE, 2)), PeerResets(),
             Raises("a", ConnectionLostError, "the link was lost"), IsOpen(False),
             read("b", 5), Accept(), Expect(asked(5, 3)), Send(answer(5, 3)), Result("b", [5])],
        ),
        ClientScenario(
            "half an answer and then the end",
            [*usable(1), read("a", 5), Expect(asked(5, 2)), Send(answer(5, 2)[:-1]), PeerCloses(),
             Raises("a", ConnectionLostError, "closed the connection"), IsOpen(False)],
        ),
        ClientScenario(
            "a read that met the end of a link that had worked is sent again",
            [*usable(1), read("a", 5), Expect(asked(5, 2)), PeerCloses(), *again],
        ),
        ClientScenario(
            "a read that met a link cut off that had worked is sent again",
            [*usable(1), read("a", 5), Expect(asked(5, 2)), PeerResets(), *again],
        ),
        ClientScenario(
            "a read is sent again once",
            [*usable(1), read("a", 5), Expect(asked(5, 2)), PeerCloses(), Accept(),
             Expect(asked(5, 3)), PeerCloses(), Raises("a", ConnectionLostError), NobodyCame()],
        ),
        ClientScenario(
            "all reads in flight are sent again on one new link",
            [
                *usable(1),
                read("a", 5),
                read("b", 5),
                Expect(asked(5, 2) + asked(5, 3)),
                PeerCloses(),
                Accept(),
                Expect(asked(5, 4) + asked(5, 5)),
                Send(answer(5, 5), answer(5, 4)),
                Result("a", [5]),
                Result("b", [5]),
                NobodyCame(),
            ],
            arguments={"max_in_flight": 2},
        ),
        ClientScenario(
            "a write that met the end of a link is never sent again",
            [*usable(1), Start("a", "write_register", 1, 2), Expect(tcp(_WRITE, 2)), PeerCloses(),
             Raises("a", ConnectionLostError), NobodyCame()],
        ),
        ClientScenario(
            "a link that was closed while idle is opened anew even for a write",
            [*usable(1), PeerCloses(), Pass(_IDLE), Start("a", "write_register", 1, 2), Accept(),
             Expect(tcp(_WRITE, 2)), Send(tcp(_WRITE, 2)), Result("a")],
        ),
        ClientScenario(
            "a link without transaction ids that was closed is opened anew at once",
            [
                read("a", 5),
                Expect(framed(RtuFraming, "03 0005 0001")),
                Send(framed(RtuFraming, "03 02 0005")),
                Result("a", [5]),
                PeerCloses(),
                Start("b", "write_register", 1, 2),
                Accept(),
                Expect(framed(RtuFraming, _WRITE)),
                Send(framed(RtuFraming, _WRITE)),
                Result("b"),
            ],
            framing=RtuFraming,
        ),
        ClientScenario(
            "what is no Modbus ends the link, and the next call opens another",
            [
                read("a", 5),
                Expect(asked(5)),
                Send("ffff ffff ffff ffff"),
                Raises("a", FrameError),
                Ended(),
                read("b", 6),
                Accept(),
                Expect(asked(6, 2)),
                Send(answer(6, 2)),
                Result("b", [6]),
            ],
        ),
        ClientScenario(
            "a late answer does not reach the next link",
            [
                read("a", 5, timeout=SHORT),
                Expect(asked(5)),
                Raises("a", ResponseTimeoutError),
                Close(),
                read("b", 6),
                Accept(),
                Expect(asked(6, 2)),
                Send(answer(5, 1), answer(6, 2)),
                Result("b", [6]),
            ],
        ),
    ]  # fmt: skip


def scenarios() -> Sequence[ClientScenario]:
    return [*_opening(), _useless(), *_dead(), *_closing(), *_losing()]
