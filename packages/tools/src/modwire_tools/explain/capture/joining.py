"""`first_frame`: the begin of the first frame in bytes that may begin within one.

A conversation needs it after bytes that the capture lost, and if the capture begins in mid-stream.
"""

from __future__ import annotations

from modwire import Decoder, FrameError, Framing

_DECODER = Decoder()
_MOST_SKIPPED = 300  # bytes, more than the rest of any frame


def first_frame(framing: Framing, data: bytes) -> int:
    """Return the offset of the first frame in `data`, len(data) if there is none.

    That is where whole frames begin which fill the rest of `data`; else the first place where
    bytes begin that may be a frame.
    """
    possible = len(data)
    for at in range(min(len(data), _MOST_SKIPPED)):
        trial = type(framing)(_DECODER, is_server=framing.is_server, silence=0.05)
        trial.receive_data(data[at:], 0.0)
        count = 0
        is_good = True
        while (frame := trial.next_frame()) is not None:
            is_good = is_good and not isinstance(frame, FrameError)
            count += 1
        if is_good and count and not trial.buffered:
            return at
        # Too few bytes for a wrong header or checksum prove nothing, except at a packet's begin.
        if is_good and (count or not at):
            possible = min(possible, at)
    return possible
