"""Answers of which only a part comes: the next call must not take its own answer for the rest."""

from __future__ import annotations

from collections.abc import Sequence

from modwire import ClientOptions, ConnectionLostError, ResponseTimeoutError

from .client_answers import answer, asked, read, usable
from .client_lines import LINES, Line
from .client_steps import (
    SHORT,
    Accept,
    Cancel,
    ClientScenario,
    ClientStep,
    Expect,
    IsOpen,
    NobodyCame,
    Pass,
    Raises,
    Result,
    Send,
    Start,
    Waits,
)
from .frames import tcp

_WRITE = "06 0001 0002"
_HALF = answer(5)[:7]
_TWO = {"max_in_flight": 2}


def _begun(part: bytes = _HALF) -> list[ClientStep]:
    """A call that times out when a part of its answer has come."""
    count = "1 byte" if len(part) == 1 else f"{len(part)} bytes"
    return [
        read("a", 5, timeout=SHORT),
        Expect(asked(5)),
        Send(part),
        Raises("a", ResponseTimeoutError, f": {count} of an unfinished frame came"),
    ]


def _works(name: str, transaction: int) -> list[ClientStep]:
    """A read of register 6 is answered on a link that is opened for it."""
    return [
        Accept(),
        Expect(asked(6, transaction)),
        Send(answer(6, transaction)),
        Result(name, [6]),
        *usable(transaction + 1),
        NobodyCame(),
    ]


def _next_calls() -> list[ClientScenario]:
    write = Start("b", "write_register", 1, 2)
    return [
        *(
            ClientScenario(
                f"a call after {size} bytes of an answer has a new link",
                [*_begun(answer(5)[:size]), IsOpen(True), read("b", 6), *_works("b", 2)],
            )
            for size in (1, 2, 3, 6, 7, len(answer(5)) - 1)
        ),
        ClientScenario(
            "a call that waited for its turn behind half an answer has a new link",
            [read("a", 5, timeout=SHORT), read("b", 6), Expect(asked(5)), Send(_HALF),
             Raises("a", ResponseTimeoutError), *_works("b", 2)],
        ),
        ClientScenario(
            "a write after half an answer has a new link",
            [*_begun(), write, Accept(), Expect(tcp(_WRITE, 2)), Send(tcp(_WRITE, 2)),
             Result("b"), *usable(3), NobodyCame()],
        ),
        ClientScenario(
            "a write after half an answer and its late rest needs no new link",
            [*_begun(), Send(answer(5)[7:]), write, Expect(tcp(_WRITE, 2)), Send(tcp(_WRITE, 2)),
             Result("b"), *usable(3), NobodyCame()],
        ),
        ClientScenario(
            "half of a late answer, and then silence: the call after that has a new link",
            [read("a", 5, timeout=SHORT), Expect(asked(5)), Raises("a", ResponseTimeoutError),
             read("b", 6, timeout=SHORT), Expect(asked(6, 2)), Send(_HALF),
             Raises("b", ResponseTimeoutError), read("c", 6), *_works("c", 3)],
        ),
        ClientScenario(
            "half of an answer in a datagram spoils none",
            [*_begun(), read("b", 6), Expect(asked(6, 2)), Send(answer(6, 2)), Result("b", [6])],
            link="udp",
        ),
        *(
            ClientScenario(
                f"half an answer spoils none, {framing.name}",
                [
                    read("a", 5, timeout=SHORT),
                    Expect(Line(framing).asked(5)),
                    Send(Line(framing).answer(5)[:4]),
                    Raises("a", ResponseTimeoutError),
                    *Line(framing).usable(),
                ],
                framing=framing,
                arguments={"options": ClientOptions(late_reply_window=0.0)},
            )
            for framing in LINES
        ),
    ]  # fmt: skip


def _attempts() -> list[ClientScenario]:
    torn: list[ClientStep] = [Send(_HALF), Accept(), Expect(asked(5, 2))]
    again = ClientOptions(response_timeout=SHORT, retries=1, retry_writes=True)
    return [
        ClientScenario(
            "a read that had half an answer is sent again on a new link",
            [read("a", 5, timeout=SHORT), Expect(asked(5)), *torn, Send(answer(5, 2)),
             Result("a", [5]), *usable(3), NobodyCame()],
            arguments={"retries": 1},
        ),
        ClientScenario(
            "every attempt had half an answer",
            [read("a", 5, timeout=SHORT), Expect(asked(5)), *torn, Send(answer(5, 2)[:7]),
             Accept(), Expect(asked(5, 3)), Send(answer(5, 3)[:7]),
             Raises("a", ResponseTimeoutError, "in 3 attempts: 7 bytes of an unfinished frame"),
             NobodyCame(), read("b", 6), *_works("b", 4)],
            arguments={"retries": 2},
        ),
        ClientScenario(
            "a write that had half an answer is not sent again",
            [Start("a", "write_register", 1, 2, timeout=SHORT), Expect(tcp(_WRITE)),
             Send(tcp(_WRITE)[:7]), Raises("a", ResponseTimeoutError), NobodyCame(),
             read("b", 6), *_works("b", 2)],
            arguments={"retries": 3},
        ),
        ClientScenario(
            "a write that had half an answer is sent again where that is wanted",
            [Start("a", "write_register", 1, 2), Expect(tcp(_WRITE)), Send(tcp(_WRITE)[:7]),
             Accept(), Expect(tcp(_WRITE, 2)), Send(tcp(_WRITE, 2)), Result("a"), NobodyCame()],
            arguments={"options": again},
        ),
    ]  # fmt: skip


def _in_flight() -> list[ClientScenario]:
    two: list[ClientStep] = [
        read("a", 5, timeout=SHORT), read("b", 6), Expect(asked(5, 1) + asked(6, 2))
    ]  # fmt: skip
    return [
        ClientScenario(
            "another read is sent again on a new link when half an answer is overdue",
            [*two, Send(_HALF), Raises("a", ResponseTimeoutError), *_works("b", 3)],
            arguments=_TWO,
        ),
        ClientScenario(
            "another write may have been written when half an answer is overdue",
            [read("a", 5, timeout=SHORT), Start("b", "write_register", 1, 2),
             Expect(asked(5) + tcp(_WRITE, 2)), Send(_HALF), Raises("a", ResponseTimeoutError),
             Raises("b", ConnectionLostError, "the rest of an answer did not come"), NobodyCame(),
             read("c", 6), *_works("c", 3)],
            arguments=_TWO,
        ),
        ClientScenario(
            "the answer that comes in parts is another's",
            [*two, Send(answer(6, 2)[:7]), Raises("a", ResponseTimeoutError), Waits("b"),
             Send(answer(6, 2)[7:]), Result("b", [6]), *usable(3), NobodyCame()],
            arguments=_TWO,
        ),
        ClientScenario(
            "the answer of which one byte has come may be another's",
            [*two, Send(answer(6, 2)[:1]), Raises("a", ResponseTimeoutError), Waits("b"),
             Send(answer(6, 2)[1:]), Result("b", [6]), *usable(3), NobodyCame()],
            arguments=_TWO,
        ),
    ]  # fmt: skip


def _cancelled() -> list[ClientScenario]:
    begun: list[ClientStep] = [
        read("a", 5, timeout=SHORT), Expect(asked(5)), Send(_HALF), Waits("a"), Cancel("a", True)
    ]  # fmt: skip
    return [
        ClientScenario(
            "a call after a cancelled one, of whose answer half came, has a new link",
            [*begun, Pass(1.5 * SHORT), read("b", 6), *_works("b", 2)],
        ),
        ClientScenario(
            "a write after a cancelled call and the late rest of its answer needs no new link",
            [*begun, Pass(1.5 * SHORT), Send(answer(5)[7:]), Start("b", "write_register", 1, 2),
             Expect(tcp(_WRITE, 2)), Send(tcp(_WRITE, 2)), Result("b"), NobodyCame()],
        ),
        ClientScenario(
            "a read whose answer was taken for the rest of another is sent again on a new link",
            [read("a", 5), Expect(asked(5)), Send(_HALF), Waits("a"), Cancel("a"), read("b", 6),
             Expect(asked(6, 2)), Send(answer(6, 2)), *_works("b", 3)],
        ),
    ]  # fmt: skip


def scenarios() -> Sequence[ClientScenario]:
    return [*_next_calls(), *_attempts(), *_in_flight(), *_cancelled()]
