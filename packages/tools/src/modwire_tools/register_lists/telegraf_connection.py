"""`read_connection`: the endpoint and the options of one `[[inputs.modbus]]` of telegraf."""

from __future__ import annotations

from ..simulator.fields import shown
from ..values.numbers import parse_seconds
from .entries import Entry
from .findings import FoundDevice, Notes

_WORKAROUNDS_UNUSED = (
    "close_connection_after_gather",
    "one_request_per_field",
    "read_coils_starting_at_zero",
    "max_bit_registers_per_request",
    "max_word_registers_per_request",
)
_WORKAROUNDS = (
    "pause_after_connect",
    "pause_between_requests",
    "string_register_location",
    *_WORKAROUNDS_UNUSED,
)
_MODES = {
    "auto": "",
    "TCP": "tcp",
    "RTUoverTCP": "rtu+tcp",
    "ASCIIoverTCP": "ascii+tcp",
    "RTUoverUDP": "rtu+udp",
    "ASCIIoverUDP": "ascii+udp",
    "RTU": "rtu",
    "ASCII": "ascii",
}


def read_connection(entry: Entry, device: FoundDevice, notes: Notes) -> str:
    """Set the connection of a device; return where the characters of its texts are."""
    connection = device.connection
    strings = ""
    if "timeout" in entry:
        connection["timeout"] = seconds(entry, "timeout")
    if "busy_retries" in entry:
        connection["busy_retries"] = entry.whole("busy_retries", 0, 1000)
    if "workarounds" in entry:
        more = entry.entry("workarounds", _WORKAROUNDS)
        notes.unused(more, _WORKAROUNDS_UNUSED)
        for key, option in (
            ("pause_after_connect", "connect_delay"),
            ("pause_between_requests", "pause"),
        ):
            if key in more and seconds(more, key):
                connection[option] = seconds(more, key)
        strings = more.option("string_register_location", ("both", "lower", "upper"), "both")
    if "controller" in entry:
        text = _endpoint(entry)
        device.set_endpoint(text, f"{entry.where}, controller")
    else:
        notes.unused(entry, ("baud_rate", "data_bits", "parity", "stop_bits", "transmission_mode"))
    return strings


def seconds(entry: Entry, key: str) -> float:
    """Return a time in seconds, from a number or a text such as "500ms"."""
    if not isinstance(entry.get(key), str):
        found = entry.decimal(key, 0.0)
        if found < 0:
            raise entry.error(key, f"must be 0 or more seconds, got {found}")
        return found
    try:
        return float(parse_seconds(entry.text(key), zero=True))
    except ValueError as error:
        raise entry.error(key, str(error)) from None


def _endpoint(entry: Entry) -> str:
    """Return the endpoint of a controller: tcp://host:port, or file:///dev/ttyUSB0, or COM1."""
    controller = entry.text("controller")
    mode = _MODES[entry.option("transmission_mode", tuple(_MODES), "auto")]
    scheme, _, rest = controller.partition("://")
    if not rest and controller.upper().startswith("COM"):
        scheme, rest = "file", controller
    if scheme == "file":
        if mode not in ("", "rtu", "ascii"):
            raise entry.error("transmission_mode", "must be RTU or ASCII on a serial line")
        options = [
            f"{option}={entry.get(key)}"
            for key, option in (
                ("baud_rate", "baudrate"),
                ("data_bits", "bytesize"),
                ("parity", "parity"),
                ("stop_bits", "stopbits"),
            )
            if key in entry
        ]
        query = f"?{'&'.join(options)}" if options else ""
        slash = "" if rest.startswith("/") else "/"
        return f"{mode or 'rtu'}://{slash}{rest}{query}"
    if scheme in ("tcp", "udp"):
        if mode in ("rtu", "ascii"):
            mode = f"{mode}+{scheme}"
        return f"{mode or scheme}://{rest}"
    raise entry.error(
        "controller", f"must be tcp://HOST:PORT or file:///dev/PORT, got {shown(controller)}"
    )
