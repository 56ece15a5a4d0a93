"""A client's log: a device that ends every connection does not fill it."""

from __future__ import annotations

import logging

import pytest

from modwire import ClientOptions, ReadHoldingRegistersRequest, TcpFraming
from modwire.client.link_log import LinkLog
from modwire.client.turns import Turns
from test_turns import ScriptedLink


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]


def test_a_device_that_answers_with_junk_writes_few_lines(
    caplog: pytest.LogCaptureFixture,
) -> None:
    turns: Turns[ScriptedLink, object] = Turns(
        "peer", TcpFraming, ClientOptions(), wake=lambda _: None, discard=lambda _: None
    )
    turns.log.start(logging.getLogger)
    for number in range(1000):
        now = 100.0 + number / 100
        link = ScriptedLink()
        turns.opened(link, now)
        exchange = turns.begin(ReadHoldingRegistersRequest(0), None, None, now)
        assert exchange is not None
        assert turns.step(exchange, now, link, b"\xff" * 300) is None
    [line] = lines(caplog)
    assert line.startswith("peer: the server sent bytes that are no Modbus frame: ")


def test_the_next_line_counts_those_that_were_left_out(caplog: pytest.LogCaptureFixture) -> None:
    log = LinkLog("peer")
    log.note("lost", is_warning=True, now=0.0)
    log.start(logging.getLogger)
    for now in (1.0, 2.0, 3.0, 11.5, 12.0):
        log.note("lost", is_warning=True, now=now)
    log.note("other", is_warning=True, now=12.0)
    log.note("interrupted", is_warning=True)
    log.note("interrupted", is_warning=True)
    log.note("lost", is_warning=True, now=0.5)  # the clock has started anew
    assert lines(caplog) == [
        "peer: lost",
        "peer: lost (2 more like this since the last line)",
        "peer: other",
        "peer: interrupted",
        "peer: interrupted",
        "peer: lost (1 more like this since the last line)",
    ]


def test_what_is_kept_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    log = LinkLog("peer")
    log.start(logging.getLogger)
    for number in range(1000):
        log.note(f"error {number}", is_warning=True, now=1.0)
    assert len(log._written) <= 64
    assert len(lines(caplog)) == 1000
