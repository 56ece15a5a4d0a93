"""Advice can be pasted into a shell, and the command understands it there."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from modwire import Endpoint, Unit, Units
from modwire_command import modwire
from modwire_sync import TcpServer
from modwire_tools.cli.rewritten import in_framing, with_options, with_quirks
from modwire_tools.pasting import for_shell
from peers import Peer, mbap, registers, rtu, tcp_server

SHELLS = {"bash": ["bash", "-c"], "zsh": ["zsh", "-f", "-c"], "fish": ["fish", "--no-config", "-c"]}
WORDS = [
    "tcp://192.0.2.7:502?unit=1&timeout=5",
    "rtu:///dev/ttyUSB0?baudrate=9600&parity=N",
    "tcp://[::1]:502",
    "tcp://[fe80::1%25eth0]:502",
    "my meter.toml",
    "it's.toml",
    "$HOME.toml",
    "`id`",
    "a!b",
    'a"b',
    "~",
    "=ls",
    "*",
    "{a,b}",
    "#1",
    "(x)",
    "-",
    "",
]


def words_in(shell: str, line: str) -> list[str]:
    """Return the words of a command line as the shell gives them to a program."""
    script = f"printf '%s\\n' {line}"
    done = subprocess.run([*SHELLS[shell], script], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


@pytest.mark.parametrize("shell", SHELLS)
def test_a_word_stays_one_word(shell: str, require_peer: Callable[[str, bool, str], None]) -> None:
    require_peer(shell, shutil.which(shell) is not None, f"apt-get install {shell}")
    assert words_in(shell, " ".join(map(for_shell, WORDS))) == WORDS


printable = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]) | st.just(" "))


@given(words=st.lists(printable, min_size=1, max_size=20))
@example(words=["a\\", '"', "'", "$(id)", "!!"])
@settings(max_examples=30)
def test_any_word_stays_one_word(words: list[str]) -> None:
    assert words_in("bash", " ".join(map(for_shell, words))) == words


def test_plain_words_are_not_quoted() -> None:
    for word in ("tcp://192.0.2.7:502", "hr:16/float32", "meter.toml", "0..9", "/dev/ttyUSB0"):
        assert for_shell(word) == word


# Endpoints in hints are whole: what they had is kept.


def test_an_endpoint_in_other_frames_keeps_its_options() -> None:
    tcp = Endpoint.parse("tcp://plc:5020?unit=7&timeout=2&quirks=any_unit,zero_transaction_id")
    assert in_framing(tcp, "rtu") == '"rtu+tcp://plc:5020?unit=7&timeout=2"'
    line = Endpoint.parse("rtu:///dev/ttyUSB0?baudrate=9600&unit=17&tolerance=0.1")
    assert in_framing(line, "ascii") == '"ascii:///dev/ttyUSB0?baudrate=9600&unit=17"'
    assert in_framing(Endpoint.parse("tcp://plc"), "rtu") == "rtu+tcp://plc:502"


def test_a_changed_endpoint_keeps_its_options() -> None:
    line = Endpoint.parse("rtu:///dev/ttyUSB0?baudrate=9600&quirks=any_unit")
    expected = "rtu:///dev/ttyUSB0?baudrate=9600&pause=0.5&quirks=any_unit"
    assert with_options(line, pause=0.5) == f'"{expected}"'
    assert "any_unit,odd_confirmation" in with_quirks(line, "odd_confirmation")


# The hints of real failures.


def silent(peer: Peer) -> None:
    peer.request(12)
    peer.expect_end()


def answering(pdu: bytes, transaction: int | None = None) -> Callable[[Peer], None]:
    def script(peer: Peer) -> None:
        peer.send(mbap(peer.request(12), pdu, transaction=transaction))
        peer.expect_end()

    return script


FAILURES: list[Callable[[Peer], None]] = [
    silent,
    lambda peer: peer.send(rtu(1, registers(5))) if peer.request(12) else None,
    answering(registers(5), transaction=9),
    answering(b"\x83\x02"),
    answering(b"\x83\x05"),
    answering(b"\x83\x06"),
    answering(b"\x83\x0a"),
    answering(b"\x83\x0b"),
]
CODE = re.compile(r"`(modwire [^`]*)`")
ENDPOINT = re.compile(r"(?:use|try|as in) ((?:\"[^\"]*\")|(?:[a-z+]+://\S+))")


def check_hints(text: str, shell: str = "bash") -> int:
    """Paste the commands and the endpoints of a text; return their number."""
    assert not re.search(r"ENDPOINT|TABLE|UNIT|FILE", text), "a name to replace cannot be pasted"
    assert not re.search(r"\(\??[a-z_]+=", text), "an option without its endpoint cannot be pasted"
    commands = CODE.findall(text)
    for line in commands:
        _, *words = words_in(shell, line)
        # It stops the command after it has understood all words.
        assert modwire(*words, "--no-such-option").err.startswith("modwire: no such option: --no")
    endpoints = [found.strip(";,.)") for found in ENDPOINT.findall(text)]
    for each in endpoints:
        (word,) = words_in(shell, each)
        Endpoint.parse(word)
    return len(commands) + len(endpoints)


@pytest.mark.parametrize("script", FAILURES)
@pytest.mark.parametrize("options", ["?timeout=0.2", "?timeout=0.2&unit=7&quirks=any_unit"])
def test_the_hints_of_a_failed_read(script: Callable[[Peer], None], options: str) -> None:
    with tcp_server(script) as port:
        result = modwire("read", f"tcp://127.0.0.1:{port}{options}", "hr:5")
    assert result.code == 1
    assert check_hints(result.err) > 0, result.err


def test_the_hint_of_a_missing_address_finds_what_can_be_read(device: Unit) -> None:
    """It is the command of the hint, without a change."""
    with TcpServer(Units({7: device}), ("127.0.0.1", 0)) as server:
        host, port = server.address
        endpoint = f"tcp://{host}:{port}?timeout=20"
        result = modwire("read", endpoint, "ir:10", "--unit", "7")
        assert check_hints(result.err) == 1
        _, *words = words_in("bash", CODE.findall(result.err)[0])
        assert modwire(*words) == ("ir:0..9\t10\n", "", 0)


def test_the_hints_of_scans() -> None:
    with tcp_server(silent) as port:
        endpoint = f"tcp://127.0.0.1:{port}?unit=3&timeout=9"
        result = modwire("scan", endpoint, "--units", "1", "--timeout", "50ms")
    assert result.code == 1
    assert f'other frames: "rtu+tcp://127.0.0.1:{port}?unit=3&timeout=9"' in result.err


def test_a_file_with_a_space_is_quoted(endpoint: str, tmp_path: Path) -> None:
    path = tmp_path / "my meter.toml"
    result = modwire("scrape", endpoint, "-o", path, "--addresses", "0..9", "--unit", "1")
    assert result.code == 0
    _, *words = words_in("bash", result.err.partition("try: ")[2])
    assert words == ["simulate", str(path)]
