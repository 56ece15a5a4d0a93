"""Units that answer with faults, and the hooks that see connections and whole calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modwire import (
    FaultyResponse,
    ReadHoldingRegistersRequest,
    Response,
    ServerOptions,
    ServerProtocol,
    Unit,
    Units,
)

from .frames import rtu, tcp
from .server_functions import READ, READ_ANSWER, device, one_device
from .server_steps import (
    Closed,
    Connect,
    Expect,
    Gate,
    HangUp,
    Holds,
    OpenGate,
    Send,
    ServerScenario,
    ServerStage,
    ServerStep,
    Silence,
)

if TYPE_CHECKING:
    from modwire.messages.base import AnyRequest

DAMAGE, DROP, SAY_NOTHING = "06 0000 0001", "06 0001 0001", "06 0002 0001"


class FaultyUnit(Unit):
    """A write to its first three registers is answered with a fault, by the address."""

    def execute(self, request: AnyRequest, *, broadcast: bool = False) -> Response | None:
        response = device_of(self).execute(request, broadcast=broadcast)
        address = getattr(request, "address", None)
        if request.function_code != 6 or address not in (0, 1, 2):
            return response
        if address == 2:
            return FaultyResponse(None)
        return FaultyResponse(response, is_damaged=address == 0, drops=address == 1)


def device_of(unit: Unit) -> Unit:
    """A plain unit with the tables of a faulty one."""
    return Unit(holding_registers=unit.holding_registers)


def faulty(gate: Gate, *, blocking: bool = False) -> Units:
    unit = FaultyUnit(holding_registers=device().holding_registers, blocking=blocking)
    return Units({1: unit, 2: device()})


def slow_and_faulty(gate: Gate) -> Units:
    return faulty(gate, blocking=True)


class Log:
    """The calls of hooks, in order; cleared when a scenario makes its units."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def units(self, gate: Gate) -> Units:
        self.told.clear()
        return one_device(gate)

    def connected(self, protocol: ServerProtocol) -> None:
        self.told.append(("connected", protocol.requests))

    def disconnected(self, protocol: ServerProtocol) -> None:
        self.told.append(("disconnected", protocol.requests))

    def answered(self, protocol: ServerProtocol, call: Any, response: Any) -> None:
        self.told.append((call.unit, call.transaction, call.request, response.encode()))

    def fails(self, *arguments: object) -> None:
        raise ZeroDivisionError


LOG = Log()


@dataclass
class Told(ServerStep):
    """The hooks get exactly this (soon)."""

    expected: list[Any]

    async def play(self, stage: ServerStage) -> None:
        await stage.until(lambda: len(LOG.told) >= len(self.expected))
        assert LOG.told == self.expected, f"they got {LOG.told}"


def scenarios() -> list[ServerScenario]:
    found: list[ServerScenario] = []
    # Units that wait do so in threads, which not every driver has: the step says so.
    for kind, units, first in (
        ("in memory", faulty, ()),
        ("that waits", slow_and_faulty, (OpenGate(),)),
    ):
        damaged = bytearray(tcp(DAMAGE))
        damaged[2:4] = b"\xff\xff"
        line_damaged = bytearray(rtu(DAMAGE))
        for at in (-1, -2):
            line_damaged[at] ^= 0xFF
        found += [
            ServerScenario(
                f"an answer of a unit {kind} has a wrong protocol id if it is to be damaged",
                [*first, Connect("a"), Send("a", tcp(DAMAGE)), Expect("a", bytes(damaged)),
                 Send("a", tcp(READ, 2)), Expect("a", tcp(READ_ANSWER, 2)), Holds(1, 0, [1])],
                units,
            ),
            ServerScenario(
                f"a unit {kind} drops its connection with all that waits on it, and no other",
                [*first, Connect("a", "b"), Send("a", tcp(DROP), tcp(READ, 2)), Closed("a"),
                 Send("b", tcp(READ)), Expect("b", tcp(READ_ANSWER))],
                units,
            ),
            ServerScenario(
                f"what was asked before a unit {kind} drops the connection is answered",
                [*first, Connect("a"), Send("a", tcp(READ), tcp(DROP, 2)),
                 Expect("a", tcp(READ_ANSWER)), Closed("a")],
                units,
            ),
            ServerScenario(
                f"a unit {kind} says nothing where it is to be silent",
                [*first, Connect("a"), Send("a", tcp(SAY_NOTHING), tcp(READ, 2)),
                 Expect("a", tcp(READ_ANSWER, 2))],
                units,
            ),
            ServerScenario(
                f"on UDP a dropped answer of a unit {kind} is silence, for this request only",
                [*first, Connect("a"), Send("a", tcp(DROP)), Silence("a"), Send("a", tcp(READ, 2)),
                 Expect("a", tcp(READ_ANSWER, 2))],
                units,
                link="udp",
            ),
            ServerScenario(
                f"on a serial line a damaged answer of a unit {kind} has a wrong CRC",
                [*first, Connect("a"), Send("a", rtu(DAMAGE)), Expect("a", bytes(line_damaged)),
                 # The other unit answers, even if this one is still being executed.
                 Send("a", rtu(DROP)), Silence("a"), Send("a", rtu(READ, 2)),
                 Expect("a", rtu(READ_ANSWER, 2))],
                units,
                link="serial",
            ),
        ]  # fmt: skip
    hooks = ServerOptions(on_connect=LOG.connected, on_disconnect=LOG.disconnected)
    read = ReadHoldingRegistersRequest(5, 1)
    answer = bytes.fromhex(READ_ANSWER)
    found += [
        ServerScenario(
            "hooks get connections that come and go, and how often they asked",
            [Connect("a"), Told([("connected", 0)]), Send("a", tcp(READ)),
             Expect("a", tcp(READ_ANSWER)), Send("a", tcp(READ, 2)),
             Expect("a", tcp(READ_ANSWER, 2)), HangUp("a"),
             Told([("connected", 0), ("disconnected", 2)])],
            LOG.units,
            arguments={"options": hooks},
        ),
        ServerScenario(
            "on_answer gets the unit and the transaction too",
            [Connect("a"), Send("a", tcp(READ, 7)), Expect("a", tcp(READ_ANSWER, 7)),
             Told([(1, 7, read, answer)])],
            LOG.units,
            arguments={"options": ServerOptions(on_answer=LOG.answered)},
        ),
        ServerScenario(
            "if these hooks fail, the answer is sent all the same",
            [Connect("a"), Send("a", tcp(READ)), Expect("a", tcp(READ_ANSWER))],
            one_device,
            arguments={
                "options": ServerOptions(
                    on_connect=LOG.fails, on_disconnect=LOG.fails, on_answer=LOG.fails
                )
            },
        ),
    ]  # fmt: skip
    return found
