"""The text of endpoints: a wrong one is a ValueError, a right one is read back equal."""

from __future__ import annotations

from modwire import Endpoint

from ..target import Target

_SEEDS = (
    "tcp://192.0.2.1",
    "tcp://device.example:1502?unit=17&timeout=1.5&retries=2",
    "tls://[2001:db8::1]:802?connect_timeout=2s",
    "udp://[fe80::1%25eth0]:502?timeout=100ms",
    "unix:///run/modwire.sock?unit=1",
    "rtu:///dev/ttyUSB0?baudrate=19200&parity=E&bytesize=8&stopbits=1&rs485=true",
    "rtu://COM3?exclusive=false&silence=0.005",
    "rtu://spy:///dev/ttyUSB0%3Ffile=log.txt?baudrate=9600",
    "rtu://rfc2217://192.0.2.1:2217",
    "ascii:///dev/ttyS0?bytesize=7&parity=O",
    "binary+tcp://host?suppress_echo=true&late_reply_window=1m",
    "rtu+tcp://host:4001?quirks=any_unit,trailing_bytes&pause=50ms&unit_pause=1s&turnaround=0.1",
    "rtu+udp://host?retry_writes=true&busy_retries=3&busy_pause=1e-3",
    "tcp://h?quirks=zero_transaction_id&reconnect_after=never&keepalive=false&max_in_flight=16",
    "ascii+unix:///tmp/%00%ff?unit=0&quirks=answers_unit_zero",
    "tcp://",
    "://",
    "http://host",
    "tcp://user@host/path?x=1#y",
    "tcp://host:99999",
)
_WORDS = (
    *(
        "tcp",
        "rtu",
        "unix",
        "://",
        "?",
        "&",
        "=",
        "%",
        "#",
        "[",
        "]",
        ":",
        "@",
        "/",
        "%25",
        "\\\\.\\",
    ),
    *(
        "unit=",
        "timeout=",
        "quirks=",
        "baudrate=",
        "pause=",
        "never",
        "true",
        "1e999",
        "nan",
        "inf",
    ),
    *("-1", "٣", "\x00", "é", "ms", "0x10", "1_0", " ", "reconnect_after=", "retries=", "1" * 400),
)


def _check(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    try:
        endpoint = Endpoint.parse(text)
    except ValueError as error:
        assert type(error) is ValueError, error
        # The text of the endpoint is quoted twice at most, and may be escaped.
        assert len(str(error)) < 2000 + 12 * len(text)
        return
    shown = str(endpoint)
    again = Endpoint.parse(shown)
    assert again == endpoint
    assert str(again) == shown
    assert hash(again) == hash(endpoint)
    assert endpoint.replace() == endpoint
    assert endpoint.options == again.options
    assert shown in repr(endpoint) or "\\" in repr(endpoint)


def _seeds() -> list[bytes]:
    return [text.encode() for text in _SEEDS]


TARGETS = [
    Target("endpoints", _check, _seeds, [word.encode() for word in _WORDS]),
]
