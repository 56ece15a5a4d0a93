"""`UnitScan`: which units answer, at which settings of the line, and what they say they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field

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

_PROBE_CHARACTERS = 8 + 7  # of the request and of its answer in RTU
_THINKING = 0.15  # seconds that a unit may take to answer a probe
_NETWORK_TIMEOUT = 1.0


@dataclass(frozen=True)
class FoundUnit:
    """A unit that answers at `endpoint`; `identity` is what it told of itself, text by name."""

    unit: int
    endpoint: str
    identity: Mapping[str, str] = field(default_factory=dict[str, str])

    def as_json(self) -> dict[str, object]:
        """Plain values, from which `FoundUnit(**values)` makes it again."""
        return asdict(self)


class UnitScan:
    """Asks each of `units` at each of `lines`, in this order.

    `position` is how many of these probes are done. Where a unit has answered, the scan ends with
    its line unless `every_line`: the units of one line have the same settings.
    """

    def __init__(
        self, lines: Sequence[Endpoint], units: Sequence[int], *, every_line: bool = False
    ) -> None:
        self.lines = lines
        self.units = units
        self.position = 0
        self.found: list[FoundUnit] = []
        self._every_line = every_line

    @property
    def total(self) -> int:
        """How many probes there are at most."""
        return len(self.lines) * len(self.units)

    @property
    def line(self) -> Endpoint | None:
        """Where the next unit is to be asked; None when all is done."""
        number, offset = divmod(self.position, len(self.units))
        if number >= len(self.lines):
            return None
        if not offset and self.found and not self._every_line:
            return None
        return self.lines[number]

    @property
    def unit(self) -> int:
        """Which unit is to be asked next."""
        return self.units[self.position % len(self.units)]

    def step(self, client: BlockingCalls, timeout: float) -> FoundUnit | None:
        """Ask the next unit through a client of `line`; the unit, if it answers.

        Raises `ConnectionLostError` where there is no link at all.
        """
        line = self.line
        assert line is not None
        unit = self.unit
        found: FoundUnit | None = None
        if answers(client, unit, timeout):
            found = FoundUnit(unit, str(line), identify(client, unit, max(timeout, 0.5)))
            self.found.append(found)
        self.position += 1
        return found


def probe_timeout(endpoint: Endpoint) -> float:
    """The seconds that a unit has to answer a probe: short on a serial line, where most are silent.

    On a network it is the endpoint's own, or 1 s, for a gateway may wait for its line.
    """
    if endpoint.timeout is not None:
        return endpoint.timeout
    if endpoint.transport == "serial":
        characters = _PROBE_CHARACTERS * (1 if endpoint.framing == "rtu" else 2)
        return _THINKING + characters * 11 / endpoint.baudrate
    return _NETWORK_TIMEOUT


def answers(client: BlockingCalls, unit: int, timeout: float) -> bool:
    """Whether `unit` answers a request for one holding register, be it with an exception."""
    try:
        client.read_holding_registers(0, 1, unit=unit, timeout=timeout)
    except (GatewayPathUnavailableError, GatewayTargetFailedError, ResponseTimeoutError):
        return False
    except ConnectionLostError:
        # Some gateways hang up on a unit that is not there; without a link this one raises too.
        return _answers_anew(client, unit, timeout)
    except (ExceptionResponseError, InvalidResponseError):
        return True
    return True


def _answers_anew(client: BlockingCalls, unit: int, timeout: float) -> bool:
    try:
        client.read_holding_registers(0, 1, unit=unit, timeout=timeout)
    except (GatewayPathUnavailableError, GatewayTargetFailedError, ResponseTimeoutError):
        return False
    except ConnectionLostError as error:
        if "opened" in str(error):
            raise
        return False
    except (ExceptionResponseError, InvalidResponseError):
        return True
    return True


def identify(client: BlockingCalls, unit: int, timeout: float) -> dict[str, str]:
    """What the unit tells by functions 43/14 and 17, as text by name; {} if it tells nothing."""
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
    """`data` if it is readable text, else its hexadecimal digits."""
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
