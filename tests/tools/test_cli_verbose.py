"""`--verbose` shows the bytes on the wire, and only then something of the client's log is shown."""

from __future__ import annotations

import logging
import re

import pytest

from modwire_command import modwire

_TIME = r"\d\d:\d\d:\d\d\.\d{6}"


@pytest.mark.parametrize("flag", ["-v", "--verbose"])
def test_read_shows_the_bytes(endpoint: str, flag: str) -> None:
    result = modwire("read", endpoint, "hr:0", flag)
    quiet = modwire("read", endpoint, "hr:0")
    assert (result.out, result.code) == (quiet.out, 0)
    assert quiet.err == ""
    # The server in this process logs its bytes too.
    name = endpoint.partition("?")[0]
    opened, sent, received, closed = [each for each in result.err.splitlines() if name in each]
    place = re.escape(name)
    assert re.fullmatch(rf"{_TIME} {place}: opened", opened)
    assert re.fullmatch(rf"{_TIME} {place}: sent 00 01 00 00 00 06 01 03 00 00 00 01", sent)
    assert re.fullmatch(
        rf"{_TIME} {place}: received 00 01 00 00 00 05 01 03 02 \w\w \w\w", received
    )
    assert closed.endswith(f"{name}: the client was closed")


def test_write_and_scan_show_the_bytes(endpoint: str) -> None:
    result = modwire("write", endpoint, "hr:1=258", "-v")
    assert re.search(r": sent 00 01 00 00 00 06 01 06 00 01 01 02\n", result.err)
    assert result.out == "hr:1 = 258\n"
    for options in (("--units", "1"), ("--table", "hr", "--addresses", "0..3")):
        result = modwire("scan", endpoint, *options, "-v", "--json")
        assert result.err.count(": sent ") == result.err.count(": received ") > 0
        assert "sent" not in result.out


def test_the_log_is_as_before_afterwards(endpoint: str) -> None:
    names = ("modwire.wire", "modwire.client")
    before = [
        (each.level, each.propagate, list(each.handlers)) for each in map(logging.getLogger, names)
    ]
    modwire("read", endpoint, "hr:0", "-v")
    modwire("read", "tcp://127.0.0.1:1", "hr:0", "-v")
    after = [
        (each.level, each.propagate, list(each.handlers)) for each in map(logging.getLogger, names)
    ]
    assert before == after


def test_an_error_is_said_once() -> None:
    """The client logs a link that cannot be opened, but the command says it."""
    result = modwire("read", "tcp://127.0.0.1:1", "hr:0")
    assert result.err.count("\n") == 1
    assert result.err.startswith("modwire: ")
