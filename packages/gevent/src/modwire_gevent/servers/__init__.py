"""The gevent servers: greenlets on sockets and serial ports."""

from .datagrams import UdpServer
from .line import SerialServer
from .tcp import TcpServer

__all__ = ["SerialServer", "TcpServer", "UdpServer"]
