"""Units that wait, and a server's limits: connections, idle time, permissions, and its end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from modwire import (
    DiagnosticsRequest,
    ExceptionResponse,
    RawRequest,
    ReadHoldingRegistersRequest,
    ReadHoldingRegistersResponse,
    ServerOptions,
    Unit,
    Units,
    WriteSingleRegisterRequest,
    WriteSingleRegisterResponse,
)

from .frames import tcp
from .server_functions import READ, READ_ANSWER, ask, device, one_device
from .server_steps import (
    Asked,
    Called,
    CannotConnect,
    Closed,
    Connect,
    CutOff,
    EndSending,
    Expect,
    Gate,
    HangUp,
    Holds,
    OpenGate,
    Pass,
    Send,
    ServerScenario,
    ServerStep,
    Shutdown,
    Silence,
    Stopped,
)

SLOW, SLOW_ANSWER = "03 0000 0001", "03 02 4711"
_IDLE = 1.0  # seconds: the idle timeout of servers whose connections are used in time


def slow_unit(gate: Gate) -> Units:
    """Unit 1 in memory, and unit 2 that waits at the gate."""
    return Units({1: device(), 2: Unit(holding_registers=gate, blocking=True)})


def answered(peer: str, transaction: int = 1, unit: int = 1) -> list[ServerStep]:
    """A peer asks a unit in memory, and is answered."""
    return [
        Send(peer, tcp(READ, transaction, unit)),
        Expect(peer, tcp(READ_ANSWER, transaction, unit)),
    ]


def asks_slow(peer: str, transaction: int = 1) -> list[ServerStep]:
    """A peer asks the unit at the gate, which waits there."""
    return [Send(peer, tcp(SLOW, transaction, 2)), Asked()]


def gets_slow(peer: str, transaction: int = 1) -> ServerStep:
    return Expect(peer, tcp(SLOW_ANSWER, transaction, 2))


def _slow() -> list[ServerScenario]:
    return [
        ServerScenario(
            "a slow unit stalls no other peer",
            [Connect("a", "b"), *asks_slow("a"), *answered("b"), Connect("c"), *answered("c"),
             Silence("a", 0.01), OpenGate(), gets_slow("a"), *answered("a", 2)],
            slow_unit,
        ),
        ServerScenario(
            "answers come in the order of the requests",
            [Connect("a"), Send("a", tcp(READ, 1), tcp(SLOW, 2, 2), tcp(READ, 3)), Asked(),
             Expect("a", tcp(READ_ANSWER, 1)), Silence("a"), OpenGate(), gets_slow("a", 2),
             Expect("a", tcp(READ_ANSWER, 3)), *answered("a", 4)],
            slow_unit,
        ),
        ServerScenario(
            "answers come in the order of the requests, whenever these come",
            [Connect("a"), *asks_slow("a", 1), Send("a", tcp(READ, 2)), Send("a", tcp(READ, 3)),
             Silence("a"), OpenGate(), gets_slow("a", 1), Expect("a", tcp(READ_ANSWER, 2)),
             Expect("a", tcp(READ_ANSWER, 3))],
            slow_unit,
        ),
        ServerScenario(
            "a peer that sends no more gets the answers to what it has sent",
            [Connect("a", "b"), Send("a", tcp(READ, 1), tcp(READ, 2)), EndSending("a"),
             Expect("a", tcp(READ_ANSWER, 1), tcp(READ_ANSWER, 2)), Closed("a"), *answered("b")],
            slow_unit,
        ),
        ServerScenario(
            "a peer that sends no more gets the answer of a slow unit",
            [Connect("a", "b"), *asks_slow("a"), EndSending("a"), *answered("b"), OpenGate(),
             gets_slow("a"), Closed("a"), *answered("b", 2)],
            slow_unit,
        ),
        ServerScenario(
            "several slow calls of one peer",
            [Connect("a"), Send("a", *(tcp(SLOW, each, 2) for each in (1, 2, 3))), Asked(),
             OpenGate(), *(gets_slow("a", each) for each in (1, 2, 3))],
            slow_unit,
        ),
        ServerScenario(
            "slow calls of several peers at once",
            [Connect("a", "b", "c"), *asks_slow("a"), *asks_slow("b"), *asks_slow("c"),
             OpenGate(), gets_slow("a"), gets_slow("b"), gets_slow("c")],
            slow_unit,
            arguments={"workers": 3},
        ),
        ServerScenario(
            "more slow calls than workers wait for each other",
            [Connect("a", "b", "c"), *asks_slow("a"), Send("b", tcp(SLOW, 1, 2)), *answered("c"),
             OpenGate(), gets_slow("a"), gets_slow("b")],
            slow_unit,
            arguments={"workers": 1},
        ),
        ServerScenario(
            "a peer cuts its connection off while its unit is slow",
            [Connect("a", "b"), *asks_slow("a"), CutOff("a"), *answered("b"), OpenGate(),
             *answered("b", 2), Send("b", tcp(SLOW, 3, 2)), gets_slow("b", 3)],
            slow_unit,
        ),
        ServerScenario(
            "a peer hangs up while its unit is slow",
            [Connect("a", "b"), *asks_slow("a"), HangUp("a"), *answered("b"), OpenGate(),
             *answered("b", 2), Send("b", tcp(SLOW, 3, 2)), gets_slow("b", 3)],
            slow_unit,
        ),
    ]  # fmt: skip


def _connections() -> list[ServerScenario]:
    two = {"max_connections": 2}
    return [
        ServerScenario(
            "one more than allowed closes the one that was idle longest",
            [Connect("a"), *answered("a"), Connect("b"), *answered("b"), *answered("a", 2),
             Connect("c"), *answered("c"), Closed("b"), *answered("a", 3)],
            one_device,
            arguments=two,
        ),
        ServerScenario(
            "a connection whose unit is slow is not closed for another",
            [Connect("a"), *asks_slow("a"), Connect("b"), *answered("b"), Connect("c"),
             *answered("c"), Closed("b"), OpenGate(), gets_slow("a")],
            slow_unit,
            arguments=two,
        ),
        ServerScenario(
            "if all connections are busy, a new one is turned away",
            [Connect("a"), *asks_slow("a"), Connect("b"), *asks_slow("b"), Connect("c"),
             Closed("c"), OpenGate(), gets_slow("a"), gets_slow("b")],
            slow_unit,
            arguments=two,
        ),
        ServerScenario(
            "a place that was left is free",
            [Connect("a"), *answered("a"), Connect("b"), *answered("b"), HangUp("a"),
             Pass(0.02), Connect("c"), *answered("c"), *answered("b", 2)],
            one_device,
            arguments=two,
        ),
        ServerScenario(
            "one after the other, many more than allowed",
            [step for each in range(10) for step in
             (Connect(f"peer {each}"), *answered(f"peer {each}"))] + [Closed("peer 0", "peer 7")],
            one_device,
            arguments=two,
        ),
        ServerScenario(
            "an idle connection is closed",
            [Connect("a"), *answered("a"), Closed("a")],
            one_device,
            arguments={"idle_timeout": _IDLE},
        ),
        ServerScenario(
            "a connection that never said anything is closed",
            [Connect("a"), Closed("a")],
            one_device,
            arguments={"idle_timeout": 0.1},
        ),
        ServerScenario(
            "a connection that is used stays",
            [Connect("a"),
             *(step for each in range(8) for step in (Pass(0.15), *answered("a", each)))],
            one_device,
            arguments={"idle_timeout": _IDLE},
        ),
        ServerScenario(
            "half a request does not hold a connection for ever",
            [Connect("a"), Send("a", tcp(READ)[:5]), Closed("a")],
            one_device,
            arguments={"idle_timeout": 0.1},
        ),
        ServerScenario(
            "a connection whose unit is slow is not idle",
            [Connect("a"), *asks_slow("a"), Silence("a", 1.2 * _IDLE), OpenGate(),
             gets_slow("a")],
            slow_unit,
            arguments={"idle_timeout": _IDLE},
        ),
        ServerScenario(
            "the idle timeout of the options",
            [Connect("a"), Closed("a")],
            one_device,
            arguments={"options": ServerOptions(idle_timeout=0.1)},
        ),
        ServerScenario(
            "a peer that may not connect is closed at once",
            [Connect("a"), Closed("a")],
            one_device,
            arguments={"allow": ["192.0.2.0/24", "::1"]},
        ),
        ServerScenario(
            "a peer that may connect is served",
            [Connect("a"), *answered("a")],
            one_device,
            arguments={"allow": ["192.0.2.0/24", "127.0.0.0/8"]},
        ),
    ]  # fmt: skip


def _no_writes(peer: object, role: str | None, unit: int, request: Any) -> bool:
    return not request.is_write


def _fails(*arguments: object) -> bool:
    raise RuntimeError("the hook has failed")


def _from_here(peer: Any, role: str | None, unit: int, request: Any) -> bool:
    return bool(peer[0] == "127.0.0.1" and role is None and unit == 1)


def _hooks() -> list[ServerScenario]:
    write = "06 0005 0001"
    return [
        ServerScenario(
            "what authorize forbids is answered 01 and not done",
            [Connect("a"), *answered("a"), *ask(write, "86 01", 2), *answered("a", 3)],
            one_device,
            arguments={"authorize": _no_writes},
        ),
        ServerScenario(
            "if authorize fails, the answer is 04",
            [Connect("a"), *ask(READ, "83 04"), *ask(write, "86 04", 2), Holds(1, 5, [5])],
            one_device,
            arguments={"authorize": _fails},
        ),
        ServerScenario(
            "authorize sees the peer's address and the unit",
            [Connect("a"), *answered("a"), *ask(READ, "83 01", 2, 2)],
            lambda gate: Units({1: device(), 2: device()}),
            arguments={"authorize": _from_here, "workers": 1},
        ),
        ServerScenario(
            "on_call gets every call, in order",
            [
                Connect("a"),
                *answered("a"),
                *ask(write, write, 2),
                *ask("41 09", "c1 01", 3),
                Send("a", tcp("08 0004 0000", 4)),
                Silence("a"),
                Called([
                    (ReadHoldingRegistersRequest(5, 1), ReadHoldingRegistersResponse([5])),
                    (WriteSingleRegisterRequest(5, 1), WriteSingleRegisterResponse(5, 1)),
                    (RawRequest(0x41, b"\x09"), ExceptionResponse(0x41, 1)),
                    (DiagnosticsRequest(4), None),
                ]),
            ],
            one_device,
            arguments={"options": ServerOptions(listen_only=True)},
            records=True,
        ),
        ServerScenario(
            "on_call gets calls to slow units",
            [Connect("a"), *asks_slow("a"), OpenGate(), gets_slow("a"),
             Called([(ReadHoldingRegistersRequest(0, 1), ReadHoldingRegistersResponse([0x4711]))])],
            slow_unit,
            records=True,
        ),
        ServerScenario(
            "if on_call fails, the answer is sent all the same",
            [Connect("a"), *answered("a"), *answered("a", 2)],
            one_device,
            arguments={"on_call": _fails},
        ),
    ]  # fmt: skip


def _ends() -> list[ServerScenario]:
    return [
        ServerScenario(
            "a shutdown closes the listener and idle connections",
            [Connect("a", "b"), *answered("a"), *answered("b"), Shutdown(), Closed("a", "b"),
             Stopped(), CannotConnect()],
            one_device,
        ),
        ServerScenario(
            "a shutdown lets calls end and sends their answers",
            [Connect("a", "b"), *asks_slow("a"), *answered("b"), Shutdown(), Closed("b"),
             CannotConnect(), Silence("a", 0.02), OpenGate(), gets_slow("a"), Closed("a"),
             Stopped()],
            slow_unit,
        ),
        ServerScenario(
            "a shutdown takes no more requests",
            [Connect("a"), Send("a", tcp(SLOW, 1, 2), tcp("06 0005 0001", 2)), Asked(),
             Shutdown(), CannotConnect(), OpenGate(), gets_slow("a"), Closed("a"), Stopped(),
             Holds(1, 5, [5])],
            slow_unit,
        ),
        ServerScenario(
            "a shutdown waits for the grace",
            [Connect("a"), *asks_slow("a"), Shutdown(), Closed("a"), Stopped(), CannotConnect()],
            slow_unit,
            grace=0.1,
        ),
        ServerScenario(
            "a shutdown without grace",
            [Connect("a"), *asks_slow("a"), Shutdown(), Closed("a"), Stopped()],
            slow_unit,
            grace=0.0,
        ),
        ServerScenario(
            "a server that nobody used is shut down", [Shutdown(), Stopped()], one_device
        ),
    ]  # fmt: skip


def scenarios() -> Sequence[ServerScenario]:
    return [*_slow(), *_connections(), *_hooks(), *_ends()]
