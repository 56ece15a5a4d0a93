"""Network effects in a capture: they must not lose a frame, or pair it wrongly."""

from __future__ import annotations

import io
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from captures import (
    ACK,
    ETHERNET,
    FIN,
    NULL,
    RAW,
    RST,
    SLL,
    SLL2,
    START,
    Connection,
    Packets,
    on_link,
    pcap,
    pcapng,
    timed,
)
from conversations import (
    READ,
    V6,
    VALUES,
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
from modwire_tools.explain.capture import Capture, Exchange, Incident


@pytest.mark.parametrize("write", [pcap, pcapng])
@pytest.mark.parametrize("link", [ETHERNET, SLL, SLL2, NULL, RAW])
@pytest.mark.parametrize("ends", [(("10.0.0.1", 50000), ("10.0.0.2", 502)), V6], ids=["v4", "v6"])
@pytest.mark.parametrize("tcp", [True, False], ids=["tcp", "udp"])
def test_links_and_addresses(write: object, link: int, ends: tuple, tcp: bool) -> None:
    packets = [on_link(packet, link) for packet in conversation(Connection(*ends, tcp=tcp))]
    found = analysed(write(timed(packets), link))  # type: ignore[operator]
    assert told(found) == expected()  # type: ignore[arg-type]
    assert {(each.client, each.server, each.link) for each in found} == {  # type: ignore[union-attr]
        ("10.0.0.1:50000", "10.0.0.2:502", "tcp" if tcp else "udp")
        if ends != V6
        else ("[fd00::1]:50000", "[fd00::2]:502", "tcp" if tcp else "udp")
    }
    assert [each.milliseconds for each in found] == pytest.approx([1.0] * 3, abs=0.01)  # type: ignore[union-attr]


def test_vlan_tags_in_vlan_tags() -> None:
    packets = [on_link(packet, tags=(7, 8)) for packet in conversation(Connection())]
    assert told(analysed(pcap(timed(packets)))) == expected()  # type: ignore[arg-type]


def test_times_of_nanoseconds() -> None:
    packets = [on_link(packet) for packet in conversation(Connection(), 1)]
    (found,) = analysed(pcap(timed(packets, 0.25), nanoseconds=True))
    assert isinstance(found, Exchange)
    assert (found.time, found.milliseconds) == (START + 0.75, pytest.approx(250.0))


def test_padding_of_short_ethernet_frames_is_no_data() -> None:
    connection = Connection()
    packets = [on_link(packet) + b"\0" * 6 for packet in conversation(connection)]
    assert told(analysed(pcap(timed(packets)))) == expected()  # type: ignore[arg-type]


def test_frames_are_split_and_coalesced() -> None:
    connection = Connection()
    requests = b"".join([frame(read(number), number) for number in range(3)])
    answers = b"".join([frame(value(100 + number), number) for number in range(3)])
    packets = connection.open()
    for at, end in pairwise((0, 1, 14, 20, 36)):
        packets.append(connection.send(requests[at:end]))
    for at, end in pairwise((0, 12, 13, 33)):
        packets.append(connection.send(answers[at:end], server=True))
    assert told(exchanges(packets)) == expected()


@settings(max_examples=200)
@given(st.data())
def test_any_order_any_overlap(data: st.DataObject) -> None:
    """Segments cut anywhere, sent again in other pieces, and in another order."""
    connection = Connection()
    stream = b"".join([frame(read(number), number) for number in range(3)])
    packets = connection.open()
    start = connection.next[0]
    cuts = sorted({0, len(stream), *data.draw(st.lists(st.integers(0, len(stream)), max_size=6))})
    pieces = list(pairwise(cuts))
    again = data.draw(
        st.lists(st.tuples(st.integers(0, len(stream)), st.integers(0, len(stream))), max_size=4)
    )
    pieces += [(min(pair), max(pair)) for pair in again if pair[0] != pair[1]]
    for at, end in data.draw(st.permutations(pieces)):
        packets.append(connection.packet(0, stream[at:end], sequence=start + at))
    found = exchanges(packets, 0.0001)
    assert told(found) == [(index, text, "no answer") for index, text, _ in expected()]


def test_keep_alive_is_no_data() -> None:
    connection = Connection()
    packets = conversation(connection, 1)
    packets.append(connection.packet(0, b"\0", sequence=connection.next[0] - 1))
    packets += reads(connection, range(1, 3))
    assert told(exchanges(packets)) == expected()


def test_the_capture_begins_within_a_connection() -> None:
    packets = conversation(Connection())[3:]
    assert told(exchanges(packets)) == expected()
    assert told(exchanges(packets[1:]))[0] == (0, "", "100")


def test_packets_are_missing() -> None:
    """The number of lost bytes is reported, and later messages are found."""
    connection = Connection()
    packets = conversation(connection, 4)
    del packets[5]  # the second request; its bytes are acknowledged later
    found = analysed(pcap(timed([on_link(packet) for packet in packets], 0.1)))
    incidents = [each for each in found if isinstance(each, Incident)]
    assert [each.text for each in incidents] == ["the capture lost 12 bytes here"]
    assert incidents[0].sender == "10.0.0.1:50000"
    pairs = told([each for each in found if isinstance(each, Exchange)])
    assert sorted(pairs) == sorted([expected(4)[0], (1, "", "101"), *expected(4)[2:]])


def test_packets_are_cut_off_by_the_capture() -> None:
    """With a snap length, the end of long packets is missing; short ones are read."""
    connection = Connection()
    packets = connection.open()
    packets.append(connection.send(frame("030000007d", 1)))
    packets.append(connection.send(frame("03fa" + "0001" * 125, 1), server=True))
    packets.append(connection.send(frame(read(5), 2)))
    packets.append(connection.send(frame(value(6), 2), server=True))
    cut = [on_link(packet)[:96] for packet in packets]
    found = analysed(pcap(timed(cut)))
    assert [each.text for each in found if isinstance(each, Incident)] == [
        "the capture cut off 217 bytes of this packet (by its snap length)"
    ]
    assert told([each for each in found if isinstance(each, Exchange)]) == [
        (1, "read 125 holding registers from 0", "the capture lost the answer"),
        (2, "read 1 holding register from 5", "6"),
    ]
    datagram = Connection(tcp=False)
    sent = datagram.send(frame("03fa" + "0001" * 125, 1), server=True)
    (incident,) = analysed(pcap(timed([on_link(sent)[:96]])))
    assert incident.text == "the capture cut off 205 bytes of this packet (by its snap length)"


def test_a_port_is_used_again() -> None:
    """A new connection from the same port has other sequence numbers and the same ids."""
    first, second = Connection(first=(100, 200)), Connection(first=(5_000_000, 90))
    packets = [*conversation(first, 1), first.send(frame(read(9), 9))]
    packets += conversation(second, 2)
    assert told(exchanges(packets)) == [
        *expected(1),
        (9, "read 1 holding register from 9", "no answer"),
        *expected(2),
    ]


def test_connections_that_end_are_forgotten() -> None:
    packets: list[bytes] = []
    for port in range(1000, 1100):
        connection = Connection(("10.0.0.1", port))
        packets += conversation(connection, 1)
        if port % 2:
            packets.append(connection.packet(1, b"", flags=RST))
        else:
            packets += [connection.packet(side, b"", flags=FIN | ACK) for side in (0, 1)]
    capture = Capture(io.BytesIO(pcap(timed([on_link(packet) for packet in packets]))), "it")
    assert len(list(capture)) == 100
    assert not capture._conversations


def test_answers_come_in_any_order() -> None:
    connection = Connection()
    packets = connection.open()
    packets += [connection.send(frame(read(number), number)) for number in range(16)]
    for number in reversed(range(16)):
        packets.append(connection.send(frame(value(100 + number), number), server=True))
    assert told(exchanges(packets)) == expected(16)


def test_one_transaction_id_for_all() -> None:
    """Simple clients always send 0: the response belongs to the repeated request."""
    connection = Connection()
    packets = connection.open()
    for pdu in (READ, READ, READ):
        packets.append(connection.send(frame(pdu, 0)))
    packets.append(connection.send(frame(VALUES, 0), server=True))
    found = exchanges(packets, 1.0)
    assert [each.outcome for each in found] == ["silence", "silence", "ok"]
    assert found[2].milliseconds == pytest.approx(1000.0)
    # Requests sent together get their responses in order.
    packets = connection.open()
    packets += [connection.send(frame(read(number), 0)) for number in range(3)]
    packets += [connection.send(frame(value(100 + n), 0), server=True) for n in range(3)]
    assert [each.response_text for each in exchanges(packets)] == ["100", "101", "102"]


def test_outcomes() -> None:
    connection = Connection()
    packets = connection.open()
    for number, (request, answer) in enumerate(
        [(READ, VALUES), (READ, "8302"), (READ, "03020001"), ("03001000ff", "8303"), (READ, "")]
    ):
        packets.append(connection.send(frame(request, number)))
        if answer:
            packets.append(connection.send(frame(answer, number), server=True))
    packets.append(connection.send(frame(VALUES, 99), server=True))
    found = exchanges(packets)
    assert [each.outcome for each in found] == [
        "ok",
        "exception",
        "malformed",
        "exception",
        "silence",
        "no request",
    ]
    assert [each.number for each in found] == [1, 2, 3, 4, 5, 6]
    assert [len(each.wrong) for each in found] == [0, 0, 1, 1, 0, 0]
    assert found[1].response_text == "exception 02, illegal data address"


def test_what_is_no_modbus() -> None:
    """A wrong protocol id loses only its segment."""
    connection = Connection()
    packets = connection.open()
    packets.append(connection.send(b"GET / HTTP/1.1\r\n\r\n"))
    packets.append(connection.send(frame(READ, 5)))
    packets.append(connection.send(frame(VALUES, 5), server=True))
    incident, exchange = analysed(pcap(timed([on_link(packet) for packet in packets])))
    assert incident.text == "MBAP protocol id must be 0, got 21536: this looks like an HTTP client"  # type: ignore[union-attr]
    assert isinstance(exchange, Exchange)
    assert exchange.response_text == "1, 2, 3"


@pytest.mark.parametrize("framing", ["rtu", "ascii", "binary"])
@pytest.mark.parametrize("tcp", [True, False], ids=["tcp", "udp"])
def test_serial_frames_over_networks(framing: str, tcp: bool) -> None:
    connection = Connection(("10.0.0.1", 40000), ("10.0.0.2", 4001), tcp=tcp)
    packets = connection.open() if tcp else []
    talk = [
        (1, READ, VALUES),
        (17, "08000012345678", "08000012345678"),  # ends by silence
        (17, "0600010003", "0600010003"),
        (1, READ, ""),
        (1, READ, "8302"),
        (0, "0600010007", ""),
        (17, "0800040000", ""),
        (17, "0800010000", "0800010000"),
    ]
    for unit, request, answer in talk:
        packets.append(connection.send(frame(request, 0, unit, framing)))
        if answer:
            packets.append(connection.send(frame(answer, 0, unit, framing), server=True))
    found = exchanges(packets, 0.2, ports=[4001], framing=framing)
    assert [
        (each.unit, (each.request or b"").hex(), (each.response or b"").hex()) for each in found
    ] == talk
    assert [each.outcome for each in found] == [
        "ok", "ok", "ok", "silence", "exception", "ok", "ok", "ok",
    ]  # fmt: skip
    assert found[5].response_text == "no answer is due"
    answered = [each.milliseconds for each in found if each.milliseconds is not None]
    assert answered == pytest.approx([200.0] * 5)


def test_several_ports_and_what_is_elsewhere() -> None:
    packets = [
        *conversation(Connection(server=("10.0.0.2", 1502)), 1),
        *conversation(Connection(server=("10.0.0.3", 502)), 1),
        *conversation(Connection(server=("10.0.0.4", 8080)), 1),
    ]
    assert len(exchanges(packets, ports=[502, 1502])) == 2
    capture = Capture(
        io.BytesIO(pcap(timed([on_link(packet) for packet in packets]))), "it", ports=[9]
    )
    assert list(capture) == []
    assert capture.other_ports == {"tcp 502": 2, "tcp 1502": 2, "tcp 8080": 2}


def test_both_ends_have_a_server_s_port() -> None:
    """The handshake shows which side is the client."""
    connection = Connection(("10.0.0.1", 502), ("10.0.0.2", 502))
    assert told(exchanges(conversation(connection))) == expected()
    assert told(exchanges(conversation(Connection(*connection.ends))[1:])) == expected()


def test_exchanges_come_in_their_order_while_one_waits() -> None:
    """One without a response delays the others for a limited time of the capture."""
    connection = Connection()
    packets: Packets = [(START, on_link(packet)) for packet in connection.open()]
    packets.append((START, on_link(connection.send(frame(READ, 999)))))
    for number in range(100):
        time = START + number
        packets.append((time, on_link(connection.send(frame(READ, number)))))
        packets.append((time, on_link(connection.send(frame(VALUES, number), server=True))))
    file = io.BytesIO(pcap(packets))
    numbers = [(each.number, file.tell()) for each in Capture(file, "it")]  # type: ignore[union-attr]
    assert [number for number, _ in numbers] == list(range(1, 102))
    assert numbers[1][1] < len(file.getvalue()) / 2
