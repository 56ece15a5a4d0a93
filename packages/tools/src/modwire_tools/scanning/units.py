"""`UnitScan`: finds the units that respond, their line settings, and their identity."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

from modwire import (
    BlockingCalls,
    ConnectionLostError,
    Endpoint,
    ExceptionResponseError,
    GatewayPathUnavailableError,
    GatewayTargetFailedError,
    InvalidResponseError,
    ModbusError,
    ObjectId,
    ReadDeviceIdCode,
    ResponseTimeoutError,
)

from .state_files import between

_PROBE_CHARACTERS = 8 + 7  # length of the request and of its response in RTU
_THINKING = 0.15  # seconds that a unit may need to respond to a probe
_NETWORK_TIMEOUT = 1.0
_OTHER_UNIT = re.compile(r"\bunit (\d+) answered")  # the client's words for what came instead


@dataclass(frozen=True)
class FoundUnit:
    """A unit that responds at `endpoint`; `identity` has the texts of its identification.

    `answered_by` is the unit id in its responses if that is not its own: such a device can be used
    only with `Quirks.any_unit`. None if the id is right.
    """

    unit: int
    endpoint: str
    identity: Mapping[str, str] = field(default_factory=dict[str, str])
    answered_by: int | None = None

    def as_json(self) -> dict[str, Any]:
        """Return plain values; `FoundUnit(**values)` makes an equal one."""
        values = asdict(self)
        if self.answered_by is None:
            del values["answered_by"]
        return values


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

        A response with the id of another unit counts too: see `FoundUnit.answered_by`.
        Raises ConnectionLostError if there is no link.
        """
        line = self.line
        assert line is not None
        unit = self.unit
        found: FoundUnit | None = None
        answering = answering_unit(client, unit, timeout)
        if answering == unit:
            found = FoundUnit(unit, str(line), identify(client, unit, max(timeout, 0.5)))
        elif answering is not None:
            found = FoundUnit(unit, str(line), answered_by=answering)
        if found is not None:
            self.found.append(found)
        self.position += 1
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


def answers(client: BlockingCalls, unit: int, timeout: float) -> bool:
    """Return True if `unit` responds to a read of a holding register, even by an exception.

    Raises ConnectionLostError if there is no link.
    """
    return answering_unit(client, unit, timeout) == unit


def answering_unit(client: BlockingCalls, unit: int, timeout: float) -> int | None:
    """Return the unit id in the response to a read of a holding register of `unit`, or None.

    An exception is a response too. Raises ConnectionLostError if there is no link.
    """
    for is_last in (False, True):
        try:
            client.read_holding_registers(0, 1, unit=unit, timeout=timeout)
        except (GatewayPathUnavailableError, GatewayTargetFailedError):
            return None
        except ResponseTimeoutError as error:
            return other_unit(error)
        except ConnectionLostError as error:
            # Some gateways close the connection if a unit is missing; it can be opened again.
            if is_last and "opened" in str(error):
                raise
        except (ExceptionResponseError, InvalidResponseError):
            return unit
        else:
            return unit
    return None


def other_unit(error: ResponseTimeoutError) -> int | None:
    """Return the id of the unit that answered in place of the one asked; None if none did."""
    found = _OTHER_UNIT.search(str(error))
    return None if found is None else int(found[1])


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
