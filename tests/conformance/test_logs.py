"""Every adapter logs the same: the bytes on the wire, and events that the owner needs."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from .drivers.all import DRIVERS
from .drivers.base import Driver
from .players import plays
from .scenarios import server_limits, server_lines
from .scenarios.client_answers import answer, asked, read
from .scenarios.client_steps import ClientScenario, Expect, Result, Send, play_client
from .scenarios.server_functions import READ, READ_ANSWER, ask, one_device
from .scenarios.server_steps import Connect, ServerScenario, play_server

CLIENT = ClientScenario(
    "a read in two pieces, and two at once",
    [
        read("a", 5),
        Expect(asked(5)),
        Send(answer(5), size=6),
        Result("a", [5]),
        read("b", 6),
        read("c", 7),
        Expect(asked(6, 2) + asked(7, 3)),
        Send(answer(6, 2), answer(7, 3)),
        Result("b", [6]),
        Result("c", [7]),
    ],
    arguments={"max_in_flight": 2},
)
SERVER = ServerScenario("a read", [Connect("a"), *ask(READ, READ_ANSWER)], one_device)

both_ways = pytest.mark.parametrize("driver", DRIVERS, ids=lambda driver: driver.name)


def _told(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the log of the bytes, without the name of the peer, whose port differs."""
    records = [each for each in caplog.records if each.name == "modwire.wire"]
    assert all(each.levelno == logging.DEBUG for each in records)
    return [str(each.msg) % ("PEER", *_rest(each)) for each in records]


def _rest(record: logging.LogRecord) -> tuple[object, ...]:
    assert isinstance(record.args, tuple)
    return record.args[1:]


@both_ways
def test_client(driver: Driver, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="modwire.wire"):
        driver.run(lambda: play_client(driver, CLIENT, str(tmp_path)))
    assert _told(caplog) == [
        f"PEER: sent {asked(5).hex(' ')}",
        f"PEER: received {answer(5)[:6].hex(' ')}",
        f"PEER: received {answer(5)[6:].hex(' ')}",
        f"PEER: sent {asked(6, 2).hex(' ')}",
        f"PEER: sent {asked(7, 3).hex(' ')}",
        f"PEER: received {(answer(6, 2) + answer(7, 3)).hex(' ')}",
    ]


@both_ways
def test_server(driver: Driver, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="modwire.wire"):
        driver.run(lambda: play_server(driver, SERVER, str(tmp_path)))
    request, response = SERVER.steps[1].data, SERVER.steps[2].data  # type: ignore[attr-defined]
    assert _told(caplog) == [f"PEER sent {request.hex(' ')}", f"PEER gets {response.hex(' ')}"]


@both_ways
def test_nothing_is_logged_of_bytes_unless_asked_for(
    driver: Driver, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="modwire"):
        driver.run(lambda: play_client(driver, CLIENT, str(tmp_path)))
        driver.run(lambda: play_server(driver, SERVER, str(tmp_path)))
    assert not _told(caplog)


# Entries in the log for the owner of a server: scenario, level, and a part of each message.
COMPLAINTS = {
    "a peer that may not connect is closed at once": (logging.WARNING, "is not allowed to connect"),
    "a peer that may not ask on UDP is not answered": (logging.WARNING, "is not allowed to ask"),
    "if all connections are busy, a new one is turned away": (
        logging.WARNING,
        "all connections are busy",
    ),
    "if authorize fails, the answer is 04": (logging.ERROR, "failed"),
    "if on_call fails, the answer is sent all the same": (logging.ERROR, "failed"),
    "a late answer is not sent into another exchange": (
        logging.WARNING,
        "longer than the client waits",
    ),
}
COMPLAINED = [
    scenario
    for scenario in (*server_limits.scenarios(), *server_lines.scenarios())
    if scenario.name in COMPLAINTS
]


@pytest.mark.parametrize(("driver", "scenario"), plays(DRIVERS, COMPLAINED))
def test_complaints(
    driver: Driver, scenario: ServerScenario, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    level, text = COMPLAINTS[scenario.name]
    driver.run(lambda: play_server(driver, scenario, str(tmp_path)))
    told = [each for each in caplog.records if each.levelno >= logging.WARNING]
    assert told
    for record in told:
        assert (record.name, record.levelno) == ("modwire.server", level)
        assert text in record.getMessage()


@pytest.mark.parametrize("driver", DRIVERS, ids=lambda driver: driver.name)
def test_a_server_that_nothing_happens_to_does_not_complain(
    driver: Driver, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    driver.run(lambda: play_server(driver, SERVER, str(tmp_path)))
    assert [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING] == []
