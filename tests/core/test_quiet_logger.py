"""A flood of bad requests cannot fill the log of a server, and does not hide the first ones."""

from __future__ import annotations

from modwire.server.peers import HostPort
from modwire.server.quiet_logger import PERIOD, QuietLogger


class Written:
    """A logger that keeps its lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 - the name of `logging`
        return True

    def debug(self, msg: str, *args: object) -> None:
        self.lines.append(msg % args)

    info = warning = debug

    def error(self, msg: str, *args: object, exc_info: BaseException | None = None) -> None:
        self.lines.append(f"{msg % args}: {exc_info!r}")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def quiet() -> tuple[QuietLogger, list[str], Clock]:
    written, clock = Written(), Clock()
    return QuietLogger(written, clock), written.lines, clock


def test_one_line_for_each_kind_peer_and_period_with_a_count() -> None:
    log, lines, clock = quiet()
    for port in range(1000):
        log.warning("%s is not allowed", HostPort("192.0.2.1", port))
        log.warning("%s is not allowed", HostPort("192.0.2.2", port))
        log.warning("%s is turned away", HostPort("192.0.2.1", port))
    assert lines == [
        "192.0.2.1:0 is not allowed",
        "192.0.2.2:0 is not allowed",
        "192.0.2.1:0 is turned away",
    ]
    clock.now = PERIOD
    log.warning("%s is not allowed", HostPort("192.0.2.1", 7))
    assert lines[3:] == ["192.0.2.1:7 is not allowed (999 more like this since the last line)"]


def test_forged_peers_fill_neither_the_log_nor_the_memory() -> None:
    log, lines, clock = quiet()
    for period in range(5):
        clock.now = period * PERIOD
        for each in range(20_000):
            log.warning("%s is not allowed", HostPort(f"10.0.{each >> 8}.{each & 0xFF}", 1))
    assert len(lines) <= 5 * 18
    assert "more like this" in lines[-1]
    assert len(log._lines) <= 40


def test_an_error_is_shown_once_with_its_traceback_and_another_one_too() -> None:
    log, lines, _ = quiet()
    for _ in range(50):
        log.error("unit %d failed", 1, exc_info=OSError("the disk is full"))
        log.error("unit %d failed", 1, exc_info=ValueError("no"))
    assert lines == [
        "unit 1 failed: OSError('the disk is full')",
        "unit 1 failed: ValueError('no')",
    ]


def test_debug_lines_pass_unchanged() -> None:
    log, lines, _ = quiet()
    for _ in range(3):
        log.debug("%s closed", "a")
    assert lines == ["a closed"] * 3
