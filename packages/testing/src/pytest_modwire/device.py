"""`Device`: a Modbus device for a test, from its start to its end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Literal, get_args

from modwire import Endpoint, ServerOptions
from modwire.arguments import explained
from modwire_sync import SerialServer, UdpServer

from .damage import DAMAGING
from .faults import Faults
from .links import SerialCable, Tear, TearingTcpServer
from .log import LoggedRequest, RequestLog
from .sources import parts_of
from .units import DeviceUnits, check_units
from .values import UnitValues

if TYPE_CHECKING:
    from typing_extensions import Self

    from modwire import BaseUnit, Decoder, Units

    from .sources import Source
    from .values import NamedValues, TableValues

Scheme = Literal[
    "tcp",
    "udp",
    "rtu",
    "ascii",
    "binary",
    "rtu+tcp",
    "ascii+tcp",
    "binary+tcp",
    "rtu+udp",
    "ascii+udp",
    "binary+udp",
]

_HOST = "127.0.0.1"
_DEFAULT_UNIT = 1  # of clients
_PATIENCE = 2.0  # seconds for a unit that still executes a request at the end


class Device:
    """A Modbus device that serves in a thread of its own until `close()` or the end of `with`.

    `source` is a `Unit`, which gets the unit id 1 (on TCP and UDP it answers to 0 and 255 too);
    a `RegisterMap` or its class, the same; a dict of them by unit id; `Units`; or the path of a
    device file of the simulator, in TOML or JSON, for which modwire-tools must be installed.

    `scheme` says how it is reached, as in endpoints: "tcp", "udp", "rtu+tcp" and the like are on a
    free port of 127.0.0.1; "rtu", "ascii" and "binary" on a pseudo-terminal. A `decoder` knows
    functions of your own.

    - `endpoint`: the device as text for `connect()`, such as "tcp://127.0.0.1:43210" or
      "rtu:///dev/pts/3"; with `?unit=17` if it has one unit, whose id is not 1.
    - `host`, `port`: the address of a network device; `path`: the port of a serial line.
    - `units`: the units by id. `unit`, `coils`, `discrete_inputs`, `holding_registers`,
      `input_registers` and `values` are those of the only unit; `device[17]` has the same of one
      of several.
    - `faults`: switches faults on and off, see `Faults`.

    Raises ValueError and TypeError for a wrong source or scheme, OSError if it cannot serve.
    """

    @explained
    def __init__(
        self, source: Source, scheme: Scheme = "tcp", *, decoder: Decoder | None = None
    ) -> None:
        if scheme not in get_args(Scheme):
            raise ValueError(f"scheme must be one of {', '.join(get_args(Scheme))}, got {scheme!r}")
        self._closing = threading.Event()
        self._log = RequestLog()
        self.units: Units
        self.units, self._values = parts_of(source)
        check_units(self.units)
        self._cable: SerialCable | None = None
        tear = Tear(self._closing.wait)
        place = Endpoint.parse(f"{scheme}://{_HOST}:0" if _is_network(scheme) else f"{scheme}:///-")
        self.faults = Faults(place, tear.set_next)
        self._served = DeviceUnits(self.units, self.faults, self._closing.wait)
        options = ServerOptions(
            decoder=decoder, authorize=self._log.asked, on_answer=self._log.answered
        )
        self._server, place = self._serve(place, options, tear)
        (only,) = self._values if len(self._values) == 1 else (_DEFAULT_UNIT,)
        if only != _DEFAULT_UNIT and (only or place.framing == "tcp"):
            place = place.replace(unit=only)
        self._place = place

    def _serve(
        self, place: Endpoint, options: ServerOptions, tear: Tear
    ) -> tuple[TearingTcpServer | UdpServer | SerialServer, Endpoint]:
        """Return the server, which serves, and its endpoint."""
        framing = DAMAGING[place.framing]
        if place.transport == "serial":
            cable = self._cable = SerialCable(tear)
            try:
                server = SerialServer(
                    self._served, cable.device_port, framing=framing, options=options
                )
                return server.start(), place.replace(path=cable.client_port)
            except BaseException:
                cable.close()
                raise
        if place.transport == "udp":
            udp = UdpServer(self._served, (_HOST, 0), framing=framing, options=options)
            return udp.start(), place.replace(port=udp.address[1])
        tcp = TearingTcpServer(self._served, (_HOST, 0), framing=framing, options=options)
        tcp.tear = tear
        return tcp.start(), place.replace(port=int(tcp.address[1]))

    # Its place.

    @property
    def endpoint(self) -> str:
        """The device as text, such as "tcp://127.0.0.1:43210"."""
        return str(self._place)

    @property
    def host(self) -> str:
        """The host of a network device, 127.0.0.1; "" on a serial line."""
        return self._place.host

    @property
    def port(self) -> int:
        """The TCP or UDP port; 0 on a serial line."""
        return self._place.port

    @property
    def path(self) -> str:
        """The name of the serial port for clients, such as "/dev/pts/3"; "" on a network."""
        return self._place.path

    # Its values.

    def __getitem__(self, unit: int) -> UnitValues:
        """Return the values of a unit by its id. Raises KeyError if there is none."""
        if unit not in self._values:
            known = ", ".join(map(str, sorted(self._values)))
            raise KeyError(f"the device has no unit {unit}, it has {known}")
        return self._values[unit]

    @property
    def _only(self) -> UnitValues:
        found = {id(each.unit): each for each in self._values.values()}
        if len(found) != 1:
            known = ", ".join(map(str, sorted(self._values)))
            raise ValueError(f"the device has the units {known}: take one, as device[17]")
        return next(iter(found.values()))

    @property
    def unit(self) -> BaseUnit:
        """The only unit. This and the tables raise ValueError if there are several."""
        return self._only.unit

    @property
    def coils(self) -> TableValues:
        """The coils of the only unit: `device.coils[3] = True`."""
        return self._only.coils

    @property
    def discrete_inputs(self) -> TableValues:
        """The discrete inputs of the only unit."""
        return self._only.discrete_inputs

    @property
    def holding_registers(self) -> TableValues:
        """The holding registers of the only unit: `device.holding_registers[0:2] == [15, 40]`."""
        return self._only.holding_registers

    @property
    def input_registers(self) -> TableValues:
        """The input registers of the only unit; they can be set here."""
        return self._only.input_registers

    @property
    def values(self) -> NamedValues:
        """The named points of a register map or a device file: `device.values["speed"] = 1450`."""
        return self._only.values

    # Its requests.

    @property
    def requests(self) -> list[LoggedRequest]:
        """The requests that came, oldest first; the latest 10,000 are kept.

        A request is here before it is answered: after a call of a client, it has that call.
        """
        return self._log.entries()

    def clear_requests(self) -> None:
        """Forget the requests that came."""
        self._log.clear()

    def wait_for_requests(self, count: int = 1, timeout: float = 10.0) -> list[LoggedRequest]:
        """Wait until `count` requests have come, and return all requests.

        It blocks its thread: in an event loop, call it in a thread. Raises TimeoutError after
        `timeout` seconds.
        """
        return self.wait_until(lambda requests: len(requests) >= count, timeout)

    def wait_until(
        self, wanted: Callable[[list[LoggedRequest]], bool], timeout: float = 10.0
    ) -> list[LoggedRequest]:
        """Wait until `wanted(requests)` is true, as `wait_for_requests`.

        It is called whenever a request has come or was answered.
        """
        return self._log.wait_for(wanted, timeout)

    @property
    def damaged_frames(self) -> int:
        """The number of frames that came with a wrong checksum, or that were none."""
        return self._served.damaged_frames

    def report(self) -> str:
        """Return the log and the active faults as a text, as in the report of a failed test."""
        lines = [self._log.text()]
        if self.damaged_frames:
            lines.append(f"damaged frames: {self.damaged_frames}")
        if active := self.faults.active:
            lines.append(f"active faults: {', '.join(each.name for each in active)}")
        return "\n".join(lines)

    # Its end.

    def close(self) -> None:
        """Stop the device and close everything; may be called again.

        Raises the error that stopped its server, and RuntimeError if a unit hangs in a request.
        """
        if self._closing.is_set():
            return
        self._closing.set()  # ends delays
        try:
            self._server.shutdown(0.0)
            until = monotonic() + _PATIENCE
            for thread in self._served.threads:
                thread.join(max(0.0, until - monotonic()))
        finally:
            if self._cable is not None:
                self._cable.close()
        if self._server.is_serving or any(each.is_alive() for each in self._served.threads):
            raise RuntimeError(f"{self.endpoint}: a unit hangs in a request at the end")
        if self._server.failure is not None:
            raise self._server.failure

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Device {self.endpoint}, {len(self.requests)} requests>"


def _is_network(scheme: str) -> bool:
    return scheme in ("tcp", "udp") or "+" in scheme
