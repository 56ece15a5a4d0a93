"""`renewed`: a new protocol for a client whose state an interrupt has left unknown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .protocol import ClientProtocol

if TYPE_CHECKING:
    from ..framing.base import Framing


def renewed(old: ClientProtocol, framing: type[Framing], sent_at: float | None) -> ClientProtocol:
    """Return a protocol in place of `old`, whose link is dropped; nothing is open in it.

    `sent_at` is the time of the last request on an open link, None without a link. Without
    transaction ids, nothing is sent until no late reply can come any more.
    """
    made = ClientProtocol(framing, old.options)
    made.name, made.is_datagram = old.name, old.is_datagram
    made.skipped, made.frame_errors = old.skipped, old.frame_errors
    if not made.has_transactions:
        made.late.units.update(old.late.units)
        if sent_at is not None:
            waits = [each.wait for each in list(old.opened.values())]
            made.late.rest(sent_at + max(old.options.response_timeout, *waits, 0.0))
    return made
