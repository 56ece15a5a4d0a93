"""No answer reaches a request that did not ask for it, however late, often or disordered it comes.

A device delays, repeats and drops its answers at random, gives up with exception 0B or 05 and
answers after that, and callers cancel at random. Each register holds its address, and each request
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
ZERO, ANY_UNIT = Quirks.zero_transaction_id, Quirks.any_unit
KINDS = [
    *((TcpFraming, quirks) for quirks in (Quirks.none, ZERO, ANY_UNIT, ZERO | ANY_UNIT)),
    *(
        (framing, quirks)
        for framing in (RtuFraming, AsciiFraming, BinaryFraming)
        for quirks in (Quirks.none, ANY_UNIT)
    ),
]


class Device:
    """Three units behind a link, and the bytes that are under way to the client."""

    def __init__(self, framing: type[Framing], quirks: Quirks, random: Random) -> None:
        self.framing = framing(Decoder(), is_server=True, silence=0.01)
        self.quirks = quirks
        self.random = random
        self.arriving: list[tuple[float, int, bytes]] = []
        self.numbers = count()
        self.has_ids = framing.has_transactions and ZERO not in quirks

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
        unit = self.random.randrange(1, 248) if ANY_UNIT in self.quirks else frame.unit
        transaction = 0 if ZERO in self.quirks else frame.transaction
        data = self.framing.encode(Frame(unit, transaction, pdu))
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
    return "answer"


@pytest.mark.timeout(7200 if EXCHANGES > 1000 else 60)
@pytest.mark.parametrize("retries", [0, 2])
@pytest.mark.parametrize(
    ("framing", "quirks"), KINDS, ids=[f"{each.name}-{quirks.name}" for each, quirks in KINDS]
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
        late_reply_window=(retries + 2) * TIMEOUT,
    )
    client, device = ClientProtocol(framing, options), Device(framing, quirks, random)
    now, seen = 0.0, dict.fromkeys(("answer", "no answer", "refusal"), 0)
    open_exchanges: dict[Exchange[ReadHoldingRegistersResponse], int] = {}
    for number in range(EXCHANGES):
        address = number & 0xFFFF
        request = ReadHoldingRegistersRequest(address, 1)
        exchange = client.start(request, random.randrange(1, 4), now=now)
        open_exchanges[exchange] = address
        device.receive(client.data_to_send(now), now)
        if random.random() < 0.1:
            victim = random.choice(list(open_exchanges))
            del open_exchanges[victim]
            client.cancel(victim, now)
            device.receive(client.data_to_send(now), now)
        most = random.randrange(4)
        while len(open_exchanges) > most:
            now = advance(client, device, now, now + 0.5)
            for each in [each for each in open_exchanges if each.done]:
                seen[outcome(each, open_exchanges.pop(each))] += 1
    assert seen["answer"] > EXCHANGES / 4, seen
    assert seen["refusal"] > 0, seen
    assert seen["no answer"] > 0 or retries, seen
