"""`ServerProtocol` answers several requests in one piece as it answers each alone."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from modwire import (
    SequentialBlock,
    ServerProtocol,
    TcpFraming,
    Unit,
    Units,
)
from reference_server import executed

READ = bytes.fromhex("03 0000 0002")
PDUS = [
    READ,
    bytes.fromhex("01 0001 0003"),
    bytes.fromhex("04 0000 0001"),  # no such table
    bytes.fromhex("03 0009 0002"),  # past the end
    bytes.fromhex("03 0000 007e"),  # too many
    bytes.fromhex("06 0001 1234"),
    bytes.fromhex("08 000b 0000"),  # the bus message count
    bytes.fromhex("63"),  # no such function
    bytes.fromhex("83 02"),  # no request
]


def units() -> Units:
    def unit(**options: bool) -> Unit:
        return Unit(
            SequentialBlock(0, [True, False] * 5),
            holding_registers=SequentialBlock(0, range(10)),
            **options,
        )

    return Units({1: unit(), 2: unit(), 3: unit(blocking=True)})


def frame(transaction: int, unit: int, pdu: bytes) -> bytes:
    return transaction.to_bytes(2, "big") + bytes((0, 0, 0, len(pdu) + 1, unit)) + pdu


def counters(of: Units) -> list[int]:
    return [unit.server_message_count for unit in of]


def answers(server: ServerProtocol, data: bytes, served: Units) -> bytes:
    """Return the answers to `data`, also those of units that block."""
    server.receive_data(data, 0.0)
    sent = server.answer_all(served)
    while (call := server.next_call()) is not None:
        sent += server.answer(call, executed(call, served)) + server.answer_all(served)
    return sent


@given(
    requests=st.lists(
        st.tuples(
            st.integers(0, 0xFFFF),
            st.sampled_from([1, 1, 1, 2, 3, 9]),
            st.sampled_from(PDUS) | st.binary(min_size=1, max_size=8),
        ),
        max_size=12,
    ),
    cuts=st.lists(st.integers(0, 200), max_size=6),
    end=st.sampled_from([b"", b"\0", b"\0\1\0\0\0\1", b"\0\1\0\7"]),
)
def test_a_piece_with_many_requests_is_answered_like_each_alone(
    requests: list[tuple[int, int, bytes]], cuts: list[int], end: bytes
) -> None:
    one_by_one, alone = units(), ServerProtocol(TcpFraming)
    expected = b"".join(answers(alone, frame(*request), one_by_one) for request in requests)
    assert not answers(alone, end, one_by_one)

    together, server = units(), ServerProtocol(TcpFraming)
    stream = b"".join(frame(*request) for request in requests) + end
    places = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    answered = b"".join(
        answers(server, stream[start:stop], together) for start, stop in pairwise(places)
    )

    assert answered.hex(" ") == expected.hex(" ")
    assert counters(together) == counters(one_by_one)
    assert server.closed == alone.closed


def test_pipelined_reads_are_answered_in_one_piece_up_to_a_unit_that_blocks() -> None:
    served, server = units(), ServerProtocol(TcpFraming)
    reads = [frame(number, unit, READ) for number, unit in enumerate([1, 2, 1, 3, 1])]
    server.receive_data(b"".join(reads), 0.0)
    read = b"\3\4\0\0\0\1"
    assert server.answer_all(served) == b"".join(
        frame(number, unit, read) for number, unit in enumerate([1, 2, 1])
    )
    call = server.next_call()
    assert call is not None
    assert server.answer(call, executed(call, served)) == frame(3, 3, read)
    assert server.answer_all(served) == frame(4, 1, read)
    assert counters(served) == [3, 1, 1]
