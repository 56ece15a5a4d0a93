"""Every function and each exception of a server, and frames in pieces or together."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from modwire import (
    FRAMINGS,
    Identity,
    SequentialBlock,
    ServerDeviceBusyError,
    ServerOptions,
    Unit,
    Units,
)

from .frames import framed, tcp
from .server_steps import (
    Closed,
    Connect,
    Expect,
    Gate,
    Holds,
    Send,
    ServerScenario,
    ServerStep,
    Silence,
)

READ, READ_ANSWER = "03 0005 0001", "03 02 0005"


def _refuse(address: int, values: Sequence[int]) -> None:
    if values[0] == 0xDEAD:
        raise RuntimeError("the owner's hook has failed")
    if values[0] == 0xB000:
        raise ServerDeviceBusyError


class _Device(Unit):
    """It knows a sub-function that modwire does not: 8001 gives the words back in reverse."""

    def diagnose(self, sub_function: int, data: tuple[int, ...]) -> tuple[int, ...] | None:
        if sub_function == 0x8001:
            return data[::-1]
        return super().diagnose(sub_function, data)


def device() -> Unit:
    """Tables, files, a queue and an identity."""
    return _Device(
        coils=SequentialBlock(0, [bit == "1" for bit in "1011001110"]),
        discrete_inputs=SequentialBlock(0, [bit == "1" for bit in "0110"]),
        holding_registers=SequentialBlock(0, range(100), on_write=_refuse),
        input_registers=SequentialBlock(0, [0x1000 + each for each in range(10)]),
        files={4: SequentialBlock(0, [0] * 20)},
        fifo_queues={0x04DE: deque([440, 4740]), 0x0600: deque(range(32))},
        identity=Identity({0: "A", 1: "B1", 2: "1.0", 0x81: b"\x00\xff"}),
        server_id=b"M1",
        additional_id_data=b"\x07",
        exception_status=0x6D,
    )


def one_device(gate: Gate) -> Units:
    """Unit 1, in memory."""
    return Units({1: device()})


def two_devices(gate: Gate) -> Units:
    """Units 1 and 2, in memory."""
    return Units({1: device(), 2: device()})


# Requests and answers, each to a fresh device.
FUNCTIONS = [
    ("01 0000 000a", "01 02 cd01"),
    ("01 0009 0001", "01 01 00"),
    ("02 0000 0004", "02 01 06"),
    ("03 0005 0003", "03 06 0005 0006 0007"),
    ("03 0063 0001", "03 02 0063"),
    ("04 0008 0002", "04 04 1008 1009"),
    ("05 0001 ff00", "05 0001 ff00"),
    ("05 0000 0000", "05 0000 0000"),
    ("06 0007 1234", "06 0007 1234"),
    ("07", "07 6d"),
    ("08 0000 a537 0001", "08 0000 a537 0001"),
    ("08 0001 0000", "08 0001 0000"),
    ("08 0001 ff00", "08 0001 ff00"),
    ("08 0002 0000", "08 0002 0000"),
    ("08 000a 0000", "08 000a 0000"),
    ("08 000b 0000", "08 000b 0001"),
    ("08 000c 0000", "08 000c 0000"),
    ("08 000d 0000", "08 000d 0000"),
    ("08 000e 0000", "08 000e 0001"),
    ("08 000f 0000", "08 000f 0000"),
    ("08 0010 0000", "08 0010 0000"),
    ("08 0011 0000", "08 0011 0000"),
    ("08 0012 0000", "08 0012 0000"),
    ("08 0013 0000", "08 0013 0000"),
    ("08 0014 0000", "08 0014 0000"),
    ("08 0015 0003", "08 0015 0003 006c" + "0000" * 54),
    ("08 0015 0004", "08 0015 0004"),
    ("08 8001 0001 0002 0003", "08 8001 0003 0002 0001"),
    ("08 8001", "08 8001"),
    ("0b", "0b 0000 0000"),
    ("0f 0000 000a 02 ff03", "0f 0000 000a"),
    ("10 0001 0002 04 000a 0102", "10 0001 0002"),
    ("11", "11 04 4d31 ff 07"),
    ("14 07 06 0004 0001 0002", "14 06 05 06 0000 0000"),
    ("15 0b 06 0004 0007 0002 06af 04be", "15 0b 06 0004 0007 0002 06af 04be"),
    ("16 0004 00f2 0025", "16 0004 00f2 0025"),
    ("17 0003 0002 0004 0001 02 00ff", "17 04 0003 00ff"),
    ("18 04de", "18 0006 0002 01b8 1284"),
    ("2b 0e 01 00", "2b 0e 01 83 00 00 03 00 01 41 01 02 4231 02 03 312e30"),
    ("2b 0e 04 81", "2b 0e 04 83 00 00 01 81 02 00ff"),
]

# Requests and the exception that answers each.
EXCEPTIONS = [
    ("41", "c1 01"),
    ("2b 0d 00", "ab 01"),
    ("2b 0f", "ab 01"),
    ("08 0009 0000", "88 01"),
    ("08 8002 0001 0002", "88 01"),
    ("08 8001 00", "88 01"),
    ("08 0015 0000", "88 03"),
    ("01 000a 0001", "81 02"),
    ("02 0000 0005", "82 02"),
    ("03 0063 0002", "83 02"),
    ("04 ffff 0001", "84 02"),
    ("05 000a ff00", "85 02"),
    ("06 0064 0000", "86 02"),
    ("0f 0009 0002 01 03", "8f 02"),
    ("10 0063 0002 04 0000 0000", "90 02"),
    ("14 07 06 0005 0000 0001", "94 02"),
    ("14 07 06 0004 0013 0002", "94 02"),
    ("15 09 06 0005 0000 0001 0000", "95 02"),
    ("16 0064 0000 0000", "96 02"),
    ("17 0064 0001 0000 0001 02 0000", "97 02"),
    ("18 0000", "98 02"),
    ("2b 0e 04 07", "ab 02"),
    ("01 0000 0000", "81 03"),
    ("01 0000 07d1", "81 03"),
    ("03 0000 007e", "83 03"),
    ("03 0000", "83 03"),
    ("03 0000 0001 00", "83 03"),
    ("05 0000 1234", "85 03"),
    ("0f 0000 000a 01 ff", "8f 03"),
    ("10 0000 0002 03 0000 00", "90 03"),
    ("18 0600", "98 03"),
    ("2b 0e 05 00", "ab 03"),
    ("06 0000 dead", "86 04"),
    ("10 0000 0001 02 b000", "90 06"),
]


def ask(request: str, answer: str, transaction: int = 1, unit: int = 1) -> list[ServerStep]:
    """Peer "a" sends a request and receives its response."""
    return [
        Send("a", tcp(request, transaction, unit)),
        Expect("a", tcp(answer, transaction, unit)),
    ]


def _functions() -> list[ServerScenario]:
    found = [
        ServerScenario(f"{request} is answered {answer}", steps, one_device)
        for request, answer in FUNCTIONS
        for steps in [[Connect("a"), *ask(request, answer)]]
    ]
    steps: list[ServerStep] = [Connect("a")]
    for transaction, (request, answer) in enumerate(EXCEPTIONS, 1):
        steps += ask(request, answer, transaction)
    # The refused requests have not changed any value.
    steps += [Holds(1, 0, list(range(100))), *ask(READ, READ_ANSWER, 0xFFFF)]
    found.append(ServerScenario("each exception", steps, one_device))
    return found


def _effects() -> list[ServerScenario]:
    return [
        ServerScenario(
            "what is written is there",
            [
                Connect("a"),
                *ask("06 0007 1234", "06 0007 1234"),
                *ask("10 0008 0002 04 0001 0002", "10 0008 0002", 2),
                *ask("16 0004 00f2 0025", "16 0004 00f2 0025", 3),
                *ask("03 0004 0006", "03 0c 0005 0005 0006 1234 0001 0002", 4),
                Holds(1, 4, [5, 5, 6, 0x1234, 1, 2]),
                *ask("0f 0000 0004 01 0f", "0f 0000 0004", 5),
                *ask("05 0008 0000", "05 0008 0000", 6),
                *ask("01 0000 000a", "01 02 cf00", 7),
                *ask("15 0b 06 0004 0007 0002 06af 04be", "15 0b 06 0004 0007 0002 06af 04be", 8),
                *ask("14 07 06 0004 0006 0003", "14 08 07 06 0000 06af 04be", 9),
            ],
            one_device,
        ),
        ServerScenario(
            "all peers see the same unit",
            [
                Connect("a", "b"),
                Send("b", tcp("06 0005 0777", 9)),
                Expect("b", tcp("06 0005 0777", 9)),
                *ask(READ, "03 02 0777"),
            ],
            one_device,
        ),
        ServerScenario(
            "the counters of a unit",
            [
                Connect("a"),
                *ask(READ, READ_ANSWER, 1),
                *ask("03 0063 0002", "83 02", 2),
                *ask("08 000b 0000", "08 000b 0003", 3),
                *ask("08 000d 0000", "08 000d 0001", 4),
                *ask("08 000e 0000", "08 000e 0005", 5),
                *ask("0b", "0b 0000 0004", 6),
                *ask("08 000a 0000", "08 000a 0000", 7),
                *ask("08 000b 0000", "08 000b 0001", 8),
            ],
            one_device,
        ),
        ServerScenario(
            "listen-only mode",
            [
                Connect("a"),
                Send("a", tcp("08 0004 0000", 1)),
                Silence("a"),
                Send("a", tcp(READ, 2)),
                Send("a", tcp("06 0005 0001", 3)),
                Silence("a"),
                Send("a", tcp("08 0001 0000", 4)),
                Silence("a"),
                *ask(READ, READ_ANSWER, 5),
            ],
            one_device,
            arguments={"options": ServerOptions(listen_only=True)},
        ),
    ]


def _units() -> list[ServerScenario]:
    return [
        ServerScenario(
            "a unit that is not there is not answered for",
            [Connect("a"), Send("a", tcp(READ, 1, 9)), Silence("a"), *ask(READ, READ_ANSWER, 2)],
            one_device,
        ),
        ServerScenario(
            "0 and 255 are the only unit",
            [Connect("a"), *ask(READ, READ_ANSWER, 1, 0), *ask(READ, READ_ANSWER, 2, 255)],
            one_device,
        ),
        ServerScenario(
            "0 and 255 are nobody where there are two units",
            [
                Connect("a"),
                Send("a", tcp(READ, 1, 0), tcp(READ, 2, 255)),
                Silence("a"),
                *ask(READ, READ_ANSWER, 3, 2),
            ],
            two_devices,
        ),
        ServerScenario(
            "an answer is no request",
            [Connect("a"), Send("a", tcp("83 02", 1)), Silence("a"), *ask(READ, READ_ANSWER, 2)],
            one_device,
        ),
    ]


def _pieces() -> list[ServerScenario]:
    found = []
    for name, framing in FRAMINGS.items():
        request = [framed(framing, READ, each) for each in (1, 2, 3)]
        answer = [framed(framing, READ_ANSWER, each) for each in (1, 2, 3)]
        write = framed(framing, "10 0005 0002 04 7b7d 3a0d", 4)
        arguments = {"framing": framing}
        found += [
            ServerScenario(
                f"requests byte by byte, {name}",
                [
                    Connect("a"),
                    Send("a", *request, size=1),
                    Expect("a", *answer),
                    Send("a", write, size=1),
                    Expect("a", framed(framing, "10 0005 0002", 4)),
                    Holds(1, 5, [0x7B7D, 0x3A0D]),
                ],
                one_device,
                arguments=arguments,
            ),
            ServerScenario(
                f"requests in one piece, {name}",
                [
                    Connect("a"),
                    Send("a", *request),
                    Expect("a", *answer),
                    Send("a", request[0], write[:-3]),
                    Expect("a", answer[0]),
                    Silence("a", 0.02),
                    Send("a", write[-3:], request[1]),
                    Expect("a", framed(framing, "10 0005 0002", 4)),
                    Expect("a", framed(framing, "03 02 7b7d", 2)),
                ],
                one_device,
                arguments=arguments,
            ),
            ServerScenario(
                f"each peer has a stream of its own, {name}",
                [
                    Connect("a", "b"),
                    Send("a", request[0][:5]),
                    Send("b", request[1]),
                    Expect("b", answer[1]),
                    Send("a", request[0][5:]),
                    Expect("a", answer[0]),
                ],
                one_device,
                arguments=arguments,
            ),
        ]
    return found


def _wrong_streams() -> list[ServerScenario]:
    found = [
        ServerScenario(
            f"a stream that is no Modbus is closed: {head}",
            [
                Connect("a", "b"),
                *ask(READ, READ_ANSWER),
                Send("a", head, "01 03 0005 0001"),
                Closed("a"),
                Send("b", tcp(READ)),
                Expect("b", tcp(READ_ANSWER)),
            ],
            one_device,
        )
        for head in ("0001 0001 0006", "0001 0000 0000", "0001 0000 0001", "0001 0000 ffff")
    ]
    return [
        *found,
        ServerScenario(
            "what came before the stream was no Modbus any more is answered",
            [
                Connect("a"),
                Send("a", tcp(READ), "ffff ffff ffff"),
                Expect("a", tcp(READ_ANSWER)),
                Closed("a"),
            ],
            one_device,
        ),
        ServerScenario(
            "hundreds of requests in one piece, and another peer meanwhile",
            [
                Connect("a", "b"),
                Send("a", *(tcp(READ, each) for each in range(400))),
                Send("b", tcp(READ)),
                Expect("b", tcp(READ_ANSWER)),
                Expect("a", *(tcp(READ_ANSWER, each) for each in range(400))),
            ],
            one_device,
        ),
    ]


def scenarios() -> Sequence[ServerScenario]:
    return [*_functions(), *_effects(), *_units(), *_pieces(), *_wrong_streams()]
