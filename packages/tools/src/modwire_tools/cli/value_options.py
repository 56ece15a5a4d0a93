"""The options that say what values are: type, orders, scale and count, for `read` and `write`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated

import typer

from .arguments import parse_choice, parse_whole
from .completion import ENDIANS, ORDERS, among, complete_type
from .ending import WrongArgumentError, argument

if TYPE_CHECKING:
    from modwire_tools.items import Defaults

TypeOption = Annotated[
    str,
    typer.Option(
        "--type",
        "-t",
        metavar="TYPE",
        help="Type of the values in registers: uint16, int32, float32, string:16, bcd:4, bits:16, "
        "bit:0, ... A single address takes its own: hr:16/float32, hr:16/uint16x4.",
        autocompletion=complete_type,
    ),
]
WordOrderOption = Annotated[
    str | None,
    typer.Option(
        "--word-order",
        metavar="big|little",
        help="Which register of a value comes first: the one that counts most, or least.",
        autocompletion=among(ENDIANS),
    ),
]
ByteOrderOption = Annotated[
    str | None,
    typer.Option(
        "--byte-order",
        metavar="big|little",
        help="Which byte of a register comes first.",
        autocompletion=among(ENDIANS),
    ),
]
OrderOption = Annotated[
    str,
    typer.Option(
        "--order",
        metavar="ORDER",
        help=f"Both orders by where four bytes lie: {', '.join(ORDERS)}.",
        autocompletion=among(ORDERS),
    ),
]
ScaleOption = Annotated[
    str,
    typer.Option("--scale", metavar="FACTOR", help="What numbers are multiplied by, such as 0.1."),
]


def parse_defaults(
    kind: str,
    *,
    order: str,
    byte_order: str | None,
    word_order: str | None,
    scale: str,
    count: str = "1",
) -> Defaults:
    """What the options say; raises WrongArgumentError."""
    from modwire.values import ABCD, BADC, CDAB, DCBA, MODICON
    from modwire_tools.items import Defaults
    from modwire_tools.value_types import parse_type

    with argument("--type"):
        parse_type(kind)
    names = {"ABCD": ABCD, "CDAB": CDAB, "BADC": BADC, "DCBA": DCBA, "MODICON": MODICON}
    found = names[parse_choice("--order", order, ORDERS)]
    if byte_order is not None:
        chosen = parse_choice("--byte-order", byte_order, ENDIANS)
        found = found._replace(byte_order="big" if chosen == "big" else "little")
    if word_order is not None:
        chosen = parse_choice("--word-order", word_order, ENDIANS)
        found = found._replace(word_order="big" if chosen == "big" else "little")
    try:
        factor = float(scale)
    except ValueError:
        factor = math.nan
    if not math.isfinite(factor) or not factor:
        raise WrongArgumentError(f"--scale must be a number other than 0, got {scale!r}")
    number = parse_whole("--count", count, 1, 65536)
    return Defaults(kind, number, found, factor)
