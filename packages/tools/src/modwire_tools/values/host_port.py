"""`parse_host_port`: an address to listen at, such as that of the simulator's page."""

from __future__ import annotations

from typing import NamedTuple

from .numbers import parse_whole

_FORM = (
    "must be HOST:PORT, :PORT for all addresses of this machine, or PORT for this machine alone, "
    "such as 127.0.0.1:8080 or [::1]:8080"
)


class HostPort(NamedTuple):
    """A host and a port; the host "" is for all addresses of this machine."""

    host: str
    port: int


def parse_host_port(text: str) -> HostPort:
    """Return the address in `text`; raises ValueError("must be ..., got ...")."""
    host, colon, port = text.strip().rpartition(":")
    try:
        number = parse_whole(port, 0, 0xFFFF)
    except ValueError:
        raise ValueError(f"{_FORM}, got {text!r}") from None
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(f"{_FORM}, got {text!r}: an IPv6 address needs brackets")
    return HostPort(host or ("" if colon else "127.0.0.1"), number)


def format_host(host: str, own_name: str) -> str:
    """Return a host as links have it; `own_name` stands for all addresses of this machine."""
    shown = own_name if host in ("", "0.0.0.0", "::") else host
    return f"[{shown}]" if ":" in shown else shown
