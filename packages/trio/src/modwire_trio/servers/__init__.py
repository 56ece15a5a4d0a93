"""The trio servers: async functions that serve until they are cancelled."""

from .datagrams import serve_udp
from .hanging_up import peer_hung_up
from .line import serve_serial
from .stream import serve_stream
from .tcp import serve_tcp, serve_tls, serve_unix

__all__ = [
    "peer_hung_up",
    "serve_serial",
    "serve_stream",
    "serve_tcp",
    "serve_tls",
    "serve_udp",
    "serve_unix",
]
