"""`added_addresses`: adds the addresses of a simulation to a network interface, and removes them.

For `modwire simulate --interface`, on Linux, by pyroute2.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING

import trio

from modwire import Endpoint

from ..extras import extra
from ..pasting import for_shell

if TYPE_CHECKING:
    from pyroute2 import IPRoute

Address = IPv4Address | IPv6Address

# An address that nobody else may have need not be asked for first, which takes a second.
_NO_DUPLICATE_DETECTION = 0x02


def addresses_of(endpoints: Iterable[Endpoint]) -> Sequence[Address]:
    """Return the IP addresses of endpoints, each once, without names and those of loopback."""
    found: dict[Address, None] = {}
    for endpoint in endpoints:
        try:
            address = ip_address(endpoint.host)
        except ValueError:  # a name, or an endpoint without a host
            continue
        if not (address.is_loopback or address.is_unspecified):
            found[address] = None
    return list(found)


@contextmanager
def added_addresses(interface: str, addresses: Sequence[Address]) -> Generator[None]:
    """Add `addresses` to `interface`, such as "eth0", for the time of the block.

    Each becomes a network of its own (/32 or /128), so no route changes. Addresses that this
    machine has already are left as they are. Ctrl+C in trio's main thread waits for both steps.

    Raises ImportError without pyroute2, ValueError if there is no such interface or nothing to
    add, PermissionError, which says what to run, without the right to add addresses, and OSError.
    """
    if sys.platform != "linux":
        raise ValueError("addresses can only be added on Linux")
    if not addresses:
        raise ValueError("give the first address to add, such as --tcp 192.168.1.50:502")
    with extra("interface", "--interface"):
        from pyroute2 import IPRoute

    index = _index(interface)
    with IPRoute() as netlink:
        added: list[tuple[int, Address]] = []
        try:
            _add(netlink, interface, index, addresses, added)
            yield
        finally:
            _remove(netlink, added)


def _index(interface: str) -> int:
    try:
        return socket.if_nametoindex(interface)
    except OSError:
        names = sorted(name for _, name in socket.if_nameindex())
        raise ValueError(f"there is no {interface!r} here, but {', '.join(names)}") from None


@trio.lowlevel.enable_ki_protection
def _add(
    netlink: IPRoute,
    interface: str,
    index: int,
    addresses: Sequence[Address],
    added: list[tuple[int, Address]],
) -> None:
    from pyroute2 import NetlinkError

    present = {
        message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
        for message in netlink.get_addr()
    }
    for address in addresses:
        if str(address) in present:
            continue
        try:
            _change(netlink, "add", index, address)
        except NetlinkError as error:
            if error.code == errno.EEXIST:
                continue
            if error.code in (errno.EPERM, errno.EACCES):
                raise PermissionError(_no_right(interface, addresses)) from None
            reason = os.strerror(error.code)
            raise OSError(f"{address} cannot be added to {interface}: {reason}") from None
        added.append((index, address))


@trio.lowlevel.enable_ki_protection
def _remove(netlink: IPRoute, added: list[tuple[int, Address]]) -> None:
    from pyroute2 import NetlinkError

    for index, address in reversed(added):
        try:
            _change(netlink, "delete", index, address)
        except NetlinkError as error:
            # Somebody else may have removed the address, or the whole interface.
            if error.code not in (errno.EADDRNOTAVAIL, errno.ENODEV):
                raise OSError(f"{address} cannot be removed: {os.strerror(error.code)}") from None


def _change(netlink: IPRoute, command: str, index: int, address: Address) -> None:
    netlink.addr(
        command,
        index=index,
        address=str(address),
        prefixlen=address.max_prefixlen,
        flags=_NO_DUPLICATE_DETECTION if address.version == 6 else 0,
    )


def _no_right(interface: str, addresses: Sequence[Address]) -> str:
    """Return what to run without the right to add addresses."""
    first, last = addresses[0], addresses[-1]
    # With its path: sudo looks for programs in the places of the system alone.
    words = ["sudo", sys.executable, "-m", "modwire_tools", *sys.argv[1:]]
    adding = f"sudo ip address add {first}/{first.max_prefixlen} dev {for_shell(interface)}"
    more = f", and so on up to {last}" if last != first else ""
    return (
        f"only root (CAP_NET_ADMIN) may add addresses to {interface}: run "
        f"`{' '.join(map(for_shell, words))}`, or add them yourself: `{adding}`{more}"
    )
