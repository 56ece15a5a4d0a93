"""`ClientProtocol` with each framing: requests, their answers, and everything else in between.

An input is two bytes of settings and a script. Every exchange ends, with an answer or with a
`ModbusError`, and its answer came after its request, from its unit, with its transaction id.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from modwire import (
    ClientOptions,
    ClientProtocol,
    ConnectionLostError,
    Decoder,
    ModbusError,
    Quirks,
)
from modwire.client.exchange import Exchange
from modwire.framing import FRAMINGS
from modwire.messages import RawRequest

from .. import readers, script, vectors
from ..script import DAMAGED, FRAME, PAUSE, RAW, Burst, Step, byte
from ..target import Target
from .framings import WORDS

if TYPE_CHECKING:
    from modwire.messages.base import AnyRequest

START, ANSWER, CANCEL, ODD = 4, 5, 6, 7
_UNITS = (1, 17, 0, 255)
_DECODER = Decoder()
_PDUS = [
    bytes.fromhex(text)
    for text in (
        *("0300000002", "0100000003", "0500acff00", "100001000204000a0102", "0400100001", "07"),
        *("080000a537", "0b", "0c", "11", "16000400f20025", "1804de", "2b0e0100", "0600010003"),
    )
]
REQUESTS: list[AnyRequest] = [
    *map(_DECODER.decode_request, _PDUS),
    RawRequest(0x41, b"\1"),
]
_ANSWERS = [
    bytes.fromhex(text)
    for text in (
        *("030412345678", "010105", "0500acff00", "1000010002", "0402abcd", "076d"),
        *("080000a537", "0b0000ffff", "0c080000010801212000", "110401ff0203", "16000400f20025"),
        *("180006000201b81284", "2b0e01010000020001610101", "0600010003", "4101"),
    )
]
_LATE = 1.0  # late_reply_window and response_timeout, in seconds


def options_of(name: str, settings: bytes) -> ClientOptions:
    """Return the options that two bytes of settings stand for."""
    first, second = byte(settings, 0), byte(settings, 1)
    quirks = Quirks.none
    if first & 0x80:  # else the answers are strictly checked
        choices = [Quirks.any_unit, Quirks.trailing_bytes, Quirks.odd_confirmation]
        if name == "tcp":
            choices += [Quirks.zero_transaction_id, Quirks.any_transaction_id]
            choices += [Quirks.short_transaction_id, Quirks.wrong_length]
        else:
            choices.append(Quirks.answers_unit_zero)
        quirks = choices[second % len(choices)]
    return ClientOptions(
        response_timeout=_LATE,
        late_reply_window=_LATE,
        retries=first & 3,
        retry_writes=bool(first & 4),
        busy_retries=first >> 3 & 1,
        max_in_flight=16 if name == "tcp" and first & 16 else 1,
        suppress_echo=name == "rtu" and bool(first & 32),
        pause=0.05 if first & 64 else 0.0,
        quirks=quirks,
    )


class _Play:
    """A client, the clock, and the bytes that it heard."""

    def __init__(self, name: str, settings: bytes) -> None:
        self.name = name
        self.options = options_of(name, settings)
        self.protocol = ClientProtocol(FRAMINGS[name], self.options)
        self.protocol.is_datagram = bool(byte(settings, 1) & 0x80)
        self.protocol.reset(0.0)
        self.now = 0.0
        self.heard: list[Burst] = []
        self.exchanges: list[Exchange[Any]] = []
        self.sent_at: dict[Exchange[Any], int] = {}  # number of bursts before it was sent

    def step(self, number: int, step: Step) -> None:
        """Do one step of a script."""
        data, protocol = step.data, self.protocol
        if step.kind == START:
            request = REQUESTS[byte(data, 0) % len(REQUESTS)]
            unit = _UNITS[byte(data, 1) % len(_UNITS)]
            try:
                self.exchanges.append(protocol.start(request, unit, now=self.now))
            except ValueError:
                assert unit == 0, "only a broadcast may be refused here"
        elif step.kind == ANSWER:
            self._answer(data)
        elif step.kind in (RAW, FRAME, DAMAGED):
            self._hear(script.adu(protocol.framing, number, step))
        elif step.kind == PAUSE:
            self.wait(self.now + script.pause(data))
        elif step.kind == CANCEL and self.exchanges:
            protocol.cancel(self.exchanges[byte(data, 0) % len(self.exchanges)], self.now)
        elif step.kind == ODD:
            self._odd(byte(data, 0) % 4)
        if protocol.broken:
            protocol.connection_lost(ConnectionLostError("broken"))
        self._send()

    def _odd(self, choice: int) -> None:
        protocol = self.protocol
        if choice == 0:
            protocol.receive_eof(self.now)
        elif choice == 1:
            protocol.reset(self.now)
        elif choice == 2:
            protocol.data_sent(self.now + 0.02)
        else:
            protocol.handle_timeout(self.now)

    def _answer(self, data: bytes) -> None:
        """Answer an exchange: as it should be, or with one thing wrong."""
        if not self.exchanges:
            return
        exchange = self.exchanges[-1 - byte(data, 0) % len(self.exchanges)]
        kinds = len(_ANSWERS)
        request = exchange.request
        at = next((at for at, each in enumerate(REQUESTS) if each is request), 0)
        pdu = _ANSWERS[at % kinds]
        unit, transaction, fault = exchange.unit, exchange.transaction, byte(data, 1) % 10
        if fault == 1:
            pdu = bytes((pdu[0] | 0x80, byte(data, 2)))
        elif fault == 2:
            unit = byte(data, 2)
        elif fault == 3:
            pdu = pdu[: byte(data, 2) % len(pdu)] or pdu
        elif fault == 4:
            pdu += data[2:4]
        elif fault == 5:
            transaction = transaction + byte(data, 2) & 0xFFFF
        elif fault == 6:
            pdu = exchange.pdu
        elif fault == 7:
            pdu = _ANSWERS[byte(data, 2) % kinds]
        wrap = self.protocol.framing.wrap_damaged if fault == 8 else self.protocol.framing.wrap
        adu = wrap(unit, transaction, pdu)
        size = byte(data, 3) % (len(adu) + 1) if fault == 9 else len(adu)
        self._hear(adu[:size])

    def _hear(self, data: bytes) -> None:
        if data:
            self.heard.append(Burst(self.now, data))
            self.protocol.receive_data(data, self.now)
            assert self.protocol.framing.buffered <= 2 * self.protocol.framing.max_adu
            assert not self.protocol.framing.frames

    def _send(self) -> None:
        for _ in range(100):
            data = self.protocol.data_to_send(self.now)
            for exchange in self.exchanges:
                if exchange.sent and exchange not in self.sent_at:
                    self.sent_at[exchange] = len(self.heard)
            if not data:
                return
        raise AssertionError("it sends without end")

    def wait(self, until: float) -> None:
        """Do what is due until then. Everything ends after so many deadlines."""
        self._send()
        for _ in range(50 + 40 * len(self.exchanges)):
            due = self.protocol.deadline()
            if due is None or due > until:
                break
            self.now = max(self.now, due)
            self.protocol.handle_timeout(self.now)
            self._send()
        else:
            raise AssertionError("the deadlines have no end")
        if until < 1e6:
            self.now = max(self.now, until)

    def check(self) -> None:
        """Check every exchange after its end."""
        self.wait(1e6)
        assert self.protocol.deadline() is None
        for exchange in self.exchanges:
            assert exchange.done, "an exchange has no end"
            try:
                response = exchange.result()
            except ModbusError as error:
                assert str(error)
                continue
            if response is None:
                continue
            if self.options.quirks is Quirks.none:
                self._check_source(exchange, response.encode())

    def _check_source(self, exchange: Exchange[Any], pdu: bytes) -> None:
        """Check that a response was heard after its request, from its unit."""
        # Bytes of its frame may have come before the request: the first one at least came later.
        heard = self.heard if self.name in ("ascii", "binary") else self._since(exchange)
        found = readers.anywhere(self.name, heard, exchange.unit, exchange.pdu[0])
        for unit, transaction, got in found:
            if unit == exchange.unit and transaction == exchange.transaction:
                if got[0] == exchange.pdu[0] and self._is(exchange, got, pdu):
                    return
        raise AssertionError(
            f"{exchange.request!r} to {exchange.unit} got {pdu.hex()} from nowhere"
        )

    def _since(self, exchange: Exchange[Any]) -> list[Burst]:
        """Return the bytes heard since it was sent, and the end of a frame before that."""
        at = self.sent_at[exchange]
        before = b"".join(burst.data for burst in self.heard[:at])[-260:]
        return [Burst(0.0, before), *self.heard[at:]] if before else self.heard[at:]

    @staticmethod
    def _is(exchange: Exchange[Any], got: bytes, pdu: bytes) -> bool:
        try:
            response = exchange.request.decode_response(got)
        except ModbusError:
            return False
        return bool(response.encode() == pdu)


def _check(name: str, data: bytes) -> None:
    play = _Play(name, data[:2])
    for number, step in enumerate(script.steps(data[2:])):
        play.step(number, step)
    play.check()


def _seeds(name: str) -> list[bytes]:
    calls: list[bytes] = []
    for at in range(len(REQUESTS)):
        for fault in range(10):
            start, answer = (START, bytes((at, fault % 2))), (ANSWER, bytes((0, fault, 2, 3)))
            right, late = (ANSWER, b"\0\0"), (PAUSE, b"\6")
            calls.append(script.written(start, answer, right))
            calls.append(script.written(start, late, start, answer, (ANSWER, b"\1\0"), right))
    calls.append(script.written((START, b"\0\0"), (CANCEL, b"\0"), (START, b"\1\1"), (ODD, b"\0")))
    calls.append(script.written(*[(START, b"\0\1")] * 20, *[(ANSWER, b"\5\0")] * 20))
    for parts in vectors.malformed(name, "client"):
        calls.append(script.written((START, b"\0\0"), *[(RAW, part) for part in parts]))
    return [bytes((index * 37 & 0xFF, index & 0x7F)) + each for index, each in enumerate(calls)]


TARGETS = [
    Target(f"client-protocol-{name}", partial(_check, name), partial(_seeds, name), WORDS)
    for name in FRAMINGS
]
