"""A backend for the package `modbus-connection`, by which Home Assistant speaks Modbus.

`modbus_connection.pymodbus` and `modbus_connection.tmodbus` have the same names. Needs the extra
`modbus-connection`, and Python 3.12 or newer. As there, no request is sent twice because its link
was lost: the request that meets the loss raises, and the next one connects.
"""

from __future__ import annotations

import re
from functools import partial
from struct import pack
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

import modbus_connection as api  # pyright: ignore[reportMissingModuleSource]

from modwire import AsyncCalls, ClientOptions, RawRequest, Response, errors
from modwire.framing import FRAMINGS
from modwire.options import check_range

from .client import Client
from .clients import SerialClient, TcpClient, UdpClient

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal, TypeAlias

    from modwire import Request

    from .links import Link

    Framer: TypeAlias = Literal["socket", "rtu", "ascii"]
    Params: TypeAlias = (
        api.ModbusTcpParams | api.ModbusUdpParams | api.ModbusTlsParams | api.ModbusSerialParams
    )

ResponseT = TypeVar("ResponseT", bound=Response)

_BUSY_RETRIES = 4  # a quarter of a second apart, as a busy device has not executed the request


class ModwireConnection(api.ModbusConnection):
    """A connection of `modbus_connection` on a client of this package."""

    def for_unit(self, unit_id: int) -> ModwireUnit:
        """Return the handle of the unit `unit_id`, 0..255."""
        unit = ModwireUnit(self, unit_id)
        unit.set_message_spacing = partial(self._pacer.set_unit_spacing, unit_id)
        unit.require_timeout = partial(self._require_timeout, unit_id)
        unit.require_connect_delay = partial(self._require_connect_delay, unit_id)
        return unit

    async def request(
        self, request: Request[ResponseT], unit: int, timeout: float | None
    ) -> ResponseT:
        """Connect if needed, send `request` in its turn, and return the response."""
        await self.connect()
        async with self._pacer.paced(unit):
            await self.connect()  # again, if the link was dropped while this waited
            client: Client = self._client
            try:
                return await client.call(request, unit=unit, timeout=timeout)
            except errors.ModbusError as error:
                if isinstance(error, errors.ConnectionLostError):
                    self._link_lost(client)
                raise _mapped(error, f"{_operation(request)}: {error}") from error

    async def _connect_client(self) -> Client:
        client = _client_for(self._params, self._timeout)
        client.on_lost = partial(self._link_lost, client)
        try:
            await client.connect()
        except (errors.ModbusError, OSError) as error:
            late = isinstance(error.__cause__ or error, TimeoutError)
            kind = api.ModbusTimeoutError if late else api.ModbusConnectionError
            raise kind(f"could not connect to {self._target}: {error}") from error
        return client

    async def _close_client(self, client: Client) -> None:
        try:
            await client.aclose()
        except (errors.ModbusError, OSError) as error:
            raise api.ModbusConnectionError(str(error)) from error

    def _link_lost(self, client: Client | None) -> None:
        """Report the loss of the link, unless `client` was already replaced or closed."""
        if client is not None and client is self._client:
            self._client = None
            self._lost_callbacks.fire()


ModbusConnection = ModwireConnection


class ModwireUnit(AsyncCalls):
    """A unit of a connection, with the calls of `modbus_connection`, and the others of modwire."""

    set_message_spacing: Callable[[float], None]
    require_timeout: Callable[[float | None], None]
    require_connect_delay: Callable[[float | None], None]

    def __init__(self, connection: ModwireConnection, unit_id: int) -> None:
        self._connection = connection
        self._unit_id = unit_id
        self.on_connection_lost = connection.on_connection_lost
        self.disconnect = connection.disconnect

    @property
    def connected(self) -> bool:
        """True while the link is open."""
        return self._connection.connected

    async def call(
        self, request: Request[ResponseT], *, unit: int | None = None, timeout: float | None = None
    ) -> ResponseT:
        number = self._unit_id if unit is None else unit
        return await self._connection.request(request, number, timeout)

    # The calls that have another signature or result there.

    async def read_write_registers(  # type: ignore[override]
        self, read_address: int, read_count: int, write_address: int, write_values: list[int]
    ) -> list[int]:
        return await super().read_write_registers(
            read_address, read_count, write_address, write_values
        )

    async def read_file_record(  # type: ignore[override]
        self, file: int, record: int, length: int
    ) -> list[int]:
        return await super().read_file_record(file, record, length)

    async def report_server_id(self) -> bytes:  # type: ignore[override]
        return (await super().report_server_id()).server_id

    async def get_comm_event_counter(self) -> tuple[bool, int]:  # type: ignore[override]
        response = await super().get_comm_event_counter()
        return response.status == 0, response.event_count

    async def get_comm_event_log(self) -> bytes:  # type: ignore[override]
        return (await super().get_comm_event_log()).events

    async def read_device_identification(self) -> dict[int, bytes]:  # type: ignore[override]
        try:
            return await super().read_device_identification()
        except errors.InvalidResponseError as error:  # of several answers that do not fit
            raise api.ModbusProtocolError(f"read_device_identification(): {error}") from error

    async def diagnostics(self, sub_function: int, data: int = 0) -> int:
        """Function 8: send the word `data` to any sub-function, and return the word it answers."""
        check_range("sub_function", sub_function, 0, 0xFFFF)
        sent = pack(">HH", sub_function, check_range("data", data, 0, 0xFFFF))
        answer = (await self.call(RawRequest(8, sent))).data
        if len(answer) != 4 or answer[:2] != sent[:2]:
            raise api.ModbusProtocolError(
                f"diagnostics({sub_function}, {data}): the data of the answer is {answer.hex(' ')}"
            )
        return int.from_bytes(answer[2:], "big")


async def connect_tcp(
    host: str, *, port: int = 502, framer: Framer | None = None, **timing: float | None
) -> ModwireConnection:
    """Open a connection over TCP. Raises `ModbusConnectionError` if that fails, as the next two do.

    `timing` is `timeout` for an answer, `message_spacing` and `connect_delay`, in seconds.
    """
    return await _connected(api.ModbusTcpParams(host=host, port=port, framer=framer), timing)


async def connect_udp(
    host: str, *, port: int = 502, framer: Framer = "socket", **timing: float | None
) -> ModwireConnection:
    """Open a connection over UDP, with any framing."""
    return await _connected(api.ModbusUdpParams(host=host, port=port, framer=framer), timing)


async def connect_serial(
    port: str,
    *,
    baudrate: int = 9600,
    bytesize: Literal[7, 8] = 8,
    parity: Literal["N", "E", "O"] = "N",
    stopbits: Literal[1, 2] = 1,
    framer: Literal["rtu", "ascii"] = "rtu",
    **timing: float | None,
) -> ModwireConnection:
    """Open a connection on a serial line, or for "socket://host:port", to a gateway over TCP."""
    params = api.ModbusSerialParams(
        device=port,
        baudrate=baudrate,
        bytesize=bytesize,
        parity=parity,
        stopbits=stopbits,
        framer=framer,
    )
    return await _connected(params, timing)


async def _connected(params: Params, timing: dict[str, float | None]) -> ModwireConnection:
    connection = ModwireConnection(params, **timing)
    await connection.connect()
    return connection


class _OneLink(Client):
    """A client that opens one link only: the connection decides when to open another."""

    on_lost: Callable[[], None]
    _is_used = False

    async def _open_link(self) -> Link:
        if self._is_used:
            raise OSError(str(self._turns.opening.reason))
        link = await super()._open_link()
        self._is_used = True
        link.closed.add_done_callback(lambda _: self.on_lost())
        return link


class _Tcp(_OneLink, TcpClient): ...


class _Udp(_OneLink, UdpClient): ...


class _Serial(_OneLink, SerialClient): ...


def _client_for(params: Params, seconds: float) -> _OneLink:
    """Return a client that waits so many `seconds` for an answer, and for a connection."""
    if isinstance(params, api.ModbusTlsParams):
        raise ValueError("TLS is not supported by this version of modwire")
    framing = FRAMINGS["tcp" if params.framer == "socket" else str(params.framer)]
    # There, a device that is silent has not lost its link.
    options = ClientOptions(
        response_timeout=seconds, busy_retries=_BUSY_RETRIES, reconnect_after=None, silence=0.0
    )
    if isinstance(params, api.ModbusUdpParams):
        return _Udp(params.host, params.port, framing=framing, options=options)
    if not isinstance(params, api.ModbusSerialParams):
        host, port = params.host, params.port
    elif (url := urlsplit(params.device)).scheme == "socket":
        host, port = url.hostname or "", url.port or 0
    else:
        return _Serial(
            params.device,
            framing=framing,
            baudrate=params.baudrate,
            bytesize=params.bytesize,
            parity=params.parity,
            stopbits=params.stopbits,
            options=options,
        )
    return _Tcp(host, port, framing=framing, options=options, connect_timeout=seconds)


def _operation(request: Request[Response]) -> str:
    """Return a request as a call, such as "read_coils(0, 8)"."""
    name = re.sub("(?<!^)(?=[A-Z])", "_", type(request).__name__.removesuffix("Request")).lower()
    values = [repr(getattr(request, each)) for each in request.__match_args__]
    return f"{name}({', '.join(values)})"


def _mapped(error: errors.ModbusError, text: str) -> api.ModbusError:
    """Return the error of `modbus_connection` for one of modwire."""
    match error:
        case errors.ExceptionResponseError():
            return api.ModbusExceptionError.from_code(error.code, text)
        case errors.ResponseTimeoutError():
            return api.ModbusTimeoutError(text)
        case errors.ConnectionLostError():
            return api.ModbusConnectionError(text)
        case _:
            return api.ModbusProtocolError(text)
