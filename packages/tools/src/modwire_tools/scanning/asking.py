"""`Asker`: calls to a unit that is scanned or copied; each returns a response or is refused."""

from __future__ import annotations

from collections.abc import Callable
from time import sleep

from modwire import (
    AcknowledgeError,
    BlockingCalls,
    ExceptionResponseError,
    GatewayPathUnavailableError,
    GatewayTargetFailedError,
    Request,
    ResponseTimeoutError,
    ServerDeviceBusyError,
)
from modwire.messages.base import ResponseT_co

from ..simulator.devices import SILENCE
from .units import is_discarded

_BUSY_PAUSE = 0.5  # seconds
_BUSY_MOST = 20
_ATTEMPTS = 2  # then silence counts as a refusal


class Refused(Exception):  # noqa: N818 - an answer of the device, not an error of this program
    """Raised if the device refused; `code` is the exception code, or `SILENCE` for no response."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Asker(BlockingCalls):
    """The calls of a client to one `unit`, with a pause of `delay` seconds before each.

    They raise `Refused` for an exception response and, after two attempts, for silence. If a device
    is busy, the request is repeated. If a gateway finds no unit, or the link is lost, the error of
    the client is raised, and so it is if the device was never anything but busy. `requests` counts
    the requests; `is_answered` is True after a response, `is_useful` after one that was not busy.
    `discarded` has the errors of calls that got answers which were not right, until one was.
    `tell` is called with a sentence for each answer that is busy or missing.
    """

    def __init__(
        self,
        client: BlockingCalls,
        unit: int,
        *,
        delay: float = 0.0,
        timeout: float | None = None,
        pause: Callable[[float], None] = sleep,
        tell: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.unit = unit
        self.requests = 0
        self.is_answered = False
        self.is_useful = False
        self.discarded: list[ResponseTimeoutError] = []
        self._tell = tell
        self._client = client
        self._timeout = timeout
        self._delay = delay
        self._pause = pause

    def call(
        self,
        request: Request[ResponseT_co],
        *,
        unit: int | None = None,
        timeout: float | None = None,
    ) -> ResponseT_co:
        silent = busy = 0
        while True:
            if self._delay:
                self._pause(self._delay)
            self.requests += 1
            try:
                response = self._client.call(request, unit=self.unit, timeout=self._timeout)
                self.is_answered = self.is_useful = True
                return response
            except (AcknowledgeError, ServerDeviceBusyError) as error:
                self.is_answered = True
                busy += 1
                if busy > _BUSY_MOST:
                    if not self.is_useful:
                        raise
                    raise Refused(error.code) from None
                self._tell(f"unit {self.unit} is busy (exception {error.code:02X}): asked again")
                self._pause(_BUSY_PAUSE)
            except (GatewayPathUnavailableError, GatewayTargetFailedError):
                raise
            except ExceptionResponseError as error:
                self.is_answered = self.is_useful = True
                raise Refused(error.code) from None
            except ResponseTimeoutError as error:
                silent += 1
                self._tell(f"unit {self.unit} does not answer some requests")
                if silent == _ATTEMPTS:
                    if is_discarded(error):
                        self.discarded.append(error)
                    raise Refused(SILENCE) from None
