"""`modwire gui`: its options and its help."""

from __future__ import annotations

import sys

import pytest

from modwire_tools.cli import main


def _run(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], *arguments: str
) -> tuple[object, str, str]:
    """Run a command that ends before it opens a window; returns exit code and output."""
    monkeypatch.setattr(sys, "argv", ["modwire", "gui", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code, *capfd.readouterr()


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ("--port=70000", "--port must be a whole number, 0..65535, got '70000'"),
        ("--devices=0", "--devices must be a whole number, 1..65535, got '0'"),
        ("--consecutive=units", "--consecutive: 'units' is not one of 'ports', 'addresses'"),
        ("--toolkit=qt", "--toolkit: 'qt' is not one of 'tk', 'gtk', 'wx'"),
    ],
)
def test_a_wrong_option_is_named(
    option: str,
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert _run(monkeypatch, capfd, option) == (2, "", f"modwire: {sentence}\n")


def test_help_has_an_example(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    code, output, _ = _run(monkeypatch, capfd, "--help")
    assert code == 0
    assert "modwire gui device.toml --port 5021 --devices 3 --start" in output
