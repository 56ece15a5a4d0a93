"""`RequestLog`: every request that came to a device, with its answer."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Literal

from modwire import ExceptionCode, ExceptionResponse, FaultyResponse

from .damage import DamagedResponse

if TYPE_CHECKING:
    from typing import TypeAlias

    from modwire import Call, Response
    from modwire.messages.base import AnyRequest
    from modwire.server.options import Served

    Outcome: TypeAlias = Literal["ok", "exception", "silence", "pending"]

MOST_KEPT = 10_000
_MOST_SHOWN = 50
_ADDRESSES = ("address", "write_address", "read_address")


class LoggedRequest:
    """A request that came to a device.

    - `time`: seconds from the start of the device.
    - `peer`: the client, such as ("127.0.0.1", 43210); the port of a serial line.
    - `unit`: the unit id.
    - `request`: the message, such as `WriteSingleRegisterRequest(address=0, value=30)`; a
      `RawRequest` if the device cannot decode it.
    - `response`: the message that answered it; None if there was no answer, or none yet.
    - `fault`: the name of the fault that the answer had, or "".
    - `seconds`: from the request to its answer; None while it is executed.
    """

    def __init__(self, time: float, peer: object, unit: int, request: AnyRequest) -> None:
        self.time = time
        self.peer = peer
        self.unit = unit
        self.request = request
        self.response: Response | None = None
        self.fault = ""
        self.seconds: float | None = None

    @property
    def function(self) -> int:
        """The function code."""
        return self.request.function_code

    @property
    def address(self) -> int | None:
        """The address in the request, that of the write in function 23; None if it has none."""
        for name in _ADDRESSES:
            found: object = getattr(self.request, name, None)
            if isinstance(found, int):
                return found
        return None

    @property
    def values(self) -> tuple[int, ...]:
        """The values that the request writes; () if it only reads."""
        single: object = getattr(self.request, "value", None)
        if isinstance(single, int):
            return (single,)
        several: tuple[int, ...] = getattr(self.request, "values", ())
        return tuple(several)

    @property
    def outcome(self) -> Outcome:
        """The outcome: "ok", "exception", "silence" for no answer, or "pending"."""
        if self.seconds is None:
            return "pending"
        if self.response is None:
            return "silence"
        return "exception" if isinstance(self.response, ExceptionResponse) else "ok"

    def __repr__(self) -> str:
        if self.seconds is None:
            answer = "no answer yet"
        elif self.response is None:
            answer = "no answer"
        elif isinstance(self.response, ExceptionResponse):
            answer = _exception_text(self.response, is_injected=bool(self.fault))
        else:
            answer = repr(self.response)
        fault = f" ({self.fault})" if self.fault else ""
        return f"<unit {self.unit}: {self.request!r} -> {answer}{fault}>"


def _exception_text(response: ExceptionResponse, is_injected: bool) -> str:
    """Return the code of an exception, its meaning, and the reason of the unit, if it had one."""
    code = response.exception_code
    text = f"exception {code:02}"
    if code in set(ExceptionCode):
        text += f", {ExceptionCode(code).name.lower().replace('_', ' ')}"
    has_reason = response.cause is not None and not is_injected
    return f"{text}, for {response.cause!r}" if has_reason else text


class RequestLog:
    """The latest requests of a device; threads may share it.

    `asked` and `answered` are hooks of the device's server.
    """

    def __init__(self) -> None:
        self._began = monotonic()
        self._changed = threading.Condition()
        self._entries: deque[LoggedRequest] = deque(maxlen=MOST_KEPT)
        self._open: dict[int, LoggedRequest] = {}  # by the identity of the request
        self._broadcast: LoggedRequest | None = None  # the latest; each unit executes it

    def asked(self, peer: object, role: str | None, unit: int, request: AnyRequest) -> bool:
        """Log a request before it is executed. Return True: the device may execute it."""
        with self._changed:
            self._find(peer, unit, request)
        return True

    def answered(self, protocol: Served, call: Call, response: Response | None) -> None:
        """Log the answer to a request; None if it is not answered."""
        with self._changed:
            entry = self._find(protocol.peer, call.unit, call.request)
            self._open.pop(id(call.request), None)
            if call.broadcast:
                self._broadcast = entry
            if isinstance(response, FaultyResponse):
                entry.fault = response.fault
                response = None if response.drops else response.response
            if isinstance(response, DamagedResponse):
                response = response.response
            entry.response = None if call.broadcast else response
            entry.seconds = monotonic() - self._began - entry.time
            self._changed.notify_all()

    def _find(self, peer: object, unit: int, request: AnyRequest) -> LoggedRequest:
        """Return the entry of a request, which is new if it was not seen before.

        A request that is refused is seen only when it is answered. Each frame makes a message of
        its own, so a request is known by the identity of its message.
        """
        if self._broadcast is not None and self._broadcast.request is request:
            return self._broadcast
        entry = self._open.get(id(request))
        if entry is None:
            entry = LoggedRequest(monotonic() - self._began, peer, unit, request)
            self._open[id(request)] = entry
            self._entries.append(entry)
            self._changed.notify_all()
        return entry

    def entries(self) -> list[LoggedRequest]:
        """Return the requests, oldest first."""
        with self._changed:
            return list(self._entries)

    def clear(self) -> None:
        """Forget all requests."""
        with self._changed:
            self._entries.clear()

    def wait_for(
        self, wanted: Callable[[list[LoggedRequest]], bool], timeout: float
    ) -> list[LoggedRequest]:
        """Wait until `wanted(requests)` is true, and return the requests.

        Raises TimeoutError after `timeout` seconds, with the requests that came.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: wanted(list(self._entries)), timeout):
                raise TimeoutError(f"it did not happen within {timeout:g} s; {self.text()}")
            return list(self._entries)

    def text(self) -> str:
        """Return the latest requests as a text of several lines."""
        entries = self.entries()
        if not entries:
            return "no request came"
        lines = [f"{len(entries)} request{'s' if len(entries) > 1 else ''} came:"]
        if len(entries) > _MOST_SHOWN:
            lines.append(f"  ... the latest {_MOST_SHOWN}:")
        for entry in entries[-_MOST_SHOWN:]:
            took = "" if entry.seconds is None else f" after {entry.seconds * 1000:.1f} ms"
            lines.append(f"  {entry.time:8.3f} s  {repr(entry)[1:-1]}{took}")
        return "\n".join(lines)
