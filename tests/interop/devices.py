"""The units of our servers in the tests with peers, and the links."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from modwire import (
    ClientOptions,
    ExceptionResponse,
    ExceptionResponseError,
    Identity,
    Response,
    SequentialBlock,
    Unit,
    Units,
)
from pty_pair import PtyPair
from reference_server import reference_unit

from .adapters import Adapter, Gate, Link, Remote

if TYPE_CHECKING:
    from modwire.messages.base import AnyRequest

# Those between our own clients and servers; pymodbus has no Unix sockets.
LINKS = ["tcp", "udp", "unix", "rtu", "ascii", "rtu+tcp"]
QUIET = 0.05  # seconds to wait for an answer that will not come
PATIENCE = 20.0  # seconds that a busy machine may take
# Our own servers respond at once, and never send late responses.
OPTIONS = ClientOptions(response_timeout=PATIENCE, late_reply_window=0.05, turnaround=0.05)

EXCEPTION_CODES = [1, 2, 3, 4, 5, 6, 7, 8, 10, 11]
BUSY_REGISTER = 2046  # writing to these two registers is refused with 06 and with 07
NAK_REGISTER = 2047
EXTENDED = {
    0: b"Pump Works",
    1: b"PW-7",
    2: b"3.16",
    3: b"https://pump.example",
    4: b"Pump",
    5: b"Seven",
    6: b"Well",
    0x80: b"x" * 200,
    0x81: b"y" * 100,
}


class RefusingUnit(Unit):
    """Answers everything with one exception code."""

    def __init__(self, code: int) -> None:
        super().__init__()
        self.code = code

    def execute(self, request: AnyRequest, *, broadcast: bool = False) -> Response | None:
        return ExceptionResponse(request.function_code, self.code)


def refusing_id(code: int) -> int:
    """The id of the unit that refuses everything with `code`."""
    return 100 + code


def device() -> Unit:
    """The reference unit with data for all of its other functions."""

    def refuse_some(address: int, values: Sequence[int]) -> None:
        written = range(address, address + len(values))
        for register, code in ((BUSY_REGISTER, 6), (NAK_REGISTER, 7)):
            if register in written:
                raise ExceptionResponseError.for_code(None, code)

    unit = reference_unit()
    unit.holding_registers = SequentialBlock(0, range(2048), on_write=refuse_some)
    unit.identity = Identity(EXTENDED)
    unit.server_id = b"\x2a"
    unit.additional_id_data = b"Seven"
    unit.exception_status = 0x6D
    unit.diagnostic_register = 0x8234
    unit.modbus_plus_statistics = range(1000, 1054)
    return unit


def devices() -> Units:
    """Return the unit under test as 1, a plain one as 2, and units that refuse everything."""
    units: dict[int, Unit] = {1: device(), 2: reference_unit()}
    units |= {refusing_id(code): RefusingUnit(code) for code in EXCEPTION_CODES}
    return Units(units)


@contextmanager
def serving(
    adapter: Adapter, units: Units, link: str, *, remotes: tuple[Remote | Gate, ...] = ()
) -> Iterator[int | str]:
    """Yield the port of a server of `adapter` on a link such as "udp" or "rtu+tcp"."""
    transport = Link.named(link).transport
    with ExitStack() as stack:
        if transport == "serial":
            cable = stack.enter_context(PtyPair())
            stack.enter_context(adapter.serving(units, link, cable.left, remotes=remotes))
            yield cable.right
            return
        path = ""
        if transport == "unix":
            path = f"{stack.enter_context(TemporaryDirectory())}/modbus"
        yield stack.enter_context(adapter.serving(units, link, path, remotes=remotes))
