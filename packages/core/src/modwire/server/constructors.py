"""Constructors of the servers of every package that has them: arguments, defaults and checks.

A package's `TcpServer` inherits from `TcpServerBase`, which knows what it was told, and from the
package's own server, which listens, serves and ends. Functions such as `serve_tcp` take the same
arguments.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..arguments import explained
from ..endpoint import path_name
from ..errors import ConnectionLostError
from ..framing.base import Framing
from ..framing.rtu import RtuFraming
from ..framing.tcp import TcpFraming
from ..options import check_count, check_flag, check_range
from ..serial_settings import SERIAL_TOLERANCE, SerialSettings
from ..units.units import Units
from .connection import Connection, Connections
from .datagrams import DatagramServer
from .life import ServerBase
from .line import LineServer
from .options import STREAM_SERVER_TOLERANCE, merged_server_options
from .peers import AllowedNetworks, Listening
from .protocol import ServerProtocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from ..serial_settings import Rs485Settings
    from .options import Authorize, OnCall, ServerOptions
    from .peers import Address, HostPort, Network


def check_server(units: Units, framing: type[Framing], workers: int) -> None:
    """Raise TypeError or ValueError for what no server can be made of."""
    if not isinstance(units, Units):
        raise TypeError(
            f"units must be Units, such as Units.single(unit), got {type(units).__name__}"
        )
    check_count("workers", workers)
    Framing.check_class(framing)


def _check_path(path: str) -> None:
    """Raise ValueError for an IP address or an endpoint, which would be the name of a file."""
    _, colon, port = path.rpartition(":")
    is_host = "/" not in path and (port.isdecimal() if colon else path.replace(".", "").isdecimal())
    if is_host or "://" in path:
        raise ValueError(
            'address must be (host, port), such as ("127.0.0.1", 502), or the path of a Unix '
            f"socket, got {path!r}"
        )


class NetworkServerBase(ServerBase):
    """The base of the servers with peers that have addresses."""

    _allow: AllowedNetworks

    @property
    def allow(self) -> AllowedNetworks:
        """The networks that peers may come from; they may be changed while it serves."""
        return self._allow


class TcpServerBase(NetworkServerBase):
    """The constructor of a server on TCP or on a Unix socket; see `__init__`."""

    accepts_at_once = 8
    """Connections accepted in a round, which take 0.1 ms each: a flood delays nobody by more."""

    _address: HostPort | str
    _kind_of_connections: type[Connections[Any]] = Connections

    @explained
    def __init__(
        self,
        units: Units,
        address: Address = ("127.0.0.1", 502),
        *,
        framing: type[Framing] = TcpFraming,
        max_connections: int = 1000,
        idle_timeout: float | None = None,
        allow: AllowedNetworks | Iterable[Network] | None = None,
        authorize: Authorize | None = None,
        on_call: OnCall | None = None,
        options: ServerOptions | None = None,
        backlog: int = 512,
        reuse_port: bool = False,
        workers: int = 8,
    ) -> None:
        """Make a server for `units` that listens at once.

        `address` is `(host, port)`, or the path of a Unix socket. The host "" is all IPv4 and
        IPv6 addresses of this machine, "0.0.0.0" and "::" those of one kind; a name is every
        address that it has. With port 0 the system chooses one: see `address`.

        - `framing`: `TcpFraming`, or another one for serial frames in a TCP stream. There silence
          ends an RTU frame after half a second, whatever the `options` say.
        - `max_connections`: one more closes the one that was idle longest (MODBUS Messaging on
          TCP/IP V1.0b, section 4.2.1.2), and one that has not asked anything yet if these are
          more than half; if all wait for their units, the new one is closed. The same happens if
          the process may open no more files.
        - `idle_timeout`: seconds without a whole request after which a connection is closed.
        - `allow`: networks such as "192.168.0.0/16" or "::1"; others are closed when they connect.
          They may be changed while it serves; see `AllowedNetworks`. The permissions of its
          directory decide who may use a Unix socket.
        - `authorize`, `on_call`: see `ServerOptions`. All four of these win over `options`. If
          `authorize` fails the request gets exception 04; a failure of `on_call` is logged.
        - `backlog`: how many connections the system keeps until they are accepted, 0..2147483647.
        - `reuse_port`: let several processes listen at one port, if the system can.
        - `workers`: how many calls to units that block are executed at once; others wait, and are
          dropped if their peer disconnects meanwhile. As many more threads are for units of which
          no call is executed, so that a unit that hangs starves no other one.

        Hooks see a peer as `(host, port)`, or the path of the Unix socket. Raises OSError if it
        cannot listen, ValueError and TypeError for wrong arguments.
        """
        check_server(units, framing, workers)
        if isinstance(address, str):
            _check_path(address)
        check_count("max_connections", max_connections)
        check_range("backlog", backlog, 0, 0x7FFF_FFFF)
        check_flag("reuse_port", reuse_port)
        self._allow = AllowedNetworks.of(allow)
        merged = merged_server_options(
            options,
            is_connected=True,
            idle_timeout=idle_timeout,
            authorize=authorize,
            on_call=on_call,
            on_error=self.log_error,
            tolerance=STREAM_SERVER_TOLERANCE,
        )
        self._set_up(units, framing, merged, workers)
        self._connections = self._kind_of_connections(max_connections)
        self._bind_or_close(Listening(address, reuse_port, backlog, self._allow))

    def _close_listeners(self) -> None:
        """Close what listens; may be called again."""
        raise NotImplementedError(f"{type(self).__name__} must define _close_listeners()")

    def _stop_taking(self) -> None:
        """Take no more requests; connections close when what they execute is answered."""
        self._close_listeners()
        self._connections.stop()

    def _close_links(self) -> None:
        """Close all at once."""
        self._close_listeners()
        self._connections.close()

    def _connect(self, peer: object, now: float) -> Connection:
        """Return the connection of a peer that was let in."""
        connection = self._new_connection(
            ServerProtocol(self.framing, self.options, peer=peer), now
        )
        self._logger.debug("%s is open", connection)
        return connection

    def _new_connection(self, protocol: ServerProtocol, now: float) -> Connection:
        return Connection(protocol, self.units, now, self._allow)

    @property
    def address(self) -> HostPort | str:
        """The host and the real port at which it listens, or the path."""
        return self._address


class UdpServerBase(NetworkServerBase):
    """The constructor of a server on UDP; see `__init__`."""

    _address: HostPort

    @explained
    def __init__(
        self,
        units: Units,
        address: tuple[str, int] = ("127.0.0.1", 502),
        *,
        framing: type[Framing] = TcpFraming,
        max_calls: int = 64,
        allow: AllowedNetworks | Iterable[Network] | None = None,
        authorize: Authorize | None = None,
        on_call: OnCall | None = None,
        options: ServerOptions | None = None,
        reuse_port: bool = False,
        workers: int = 8,
    ) -> None:
        """Make a server for `units` on UDP that receives at once.

        The arguments are those of `TcpServer`, as far as they have a meaning here. An incomplete
        frame in a datagram is dropped; several requests in one get an answer each, in a datagram
        of its own.

        - `max_calls`: how many calls to units that block may be open at once; more get exception
          06, server device busy (MODBUS Messaging on TCP/IP V1.0b, section 4.4.1.2). Those that
          wait in the queue of a `Gateway` do not count. Answers come in any order.
        """
        check_server(units, framing, workers)
        if isinstance(address, str):
            raise ValueError(f"address must be (host, port) for UDP, got {address!r}")
        check_count("max_calls", max_calls)
        check_flag("reuse_port", reuse_port)
        self._allow = AllowedNetworks.of(allow)
        merged = merged_server_options(
            options, authorize=authorize, on_call=on_call, on_error=self.log_error
        )
        self._set_up(units, framing, merged, workers)
        self._core = DatagramServer(
            framing,
            merged,
            units,
            max_calls=max_calls,
            allowed=self._allow,
            on_drop=self._log_datagram,
        )
        self._bind_or_close(Listening(address, reuse_port))

    @property
    def address(self) -> HostPort:
        """The host and the real port at which it listens."""
        return self._address


class SerialServerBase(ServerBase):
    """The constructor of a server on a serial line; see `__init__`."""

    _has_spare_workers = False  # one worker keeps the order of the calls

    @explained
    def __init__(
        self,
        units: Units,
        port: str,
        *,
        framing: type[Framing] = RtuFraming,
        baudrate: int = 19200,
        bytesize: int | None = None,
        parity: str = "E",
        stopbits: int | None = None,
        suppress_echo: bool = False,
        authorize: Authorize | None = None,
        on_call: OnCall | None = None,
        options: ServerOptions | None = None,
        rs485: Rs485Settings | bool | None = None,
        exclusive: bool = True,
        workers: int = 1,
    ) -> None:
        """Make a server for `units` on a serial line: RTU, ASCII or Binary.

        - `port`: a device such as "/dev/ttyUSB0" or "COM3", or a pyserial URL. It is opened when
          the serving is started, which raises OSError if it cannot be.
        - `baudrate`, `bytesize` (8, and 7 for ASCII), `parity` "N", "E" or "O", `stopbits` (1,
          and 2 without parity) have the defaults of MODBUS over Serial Line V1.02, section 2.5.
        - `suppress_echo`: drop what an RS-485 adapter receives of its own sending.
        - `authorize`, `on_call`: see `TcpServer`; the peer that they see is `port`.
        - `options`: its `silence` and `tolerance` are raised to what the line needs.
        - `rs485`: switch the driver's RS-485 mode on: True, or pyserial's `RS485Settings`.
        - `exclusive`: keep other programs from opening the port.
        - `workers`: how many calls to units that block, and broadcasts, are executed at once. With
          more than one, a broadcast does not wait for what was asked before it.

        An answer is sent after 3.5 characters of silence. A unit that blocks is waited for while
        the line is listened to. If another request is heard meanwhile, the client has given up:
        the answer is dropped, for it would collide on the line. Such a request to a unit that
        blocks gets exception 06, server device busy.

        If the port goes away, `serve_forever` raises `ConnectionLostError`.
        """
        check_server(units, framing, workers)
        settings = SerialSettings(
            framing, baudrate=baudrate, bytesize=bytesize, parity=parity, stopbits=stopbits
        )
        merged = merged_server_options(
            options,
            authorize=authorize,
            on_call=on_call,
            on_error=self.log_error,
            suppress_echo=suppress_echo,
            silence=settings.silence,
            tolerance=SERIAL_TOLERANCE,
        )
        path_name("serial", framing, port)  # which raises for a port that is no text
        self._address = port
        self._settings = settings
        self._rs485 = rs485
        self._exclusive = check_flag("exclusive", exclusive)
        self._set_up(units, framing, merged, workers)

    @property
    def address(self) -> str:
        """The port, as it was given."""
        return self._address

    def _new_line(self, count_overruns: Callable[[], int | None]) -> LineServer:
        """Return the server on its line, whose port was just opened."""
        return LineServer(
            self.framing,
            self.options,
            self.units,
            peer=self._address,
            on_drop=self._log_drop,
            count_overruns=count_overruns,
        )

    def _lost(self, reason: object) -> ConnectionLostError:
        """Return the error that ends the server when its port is lost."""
        if isinstance(reason, ConnectionLostError):
            return reason
        return ConnectionLostError(f"the serial port {self._address} is lost: {reason}")

    def _log_stuck(self) -> None:
        self._logger.error("%s takes no more bytes: an answer is lost", self._address)
