"""`Place`: a table and an address in it, in the three forms that users write.

These are `hr:0x10`, `holding:16` and `40017`. Every command and every device file takes them, and
commands that read and write take ranges too: `hr:0..9`.
"""

from __future__ import annotations

import re
from contextlib import suppress

from modwire import reference
from modwire.units.tables import ADDRESSES, BIT_TABLES, TABLES, Reference

from .values.numbers import parse_whole

SHORT_NAMES: dict[str, str] = dict(zip(TABLES, ("co", "di", "hr", "ir"), strict=True))
"""The short names of the four tables, by the names of the attributes of a unit."""

_NAMES = {
    **{short: table for table, short in SHORT_NAMES.items()},
    **{table: table for table in TABLES},
    "coil": "coils",
    "discrete": "discrete_inputs",
    "holding": "holding_registers",
    "input": "input_registers",
}
_FORMS = (
    "an address is co:, di:, hr: or ir: with 0..65535 or 0x0..0xFFFF, such as hr:0x10 or "
    "holding:16, or a reference such as 40017"
)


class Place(Reference):
    """A table, by the name of the attribute of `modwire.Unit`, and an address, 0..65535.

    As text, it has the short form that `parse_place` reads, such as "hr:16".
    """

    __slots__ = ()

    @property
    def has_bits(self) -> bool:
        """True if the table holds bits, False if it holds registers."""
        return self.table in BIT_TABLES

    @property
    def is_writable(self) -> bool:
        """True if clients may write to the table."""
        return self.table in ("coils", "holding_registers")

    def __str__(self) -> str:
        return f"{SHORT_NAMES[self.table]}:{self.address}"


def parse_table(text: str) -> str:
    """Return the table for "hr", "holding" or "holding-registers"; raises ValueError."""
    table = _NAMES.get(text.strip().lower().replace("-", "_"))
    if table is None:
        several = re.split("[, ]+", text.strip().lower())
        if several == ["all"]:
            several = list(SHORT_NAMES.values())
        hint = "" if not set(several) <= _NAMES.keys() else "; repeat the option for several"
        raise ValueError(f"must be co, di, hr or ir, got {text!r}{hint}")
    return table


def parse_place(text: str) -> Place:
    """Return the place in `text`: "hr:0x10", "holding:16", or "40017" for "hr:16".

    Raises ValueError, which says what is allowed.
    """
    name, colon, number = text.strip().partition(":")
    try:
        if not colon:
            return Place(*reference(name))
        return Place(parse_table(name), parse_whole(number, 0, ADDRESSES - 1))
    except ValueError:
        meant = place_meant(text.strip())
        hint = f"; did you mean {meant}?" if meant else ""
        raise ValueError(f"{_FORMS}; got {text!r}{hint}") from None


def parse_places(text: str) -> tuple[Place, int | None]:
    """Return the first place in `text`, and the number of addresses: of "hr:0..9", hr:0 and 10.

    The number is None without a range. The last address may repeat the table: "hr:0..hr:9",
    "40001..40010". Raises ValueError.
    """
    first, dots, last = text.partition("..")
    place = parse_place(first)
    if not dots:
        return place, None
    stop: Reference | None = None
    with suppress(ValueError):
        # The last digits of a reference would be another address.
        is_number = ":" in first and ":" not in last
        stop = parse_place(f"{SHORT_NAMES[place.table]}:{last}" if is_number else last)
    if stop is None or stop.table != place.table or stop.address < place.address:
        raise ValueError(
            "a range ascends in one table, as in hr:0..9 or 40001..40010, with addresses of "
            f"0..65535; got {text!r}"
        )
    return place, stop.address - place.address + 1


_SHORT = "|".join(SHORT_NAMES.values())
_NUMBER = r"(?:0x[0-9a-f]+|\d+)"
# Other ways to write an address, each with the form that is meant.
_OTHER_FORMS = (
    (rf"({_SHORT})[ =.#_-]?({_NUMBER})", r"\1:\2"),
    (rf"({_SHORT}):({_NUMBER})(?:-|\.\.\.|:|to)({_NUMBER})", r"\1:\2..\3"),
    (r"([0134])[x:](\d{4,5})", r"\1\2"),
    (r"%?mw?(\d+)", r"hr:\1"),
    (r"(\d{1,4})", r"hr:\1"),
)


def place_meant(text: str) -> str:
    """Return the address that a user seems to mean, or ""."""
    table, _, numbers = text.lower().partition(":")
    if re.fullmatch(rf"(?:{_SHORT}):{_NUMBER}(?:,{_NUMBER})+", text.lower()):
        return " ".join(f"{table}:{number}" for number in numbers.split(","))
    for pattern, form in _OTHER_FORMS:
        found = re.fullmatch(pattern, text.lower())
        if found is not None:
            return found.expand(form)
    return ""
