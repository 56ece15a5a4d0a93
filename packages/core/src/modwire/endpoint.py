"""`Endpoint`: the address and the settings of a device in one line of text.

`Endpoint.parse("rtu:///dev/ttyUSB0?baudrate=9600")` makes an endpoint, `str()` its text. The
`connect()` of the adapters accepts both; nothing is opened here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal

from .arguments import explained
from .endpoint_options import (
    MORE_OPTIONS,
    OPTIONS,
    check_option,
    option_text,
    option_value,
    options_of,
)
from .endpoint_text import IN_PATHS, UNRESERVED, is_number, one_of, quoted, unquoted
from .framing import FRAMINGS
from .framing.base import Framing
from .framing.rtu import RtuFraming
from .immutable import Immutable
from .options import check_count, check_default_unit, check_range, check_timeout
from .quirks import least_unit
from .serial_settings import SerialSettings

if TYPE_CHECKING:
    from typing import TypeAlias

    from typing_extensions import Unpack

    from .endpoint_options import EndpointOptions

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

_PORT_URLS = ("rfc2217", "socket", "loop", "cp2110", "spy", "alt", "hwgrep")  # of pyserial

_PORT = 502
_TLS_PORT = 802
_LINE_OPTIONS = ("baudrate", "bytesize", "parity", "stopbits")


class Endpoint(Immutable):
    """The address and the settings of a device: immutable, hashable, equal by value.

    `transport` is "tcp", "udp", "tls", "unix" or "serial"; `framing` is "tcp" (MBAP), "rtu",
    "ascii" or "binary". The constructor refuses arguments that the transport does not have; their
    attributes are "" or 0 (`host`, `path`, `port`) or the default (the serial settings).

    - tcp, udp, tls: `host`, a name or an address, IPv6 without brackets; `port` 0..65535, by
      default 502, and 802 for tls. With 0 the system chooses the port of a server.
    - unix: `path` of the socket, absolute.
    - serial: `path` of the device, absolute, or a name such as COM3 or `\\\\.\\COM12`, or one of
      pyserial's URLs, such as rfc2217://192.0.2.1:2217 or spy:///dev/ttyUSB0; `baudrate`,
      `bytesize`, `parity` and `stopbits` as for `SerialSettings`, with the defaults of MODBUS
      over Serial Line V1.02, section 2.5.
    - all: `unit`, the unit id of requests without one, 0..255 with MBAP frames and 1..255 with
      others; `timeout`, above 0, seconds to wait for an answer; `retries`, 0 or more, how many
      times a read is repeated. None stands for the client's default.
    - all: `options`, by name, of those that are given, the others of `ClientOptions`, such as
      `pause` and `quirks`. Besides, serial lines have `rs485` (True or False) and `exclusive`, tcp
      and tls have `connect_timeout` and `keepalive`, unix has `connect_timeout`, and tls has `ca`,
      `certificate`, `key`, `password_file`, `server_hostname` and `pinned`: see the clients. Those
      that have no effect on such a link are refused.

    Raises ValueError, whose text names the wrong part and the allowed values.
    """

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
    _more: dict[str, object]

    @explained
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
        **options: Unpack[EndpointOptions],
    ) -> None:
        if (transport, framing) not in _NAMES:
            raise ValueError(
                "transport must be tcp, udp, tls or unix with framing tcp, rtu, ascii or binary, "
                f"or serial with rtu, ascii or binary; got {transport!r} with {framing!r}"
            )
        if transport in ("unix", "serial"):
            if host or port is not None:
                raise ValueError(f"{transport} has no host and no port, only a path")
            path = _checked_path(transport, path)
        elif path:
            raise ValueError(f"{transport} has no path, got {path!r}")
        else:
            host = _checked_host(host)
            if port is None:
                port = _TLS_PORT if transport == "tls" else _PORT
            check_range("port", port, 0, 65535)

        values = zip(_LINE_OPTIONS, (baudrate, bytesize, parity, stopbits), strict=True)
        given: dict[str, Any] = {name: value for name, value in values if value is not None}
        if given and transport != "serial":
            raise ValueError(f"{transport} has no serial line, so no {' and no '.join(given)}")
        line = SerialSettings(_line_framing(framing), **given)
        kind, scheme = FRAMINGS[framing], _NAMES[transport, framing]
        if unit is not None:
            check_default_unit(unit, kind, least_unit(options))
        vars(self).update(
            {name: getattr(line, name) for name in _LINE_OPTIONS},
            transport=transport,
            framing=framing,
            host=host or "",
            port=port or 0,
            path=path or "",
            unit=unit,
            timeout=None if timeout is None else float(check_timeout(timeout)),
            retries=None if retries is None else check_count("retries", retries, 0),
            _more={
                name: check_option(transport, kind, scheme, name, value)
                for name, value in options.items()
            },
        )

    @property
    def broadcasts_zero(self) -> bool:
        """True if requests to unit 0 are broadcasts, which no device answers (Serial Line, 2.1)."""
        return FRAMINGS[self.framing].is_serial and bool(least_unit(self._more))

    @property
    def options(self) -> dict[str, object]:
        """The options that are given, by name."""
        return dict(self._more)

    def replace(self, **changes: object) -> Endpoint:
        """Return a copy with `changes`, which are arguments of the constructor, and all else kept.

        Settings of the line that have their default get the default of the copy: another parity
        has its own number of stop bits. Raises as the constructor does.
        """
        place = {"path": self.path} if self.path else {"host": self.host, "port": self.port}
        arguments: dict[str, Any] = {**place, **dict(self._given()), **changes}
        transport = arguments.pop("transport", self.transport)
        return Endpoint(transport, arguments.pop("framing", self.framing), **arguments)

    @classmethod
    def parse(cls, text: str) -> Endpoint:
        """Return the endpoint that `text` describes. Raises ValueError, which names the wrong part.

        Schemes: tcp, udp, tls and unix carry MBAP frames; rtu, ascii and binary are serial lines;
        rtu+tcp and the like (rtu, ascii, binary with tcp, udp, tls, unix) carry serial frames over
        a network. Options follow a `?`, joined by `&`: unit, timeout, retries and the `options`
        everywhere, baudrate, bytesize, parity and stopbits on a serial line. Times are seconds, or
        such as 100ms, 2s, 1m; flags are true or false, quirks are names joined by commas, and
        `reconnect_after` may be never, files of TLS are paths. In paths, all
        characters may be percent-encoded, and `%`, `?` and `#` must be (RFC 3986), those of a
        port's URL too: rtu://spy:///dev/ttyUSB0%3Ffile=log.txt?baudrate=9600. The zone of an IPv6
        address follows `%25` (RFC 6874) or `%`.
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
        options = "&".join(f"{name}={option_text(value)}" for name, value in self._given())
        scheme = _NAMES[self.transport, self.framing]
        return f"{scheme}://{place}?{options}" if options else f"{scheme}://{place}"

    def _given(self) -> Iterable[tuple[str, object]]:
        """Yield the options that are not left to their defaults, in the order of the text."""
        usual = SerialSettings(_line_framing(self.framing), parity=self.parity)
        for name in _LINE_OPTIONS:
            value = getattr(self, name)
            if value != ("E" if name == "parity" else getattr(usual, name)):
                yield name, value
        for name in ("unit", "timeout", "retries"):
            value = getattr(self, name)
            if value is not None:
                yield name, value
        for name in MORE_OPTIONS:
            if name in self._more:
                yield name, self._more[name]

    def __repr__(self) -> str:
        return f"Endpoint.parse({str(self)!r})"

    def _values(self) -> tuple[object, ...]:
        # The text leaves out only defaults, so equal texts mean equal endpoints.
        return (str(self),)


def network_name(transport: str, framing: type[Framing], host: str, port: int) -> str:
    """Return the name of a peer for errors and logs, such as "rtu+tcp://192.0.2.1:502".

    Raises ValueError unless `host` is a name or an address and `port` is 1..65535, TypeError
    unless `framing` is a subclass of Framing.
    """
    _checked_host(host)
    check_range("port", port, 1, 65535)
    place = f"[{host}]" if ":" in host else host
    return f"{_scheme(transport, framing)}://{place}:{port}"


def path_name(transport: str, framing: type[Framing], path: str) -> str:
    """Return the name of a peer at `path`: "unix:///run/a.sock". Raises like `network_name`."""
    return f"{_scheme(transport, framing)}://{_checked_text(path)}"


def _scheme(transport: str, framing: type[Framing]) -> str:
    Framing.check_class(framing)
    if transport == "serial":
        return framing.name
    return transport if framing.name == "tcp" else f"{framing.name}+{transport}"


def _line_framing(name: FramingName) -> type[Framing]:
    """Return the framing that determines the default serial settings: RTU for MBAP endpoints."""
    return RtuFraming if name == "tcp" else FRAMINGS[name]


def _checked_text(path: str) -> str:
    if not isinstance(path, str):
        raise ValueError(f"path must be text, got {path!r}")
    return path


def _parse(text: str) -> Endpoint:
    scheme, separator, rest = text.partition("://")
    if not separator:
        raise ValueError(
            "must start with a scheme, such as tcp://192.0.2.1:502, rtu://COM3 or rtu:///dev/ttyUSB0"
        )
    if scheme.lower() in _PORT_URLS:
        raise ValueError(f"a serial port's URL follows the framing, as in rtu://{text}")
    if scheme.lower() not in _SCHEMES:
        raise ValueError(f"scheme must be {one_of(_SCHEMES, scheme.lower(), scheme)}")
    if "#" in rest:
        raise ValueError("'#' must be written %23, an endpoint has no fragment")
    transport, framing = _SCHEMES[scheme.lower()]
    place, _, query = rest.partition("?")
    options = _parse_options(query, options_of(transport, FRAMINGS[framing]))
    has_path = transport in ("unix", "serial")
    host, port = ("", None) if has_path else _parse_address(place)
    return Endpoint(
        transport,
        framing,
        host=host,
        port=port,
        path=unquoted(place) if has_path else "",
        **options,
    )


def _parse_options(query: str, allowed: list[str]) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for item in query.split("&") if query else ():
        name, equals, value = item.partition("=")
        if name not in OPTIONS:
            raise ValueError(f"option must be {one_of(allowed, name, name)}")
        if not equals or not value:
            raise ValueError(f"option {name} must have a value, as in {name}=...")
        if name in options:
            raise ValueError(f"option {name} must be given once")
        options[name] = option_value(name, unquoted(value))
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


def _checked_host(host: str) -> str:
    if not isinstance(host, str) or not host:
        raise ValueError(f"host must be a name or an address, got {repr(host) if host else 'none'}")
    if "://" in host or host.count(":") == 1:
        hint = "and no endpoint" if "://" in host else "without a port"
        raise ValueError(f"host must be a name or an address, {hint}, got {host!r}")
    if ":" in host:
        from ipaddress import IPv6Address  # here, because importing it takes milliseconds

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
    if not _checked_text(path):
        raise ValueError(f"path is missing, write it as in {example}")
    if transport == "serial" and path[:4].upper() == "/COM" and path[4:].isdigit():
        raise ValueError(f"path must be the name of a port: rtu:/{path}, with two slashes")
    if "\0" in path:
        raise ValueError(f"path must be without NUL characters, got {path!r}")
    named = transport == "serial" and ("/" not in path or "://" in path)
    if path[0] != "/" and not named:
        other = ", or a port's name, as in rtu://COM3" if transport == "serial" else ""
        raise ValueError(f"path must be absolute, as in {example}{other}; got {path!r}")
    try:
        # In a name that is not UTF-8, os.fsdecode() makes surrogates of the bytes.
        return path.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise ValueError(f"path must be text or os.fsdecode() bytes, got {path!r}") from None
