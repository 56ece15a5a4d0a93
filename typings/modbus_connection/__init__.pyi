"""Types of the package modbus-connection, which needs Python 3.12, for checkers without it.

Only what `modwire_asyncio.modbus_connection` uses. tests/asyncio/test_modbus_connection.py runs
that module with the package itself.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Literal

class ModbusError(Exception): ...
class ModbusConnectionError(ModbusError): ...
class ModbusTimeoutError(ModbusError, TimeoutError): ...
class ModbusProtocolError(ModbusError): ...

class ModbusExceptionError(ModbusError):
    @staticmethod
    def from_code(
        exception_code: int | None, message: str | None = None
    ) -> ModbusExceptionError: ...

class ModbusTcpParams:
    host: str
    port: int
    framer: Literal["socket", "rtu", "ascii"] | None
    def __init__(
        self,
        *,
        host: str,
        port: int = 502,
        framer: Literal["socket", "rtu", "ascii"] | None = None,
    ) -> None: ...

class ModbusUdpParams:
    host: str
    port: int
    framer: Literal["socket", "rtu", "ascii"]
    def __init__(
        self, *, host: str, port: int = 502, framer: Literal["socket", "rtu", "ascii"] = "socket"
    ) -> None: ...

class ModbusTlsParams: ...

class ModbusSerialParams:
    device: str
    baudrate: int
    bytesize: Literal[7, 8]
    parity: Literal["N", "E", "O"]
    stopbits: Literal[1, 2]
    framer: Literal["rtu", "ascii"]
    def __init__(
        self,
        *,
        device: str,
        baudrate: int = 9600,
        bytesize: Literal[7, 8] = 8,
        parity: Literal["N", "E", "O"] = "N",
        stopbits: Literal[1, 2] = 1,
        framer: Literal["rtu", "ascii"] = "rtu",
    ) -> None: ...

class _Pacer:
    def set_unit_spacing(self, unit_id: int, seconds: float) -> None: ...
    def paced(self, unit_id: int) -> AbstractAsyncContextManager[None]: ...

class _Callbacks:
    def fire(self) -> None: ...

class ModbusConnection(ABC):
    _params: ModbusTcpParams | ModbusUdpParams | ModbusTlsParams | ModbusSerialParams
    _pacer: _Pacer
    _timeout: float
    _target: str
    _lost_callbacks: _Callbacks
    _client: Any
    def __init__(
        self,
        params: ModbusTcpParams | ModbusUdpParams | ModbusTlsParams | ModbusSerialParams,
        *,
        timeout: float | None = None,
        message_spacing: float | None = None,
        connect_delay: float | None = None,
    ) -> None: ...
    @property
    def connected(self) -> bool: ...
    async def connect(self) -> None: ...
    @abstractmethod
    def for_unit(self, unit_id: int) -> object: ...
    def on_connection_lost(self, callback: Callable[[], None]) -> Callable[[], None]: ...
    def _require_timeout(self, unit_id: int, seconds: float | None) -> None: ...
    def _require_connect_delay(self, unit_id: int, seconds: float | None) -> None: ...
    async def disconnect(self) -> None: ...
    async def close(self) -> None: ...
    @abstractmethod
    async def _connect_client(self) -> Any: ...
    @abstractmethod
    async def _close_client(self, client: Any) -> None: ...
