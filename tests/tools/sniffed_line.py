"""A line with everything that a sniffer tells apart, as bytes with times and in capture files."""

from __future__ import annotations

from captures import START, pcap, pcapng
from noisy_line import rtu

READ, ANSWER, WRITE = "03 0000 0002", "03 04 0001 0002", "06 0005 0777"

SAID: list[tuple[str, bytes]] = [
    ("request", rtu(1, READ)),
    ("response", rtu(1, ANSWER)),
    ("request", rtu(2, WRITE)),
    ("response", rtu(2, WRITE)),
    ("request", rtu(1, READ)),
    ("damaged", rtu(1, ANSWER)[:-1] + b"\0"),
    ("request", rtu(1, "01 0300 0014")),
    ("response", rtu(1, "01 03 112203")),
    ("request", rtu(0, WRITE)),
    ("request", rtu(3, "10 0001 0001 02 1234")),
    ("response", rtu(3, "90 03")),
    ("request", rtu(3, "2b 0e 01 00")),
    ("response", rtu(3, "2b 0e 01 01 00 00 01 00 03 414243")),
    ("request", rtu(4, READ)),
    ("request", rtu(5, "08 0000 a5a5")),
    ("response", rtu(4, ANSWER)),
    ("response", rtu(5, "08 0000 a5a5")),
]
STEP = 0.03  # seconds between two frames
PACKETS = [(START + number * STEP, frame) for number, (_, frame) in enumerate(SAID)]
RAW = b"".join(frame for _, frame in PACKETS)

USER0 = pcap(PACKETS, 147)
RTAC = pcapng([(time, b"\0" * 8 + b"\2\0\0\0" + frame) for time, frame in PACKETS], 250)
