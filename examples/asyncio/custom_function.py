"""A custom function, code 65, in every framing: python examples/asyncio/custom_function.py

It needs one request class and one response class, registered on the decoder of the server and the
client. Nothing global changes: a server without this decoder still answers exception 01.
"""

from __future__ import annotations

import asyncio
import struct
from dataclasses import dataclass

from modwire import (
    FRAMINGS,
    ClientOptions,
    Decoder,
    Device,
    IllegalFunctionError,
    InvalidRequestError,
    InvalidResponseError,
    Request,
    Response,
    ServerOptions,
    Unit,
    Units,
    fixed_length,
)
from modwire_asyncio import TcpClient, TcpServer


@dataclass(frozen=True)
class ReadPeakResponse(Response):
    """The highest power on a phase, in watts, and how many minutes ago that was."""

    watts: int
    minutes: int

    function_code = 65
    length_rule = staticmethod(fixed_length(7))  # of the PDU; RTU finds the end of a frame with it

    def encode(self) -> bytes:
        return struct.pack(">BIH", self.function_code, self.watts, self.minutes)

    @classmethod
    def decode(cls, pdu: bytes) -> ReadPeakResponse:
        if len(pdu) != 7:
            raise InvalidResponseError(f"ReadPeakResponse must be 7 bytes, got {len(pdu)}")
        return cls(*struct.unpack(">IH", pdu[1:]))


@dataclass(frozen=True)
class ReadPeakRequest(Request[ReadPeakResponse]):
    """Request for the highest power on a phase, 1 to 3."""

    phase: int

    function_code = 65
    response_type = ReadPeakResponse
    length_rule = staticmethod(fixed_length(2))

    def __post_init__(self) -> None:
        if not 1 <= self.phase <= 3:
            # A server that decodes it answers exception 03; a client gets a ValueError.
            raise InvalidRequestError(f"phase must be 1..3, got {self.phase}", self.function_code)

    def encode(self) -> bytes:
        return bytes((self.function_code, self.phase))

    @classmethod
    def decode(cls, pdu: bytes) -> ReadPeakRequest:
        if len(pdu) != 2:
            raise InvalidRequestError(f"ReadPeakRequest must be 2 bytes, got {len(pdu)}", 65)
        return cls(pdu[1])

    def execute(self, unit: Device) -> ReadPeakResponse:
        if not isinstance(unit, Meter):
            raise IllegalFunctionError(detail="only a meter knows its peaks")
        return unit.peaks[self.phase - 1]


class Meter(Unit):
    """A unit that has the values for the function."""

    peaks = (ReadPeakResponse(3480, 12), ReadPeakResponse(5120, 95), ReadPeakResponse(4075, 3))


async def main() -> None:
    decoder = Decoder()
    decoder.register(ReadPeakRequest)
    units = Units({1: Meter()})
    knowing = ServerOptions(decoder=decoder)

    for framing in FRAMINGS.values():
        served = TcpServer(units, ("127.0.0.1", 0), framing=framing, options=knowing)
        options = ClientOptions(decoder=decoder)
        async with served as server:
            host, port = server.address
            async with TcpClient(host, port, framing=framing, options=options) as client:
                peak = await client.call(ReadPeakRequest(2))
                print(f"{framing.name}: {peak.watts} W, {peak.minutes} minutes ago")

    async with (
        TcpServer(units, ("127.0.0.1", 0)) as server,
        TcpClient(*server.address) as client,
    ):
        try:
            await client.call(ReadPeakRequest(2))
        except IllegalFunctionError as error:
            print(f"a server without it: {error}")


if __name__ == "__main__":
    asyncio.run(main())
