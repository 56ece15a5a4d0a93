"""`modwire scan` and `modwire bench`, and their output."""

from __future__ import annotations

import json
import os
import re
import termios
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep

import pytest

from modwire import FaultyResponse, SequentialBlock, Unit, Units
from modwire_command import PATIENCE, good, modwire, process, started
from modwire_sync import SerialServer, TcpServer
from modwire_tools.demo.line import serial_line
from peers import Peer, mbap, registers, rtu, tcp_server, tcp_service
from peers import serial_line as scripted_line

# Starting a process takes seconds on a busy machine.
pytestmark = pytest.mark.timeout(300)

has_ptys = pytest.mark.skipif(not hasattr(os, "openpty"), reason="there are no pseudo-terminals")

IDENTITY = {
    "vendor_name": "ACME",
    "product_code": "M1",
    "major_minor_revision": "1.0",
    "server_id": "modwire",
    "run_indicator": "on",
}


def test_units_are_found_and_identified(endpoint: str) -> None:
    scan = ("scan", endpoint, "--units", "1")
    assert good(*scan) == (
        f"1\t{endpoint}\tvendor_name ACME, product_code M1, major_minor_revision 1.0, "
        "server_id modwire, run_indicator on\n"
    )
    assert json.loads(good(*scan, "--json")) == [
        {"unit": 1, "endpoint": endpoint, "identity": IDENTITY}
    ]


def test_nothing_found_says_what_to_try(endpoint: str) -> None:
    result = modwire("scan", endpoint, "--units", "7", "--timeout", "20ms", "--json")
    assert (result.out, result.code) == ("[]\n", 1)
    assert result.err.startswith("modwire: no unit answers; try a longer --timeout, another port")


def test_readable_ranges_are_found(endpoint: str) -> None:
    scan = ("scan", endpoint, "--addresses", "0..150", "--table", "hr", "--table", "di")
    assert good(*scan) == "hr:0..49\t50\nhr:100..100\t1\ndi:0..2\t3\n"
    assert json.loads(good(*scan, "--json")) == [
        {"table": "holding_registers", "first": 0, "last": 49, "count": 50},
        {"table": "holding_registers", "first": 100, "last": 100, "count": 1},
        {"table": "discrete_inputs", "first": 0, "last": 2, "count": 3},
    ]
    result = modwire("scan", endpoint, "--addresses", "60..70", "--table", "hr")
    assert (result.out, result.code) == ("", 1)
    assert result.err == "modwire: nothing can be read among the holding registers\n"
    result = modwire("scan", endpoint, "--addresses", "60..70", "--table", "hr", "--table", "co")
    assert (result.out, result.code) == ("", 1)
    assert result.err == "modwire: nothing can be read among the holding registers and the coils\n"


def test_a_scan_of_a_silent_unit_fails_and_keeps_nothing(endpoint: str, tmp_path: Path) -> None:
    """Its table must not count as empty, not even in the same scan on another day."""
    path = tmp_path / "scan.json"
    scan = ("scan", endpoint, "--table", "hr", "-u", "9", "--timeout", "10ms", "--resume", path)
    for _ in range(2):
        result = modwire(*scan)
        assert (result.out, result.code) == ("", 1)
        assert f"modwire: {endpoint}: unit 9 did not answer; check the unit (`modw" in result.err


def test_a_scan_that_was_interrupted_goes_on(endpoint: str, device: Unit, tmp_path: Path) -> None:
    path = tmp_path / "scan.json"
    scan = ("scan", endpoint, "--table", "hr", "--addresses", "0..999", "--resume", path)
    with started(*scan, "--delay", "60ms", terminal=True) as scanning:
        scanning.read_until(r"holding registers \d\d")
        assert scanning.interrupt() == 130
        assert "Traceback" not in scanning.text
        assert "\x1b[?25h" in scanning.text  # the cursor is visible again
    state = json.loads(path.read_text())["tables"][0]
    assert 0 < state["position"] <= 999
    before = device.server_message_count
    assert good(*scan) == "hr:0..49\t50\nhr:100..100\t1\n"
    assert device.server_message_count - before <= 1000 - state["position"] + 20
    before = device.server_message_count
    assert good(*scan) == "hr:0..49\t50\nhr:100..100\t1\n"  # it is in the state file
    assert device.server_message_count == before


@has_ptys
def test_the_settings_of_a_line_are_found() -> None:
    """The device responds only at 9600 baud, like a real one."""
    unit = Unit(holding_registers=SequentialBlock(0, [0]))
    with serial_line() as (here, there):

        class Slow(Unit):
            def execute(self, request, *, broadcast=False):  # type: ignore[no-untyped-def]
                descriptor = os.open(here, os.O_RDWR | os.O_NOCTTY)
                speed = termios.tcgetattr(descriptor)[4]
                os.close(descriptor)
                right = speed == termios.B9600
                return unit.execute(request) if right else FaultyResponse(None)

        with SerialServer(Units({17: Slow()}), there):
            out = good(
                *("scan", f"rtu://{here}", "--units", "17", "--timeout", "3s"),
                *("--baudrates", "19200,9600,4800", "--parities", "E,N", "--json"),
            )
    (found,) = json.loads(out)
    assert found["unit"] == 17
    assert found["endpoint"] == f"rtu://{here}?baudrate=9600"
    assert found["identity"] == {"server_id": "modwire", "run_indicator": "on"}


def test_a_scan_is_a_process(endpoint: str) -> None:
    result = process("scan", endpoint, "--table", "di", "--addresses", "0..9")
    assert result == ("di:0..2\t3\n", "", 0)


# Benchmarks.


def test_a_benchmark_counts_what_it_asked(endpoint: str, device: Unit) -> None:
    before = device.server_message_count
    out = good("bench", endpoint, "--requests", "40", "-c", "2", "-p", "2", "-a", "ir:0", "--json")
    assert device.server_message_count - before == 40
    found = json.loads(out)
    assert (found["answered"], found["errors"]) == (40, {})
    assert found["requests_per_second"] == pytest.approx(40 / found["seconds"], rel=1e-3)
    milliseconds = found["milliseconds"]
    assert list(milliseconds) == ["min", "mean", "p50", "p90", "p99", "p99.9", "max"]
    assert milliseconds["min"] <= milliseconds["p50"] <= milliseconds["p99"] <= milliseconds["max"]


def test_a_benchmark_is_lines_and_a_plot(endpoint: str) -> None:
    out = good("bench", endpoint, "--requests", "30", "-a", "co:0", "-n", "20", "--plot")
    lines = dict(line.split("\t") for line in out.splitlines() if "\t" in line)
    assert lines["answered"] == "30"
    assert lines["request"] == "co:0 x 20"
    assert "requests by milliseconds" in out
    assert "█" in out
    assert "\x1b" not in out


def test_errors_are_counted_by_kind(endpoint: str) -> None:
    result = modwire("bench", endpoint, "-a", "hr:99", "--requests", "3")
    assert "errors\t3\nexception 02 (illegal data address)\t3\n" in result.out
    assert result.code == 1
    assert "nothing was answered: exception 02 (illegal data address)" in result.err
    endpoint = endpoint.replace("timeout=20", "timeout=0.02")
    silent = modwire("bench", endpoint, "-u", "9", "--requests", "2", "--json")
    assert json.loads(silent.out)["errors"] == {"timeout": 2}


def test_a_scrape_that_knows_nothing_yet_says_that_there_is_no_file(tmp_path: Path) -> None:
    """Ctrl+C keeps the results so far, but before the first unit there are none."""
    path = tmp_path / "copy.toml"
    with TcpServer(Units({20: Unit()}), ("127.0.0.1", 0)) as server:
        endpoint = f"tcp://127.0.0.1:{server.address[1]}"
        scrape = ("scrape", endpoint, "-o", path, "--timeout", "2s")
        with started(*scrape, terminal=True) as scraping:
            scraping.read_until("is unit 2 there")
            assert scraping.interrupt() == 130
    assert "no file was written: the units are not known yet; --unit names them" in scraping.text
    assert not path.exists()


def test_an_interrupted_benchmark_says_what_was_measured(endpoint: str, device: Unit) -> None:
    before = device.server_message_count
    with started("bench", endpoint, "--duration", "1h", terminal=True) as measuring:
        measuring.read_until("measures tcp://.* for 3600 s")
        give_up = monotonic() + PATIENCE
        while device.server_message_count < before + 10:
            assert monotonic() < give_up
            sleep(0.01)  # there is no event for a changed counter
        assert measuring.interrupt() == 130
    assert re.search(r"answered +[1-9]", measuring.text)
    assert "requests by milliseconds" in measuring.text
    assert "Traceback" not in measuring.text


def answer_as_another(peer: Peer) -> None:
    """Answer unit 5 with the id 6, and nobody else."""
    for _ in range(2):
        request = peer.request(8)
        if request[0] == 5:
            peer.send(rtu(6, registers(7)))
    peer.expect_end()


def test_a_unit_that_answers_as_another_is_named() -> None:
    with tcp_server(answer_as_another) as port:
        endpoint = f"rtu+tcp://127.0.0.1:{port}"
        result = modwire("scan", endpoint, "--units", "4..5", "--timeout", "200ms")
    assert result.out == f"5\t{endpoint}\tanswered by unit 6\n"
    assert "use the id that it answers with" in result.err
    with tcp_server(answer_as_another) as port:
        endpoint = f"rtu+tcp://127.0.0.1:{port}"
        result = modwire("scan", endpoint, "--units", "4..5", "--timeout", "200ms", "--json")
    assert json.loads(result.out) == [
        {"unit": 5, "endpoint": endpoint, "identity": {}, "answered_by": 6}
    ]


@has_ptys
def test_reserved_unit_ids_of_a_line_are_scanned_and_read() -> None:
    """248..255 are reserved (Serial Line V1.02, section 2.2), but devices use them."""
    unit = Unit(holding_registers=SequentialBlock(0, [11]))
    with serial_line() as (here, there), SerialServer(Units({250: unit}), there):
        scan = ("scan", f"rtu://{here}", "--units", "249..251", "--timeout", "300ms", "--json")
        assert [each["unit"] for each in json.loads(good(*scan))] == [250]
        assert good("read", f"rtu://{here}", "hr:0", "--unit", "250") == "hr:0\t11\n"
        assert good("read", f"rtu://{here}?unit=250", "hr:0") == "hr:0\t11\n"
        assert modwire("read", f"rtu://{here}", "hr:0", "--unit", "0").code == 2


# Odd devices.


def test_a_unit_that_answers_late_is_named_and_no_other() -> None:
    """The transaction id tells that the answer belongs to the unit asked before."""

    def late(peer: Peer) -> None:
        first = peer.request(12)
        peer.request(12)
        peer.send(mbap(first, registers(7)))
        peer.expect_end()

    with tcp_server(late) as port:
        endpoint = f"tcp://127.0.0.1:{port}"
        result = modwire("scan", endpoint, "--units", "1..2", "--timeout", "3s")
    assert (result.out, result.code) == (f"1\t{endpoint}\tanswers late\n", 0)
    assert "modwire: unit 1 answers late: a longer --timeout is needed\n" in result.err
    assert "answered by" not in result.err


def test_a_late_answer_before_a_good_one_is_noticed() -> None:
    def late(peer: Peer) -> None:
        first, second = peer.request(12), peer.request(12)
        peer.send(mbap(first, registers(7)) + mbap(second, registers(7)))
        while data := peer.receive():
            peer.send(mbap(data, bytes([data[7] | 0x80, 1])))

    with tcp_server(late) as port:
        scan = ("scan", f"tcp://127.0.0.1:{port}", "--units", "1..2", "--timeout", "3s")
        found = json.loads(modwire(*scan, "--json").out)
    assert [(each["unit"], each.get("late")) for each in found] == [(2, None), (1, True)]


@has_ptys
def test_a_late_answer_on_a_line_is_not_that_of_the_next_unit() -> None:
    def late(peer: Peer) -> None:
        peer.request(8)
        peer.request(8)
        peer.send(rtu(1, registers(7)))

    with scripted_line(late) as path:
        endpoint = f"rtu://{path}"
        result = modwire("scan", endpoint, "--units", "1..2", "--timeout", "3s")
    assert (result.out, result.code) == (f"1\t{endpoint}\tanswers late\n", 0)
    assert "unit 1 answers late: a longer --timeout" in result.err


def answering(change: Callable[[bytes], bytes]) -> Callable[[Peer], None]:
    """Return a script that answers all requests."""

    def script(peer: Peer) -> None:
        while data := peer.receive():
            peer.send(change(data))

    return script


def refusal(request: bytes) -> bytes:
    return bytes([request[7] | 0x80, 1])


def test_answers_that_are_not_right_are_not_hidden() -> None:
    script = answering(lambda request: mbap(request, registers(7), transaction=0))
    with tcp_service(script) as port:
        scan = ("scan", f"tcp://127.0.0.1:{port}?retries=0", "--units", "1..3")
        result = modwire(*scan, "--timeout", "100ms")
    assert (result.out, result.code) == ("", 1)
    assert "no unit answers" not in result.err
    assert result.err.count("transaction id 0") == 1
    assert f'"tcp://127.0.0.1:{port}?retries=0&quirks=zero_transaction_id"' in result.err
    assert "baud" not in result.err


@has_ptys
def test_noise_is_not_hidden() -> None:
    def script(peer: Peer) -> None:
        peer.request(8)
        peer.send(b"\xfe\x80\xf8\x00\xff\x1e")

    with scripted_line(script) as path:
        result = modwire("scan", f"rtu://{path}", "--units", "1", "--timeout", "300ms")
    assert "modwire: something came, but not the right answer: " in result.err
    assert result.err.count("baud rate") == 1


def test_a_wrong_length_does_not_end_a_scan() -> None:
    def answer(request: bytes) -> bytes:
        right = mbap(request, registers(7))
        return right if request[6] == 2 else right[:4] + b"\6\6" + right[6:]

    with tcp_service(answering(answer)) as port:
        result = modwire("scan", f"tcp://127.0.0.1:{port}", "--units", "1..2", "--timeout", "1s")
    assert result.out.startswith(f"2\ttcp://127.0.0.1:{port}")
    assert "MBAP length must be 2..254, got 1542; the device has 1542 in its length" in result.err


def test_a_device_that_is_always_busy_is_found() -> None:
    with tcp_service(answering(lambda request: mbap(request, b"\x83\6"))) as port:
        endpoint = f"tcp://127.0.0.1:{port}"
        result = modwire("scan", endpoint, "--units", "1..2")
    assert result.out == f"1\t{endpoint}\tbusy, exception 06\n2\t{endpoint}\tbusy, exception 06\n"
    assert "units 1, 2 had no time, each said exception 06: try later, or with" in result.err
    assert f'"{endpoint}?busy_retries=3"' in result.err


@pytest.mark.parametrize("unit", [(), ("--unit", "1")])
@pytest.mark.parametrize(
    ("change", "quirk"),
    [
        (lambda data: mbap(data, refusal(data), transaction=0), "zero_transaction_id"),
        (lambda data: mbap(data[:6] + b"\0", refusal(data)), "any_unit"),
    ],
)
def test_no_copy_is_made_of_answers_that_are_not_right(
    tmp_path: Path, unit: tuple[str, ...], change: Callable[[bytes], bytes], quirk: str
) -> None:
    """It would be a device without any value, which looks like the real one."""
    path = tmp_path / "copy.toml"
    with tcp_service(answering(change)) as port:
        scrape = ("scrape", f"tcp://127.0.0.1:{port}", "-o", path, "--timeout", "50ms", *unit)
        result = modwire(*scrape)
    assert result.code == 1
    assert f"quirks={quirk}" in result.err
    assert list(tmp_path.iterdir()) == []
