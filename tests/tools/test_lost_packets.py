"""Packets that a capture has lost cost one sentence, and no exchange but their own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from captures import ACK, FIN, Connection, on_link, pcap, timed
from conversations import (
    analysed,
    conversation,
    exchanges,
    expected,
    frame,
    read,
    reads,
    told,
    value,
)
from modwire_tools.explain.capture import Exchange, Incident

COUNT = 12
HANDSHAKE = 3
both = pytest.mark.parametrize("framing", ["tcp", "rtu", "ascii"])


def polls(connection: Connection, framing: str, count: int = COUNT) -> list[bytes]:
    """Reads of register n, each answered with 100 + n before the next one."""
    packets = connection.open()
    for number in range(count):
        packets.append(connection.send(frame(read(number), number, 1, framing)))
        packets.append(connection.send(frame(value(100 + number), number, 1, framing), server=True))
    return packets


def split(
    packets: list[bytes], framing: str = "tcp", step: float = 0.001
) -> tuple[list[str], list[tuple[str, str]]]:
    """Return the texts of the incidents, and the requests with their answers."""
    found = analysed(pcap(timed([on_link(packet) for packet in packets], step)), framing=framing)
    return (
        [each.text for each in found if isinstance(each, Incident)],
        [(each.request_text, each.response_text) for each in found if isinstance(each, Exchange)],
    )


ALL = [(request, answer) for _, request, answer in expected(COUNT)]


@both
@pytest.mark.parametrize("step", [0.0001, 0.001, 0.2, 5.0])
@pytest.mark.parametrize("number", [0, 5, COUNT - 1])
def test_a_lost_answer(framing: str, step: float, number: int) -> None:
    connection = Connection()
    packets = polls(connection, framing)
    packets.append(connection.packet(0, b""))  # the client acknowledges the last answer
    size = len(frame(value(0), 0, 1, framing))
    del packets[HANDSHAKE + 2 * number + 1]
    incidents, found = split(packets, framing, step)
    assert incidents == [f"the capture lost {size} bytes here"]
    assert found == [
        *ALL[:number],
        (ALL[number][0], "the capture lost the answer"),
        *ALL[number + 1 :],
    ]


@both
@pytest.mark.parametrize("step", [0.0001, 0.001, 0.2, 5.0])
@pytest.mark.parametrize("number", [0, 5, COUNT - 1])
def test_a_lost_request(framing: str, step: float, number: int) -> None:
    packets = polls(Connection(), framing)
    size = len(frame(read(0), 0, 1, framing))
    del packets[HANDSHAKE + 2 * number]
    incidents, found = split(packets, framing, step)
    assert incidents == [f"the capture lost {size} bytes here"]
    assert sorted(found) == sorted([*ALL[:number], ("", ALL[number][1]), *ALL[number + 1 :]])


@both
def test_many_lost_packets_in_a_row(framing: str) -> None:
    packets = polls(Connection(), framing)
    del packets[HANDSHAKE + 6 : HANDSHAKE + 12]
    incidents, found = split(packets, framing)
    sizes = [3 * len(frame(pdu, 0, 1, framing)) for pdu in (read(0), value(0))]
    assert incidents == [f"the capture lost {size} bytes here" for size in sizes]
    assert found == [*ALL[:3], *ALL[6:]]


def test_pipelined_requests_keep_their_answers() -> None:
    connection = Connection()
    packets = connection.open()
    packets += [connection.send(frame(read(number), number)) for number in range(COUNT)]
    answers = [
        connection.send(frame(value(100 + number), number), server=True) for number in range(COUNT)
    ]
    del answers[4]
    incidents, found = split([*packets, *answers, connection.packet(0, b"")])
    assert incidents == ["the capture lost 11 bytes here"]
    assert found == [*ALL[:4], (ALL[4][0], "the capture lost the answer"), *ALL[5:]]


@both
def test_the_first_half_of_a_frame_is_lost(framing: str) -> None:
    connection = Connection()
    packets = connection.open()
    for number in range(COUNT):
        packets.append(connection.send(frame(read(number), number, 1, framing)))
        answer = frame(value(100 + number), number, 1, framing)
        packets.append(connection.send(answer[:4], server=True))
        packets.append(connection.send(answer[4:], server=True))
    del packets[HANDSHAKE + 3 * 5 + 1]
    incidents, found = split(packets, framing)
    assert len(incidents) == 1
    assert incidents[0].startswith("the capture lost 4 bytes here")
    assert found == [*ALL[:5], (ALL[5][0], "the capture lost the answer"), *ALL[6:]]


@both
def test_the_capture_begins_within_a_frame(framing: str) -> None:
    connection = Connection()
    connection.open()
    answer = frame(value(99), 99, 1, framing)
    packets = [connection.send(answer[4:] + frame(value(98), 98, 1, framing), server=True)]
    connection.next = [number - 1 for number in connection.next]  # `polls` opens it again
    packets += polls(connection, framing)[HANDSHAKE:]
    incidents, found = split(packets, framing)
    rest = len(answer) - 4
    text = f"the capture begins within a frame, {rest} bytes before the next one"
    # ASCII frames begin with a colon, and what comes before it is skipped on every line.
    assert incidents == ([] if framing == "ascii" else [text])
    assert found == [("", "98"), *ALL]


@both
def test_segments_are_sent_again_and_out_of_order(framing: str) -> None:
    connection = Connection()
    packets = polls(connection, framing)
    again = [packet for packet in packets[HANDSHAKE:] for _ in (1, 2)]
    assert split([*packets[:HANDSHAKE], *again], framing) == ([], ALL)
    connection = Connection()
    late = connection.open()
    start = connection.next[0]
    request = b"".join([frame(read(number), number, 1, framing) for number in range(3)])
    for at in (12, 0, 6, 6, 18):  # no acknowledgement comes between them
        end = len(request) if at == 18 else at + 6
        late.append(connection.packet(0, request[at:end], sequence=start + at))
    incidents, found = split(late, framing)
    assert (incidents, found) == ([], [(text, "no answer") for text, _ in ALL[:3]])


def test_a_packet_lost_before_the_capture_comes_again_in_time() -> None:
    """The network, not the capture, lost it: the peer acknowledges it only after it came."""
    connection = Connection()
    packets = connection.open()
    start, acknowledged = connection.next
    lost, following = frame(read(0), 0), frame(read(1), 1)
    packets.append(connection.packet(0, following, sequence=start + len(lost)))
    for _ in range(3):
        packets.append(connection.packet(1, b"", sequence=acknowledged, acknowledged=start))
    packets.append(connection.packet(0, lost, sequence=start))
    connection.next[0] = start + len(lost) + len(following)
    for number in (0, 1):
        packets.append(connection.send(frame(value(100 + number), number), server=True))
    assert split(packets, step=0.2) == ([], ALL[:2])


def test_only_the_requests_are_captured() -> None:
    connection = Connection()
    packets = polls(connection, "tcp")[HANDSHAKE::2]
    incidents, found = split(packets)
    # The last answer is not acknowledged any more, and the first ack is where the capture begins.
    assert incidents == [f"the capture lost {11 * (COUNT - 1)} bytes here"]
    assert [request for request, _ in found] == [request for request, _ in ALL]


def test_closing_loses_nothing() -> None:
    connection = Connection()
    packets = polls(connection, "tcp")
    for side in (0, 1):
        packets.append(connection.send(b"", server=bool(side), flags=FIN | ACK))
        connection.next[side] += 1
    packets.append(connection.packet(0, b""))
    assert split(packets) == ([], ALL)


def test_a_port_is_used_again_and_its_handshake_is_lost() -> None:
    first = Connection(first=(100, 200))
    second = Connection(first=(3_000_000_000, 4_000_000_000))
    packets = [*conversation(first, 1), *reads(second, range(1, 3))]
    assert told(exchanges(packets)) == expected()


def test_the_handshake_begins_with_its_second_packet() -> None:
    packets = conversation(Connection())
    assert told(exchanges(packets[1:])) == expected()


@both
@given(data=st.data())
def test_any_one_packet_is_lost(framing: str, data: st.DataObject) -> None:
    """One sentence about it, and each other exchange is as it was."""
    packets = polls(Connection(), framing, 6)
    del packets[data.draw(st.integers(0, len(packets) - 1))]
    incidents, found = split(packets, framing, data.draw(st.sampled_from([0.0001, 0.01, 1.0])))
    assert len(incidents) <= 1
    assert len([pair for pair in found if pair in ALL]) >= 5
    assert len(found) <= 6


@both
def test_packets_cut_off_by_the_snap_length(framing: str) -> None:
    """A long answer is cut off, the exchanges around it are whole."""
    connection = Connection()
    packets = connection.open()
    whole = "03fa" + "0001" * 125
    for number in range(3):
        packets.append(connection.send(frame(read(number), number, 1, framing)))
        packets.append(connection.send(frame(value(100 + number), number, 1, framing), server=True))
        packets.append(connection.send(frame("030000007d", 50 + number, 1, framing)))
        packets.append(connection.send(frame(whole, 50 + number, 1, framing), server=True))
    cut = [on_link(packet)[:96] for packet in packets]
    found = analysed(pcap(timed(cut)), framing=framing)
    size = len(on_link(packets[-1])) - 96
    assert [each.text for each in found if isinstance(each, Incident)] == 3 * [
        f"the capture cut off {size} bytes of this packet (by its snap length)"
    ]
    long = ("read 125 holding registers from 0", "the capture lost the answer")
    assert [
        (each.request_text, each.response_text) for each in found if isinstance(each, Exchange)
    ] == [ALL[0], long, ALL[1], long, ALL[2], long]
    assert {each.outcome for each in found if isinstance(each, Exchange)} == {"ok", "lost"}
