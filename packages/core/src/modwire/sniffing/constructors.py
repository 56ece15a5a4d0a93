"""Constructor of the `SerialSniffer` of every package: arguments, defaults and checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..arguments import explained
from ..endpoint import path_name
from ..errors import ConnectionLostError
from ..framing.base import Framing
from ..framing.rtu import RtuFraming
from ..options import check_flag, check_seconds
from ..serial_settings import SERIAL_TOLERANCE, SerialSettings
from .sniffer import Sniffer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from typing_extensions import Self

    from ..messages.decoder import Decoder
    from ..serial_settings import Rs485Settings
    from .heard import Heard, HeardDamage, HeardFrame

_ADU = 256  # bytes; the time of the longest response is added to the default timeout


class SerialSnifferBase:
    """Base of the sniffers on a serial port; see `__init__` for the arguments."""

    @explained
    def __init__(
        self,
        port: str,
        *,
        framing: type[Framing] = RtuFraming,
        baudrate: int = 19200,
        bytesize: int | None = None,
        parity: str = "E",
        stopbits: int | None = None,
        timeout: float | None = None,
        silence: float = 0.0,
        tolerance: float = SERIAL_TOLERANCE,
        decoder: Decoder | None = None,
        on_frame: Callable[[HeardFrame | HeardDamage], object] | None = None,
        rs485: Rs485Settings | bool | None = None,
        exclusive: bool = True,
    ) -> None:
        """Make a sniffer on a serial line, with RTU, ASCII or Binary framing.

        - `port`: a device such as "/dev/ttyUSB0" or "COM3", or a pyserial URL. It is only read.
        - `baudrate`, `bytesize` (8, and 7 for ASCII), `parity` "N", "E" or "O", `stopbits` (1,
          and 2 without parity) have the defaults of MODBUS over Serial Line V1.02, section 2.5.
        - `timeout`: seconds from the end of a request until it counts as unanswered; by default 1
          second plus the time of 256 characters. It should be that of the client on the line.
        - `silence`: seconds of silence between two RTU frames, raised to t3.5 of the line.
        - `tolerance`: seconds of silence that the adapter may cause inside a frame.
        - `decoder`: the `Decoder` with the custom functions.
        - `on_frame(frame)`: called with each `HeardFrame` and `HeardDamage`, in the order of the
          line.
        - `rs485`: switch the driver's RS-485 mode on: True, or pyserial's `RS485Settings`.
        - `exclusive`: keep other programs from opening the port.

        It opens the port on entering `with`, or when it is iterated first. Raises ValueError for
        arguments out of range, TypeError unless `framing` is a subclass of Framing.
        """
        settings = SerialSettings(
            framing, baudrate=baudrate, bytesize=bytesize, parity=parity, stopbits=stopbits
        )
        longest = _ADU * settings.character_time
        self.sniffer = Sniffer(
            framing,
            silence=max(check_seconds("silence", silence), settings.silence),
            tolerance=tolerance,
            character_time=settings.character_time,
            response_timeout=1.0 + longest if timeout is None else timeout,
            decoder=decoder,
            on_frame=on_frame,
        )
        self._name = path_name("serial", framing, port)
        self._port = port
        self._settings = settings
        self._rs485 = rs485
        self._exclusive = check_flag("exclusive", exclusive)
        self._set_up()

    def _set_up(self) -> None:
        """Make the sniffer ready for use; a package adds what it listens with."""

    def _take(self, data: bytes | OSError | None, now: float) -> None:
        """Process what a read of the port gave: bytes, an error, or None if nothing came.

        Raises ConnectionLostError for an error, and for b"", the end of the port.
        """
        if isinstance(data, OSError):
            raise self._lost(data) from data
        if data:
            self.sniffer.receive_data(data, now)
        elif data is not None:
            raise self._lost("the port has hung up")
        elif now >= self._deadline():
            self.sniffer.handle_timeout(now)

    def _deadline(self) -> float:
        """Time until which to wait for bytes; inf if there is no limit."""
        deadline = self.sniffer.deadline()
        return float("inf") if deadline is None else deadline

    def _lost(self, error: object) -> ConnectionLostError:
        """Return the error of a port that cannot be opened or read."""
        return ConnectionLostError(f"{self._name}: {error}")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._name}>"


class AsyncSnifferBase(SerialSnifferBase):
    """Base of the sniffers that are awaited."""

    _open: Any = None  # the open port

    async def _open_port(self) -> object:
        """Return the opened port; raise OSError if that fails."""
        raise NotImplementedError

    def _close_port(self, port: Any) -> None:
        """Close the port, without waiting; a task that waits for it is woken."""
        port.close()

    def _take_or_close(self, data: bytes | OSError | None, now: float) -> None:
        """Process what a read of the port gave, as `_take`; close the port after an error."""
        try:
            self._take(data, now)
        except BaseException:
            self._close()
            raise

    def _close(self) -> None:
        port, self._open = self._open, None
        if port is not None:
            self._close_port(port)

    async def open(self) -> None:
        """Open the port, unless it is open. Raises ConnectionLostError if that fails."""
        if self._open is None:
            try:
                self._open = await self._open_port()
            except OSError as error:
                raise self._lost(error) from error

    async def aclose(self) -> None:
        """Close the port, if it is open."""
        self._close()

    async def hear(self, timeout: float | None = None) -> Heard | None:
        """Return the next `HeardExchange` or `HeardDamage`.

        None after `timeout` seconds without one, or if it was closed. It opens the port if it is
        not open. Raises ConnectionLostError if that fails, or if the port is lost.
        """
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Heard:
        found = await self.hear()
        if found is None:
            raise StopAsyncIteration
        return found


class BlockingSnifferBase(SerialSnifferBase):
    """Base of the sniffers whose caller waits without `await`."""

    def open(self) -> None:
        """Open the port, unless it is open. Raises ConnectionLostError if that fails."""
        raise NotImplementedError

    def close(self) -> None:
        """Close the port, if it is open."""
        raise NotImplementedError

    def hear(self, timeout: float | None = None) -> Heard | None:
        """Return the next `HeardExchange` or `HeardDamage`.

        None after `timeout` seconds without one, or if it was closed. It opens the port if it is
        not open. Raises ConnectionLostError if that fails, or if the port is lost.
        """
        raise NotImplementedError

    def __iter__(self) -> Iterator[Heard]:
        """Yield the results until it is closed."""
        while (heard := self.hear()) is not None:
            yield heard

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
