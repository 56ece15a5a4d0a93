"""`FaultyResponse`: a deliberately wrong answer of a unit, for simulators and test benches.

`Unit.execute` returns one; `ServerProtocol.answer` applies its faults to the answer.
"""

from __future__ import annotations

from ..messages.base import Response, set_field


class FaultyResponse(Response):
    """`response`, or None for no answer, with deliberate faults.

    - `is_damaged`: the checksum is wrong, with MBAP the protocol id.
    - `drops`: no answer is sent and the connection is closed; a serial line and UDP have no
      connection to close.

    `fault` names the fault, for hooks that see the response.
    """

    __slots__ = ("drops", "fault", "is_damaged", "response")
    __match_args__ = ("response", "is_damaged", "drops", "fault")
    response: Response | None
    is_damaged: bool
    drops: bool
    fault: str

    def __init__(
        self,
        response: Response | None,
        *,
        is_damaged: bool = False,
        drops: bool = False,
        fault: str = "",
    ) -> None:
        set_field(self, "response", response)
        set_field(self, "is_damaged", is_damaged)
        set_field(self, "drops", drops)
        set_field(self, "fault", fault)

    def encode(self) -> bytes:
        return b"" if self.response is None or self.drops else self.response.encode()
