"""A framing of one's own, for client and server: python examples/more/own_framing.py

Frames are those of SLIP (RFC 1055): C0, the content, C0. A C0 in the content is sent as DB DC, a DB
as DB DD. The content is the unit, the PDU and a CRC-32, high byte first.
"""

from __future__ import annotations

from zlib import crc32

from modwire import Decoder, Frame, FrameError, Framing, SequentialBlock, Unit, Units
from modwire_sync import TcpClient, TcpServer

END, ESCAPE = b"\xc0", b"\xdb"
ESCAPED_END, ESCAPED_ESCAPE = b"\xdb\xdc", b"\xdb\xdd"
MOST_CONTENT = 1 + 253 + 4  # unit, PDU and CRC


class SlipFraming(Framing):
    """Frames of 8 to 518 bytes without transaction ids; unit 0 is a broadcast, as on a line."""

    name = "slip"
    max_adu = 2 * MOST_CONTENT + 2

    def wrap(self, unit: int, transaction: int, pdu: bytes) -> bytes:
        return self._wrap(bytes((unit,)) + pdu, 0)

    def wrap_damaged(self, unit: int, transaction: int, pdu: bytes) -> bytes:
        return self._wrap(bytes((unit,)) + pdu, 0xFFFFFFFF)

    def _wrap(self, content: bytes, damage: int) -> bytes:
        content += (crc32(content) ^ damage).to_bytes(4, "big")
        content = content.replace(ESCAPE, ESCAPED_ESCAPE).replace(END, ESCAPED_END)
        return END + content + END

    def receive_data(self, data: bytes, now: float) -> None:
        """Take the frames out of `data`; no bytes may raise an error or fill the memory."""
        *ended, rest = (self._buffer + data).split(END)
        for escaped in ended:
            if escaped:  # nothing is between two frames
                self._take(escaped)
        self._buffer = rest[: self.max_adu]  # that is too long already

    def _take(self, escaped: bytes) -> None:
        content = escaped.replace(ESCAPED_END, END).replace(ESCAPED_ESCAPE, ESCAPE)
        if not 6 <= len(content) <= MOST_CONTENT:
            error = f"a SLIP frame must have 6..{MOST_CONTENT} bytes, got {len(content)}"
            self.frames.append(FrameError(error))
        elif crc32(content[:-4]) != int.from_bytes(content[-4:], "big"):
            self.frames.append(FrameError("a SLIP frame has a wrong CRC"))
        else:
            self.frames.append((content[0], 0, content[1:-4]))


def main() -> None:
    units = Units({17: Unit(holding_registers=SequentialBlock(0, [0xC0DB, 0xDBDC, 7]))})
    with (
        TcpServer(units, ("127.0.0.1", 0), framing=SlipFraming) as server,
        TcpClient(*server.address, framing=SlipFraming, unit=17) as client,
    ):
        print([f"{value:04X}" for value in client.read_holding_registers(0, 3)])
        client.write_register(2, 8)
        print(client.read_holding_registers(2))

    framing = SlipFraming(Decoder(), is_server=True)
    adu = framing.encode(Frame(17, 0, bytes.fromhex("03 00C0 0003")))
    print(adu.hex(" "))
    framing.receive_data(b"noise" + adu, now=0.0)
    print(framing.next_frame(), framing.next_frame(), sep="\n")


if __name__ == "__main__":
    main()
