"""The blocking servers: one thread each, on sockets and serial ports."""

from .tcp import TcpServer

__all__ = ["TcpServer"]
