"""Tables that are drawn again and again: what fits a terminal, and a device that is dead."""

from __future__ import annotations

import io
import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from modwire import ResponseTimeoutError
from modwire_command import started
from modwire_tools.cli.live_table import LiveTable
from modwire_tools.cli.screen import Column, Sheet, fitted
from modwire_tools.client.reading import Outcome
from modwire_tools.values.item_texts import parse_item_text
from modwire_tools.values.items import Defaults
from peers import Peer, mbap, registers, tcp_server

pytestmark = pytest.mark.timeout(300)


def console(width: int, height: int) -> Console:
    return Console(file=io.StringIO(), width=width, height=height, force_terminal=False)


def drawn(sheet: Sheet, width: int, height: int, *, is_whole: bool = False) -> list[str]:
    on = console(width, height)
    on.print(fitted(sheet, on, is_whole=is_whole))
    assert isinstance(on.file, io.StringIO)
    return [line.rstrip() for line in on.file.getvalue().splitlines()]


COLUMNS = [
    Column("address"),
    Column("type", 1),
    Column("value", justify="right", least=10),
    Column("trend", 2, least=10, is_tail=True),
]
ROWS = [
    [f"hr:{row}", "uint16", str(1000 + row), "abcdefghijklmnopqrstuvwxyz"] for row in range(100)
]
SHEET = Sheet("tcp://plc", COLUMNS, ROWS, "read 7 times, Ctrl+C ends")


def test_a_high_terminal_shows_all() -> None:
    lines = drawn(SHEET, 100, 200)
    assert lines[0] == "tcp://plc"
    assert lines[1].split() == ["address", "type", "value", "trend"]
    assert len(lines) == 103
    assert lines[-1] == "read 7 times, Ctrl+C ends"


def test_a_short_terminal_shows_what_fits() -> None:
    lines = drawn(SHEET, 100, 24)
    assert len(lines) == 23, "one line is that of the cursor"
    assert lines[-2].startswith("hr:19 ")
    assert lines[-1] == "20 of 100 rows fit, read 7 times, Ctrl+C ends"


def test_the_end_has_all_rows() -> None:
    assert len(drawn(SHEET, 100, 24, is_whole=True)) == 103


def test_a_narrow_terminal_leaves_out_columns() -> None:
    assert drawn(SHEET, 60, 24)[1].split() == ["address", "type", "value", "trend"]
    lines = drawn(SHEET, 36, 24)
    assert lines[1].split() == ["address", "type", "value", "trend"]
    assert lines[2].endswith("  opqrstuvwxyz"), "the latest of a trend"
    assert drawn(SHEET, 30, 24)[1].split() == ["address", "type", "value"]
    assert drawn(SHEET, 16, 24)[1].split() == ["address", "value"]


@given(
    width=st.integers(10, 120),
    height=st.integers(2, 60),
    rows=st.integers(0, 80),
    caption=st.text("abc ,", max_size=200),
    alarm=st.text("no answer", max_size=200),
    value=st.text("0123456789é漢", max_size=60),
)
def test_any_terminal_shows_what_fits(
    width: int, height: int, rows: int, caption: str, alarm: str, value: str
) -> None:
    """Lines that are too long or too many would move the table at each drawing."""
    sheet = Sheet(
        "tcp://plc" * 9, COLUMNS, [["hr:0", "uint16", value, value]] * rows, caption, alarm
    )
    lines = drawn(sheet, width, height)
    assert len(lines) <= max(2, height - 1)
    assert all(cell_len(line) <= width for line in lines)
    if rows and height > 3:
        assert any(line.startswith("hr") for line in lines)


# A device that stops answering.

ITEMS = parse_item_text("ir:0").items(Defaults(count=3))
SILENCE = ResponseTimeoutError("tcp://plc:502: unit 1 did not answer within 1 s: nothing came")


def shown(table: LiveTable, width: int = 110, height: int = 24) -> str:
    return "\n".join(drawn(table.sheet, width, height))


def live_table() -> LiveTable:
    return LiveTable("tcp://plc:502", ITEMS, show_registers=True, on=console(110, 24))


def read(table: LiveTable, *values: int, now: float) -> None:
    outcomes = [Outcome(item, value, [value]) for item, value in zip(ITEMS, values, strict=True)]
    table.show(outcomes, None, 1, 0.1, now)


def test_a_dead_device_looks_dead() -> None:
    table = live_table()
    table.start(100.0)
    with suppress(Exception):
        read(table, 2304, 2311, 2297, now=100.0)
    read(table, 2400, 2311, 2297, now=101.0)
    assert "●" in shown(table)
    assert "NO ANSWER" not in shown(table)
    assert "+96" in shown(table)
    table.show(None, SILENCE, 3, 1.0, 113.0)
    text = shown(table)
    assert "NO ANSWER for 12 s: tcp://plc:502: unit 1 did not answer within 1 s" in text
    assert text.count("✗") == 3
    assert "was 2400" in text
    assert "●" not in text, "nothing has changed just now"
    assert not set("▁▂▃▄▅▆▇█") & set(text), "there is no trend"
    assert "0960" not in text
    read(table, 2401, 2311, 2297, now=114.0)
    assert "✗" not in shown(table)
    assert "NO ANSWER" not in shown(table)
    assert "1 failed" in shown(table)


def test_a_device_that_never_answered_looks_dead_too() -> None:
    table = live_table()
    table.start(100.0)
    table.show(None, SILENCE, 1, 1.0, 105.0)
    text = shown(table)
    assert "NO ANSWER for 5 s" in text
    assert text.count("no answer") == 3


def test_a_dead_device_looks_dead_on_a_short_terminal() -> None:
    table = live_table()
    table.start(100.0)
    read(table, 1, 2, 3, now=100.0)
    table.show(None, SILENCE, 1, 1.0, 105.0)
    lines = shown(table, 60, 4).splitlines()
    assert len(lines) == 3
    assert lines[-1].startswith("NO ANSWER for 5 s: ")


def stops_answering(peer: Peer) -> None:
    for value in (2304, 2305):
        peer.send(mbap(peer.request(12), registers(value, function_code=4)))
    peer.request(12)
    with suppress(AssertionError):  # the client asks again, or has gone
        while peer.receive():
            pass


def test_a_device_that_stops_answering_is_seen_on_the_terminal() -> None:
    with tcp_server(stops_answering) as port:
        endpoint = f"tcp://127.0.0.1:{port}?timeout=0.5"
        with started(
            "read", endpoint, "ir:0", "--watch", "20ms", terminal=True, size=(10, 90)
        ) as live:
            live.read_until("2305")
            live.read_until("was 2305")
            live.read_until("NO ANSWER for ")
            assert live.interrupt() == 130
    assert "Traceback" not in live.text


def test_a_device_that_stops_answering_is_in_json_and_csv() -> None:
    for option, said in (
        ("--json", '"error": ".* did not answer'),
        ("--csv", r"\nT,ir:0,uint16,,.*did not"),
    ):
        with tcp_server(stops_answering) as port:
            endpoint = f"tcp://127.0.0.1:{port}?timeout=0.2"
            with started("read", endpoint, "ir:0", "--watch", "20ms", option) as watching:
                watching.read_until("2305")
                watching.read_until(said.replace("T", r"[\d:.T+-]+"))
                assert watching.interrupt() == 130


def test_a_short_terminal_shows_many_values(endpoint: str) -> None:
    many = ("read", endpoint, "hr:0", "--count", "40", "--watch", "20ms")
    with started(*many, terminal=True, size=(10, 100)) as live:
        live.read_until("6 of 40 rows fit, read 3 times")
        frame = re.split(r"\x1b\[\?25l|\x1b\[1A\x1b\[2K(?!\r?\x1b\[1A)", live.text)[-2]
        assert "hr:5" in frame
        assert "hr:39" not in frame
        assert live.interrupt() == 130
        assert "hr:39" in live.text, "the whole table stays at the end"
