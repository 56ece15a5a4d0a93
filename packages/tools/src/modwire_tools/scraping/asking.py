"""`Asker`: one request to the device that is copied: what it gave, or how it refused."""

from __future__ import annotations

from collections.abc import Callable
from time import sleep
from typing import TypeVar

from modwire import (
    AcknowledgeError,
    BlockingCalls,
    ExceptionResponseError,
    GatewayPathUnavailableError,
    GatewayTargetFailedError,
    ResponseTimeoutError,
    ServerDeviceBusyError,
)

from ..simulator.devices import SILENCE

T = TypeVar("T")

_BUSY_PAUSE = 0.5  # seconds
_BUSY_MOST = 20
_ATTEMPTS = 2  # until silence counts as an answer


class Refused(Exception):  # noqa: N818 - what a device answered, and no error of ours
    """The device refused; `code` is its exception code, or `SILENCE`."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Asker:
    """Asks one unit, politely: `delay` seconds pass before each request.

    `requests` counts; `is_answered` says whether there was any answer. A busy device is asked
    again. A gateway that finds nobody, and a link that
    is gone, raise as the client does; a unit that says nothing refuses by `SILENCE`.
    """

    def __init__(
        self,
        client: BlockingCalls,
        unit: int,
        *,
        delay: float = 0.0,
        timeout: float | None = None,
        pause: Callable[[float], None] = sleep,
    ) -> None:
        self.client = client
        self.unit = unit
        self.timeout = timeout
        self.requests = 0
        self.is_answered = False
        self._delay = delay
        self._pause = pause

    def ask(self, question: Callable[[BlockingCalls], T]) -> T:
        """What `question` gives; raises `Refused`."""
        silent = busy = 0
        while True:
            if self._delay:
                self._pause(self._delay)
            self.requests += 1
            try:
                answer = question(self.client)
                self.is_answered = True
                return answer
            except (AcknowledgeError, ServerDeviceBusyError) as error:
                self.is_answered = True
                busy += 1
                if busy > _BUSY_MOST:
                    raise Refused(error.code) from None
                self._pause(_BUSY_PAUSE)
            except (GatewayPathUnavailableError, GatewayTargetFailedError):
                raise
            except ExceptionResponseError as error:
                self.is_answered = True
                raise Refused(error.code) from None
            except ResponseTimeoutError:
                silent += 1
                if silent == _ATTEMPTS:
                    raise Refused(SILENCE) from None
