"""Completion without a shell: words of unfinished lines, and what may come behind them."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modwire_command import process
from modwire_tools.cli.completing import find
from modwire_tools.cli.shell_scripts import install
from modwire_tools.cli.shell_words import Typed, quoted, split, unquoted

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\n\0"), max_size=20)


@given(words=st.lists(TEXT, max_size=4), last=TEXT)
def test_words_are_those_of_the_shell(words: list[str], last: str) -> None:
    line = " ".join(["modwire", *map(shlex.quote, words), shlex.quote(last)])
    found, typed = split(line)
    assert found == ["modwire", *words]
    assert typed.value == last
    assert typed.quote == ""
    assert split(f"{line} ") == (["modwire", *words, last], Typed())


@given(value=TEXT, quote=st.sampled_from(["", '"', "'"]))
def test_what_is_quoted_means_the_same(value: str, quote: str) -> None:
    """Also in an open quote, as long as it is open."""
    raw = quote + quoted(value, quote)
    assert unquoted(raw) == value
    if quote != "'":
        assert split(f"{raw}{quote} ")[0] == ([value] if value or quote else [])


@given(line=TEXT)
def test_any_line_has_words(line: str) -> None:
    words, typed = split(line)
    assert all(isinstance(each, str) for each in [*words, *typed])


@pytest.mark.parametrize(
    ("line", "words", "typed"),
    [
        ("modwire re", ["modwire"], Typed("re", "re", "")),
        ("echo x | modwire re", ["modwire"], Typed("re", "re", "")),
        ("a && modwire ", ["modwire"], Typed()),
        ("modwire 'rtu:///x?", ["modwire"], Typed("'rtu:///x?", "rtu:///x?", "'")),
        ('modwire "a\\"b', ["modwire"], Typed('"a\\"b', 'a"b', '"')),
        ("modwire a\\ b", ["modwire"], Typed("a\\ b", "a b", "")),
        ("modwire a\\", ["modwire"], Typed("a\\", "a", "")),
    ],
)
def test_a_line_that_is_not_finished(line: str, words: list[str], typed: Typed) -> None:
    assert split(line) == (words, typed)


def values(*words: str) -> list[str]:
    return [value for value, _ in find(words[:-1], words[-1]).values]


def test_commands_and_options_are_offered() -> None:
    assert values("sca") == ["scan"]
    assert "--version" in values("--")
    assert values("read", "--verb") == ["--verbose"]
    assert values("no-such-command", "x") == []
    assert "--install-completion" in values("--i")


def test_values_are_those_of_the_argument_or_the_option() -> None:
    assert values("read", "tcp://x", "h") == ["hr:"]
    assert values("read", "--unit", "3", "tcp://x", "h") == ["hr:"]
    assert values("read", "tcp://x", "hr:0", "co:1", "d") == ["di:"]
    assert values("read", "tcp://x", "hr:0", "--order", "C") == ["CDAB"]
    assert values("read", "tcp://x", "hr:0", "--order=C") == ["--order=CDAB"]
    assert values("read", "tcp://x", "hr:0", "--type", "uint1") == ["uint16"]
    assert values("scan", "tcp://x", "--table", "h") == ["hr"]
    assert values("read", "tcp://x", "hr:0", "--json", "h") == ["hr:"], "a flag has no value"
    assert values("gateway", "tcp://x", "rtu+t") == ["rtu+tcp://", "rtu+tls://"]
    assert values("bench", "tcp://x", "x") == [], "there is no second argument"


def test_what_goes_on_has_no_space_behind_it() -> None:
    for words in (("read", "ud"), ("read", "tcp://x", "h"), ("read", "tcp://x", "hr:0/fl")):
        assert find(words[:-1], words[-1]).is_open
    for words in (
        ("re",),
        ("read", "tcp://x", "hr:0", "--type", "fl"),
        ("scan", "x", "--table", "h"),
    ):
        assert not find(words[:-1], words[-1]).is_open


def test_files_are_offered_where_there_can_be_files() -> None:
    for words in (
        ("simulate", ""),
        ("read", "--device", ""),
        ("scrape", "tcp://x", "-o", ""),
        ("sniff", "bus"),
        ("parse", ""),
        ("scan", "tcp://x", "--resume", ""),
    ):
        assert find(words[:-1], words[-1]).files, words
    for words in (("read", "x"), ("read", "tcp://x", "hr:0", "--count", ""), ("gateway", "x")):
        assert not find(words[:-1], words[-1]).files, words


def test_points_are_offered_by_name(tmp_path: Path) -> None:
    path = tmp_path / "meter.toml"
    path.write_text('[[unit]]\nid = 1\n[[unit.point]]\nname = "voltage"\nat = "ir:0"\n')
    assert values("read", "--device", str(path), "vol") == ["voltage"]
    assert values("write", "tcp://x", f"--device={path}", "vol") == ["voltage"]
    assert values("scan", "--device", str(path), "vol") == []
    assert values("read", "--device", str(tmp_path / "no.toml"), "vol") == []
    path.write_text("this is no device")
    assert values("read", "--device", str(path), "vol") == []


def test_the_scripts_are_shown_by_name() -> None:
    for shell, said in (
        ("bash", "complete -F"),
        ("zsh", "#compdef modwire"),
        ("fish", "complete -c"),
    ):
        result = process("--show-completion", shell)
        assert said in result.out
        assert (result.err, result.code) == ("", 0)
    result = process("--show-completion", "tcsh")
    assert result.err == "modwire: --show-completion must be one of bash, zsh, fish, got 'tcsh'\n"
    assert result.code == 2


def test_a_settings_file_keeps_what_it_has(tmp_path: Path) -> None:
    (tmp_path / ".bashrc").write_text("alias ll='ls -l'")
    for _ in range(2):
        assert install("bash", tmp_path) == tmp_path / ".bash_completions" / "modwire.sh"
    assert (tmp_path / ".bashrc").read_text() == (
        "alias ll='ls -l'\nsource ~/.bash_completions/modwire.sh\n"
    )
