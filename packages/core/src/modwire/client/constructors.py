"""Constructors of the clients of every package: their arguments, defaults and checks.

A package's `TcpClient` inherits from `TcpClientBase`, which checks and keeps the arguments, and
from the package's own client, which opens, sends, receives and waits. `client_for` chooses the
class for an `Endpoint`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from ..arguments import check_arguments, explained, keyword_defaults
from ..calls import BlockingCalls
from ..calls.handles import BlockingUnitCalls
from ..endpoint import Endpoint, network_name, path_name
from ..errors import ConnectionLostError
from ..framing import FRAMINGS
from ..framing.rtu import RtuFraming
from ..framing.tcp import TcpFraming
from ..options import check_flag, check_range, check_timeout, uses
from ..serial_settings import SerialSettings
from .options import ClientOptions, network_client_options, serial_client_options

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from typing_extensions import Self, Unpack

    from ..endpoint_options import ConnectOptions
    from ..framing.base import Framing
    from ..messages.base import AnyRequest
    from ..serial_settings import Rs485Settings
    from .options import MoreOptions, NetworkOptions
    from .turns import Turns

ClientT = TypeVar("ClientT")
StreamT = TypeVar("StreamT")


class ClientBase:
    """Base of the clients of every package; their constructors end with `_set_up`.

    The link is opened on entering `with` or by the first call, and after a loss by the next call.
    From the second failed attempt in a row there is a back-off, 0.1 s to 5 s: a call waits for its
    end if its timeout allows, otherwise it raises `ConnectionLostError` at once. A connection that
    the server closed while idle is opened anew before anything is sent. If the loss shows only
    because no answer comes, a request that writes nothing is sent again, once.
    """

    name: str
    """Name of the peer in errors and logs."""
    _turns: Turns[Any, Any]

    def _set_up(self, name: str, framing: type[Framing], options: ClientOptions) -> None:
        """Make the client ready for use; the link is opened later."""
        raise NotImplementedError(f"{type(self).__name__} must define _set_up()")

    @property
    def options(self) -> ClientOptions:
        """Options in effect: unit, response timeout, retries and so on."""
        return self._turns.options

    @property
    def broadcasts_zero(self) -> bool:
        """True if requests to unit 0 are broadcasts, which no device answers (Serial Line, 2.1)."""
        return self._turns.protocol.broadcasts_zero

    @property
    def is_open(self) -> bool:
        """True while a link is open; the loss of a link may show only in the next call."""
        return self._turns.link is not None

    def _named(
        self, error: ConnectionLostError, unit: int | None, request: AnyRequest
    ) -> ConnectionLostError:
        """Return the error of a link that could not be opened, naming the call that needs it."""
        return error.about(self.name, self.options.unit if unit is None else unit, request)

    def _check_more(self, more: Mapping[str, object], *bases: type[ClientBase]) -> None:
        """Raise TypeError for an argument that neither constructors of `bases` nor options have."""
        named = [name for base in bases for name in keyword_defaults(base.__init__)]
        # These two have a name of their own in the constructor, or only networks have them.
        others = {*keyword_defaults(ClientOptions.__init__)} - {"response_timeout", "max_in_flight"}
        allowed = dict.fromkeys([*named, *sorted(others)])
        check_arguments(type(self).__name__, more, allowed, uses())

    def __repr__(self) -> str:
        state = "open" if self.is_open else "closed"
        return f"<{type(self).__name__} {self.name}, {state}>"


class BlockingClientBase(ClientBase, BlockingCalls):
    """Base of the clients whose calls block a thread or a greenlet.

    The link is opened by `connect`, on entering `with` or by the first call, and after a loss by
    the next call. From the second failed attempt in a row there is a back-off, 0.1 s to 5 s: a
    call waits for its end if its timeout allows, otherwise it raises `ConnectionLostError` at
    once. A connection that the server closed while idle is opened anew before anything is sent. If
    the loss shows only because no answer comes, a request that writes nothing is sent again, once.
    """

    def __init__(self, name: str, framing: type[Framing], options: ClientOptions) -> None:
        """Make a client with `framing` and `options`; a subclass opens the link."""
        self._set_up(name, framing, options)

    def _open(self, unit: int | None, timeout: float | None) -> None:
        """Open the link for a call. Raises `ConnectionLostError` if that fails."""
        raise NotImplementedError(f"{type(self).__name__} must define _open()")

    def _open_for(self, request: AnyRequest, unit: int | None, timeout: float | None) -> None:
        """Open the link for a call, which its error names."""
        try:
            self._open(unit, timeout)
        except ConnectionLostError as error:
            raise self._named(error, unit, request) from error.__cause__

    def connect(self) -> None:
        """Open the link unless it is open. Raises `ConnectionLostError` if that fails."""
        if not self.is_open:
            self._open(None, None)

    def close(self) -> None:
        """Close the link. Calls under way raise `ConnectionLostError`; the next one reopens it."""
        raise NotImplementedError

    @explained
    def unit(self, unit: int, *, timeout: float | None = None) -> BlockingUnitCalls:
        """Return the calls to the unit with the id `unit`, 0..255, which share this link.

        `timeout` is theirs, in seconds; None stands for the client's. Raises ValueError for
        numbers out of range.
        """
        return BlockingUnitCalls(self, unit, timeout=timeout)

    def __enter__(self) -> Self:
        self.connect()
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def check_source_address(address: tuple[str, int] | None) -> tuple[str, int] | None:
    """Return an address to connect from; raise ValueError unless it is (host, port) or None."""
    match address:
        case None:
            return None
        case (str() as host, port):
            return host, check_range("the port of source_address", port, 0, 0xFFFF)
        case _:
            raise ValueError(f"source_address must be (host, port) or None, got {address!r}")


class TcpClientBase(ClientBase):
    """Base of the clients over TCP; see `__init__` for the arguments."""

    _transport = "tcp"

    @explained
    def __init__(
        self,
        host: str,
        port: int = 502,
        *,
        framing: type[Framing] = TcpFraming,
        unit: int = 1,
        timeout: float = 1.0,
        retries: int = 0,
        max_in_flight: int = 1,
        options: ClientOptions | None = None,
        connect_timeout: float = 3.0,
        source_address: tuple[str, int] | None = None,
        keepalive: bool = True,
        **more: Unpack[NetworkOptions],
    ) -> None:
        """Make a client over TCP, with MBAP frames or, for serial gateways, those of `framing`.

        - `host`: a name, an IPv4 or an IPv6 address. All addresses of a name are tried.
        - `port`: 1..65535.
        - `unit`: the default unit of calls, 0..255; with MBAP, 255 and 0 address the server itself
          (Messaging on TCP/IP, 4.4.1).
        - `timeout`: seconds to wait for an answer. `retries`: how many times a read is repeated.
        - `max_in_flight`, 1..16: maximum number of open requests, if several callers share the
          client; many servers accept only one.
        - `more`: the other options of `ClientOptions`, such as `pause=0.1`.
        - `options`: in place of `unit`, `timeout`, `retries`, `max_in_flight` and `more`.
        - `connect_timeout`: seconds for the look-up of a name and the connection, in all.
        - `source_address`: the (host, port) to connect from.
        - `keepalive`: let the operating system probe a silent connection, and drop it if sent
          bytes are not acknowledged for 30 seconds.

        Raises ValueError for arguments out of range, TypeError unless `framing` is a subclass of
        Framing. The link is not opened before it is needed.
        """
        self._check_more(more, TcpClientBase)
        self._address = (host, port)
        self._connect_timeout = check_timeout(connect_timeout, "connect_timeout")
        self._source_address = check_source_address(source_address)
        self._keepalive = check_flag("keepalive", keepalive)
        options = network_client_options(
            unit=unit,
            timeout=timeout,
            retries=retries,
            max_in_flight=max_in_flight,
            options=options,
            framing=framing,
            transport=self._transport,
            **more,
        )
        self._set_up(network_name(self._transport, framing, host, port), framing, options)


class UnixClientBase(ClientBase):
    """Base of the clients over a Unix stream socket; see `__init__` for the arguments."""

    @explained
    def __init__(
        self,
        path: str,
        *,
        framing: type[Framing] = TcpFraming,
        unit: int = 1,
        timeout: float = 1.0,
        retries: int = 0,
        max_in_flight: int = 1,
        options: ClientOptions | None = None,
        connect_timeout: float = 3.0,
        **more: Unpack[NetworkOptions],
    ) -> None:
        """Make a client of the server at `path`; the other arguments are those of `TcpClient`."""
        self._check_more(more, UnixClientBase)
        self._path = path
        self._connect_timeout = check_timeout(connect_timeout, "connect_timeout")
        options = network_client_options(
            unit=unit,
            timeout=timeout,
            retries=retries,
            max_in_flight=max_in_flight,
            options=options,
            framing=framing,
            transport="unix",
            **more,
        )
        self._set_up(path_name("unix", framing, path), framing, options)


class UdpClientBase(ClientBase):
    """Base of the clients over UDP; see `__init__` for the arguments."""

    @explained
    def __init__(
        self,
        host: str,
        port: int = 502,
        *,
        framing: type[Framing] = TcpFraming,
        unit: int = 1,
        timeout: float = 1.0,
        retries: int = 0,
        max_in_flight: int = 1,
        options: ClientOptions | None = None,
        source_address: tuple[str, int] | None = None,
        **more: Unpack[NetworkOptions],
    ) -> None:
        """Make a client over UDP, one frame in a datagram; arguments as for `TcpClient`.

        Datagrams can get lost, so set `retries`. Only datagrams from the server's address are
        received; if `host` is a name, its first address is used.
        """
        self._check_more(more, UdpClientBase)
        self._address = (host, port)
        self._source_address = check_source_address(source_address)
        options = network_client_options(
            unit=unit,
            timeout=timeout,
            retries=retries,
            max_in_flight=max_in_flight,
            options=options,
            framing=framing,
            transport="udp",
            **more,
        )
        self._set_up(network_name("udp", framing, host, port), framing, options)


class SerialClientBase(ClientBase):
    """Base of the clients on a serial line; see `__init__` for the arguments."""

    @explained
    def __init__(
        self,
        port: str,
        *,
        framing: type[Framing] = RtuFraming,
        baudrate: int = 19200,
        bytesize: int | None = None,
        parity: str = "E",
        stopbits: int | None = None,
        unit: int = 1,
        timeout: float | None = None,
        retries: int = 0,
        suppress_echo: bool = False,
        options: ClientOptions | None = None,
        rs485: Rs485Settings | bool | None = None,
        exclusive: bool = True,
        **more: Unpack[MoreOptions],
    ) -> None:
        """Make a client on a serial line, with RTU, ASCII or Binary framing.

        - `port`: a device such as "/dev/ttyUSB0" or "COM3", or a pyserial URL.
        - `baudrate`, `bytesize` (8, and 7 for ASCII), `parity` "N", "E" or "O", `stopbits` (1,
          and 2 without parity) have the defaults of MODBUS over Serial Line V1.02, section 2.5.
        - `unit`: the default unit of calls, 1..255; unit 0 is a broadcast.
        - `timeout`: seconds from the last bit of the request to the last bit of the answer; by
          default 1 second plus the time of 256 characters at this `baudrate`.
        - `retries`: how many times a read is repeated.
        - `suppress_echo`: discard the echo that an RS-485 adapter receives of its own bytes.
        - `more`: the other options of `ClientOptions`, such as `pause=0.1`. `silence` and
          `tolerance` are raised to the minimum for the line.
        - `options`: in place of `unit`, `timeout`, `retries`, `suppress_echo` and `more`.
        - `rs485`: switch the driver's RS-485 mode on: True, or pyserial's `RS485Settings`.
        - `exclusive`: keep other programs from opening the port.

        Raises ValueError for arguments out of range, TypeError unless `framing` is a subclass of
        Framing. The link is not opened before it is needed.
        """
        self._check_more(more, SerialClientBase)
        settings = SerialSettings(
            framing, baudrate=baudrate, bytesize=bytesize, parity=parity, stopbits=stopbits
        )
        options = serial_client_options(
            settings,
            unit=unit,
            timeout=timeout,
            retries=retries,
            suppress_echo=suppress_echo,
            options=options,
            **more,
        )
        self._port = port
        self._settings = settings
        self._rs485 = rs485
        self._exclusive = check_flag("exclusive", exclusive)
        self._set_up(path_name("serial", framing, port), framing, options)


def client_for(
    endpoint: str | Endpoint,
    tcp: Callable[..., ClientT],
    udp: Callable[..., ClientT],
    unix: Callable[..., ClientT],
    serial: Callable[..., ClientT],
    tls: Callable[..., ClientT],
    options: ConnectOptions,
) -> ClientT:
    """Return a client for `endpoint`, made by the class for its transport.

    `options` are in place of those that the endpoint has: `connect("tcp://192.0.2.1", timeout=2)`.
    Raises ValueError for an invalid endpoint text, and for certificates that
    cannot be used; TypeError if `endpoint` is neither a text nor an Endpoint.
    """
    if isinstance(endpoint, str):
        endpoint = Endpoint.parse(endpoint)
    elif not isinstance(endpoint, Endpoint):
        raise TypeError(f"endpoint must be a text or an Endpoint, got {endpoint!r}")
    if options:
        endpoint = endpoint.replace(**options)
    arguments: dict[str, object] = {
        "framing": FRAMINGS[endpoint.framing],
        "unit": 1 if endpoint.unit is None else endpoint.unit,
        "retries": endpoint.retries or 0,
        **endpoint.options,
    }
    if endpoint.timeout is not None:
        arguments["timeout"] = endpoint.timeout
    if endpoint.transport == "serial":
        return serial(
            endpoint.path,
            baudrate=endpoint.baudrate,
            bytesize=endpoint.bytesize,
            parity=endpoint.parity,
            stopbits=endpoint.stopbits,
            **arguments,
        )
    if endpoint.transport == "unix":
        return unix(endpoint.path, **arguments)
    network = {"udp": udp, "tls": tls}.get(endpoint.transport, tcp)
    return network(endpoint.host, endpoint.port, **arguments)
