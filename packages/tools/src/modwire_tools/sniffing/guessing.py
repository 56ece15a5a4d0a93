"""`framing_in`: the framing of recorded bytes, for the advice of `modwire sniff`."""

from __future__ import annotations

from modwire import FRAMINGS
from modwire.sniffing import HeardExchange, Sniffer

_SERIAL = ("rtu", "ascii", "binary")


def framing_in(data: bytes, *, besides: str) -> str:
    """Return the serial framing in which at least half of `data` are frames, or "".

    The framing `besides` was tried before. A chance CRC in noise is shorter than half.
    """
    for name in _SERIAL:
        if name == besides:
            continue
        sniffer = Sniffer(FRAMINGS[name])
        sniffer.receive_data(data, 0.0)
        sniffer.end()
        size = sum(
            len(frame.data)
            for heard in sniffer
            if isinstance(heard, HeardExchange)
            for frame in (heard.request, heard.response)
            if frame is not None
        )
        if 2 * size >= len(data) > 0:
            return name
    return ""
