"""`UnitScan`: finds the units that respond, their line settings, and their identity."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from time import monotonic
from typing import Any

from modwire import (
    AcknowledgeError,
    BlockingCalls,
    ConnectionLostError,
    Endpoint,
    ExceptionResponseError,
    FrameError,
    GatewayPathUnavailableError,
    GatewayTargetFailedError,
    InvalidResponseError,
    ModbusError,
    ObjectId,
    ReadDeviceIdCode,
    ResponseTimeoutError,
    ServerDeviceBusyError,
)

from .state_files import between

_PROBE_CHARACTERS = 8 + 7  # length of the request and of its response in RTU
_THINKING = 0.15  # seconds that a unit may need to respond to a probe
_NETWORK_TIMEOUT = 1.0
_LATE = 5.0  # seconds in which an answer with the id of a silent unit is its late answer
# The client's words for what came instead.
_OTHER_UNIT = re.compile(r"\bunit (\d+) answered")
_LATE_UNIT = re.compile(r"\ba late one of unit (\d+)$")


@dataclass(frozen=True)
class FoundUnit:
    """A unit that responds at `endpoint`; `identity` has the texts of its identification.

    `answered_by` is the unit id in its responses if that is not its own: such a device can be used
    only with `Quirks.any_unit`. None if the id is right. `late` is True if the answer came after
    the timeout; `exception` is 5 or 6 if the unit was busy.
    """

    unit: int
    endpoint: str
    identity: Mapping[str, str] = field(default_factory=dict[str, str])
    answered_by: int | None = None
    late: bool = False
    exception: int | None = None

    def as_json(self) -> dict[str, Any]:
        """Return plain values; `FoundUnit(**values)` makes an equal one."""
        values = asdict(self)
        return {
            name: value
            for name, value in values.items()
            if name in ("unit", "endpoint", "identity") or value not in (None, False)
        }


@dataclass(frozen=True)
class Probe:
    """The result of asking a unit: all None if it is silent.

    - `answered_by`: the unit id in the answer. `late`: the unit whose answer to an earlier request
      came instead.
    - `exception`: 5 or 6 if the unit is busy.
    - `trouble`: the error, if bytes came that are not the answer, or not as they should be.
    """

    answered_by: int | None = None
    late: int | None = None
    exception: int | None = None
    trouble: ModbusError | None = None


class UnitScan:
    """Probes each of `units` at each of `lines`, in this order.

    `position` is the number of probes done. After a line at which a unit has responded, the scan
    ends unless `every_line` is True: the units of one line have the same settings.
    """

    def __init__(
        self, lines: Sequence[Endpoint], units: Sequence[int], *, every_line: bool = False
    ) -> None:
        self.lines = lines
        self.units = units
        self.position = 0
        self.found: list[FoundUnit] = []
        self.trouble: ModbusError | None = None
        """The error of the last probe, if bytes came that are not the right answer."""
        self._silent: dict[int, float] = {}  # the times at which they were given up
        self._every_line = every_line

    def state(self) -> dict[str, Any]:
        """Return plain values from which `resume` continues."""
        return {"position": self.position, "units": [each.as_json() for each in self.found]}

    def resume(self, state: Mapping[str, Any]) -> None:
        """Continue from `state`; raises ValueError or a similar error if it is not valid."""
        self.position = between(0, state["position"], self.total)
        self.found += [
            FoundUnit(
                int(each["unit"]),
                str(each["endpoint"]),
                dict(each["identity"]),
                each.get("answered_by"),
                bool(each.get("late")),
                each.get("exception"),
            )
            for each in state["units"]
        ]

    @property
    def total(self) -> int:
        """The largest possible number of probes."""
        return len(self.lines) * len(self.units)

    @property
    def line(self) -> Endpoint | None:
        """The line of the next probe; None at the end."""
        number, offset = divmod(self.position, len(self.units))
        if number >= len(self.lines):
            return None
        if not offset and self.found and not self._every_line:
            return None
        return self.lines[number]

    @property
    def unit(self) -> int:
        """The unit of the next probe."""
        return self.units[self.position % len(self.units)]

    def step(self, client: BlockingCalls, timeout: float) -> FoundUnit | None:
        """Probe the next unit through a client of `line`; return the unit if it responds.

        A response with the id of another unit counts too: see `FoundUnit.answered_by`. If a unit
        that was asked before answers now, late, that one is returned. Raises ConnectionLostError if
        there is no link.
        """
        line = self.line
        assert line is not None
        unit = self.unit
        found: FoundUnit | None = None
        result = probe(client, unit, timeout)
        self.trouble = result.trouble
        other, late = result.answered_by, result.late
        given_up = self._silent.get(-1 if other is None else other, float("-inf"))
        if other not in (None, unit) and monotonic() - given_up < _LATE:
            other, late = None, other
        if late is not None:
            found = self.add_late(late)
            self.trouble = None
        elif other == unit:
            identity = {} if result.exception else identify(client, unit, max(timeout, 0.5))
            found = FoundUnit(unit, str(line), identity, exception=result.exception)
            self.found.append(found)
        elif other is not None:
            found = FoundUnit(unit, str(line), answered_by=other)
            self.found.append(found)
            self.trouble = None
        if other is None:
            self._silent[unit] = monotonic()
        self.position += 1
        return found

    def add_late(self, unit: int) -> FoundUnit | None:
        """Add a unit of the line whose answer came after the timeout; None if it is known."""
        line = str(self.lines[min(self.position // len(self.units), len(self.lines) - 1)])
        if any((each.unit, each.endpoint) == (unit, line) for each in self.found):
            return None
        found = FoundUnit(unit, line, late=True)
        self.found.append(found)
        return found


def probe_timeout(endpoint: Endpoint) -> float:
    """Return the timeout in seconds: short on a serial line, where most ids are unused.

    On a network it is the endpoint's own timeout, or 1 s, because a gateway may wait for its line.
    """
    if endpoint.timeout is not None:
        return endpoint.timeout
    if endpoint.transport == "serial":
        characters = _PROBE_CHARACTERS * (1 if endpoint.framing == "rtu" else 2)
        return _THINKING + characters * 11 / endpoint.baudrate
    return _NETWORK_TIMEOUT


def probe(client: BlockingCalls, unit: int, timeout: float) -> Probe:
    """Read a holding register of `unit`; an exception is an answer too.

    Raises ConnectionLostError if there is no link.
    """
    for is_last in (False, True):
        try:
            client.read_holding_registers(0, 1, unit=unit, timeout=timeout)
        except (GatewayPathUnavailableError, GatewayTargetFailedError):
            return Probe()
        except ResponseTimeoutError as error:
            return _without_answer(error)
        except FrameError as error:
            return Probe(trouble=error)
        except ConnectionLostError as error:
            # Some gateways close the connection if a unit is missing; it can be opened again.
            if is_last and "opened" in str(error):
                raise
        except (AcknowledgeError, ServerDeviceBusyError) as error:
            return Probe(unit, exception=error.code)
        except InvalidResponseError as error:
            return Probe(unit, trouble=error)
        except ExceptionResponseError:
            return Probe(unit)
        else:
            return Probe(unit)
    return Probe()


def _without_answer(error: ResponseTimeoutError) -> Probe:
    text = str(error)
    late, other = _LATE_UNIT.search(text), _OTHER_UNIT.search(text)
    return Probe(
        answered_by=None if other is None else int(other[1]),
        late=None if late is None else int(late[1]),
        trouble=error if is_discarded(error) else None,
    )


def is_discarded(error: ResponseTimeoutError) -> bool:
    """Return True if bytes came that were not the answer, by the words of the client."""
    text = str(error)
    return ": " in text and not text.endswith("nothing came")


def identify(client: BlockingCalls, unit: int, timeout: float) -> dict[str, str]:
    """Return the responses to functions 43/14 and 17 as texts by name; {} if it has neither."""
    identity: dict[str, str] = {}
    with suppress(ModbusError):
        objects = client.read_device_identification(
            ReadDeviceIdCode.REGULAR, unit=unit, timeout=timeout
        )
        for number, data in objects.items():
            identity[_object_name(number)] = as_text(data)
    with suppress(ModbusError):
        answer = client.report_server_id(unit=unit, timeout=timeout)
        identity["server_id"] = as_text(answer.server_id)
        if answer.run_indicator is not None:
            identity["run_indicator"] = "on" if answer.run_indicator else "off"
        if answer.additional_data:
            identity["additional_data"] = as_text(answer.additional_data)
    return identity


def as_text(data: bytes) -> str:
    """Return `data` as text if it is readable, else as hexadecimal digits."""
    with suppress(UnicodeDecodeError):
        text = data.decode().rstrip("\0")
        if text.isprintable():
            return text
    return data.hex(" ")


def _object_name(number: int) -> str:
    try:
        return ObjectId(number).name.lower()
    except ValueError:
        return f"object_{number:02X}"
