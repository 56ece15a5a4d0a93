"""Links that are lost while the command watches, and arguments that no user would type."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modwire import SequentialBlock, Unit, Units
from modwire_command import modwire, started
from modwire_sync import TcpServer

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]

CLOSED = "tcp://127.0.0.1:1"


def test_watching_goes_on_when_the_device_is_back() -> None:
    units = Units({1: Unit(holding_registers=SequentialBlock(0, [7] * 4))})
    with TcpServer(units, ("127.0.0.1", 0)) as server:
        host, port = server.address
        endpoint = f"tcp://{host}:{port}?timeout=0.2"
        with started("read", endpoint, "hr:0", "--watch", "50ms") as watching:
            watching.read_until(r"\thr:0\t7\n")
            server.shutdown()
            watching.read_until("modwire: tcp://.*(closed|refused|lost|reset)")
            before = len(watching.text)
            with TcpServer(units, (host, port)):
                while not re.search(r"\thr:0\t7\n", watching.text[before:]):
                    watching.read_until(rf"(?s).{{{len(watching.text) + 1}}}")
                assert watching.interrupt() == 130
            assert "Traceback" not in watching.text


WORDS = st.text(
    st.sampled_from("hrcodi:x/=,.-+0123456789 float32string bits\0\n\u00e9\u2603%?&#@[]*"),
    max_size=24,
)


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(["read", "write", "bench", "scan", "serve", "gateway"]),
    WORDS,
    st.sampled_from(
        ["", "--unit", "--type", "--count", "--scale", "--address", "--units", "--map"]
    ),
    WORDS,
)
def test_no_word_is_a_traceback(command: str, word: str, option: str, value: str) -> None:
    """Any arguments give a sentence and an exit code, or help."""
    # For commands that listen, the first word is always wrong, so that nothing is served for ever.
    place = [f"x{word}"] if command in ("serve", "gateway") else [CLOSED]
    words = [] if command in ("scan", "bench") else [word]
    result = modwire(command, *place, *words, *([option, value] if option else []))
    assert result.code in (0, 1, 2)
    if result.code:
        assert result.err.startswith("modwire: ")
