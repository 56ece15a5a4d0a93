"""`diagnosed`: advice from the bytes that came, which tell more than the error of the call.

`verbose.client_log` collects them, `hints` prints the advice behind the error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modwire import Endpoint

_KEPT = 600  # bytes, more than two frames
_MODBUS = ("an RTU frame", "a frame of Modbus ASCII")
_NAMES = {"rtu": "RTU", "ascii": "ASCII", "binary": "Binary", "tcp": "Modbus/TCP"}


@dataclass
class Seen:
    """Bytes between the command and the device at `endpoint`.

    - `sent`: the last bytes sent; `received`: those that came after them.
    - `first`: the first bytes that came at all.
    """

    endpoint: Endpoint
    sent: bytes = b""
    received: bytes = b""
    first: bytes = b""

    def note_sent(self, data: bytes) -> None:
        """Record bytes that were sent."""
        self.sent, self.received = data[:_KEPT], b""

    def note_received(self, data: bytes) -> None:
        """Record bytes that came."""
        self.received = (self.received + data)[:_KEPT]
        if not self.first:
            self.first = data[:_KEPT]


def diagnosed(seen: Seen) -> str:
    """Return advice from what came, "" if it tells nothing."""
    return _foreign(seen) or _other_framing(seen) or _other_answer(seen) or _noise(seen)


def _foreign(seen: Seen) -> str:
    """Return advice if the peer speaks another protocol than Modbus."""
    from modwire.framing.foreign import looks_like

    for start in (seen.first, seen.received):
        what = looks_like(start)
        if what and what not in _MODBUS:
            if "TLS" in what:
                return "the port needs TLS, which this version does not support"
            return f"this looks like {what}: Modbus is at another port, 502 by default"
    return ""


def _other_framing(seen: Seen) -> str:
    """Return advice if frames of another kind came."""
    found = framing_of(seen.received)
    endpoint = seen.endpoint
    if not found or found == endpoint.framing or _is_echo(seen):
        return ""
    if endpoint.transport == "serial" and found == "tcp":
        return "the device sends Modbus/TCP frames on a serial line"
    return f"the device sends {_NAMES[found]} frames: use {in_framing(endpoint, found)}"


def framing_of(data: bytes) -> str:
    """Return the name of the framing of a whole frame; "" if it is none."""
    from modwire.checksums import crc16

    if (
        len(data) >= 8
        and data[2:4] == b"\0\0"
        and int.from_bytes(data[4:6], "big") == len(data) - 6
    ):
        return "tcp"
    if len(data) >= 9 and data.startswith(b":") and data.endswith(b"\r\n"):
        return "ascii"
    if len(data) >= 5 and not crc16(data):
        return "rtu"
    return ""


def in_framing(endpoint: Endpoint, framing: str) -> str:
    """Return the text of an endpoint at the same place with other frames."""
    place = str(endpoint).partition("://")[2].partition("?")[0]
    if endpoint.transport == "serial":
        return f"{framing}://{place}"
    scheme = endpoint.transport if framing == "tcp" else f"{framing}+{endpoint.transport}"
    return f"{scheme}://{place}"


def _is_echo(seen: Seen) -> bool:
    return bool(seen.sent) and seen.received.startswith(seen.sent)


def _other_answer(seen: Seen) -> str:
    """Return advice for a whole frame that is not the answer to the request."""
    sent, received = seen.sent, seen.received
    if not sent or not received:
        return ""
    if seen.endpoint.framing != "tcp" and _is_echo(seen):
        return "the line echoes what is sent: add ?suppress_echo=true"
    if framing_of(received) != seen.endpoint.framing:
        return ""
    if seen.endpoint.framing == "tcp":
        asked, answered = sent[6], received[6]
        if sent[:2] != received[:2]:
            number = int.from_bytes(received[:2], "big")
            quirk = "any_transaction_id" if number else "zero_transaction_id"
            return f"the device answers with the wrong transaction id {number}: add ?quirks={quirk}"
    elif seen.endpoint.framing == "rtu":
        asked, answered = sent[0], received[0]
    else:
        asked, answered = (int(data[1:3], 16) for data in (sent, received))
    if asked == answered:
        return ""
    return f"ask it with --unit {answered}, or add ?quirks=any_unit"


def _noise(seen: Seen) -> str:
    """Return advice for bytes on a serial line that form no frame."""
    if not seen.received or seen.endpoint.framing == "tcp" or framing_of(seen.received):
        return ""
    if seen.endpoint.transport == "serial":
        return (
            "bytes came that are no frame: check baud rate, parity, stop bits and the wiring; "
            "`modwire scan ENDPOINT --baudrates all --parities all` tries the settings"
        )
    return "bytes came that are no frame: check the serial settings of the gateway"


def without_bytes(seen: Seen) -> str:
    """Return advice if nothing came, neither an answer nor noise."""
    endpoint = seen.endpoint
    longer = "or wait longer (?timeout=5)"
    if seen.first:
        return f"it answered before: it may need a pause between requests (?pause=0.05), {longer}"
    if endpoint.transport == "serial":
        return (
            "check the unit (--unit), baud rate and parity, and the wiring (are A and B swapped?), "
            + longer
        )
    if endpoint.framing == "tcp":
        other = in_framing(endpoint, "rtu")
        return f"check the unit (--unit); RTU frames over a network are {other}; {longer}"
    return (
        f"check the unit (--unit); a Modbus/TCP device is {in_framing(endpoint, 'tcp')}; {longer}"
    )
