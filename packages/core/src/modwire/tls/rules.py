"""`Rule`: what a role may do, and how rules are written in a rights file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ..endpoint_text import is_number, one_of
from ..messages.decoder import REQUESTS
from ..units.tables import TABLES

if TYPE_CHECKING:
    from typing import TypeGuard

READ, WRITE = "read", "write"

_KEYS = ("units", "access", "tables", "addresses", "files", "functions")
_MOST_UNIT, _MOST_ADDRESS, _MOST_FILE, _MOST_FUNCTION = 255, 0xFFFF, 0xFFFF, 127
_WITH_TABLES = frozenset((1, 2, 3, 4, 5, 6, 15, 16, 22, 23, 24))
_WITH_FILES = frozenset((20, 21))
_STANDARD = frozenset(each.function_code for each in REQUESTS)

Spans = tuple[tuple[int, int], ...]  # first and last of each, in order, not touching


class Rule(NamedTuple):
    """One rule; None stands for all units, all addresses, all files, all functions.

    `tables` is None in a rule without tables, `files` in one without files; a rule without both is
    for whole functions. A function is its code, or its code and its sub-function.
    """

    units: Spans
    access: frozenset[str]
    tables: frozenset[str] | None
    addresses: Spans
    files: Spans | None
    functions: frozenset[tuple[int, int | None]] | None

    def is_for(self, unit: int, function: int, sub_function: int | None) -> bool:
        """Return True if the rule is for requests of this function to this unit."""
        if _end_of(self.units, unit) == unit:
            return False
        functions = self.functions
        return (
            functions is None
            or (function, None) in functions
            or (sub_function is not None and (function, sub_function) in functions)
        )

    def fits(self, access: str, place: str | int | None) -> bool:
        """Return True if the rule may allow a part of a request at this table or file."""
        if access not in self.access:
            return False
        if self.tables is None and self.files is None:
            return True
        if isinstance(place, str):
            return self.tables is not None and place in self.tables
        return place is not None and self.files is not None and _end_of(self.files, place) > place

    def allowed_up_to(self, address: int) -> int:
        """Return the first address from `address` on that the rule does not allow."""
        return _end_of(self.addresses, address)


def _end_of(spans: Spans, number: int) -> int:
    """Return the end of the span that `number` is in, or `number` if it is in none."""
    return next((last + 1 for first, last in spans if first <= number <= last), number)


def rules_in(data: object) -> dict[str | None, tuple[Rule, ...]]:
    """Return the rules in the contents of a rights file, by role; see `Rights.from_dict`."""
    found: dict[str | None, tuple[Rule, ...]] = {}
    for key, value in _items("rights", data):
        if key == "no_role":
            found[None] = _rules("no_role", value)
        elif key == "role":
            for role, rules in _items("role", value):
                if not role or "\0" in role:
                    raise ValueError(f"role must be a text without NUL, got {role!r}")
                found[role] = _rules(f"role {role!r}", rules)
        else:
            raise ValueError(f"rights must have {one_of(('role', 'no_role'), str(key), str(key))}")
    return found


def _is_table(data: object) -> TypeGuard[Mapping[object, object]]:
    return isinstance(data, Mapping)


def _is_list(data: object) -> TypeGuard[Sequence[object]]:
    return isinstance(data, list | tuple)


def _items(place: str, data: object) -> Iterable[tuple[str, object]]:
    if not _is_table(data):
        raise ValueError(f"{place} must be a table, got {data!r}")
    items: list[tuple[str, object]] = []
    for key, value in data.items():
        if not isinstance(key, str):
            raise ValueError(f"{place} must have texts as keys, got {key!r}")
        items.append((key, value))
    return items


def _rules(place: str, data: object) -> tuple[Rule, ...]:
    if not _is_list(data):
        raise ValueError(f"{place} must be a list of rules, as in [[role.operator]], got {data!r}")
    return tuple(_rule(f"{place}, rule {number}", each) for number, each in enumerate(data, 1))


def _rule(place: str, data: object) -> Rule:
    given = dict(_items(place, data))
    for key in given:
        if key not in _KEYS:
            raise ValueError(f"{place}: key must be {one_of(_KEYS, key, key)}")
    for key in ("units", "access"):
        if key not in given:
            raise ValueError(f"{place} must have {key}")
    if not given.keys() & {"tables", "files", "functions"}:
        raise ValueError(f"{place} must have tables, files or functions")
    if "addresses" in given and "tables" not in given:
        raise ValueError(f"{place} has addresses, so it must have tables too")
    rule = Rule(
        units=_spans(f"{place}: units", given["units"], 0, _MOST_UNIT),
        access=_names(f"{place}: access", given["access"], (READ, WRITE)),
        tables=_names(f"{place}: tables", given["tables"], TABLES) if "tables" in given else None,
        addresses=_spans(f"{place}: addresses", given.get("addresses", "all"), 0, _MOST_ADDRESS),
        files=_spans(f"{place}: files", given["files"], 1, _MOST_FILE)
        if "files" in given
        else None,
        functions=_functions(f"{place}: functions", given.get("functions")),
    )
    _check_functions(place, rule)
    return rule


def _check_functions(place: str, rule: Rule) -> None:
    """Raise ValueError for functions that have neither the tables nor the files of the rule."""
    if rule.functions is None or (rule.tables is None and rule.files is None):
        return
    for code, _ in rule.functions:
        has_place = (code in _WITH_TABLES and rule.tables is not None) or (
            code in _WITH_FILES and rule.files is not None
        )
        if not has_place:
            what = "its function" if code in _STANDARD else "a function of yours,"
            raise ValueError(
                f"{place}: {what} {code} reaches none of its tables and files; functions without "
                "them need a rule of their own"
            )


def _listed(place: str, value: object) -> Sequence[object]:
    items = value if _is_list(value) else (value,)
    if not items:
        raise ValueError(f"{place} must not be empty")
    return items


def _names(place: str, value: object, allowed: Iterable[str]) -> frozenset[str]:
    names = tuple(allowed)
    for each in _listed(place, value):
        if each not in names:
            raise ValueError(f"{place} must be {one_of(names, str(each), str(each))}")
    return frozenset(str(each) for each in _listed(place, value))


def _spans(place: str, value: object, least: int, most: int) -> Spans:
    """Return numbers such as [1, "10..20"], or "all", as spans that do not touch."""
    if value == "all":
        return ((least, most),)
    spans: list[tuple[int, int]] = []
    for each in _listed(place, value):
        text = str(each) if isinstance(each, int) and not isinstance(each, bool) else each
        first, dots, last = text.partition("..") if isinstance(text, str) else ("", "", "")
        ends = (first, last) if dots else (first, first)
        if not all(is_number(end) for end in ends) or (
            not least <= int(ends[0]) <= int(ends[1]) <= most
        ):
            raise ValueError(
                f'{place} must be numbers of {least}..{most} such as [1, "10..20"], or "all", '
                f"got {each!r}"
            )
        spans.append((int(ends[0]), int(ends[1])))
    merged: list[tuple[int, int]] = []
    for first_one, last_one in sorted(spans):
        if merged and first_one <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last_one, merged[-1][1]))
        else:
            merged.append((first_one, last_one))
    return tuple(merged)


def _functions(place: str, value: object) -> frozenset[tuple[int, int | None]] | None:
    if value is None:
        return None
    found: set[tuple[int, int | None]] = set()
    for each in _listed(place, value):
        text = str(each) if isinstance(each, int) and not isinstance(each, bool) else each
        code, slash, sub = text.partition("/") if isinstance(text, str) else ("", "", "")
        if (
            not is_number(code)
            or not 1 <= int(code) <= _MOST_FUNCTION
            or (slash and not (is_number(sub) and int(sub) <= 0xFFFF))
        ):
            raise ValueError(
                f'{place} must be function codes 1..{_MOST_FUNCTION}, or such as "43/14" with a '
                f"sub-function, got {each!r}"
            )
        found.add((int(code), int(sub) if slash else None))
    return frozenset(found)
