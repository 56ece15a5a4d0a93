"""`AuditEvent`: a write that a server executed, or a request that it denied."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..errors import ExceptionCode
from ..messages.base import ExceptionResponse, Response

if TYPE_CHECKING:
    from ..messages.base import AnyRequest
    from .call import Call


class AuditEvent(NamedTuple):
    """A write that a server executed, or a request that it denied.

    - `peer`: the peer, as hooks get it. `subject`: that of its certificate, such as
      "CN=pump 7,O=Plant", or "" without TLS. `role`: that of its certificate, or None.
    - `unit`: the unit id of the request. `request`: the request, a `RawRequest` if it could not be
      decoded.
    - `outcome`: "denied"; "done"; "no response", as after a broadcast; or the exception that was
      answered, such as "exception 02 (illegal data address)".
    """

    peer: object
    subject: str
    role: str | None
    unit: int
    request: AnyRequest
    outcome: str

    @property
    def is_denied(self) -> bool:
        """True if the request was not executed, because the peer may not make it."""
        return self.outcome == DENIED

    def __str__(self) -> str:
        return (
            f"{self.peer}, subject {self.subject!r}, role {self.role!r}, unit {self.unit}: "
            f"{self.request!r}: {self.outcome}"
        )


DENIED = "denied"


class Denied(NamedTuple):
    """The outcome of a call that was denied, with the response to it."""

    response: Response | None


def outcome_of(call: Call, response: Response | None) -> str:
    """Return the outcome of an executed call for the audit."""
    if isinstance(response, ExceptionResponse):
        code = response.exception_code
        try:
            return f"exception {code:02X} ({ExceptionCode(code).name.lower().replace('_', ' ')})"
        except ValueError:
            return f"exception {code:02X}"
    return "no response" if response is None or call.broadcast else "done"
