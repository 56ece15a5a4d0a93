"""`explain_frame`: explains an ADU in one framing, with its header, checksum and faults.

If the framing is unknown, `guessing` finds it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from modwire import Decoder, crc16, lrc

from .fields import explain_pdu
from .names import about, message_name
from .walk import Field, count
from .words import describe_request, describe_response, problem

FRAMINGS = ("tcp", "rtu", "ascii", "binary", "pdu")
"""The framings of `explain_frame`; "pdu" is function code and data without a frame."""

TITLES = {
    "tcp": "TCP frame (MBAP, which has no checksum)",
    "rtu": "RTU frame",
    "ascii": "ASCII frame",
    "binary": "Binary frame",
    "pdu": "PDU without a frame",
}

_HEX = frozenset(b"0123456789abcdefABCDEF")
_START, _END = b"{}"
_DECODER = Decoder()


@dataclass(frozen=True)
class Reading:
    """The meaning of some bytes in one framing and one direction.

    `wrong` has a sentence for each fault of the frame or the message. `unit` and `transaction` are
    None if the frame does not have them.
    """

    data: bytes
    framing: str
    is_response: bool
    unit: int | None
    transaction: int | None
    pdu: bytes
    faults: list[str]  # of the frame
    problem: str  # of the message, "" for none
    request: bytes | None = None  # the PDU of the request, if known

    @cached_property
    def fields(self) -> list[Field]:
        """The fields, which contain all bytes; found when needed, as most guesses are wrong."""
        return _Frame(self.data, self.framing, self.is_response, self.request).find_fields()

    @property
    def wrong(self) -> list[str]:
        """A sentence for each fault; the faults of the frame come first."""
        return [*self.faults, self.problem] if self.problem else self.faults

    @property
    def name(self) -> str:
        """The name of the message's class in modwire: "ReadCoilsRequest"."""
        return message_name(self.pdu, is_response=self.is_response)

    @property
    def about(self) -> str:
        """The purpose of this kind of message."""
        return about(self.pdu, is_response=self.is_response)

    @property
    def words(self) -> str:
        """The message in one line: "read 3 holding registers from 16"."""
        if self.is_response:
            return describe_response(self.pdu, self.request)
        return describe_request(self.pdu)


def explain_frame(
    data: bytes, framing: str, *, is_response: bool, request: bytes | None = None
) -> Reading:
    """Return the meaning of `data`, one frame, in `framing`, one of `FRAMINGS`.

    `request` is the PDU of the request, if known. Any `data` is allowed: this never raises.
    """
    return _explained(bytes(data), framing, is_response, request)


# A guess and then the output ask for the same messages, and clients that poll repeat theirs.
@lru_cache(maxsize=1024)
def _explained(data: bytes, framing: str, is_response: bool, request: bytes | None) -> Reading:
    return _Frame(data, framing, is_response, request).reading()


def readings(data: bytes, framing: str, request: bytes | None = None) -> list[Reading]:
    """Return the meaning of `data` in one framing as a request and as a response."""
    return [
        explain_frame(data, framing, is_response=False),
        explain_frame(data, framing, is_response=True, request=request),
    ]


class _Frame:
    """One frame, from which a `Reading` is made, and later its fields."""

    def __init__(self, data: bytes, framing: str, is_response: bool, request: bytes | None) -> None:
        self.data = data
        self.framing = framing
        self.is_response = is_response
        self.request = request
        self.fields: list[Field] = []
        self.faults: list[str] = []
        self.unit: int | None = None
        self.transaction: int | None = None
        self.pdu = b""
        self._finds_fields = False

    def _explain(self) -> None:
        explainers = {
            "tcp": self._tcp,
            "rtu": self._rtu,
            "ascii": self._ascii,
            "binary": self._binary,
            "pdu": self._pdu,
        }
        explainers[self.framing]()

    def find_fields(self) -> list[Field]:
        """Return the fields of the frame and of its PDU."""
        self._finds_fields = True
        self._explain()
        return self.fields

    def reading(self) -> Reading:
        """Return the reading; the fields of the PDU, which take the longest, are not looked for."""
        self._explain()
        wrong = ""
        if self.pdu or not self.faults:
            wrong = problem(self.pdu, is_response=self.is_response, request=self.request)
        if not wrong and len(self.pdu) > 253:
            wrong = f"a PDU must be 1..253 bytes, got {len(self.pdu)}"
        return Reading(
            self.data,
            self.framing,
            self.is_response,
            self.unit,
            self.transaction,
            self.pdu,
            self.faults,
            wrong,
            self.request,
        )

    def _add(self, start: int, data: bytes, name: str, meaning: str) -> None:
        if self._finds_fields:
            self.fields.append(Field(start, data, name, meaning))

    def _explain_pdu(self, pdu: bytes, start: int) -> None:
        self.pdu = pdu
        if self._finds_fields:
            self.fields += explain_pdu(
                pdu, is_response=self.is_response, request=self.request, start=start
            )

    def _pdu(self) -> None:
        self._explain_pdu(self.data, 0)

    # TCP

    def _tcp(self) -> None:
        data = self.data
        if not self._tcp_header():
            return
        length = int.from_bytes(data[4:6], "big")
        end = 6 + length
        if not 2 <= length <= 254:
            end = len(data)
        self.unit = data[6]
        self._add(6, data[6:7], "unit id", _unit_text(self.unit, on_tcp=True))
        self._explain_pdu(data[7:end], 7)
        if data[end:]:
            self._add(end, data[end:], "trailing bytes", "wrong, the frame ends before")

    def _tcp_header(self) -> bool:
        """Explain the first three words; return False if no bytes follow them."""
        data = self.data
        following = len(data) - 6

        def protocol(value: int) -> str:
            if value:
                self.faults.append(f"MBAP protocol id must be 0, got {value} ({value:04X})")
            return f"{value} ({value:04X}); wrong, must be 0 (Modbus)" if value else "0, Modbus"

        def length(value: int) -> str:
            text = f"{count(value, 'byte')} follow: unit id and PDU"
            if not 2 <= value <= 254:
                self.faults.append(f"MBAP length must be 2..254, got {value}")
                return f"{count(value, 'byte')}; wrong, 2 to 254 are allowed, {following} follow"
            if value > following:
                self.faults.append(
                    f"the frame is cut off: its length says {count(value, 'byte')}, "
                    f"{following} are there"
                )
            elif value < following:
                self.faults.append(
                    f"{count(following - value, 'byte')} too many behind the frame: its length "
                    f"says {count(value, 'byte')}, {following} are there"
                )
            return text if value == following else f"{text}; wrong, {following} are there"

        names: list[tuple[str, Callable[[int], str]]] = [
            ("transaction id", str),
            ("protocol id", protocol),
            ("length", length),
        ]
        for index, (name, tell) in enumerate(names):
            word = data[2 * index : 2 * index + 2]
            if len(word) < 2:
                self._lack(2 * index, word, name, 2)
                return False
            value = int.from_bytes(word, "big")
            if index == 0:
                self.transaction = value
            self._add(2 * index, word, name, tell(value))
        if following < 1:
            self._add(6, b"", "unit id", "missing: 1 byte due")
            return False
        return True

    def _lack(self, start: int, data: bytes, name: str, size: int) -> None:
        self.faults.append(f"the frame ends in its {name}, behind {count(len(self.data), 'byte')}")
        lack = f"cut off: {count(size, 'byte')} due, {len(data)} there" if data else ""
        self._add(start, data, name, lack or f"missing: {count(size, 'byte')} due")

    # The serial framings: unit, PDU, checksum

    def _rtu(self) -> None:
        data = self.data
        if len(data) > 256:
            self.faults.append(f"an RTU frame must be 4..256 bytes, got {len(data)}")
        self._unit_and_pdu(data, 2, _crc_text)

    def _unit_and_pdu(
        self, body: bytes, size: int, tell: Callable[[bytes, bytes], tuple[str, str]]
    ) -> None:
        """Explain a body that ends with a checksum of `size` bytes; `tell` checks it."""
        if not body:
            self._lack(0, b"", "unit id", 1)
            return
        self.unit = body[0]
        self._add(0, body[:1], "unit id", _unit_text(self.unit, on_tcp=False))
        name = f"CRC-{8 * size}" if size == 2 else "LRC"
        if len(body) < 2 + size or self._lacks_checksum(body, size):
            self._explain_pdu(body[1:], 1)
            due = tell(body, b"")[0]
            self.faults.append(f"the {name} is missing")
            if self._finds_fields and self.fields[-1].data:
                self._add(len(body), b"", name, f"missing: {due}")
            return
        self._explain_pdu(body[1:-size], 1)
        text, wrong = tell(body[:-size], body[-size:])
        if wrong:
            self.faults.append(wrong)
        self._add(len(body) - size, body[-size:], name, text)

    def _lacks_checksum(self, body: bytes, size: int) -> bool:
        """Return True if the checksum is wrong and the message without it has the right length."""
        right = not crc16(body) if size == 2 else not lrc(body)
        rule = _DECODER.response_length if self.is_response else _DECODER.request_length
        return not right and rule(body, 1) == len(body) - 1

    def _ascii(self) -> None:
        data = self.data
        start = 1 if data[:1] == b":" else 0
        end = len(data)
        tail = data.rfind(b"\r")
        if tail >= 0 and end - tail <= 2:
            end = tail
        elif data[-1:] == b"\n":
            end -= 1
        if start:
            self._add(0, data[:1], "start", "':'")
        else:
            self.faults.append("an ASCII frame must begin with ':'")
        if len(data) > 513:
            self.faults.append(f"an ASCII frame must have at most 513 characters, got {len(data)}")
        digits = data[start:end]
        good = 0
        while good < len(digits) and digits[good] in _HEX:
            good += 1
        good -= good & 1
        self._mapped(
            bytes.fromhex(digits[:good].decode()),
            [start + at for at in range(0, good + 1, 2)],
            1,
            _lrc_text,
        )
        if good < len(digits):
            odd = digits[good:]
            what = "half of a pair of digits" if len(odd) == 1 and odd[0] in _HEX else "no digits"
            got = odd[:16].decode("latin-1")
            self.faults.append(f"an ASCII frame must have pairs of hexadecimal digits, got {got!a}")
            self._add(start + good, odd, "characters", f"wrong, {what}")
        self._ascii_end(data[end:], end)

    def _ascii_end(self, tail: bytes, at: int) -> None:
        if tail == b"\r\n":
            self._add(at, tail, "end", "CR LF")
        elif tail[:1] == b"\r" and len(tail) == 2:
            self._add(at, tail, "end", f"CR and {chr(tail[1])!a}, which function 8/3 may have set")
        else:
            self.faults.append("an ASCII frame must end with CR LF")
            self._add(at, tail, "end", "wrong, CR LF is due" if tail else "missing: CR LF")

    def _binary(self) -> None:
        data = self.data
        start = 1 if data[:1] == b"{" else 0
        if start:
            self._add(0, data[:1], "start", "'{'")
        else:
            self.faults.append("a binary frame must begin with '{' (7B)")
        end = len(data) - 1 if data[-1:] == b"}" and len(data) > start else len(data)
        body = bytearray()
        offsets = [start]
        at = start
        while at < end:
            byte = data[at]
            if byte in (_START, _END):
                if data[at + 1 : at + 2] == data[at : at + 1] and at + 1 < end:
                    at += 1
                else:
                    self.faults.append(f"{byte:02X} at byte {at} must be doubled in a binary frame")
            body.append(byte)
            at += 1
            offsets.append(at)
        if len(body) > 256:
            self.faults.append(f"a binary frame must have at most 256 bytes, got {len(body)}")
        self._mapped(bytes(body), offsets, 2, _crc_text)
        if end < len(data):
            self._add(end, data[end:], "end", "'}'")
        else:
            self.faults.append("a binary frame must end with '}' (7D)")
            self._add(end, b"", "end", "missing: '}'")

    def _mapped(
        self,
        body: bytes,
        offsets: Sequence[int],
        size: int,
        tell: Callable[[bytes, bytes], tuple[str, str]],
    ) -> None:
        """Explain a body whose bytes are at `offsets` of the frame."""
        before, self.fields = self.fields, []
        self._unit_and_pdu(body, size, tell)
        for start, data, name, meaning in self.fields:
            at, end = offsets[start], offsets[start + len(data)]
            before.append(Field(at, self.data[at:end], name, meaning))
        self.fields = before


def _unit_text(unit: int, *, on_tcp: bool) -> str:
    if unit == 0:
        return "0, the device itself (or a broadcast)" if on_tcp else "0, a broadcast"
    if unit <= 247:
        return str(unit)
    if on_tcp and unit == 255:
        return "255, the device itself"
    return f"{unit}, reserved (1 to 247 are units), but in use by some devices"


def _crc_text(body: bytes, got: bytes) -> tuple[str, str]:
    due = crc16(body)
    on_wire = due.to_bytes(2, "little").hex(" ").upper()
    if not got:
        return f"{due:04X} due, on the wire {on_wire}", ""
    crc = int.from_bytes(got, "little")
    if crc == due:
        return f"{crc:04X}, low byte first: right", ""
    return (
        f"{crc:04X}, low byte first: wrong, {due:04X} is right, on the wire {on_wire}",
        f"CRC-16 must be {due:04X} (on the wire {on_wire}), got {crc:04X}",
    )


def _lrc_text(body: bytes, got: bytes) -> tuple[str, str]:
    due = lrc(body)
    if not got:
        return f"{due:02X} due", ""
    if got[0] == due:
        return f"{due:02X}: right", ""
    return f"{got[0]:02X}: wrong, {due:02X} is right", f"LRC must be {due:02X}, got {got[0]:02X}"
