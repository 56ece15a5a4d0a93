"""`SerialSettings`: a serial line as every adapter's client and server set it up."""

from __future__ import annotations

from typing import NoReturn, Protocol, TypedDict

from .client.options import ClientOptions
from .framing.ascii import AsciiFraming
from .framing.base import Framing
from .options import check_options, silent_interval

SERIAL_TOLERANCE = 0.02
"""Seconds by which an operating system or a USB adapter may tear a frame apart."""

_MAX_ADU = 256  # characters that an answer may have in time, where no timeout was given

# Slots are written once, in the constructor, past the guard in __setattr__.
_set = object.__setattr__


class Rs485Settings(Protocol):
    """What pyserial's `RS485Settings` has; the core does not import pyserial."""

    rts_level_for_tx: bool
    rts_level_for_rx: bool
    loopback: bool
    delay_before_tx: float | None
    delay_before_rx: float | None


class PortArguments(TypedDict):
    """What pyserial calls the settings of a line."""

    baudrate: int
    bytesize: int
    parity: str
    stopbits: int


class SerialSettings:
    """The settings of a serial line, immutable; an argument that is None stands for its default.

    `framing` is one without transaction ids; `baudrate`, `bytesize` (8, and 7 for ASCII),
    `parity` "N", "E" or "O" and `stopbits` (1, and 2 without parity) have the defaults of MODBUS
    over Serial Line V1.02, section 2.5. `silence`, in seconds, is how long the line must be quiet
    between RTU frames, `character_time` how long one character takes on it. Raises ValueError,
    and TypeError for what is no framing class.
    """

    __slots__ = (
        "baudrate",
        "bytesize",
        "character_time",
        "framing",
        "parity",
        "silence",
        "stopbits",
    )
    framing: type[Framing]
    baudrate: int
    bytesize: int
    parity: str
    stopbits: int
    silence: float
    character_time: float

    def __init__(
        self,
        framing: type[Framing],
        *,
        baudrate: int = 19200,
        bytesize: int | None = None,
        parity: str = "E",
        stopbits: int | None = None,
    ) -> None:
        Framing.check_class(framing)
        if framing.has_transactions:
            raise ValueError(f"framing must be one for serial lines, got {framing.__name__}")
        if parity not in ("N", "E", "O"):
            raise ValueError(f"parity must be N, E or O, got {parity!r}")
        if not isinstance(baudrate, int):
            raise ValueError(f"baudrate must be a whole number, got {baudrate!r}")
        bits = (7 if framing is AsciiFraming else 8) if bytesize is None else bytesize
        # Without parity a second stop bit keeps the character at 11 bits (section 2.5.1).
        stops = (2 if parity == "N" else 1) if stopbits is None else stopbits
        if bits not in (7, 8) or stops not in (1, 2):
            raise ValueError(
                f"bytesize must be 7 or 8 and stopbits 1 or 2, got {bytesize!r} and {stopbits!r}"
            )
        _set(self, "framing", framing)
        _set(self, "baudrate", baudrate)
        _set(self, "bytesize", bits)
        _set(self, "parity", parity)
        _set(self, "stopbits", stops)
        _set(self, "silence", silent_interval(baudrate))
        _set(self, "character_time", (1 + bits + (parity != "N") + stops) / baudrate)

    def port_arguments(self, device: str) -> PortArguments:
        """The arguments of pyserial for these settings; `device` is its path, links resolved.

        A pseudo-terminal has neither parity nor 7 bits. glibc refuses to set what has no effect,
        so from its second opening on it would be refused.
        """
        is_terminal = device.startswith("/dev/pts/")
        return {
            "baudrate": self.baudrate,
            "bytesize": 8 if is_terminal else self.bytesize,
            "parity": "N" if is_terminal else self.parity,
            "stopbits": self.stopbits,
        }

    def client_options(
        self,
        *,
        unit: int,
        timeout: float | None,
        retries: int,
        suppress_echo: bool,
        options: ClientOptions | None,
    ) -> ClientOptions:
        """What a client on this line goes by: its own arguments, or `options` in their place.

        Where `timeout` is None, an answer has 1 second and the time that 256 characters take. The
        silence and the tolerance of `options` are raised to what the line needs.
        Raises ValueError where `options` stands beside an argument that it has.
        """
        if options is None:
            if timeout is None:
                timeout = 1.0 + _MAX_ADU * self.character_time
            return ClientOptions(
                unit=unit,
                response_timeout=timeout,
                retries=retries,
                suppress_echo=suppress_echo,
                silence=self.silence,
                tolerance=SERIAL_TOLERANCE,
            )
        if (unit, timeout, retries, suppress_echo) != (1, None, 0, False):
            raise ValueError(
                "unit, timeout, retries and suppress_echo must be left out beside options, "
                "which have them"
            )
        check_options(options, ClientOptions)
        return options.replace(
            silence=max(options.silence, self.silence),
            tolerance=max(options.tolerance, SERIAL_TOLERANCE),
        )

    def __repr__(self) -> str:
        return (
            f"SerialSettings({self.framing.__name__}, baudrate={self.baudrate}, "
            f"bytesize={self.bytesize}, parity={self.parity!r}, stopbits={self.stopbits})"
        )

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"SerialSettings is immutable, {name!r} cannot be set")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"SerialSettings is immutable, {name!r} cannot be deleted")
