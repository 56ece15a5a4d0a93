"""No answer reaches a request that did not ask for it, however late, often or disordered it comes.

A device delays, repeats and drops its answers at random, gives up with exception 0B or 05 and
answers after that, is busy, and has the faults that each quirk tolerates. Callers cancel at random,
and links are lost and reopened. Each register holds its address, and each request
reads another one, so a wrong answer shows. MODWIRE_FULL=1 runs 100,000 exchanges of each kind.
"""

from __future__ import annotations

import os
from heapq import heappop, heappush
from itertools import count
from random import Random

import pytest

from modwire import (
    AsciiFraming,
    BinaryFraming,
    ClientOptions,
    ClientProtocol,
    ConnectionLostError,
    ExceptionResponseError,
    Exchange,
    Frame,
    Quirks,
    ReadHoldingRegistersRequest,
    ResponseTimeoutError,
    RtuFraming,
    TcpFraming,
)
from modwire.framing.base import Framing
from modwire.messages.decoder import Decoder
from modwire.messages.register_access import ReadHoldingRegistersResponse

EXCHANGES = 100_000 if os.environ.get("MODWIRE_FULL") else 400
TIMEOUT = 1.0
ZERO, ANY_ID, SHORT = (
    Quirks.zero_transaction_id,
    Quirks.any_transaction_id,
    Quirks.short_transaction_id,
)
ANY_UNIT, UNIT_ZERO = Quirks.any_unit, Quirks.answers_unit_zero
OF_ANSWERS = Quirks.trailing_bytes | Quirks.odd_confirmation
QUIRKS: dict[type[Framing], list[Quirks]] = {
    TcpFraming: [
        ids | units | length | more
        for ids in (Quirks.none, ZERO, ANY_ID, SHORT)
        for units in (Quirks.none, ANY_UNIT)
        for length in (Quirks.none, Quirks.wrong_length)
        for more in (Quirks.none, OF_ANSWERS)
    ],
    **{
        framing: [
            units | zero | more
            for units in (Quirks.none, ANY_UNIT)
            for zero in (Quirks.none, UNIT_ZERO)
            for more in (Quirks.none, OF_ANSWERS)
        ]
        for framing in (RtuFraming, AsciiFraming, BinaryFraming)
    },
}
KINDS = [(framing, quirks) for framing, all_quirks in QUIRKS.items() for quirks in all_quirks]


class Device:
    """Three units behind a link, and the bytes that are under way to the client."""

    def __init__(self, framing: type[Framing], quirks: Quirks, random: Random) -> None:
        self.framing = framing(Decoder(), is_server=True, silence=0.01)
        self.quirks = quirks
        self.random = random
        self.arriving: list[tuple[float, int, bytes]] = []
        self.numbers = count()
        self.has_ids = framing.has_transactions and not quirks & (ZERO | ANY_ID)

    def receive(self, data: bytes, now: float) -> None:
        """Answer the requests in `data`, some day."""
        self.framing.receive_data(data, now)
        while (frame := self.framing.next_frame()) is not None:
            assert isinstance(frame, Frame)
            self.answer(frame, now)

    def answer(self, frame: Frame, now: float) -> None:
        random = self.random
        address = int.from_bytes(frame.pdu[1:3], "big")
        pdu = ReadHoldingRegistersResponse([address]).encode()
        kind = random.random()
        if kind < 0.1:
            return
        if kind > 0.95:
            self.send(frame, bytes((frame.pdu[0] | 0x80, 0x06)), now + 0.01)
            return
        late = kind < 0.4
        # As late as a client waits for it: until the end of its window.
        delay = random.uniform(0.01, 1.9) * TIMEOUT if late else random.uniform(0.01, 0.3)
        if 0.4 < kind < 0.5:
            refusal = bytes((frame.pdu[0] | 0x80, random.choice((0x0B, 0x05))))
            self.send(frame, refusal, now + delay * 0.5)
        copies = 2 if random.random() < 0.2 else 1
        for _ in range(copies):
            # Without ids, nothing tells a repetition that comes after the next request was sent.
            later = random.uniform(0.0, 1.5) if self.has_ids and copies > 1 else 0.0
            self.send(frame, pdu, now + delay + later)

    def send(self, frame: Frame, pdu: bytes, when: float) -> None:
        quirks, random = self.quirks, self.random
        unit, transaction = frame.unit, frame.transaction
        if ANY_UNIT in quirks or not unit:
            unit = random.randrange(0, 4)
        if ANY_ID in quirks:
            transaction = random.choice((7, transaction + 1 & 0xFFFF))
        elif ZERO in quirks:
            transaction = 0
        elif SHORT in quirks:
            transaction &= 0xFF
        data = self.framing.encode(Frame(unit, transaction, pdu))
        if Quirks.wrong_length in quirks:
            data = data[:4] + random.randrange(300).to_bytes(2, "big") + data[6:]
        heappush(self.arriving, (when, next(self.numbers), data))


def advance(client: ClientProtocol, device: Device, now: float, until: float) -> float:
    """Do what comes next, at `until` at the latest; return the time at which it came."""
    deadline = client.deadline()
    when = min(until, now + 5.0 if deadline is None else max(deadline, now))
    if device.arriving and device.arriving[0][0] <= when:
        when, _, data = heappop(device.arriving)
        when = max(when, now)
        while device.arriving and device.arriving[0][0] <= when:
            data += heappop(device.arriving)[2]
        client.receive_data(data, when)
    else:
        client.handle_timeout(when)
    device.receive(client.data_to_send(when), when)
    return when


def outcome(exchange: Exchange[ReadHoldingRegistersResponse], address: int) -> str:
    try:
        assert exchange.result().registers == (address,)
    except ResponseTimeoutError:
        return "no answer"
    except ExceptionResponseError:
        return "refusal"
    except ConnectionLostError:
        return "loss"
    return "answer"


@pytest.mark.timeout(7200 if EXCHANGES > 1000 else 60)
@pytest.mark.parametrize("retries", [0, 2])
@pytest.mark.parametrize(
    ("framing", "quirks"), KINDS, ids=[f"{each.name}-{quirks!s}" for each, quirks in KINDS]
)
def test_a_reply_is_never_given_to_another_request(
    framing: type[Framing], quirks: Quirks, retries: int
) -> None:
    random = Random(f"{framing.name} {quirks.value} {retries}")
    options = ClientOptions(
        response_timeout=TIMEOUT,
        retries=retries,
        quirks=quirks,
        max_in_flight=4,
        busy_retries=retries,
        busy_pause=0.1,
        late_reply_window=(retries + 2) * TIMEOUT,
    )
    client, device = ClientProtocol(framing, options), Device(framing, quirks, random)
    now, seen = 0.0, dict.fromkeys(("answer", "no answer", "refusal", "loss"), 0)
    open_exchanges: dict[Exchange[ReadHoldingRegistersResponse], int] = {}
    for number in range(EXCHANGES):
        address = number & 0xFFFF
        request = ReadHoldingRegistersRequest(address, 1)
        first = 0 if UNIT_ZERO in quirks else 1
        exchange = client.start(request, random.randrange(first, 4), now=now)
        open_exchanges[exchange] = address
        device.receive(client.data_to_send(now), now)
        if random.random() < 0.1:
            victim = random.choice(list(open_exchanges))
            del open_exchanges[victim]
            client.cancel(victim, now)
            device.receive(client.data_to_send(now), now)
        if random.random() < 0.01:
            client.connection_lost(ConnectionLostError("the link was lost"))
            if not framing.is_serial:
                device.arriving.clear()  # with the old connection
            client.reset(now)
        most = random.randrange(4)
        while len(open_exchanges) > most:
            now = advance(client, device, now, now + 0.5)
            for each in [each for each in open_exchanges if each.done]:
                seen[outcome(each, open_exchanges.pop(each))] += 1
    assert seen["answer"] > EXCHANGES / 4, seen
    assert seen["refusal"] > 0, seen
    assert seen["no answer"] > 0 or retries, seen
