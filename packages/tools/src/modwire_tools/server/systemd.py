"""Services of systemd: sockets that it passes, and the message that a service is ready.

systemd listens at the ports of a unit and passes the sockets with the environment variables
LISTEN_PID and LISTEN_FDS, see sd_listen_fds(3); so a service without rights gets port 502. It waits
for READY=1 of a service with Type=notify, see sd_notify(3).
"""

from __future__ import annotations

import os
import socket
from collections.abc import MutableMapping, Sequence
from contextlib import suppress
from ipaddress import ip_address
from typing import TYPE_CHECKING

from modwire_sync.sockets import address_of

if TYPE_CHECKING:
    from modwire import Endpoint

FIRST_DESCRIPTOR = 3
_NAMES = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")
_ANY = ("", "0.0.0.0", "::")


class InheritedSockets:
    """The listening sockets that this process has got from its parent process.

    Each is served at the endpoint that names its port, or its path.
    """

    def __init__(self, sockets: Sequence[socket.socket] = ()) -> None:
        self._sockets = list(sockets)
        self._left = list(sockets)
        self._transports: dict[socket.socket, str] = {}  # of the endpoints that have taken them

    @classmethod
    def from_environment(
        cls, environment: MutableMapping[str, str] | None = None, first: int = FIRST_DESCRIPTOR
    ) -> InheritedSockets:
        """Return the sockets that the environment names, and remove their variables from it.

        Raises OSError if a descriptor is no socket that listens.
        """
        environment = os.environ if environment is None else environment
        pid, count = environment.get("LISTEN_PID", ""), environment.get("LISTEN_FDS", "")
        # The variables are for one process: others may have got its environment.
        if not (pid.isdecimal() and count.isdecimal()) or int(pid) != os.getpid():
            return cls()
        for name in _NAMES:
            environment.pop(name, None)
        return cls([_listening(number) for number in range(first, first + int(count))])

    def __bool__(self) -> bool:
        return bool(self._sockets)

    def take(self, endpoint: Endpoint) -> list[socket.socket]:
        """Return the sockets at which `endpoint` is to be served, [] for none.

        An endpoint at all addresses takes the sockets at any address with its port. The caller may
        use a copy only (`dup`), so that a device can be served again.

        Raises OSError if another endpoint serves such a socket with TLS, and this one without, or
        the other way round: clients would reach either of them by chance.
        """
        found = [each for each in self._sockets if _is_at(each, endpoint)]
        for each in found:
            if self._transports.setdefault(each, endpoint.transport) != endpoint.transport:
                raise OSError(f"{endpoint}: another endpoint is there already, with other security")
        self._left = [each for each in self._left if each not in found]
        return found

    def check_taken(self) -> None:
        """Raise OSError if a socket belongs to no endpoint: its clients would wait for ever."""
        if self._left:
            places = ", ".join(str(address_of(each)) for each in self._left)
            raise OSError(
                f"the service manager has passed a socket at {places}, but no endpoint is there"
            )


def _listening(number: int) -> socket.socket:
    """Return the socket of a descriptor; raises OSError if it does not listen for connections."""
    try:
        found = socket.socket(fileno=number)
    except OSError as error:
        raise OSError(
            error.errno, f"LISTEN_FDS: descriptor {number} is no socket: {error.strerror}"
        ) from None
    found.set_inheritable(False)
    found.setblocking(False)
    if found.type != socket.SOCK_STREAM or not found.getsockopt(
        socket.SOL_SOCKET, socket.SO_ACCEPTCONN
    ):
        raise OSError(
            f"LISTEN_FDS: descriptor {number} must listen for connections: ListenStream= with "
            "Accept=no"
        )
    return found


def _is_at(found: socket.socket, endpoint: Endpoint) -> bool:
    address = address_of(found)
    if isinstance(address, str):
        return endpoint.transport == "unix" and address == endpoint.path
    if endpoint.transport not in ("tcp", "tls") or address.port != endpoint.port:
        return False
    return endpoint.host in _ANY or _same(endpoint.host, address.host)


def _same(host: str, address: str) -> bool:
    with suppress(ValueError):
        return ip_address(host) == ip_address(address)
    return host == "localhost" and ip_address(address).is_loopback


def tell_manager(state: str) -> None:
    """Send a state such as "READY=1" to the service manager, if it has asked for that."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path or not hasattr(socket, "AF_UNIX"):
        return
    address = f"\0{path[1:]}" if path.startswith("@") else path
    # The manager may have gone; the service goes on without it.
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as link:
        link.sendto(state.encode(), address)
