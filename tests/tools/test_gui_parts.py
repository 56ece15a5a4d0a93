"""Parts of the window: shown and typed values, chart scales, and very long lists."""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic
from typing import TYPE_CHECKING

import pytest

from modwire_tools.simulator.view import PointInfo
from virtual_screen import virtual_display

if TYPE_CHECKING:
    from ..conftest import RequirePeer

pytest.importorskip("tkinter", exc_type=ImportError)


def _point(kind: str, value: object) -> PointInfo:
    return PointInfo("p", "holding_registers", 0, 1, kind, "", value, "", False)


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("uint16", 230.1, "230.1"),
        ("uint16", 42, "42"),
        ("float32", 0.10000000149011612, "0.1"),
        ("bool", True, "on"),
        ("string", "Hall 3", "Hall 3"),
        ("bits", [True, False, False, True, True], "11001"),
        ("bcd", None, "invalid"),
    ],
)
def test_values_are_shown_as_people_write_them(kind: str, value: object, text: str) -> None:
    from modwire_tools.gui.values import shown

    assert shown(_point(kind, value)) == text


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("uint16", " 42 ", 42),
        ("uint16", "0x2A", 42),
        ("uint16", "-1.5", -1.5),
        ("float32", "3", 3.0),
        ("float64", "1e3", 1000.0),
        ("bool", "off", False),
        ("string", " a ", " a "),
        ("bits", "110", [False, True, True]),
    ],
)
def test_what_is_typed_becomes_a_value(kind: str, text: str, value: object) -> None:
    from modwire_tools.gui.values import typed

    found = typed(_point(kind, None), text)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("kind", "text"), [("uint16", ""), ("float32", "12 V"), ("bits", "012"), ("bool", "maybe")]
)
def test_what_is_no_value_is_said(kind: str, text: str) -> None:
    from modwire_tools.gui.values import typed

    with pytest.raises(ValueError, match=f"got {text!r}$"):
        typed(_point(kind, None), text)


@pytest.mark.parametrize(
    ("text", "register"),
    [("0", 0), ("65535", 65535), ("-1", 65535), ("0xff", 255), ("-32768", 32768)],
)
def test_registers_are_typed_in_several_ways(text: str, register: int) -> None:
    from modwire_tools.gui.values import parse_register

    assert parse_register(text) == register


@pytest.mark.parametrize("text", ["65536", "-32769", "1.5", "", "ten"])
def test_what_is_no_register_is_said(text: str) -> None:
    from modwire_tools.gui.values import parse_register

    with pytest.raises(ValueError, match=r"must be 0\.\.65535"):
        parse_register(text)


@pytest.mark.parametrize(
    ("low", "high"),
    [(0.0, 1.0), (225.8, 234.2), (5.0, 5.0), (0.0, 0.0), (-3e9, 7e12), (1e-9, 2e-9)],
)
def test_a_scale_has_a_few_round_values_around_all(low: float, high: float) -> None:
    from modwire_tools.gui.trend_chart import value_ticks

    ticks = value_ticks(low, high, 5)
    assert 2 <= len(ticks) <= 8
    assert ticks[0] <= low
    assert ticks[-1] >= high
    assert ticks == sorted(set(ticks))


def test_two_thousand_rows_are_looked_up_only_where_they_are_seen(
    require_peer: RequirePeer,
) -> None:
    import tkinter as tk

    from modwire_tools.gui.columns import Column
    from modwire_tools.gui.lazy_rows import LazyRows, Row
    from modwire_tools.gui.theme import Theme

    display = virtual_display(require_peer)
    asked: list[int] = []

    def look_up(start: int, count: int) -> Sequence[Row]:
        asked.extend(range(start, start + count))
        return [Row((f"row {index}",)) for index in range(start, start + count)]

    root = tk.Tk(screenName=display)
    try:
        rows = LazyRows(root, Theme(root), [Column("Row", 20, stretch=True)], look_up)
        rows.pack(fill="both", expand=True)
        root.geometry("300x400")
        root.update()
        rows.set_count(2000)
        give_up = monotonic() + 30
        while len(rows.tree.get_children()) != 2000:
            assert monotonic() < give_up
            root.update()
        rows.refresh()
        assert rows.texts(0) == ("row 0",)
        assert len(set(asked)) < 60
        rows.select(1999)
        root.update()
        assert rows.texts(1999) == ("row 1999",)
        assert rows.selected == 1999
        assert len(set(asked)) < 120
        rows.set_count(5)
        root.update()
        assert len(rows.tree.get_children()) == 5
        assert rows.selected is None
    finally:
        root.destroy()
