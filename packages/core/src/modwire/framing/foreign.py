"""`looks_like`: the name of the protocol whose bytes came in place of an MBAP header.

Only the first four bytes decide, so that the text of an error does not depend on how bytes arrive.
"""

from __future__ import annotations

_TEXTS = {
    b"HTTP": "HTTP",
    b"GET ": "HTTP",
    b"POST": "HTTP",
    b"HEAD": "HTTP",
    b"PUT ": "HTTP",
    b"OPTI": "HTTP",
    b"<htm": "HTTP",
    b"<!DO": "HTTP",
    b"SSH-": "SSH",
    b"220 ": "FTP or SMTP",
    b"220-": "FTP or SMTP",
    b"RTSP": "RTSP",
}
_TLS_RECORDS = range(0x14, 0x18)  # RFC 8446, section 5.1; then the version, 03 00 to 03 04
_TELNET = range(0xFB, 0xFF)  # RFC 854: WILL, WONT, DO and DONT, behind 255
_HEX = frozenset(b"0123456789ABCDEFabcdef")
_READS = (1, 2, 3, 4)
_WRITES = (5, 6, 15, 16)


def looks_like(start: bytes, *, is_server: bool = False) -> str:
    """Return what the first four bytes seem to be, such as "an HTTP server", or "".

    `is_server` is True for bytes that a client has sent.
    """
    start = start[:4]
    if len(start) < 4:
        return ""
    peer = "client" if is_server else "server"
    name = _TEXTS.get(start)
    if name is not None:
        return f"an {name} {peer}"
    if start[0] in _TLS_RECORDS and start[1] == 3 and start[2] <= 4:
        return f"a {peer} that uses TLS"
    if start[0] == 0xFF and start[1] in _TELNET:
        return f"a Telnet {peer}"
    if start[0] == ord(":") and _HEX.issuperset(start[1:]):
        return "a frame of Modbus ASCII"
    return "an RTU frame" if _may_be_rtu(start, is_server=is_server) else ""


def _may_be_rtu(start: bytes, *, is_server: bool) -> bool:
    unit, function_code, third = start[:3]
    if not 1 <= unit <= 247:
        return False
    if is_server or function_code in _WRITES:
        return function_code in _READS + _WRITES
    if function_code & 0x80:
        return function_code & 0x7F in _READS + _WRITES and 1 <= third <= 11
    is_even = third % 2 == 0
    return function_code in _READS and 1 <= third <= 250 and (is_even or function_code < 3)
