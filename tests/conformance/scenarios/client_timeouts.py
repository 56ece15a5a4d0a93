"""Missing and late responses, and the requests that are or are not retried."""

from __future__ import annotations

from collections.abc import Sequence

from modwire import ClientOptions, IllegalDataAddressError, ResponseTimeoutError

from .client_answers import answer, asked, read, usable
from .client_steps import (
    SHORT,
    ClientScenario,
    ClientStep,
    Expect,
    IsOpen,
    Pass,
    Quiet,
    Raises,
    Result,
    Send,
    Start,
    Waits,
)
from .frames import tcp
from .patient_steps import AnswersAgain, Lasts, StillWorks

_OFTEN = {"timeout": 0.3, "retries": 100}  # so that one attempt is answered in time


def _timeouts() -> list[ClientScenario]:
    begin: list[ClientStep] = [read("a", 5, timeout=SHORT), Expect(asked(5))]
    late: list[ClientStep] = [*begin, Raises("a", ResponseTimeoutError, "within 0.1 s")]
    return [
        ClientScenario(
            "silence is a timeout, and the link is kept",
            [*late, IsOpen(True), *usable(2)],
        ),
        ClientScenario(
            "the client's own timeout",
            [read("a", 5), Expect(asked(5)), Raises("a", ResponseTimeoutError, "unit 1"),
             IsOpen(True)],
            arguments={"timeout": SHORT},
        ),
        ClientScenario(
            "a timeout does not come early",
            [Lasts(0.2, [read("a", 5, timeout=0.2), Expect(asked(5)),
                         Raises("a", ResponseTimeoutError)])],
        ),
        ClientScenario(
            "half an answer is no answer in time",
            [*begin, Send(answer(5)[:-1]), Raises("a", ResponseTimeoutError),
             Send(answer(5)[-1:]), *usable(2)],
        ),
        ClientScenario(
            "junk does not keep a call alive",
            [*begin, *[Send(answer(5, 0x7777)), Pass(SHORT / 4)] * 5,
             Raises("a", ResponseTimeoutError), *usable(2)],
        ),
        ClientScenario(
            "a late answer that comes before the next call is dropped",
            [*late, Send(answer(5)), *usable(2), *usable(3)],
        ),
        ClientScenario(
            "a late answer that comes during the next call is dropped",
            [
                *late,
                read("b", 6),
                Expect(asked(6, 2)),
                Send(answer(5)),
                Waits("b"),
                Send(answer(6, 2)),
                Result("b", [6]),
            ],
        ),
        ClientScenario(
            "a call that times out holds up no other",
            [
                *begin,
                read("b", 6),
                read("c", 7),
                Expect(asked(6, 2)),
                Raises("a", ResponseTimeoutError),
                Expect(asked(7, 3)),
                Send(answer(7, 3), answer(5), answer(6, 2)),
                Result("b", [6]),
                Result("c", [7]),
            ],
            arguments={"max_in_flight": 2},
        ),
        ClientScenario(
            "a short timeout is kept while another caller waits long",
            [
                read("long", 5),
                read("short", 6, timeout=SHORT),
                Expect(asked(5, 1) + asked(6, 2)),
                Raises("short", ResponseTimeoutError),
                Waits("long"),
                Send(answer(5)),
                Result("long", [5]),
            ],
            arguments={"max_in_flight": 2},
        ),
        ClientScenario(
            "the time of a call that waits for its turn counts from its own sending",
            [
                read("a", 5),
                read("b", 6, timeout=SHORT),
                Expect(asked(5)),
                Pass(1.5 * SHORT),
                Waits("b"),
                Send(answer(5)),
                Result("a", [5]),
                Expect(asked(6, 2)),
                Raises("b", ResponseTimeoutError),
            ],
        ),
    ]  # fmt: skip


def _retries() -> list[ClientScenario]:
    write = "06 0001 0002"
    return [
        ClientScenario(
            "a read is sent again",
            [read("a", 5), AnswersAgain("a", lambda transaction: [answer(5, transaction)]),
             Result("a", [5]), StillWorks()],
            arguments=_OFTEN,
        ),
        ClientScenario(
            "the answer to the attempt before comes late, and is dropped",
            [read("a", 5), AnswersAgain("a", lambda transaction: [
                answer(1, transaction - 1) + answer(2, transaction)]), Result("a", [2]),
             StillWorks()],
            arguments=_OFTEN,
        ),
        ClientScenario(
            "all attempts in vain",
            [read("a", 5), Expect(asked(5, 1) + asked(5, 2) + asked(5, 3)),
             Raises("a", ResponseTimeoutError, "in 3 attempts"), Quiet()],
            arguments={"timeout": 0.05, "retries": 2},
        ),
        ClientScenario(
            "a write is not sent again",
            [Start("a", "write_register", 1, 2, timeout=SHORT), Expect(tcp(write)),
             Raises("a", ResponseTimeoutError), Quiet(), Send(tcp(write)), *usable(2)],
            arguments={"retries": 2},
        ),
        ClientScenario(
            "a write is sent again where that is wanted",
            [Start("a", "write_register", 1, 2),
             AnswersAgain("a", lambda transaction: [tcp(write, transaction)]), Result("a")],
            arguments={"options": ClientOptions(
                response_timeout=0.3, retries=100, retry_writes=True)},
        ),
        ClientScenario(
            "an exception is not asked for again",
            [read("a", 5), Expect(asked(5)), Send(tcp("83 02")),
             Raises("a", IllegalDataAddressError), Quiet(), *usable(2)],
            arguments={"retries": 3},
        ),
    ]  # fmt: skip


def scenarios() -> Sequence[ClientScenario]:
    return [*_timeouts(), *_retries()]
