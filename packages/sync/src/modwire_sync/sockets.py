"""The sockets at which servers listen, the file of a Unix socket, and the end of a peer.

modwire-trio and modwire-gevent use it too.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import stat
import sys
from typing import TYPE_CHECKING, Any, Protocol

from modwire.options import DEAD_AFTER
from modwire.server.peers import HostPort, check_port

if TYPE_CHECKING:
    from typing import TypeAlias

    from modwire.server.peers import Listening

    Found: TypeAlias = list[tuple[Any, ...]]  # what getaddrinfo returns

# Linux reports the end of a stream even if unread bytes are in front of it.
_POLLRDHUP: int = getattr(select, "POLLRDHUP", 0)


class HasOptions(Protocol):
    """A TCP socket, also of trio or gevent."""

    def setsockopt(self, level: int, option: int, value: int, /) -> object: ...


def notice_dead_peer(sock: HasOptions) -> None:
    """Make the system end a TCP connection about a minute after the peer has vanished."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in DEAD_AFTER:
        option = getattr(socket, name, None)
        if option is not None:
            sock.setsockopt(socket.IPPROTO_TCP, option, value)


def bind(
    asked: Listening, kind: socket.SocketKind, found: Found | None = None
) -> list[socket.socket]:
    """Return sockets bound as `asked`, not blocking: one for each address of its host name.

    The host "" is every address of this machine: one IPv6 socket that takes IPv4 too, or an IPv4
    one if there is no IPv6. "::" is IPv6 alone and "0.0.0.0" IPv4 alone. With port 0 all sockets
    get the port that the system chose for the first. `found` is what `look_up` returned, for
    loops that must not wait for it. Raises OSError, and ValueError if it is no address.
    """
    address, reuse_port = asked.address, asked.reuse_port
    if isinstance(address, str):
        return [_bind_path(address, kind)]
    host, port = check_address(address, kind)
    if not host and socket.has_dualstack_ipv6():
        return [_bind_one(socket.AF_INET6, ("::", port), kind, reuse_port, dual_stack=True)]
    if found is None:
        found = socket.getaddrinfo(*look_up(host, port), type=kind, flags=socket.AI_PASSIVE)
    bound: list[socket.socket] = []
    missing: OSError | None = None
    try:
        for family, where in dict.fromkeys((each[0], each[4]) for each in found):
            if bound:
                where = (where[0], bound[0].getsockname()[1], *where[2:])
            try:
                bound.append(_bind_one(family, where, kind, reuse_port))
            except OSError as error:
                # A name may have an address of a family that is switched off: localhost does.
                if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                    raise
                missing = error
    except BaseException:
        for each in bound:
            each.close()
        raise
    if not bound and missing is not None:
        raise missing
    return bound


def look_up(host: str, port: int) -> tuple[str, int]:
    """Return the arguments of getaddrinfo for a host and a port to listen at."""
    return host or "0.0.0.0", port


def check_address(address: object, kind: socket.SocketKind) -> tuple[str, int]:
    """Return a host and a port; raise ValueError unless `address` has these."""
    match address:
        case (str() as host, int() as port):
            return host, check_port(port)
        case _:
            or_path = " or the path of a Unix socket" if kind == socket.SOCK_STREAM else ""
            raise ValueError(f"address must be (host, port){or_path}, got {address!r}")


def _bind_one(
    family: int,
    address: tuple[object, ...],
    kind: socket.SocketKind,
    reuse_port: bool,
    *,
    dual_stack: bool = False,
) -> socket.socket:
    bound = socket.socket(family, kind)
    try:
        if sys.platform == "win32":
            # There SO_REUSEADDR would let another program take the port away.
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        elif kind == socket.SOCK_STREAM:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            if not hasattr(socket, "SO_REUSEPORT"):
                raise ValueError("reuse_port is not available on this system")
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not dual_stack)
        bound.setblocking(False)
        bound.bind(address)
    except BaseException as error:
        bound.close()
        if isinstance(error, OSError) and error.errno is not None:
            message = f"cannot listen on {address[0]} port {address[1]}: {error.strerror}"
            raise type(error)(error.errno, message) from None
        raise
    return bound


def unix_family() -> int:
    """Return the family of Unix sockets; raise OSError where Python has none, as on Windows."""
    if not hasattr(socket, "AF_UNIX"):
        raise OSError(errno.EAFNOSUPPORT, "Unix sockets are not available on this system")
    return socket.AF_UNIX


def _bind_path(path: str, kind: socket.SocketKind) -> socket.socket:
    family = unix_family()
    remove_stale(path)
    bound = socket.socket(family, kind)
    try:
        bound.setblocking(False)
        bound.bind(path)
    except OSError as error:
        bound.close()
        if error.errno is None:  # a path that is too long
            raise OSError(errno.ENAMETOOLONG, f"cannot listen on {path}: {error}") from None
        raise type(error)(error.errno, f"cannot listen on {path}: {error.strerror}") from None
    return bound


def remove_stale(path: str) -> None:
    """Remove the file of a socket if nobody listens on it any more; leave all others alone."""
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            return
    except (OSError, ValueError):
        return
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
        except OSError:
            pass  # somebody is there, but busy; binding will say so


def identify(path: str) -> tuple[int, int] | None:
    """Return the identity of the file at `path`; a later file under the same name has another."""
    try:
        found = os.lstat(path)
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino


def address_of(bound: socket.socket) -> HostPort | str:
    """Return where a socket is bound: a host and a port, or a path."""
    name: tuple[str, int] | str | bytes = bound.getsockname()
    return HostPort(*name[:2]) if isinstance(name, tuple) else os.fsdecode(name)


def has_ended(link: socket.socket) -> bool:
    """True if the peer of an open socket, which does not block, sends no more."""
    if _POLLRDHUP:
        poll = select.poll()
        poll.register(link, _POLLRDHUP)
        return bool(poll.poll(0))
    try:
        return not link.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        return True
    except ValueError:
        return False  # TLS cannot look ahead: all bytes must be read first
