"""Parts of the window: values as they are shown and typed, and the choice of a toolkit."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from modwire_tools.gui.toolkits import find_toolkit
from modwire_tools.gui.values import editor_label, plain_label, shown, typed
from modwire_tools.simulator.view import PointInfo


def _point(kind: str, value: object) -> PointInfo:
    return PointInfo("p", "holding_registers", 0, 1, kind, "", value, "", False)


@pytest.mark.parametrize(
    ("name", "unit", "label", "plain"),
    [
        ("speed", "1/min", "&Value of speed (1/min)", "Value of speed (1/min)"),
        ("heat & cold", "", "&Value of heat && cold", "Value of heat & cold"),
        ("a\u202eb\n", "", "&Value of a?b?", "Value of a?b?"),
        ("x" * 50, "V", f"&Value of {'x' * 29}...", f"Value of {'x' * 29}..."),
    ],
)
def test_names_of_points_do_no_harm_to_the_form(
    name: str, unit: str, label: str, plain: str
) -> None:
    """An & was taken for the letter of a key, and a long name left no room for the buttons."""
    assert editor_label(name, unit) == label
    assert plain_label(label) == plain


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
    found = typed(_point(kind, None), text)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("kind", "text"), [("uint16", ""), ("float32", "12 V"), ("bits", "012"), ("bool", "maybe")]
)
def test_what_is_no_value_is_said(kind: str, text: str) -> None:
    with pytest.raises(ValueError, match=f"got {text!r}$"):
        typed(_point(kind, None), text)


def _refuse(name: str, version: str) -> None:
    raise ValueError(f"Namespace {name} not available")


def _have(monkeypatch: pytest.MonkeyPatch, **modules: object) -> None:
    """Let Python have these modules of toolkits, and no others."""
    for name in ("tkinter", "gi", "wx"):
        monkeypatch.setitem(sys.modules, name, modules.get(name))


@pytest.mark.parametrize(
    ("modules", "wanted", "found"),
    [
        (("tkinter", "gi", "wx"), None, "tk"),
        (("tkinter", "gi", "wx"), "wx", "wx"),
        (("gi", "wx"), None, "gtk"),
        (("wx",), None, "wx"),
    ],
)
def test_the_toolkit_that_is_there_is_taken(
    monkeypatch: pytest.MonkeyPatch, modules: tuple[str, ...], wanted: str | None, found: str
) -> None:
    gi = SimpleNamespace(require_version=lambda name, version: None)
    _have(monkeypatch, **dict.fromkeys(modules, gi))
    assert find_toolkit(wanted) == found  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        ("tk", "needs Tk, which this Python lacks; to install it: apt install python3-tk"),
        ("gtk", "needs GTK 3, .*: apt install python3-gi gir1.2-gtk-3.0, or pip install .*gtk"),
        ("wx", "needs wxPython, .*: apt install python3-wxgtk4.0, or pip install .*wx"),
        (None, "needs Tk, GTK 3 or wxPython, .* none of them; to install Tk: apt install python3-"),
    ],
)
def test_a_missing_toolkit_is_named_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch, wanted: str | None, sentence: str
) -> None:
    # PyGObject without the data of GTK is not enough.
    _have(monkeypatch, gi=SimpleNamespace(require_version=_refuse))
    with pytest.raises(ImportError, match=sentence):
        find_toolkit(wanted)  # type: ignore[arg-type]
