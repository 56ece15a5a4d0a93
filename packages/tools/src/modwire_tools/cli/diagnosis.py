"""`diagnosed`: advice from the bytes that came, which tell more than the error of the call.

`verbose.client_log` collects them, `hints` prints the advice behind the error.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from modwire_tools.pasting import command, for_shell

from .mbap_faults import mbap_faults
from .rewritten import in_framing, with_longer_timeout, with_options, with_quirks

if TYPE_CHECKING:
    from modwire import Endpoint

_KEPT = 600  # bytes, more than two frames
_SILENT_KEPT = 16  # requests to which nothing came
_MODBUS = ("an RTU frame", "a frame of Modbus ASCII")
_NAMES = {"rtu": "RTU", "ascii": "ASCII", "binary": "Binary", "tcp": "Modbus/TCP"}


@dataclass
class Seen:
    """Bytes between the command and the device at `endpoint`.

    - `sent`: the last bytes sent; `received`: those that came after them.
    - `first`: the first bytes that came at all.
    - `silent`: earlier requests after which nothing came.
    - `late`: units whose answers to those came after all, behind transaction ids.
    """

    endpoint: Endpoint
    sent: bytes = b""
    received: bytes = b""
    first: bytes = b""
    silent: deque[bytes] = field(default_factory=lambda: deque[bytes](maxlen=_SILENT_KEPT))
    late: set[int] = field(default_factory=set[int])

    def note_sent(self, data: bytes) -> None:
        """Record bytes that were sent."""
        if self.sent and not self.received:
            self.silent.append(self.sent)
        self.sent, self.received = data[:_KEPT], b""

    def note_received(self, data: bytes) -> None:
        """Record bytes that came."""
        self.received = (self.received + data)[:_KEPT]
        if not self.first:
            self.first = data[:_KEPT]
        if self.endpoint.framing == "tcp":
            self._note_late()

    def _note_late(self) -> None:
        at, received = 0, self.received
        while at + 7 <= len(received) and received[at + 2 : at + 4] == b"\0\0":
            for request in self.silent:
                if request[:2] == received[at : at + 2] and request[6] == received[at + 6]:
                    self.late.add(request[6])
            at += 6 + int.from_bytes(received[at + 4 : at + 6], "big")

    @property
    def function(self) -> int:
        """The function code of the last request; 0 if none was sent, or it is not known."""
        return self._head()[1]

    @property
    def unit(self) -> int:
        """The unit of the last request; 0 if none was sent, or it is not known."""
        return self._head()[0]

    def _head(self) -> tuple[int, int]:
        """Return the unit and the function code of the last request."""
        sent = self.sent
        if self.endpoint.framing == "ascii":
            sent = bytes.fromhex(sent[1:5].decode("ascii", "replace")) if len(sent) > 4 else b""
        elif self.endpoint.framing != "rtu":
            sent = sent[6:8] if self.endpoint.framing == "tcp" else b""
        return (sent[0], sent[1]) if len(sent) > 1 else (0, 0)


def diagnosed(seen: Seen) -> str:
    """Return advice from what came, "" if it tells nothing."""
    return foreign(seen) or _other_framing(seen) or _other_answer(seen) or _noise(seen)


def foreign(seen: Seen) -> str:
    """Return advice if the peer speaks another protocol than Modbus."""
    from modwire.framing.foreign import looks_like

    for start in (seen.first, seen.received):
        what = looks_like(start)
        if what and what not in _MODBUS:
            if "TLS" in what:
                return _over_tls(seen.endpoint)
            return f"this looks like {what}: Modbus is at another port, 502 by default"
    return ""


def _over_tls(endpoint: Endpoint) -> str:
    """Return advice for a server with TLS at an endpoint without."""
    if endpoint.transport != "tcp":
        return "the port needs TLS"
    # The names of files are examples: this command knows none.
    changed = endpoint.replace(
        transport="tls", ca="ca.pem", certificate="client.pem", key="client.key"
    )
    return f"the port needs TLS, as in {for_shell(str(changed))}"


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


def _is_echo(seen: Seen) -> bool:
    return bool(seen.sent) and seen.received.startswith(seen.sent)


def _other_answer(seen: Seen) -> str:
    """Return advice for an answer that is not the one to the request, or breaks a rule."""
    sent, received = seen.sent, seen.received
    if not sent or not received:
        return ""
    if seen.endpoint.framing == "tcp":
        return _late(seen, slice(0, 2)) or _by_quirks(seen)
    if _is_echo(seen):
        changed = with_options(seen.endpoint, suppress_echo=True)
        return f"the line echoes what is sent: use {changed}"
    if seen.endpoint.framing == "rtu":
        cut = _without_first_byte(seen)
        if cut:
            return cut
    if framing_of(received) != seen.endpoint.framing:
        return ""
    if seen.endpoint.framing == "rtu":
        asked, answered = sent[0], received[0]
        unit = slice(0, 2)  # with the function code
    else:
        asked, answered = (int(data[1:3], 16) for data in (sent, received))
        unit = slice(1, 5)
    if asked == answered:
        return ""
    return _late(seen, unit) or _other_unit(seen, answered)


def _other_unit(seen: Seen, answered: int) -> str:
    changed = with_quirks(seen.endpoint, "any_unit")
    return f"ask it with --unit {answered}, or use {changed}"


def _late(seen: Seen, key: slice) -> str:
    """Return advice if the answer belongs to a request that had none; `key` tells which."""
    start = seen.received[key]
    if start == seen.sent[key] or start not in {each[key] for each in seen.silent}:
        return ""
    return f"the device answers late: wait longer, as in {with_longer_timeout(seen.endpoint)}"


def _by_quirks(seen: Seen) -> str:
    """Return advice for a Modbus/TCP answer that breaks a rule which a quirk tolerates."""
    faults = mbap_faults(seen.sent, seen.received)
    if not faults:
        return ""
    quirks = [each.quirk for each in faults]
    if quirks == ["any_unit"]:
        return _other_unit(seen, seen.received[6])
    texts = " and ".join(each.text for each in faults)
    return f"the device {texts}: use {with_quirks(seen.endpoint, *quirks)}"


def _without_first_byte(seen: Seen) -> str:
    """Return advice if the answer is right but for its first byte, the unit id."""
    from modwire.checksums import crc16

    received = seen.received
    if len(received) < 4 or received[0] & 0x7F != seen.sent[1] or crc16(seen.sent[:1] + received):
        return ""
    return (
        "the first byte of the answer was lost, all others are right: the adapter switches to "
        "receiving too late; let the device answer later, or take another adapter"
    )


def _noise(seen: Seen) -> str:
    """Return advice for bytes on a serial line that form no frame."""
    if not seen.received or seen.endpoint.framing == "tcp" or framing_of(seen.received):
        return ""
    if seen.endpoint.transport == "serial":
        scan = command("scan", seen.endpoint, "--baudrates", "all", "--parities", "all")
        return f"check baud rate, parity, stop bits and the wiring; {scan} tries the settings"
    return "check the serial settings of the gateway"


def without_bytes(seen: Seen) -> str:
    """Return advice if nothing came, neither an answer nor noise."""
    endpoint = seen.endpoint
    longer = f"or wait longer, as in {with_longer_timeout(endpoint)}"
    if seen.first:
        pause = with_options(endpoint, pause=0.5)
        return f"it answered before: it may need a pause between requests, as in {pause}, {longer}"
    units = f"check the unit ({command('scan', endpoint)} finds units)"
    if endpoint.transport == "serial":
        return f"{units}, baud rate and parity, and the wiring (are A and B swapped?), {longer}"
    if endpoint.framing == "tcp":
        other = f"for RTU frames over a network use {in_framing(endpoint, 'rtu')}"
    else:
        other = f"a Modbus/TCP device is {in_framing(endpoint, 'tcp')}"
    return f"{units}, or the port is wrong; {other}; {longer}"
