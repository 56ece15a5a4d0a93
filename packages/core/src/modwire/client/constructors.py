"""Constructors of the clients of every package: their arguments, defaults and checks.

A package's `TcpClient` inherits from `TcpClientBase`, which knows what it was told, and from the
package's own client, which knows how to open, send, receive and wait. `client_for` chooses among
them for an `Endpoint`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from ..endpoint import Endpoint, network_name, path_name
from ..framing import FRAMINGS
from ..framing.rtu import RtuFraming
from ..framing.tcp import TcpFraming
from ..options import check_timeout
from ..serial_settings import SerialSettings
from .options import network_client_options, serial_client_options

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any

    from typing_extensions import Self

    from ..framing.base import Framing
    from ..serial_settings import Rs485Settings
    from .options import ClientOptions
    from .turns import Turns

ClientT = TypeVar("ClientT")


class ClientBase:
    """A client of any package; constructors end in `_set_up`.

    The link is opened on entering `with`, or by the first call; when it is lost, by the next call.
    After the second failure in a row to open it there are pauses, 0.1 s to 5 s: a call that has
    time enough waits until one is over, others raise `ConnectionLostError` at once. A connection
    that the server closed while it was idle is opened anew before anything is sent; if it only
    turns out when the answer does not come, a request that writes nothing is sent again, once.
    """

    name: str
    """Name of the peer in errors and logs."""
    _turns: Turns[Any, Any]

    def _set_up(self, name: str, framing: type[Framing], options: ClientOptions) -> None:
        """Make the client ready for use; the link is opened later."""
        raise NotImplementedError(f"{type(self).__name__} must define _set_up()")

    @property
    def options(self) -> ClientOptions:
        """The options in effect: unit, response timeout, retries and so on."""
        return self._turns.options

    @property
    def is_open(self) -> bool:
        """True while there is a link, as far as is known; the next call notices a lost one."""
        return self._turns.link is not None

    def __repr__(self) -> str:
        state = "open" if self.is_open else "closed"
        return f"<{type(self).__name__} {self.name}, {state}>"


class BlockingClientBase(ClientBase):
    """A client whose calls wait, in a thread or a greenlet.

    The link is opened by `connect`, on entering `with`, or by the first call; when it is lost, by
    the next call. After the second failure in a row to open it there are pauses, 0.1 s to 5 s: a
    call that has time enough waits until one is over, others raise `ConnectionLostError` at once.
    A connection that the server closed while it was idle is opened anew before anything is sent;
    if it only turns out when the answer does not come, a request that writes nothing is sent
    again, once.
    """

    def __init__(self, name: str, framing: type[Framing], options: ClientOptions) -> None:
        """Make a client for `framing` with these `options`; a subclass opens the link."""
        self._set_up(name, framing, options)

    def _open(self, unit: int | None, timeout: float | None) -> None:
        """Open the link for a call; raises `ConnectionLostError` if that fails."""
        raise NotImplementedError(f"{type(self).__name__} must define _open()")

    def connect(self) -> None:
        """Open the link unless it is open; raises `ConnectionLostError` if that fails."""
        if not self.is_open:
            self._open(None, None)

    def close(self) -> None:
        """Close the link; calls that wait raise `ConnectionLostError`, later ones open it anew."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        self.connect()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class TcpClientBase(ClientBase):
    """The constructor of a client over TCP; see `__init__`."""

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
    ) -> None:
        """Make a client over TCP, with MBAP frames or, for serial gateways, those of `framing`.

        - `host`: a name, an IPv4 or an IPv6 address. All addresses of a name are tried.
        - `port`: 1..65535.
        - `unit`: the unit to ask if a call names none, 0..255; on MBAP, 255 and 0 stand for the
          server itself (Messaging on TCP/IP, 4.4.1).
        - `timeout`: seconds that an answer may take. `retries`: how often a read is sent again.
        - `max_in_flight`, 1..16: requests under way at once if several callers share the client;
          many servers take only one.
        - `options`: in place of `unit`, `timeout`, `retries` and `max_in_flight`; has the rest.
        - `connect_timeout`: seconds that connecting may take.
        - `source_address`: the (host, port) to connect from.
        - `keepalive`: let the operating system probe a silent connection.

        Raises ValueError for arguments out of range, TypeError if `framing` is no framing class.
        Nothing is opened before it is needed.
        """
        self._address = (host, port)
        self._connect_timeout = check_timeout(connect_timeout, "connect_timeout")
        self._source_address = source_address
        self._keepalive = keepalive
        options = network_client_options(
            unit=unit,
            timeout=timeout,
            retries=retries,
            max_in_flight=max_in_flight,
            options=options,
            framing=framing,
        )
        self._set_up(network_name("tcp", framing, host, port), framing, options)


class UnixClientBase(ClientBase):
    """The constructor of a client over a Unix stream socket; see `__init__`."""

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
    ) -> None:
        """Make a client of the server at `path`; the other arguments are those of `TcpClient`."""
        self._path = path
        self._connect_timeout = check_timeout(connect_timeout, "connect_timeout")
        options = network_client_options(
            unit=unit,
            timeout=timeout,
            retries=retries,
            max_in_flight=max_in_flight,
            options=options,
            framing=framing,
        )
        self._set_up(path_name("unix", framing, path), framing, options)


class UdpClientBase(ClientBase):
    """The constructor of a client over UDP; see `__init__`."""

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
    ) -> None:
        """Make a client over UDP, one frame in a datagram; arguments as for `TcpClient`.

        Datagrams get lost: give it `retries`. Only datagrams from the server's address are
        received; if `host` is a name, its first address is used.
        """
        self._address = (host, port)
        self._source_address = source_address
        options = network_client_options(
            unit=unit,
            timeout=timeout,
            retries=retries,
            max_in_flight=max_in_flight,
            options=options,
            framing=framing,
        )
        self._set_up(network_name("udp", framing, host, port), framing, options)


class SerialClientBase(ClientBase):
    """The constructor of a client on a serial line; see `__init__`."""

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
    ) -> None:
        """Make a client on a serial line, with RTU, ASCII or Binary framing.

        - `port`: a device such as "/dev/ttyUSB0" or "COM3", or a pyserial URL.
        - `baudrate`, `bytesize` (8, and 7 for ASCII), `parity` "N", "E" or "O", `stopbits` (1,
          and 2 without parity) have the defaults of MODBUS over Serial Line V1.02, section 2.5.
        - `unit`: the unit to ask if a call names none, 1..247; unit 0 is a broadcast.
        - `timeout`: seconds from the last bit of the request to that of the answer; by default
          1 second and the time that 256 characters take at this `baudrate`.
        - `retries`: how often a read is sent again.
        - `suppress_echo`: drop what an RS-485 adapter receives of its own sending.
        - `options`: in place of `unit`, `timeout`, `retries` and `suppress_echo`; has the rest.
          Its `silence` and `tolerance` are raised to what the line needs.
        - `rs485`: switch the driver's RS-485 mode on: True, or pyserial's `RS485Settings`.
        - `exclusive`: keep other programs from opening the port.

        Raises ValueError for arguments out of range, TypeError if `framing` is no framing class.
        Nothing is opened before it is needed.
        """
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
        )
        self._port = port
        self._settings = settings
        self._rs485 = rs485
        self._exclusive = exclusive
        self._set_up(path_name("serial", framing, port), framing, options)


def client_for(
    endpoint: str | Endpoint,
    tcp: Callable[..., ClientT],
    udp: Callable[..., ClientT],
    unix: Callable[..., ClientT],
    serial: Callable[..., ClientT],
) -> ClientT:
    """Return the client for `endpoint`, made by that one of the four classes that fits.

    Raises ValueError for a text that is no endpoint, and for tls, which this version does not
    speak; TypeError for another object.
    """
    if isinstance(endpoint, str):
        endpoint = Endpoint.parse(endpoint)
    elif not isinstance(endpoint, Endpoint):
        raise TypeError(f"endpoint must be a text or an Endpoint, got {endpoint!r}")
    arguments: dict[str, object] = {
        "framing": FRAMINGS[endpoint.framing],
        "unit": 1 if endpoint.unit is None else endpoint.unit,
        "retries": endpoint.retries or 0,
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
    if endpoint.transport == "tls":
        raise ValueError(f"endpoint {str(endpoint)!r}: TLS is not supported by this version")
    network = udp if endpoint.transport == "udp" else tcp
    return network(endpoint.host, endpoint.port, **arguments)
