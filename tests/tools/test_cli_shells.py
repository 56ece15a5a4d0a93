"""Completion in real shells: keys are pressed in a pseudo-terminal, and words come out."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator

import pytest

from shell_terminal import SHELLS, ShellTerminal, shell_terminal

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(not hasattr(os, "openpty"), reason="there are no pseudo-terminals"),
]
METER = """
[[unit]]
id = 1
[[unit.point]]
name = "voltage_l1"
at = "ir:0"
[[unit.point]]
name = "active power"
at = "ir:8"
"""


@pytest.fixture(params=SHELLS, scope="module")
def shell(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    require_peer: Callable[[str, bool, str], None],
) -> Iterator[ShellTerminal]:
    """A terminal with the shell, in a folder with a device file."""
    name: str = request.param
    require_peer(name, shutil.which(name) is not None, f"apt-get install {name}")
    folder = tmp_path_factory.mktemp(name)
    with shell_terminal(name, folder) as terminal:
        (folder / "work" / "meter.toml").write_text(METER)
        yield terminal


WORDS = [
    # A space follows what is whole.
    ("modwire sca\ttcp://x", "modwire scan tcp://x"),
    ("modwire read tcp://x hr:0 --verb\tx", "modwire read tcp://x hr:0 --verbose x"),
    ("modwire scan tcp://x --parities a\tx", "modwire scan tcp://x --parities all x"),
    ("modwire generate read_fif\t--json", "modwire generate read_fifo_queue --json"),
    # None follows what goes on: tables, types, schemes.
    ("modwire read tcp://x h\t7", "modwire read tcp://x hr:7"),
    ("modwire read tcp://x hr:7/float\t32/CD\t", "modwire read tcp://x hr:7/float32/CDAB"),
    ("modwire write tcp://x hr:7/bcd\t=1", "modwire write tcp://x hr:7/bcd:4=1"),
    ("modwire read ud\tx", "modwire read udp://x"),
    ("modwire read rtu+tc\tx", "modwire read rtu+tcp://x"),
    ("modwire read tcp://x hr:0 --type floa\t64", "modwire read tcp://x hr:0 --type float64"),
    # Question marks and ampersands that the shell must not take for its own.
    ("modwire read tcp://x\\?time\t", "modwire read tcp://x?timeout=1"),
    ("modwire read rtu:///x\\?bau\t96\t\\&parity=N", "modwire read rtu:///x?baudrate=9600&parity=N"),
    ("modwire scan rtu:///x\\?stopb\t2", "modwire scan rtu:///x?stopbits=2"),
    ("modwire serve rtu:///x\\?silen\t hr", "modwire serve rtu:///x?silence=0.01 hr"),
    # Files, and names in them.
    ("modwire simulate me\t--devices", "modwire simulate meter.toml --devices"),
    ("modwire read --device me\tvol\t", "modwire read --device meter.toml voltage_l1"),
    ("modwire read x --device=meter.toml v\t", "modwire read x --device=meter.toml voltage_l1"),
    # No files where there can be none.
    ("modwire read tcp://x hr:0 --count m\t", "modwire read tcp://x hr:0 --count m"),
    ("modwire read tcp://x m\t", "modwire read tcp://x m"),
]  # fmt: skip
# Fish expands a question mark itself, even in an open quote.
NOT_IN_FISH = [
    ("modwire read tcp://x?time\t", "modwire read tcp://x?timeout=1"),
    ("modwire read rtu:///dev/x?bau\t96\t", "modwire read rtu:///dev/x?baudrate=9600"),
    ('modwire read "tcp://x?retri\t&paus\t" h\t0', "modwire read tcp://x?retries=1&pause=0.1 hr:0"),
    (
        "modwire read 'rtu:///dev/x?baudrate=96\t&parity=N&unit=1' hr:0",
        "modwire read rtu:///dev/x?baudrate=9600&parity=N&unit=1 hr:0",
    ),
    (
        "modwire read 'tcp://x?quirks=any_unit,any_\t' hr:0",
        "modwire read tcp://x?quirks=any_unit,any_transaction_id hr:0",
    ),
    ("modwire gateway udp://x 'rtu:///y?par\tE'", "modwire gateway udp://x rtu:///y?parity=E"),
]  # fmt: skip


@pytest.mark.parametrize(("keys", "words"), WORDS, ids=[each[0] for each in WORDS])
def test_a_word_is_completed(shell: ShellTerminal, keys: str, words: str) -> None:
    assert shell.words(keys) == words.split()


@pytest.mark.parametrize(("keys", "words"), NOT_IN_FISH, ids=[each[0] for each in NOT_IN_FISH])
def test_a_word_in_quotes_is_completed(shell: ShellTerminal, keys: str, words: str) -> None:
    if shell.name == "fish":
        pytest.skip("fish expands question marks in place of completing the word")
    assert shell.words(keys) == words.split()


def test_several_values_are_listed(shell: ShellTerminal) -> None:
    shell.listed("modwire read tcp://x hr:3/float\t\t", "float16", "float32", "float64")
    shell.listed("modwire read tcp://x\\?quirks=any_\t\t", "any_transaction_id", "any_unit")


def test_the_script_is_installed_once(shell: ShellTerminal) -> None:
    """The fixture has installed it twice."""
    home = shell.home
    settings = {"bash": ".bashrc", "zsh": ".zshrc"}.get(shell.name)
    if settings is not None:
        assert len((home / settings).read_text().splitlines()) == 1
    scripts = [
        path for path in home.rglob("*modwire*") if path.is_file() and "bin" not in path.parts
    ]
    assert len(scripts) == 1
