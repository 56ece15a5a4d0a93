"""`FaultyResponse`: what a unit answers that shall do something wrong, for simulators and benches.

`Unit.execute` returns one; `ServerProtocol.answer` does to the answer what it says.
"""

from __future__ import annotations

from ..messages.base import Response, set_field


class FaultyResponse(Response):
    """`response`, or None for silence, with something wrong done to it.

    - `is_damaged`: its checksum is wrong, on MBAP the protocol id.
    - `drops`: nothing is answered and the connection is closed; on a serial line and on UDP, which
      have none, that is silence.

    `fault` names what was done, for hooks that see the response.
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
