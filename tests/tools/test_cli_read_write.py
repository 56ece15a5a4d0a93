"""`modwire read` and `modwire write` with a device, and their output."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
import subprocess
from typing import Any

import pytest

from modwire import SequentialBlock, Unit, Units
from modwire_command import COMMAND, good, modwire, process, started
from modwire_sync import TcpServer

# Starting a process takes seconds on a busy machine.
pytestmark = pytest.mark.timeout(300)


def test_values_are_lines_for_other_programs(endpoint: str) -> None:
    out = good("read", endpoint, "30001", "ir:8/float32", "di:0", "hr:0x1E/string:8")
    assert out == "ir:0\t2304\nir:8/float32\t3218.25\ndi:0\ton\nhr:30/string:8\tpump\n"


def test_options_say_what_the_values_are(endpoint: str, device: Unit) -> None:
    assert device.holding_registers is not None
    for address, value in enumerate([0x2400, 0x4549], 10):
        device.holding_registers.write(address, [value])
    out = good("read", endpoint, "hr:10", "--type", "float32", "--word-order", "little")
    assert out == "hr:10\t3218.25\n"
    assert good("read", endpoint, "hr:10/float32", "--order", "cdab") == "hr:10/float32\t3218.25\n"
    assert good("read", endpoint, "ir:0", "-n", "3", "--scale", "0.1") == (
        "ir:0\t230.4\nir:1\t231.1\nir:2\t229.7\n"
    )
    assert good("read", endpoint, "ir:0", "--byte-order", "little") == "ir:0\t9\n"


def test_registers_are_shown_in_hexadecimal(endpoint: str) -> None:
    assert good("read", endpoint, "ir:8/float32", "di:0", "--hex") == (
        "ir:8/float32\t3218.25\t4549 2400\ndi:0\ton\t1\n"
    )


def test_json_is_json(endpoint: str) -> None:
    out = good("read", endpoint, "ir:0", "di:0/bitx3", "hr:0/float64", "hr:30/string:4", "--json")
    assert json.loads(out) == [
        {"address": "ir:0", "type": "uint16", "value": 2304},
        {"address": "di:0", "type": "bitx3", "value": [True, False, True]},
        {"address": "hr:0", "type": "float64", "value": 0.0},
        {"address": "hr:30", "type": "string:4", "value": "pump"},
    ]


def test_what_json_cannot_have_is_text(endpoint: str, device: Unit) -> None:
    assert device.holding_registers is not None
    device.holding_registers.write(20, [0x7F80, 0, 0x7FC0, 0])
    out = good("read", endpoint, "hr:20/float32x2", "--json", "--hex")
    assert json.loads(out) == [
        {
            "address": "hr:20",
            "type": "float32x2",
            "value": ["inf", "nan"],
            "registers": "7F80 0000 7FC0 0000",
        }
    ]


def test_csv_is_csv(endpoint: str) -> None:
    result = modwire("read", endpoint, "ir:0/uint16x2", "ir:99", "--csv", "--hex")
    head, first, second = csv.reader(io.StringIO(result.out))
    assert head == ["time", "address", "type", "value", "registers", "error"]
    assert first[1:] == ["ir:0", "uint16x2", "2304, 2311", "0900 0907", ""]
    assert second[1:] == ["ir:99", "uint16", "", "", "exception 02 (illegal data address)"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", first[0])


def test_what_cannot_be_read_takes_nothing_from_the_others(endpoint: str) -> None:
    result = modwire("read", endpoint, "hr:0", "hr:60", "hr:30/string:4", "hr:100")
    assert result.out == "hr:0\t0\nhr:30/string:4\tpump\nhr:100\t0\n"
    assert result.err == (
        "modwire: 1 of 4 addresses could not be read: hr:60: exception 02 (illegal data address)\n"
    )
    assert result.code == 1
    found = json.loads(modwire("read", endpoint, "hr:0", "hr:60", "--json").out)
    assert found[1]["error"] == "exception 02 (illegal data address)"


def test_what_is_no_value_of_the_type_is_said(endpoint: str) -> None:
    result = modwire("read", endpoint, "ir:2/bcd:4")
    assert (result.out, result.code) == ("", 1)
    assert "BCD must have half-bytes 0..9" in result.err


def test_many_values_take_few_requests(endpoint: str, device: Unit) -> None:
    before = device.server_message_count
    good("read", endpoint, *[f"hr:{address}" for address in range(0, 50, 3)], "ir:0", "ir:9")
    assert device.server_message_count - before == 2


def test_watching_gives_lines_for_other_programs(endpoint: str) -> None:
    watch = ("--watch", "5ms", "--times", "3")
    lines = good("read", endpoint, "ir:0", *watch).splitlines()
    assert [line.split("\t")[1:] for line in lines] == [["ir:0", "2304"]] * 3
    objects = [
        json.loads(line) for line in good("read", endpoint, "ir:0", *watch, "--json").splitlines()
    ]
    assert [each["values"] for each in objects] == [
        [{"address": "ir:0", "type": "uint16", "value": 2304}]
    ] * 3
    assert objects[0]["time"] <= objects[1]["time"] <= objects[2]["time"]
    rows = list(csv.reader(io.StringIO(good("read", endpoint, "ir:0", *watch, "--csv"))))
    assert [row[1] for row in rows] == ["address", "ir:0", "ir:0", "ir:0"]


def test_watching_ends_with_an_error_if_the_last_reading_has_one(endpoint: str) -> None:
    result = modwire("read", endpoint, "ir:0", "ir:99", "--watch", "5ms", "--times", "2")
    assert len(result.out.splitlines()) == 2
    assert "1 of 2 addresses could not be read: ir:99" in result.err
    assert result.code == 1


def test_watching_says_what_cannot_be_read_before_it_ends(endpoint: str) -> None:
    """It says it once at the start, because Ctrl+C would skip a message at the end."""
    with started("read", endpoint, "ir:0", "ir:99", "--watch", "5ms") as watching:
        watching.read_until("modwire: ir:99: exception 02 ")
        watching.read_until(r"(?s)modwire:.*(\tir:0\t2304\n.*){3}")
        assert watching.interrupt() == 130
    assert watching.text.count("modwire:") == 1


def test_a_terminal_gets_a_live_table(endpoint: str, device: Unit) -> None:
    arguments = ("read", endpoint, "ir:0", "ir:99", "--watch", "20ms", "--hex")
    with started(*arguments, terminal=True) as live:
        live.read_until("2304")
        live.read_until("trend")
        assert device.input_registers is not None
        device.input_registers.write(0, [2400])
        live.read_until("●.*2400")
        live.read_until("exception 02")
        live.read_until("▁.*█")
        assert "\x1b[?25l" in live.text  # the cursor is hidden
        assert live.interrupt() == 130
        assert live.text.rindex("\x1b[?25h") > live.text.rindex("\x1b[?25l")
        assert "Traceback" not in live.text
    device.input_registers.write(0, [2304])


def test_the_live_table_has_a_row_and_a_trend_for_each_value(endpoint: str) -> None:
    arguments = ("read", endpoint, "ir:0", "--count", "3", "--watch", "20ms")
    with started(*arguments, terminal=True) as live:
        for row in ("ir:0 .*2304 ", "ir:1 .*2311 ", "ir:2 .*2297 "):
            live.read_until(row + ".*▁▁")
        assert live.interrupt() == 130
    assert "Traceback" not in live.text


def test_without_colour_there_is_none(endpoint: str) -> None:
    arguments = ("read", endpoint, "ir:0", "ir:99", "--watch", "5ms", "--times", "2")
    with started(*arguments, terminal=True, NO_COLOR="1") as live:
        assert live.wait() == 1
    assert "2304" in live.text
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", live.text)


def test_a_terminal_gets_a_table(endpoint: str) -> None:
    with started("read", endpoint, "ir:0", "di:0", terminal=True) as shown:
        assert shown.wait() == 0
    assert re.search(r"ir:0 +2304", shown.text)


def test_the_text_of_a_device_does_not_move_the_cursor(endpoint: str, device: Unit) -> None:
    assert device.holding_registers is not None
    device.holding_registers.write(20, [0x1B5B, 0x324A, 0xC3A9, 0x0A09])
    assert good("read", endpoint, "hr:20/string:8") == "hr:20/string:8\t\\x1b[2J\u00e9\\n\\t\n"
    with started("read", endpoint, "hr:20/string:8", terminal=True) as shown:
        assert shown.wait() == 0
    assert "\x1b[2J" not in shown.text


def test_what_a_terminal_cannot_show_ends_nothing(endpoint: str, device: Unit) -> None:
    assert device.holding_registers is not None
    device.holding_registers.write(20, [0xC3A9])
    result = process("read", endpoint, "hr:20/string:2", PYTHONIOENCODING="ascii")
    assert result == ("hr:20/string:2\t\\xe9\n", "", 0)


def test_values_that_are_longer_than_a_request_are_read_in_parts(
    endpoint: str, device: Unit
) -> None:
    assert device.coils is not None
    before = device.server_message_count
    block = device.input_registers
    device.input_registers = SequentialBlock(0, range(300))
    try:
        out = good("read", endpoint, "ir:0", "--count", "300", "--json")
    finally:
        device.input_registers = block
    assert [each["value"] for each in json.loads(out)] == list(range(300))
    assert device.server_message_count - before == 3


# Writing.


def test_what_is_written_is_said(endpoint: str, device: Unit) -> None:
    out = good(
        "write",
        endpoint,
        *("co:0=on", "co:1=1,0,1", "hr:0/float32=22.5", "hr:2=1,2,3"),
        *("hr:40/string:4=fan", "hr:45/bit:3=on", "--verify"),
    )
    assert out.splitlines() == [
        "co:0 = on",
        "co:1 = on, off, on",
        "hr:0/float32 = 22.5",
        "hr:2 = 1, 2, 3",
        "hr:40/string:4 = fan",
        "hr:45/bit:3 = on",
    ]
    assert device.coils is not None
    assert device.holding_registers is not None
    assert list(device.coils.read(0, 4)) == [1, 1, 0, 1]
    assert list(device.holding_registers.read(0, 5)) == [0x41B4, 0, 1, 2, 3]
    assert list(device.holding_registers.read(45, 1)) == [8]


def test_what_is_written_is_json_too(endpoint: str) -> None:
    out = good("write", endpoint, "hr:0=7", "--type", "int32", "--word-order", "little", "--json")
    assert json.loads(out) == [{"address": "hr:0", "type": "int32", "value": 7}]


def test_nothing_is_sent_unless_all_is_right(endpoint: str, device: Unit) -> None:
    before = device.server_message_count
    result = modwire("write", endpoint, "hr:0=1", "hr:1=65536")
    assert result.code == 2
    assert device.server_message_count == before


def test_a_refused_value_says_what_was_written(endpoint: str, device: Unit) -> None:
    result = modwire("write", endpoint, "hr:3=33", "hr:49=1", "hr:4=44")
    assert result == (
        "hr:3 = 33\n",
        "modwire: hr:49: exception 02 (illegal data address); the device does not have all of "
        "these addresses, or they cannot be written: try one lower (manuals often count from 1), "
        "or fewer at once; 1 of 3 values were written\n",
        1,
    )
    assert device.holding_registers is not None
    assert list(device.holding_registers.read(3, 2)) != [33, 44]


def test_a_value_that_the_device_does_not_keep_is_noticed(endpoint: str, device: Unit) -> None:
    block = device.holding_registers
    assert block is not None
    block.on_write = lambda address, values: block.__setitem__(address, 99)  # type: ignore[attr-defined]
    try:
        result = modwire("write", endpoint, "hr:6=7", "--verify")
    finally:
        block.on_write = None  # type: ignore[attr-defined]
    assert result.code == 1
    assert "hr:6 was written as 7 and reads as 99" in result.err


def test_long_values_are_written_in_parts(endpoint: str, device: Unit) -> None:
    from modwire_tools.client.writing import plan_write
    from modwire_tools.values.item_texts import parse_assignment

    numbers = ",".join(map(str, range(100)))
    requests = plan_write(parse_assignment(f"hr:0/float32={numbers}")).requests
    assert [len(request.encode()) for request in requests] == [6 + 2 * 122, 6 + 2 * 78]
    assert plan_write(parse_assignment("hr:0/bit:1=1")).requests[0].function_code == 22


@pytest.mark.parametrize(
    ("codes", "asked"),
    [
        ("5,6,15,16,22", [5, 15, 6, 16, 22]),
        ("15,16", [15, 15, 16, 16, 3, 16]),
        ("5,6", [5, 5, 5, 6, 6, 6, 3, 6]),
    ],
)
def test_only_the_functions_that_the_device_has_are_used(codes: str, asked: list[int]) -> None:
    seen: list[int] = []

    def note(peer: object, request: Any, response: object) -> None:
        seen.append(request.function_code)

    unit = Unit(
        coils=SequentialBlock(0, [False] * 8), holding_registers=SequentialBlock(0, [0] * 60)
    )
    unit.holding_registers.write(45, [0xF00F])
    with TcpServer(Units({1: unit}), ("127.0.0.1", 0), on_call=note) as server:
        host, port = server.address
        result = modwire(
            *("write", f"tcp://{host}:{port}", "co:0=on", "co:1=1,0", "hr:0=1", "hr:2=1,2"),
            *("hr:45/bit:5=on", "--functions", codes),
        )
    assert (result.code, result.err) == (0, "")
    assert seen == asked
    assert unit.holding_registers.read(45, 1) == (0xF02F,)


# As processes.


def test_the_commands_are_processes(endpoint: str) -> None:
    assert process("write", endpoint, "hr:7=77") == ("hr:7 = 77\n", "", 0)
    assert process("read", endpoint, "hr:7", "hr:60") == (
        "hr:7\t77\n",
        "modwire: 1 of 2 addresses could not be read: hr:60: exception 02 (illegal data address)\n",
        1,
    )


def test_who_has_read_enough_ends_the_command_quietly(endpoint: str) -> None:
    """This is the case of `modwire read ... | head -1`."""
    command = shlex.join([*COMMAND, "read", endpoint, "ir:0", "--watch", "5ms"])
    script = f"{command} | head -1; exit ${{PIPESTATUS[0]}}"
    ended = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60)
    assert ended.stdout.endswith("\tir:0\t2304\n")
    assert (ended.stderr, ended.returncode) == ("", 1)
