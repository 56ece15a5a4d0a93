"""The bytes of one exchange, explained field by field."""

from __future__ import annotations

from modwire import crc16

from ..cli.output import print_line
from .meter import POINTS


def explain(title: str, adu: bytes, fields: list[tuple[int, str, str]]) -> None:
    """Print an ADU field by field: (how many bytes, field, meaning)."""
    print_line(f"\n{title}, {len(adu)} bytes")
    at = 0
    for size, field, meaning in fields:
        print_line(f"  {at:>2}  {adu[at : at + size].hex(' '):<8}  {field:<17} {meaning}")
        at += size


def explain_exchange(link: str, request: bytes, response: bytes) -> None:
    """Print the bytes that asked for three input registers, and those that answered."""
    start = 7 if link == "TCP" else 1
    asked = [
        (1, "function", "4, read input registers"),
        (2, "address", f"{number(request, start + 1)}, the first register"),
        (2, "quantity", f"{number(request, start + 3)} registers"),
    ]
    answered = [
        (1, "function", "4, as asked; 84 would be an exception"),
        (1, "byte count", f"{response[start + 1]}, two for each register"),
    ]
    for index, point in enumerate(POINTS[:3]):
        value = number(response, start + 2 + 2 * index)
        answered.append((2, f"register {index}", f"{value}: {point.name} is {value / 10} V"))
    explain(f"{link} request", request, wrap(link, request, asked))
    explain(f"{link} response", response, wrap(link, response, answered))


def wrap(link: str, adu: bytes, pdu: list[tuple[int, str, str]]) -> list[tuple[int, str, str]]:
    """The fields of an ADU: those of its PDU, and what the link puts around them."""
    if link == "TCP":
        transaction, length = number(adu, 0), number(adu, 4)
        return [
            (2, "transaction id", f"{transaction}, which request and response share"),
            (2, "protocol id", "0, Modbus"),
            (2, "length", f"{length} bytes follow"),
            (1, "unit id", f"{adu[6]}"),
            *pdu,
        ]
    crc = int.from_bytes(adu[-2:], "little")
    verdict = "right" if crc == crc16(adu[:-2]) else "wrong"
    return [
        (1, "unit id", f"{adu[0]}"),
        *pdu,
        (2, "CRC-16", f"{crc:04X}, low byte first: {verdict}"),
    ]


def number(data: bytes, at: int) -> int:
    """The two bytes at `at` as a number."""
    return int.from_bytes(data[at : at + 2], "big")
