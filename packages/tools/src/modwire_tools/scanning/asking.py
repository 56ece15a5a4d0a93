"""`Asker`: a request to a device that is scanned or copied, with its answer or its refusal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
from modwire.planner import PlanLimits, Span
from modwire.units.tables import BIT_TABLES

from ..client.reading import read_span
from ..simulator.devices import SILENCE

T = TypeVar("T")

_BUSY_PAUSE = 0.5  # seconds
_BUSY_MOST = 20
_ATTEMPTS = 2  # after which silence counts as a refusal


class Refused(Exception):  # noqa: N818 - an answer of the device, not an error of this program
    """The device refused: `code` is its exception code, or `SILENCE` if it did not answer."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Asker:
    """Asks one unit, with a pause of `delay` seconds before each request.

    A busy device is asked again. A unit that does not answer refuses with `SILENCE`. A gateway that
    finds no unit and a lost link raise as the client does. `requests` counts the requests, and
    `is_answered` is True after the first answer.
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

    def read(self, span: Span) -> Sequence[int]:
        """Return the registers or bits of `span`; raises `Refused`."""
        return self.ask(lambda client: read_span(client, span, self.unit, self.timeout))

    def ask(self, question: Callable[[BlockingCalls], T]) -> T:
        """Return the result of `question`; raises `Refused`."""
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


def most_values(table: str) -> int:
    """Return how many values one request reads at most (sections 6.1 and 6.3)."""
    limits = PlanLimits()
    return limits.max_bits if table in BIT_TABLES else limits.max_registers
