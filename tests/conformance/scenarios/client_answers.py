"""Responses in pieces, together, in another order, too late, twice, or from other peers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from modwire import (
    FRAMINGS,
    ClientOptions,
    FrameError,
    IllegalDataAddressError,
    Quirks,
    TcpFraming,
)

from ..drivers.base import PATIENCE
from .client_steps import (
    Check,
    ClientScenario,
    ClientStep,
    Ended,
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
from .frames import framed, tcp

# Seconds by which a busy machine may delay the pieces of a frame.
TORN = PATIENCE


def client_options(**options: Any) -> ClientOptions:
    """Options of a client whose calls do not time out on a busy machine."""
    return ClientOptions(**{"response_timeout": PATIENCE, **options})


def read(name: str, address: int = 0, **options: Any) -> Start:
    """Start reading the holding register at `address`."""
    return Start(name, "read_holding_registers", address, **options)


def asked(address: int = 0, transaction: int = 1, unit: int = 1) -> bytes:
    """The request of `read`."""
    return tcp(f"03 {address:04x} 0001", transaction, unit)


def answer(value: int, transaction: int = 1, unit: int = 1) -> bytes:
    """The answer to `read`."""
    return tcp(f"03 02 {value:04x}", transaction, unit)


def usable(transaction: int) -> list[ClientStep]:
    """A complete exchange, to check that the link still works."""
    return [
        read("usable", 0x99),
        Expect(asked(0x99, transaction)),
        Send(answer(0x99, transaction)),
        Result("usable", [0x99]),
    ]


def _fragments() -> list[ClientScenario]:
    found = []
    for name, framing in FRAMINGS.items():
        steps: list[ClientStep] = []
        for transaction, (pdu, size) in enumerate(
            [("03 06 0001 0203 7b7d", 1), ("83 02", 1), ("03 06 3a0d 0a3a 0000", 3)], 1
        ):
            outcome: ClientStep = Raises("it", IllegalDataAddressError)
            if pdu.startswith("03"):
                words = pdu.split()[2:]
                outcome = Result("it", [int(word, 16) for word in words])
            steps += [
                Start("it", "read_holding_registers", 0, 3),
                Expect(framed(framing, "03 0000 0003", transaction)),
                Send(framed(framing, pdu, transaction), size=size),
                outcome,
            ]
        found.append(
            ClientScenario(
                f"answers in fragments, {name}",
                steps,
                framing=framing,
                arguments={"options": client_options(tolerance=TORN)},
            )
        )
    return found


def _together() -> list[ClientScenario]:
    three: list[ClientStep] = [
        read("a", 1),
        read("b", 2),
        read("c", 3),
        Expect(asked(1, 1) + asked(2, 2) + asked(3, 3)),
    ]
    results: list[ClientStep] = [Result("a", [11]), Result("b", [22]), Result("c", [33])]
    first, second, third = answer(11, 1), answer(22, 2), answer(33, 3)
    pipelined = {"max_in_flight": 3}
    return [
        ClientScenario(
            "several answers in one piece",
            [*three, Send(first, second, third), *results, *usable(4)],
            arguments=pipelined,
        ),
        ClientScenario(
            "several answers byte by byte",
            [*three, Send(first, second, third, size=1), *results],
            arguments=pipelined,
        ),
        ClientScenario(
            "answers in any order",
            [
                *three,
                Send(third),
                Result("c", [33]),
                Waits("a"),
                Waits("b"),
                Send(first),
                Result("a", [11]),
                Waits("b"),
                Send(second),
                Result("b", [22]),
                *usable(4),
            ],
            arguments=pipelined,
        ),
        ClientScenario(
            "all answers in the wrong order in one piece",
            [*three, Send(third, second, first), *results],
            arguments=pipelined,
        ),
        ClientScenario(
            "an answer and a half, then the rest",
            [
                *three,
                Send(second, first[:5]),
                Result("b", [22]),
                Waits("a"),
                Send(first[5:], third[:10]),
                Result("a", [11]),
                Send(third[10:]),
                Result("c", [33]),
            ],
            arguments=pipelined,
        ),
        ClientScenario(
            "one refused, the others answered",
            [
                *three,
                Send(tcp("83 02", 2), third, first),
                Raises("b", IllegalDataAddressError),
                Result("a", [11]),
                Result("c", [33]),
            ],
            arguments=pipelined,
        ),
    ]


def _turns() -> list[ClientScenario]:
    one_by_one: list[ClientStep] = [read(f"call {each}", each) for each in range(1, 6)]
    for each in range(1, 6):
        one_by_one += [
            Expect(asked(each, each)),
            Quiet(0.01),
            Send(answer(each, each)),
            Result(f"call {each}", [each]),
        ]
    by_two: list[ClientStep] = [read(f"call {each}", each) for each in range(1, 7)]
    by_two += [Expect(asked(1, 1) + asked(2, 2)), Quiet(0.01)]
    for each in range(1, 7):
        by_two += [Send(answer(each, each)), Result(f"call {each}", [each])]
        if each < 5:
            by_two += [Expect(asked(each + 2, each + 2)), Quiet(0.01)]
    sixteen: list[ClientStep] = [read(f"call {each}", each) for each in range(1, 18)]
    sixteen += [Expect(b"".join(asked(each, each) for each in range(1, 17))), Quiet(0.01)]
    sixteen += [Send(answer(16, 16)), Result("call 16", [16]), Expect(asked(17, 17))]
    for each in (17, *range(15, 0, -1)):
        sixteen += [Send(answer(each, each)), Result(f"call {each}", [each])]
    return [
        ClientScenario("callers are served in the order they came", one_by_one),
        ClientScenario(
            "no more are in flight than allowed, in the order they came",
            by_two,
            arguments={"max_in_flight": 2},
        ),
        ClientScenario("sixteen in flight", sixteen, arguments={"max_in_flight": 16}),
    ]


def _wrong_ones() -> list[ClientScenario]:
    begin: list[ClientStep] = [read("a", 5), Expect(asked(5))]
    return [
        ClientScenario(
            "a stale answer is dropped",
            [*begin, Send(answer(1, 0x7777)), Waits("a"), Send(answer(2)), Result("a", [2])],
        ),
        ClientScenario(
            "stale answers and the right one in one piece",
            [*begin, Send(answer(1, 0), answer(1, 0x7777), answer(2)), Result("a", [2])],
        ),
        ClientScenario(
            "an answer of another unit is dropped",
            [*begin, Send(answer(1, 1, 9)), Waits("a"), Send(answer(2)), Result("a", [2])],
        ),
        ClientScenario(
            "an answer that comes twice counts once",
            [
                *begin,
                Send(answer(1), answer(1)),
                Result("a", [1]),
                read("b", 6),
                Expect(asked(6, 2)),
                Send(answer(1), answer(2, 2), answer(2, 2)),
                Result("b", [2]),
                *usable(3),
            ],
        ),
        ClientScenario(
            "a flood of stale answers before the right one",
            [*begin, Send(*[answer(1, 0x7777)] * 2000, answer(2)), Result("a", [2]), *usable(2)],
        ),
        ClientScenario(
            "what comes between two calls is dropped",
            [
                *usable(1),
                Send(answer(1, 1), answer(1, 2), answer(1, 3)),
                Pass(0.6),  # after a pause the client looks before it sends
                *usable(2),
                *usable(3),
            ],
        ),
        *(
            ClientScenario(
                f"a stream that is no Modbus ends the link: {head}",
                [*begin, Send(head, "01 03 02 0001"), Raises("a", FrameError), Ended(),
                 IsOpen(False)],
            )
            for head in ("0001 0001 0005", "0001 0000 0000", "0001 0000 0001", "0001 0000 ffff")
        ),
        ClientScenario(
            "a stream that is no Modbus ends all calls",
            [
                *begin,
                read("b", 6),
                read("c", 7),
                Expect(asked(6, 2)),
                Send("ffff ffff ffff ffff"),
                Raises("a", FrameError),
                Raises("b", FrameError),
                Raises("c", FrameError),
                Ended(),
            ],
            arguments={"max_in_flight": 2},
        ),
    ]  # fmt: skip


def _quirks() -> list[ClientScenario]:
    begin: list[ClientStep] = [*usable(1), read("a", 5), Expect(asked(5, 2))]
    wrong = {
        Quirks.zero_transaction_id: answer(5, 0),
        Quirks.any_unit: answer(5, 2, 9),
        Quirks.trailing_bytes: tcp("03 02 0005 00 00", 2),
    }
    return [
        ClientScenario(
            f"the quirk {quirk.name} is overlooked where that is wanted",
            [*begin, Send(data), Result("a", [5])],
            arguments={"options": client_options(quirks=quirk)},
        )
        for quirk, data in wrong.items()
    ]


def scenarios() -> Sequence[ClientScenario]:
    return [
        *_fragments(),
        *_together(),
        *_turns(),
        *_wrong_ones(),
        *_quirks(),
        ClientScenario(
            "a client tells its name, its options and whether it is open",
            [
                IsOpen(True),
                Check(lambda client: client.options.unit == 9),
                Check(lambda client: client.options.max_in_flight == 4),
                Check(lambda client: client.name in repr(client) and "open" in repr(client)),
            ],
            framing=TcpFraming,
            arguments={"unit": 9, "max_in_flight": 4},
        ),
    ]
