"""Options that clients and servers share, and the one check of each kind of setting.

Endpoints, clients, servers, gateways and planners all call the checks below, so that a setting is
judged alike, in the same words, wherever it is given. A bool is never a number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .arguments import keyword_defaults
from .messages.decoder import Decoder

if TYPE_CHECKING:
    from typing_extensions import Self

    from .framing.base import Framing

MAX_IN_FLIGHT = 16  # Messaging on TCP/IP V1.0b, section 4.2: NumberMaxOfClientTransaction
DEAD_AFTER = (
    ("TCP_KEEPIDLE", 30),
    ("TCP_KEEPALIVE", 30),  # the same on macOS
    ("TCP_KEEPINTVL", 10),
    ("TCP_KEEPCNT", 3),
    ("TCP_USER_TIMEOUT", 30_000),
)
"""Options of TCP sockets that end a connection whose peer has vanished; not every system has all.

The system probes a connection that is silent for 30 s, three times in 30 s, and waits as long for
the acknowledgement of sent bytes, which takes 15 minutes by default.
"""
_NETWORKS = ("tcp", "udp", "tls", "unix")
_ANY = (*_NETWORKS, "serial")
_STREAMS = ("tcp", "tls", "unix")
_SERIAL_FRAMES = ("rtu", "ascii", "binary")
_ALL_FRAMES = ("tcp", *_SERIAL_FRAMES)
# Options that have an effect on some links only: transports, framings, and the words for both.
_USES: dict[str, tuple[tuple[str, ...], tuple[str, ...], str]] = {
    "baudrate": (("serial",), _ALL_FRAMES, "serial lines"),
    "bytesize": (("serial",), _ALL_FRAMES, "serial lines"),
    "parity": (("serial",), _ALL_FRAMES, "serial lines"),
    "stopbits": (("serial",), _ALL_FRAMES, "serial lines"),
    "rs485": (("serial",), _ALL_FRAMES, "serial lines"),
    "exclusive": (("serial",), _ALL_FRAMES, "serial lines"),
    "connect_timeout": (_STREAMS, _ALL_FRAMES, "connections: tcp, tls and unix"),
    "reconnect_after": (_STREAMS, _ALL_FRAMES, "connections: tcp, tls and unix"),
    "keepalive": (("tcp", "tls"), _ALL_FRAMES, "TCP connections"),
    "ca": (("tls",), _ALL_FRAMES, "TLS"),
    "certificate": (("tls",), _ALL_FRAMES, "TLS"),
    "key": (("tls",), _ALL_FRAMES, "TLS"),
    "password_file": (("tls",), _ALL_FRAMES, "TLS"),
    "server_hostname": (("tls",), _ALL_FRAMES, "TLS"),
    "pinned": (("tls",), _ALL_FRAMES, "TLS"),
    "max_in_flight": (_NETWORKS, ("tcp",), "MBAP frames, which have transaction ids"),
    "silence": (_ANY, ("rtu",), "RTU frames, which silence separates"),
    "tolerance": (_ANY, ("rtu",), "RTU frames, which silence separates"),
    "suppress_echo": (_ANY, _SERIAL_FRAMES, "serial frames: RTU, ASCII and Binary"),
    "turnaround": (_ANY, _SERIAL_FRAMES, "serial frames, which have broadcasts"),
}
LONGEST = 1e9  # seconds, some thirty years: anything longer is a mistake


class LineOptions:
    """Options of both clients and servers; times are in seconds, 0..1e9.

    - `silence`: how long the line must be quiet before a frame is sent, and after its end. The
      default is that of fast lines (MODBUS over Serial Line V1.02, section 2.5.1.1).
    - `tolerance`: added to `silence` when looking for the end of a frame, because operating
      systems and USB adapters deliver the bytes of one frame in several pieces. Clients over a
      network raise it to 0.05, servers raise both to what their link needs.
    - `suppress_echo`: discard the bytes that the adapter receives of its own sending.
    - `decoder`: the `Decoder` with the custom functions; by default one without any.

    Raises ValueError if a time is out of range.
    """

    def __init__(
        self,
        *,
        silence: float = 0.00175,
        tolerance: float = 0.0,
        suppress_echo: bool = False,
        decoder: Decoder | None = None,
    ) -> None:
        self.silence = check_seconds("silence", silence)
        self.tolerance = check_seconds("tolerance", tolerance)
        self.suppress_echo = check_flag("suppress_echo", suppress_echo)
        self.decoder = decoder if decoder is not None else Decoder()

    def replace(self, **changes: object) -> Self:
        """Return a copy with `changes`; raises as the constructor does.

        A subclass whose constructor takes other arguments has to override it.
        """
        arguments: dict[str, Any] = {**vars(self), **changes}
        return type(self)(**arguments)

    def __repr__(self) -> str:
        """Return the constructor's call, with the arguments that differ from its defaults."""
        usual = keyword_defaults(type(self).__init__)
        shown = {
            name: value
            for name, value in vars(self).items()
            if name not in usual or value != usual[name]
        }
        if self.decoder.is_standard:
            shown.pop("decoder", None)
        inside = ", ".join(f"{name}={value!r}" for name, value in shown.items())
        return f"{type(self).__name__}({inside})"


def check_effect(name: str, transport: str, framing: type[Framing], owner: str) -> None:
    """Raise ValueError if the option `name` has no effect on a link; `owner` is who has it.

    `transport` is "tcp", "udp", "tls", "unix" or "serial".
    """
    if name in _USES:
        transports, framings, use = _USES[name]
        if transport not in transports or framing.name not in framings:
            raise ValueError(f"{owner} has no {name}, which is for {use}")


def uses() -> dict[str, str]:
    """Return what each option is for that only some links have, by name."""
    return {name: use for name, (_, _, use) in _USES.items()}


def silent_interval(baudrate: int) -> float:
    """Return t3.5, the silence between RTU frames, in seconds for a `baudrate` in bit/s.

    That is 3.5 characters of 11 bits, and 1.75 ms above 19200 bit/s (MODBUS over Serial Line
    V1.02, section 2.5.1.1). Raises ValueError if `baudrate` is not a whole number above 0.
    """
    if isinstance(baudrate, bool) or not isinstance(baudrate, int):
        raise ValueError(f"baudrate must be a whole number, got {baudrate!r}")
    if baudrate <= 0:
        raise ValueError(f"baudrate must be greater than 0, got {baudrate}")
    return 0.00175 if baudrate > 19200 else 38.5 / baudrate


def check_options(options: LineOptions, kind: type[LineOptions]) -> None:
    """Raise TypeError unless `options` are of the class `kind`."""
    if not isinstance(options, kind):
        raise TypeError(f"options must be {kind.__name__} or None, got {options!r}")


def check_flag(name: str, value: bool) -> bool:
    """Return `value` if it is True or False; raise ValueError otherwise."""
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be True or False, got {value!r}")
    return value


def check_count(name: str, count: int, least: int = 1) -> int:
    """Return `count` if it is a whole number of at least `least`; raise ValueError otherwise."""
    if isinstance(count, bool) or not isinstance(count, int) or count < least:
        raise ValueError(f"{name} must be a whole number, at least {least}, got {count!r}")
    return count


def check_range(name: str, number: int, least: int, most: int) -> int:
    """Return `number` if it is whole and in `least`..`most`; raise ValueError otherwise."""
    if isinstance(number, bool) or not isinstance(number, int) or not least <= number <= most:
        raise ValueError(f"{name} must be {least}..{most}, got {number!r}")
    return number


def check_seconds(name: str, value: float) -> float:
    """Return `value` if it is a time of 0..1e9 seconds; raise ValueError otherwise."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not 0 <= value <= LONGEST:
        raise ValueError(f"{name} must be at least 0 seconds, at most 1e9, got {value!r}")
    return value


def check_timeout(timeout: float, name: str = "timeout", most: float = LONGEST) -> float:
    """Return `timeout` if it is above 0 and at most `most` seconds; raise ValueError otherwise."""
    is_number = isinstance(timeout, (int, float)) and not isinstance(timeout, bool)
    if not is_number or not 0 < timeout <= most:
        limit = ", at most 1e9" if most == LONGEST else ""
        raise ValueError(f"{name} must be greater than 0 seconds{limit}, got {timeout!r}")
    return timeout


def check_count_or_never(name: str, count: int | None) -> int | None:
    """Return `count` if it is None or a whole number above 0; raise ValueError otherwise."""
    try:
        return None if count is None else check_count(name, count)
    except ValueError:
        raise ValueError(
            f"{name} must be a whole number, at least 1, or None for never, got {count!r}"
        ) from None


def check_unit(unit: int) -> int:
    """Return `unit` if a single request may go to it, 0..255; raise ValueError otherwise."""
    # Not by `check_range`: every call that names a unit comes here, and this takes half the time.
    if isinstance(unit, bool) or not isinstance(unit, int) or not 0 <= unit <= 255:
        raise ValueError(f"unit must be 0..255, got {unit!r}")
    return unit


def check_default_unit(unit: int, framing: type[Framing], least: int = 1) -> int:
    """Return `unit` if requests that name none may go to it; raise ValueError otherwise.

    With MBAP frames any unit id may, 0..255. Serial frames, over a network too, need the address
    of one device, 1..255: 0 is a broadcast. MODBUS over Serial Line V1.02, section 2.2, reserves
    248..255, but there are devices that use them. A single request may name any unit id. `least` is
    0 if the device answers requests to unit 0.
    """
    return check_range("unit", unit, least, 255) if framing.is_serial else check_unit(unit)
