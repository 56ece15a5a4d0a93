"""`UnitPanel`: the part of a `ServerView` that only needs the units, whoever serves them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from modwire import BaseUnit, CommEvent, Endpoint, ModbusPlusStatistics, ObjectId, Units
from modwire.server.peers import AllowedNetworks
from modwire.units.tables import TABLES

from .view import MODES, EventInfo, IdentityObject, Mode, UnitState

MOST_VALUES = 1000
_COUNTERS = {
    "bus messages": "bus_message_count",
    "bus communication errors": "communication_error_count",
    "bus exception errors": "exception_count",
    "server messages": "server_message_count",
    "server no responses": "no_response_count",
    "server NAKs": "nak_count",
    "server busies": "busy_count",
    "bus character overruns": "overrun_count",
    "events": "event_counter",
}
_OBJECTS = {int(each): each.name.lower().replace("_", " ") for each in ObjectId}


def check_table(table: str) -> None:
    """Raise ValueError unless there is such a table."""
    if table not in TABLES:
        raise ValueError(f"table must be one of {', '.join(TABLES)}, got {table!r}")


def check_range(address: int, count: int) -> None:
    """Raise ValueError unless a view may return these values at once."""
    if not 1 <= count <= MOST_VALUES:
        raise ValueError(f"count must be 1..{MOST_VALUES}, got {count}")
    if not 0 <= address <= 0x10000 - count:
        raise ValueError(f"addresses must be 0..65535, got {address} + {count}")


def check_values(address: int, values: Sequence[int], most: int) -> None:
    """Raise ValueError, which names the address, unless all values are integers 0..`most`."""
    for at, value in enumerate(values, address):
        number: object = value
        if not isinstance(number, int) or not 0 <= number <= most:
            raise ValueError(f"the value at {at} must be 0..{most}, got {value!r}")


def mode_of(endpoint: Endpoint) -> Mode:
    """Return the mode of the frames at an endpoint."""
    return next(each for each in MODES if each == endpoint.framing)


def choose_endpoint(endpoints: Sequence[str], wanted: str) -> int:
    """Return the index of the endpoint that `wanted` names, or of the only one for "".

    Raises LookupError for another one, and ValueError if there are several.
    """
    if wanted:
        if wanted not in endpoints:
            raise LookupError(f"there is no endpoint {wanted}, there are {', '.join(endpoints)}")
        return list(endpoints).index(wanted)
    if len(endpoints) != 1:
        raise ValueError(f"endpoint must be one of {', '.join(endpoints) or 'none'}")
    return 0


class UnitPanel:
    """A base: a subclass has `_found`, `_homes` and `_allowed`, and the rest of the view.

    The methods are documented in `ServerView`.
    """

    def _found(self, device: int, unit: int) -> BaseUnit:
        """Return a unit; raises LookupError."""
        raise NotImplementedError

    def _ids(self, device: int, unit: int) -> list[int]:
        """Return the ids of a unit, ascending."""
        raise NotImplementedError

    def _homes(self, device: int) -> Sequence[Units]:
        """Return the `Units` in which the units of a device are served; raises LookupError."""
        raise NotImplementedError

    def _allowed(self, device: int) -> AllowedNetworks:
        """Return the networks whose clients may connect to a device; raises LookupError."""
        raise NotImplementedError

    def counters(self, device: int, unit: int) -> dict[str, int]:
        found = self._found(device, unit)
        return {name: int(getattr(found, attribute)) for name, attribute in _COUNTERS.items()}

    def state(self, device: int, unit: int) -> UnitState:
        found = self._found(device, unit)
        return UnitState(
            self._ids(device, unit),
            found.listen_only,
            found.ascii_delimiter,
            found.diagnostic_register,
            found.exception_status,
        )

    def change_state(
        self,
        device: int,
        unit: int,
        *,
        listen_only: bool | None = None,
        diagnostic_register: int | None = None,
        exception_status: int | None = None,
    ) -> None:
        found = self._found(device, unit)
        if listen_only is not None:
            found.listen_only = listen_only
        if diagnostic_register is not None:
            found.diagnostic_register = diagnostic_register
        if exception_status is not None:
            found.exception_status = exception_status

    def identity(self, device: int, unit: int) -> list[IdentityObject]:
        objects: Mapping[int, bytes] = self._found(device, unit).identity or {}
        return [
            IdentityObject(
                number, _OBJECTS.get(number, ""), value.decode(errors="backslashreplace")
            )
            for number, value in objects.items()
        ]

    def events(self, device: int, unit: int) -> list[EventInfo]:
        events = map(CommEvent.from_code, self._found(device, unit).event_log)
        return [EventInfo(each.code, type(each).__name__, list(each.flags)) for each in events]

    def clear_events(self, device: int, unit: int) -> None:
        self._found(device, unit).clear_event_log()

    def statistics(self, device: int, unit: int) -> Mapping[str, int | Sequence[int]]:
        return self._found(device, unit).modbus_plus_statistics._asdict()

    def clear_statistics(self, device: int, unit: int) -> None:
        self._found(device, unit).modbus_plus_statistics = ModbusPlusStatistics()

    def reset(self, device: int, unit: int, *, diagnostics: bool, values: bool) -> None:
        found = self._found(device, unit)
        if diagnostics:
            found.clear_counters()
            found.clear_event_log()
        if values:
            try:
                found.reset()
            except NotImplementedError as error:
                raise ValueError(f"the values cannot be reset: {error}") from None

    def set_delimiter(self, device: int, code: int) -> None:
        for units in self._homes(device):
            units.ascii_delimiter = code

    def networks(self, device: int) -> list[str] | None:
        networks = self._allowed(device).networks
        return None if networks is None else [str(each) for each in networks]

    def set_networks(self, device: int, networks: Sequence[str] | None) -> None:
        self._allowed(device).networks = networks

    def add_network(self, device: int, network: str) -> None:
        self._allowed(device).add(network)

    def remove_network(self, device: int, network: str) -> None:
        self._allowed(device).remove(network)
