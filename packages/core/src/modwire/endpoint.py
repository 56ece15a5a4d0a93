"""`Endpoint`: where a device is and how to talk to it, in one line of text such as a setting.

`Endpoint.parse("rtu:///dev/ttyUSB0?baudrate=9600")` and `str()` are each other's inverse. The
adapters' `connect()` reads it; nothing is opened here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal, NoReturn

from .endpoint_text import IN_PATHS, UNRESERVED, is_number, one_of, quoted, unquoted
from .framing.base import Framing

if TYPE_CHECKING:
    from typing import TypeAlias

Transport: TypeAlias = Literal["tcp", "udp", "tls", "unix", "serial"]
FramingName: TypeAlias = Literal["tcp", "rtu", "ascii", "binary"]
Parity: TypeAlias = Literal["N", "E", "O"]

_NETWORKS: tuple[Transport, ...] = ("tcp", "udp", "tls", "unix")
_SERIAL_FRAMINGS: tuple[FramingName, ...] = ("rtu", "ascii", "binary")
_SCHEMES: dict[str, tuple[Transport, FramingName]] = {
    **{transport: (transport, "tcp") for transport in _NETWORKS},
    **{framing: ("serial", framing) for framing in _SERIAL_FRAMINGS},
    **{
        f"{framing}+{transport}": (transport, framing)
        for framing in _SERIAL_FRAMINGS
        for transport in _NETWORKS
    },
}
_NAMES = {pair: scheme for scheme, pair in _SCHEMES.items()}

_PORT = 502
_TLS_PORT = 802
_BAUDRATE = 19200

_PARITIES: dict[str, Parity] = {"N": "N", "E": "E", "O": "O"}
_LINE_OPTIONS = ("baudrate", "bytesize", "parity", "stopbits")
_OPTIONS = (*_LINE_OPTIONS, "unit", "timeout", "retries")

# Slots are written once, in the constructor, past the guard in __setattr__.
_set = object.__setattr__


class Endpoint:
    """A device's address: immutable, hashable, equal by value.

    `transport` is "tcp", "udp", "tls", "unix" or "serial"; `framing` is "tcp" (MBAP), "rtu",
    "ascii" or "binary". What the transport has no use for is refused in the constructor and
    stands at "" or 0 (`host`, `path`, `port`) or at its default (the line settings).

    - tcp, udp, tls: `host`, a name or an address, IPv6 without brackets; `port` 0..65535, by
      default 502, and 802 for tls. 0 lets a server choose.
    - unix: `path` of the socket, absolute.
    - serial: `path` of the device, absolute, or a name such as COM3, or a pyserial URL;
      `baudrate` (19200), `parity` "N", "E" or "O" ("E"), `stopbits` (1, and 2 without parity),
      `bytesize` (8, for ascii 7), the defaults of MODBUS over Serial Line V1.02, section 2.5.
    - all: `unit`, the unit to ask unless a call names one; `timeout`, seconds to wait for an
      answer; `retries`, how often a read is sent again. None leaves them to the client.

    Raises ValueError, which says which part was wrong and what is allowed.
    """

    __slots__ = (
        "baudrate",
        "bytesize",
        "framing",
        "host",
        "parity",
        "path",
        "port",
        "retries",
        "stopbits",
        "timeout",
        "transport",
        "unit",
    )
    transport: Transport
    framing: FramingName
    host: str
    port: int
    path: str
    baudrate: int
    bytesize: int
    parity: Parity
    stopbits: int
    unit: int | None
    timeout: float | None
    retries: int | None

    def __init__(
        self,
        transport: Transport,
        framing: FramingName,
        *,
        host: str = "",
        port: int | None = None,
        path: str = "",
        baudrate: int | None = None,
        bytesize: int | None = None,
        parity: Parity | None = None,
        stopbits: int | None = None,
        unit: int | None = None,
        timeout: float | None = None,
        retries: int | None = None,
    ) -> None:
        if (transport, framing) not in _NAMES:
            raise ValueError(
                "transport must be tcp, udp, tls or unix with framing tcp, rtu, ascii or binary, "
                f"or serial with rtu, ascii or binary; got {transport!r} with {framing!r}"
            )
        _set(self, "transport", transport)
        _set(self, "framing", framing)

        if transport in ("unix", "serial"):
            if host or port is not None:
                raise ValueError(f"{transport} has no host and no port, only a path")
            _set(self, "path", _checked_path(transport, path))
            _set(self, "host", "")
            _set(self, "port", 0)
        else:
            if path:
                raise ValueError(f"{transport} has no path, got {path!r}")
            if port is None:
                port = _TLS_PORT if transport == "tls" else _PORT
            _set(self, "host", _checked_host(host))
            _set(self, "port", _checked_number("port", port, 0, 65535))
            _set(self, "path", "")

        line = (baudrate, bytesize, parity, stopbits)
        if transport != "serial" and line != (None, None, None, None):
            pairs = zip(_LINE_OPTIONS, line, strict=True)
            given = [name for name, value in pairs if value is not None]
            raise ValueError(f"{transport} has no serial line, so no {' and no '.join(given)}")
        baudrate = _BAUDRATE if baudrate is None else baudrate
        parity = "E" if parity is None else parity
        stopbits = _stopbits(parity) if stopbits is None else stopbits
        sizes = (7, 8) if framing == "ascii" else (8,)
        bytesize = sizes[0] if bytesize is None else bytesize
        if parity not in _PARITIES:
            raise ValueError(f"parity must be N, E or O, got {parity!r}")
        if bytesize not in sizes:
            allowed = " or ".join(map(str, sizes))
            raise ValueError(f"bytesize must be {allowed} for {framing}, got {bytesize!r}")
        _set(self, "baudrate", _checked_number("baudrate", baudrate, 1))
        _set(self, "bytesize", bytesize)
        _set(self, "parity", parity)
        _set(self, "stopbits", _checked_number("stopbits", stopbits, 1, 2))

        if timeout is not None and not 0 < timeout < float("inf"):
            raise ValueError(f"timeout must be more than 0 seconds, got {timeout!r}")
        # Behind every framing but MBAP is a serial line: 0 broadcasts, 248..255 are reserved.
        units = (0, 255) if framing == "tcp" else (1, 247)
        _set(self, "unit", None if unit is None else _checked_number("unit", unit, *units))
        _set(self, "timeout", None if timeout is None else float(timeout))
        _set(self, "retries", None if retries is None else _checked_number("retries", retries, 0))

    @classmethod
    def parse(cls, text: str) -> Endpoint:
        """The endpoint that `text` describes; raises ValueError saying which part is wrong.

        Schemes: tcp, udp, tls and unix carry MBAP frames; rtu, ascii and binary are serial lines;
        rtu+tcp and its kin (rtu, ascii, binary with tcp, udp, tls, unix) carry serial frames over
        a network. Options follow a `?`, joined by `&`: unit, timeout and retries everywhere,
        baudrate, bytesize, parity and stopbits on a serial line. Other characters in paths than
        letters, digits and `-._~/:@` may be, and `%`, `?` and `#` must be, percent-encoded; the
        zone of an IPv6 address follows `%25` (RFC 6874), or `%` alone.
        """
        try:
            return _parse(text)
        except ValueError as error:
            raise ValueError(f"endpoint {text!r}: {error}") from None

    def __str__(self) -> str:
        if self.path:
            place = quoted(self.path, IN_PATHS)
        elif ":" in self.host:
            address, percent, zone = self.host.partition("%")
            place = f"[{address}%25{quoted(zone, UNRESERVED)}]" if percent else f"[{address}]"
            place += f":{self.port}"
        else:
            place = f"{self.host}:{self.port}"
        options = "&".join(f"{name}={value}" for name, value in self._options())
        scheme = _NAMES[self.transport, self.framing]
        return f"{scheme}://{place}?{options}" if options else f"{scheme}://{place}"

    def _options(self) -> Iterable[tuple[str, object]]:
        if self.baudrate != _BAUDRATE:
            yield "baudrate", self.baudrate
        if self.bytesize != (7 if self.framing == "ascii" else 8):
            yield "bytesize", self.bytesize
        if self.parity != "E":
            yield "parity", self.parity
        if self.stopbits != _stopbits(self.parity):
            yield "stopbits", self.stopbits
        if self.unit is not None:
            yield "unit", self.unit
        if self.timeout is not None:
            yield "timeout", repr(self.timeout).removesuffix(".0")
        if self.retries is not None:
            yield "retries", self.retries

    def __repr__(self) -> str:
        return f"Endpoint.parse({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Endpoint):
            return NotImplemented
        # The text leaves out defaults only, so it says all there is.
        return str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Endpoint.parse, (str(self),)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"Endpoint is immutable, {name!r} cannot be set")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"Endpoint is immutable, {name!r} cannot be deleted")


def network_name(transport: str, framing: type[Framing], host: str, port: int) -> str:
    """How errors and logs name a peer on a network, such as "rtu+tcp://192.0.2.1:502".

    Raises ValueError for a host that is no text and for an impossible port, TypeError for what is
    no framing class.
    """
    if not isinstance(host, str):
        raise ValueError(f"host must be a name or an address, got {host!r}")
    _checked_number("port", port, 1, 65535)
    place = f"[{host}]" if ":" in host else host
    return f"{_scheme(transport, framing)}://{place}:{port}"


def path_name(transport: str, framing: type[Framing], path: str) -> str:
    """The same for a peer at a path, such as "unix:///run/modwire.sock"."""
    if not isinstance(path, str):
        raise ValueError(f"path must be text, got {path!r}")
    return f"{_scheme(transport, framing)}://{path}"


def _scheme(transport: str, framing: type[Framing]) -> str:
    Framing.check_class(framing)
    return transport if framing.name == "tcp" else f"{framing.name}+{transport}"


def _parse(text: str) -> Endpoint:
    scheme, separator, rest = text.partition("://")
    if not separator:
        raise ValueError(
            "must start with a scheme, such as tcp://192.0.2.1:502 or rtu:///dev/ttyUSB0"
        )
    if scheme.lower() not in _SCHEMES:
        raise ValueError(f"scheme must be {one_of(_SCHEMES, scheme.lower(), scheme)}")
    if "#" in rest:
        raise ValueError("'#' must be written %23, an endpoint has no fragment")
    transport, framing = _SCHEMES[scheme.lower()]
    place, _, query = rest.partition("?")
    options = _parse_options(query)
    has_path = transport in ("unix", "serial")
    host, port = ("", None) if has_path else _parse_address(place)
    parity = options.get("parity")
    if parity is not None and parity.upper() not in _PARITIES:
        raise ValueError(f"parity must be N, E or O, got {parity!r}")
    return Endpoint(
        transport,
        framing,
        host=host,
        port=port,
        path=unquoted(place) if has_path else "",
        baudrate=_integer(options, "baudrate"),
        bytesize=_integer(options, "bytesize"),
        parity=None if parity is None else _PARITIES[parity.upper()],
        stopbits=_integer(options, "stopbits"),
        unit=_integer(options, "unit"),
        timeout=_seconds(options, "timeout"),
        retries=_integer(options, "retries"),
    )


def _parse_options(query: str) -> dict[str, str]:
    options: dict[str, str] = {}
    for item in query.split("&") if query else ():
        name, equals, value = item.partition("=")
        if name not in _OPTIONS:
            raise ValueError(f"option must be {one_of(_OPTIONS, name, name)}")
        if not equals or not value:
            raise ValueError(f"option {name} must have a value, as in {name}=...")
        if name in options:
            raise ValueError(f"option {name} must be given once")
        options[name] = unquoted(value)
    return options


def _parse_address(place: str) -> tuple[str, int | None]:
    address, slash, path = place.partition("/")
    if path:
        raise ValueError(f"path must be empty behind a host, got {slash + path!r}")
    if "@" in address:
        raise ValueError("host must come without a user name and '@'")
    if address.startswith("["):
        host, bracket, colon_port = address[1:].partition("]")
        if not bracket:
            raise ValueError(f"host must have a ']' behind its IPv6 address, got {address!r}")
        host, percent, zone = host.partition("%")
        if ":" not in host:
            raise ValueError(f"host in brackets must be an IPv6 address, got {host!r}")
        if percent:
            host += "%" + (unquoted(zone[2:]) if zone[:2] == "25" and zone[2:] else zone)
        if colon_port and colon_port[0] != ":":
            raise ValueError(f"port must follow ']' and ':', got {colon_port!r}")
        colon, port = colon_port[:1], colon_port[1:]
    else:
        if address.count(":") > 1:
            raise ValueError(
                f"host must have brackets around an IPv6 address, as in [::1]:502; got {address!r}"
            )
        host, colon, port = address.partition(":")
    if not colon:
        return host, None
    if not is_number(port):
        raise ValueError(f"port must be 0..65535, got {port!r}")
    return host, int(port)


def _integer(options: dict[str, str], name: str) -> int | None:
    if name not in options:
        return None
    if not is_number(options[name]):
        raise ValueError(f"{name} must be a whole number, got {options[name]!r}")
    return int(options[name])


def _seconds(options: dict[str, str], name: str) -> float | None:
    if name not in options:
        return None
    try:
        return float(options[name])
    except ValueError:
        raise ValueError(f"{name} must be a number of seconds, got {options[name]!r}") from None


def _stopbits(parity: str) -> int:
    # Without parity a second stop bit keeps the character at 11 bits (section 2.5.1).
    return 2 if parity == "N" else 1


def _checked_number(name: str, value: int, least: int, most: int | None = None) -> int:
    number = isinstance(value, int) and not isinstance(value, bool)
    if not number or value < least or (most is not None and value > most):
        allowed = f"{least} or more" if most is None else f"{least}..{most}"
        raise ValueError(f"{name} must be {allowed}, got {value!r}")
    return value


def _checked_host(host: str) -> str:
    if not host:
        raise ValueError("host must be a name or an address, got none")
    if ":" in host:
        from ipaddress import IPv6Address  # its import takes milliseconds that few need

        if not host.isprintable():
            raise ValueError(f"host must be printable, got {host!r}")
        try:
            IPv6Address(host)
        except ValueError as error:
            raise ValueError(f"host must be a name or an address: {error}") from None
    elif not all(character.isalnum() or character in "-._" for character in host):
        raise ValueError(f"host must be a name or an address, got {host!r}")
    return host


def _checked_path(transport: str, path: str) -> str:
    example = "unix:///run/modwire.sock" if transport == "unix" else "rtu:///dev/ttyUSB0"
    if not path:
        raise ValueError(f"path is missing, write it as in {example}")
    if "\0" in path:
        raise ValueError(f"path must be without NUL characters, got {path!r}")
    named = transport == "serial" and ("/" not in path or "://" in path)
    if path[0] != "/" and not named:
        other = ", or a port's name, as in rtu://COM3" if transport == "serial" else ""
        raise ValueError(f"path must be absolute, as in {example}{other}; got {path!r}")
    try:
        # Names that are no UTF-8 are surrogates in Python, as os.fsdecode() makes them.
        return path.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise ValueError(f"path must be text or os.fsdecode() bytes, got {path!r}") from None
