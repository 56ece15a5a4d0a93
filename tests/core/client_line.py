"""A client protocol with a clock and frames, for tests of the client's decisions."""

from __future__ import annotations

from modwire.checksums import crc16
from modwire.client.exchange import Exchange
from modwire.client.options import ClientOptions
from modwire.client.protocol import ClientProtocol
from modwire.framing import Frame, RtuFraming, TcpFraming
from modwire.messages import Decoder, Response
from modwire.messages.encapsulated import CanopenGeneralReferenceRequest
from modwire.messages.register_access import (
    ReadHoldingRegistersRequest,
)

READ = ReadHoldingRegistersRequest(0, 2)
CANOPEN = CanopenGeneralReferenceRequest(b"\x01")
ANSWER = bytes.fromhex("03 04 0001 0002")


def tcp(transaction: int, pdu: bytes | str, unit: int = 1) -> bytes:
    pdu = bytes.fromhex(pdu) if isinstance(pdu, str) else pdu
    return TcpFraming(Decoder(), is_server=True).encode(Frame(unit, transaction, pdu))


def rtu(pdu: bytes | str, unit: int = 1) -> bytes:
    body = bytes((unit,)) + (bytes.fromhex(pdu) if isinstance(pdu, str) else pdu)
    return body + crc16(body).to_bytes(2, "little")


def registers(exchange: Exchange[Response]) -> tuple[int, ...]:
    return exchange.result().registers  # type: ignore[attr-defined, no-any-return]


class Line:
    """A client protocol and its clock."""

    def __init__(self, framing: type = RtuFraming, **options: object) -> None:
        self.protocol = ClientProtocol(framing, ClientOptions(**options))  # type: ignore[arg-type]
        self.now = 100.0

    def start(self, request: object = READ, unit: int | None = None, **more: object):  # type: ignore[no-untyped-def]
        return self.protocol.start(request, unit, now=self.now, **more)  # type: ignore[arg-type, var-annotated]

    def send(self) -> bytes:
        return self.protocol.data_to_send(self.now)

    def hear(self, data: bytes, after: float = 0.01) -> None:
        self.now += after
        self.protocol.receive_data(data, self.now)

    def wait(self) -> float:
        """Move the clock to the protocol's deadline; return the seconds until then."""
        deadline = self.protocol.deadline()
        assert deadline is not None, "the protocol waits for nothing"
        waited = max(deadline - self.now, 0.0)
        self.now = max(deadline, self.now)
        self.protocol.handle_timeout(self.now)
        return waited

    def settle(self, exchange: object) -> None:
        for _ in range(10):
            if exchange.done:  # type: ignore[attr-defined]
                return
            self.wait()
        raise AssertionError("the exchange never ended")
