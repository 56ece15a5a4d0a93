"""Clients of pymodbus on every link to a server of ours."""

from __future__ import annotations

from modwire import Units

from .peers import HAS_PYMODBUS

if HAS_PYMODBUS:
    from pymodbus.client import ModbusSerialClient, ModbusTcpClient, ModbusUdpClient
    from pymodbus.client.base import ModbusBaseSyncClient
    from pymodbus.framer import FramerType
    from pymodbus.pdu import ModbusPDU


LINKS = ["tcp", "udp", "rtu", "ascii", "rtu+tcp", "ascii+tcp"]


LONG = 20.0  # seconds that a busy machine may take to answer


QUIET = 0.1  # seconds to wait for an answer that will not come


class Link:
    """A link to one of our servers: its name, its units, and clients for it."""

    def __init__(self, name: str, units: Units, port: str | int) -> None:
        self.name = name
        self.units = units
        self.unit = units[1]
        self.is_rtu = name.startswith("rtu")
        self.received: list[bytes] = []
        self._port = port

    def client(self, timeout: float = LONG) -> ModbusBaseSyncClient:
        """Return a client that does not retry; its packets are collected in `received`."""
        framing, _, transport = self.name.rpartition("+")
        if self.name in ("rtu", "ascii"):
            return ModbusSerialClient(
                str(self._port),
                framer=FramerType(self.name),
                baudrate=115200,
                timeout=timeout,
                retries=0,
                trace_packet=self._trace,
            )
        kind = ModbusTcpClient if transport == "tcp" else ModbusUdpClient
        return kind(
            "127.0.0.1",
            port=int(self._port),
            framer=FramerType(framing or "socket"),
            timeout=timeout,
            retries=0,
            trace_packet=self._trace,
        )

    def _trace(self, sending: bool, data: bytes) -> bytes:
        if not sending:
            self.received.append(data)
        return data


def good(response: ModbusPDU) -> ModbusPDU:
    """Return `response`; fails if it is an exception."""
    assert not response.isError(), response
    return response


def bits(response: ModbusPDU, count: int) -> list[bool]:
    """Return the first `count` bits; pymodbus returns whole bytes, whose other bits must be 0."""
    values = list(good(response).bits)
    assert not any(values[count:])
    return values[:count]
