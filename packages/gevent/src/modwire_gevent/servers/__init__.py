"""The gevent servers: greenlets on sockets and serial ports."""

from .line import SerialServer
from .tcp import TcpServer
from .udp import UdpServer

__all__ = ["SerialServer", "TcpServer", "UdpServer"]
