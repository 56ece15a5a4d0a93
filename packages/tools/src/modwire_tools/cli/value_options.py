"""The options that describe values: addresses, types, orders, scale and count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, get_args

import typer

from .annotations import AssignmentText, Places, TypeText
from .ending import argument
from .types import COUNT, TABLES, Completions, Factor, ParamType

if TYPE_CHECKING:
    from modwire_tools.values.items import Defaults

TYPES = {
    **{
        f"{sign}int{bits}": f"{'unsigned' if sign else 'signed'} integer of {bits} bits"
        for bits in (8, 16, 32, 64)
        for sign in ("", "u")
    },
    **{f"float{bits}": f"float of {bits} bits" for bits in (16, 32, 64)},
    "string:16": "text of 16 bytes",
    "bcd:4": "4 decimal digits",
    "bits:16": "16 single bits",
    "bit:0": "the lowest bit of a register",
}
Endian = Literal["big", "little"]
OrderName = Literal["ABCD", "CDAB", "BADC", "DCBA", "MODICON"]
ORDERS: tuple[OrderName, ...] = get_args(OrderName)


class OrderText(ParamType[OrderName]):
    """The order of four bytes, in capital or small letters."""

    metavar = "ORDER"

    def parse(self, text: str) -> OrderName:
        found: OrderName | None = next((each for each in ORDERS if each == text.upper()), None)
        if found is None:
            # In the words that typer has for the other choices, which are in small letters.
            raise ValueError(f"{text!r} is not one of {', '.join(map(repr, ORDERS))}")
        return found

    def complete(self, incomplete: str) -> Completions:
        return [(name, "") for name in ORDERS]


class ValueTypeName(ParamType["TypeText"]):
    """The type of a value, such as float32 or string:16."""

    metavar = "TYPE"

    def parse(self, text: str) -> TypeText:
        from modwire_tools.values.types import parse_type

        return parse_type(text)

    def complete(self, incomplete: str) -> Completions:
        return list(TYPES.items())


class Addresses(ParamType["Places"]):
    """An address, such as hr:0x10, holding:16 or 40017, or a range of addresses: hr:0..9.

    The value is the first address, and the number of them in a range, or None.
    """

    metavar = "ADDRESS"

    def parse(self, text: str) -> Places:
        from modwire_tools.addresses import parse_places

        return parse_places(text)

    def complete(self, incomplete: str) -> Completions:
        return list(TABLES.items())


class TypedAddress(ParamType[str]):
    """The text of an address with or without its own type, such as hr:16/float32.

    The command makes the item, because the text may also be the name of a point in a device file.
    """

    metavar = "ADDRESS"

    def parse(self, text: str) -> str:
        return text

    def complete(self, incomplete: str) -> Completions:
        before, slash, _ = incomplete.rpartition("/")
        if not slash:
            return list(TABLES.items())
        offers = list(TYPES.items())
        if "/" in before:  # the type is there already
            offers = [(name, "order of four bytes") for name in ORDERS]
        return [(f"{before}/{name}", words) for name, words in offers]


class AddressValue(ParamType["AssignmentText"]):
    """A typed address and its value, such as hr:16=22.5; inputs are allowed only `by_owner`."""

    metavar = "ADDRESS=VALUE"

    def __init__(self, *, by_owner: bool = False) -> None:
        self.by_owner = by_owner

    def parse(self, text: str) -> AssignmentText:
        from modwire_tools.values.item_texts import parse_assignment_text

        return parse_assignment_text(text, by_owner=self.by_owner)

    def complete(self, incomplete: str) -> Completions:
        return TypedAddress().complete(incomplete)


TypeOption = Annotated[
    TypeText | None,
    ValueTypeName().option(
        "--type",
        "-t",
        help="Type of the values in registers: uint16 (the default), int32, float32, string:16, "
        "bcd:4, bits:16, bit:0, ... An address may name its own: hr:16/float32, or hr:16/uint16x4 "
        "for a list of four.",
    ),
]
CountOption = Annotated[
    int, COUNT.option("--count", "-n", help="Number of values from each address on, each a line.")
]
WordOrderOption = Annotated[
    Endian | None,
    typer.Option(
        "--word-order",
        metavar="big|little",
        case_sensitive=False,
        help="First register of a value: the most significant (big) or the least.",
    ),
]
ByteOrderOption = Annotated[
    Endian | None,
    typer.Option(
        "--byte-order",
        metavar="big|little",
        case_sensitive=False,
        help="First byte of a register: the most significant (big) or the least.",
    ),
]
OrderOption = Annotated[
    OrderName,
    OrderText().option(
        "--order",
        help="Both orders, as the order of four bytes: ABCD, CDAB, BADC, DCBA, MODICON.",
    ),
]
ScaleOption = Annotated[
    float, Factor().option("--scale", help="Factor of the numbers, such as 0.1.")
]


def defaults_of(
    kind: TypeText | None,
    *,
    order: OrderName,
    byte_order: Endian | None,
    word_order: Endian | None,
    scale: float,
    count: int = 1,
) -> Defaults:
    """Return the defaults in the options, for every address without its own type."""
    from modwire.values.orders import find_order
    from modwire_tools.values.items import DEFAULTS, Defaults

    with argument("--order"):
        found = find_order(byte_order, word_order, order)
    return Defaults(kind or DEFAULTS.kind, count, found, scale)
