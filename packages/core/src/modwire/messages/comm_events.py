"""The events in the log of function 12, one byte each, as objects (section 6.10)."""

from __future__ import annotations

from typing import ClassVar

from ..immutable import Immutable, set_field
from .base import new_message

__all__ = [
    "CommEvent",
    "CommunicationRestartEvent",
    "EnteredListenModeEvent",
    "RemoteReceiveEvent",
    "RemoteSendEvent",
]

_RECEIVED, _SENT = 0x80, 0x40
_RESTARTED, _ENTERED_LISTEN_MODE = 0x00, 0x04


class CommEvent(Immutable):
    """An event of the log; `code` is its byte, 0..255.

    `from_code` returns one of the four kinds below, or a plain `CommEvent` for a byte that the
    specification does not define. Raises ValueError for a number out of range.
    """

    __slots__ = ("code",)
    __match_args__: ClassVar[tuple[str, ...]] = ("code",)
    code: int

    def __init__(self, code: int) -> None:
        if isinstance(code, bool) or not isinstance(code, int) or not 0 <= code <= 0xFF:
            raise ValueError(f"code of an event must be 0..255, got {code!r}")
        set_field(self, "code", code)

    @staticmethod
    def from_code(code: int) -> CommEvent:
        """Return the event for a byte of the log, with all its bits."""
        plain = CommEvent(code)
        if code & _RECEIVED:
            kind: type[CommEvent] = RemoteReceiveEvent
        elif code & _SENT:
            kind = RemoteSendEvent
        else:
            kind = _WITHOUT_BITS.get(code, CommEvent)
        event = new_message(kind)
        set_field(event, "code", plain.code)
        return event

    @property
    def flags(self) -> tuple[str, ...]:
        """The names of the bits that are set, such as "broadcast"."""
        return ()

    def _compared(self) -> tuple[object, ...]:
        return (self.code,)


class _FlaggedEvent(CommEvent):
    """Base of the events with bits; `__match_args__` are their names, `_bits` their places."""

    __slots__ = ()
    _bits: ClassVar[tuple[int, ...]]

    def __init__(self, code: int, *flags: bool) -> None:
        for bit, name, flag in zip(self._bits, self.__match_args__, flags, strict=True):
            if not isinstance(flag, bool):
                raise ValueError(f"{name} must be True or False, got {flag!r}")
            code |= flag << bit
        super().__init__(code)

    def _has(self, name: str) -> bool:
        return bool(self.code >> self._bits[self.__match_args__.index(name)] & 1)

    @property
    def flags(self) -> tuple[str, ...]:
        return tuple([name for name in self.__match_args__ if self._has(name)])


class RemoteReceiveEvent(_FlaggedEvent):
    """The device has received a message: bit 7, stored before it is processed."""

    __slots__ = ()
    __match_args__ = ("communication_error", "character_overrun", "listen_only", "broadcast")
    _bits = (1, 4, 5, 6)

    def __init__(
        self,
        *,
        communication_error: bool = False,
        character_overrun: bool = False,
        listen_only: bool = False,
        broadcast: bool = False,
    ) -> None:
        super().__init__(_RECEIVED, communication_error, character_overrun, listen_only, broadcast)

    @property
    def communication_error(self) -> bool:
        """True if the message was damaged (bit 1)."""
        return self._has("communication_error")

    @property
    def character_overrun(self) -> bool:
        """True if characters were lost (bit 4)."""
        return self._has("character_overrun")

    @property
    def listen_only(self) -> bool:
        """True if the device was in listen-only mode (bit 5)."""
        return self._has("listen_only")

    @property
    def broadcast(self) -> bool:
        """True if the message was a broadcast (bit 6)."""
        return self._has("broadcast")


class RemoteSendEvent(_FlaggedEvent):
    """The device has finished processing a message: bit 6, whether or not it has answered."""

    __slots__ = ()
    __match_args__ = ("read", "abort", "busy", "nak", "write_timeout", "listen_only")
    _bits = (0, 1, 2, 3, 4, 5)

    def __init__(
        self,
        *,
        read: bool = False,
        abort: bool = False,
        busy: bool = False,
        nak: bool = False,
        write_timeout: bool = False,
        listen_only: bool = False,
    ) -> None:
        super().__init__(_SENT, read, abort, busy, nak, write_timeout, listen_only)

    @property
    def read(self) -> bool:
        """True if exception 01, 02 or 03 was sent (bit 0, "read exception")."""
        return self._has("read")

    @property
    def abort(self) -> bool:
        """True if exception 04 was sent (bit 1, "server abort exception")."""
        return self._has("abort")

    @property
    def busy(self) -> bool:
        """True if exception 05 or 06 was sent (bit 2, "server busy exception")."""
        return self._has("busy")

    @property
    def nak(self) -> bool:
        """True if exception 07 was sent (bit 3, "server program NAK exception")."""
        return self._has("nak")

    @property
    def write_timeout(self) -> bool:
        """True if a write timed out (bit 4)."""
        return self._has("write_timeout")

    @property
    def listen_only(self) -> bool:
        """True if the device was in listen-only mode (bit 5)."""
        return self._has("listen_only")


class EnteredListenModeEvent(CommEvent):
    """The device has entered listen-only mode."""

    __slots__ = ()
    __match_args__ = ()

    def __init__(self) -> None:
        super().__init__(_ENTERED_LISTEN_MODE)


class CommunicationRestartEvent(CommEvent):
    """The communication port of the device was restarted, by function 8, sub-function 1."""

    __slots__ = ()
    __match_args__ = ()

    def __init__(self) -> None:
        super().__init__(_RESTARTED)


_WITHOUT_BITS: dict[int, type[CommEvent]] = {
    _RESTARTED: CommunicationRestartEvent,
    _ENTERED_LISTEN_MODE: EnteredListenModeEvent,
}
