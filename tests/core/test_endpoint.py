"""Endpoints: the text names one device, has clear errors, and can be stored and read again."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from ipaddress import IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modwire.endpoint import Endpoint, FramingName, Transport


@pytest.mark.parametrize(
    ("text", "transport", "framing", "host", "port"),
    [
        ("tcp://meter", "tcp", "tcp", "meter", 502),
        ("tcp://192.0.2.1:1502", "tcp", "tcp", "192.0.2.1", 1502),
        ("TCP://meter:502/", "tcp", "tcp", "meter", 502),
        ("udp://meter", "udp", "tcp", "meter", 502),
        ("tls://meter", "tls", "tcp", "meter", 802),
        ("tls://meter:502", "tls", "tcp", "meter", 502),
        ("tcp://0.0.0.0:0", "tcp", "tcp", "0.0.0.0", 0),
        ("tcp://[::1]:1502", "tcp", "tcp", "::1", 1502),
        ("tcp://[fe80::1%25eth0]", "tcp", "tcp", "fe80::1%eth0", 502),
        ("tcp://[fe80::1%eth0]:503", "tcp", "tcp", "fe80::1%eth0", 503),
        ("rtu+tcp://gateway:4001", "tcp", "rtu", "gateway", 4001),
        ("ascii+tcp://gateway", "tcp", "ascii", "gateway", 502),
        ("binary+udp://gateway", "udp", "binary", "gateway", 502),
        ("rtu+udp://gateway", "udp", "rtu", "gateway", 502),
        ("rtu+tls://gateway", "tls", "rtu", "gateway", 802),
    ],
)
def test_a_network_device_is_reached_where_the_text_says(
    text: str, transport: Transport, framing: FramingName, host: str, port: int
) -> None:
    endpoint = Endpoint.parse(text)

    assert endpoint == Endpoint(transport, framing, host=host, port=port)
    assert (endpoint.transport, endpoint.framing) == (transport, framing)
    assert (endpoint.host, endpoint.port, endpoint.path) == (host, port, "")


@pytest.mark.parametrize(
    ("text", "transport", "framing", "path"),
    [
        ("rtu:///dev/ttyUSB0", "serial", "rtu", "/dev/ttyUSB0"),
        ("ascii:///dev/ttyS0", "serial", "ascii", "/dev/ttyS0"),
        ("binary:///dev/ttyS0", "serial", "binary", "/dev/ttyS0"),
        ("rtu://COM3", "serial", "rtu", "COM3"),
        (r"rtu://\\.\COM10", "serial", "rtu", r"\\.\COM10"),
        ("rtu://com12?baudrate=9600", "serial", "rtu", "com12"),
        ("ascii://%5C%5C.%5CCOM12", "serial", "ascii", r"\\.\COM12"),
        ("rtu://rfc2217://gateway:4000", "serial", "rtu", "rfc2217://gateway:4000"),
        ("rtu://rfc2217://[::1]:4000?unit=3", "serial", "rtu", "rfc2217://[::1]:4000"),
        ("ascii://socket://gateway:4000", "serial", "ascii", "socket://gateway:4000"),
        ("rtu://spy:///dev/ttyS0%3Ffile=a.txt", "serial", "rtu", "spy:///dev/ttyS0?file=a.txt"),
        ("rtu://spy://COM3?baudrate=9600", "serial", "rtu", "spy://COM3"),
        ("rtu://hwgrep://0403:6001&skip_busy", "serial", "rtu", "hwgrep://0403:6001&skip_busy"),
        ("rtu://loop://", "serial", "rtu", "loop://"),
        ("rtu:///dev/serial/by-id/a%3Fb%23c%25d", "serial", "rtu", "/dev/serial/by-id/a?b#c%d"),
        ("unix:///run/modwire.sock", "unix", "tcp", "/run/modwire.sock"),
        ("unix:///run/my%20meter.sock", "unix", "tcp", "/run/my meter.sock"),
        ("rtu+unix:///run/modwire.sock", "unix", "rtu", "/run/modwire.sock"),
        ("unix:///run/%FF", "unix", "tcp", "/run/\udcff"),
    ],
)
def test_a_local_device_is_opened_where_the_text_says(
    text: str, transport: Transport, framing: FramingName, path: str
) -> None:
    endpoint = Endpoint.parse(text)

    assert (endpoint.transport, endpoint.framing, endpoint.path) == (transport, framing, path)
    assert (endpoint.host, endpoint.port) == ("", 0)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("rtu:///dev/ttyS0", (19200, 8, "E", 1)),
        ("binary:///dev/ttyS0", (19200, 8, "E", 1)),
        ("ascii:///dev/ttyS0", (19200, 7, "E", 1)),
        ("rtu:///dev/ttyS0?parity=N", (19200, 8, "N", 2)),
        ("rtu:///dev/ttyS0?parity=n&stopbits=1", (19200, 8, "N", 1)),
        ("rtu:///dev/ttyS0?baudrate=9600&parity=O&stopbits=2", (9600, 8, "O", 2)),
        ("ascii:///dev/ttyS0?bytesize=8", (19200, 8, "E", 1)),
    ],
)
def test_a_serial_line_has_the_specifications_defaults(text: str, line: tuple[object, ...]) -> None:
    endpoint = Endpoint.parse(text)

    assert line == (endpoint.baudrate, endpoint.bytesize, endpoint.parity, endpoint.stopbits)


def test_every_endpoint_can_carry_the_clients_settings() -> None:
    for place in ("tcp://meter", "unix:///run/m", "rtu:///dev/ttyS0", "rtu+udp://meter"):
        endpoint = Endpoint.parse(f"{place}?unit=7&timeout=0.25&retries=2")
        assert (endpoint.unit, endpoint.timeout, endpoint.retries) == (7, 0.25, 2)
        without = Endpoint.parse(place)
        assert (without.unit, without.timeout, without.retries) == (None, None, None)
        assert endpoint != without


def test_a_copy_with_changes_keeps_all_else() -> None:
    text = "tcp://meter:1502?unit=3&timeout=2&retries=1&pause=0.1&quirks=any_unit&keepalive=false"
    endpoint = Endpoint.parse(text)
    assert endpoint.replace() == endpoint
    assert str(endpoint.replace(port=502, host="other")) == text.replace("meter:1502", "other:502")
    assert endpoint.replace(unit=None, pause=0.5) == Endpoint.parse(
        "tcp://meter:1502?timeout=2&retries=1&pause=0.5&quirks=any_unit&keepalive=false"
    )
    assert endpoint.replace(reconnect_after=None).options["reconnect_after"] is None
    assert endpoint.replace(framing="rtu") == Endpoint.parse(f"rtu+{text}")
    line = Endpoint.parse("rtu:///dev/ttyS0?baudrate=9600&rs485=true")
    assert line.replace(path="COM3", baudrate=1200) == Endpoint.parse(
        "rtu://COM3?baudrate=1200&rs485=true"
    )
    assert line.replace(parity="N").stopbits == 2, "the default without parity"
    assert line.replace(stopbits=2).replace(parity="O").stopbits == 2, "as it was asked for"
    assert line.replace(framing="ascii").bytesize == 7
    with pytest.raises(ValueError, match="tcp has no serial line, so no baudrate"):
        endpoint.replace(baudrate=9600)
    with pytest.raises(ValueError, match="pause must be at least 0 seconds"):
        endpoint.replace(pause=-1)
    with pytest.raises(TypeError, match="option must be"):
        endpoint.replace(puase=1)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("2s", 2.0), ("100ms", 0.1), ("7ms", 0.007), ("1m", 60.0), ("1e-05", 1e-05), (".5", 0.5)],
)
def test_a_time_may_have_a_unit(text: str, seconds: float) -> None:
    endpoint = Endpoint.parse(f"tcp://meter?timeout={text}&pause={text}")
    assert (endpoint.timeout, endpoint.options["pause"]) == (seconds, seconds)
    assert Endpoint.parse(str(endpoint)) == endpoint


@pytest.mark.parametrize(
    ("place", "least", "lacking"),
    [
        ("tcp://meter", {"max_in_flight", "keepalive"}, {"baudrate", "silence", "rs485"}),
        ("rtu:///dev/ttyS0", {"baudrate", "silence"}, {"max_in_flight", "connect_timeout"}),
        ("rtu+udp://meter", {"silence", "suppress_echo"}, {"reconnect_after", "max_in_flight"}),
    ],
)
def test_the_options_in_an_error_are_those_of_the_link(
    place: str, least: set[str], lacking: set[str]
) -> None:
    with pytest.raises(ValueError, match="option must be one of") as raised:
        Endpoint.parse(f"{place}?xyz=1")
    named = set(str(raised.value).partition("one of ")[2].partition(";")[0].split(", "))
    assert least <= named
    assert not lacking & named


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must start with a scheme, such as tcp://"),
        ("meter:502", "must start with a scheme, such as tcp://"),
        ("/dev/ttyUSB0", "or rtu:///dev/ttyUSB0"),
        ("tpc://meter", "scheme must be one of tcp, udp, .*; got 'tpc'; did you mean 'tcp'?"),
        ("RTU-TCP://meter", "scheme must be .* got 'RTU-TCP'; did you mean 'rtu\\+tcp'?"),
        ("tcp://", "host must be a name or an address, got none"),
        ("tcp://:502", "host must be a name or an address, got none"),
        ("tcp://a meter", "host must be a name or an address, got 'a meter'"),
        ("tcp://me@meter", "host must come without a user name"),
        ("tcp://::1:502", "host must have brackets around an IPv6 address"),
        ("tcp://[::1", "host must have a ']'"),
        ("tcp://[meter]:502", "host in brackets must be an IPv6 address, got 'meter'"),
        ("tcp://[::g]", "host must be a name or an address: .*'g'"),
        ("tcp://[fe80::1%25]%", "port must follow ']' and ':', got '%'"),
        ("tcp://meter:", "port must be 0..65535, got ''"),
        ("tcp://meter:modbus", "port must be 0..65535, got 'modbus'"),
        ("tcp://meter:65536", "port must be 0..65535, got 65536"),
        ("tcp://meter:-1", "port must be 0..65535, got '-1'"),
        ("tcp://meter:" + "9" * 5000, "port must be 0..65535"),
        ("tcp://meter/1", "path must be empty behind a host, got '/1'"),
        ("tcp://meter#1", "'#' must be written %23"),
        ("unix://", "path is missing, write it as in unix:///run/modwire.sock"),
        ("unix://run/m.sock", "path must be absolute, as in unix:///run/modwire.sock; got 'run/m"),
        ("unix:///run/%00", "path must be without NUL"),
        ("rtu://", "path is missing, write it as in rtu:///dev/ttyUSB0"),
        ("rtu://dev/ttyUSB0", "path must be absolute, .* or a port's name, as in rtu://COM3; got"),
        ("rtu:///COM3", "path must be the name of a port: rtu://COM3, with two slashes"),
        ("COM3", "must start with a scheme, such as .* rtu://COM3 or"),
        ("rfc2217://gw:4000", "a serial port's URL follows the framing, as in rtu://rfc2217://gw"),
        ("rtu:///dev/%zz", "'%' must be followed by two hexadecimal digits, got '%zz'"),
        ("rtu:///dev/%1", "'%' must be followed by two hexadecimal digits, got '%1'"),
        ("rtu:///dev/ttyS0?baud=1", "option must be one of .*; got 'baud'; did you mean 'baudr"),
        ("rtu:///dev/ttyS0?parity", "option parity must have a value, as in parity="),
        ("rtu:///dev/ttyS0?parity=", "option parity must have a value, as in parity="),
        ("rtu:///dev/ttyS0?parity=M", "parity must be N, E or O, got 'M'"),
        (
            "rtu:///dev/ttyS0?bytesize=7",
            "bytesize must be 7 or 8 for ascii, 8 for rtu and binary, got 7",
        ),
        ("ascii:///dev/ttyS0?bytesize=9", "bytesize must be 7 or 8 for ascii, 8 for .*, got 9"),
        ("rtu:///dev/ttyS0?stopbits=3", "a serial line must have stopbits 1 or 2, got 3"),
        ("rtu:///dev/ttyS0?stopbits=1.5", "a serial line must have stopbits 1 or 2, got '1.5'"),
        ("rtu:///dev/ttyS0?baudrate=0", "baudrate must be greater than 0, got 0"),
        ("rtu:///dev/ttyS0?baudrate=fast", "baudrate must be a whole number, got 'fast'"),
        ("rtu:///dev/ttyS0?unit=0", "unit must be 1..255, got 0"),
        ("rtu+tcp://gateway?unit=256", "unit must be 1..255, got 256"),
        ("tcp://meter?unit=256", "unit must be 0..255, got 256"),
        ("tcp://meter?unit=1&unit=2", "option unit must be given once"),
        (
            "tcp://meter?timeout=soon",
            "timeout must be a time, such as 0.1, 100ms or 2s, got 'soon'",
        ),
        ("tcp://meter?timeout=0", "timeout must be greater than 0 seconds, at most 1e9, got 0"),
        ("tcp://meter?timeout=nan", "timeout must be a time, such as 0.1, .*, got 'nan'"),
        ("tcp://meter?timeout=1e10", "timeout must be greater than 0 seconds, at most 1e9, got 1"),
        ("tcp://meter?pause=0,1", "pause must be a time, such as 0.1, 100ms or 2s, got '0,1'"),
        ("tcp://meter?pause=-5ms", "pause must be at least 0 seconds, at most 1e9, got -0.005"),
        ("rtu:///dev/ttyS0?suppress_echo=on", "suppress_echo must be true or false, got 'on'"),
        ("tcp://meter?reconnect_after=sometimes", "must be a whole number, .*, or never, got 'som"),
        ("tcp://meter?reconnect_after=0", "must be a whole number, at least 1, or never, got '0'"),
        ("tcp://meter?response_timeout=3", "got 'response_timeout'; did you mean 'timeout'?"),
        ("tcp://meter?slave_id=3", "got 'slave_id'; did you mean 'unit'?"),
        ("tcp://meter?silence=1", "tcp has no silence, which is for RTU frames"),
        ("ascii:///dev/ttyS0?tolerance=1", "ascii has no tolerance, which is for RTU frames"),
        ("udp://meter?suppress_echo=true", "udp has no suppress_echo, which is for serial fr"),
        ("tcp://meter?turnaround=1", "tcp has no turnaround, which is for serial frames"),
        ("udp://meter?reconnect_after=1", "udp has no reconnect_after, which is for connections"),
        ("rtu+tcp://gateway?max_in_flight=4", "rtu.tcp has no max_in_flight, which is for MBAP"),
        ("tcp://meter?quirks=answers_unit_zero", "tcp has no quirks answers_unit_zero, which"),
        (
            "rtu:///dev/ttyS0?quirks=any_unit,zero_transaction_id,wrong_length",
            "rtu has no quirks zero_transaction_id, wrong_length, which are for MBAP frames",
        ),
        ("tcp://meter?retries=-1", "retries must be a whole number, at least 0, got '-1'"),
        ("tcp://meter?baudrate=9600&parity=E", "tcp has no serial line, so no baudrate and no pa"),
    ],
)
def test_a_wrong_one_says_which_part_and_what_is_allowed(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as raised:
        Endpoint.parse(text)

    assert str(raised.value).startswith(f"endpoint {text!r}: ")


def test_the_constructor_refuses_what_a_transport_has_no_use_for() -> None:
    with pytest.raises(ValueError, match="serial has no host and no port, only a path"):
        Endpoint("serial", "rtu", path="/dev/ttyS0", port=502)
    with pytest.raises(ValueError, match="tcp has no path, got '/dev/ttyS0'"):
        Endpoint("tcp", "tcp", host="meter", path="/dev/ttyS0")
    with pytest.raises(ValueError, match="got 'serial' with 'tcp'"):
        Endpoint("serial", "tcp", path="/dev/ttyS0")
    with pytest.raises(ValueError, match="retries must be a whole number, at least 0, got -1"):
        Endpoint("tcp", "tcp", host="meter", retries=-1)
    with pytest.raises(ValueError, match=r"port must be 0..65535, got True"):
        Endpoint("tcp", "tcp", host="meter", port=True)
    with pytest.raises(ValueError, match=r"path must be text or os\.fsdecode"):
        Endpoint("unix", "tcp", path="/run/\ud800")
    with pytest.raises(ValueError, match="host must be printable"):
        Endpoint("tcp", "tcp", host="::1%\ud800")


def line_settings(framing: FramingName) -> st.SearchStrategy[dict[str, object]]:
    return st.fixed_dictionaries(
        {},
        optional={
            "baudrate": st.integers(1, 4_000_000),
            "bytesize": st.sampled_from((7, 8) if framing == "ascii" else (8,)),
            "parity": st.sampled_from("NEO"),
            "stopbits": st.sampled_from((1, 2)),
        },
    )


@st.composite
def endpoints(draw: st.DrawFn) -> Endpoint:
    transport: Transport = draw(st.sampled_from(("tcp", "udp", "tls", "unix", "serial")))
    framings: tuple[FramingName, ...] = ("tcp", "rtu", "ascii", "binary")
    framing = draw(st.sampled_from(framings[1:] if transport == "serial" else framings))
    path = st.text(st.characters(codec="utf-8", exclude_characters="\0")).map("/".__add__)
    arguments: dict[str, object] = {}
    if transport == "serial":
        arguments = draw(line_settings(framing))
        arguments["path"] = draw(path | st.from_regex(r"COM[0-9]{1,3}", fullmatch=True))
    elif transport == "unix":
        arguments["path"] = draw(path)
    else:
        ipv6 = st.ip_addresses(v=6).map(str)
        zoned = st.tuples(ipv6, st.text("aZ0.:@] ?#é", min_size=1)).map("%".join)
        name = st.from_regex(r"[A-Za-z0-9_.-]+", fullmatch=True)
        arguments["host"] = draw(name | ipv6 | zoned | st.ip_addresses(v=4).map(str))
        arguments["port"] = draw(st.none() | st.integers(0, 65535))
    arguments["unit"] = draw(st.none() | st.integers(1, 255))
    arguments["timeout"] = draw(st.none() | st.floats(0, 1e9, exclude_min=True))
    arguments["retries"] = draw(st.none() | st.integers(0, 99))
    return Endpoint(transport, framing, **arguments)  # type: ignore[arg-type]


def fields(endpoint: Endpoint) -> tuple[object, ...]:
    return tuple(getattr(endpoint, name) for name in Endpoint.__slots__)


@given(endpoints())
def test_a_stored_endpoint_is_the_same_when_it_is_read_again(endpoint: Endpoint) -> None:
    again = Endpoint.parse(str(endpoint))

    assert fields(again) == fields(endpoint)
    assert again == endpoint
    assert hash(again) == hash(endpoint)
    assert str(endpoint).isascii()


@given(st.binary(min_size=1).filter(lambda name: b"\0" not in name))
def test_a_path_that_is_no_text_is_kept(name: bytes) -> None:
    path = b"/dev/" + name

    endpoint = Endpoint("serial", "rtu", path=path.decode("utf-8", "surrogateescape"))

    assert Endpoint.parse(str(endpoint)).path.encode("utf-8", "surrogateescape") == path


@given(st.text() | st.text("tcprua+:/[]%?&=.0123456789").map("tcp://".__add__))
def test_any_text_is_an_endpoint_or_a_value_error(text: str) -> None:
    try:
        endpoint = Endpoint.parse(text)
    except ValueError:
        return
    assert Endpoint.parse(str(endpoint)) == endpoint


def test_an_endpoint_is_a_value() -> None:
    endpoint = Endpoint.parse("tcp://[::1]?unit=3")

    assert repr(endpoint) == "Endpoint.parse('tcp://[::1]:502?unit=3')"
    assert pickle.loads(pickle.dumps(endpoint)) == endpoint
    assert copy.deepcopy(endpoint) == endpoint
    assert endpoint != "tcp://[::1]:502?unit=3"
    assert len({endpoint, Endpoint("tcp", "tcp", host=str(IPv6Address(1)), unit=3)}) == 1
    with pytest.raises(AttributeError, match="immutable"):
        endpoint.host = "other"
    with pytest.raises(AttributeError, match="immutable"):
        del endpoint.host


def test_reading_a_plain_endpoint_imports_nothing_heavy() -> None:
    """A script that runs every minute on a small board must start fast."""
    script = (
        "import sys; from modwire.endpoint import Endpoint;"
        "Endpoint.parse('rtu:///dev/ttyUSB0?baudrate=9600'); Endpoint.parse('tcp://meter');"
        "heavy = {'urllib', 'ipaddress', 'difflib', 'socket'} & (set(sys.modules) - before);"
        "assert not heavy, heavy"
    )
    before = "import sys; before = set(sys.modules);"
    subprocess.run([sys.executable, "-c", before + script], check=True)
