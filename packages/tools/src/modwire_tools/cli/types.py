"""`ParamType`: one class per type of option; it parses, checks and completes the values.

Every subcommand uses the same classes, so an endpoint, a time or an address has the same form in
all of them. `parse` raises ValueError; `ending` puts the name of the option before its text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Generic, Literal, TypeVar

import typer
from typer.models import ArgumentInfo, OptionInfo

from modwire_tools.values.numbers import (
    Seconds,
    parse_float,
    parse_numbers,
    parse_range,
    parse_seconds,
    parse_whole,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")

# Values that the shell offers, each with a description.
Completions = list[tuple[str, str]]


class ParamType(Generic[T]):
    """A type of option or argument; help texts show `metavar` instead of a value."""

    metavar = "VALUE"

    def parse(self, text: str) -> T:
        """Return the value in `text`; raises ValueError."""
        raise NotImplementedError

    def complete(self, incomplete: str) -> Completions:
        """Return values for the shell; it drops those that do not begin with `incomplete`."""
        return []

    def option(self, *names: str, help: str, metavar: str = "") -> OptionInfo:  # noqa: A002
        """Declare an option of this type for `typing.Annotated`."""
        option: OptionInfo = typer.Option(
            *names,
            help=help,
            metavar=metavar or self.metavar,
            parser=self._parse,
            autocompletion=self.complete,
        )
        return option

    def argument(self, metavar: str, *, help: str) -> ArgumentInfo:  # noqa: A002
        """Declare an argument of this type for `typing.Annotated`."""
        argument: ArgumentInfo = typer.Argument(
            metavar=metavar, help=help, parser=self._parse, autocompletion=self.complete
        )
        return argument

    def _parse(self, value: str | T) -> T:
        if not isinstance(value, str):  # a default value, which typer parses too
            return value
        try:
            return self.parse(value)
        except ValueError as error:
            # Of a plain ValueError, typer would not show the text.
            raise typer.BadParameter(str(error)) from error


class Whole(ParamType[int]):
    """A whole number from `least` to `most`."""

    metavar = "N"

    def __init__(self, least: int, most: int | None = None) -> None:
        self.least = least
        self.most = most

    def parse(self, text: str) -> int:
        return parse_whole(text, self.least, self.most)


class UnitId(Whole):
    """A unit id, 0..255; `endpoints.unit_of` has the lower limit for serial lines."""

    metavar = "UNIT"

    def __init__(self) -> None:
        super().__init__(0, 255)

    def parse(self, text: str) -> int:
        try:
            return super().parse(text)
        except ValueError as error:
            raise _about_units(error, text) from None

    def complete(self, incomplete: str) -> Completions:
        return [(str(unit), "") for unit in range(1, 248)]


class UnitIds(ParamType["Sequence[int]"]):
    """Unit ids and ranges of them, such as 1,5,10..20."""

    metavar = "UNITS"

    def parse(self, text: str) -> Sequence[int]:
        try:
            return parse_numbers(text, 0, 255)
        except ValueError as error:
            raise _about_units(error, text) from None


def _about_units(error: ValueError, text: str) -> ValueError:
    from modwire_tools.values.suggesting import unit_advice

    return ValueError(f"{error}{unit_advice(text)}")


class Numbers(ParamType["Sequence[int]"]):
    """Numbers and ranges of numbers, such as 1,5,10..20."""

    def __init__(self, least: int, most: int) -> None:
        self.least = least
        self.most = most

    def parse(self, text: str) -> Sequence[int]:
        return parse_numbers(text, self.least, self.most)


class AddressRange(ParamType[range]):
    """A range of addresses in a table, such as 0..99."""

    metavar = "RANGE"

    def parse(self, text: str) -> range:
        return parse_range(text, 0, 0xFFFF)


class Time(ParamType[Seconds]):
    """A time, such as 500ms, 1s or 2m; 0 is allowed only with `zero`."""

    metavar = "TIME"

    def __init__(self, *, zero: bool = False) -> None:
        self.zero = zero

    def parse(self, text: str) -> Seconds:
        return parse_seconds(text, zero=self.zero)


class Factor(ParamType[float]):
    """A number from -`most` to `most`, but not 0; with `positive`, only numbers above 0."""

    metavar = "FACTOR"

    def __init__(self, *, most: float = 1e300, positive: bool = False) -> None:
        self.most = most
        self.positive = positive

    def parse(self, text: str) -> float:
        try:
            factor = parse_float(text)
        except (OverflowError, ValueError):
            factor = 0.0
        least = 0 if self.positive else -self.most
        if factor and least <= factor <= self.most:
            return float(factor)
        if self.positive:
            raise ValueError(f"must be more than 0, at most {self.most}, got {text!r}")
        raise ValueError(f"must be a number other than 0, got {text!r}")


class Several(ParamType["Sequence[T]"]):
    """Values of another type with commas between them, or "all" for all of `offered`."""

    def __init__(self, each: ParamType[T], offered: Sequence[T], metavar: str) -> None:
        self.each = each
        self.offered = offered
        self.metavar = metavar

    def parse(self, text: str) -> Sequence[T]:
        if text.strip().lower() == "all":
            return self.offered
        return list(dict.fromkeys(self.each.parse(part.strip()) for part in text.split(",")))

    def complete(self, incomplete: str) -> Completions:
        return [(str(each), "") for each in ("all", *self.offered)]


class NetworkInterface(ParamType[str]):
    """The name of a network interface, such as eth0."""

    metavar = "NAME"

    def parse(self, text: str) -> str:
        return text

    def complete(self, incomplete: str) -> Completions:
        import socket

        return [(name, "") for _, name in socket.if_nameindex()]


class Table(ParamType[str]):
    """One of the four tables: co, di, hr or ir."""

    metavar = "TABLE"

    def parse(self, text: str) -> str:
        from modwire_tools.addresses import parse_table

        return parse_table(text)

    def complete(self, incomplete: str) -> Completions:
        return [(name.rstrip(":"), words) for name, words in TABLES.items()]


TABLES = {
    "co:": "coils",
    "di:": "discrete inputs",
    "hr:": "holding registers",
    "ir:": "input registers",
}
"""The tables in words, by the prefix of their addresses."""

Consecutive = Literal["ports", "addresses"]
ConsecutiveOption = Annotated[
    Consecutive,
    typer.Option(
        "--consecutive",
        metavar="WHAT",
        case_sensitive=False,
        help="Where the next device is: on consecutive ports, or on consecutive addresses, such as "
        "127.0.1.1, 127.0.1.2.",
    ),
]

ADDRESSES = AddressRange()
COUNT = Whole(1, 65536)
DURATION = Time()
UNIT_ID = UnitId()
TABLE = Table()
