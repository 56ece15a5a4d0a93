"""Five different devices for the tests of `modwire scrape`, made from core units.

`answers_of` returns everything that a client can read.
"""

from __future__ import annotations

import os
import selectors
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import ClassVar

import trio

from modwire import (
    Block,
    BlockingCalls,
    ExceptionResponseError,
    Identity,
    IllegalDataAddressError,
    InvalidRequestError,
    ResponseTimeoutError,
    SequentialBlock,
    SparseBlock,
    Unit,
)
from modwire_tools.simulator.devices import DeviceSpec
from modwire_tools.simulator.simulation import Simulation, place
from modwire_tools.simulator.view import View

SPAN = 320
"""All data of the devices are below this address."""


class LimitedBlock(Block):
    """Registers 10..199, at most 32 per read; other addresses get 04."""

    def read(self, address: int, count: int) -> Sequence[int]:
        if count > 32:
            raise ExceptionResponseError(code=3)
        if not 10 <= address <= address + count <= 200:
            raise ExceptionResponseError(code=4)
        return [(7 * at) & 0xFFFF for at in range(address, address + count)]


class PairedBlock(Block):
    """Floats at 20..39, 44..47 and 200..207, which must be read whole."""

    def read(self, address: int, count: int) -> Sequence[int]:
        for start, stop in ((20, 40), (44, 48), (200, 208)):
            fits = start <= address and address + count <= stop
            if fits and not (address - start) % 2 and not count % 2:
                return [at * 3 for at in range(address, address + count)]
        raise IllegalDataAddressError()


class ApartBlock(Block):
    """Two adjacent ranges that cannot be read together."""

    def read(self, address: int, count: int) -> Sequence[int]:
        for start, stop in ((0, 30), (30, 60)):
            if start <= address and address + count <= stop:
                return [at + 1000 for at in range(address, address + count)]
        raise IllegalDataAddressError()


class PickyUnit(Unit):
    """Refuses whole functions with its own codes."""

    refuses: ClassVar = {1: 1, 2: 1, 11: 4, 20: 1, 24: 1, 43: 3}

    def execute(self, request, *, broadcast=False):  # type: ignore[no-untyped-def]
        code = self.refuses.get(request.function_code)
        if code is not None:
            return self.refuse(InvalidRequestError("no", request.function_code, code))
        return super().execute(request, broadcast=broadcast)


def meter() -> dict[int, Unit]:
    return {
        1: Unit(
            SequentialBlock(0, [True, False, True]),
            SequentialBlock(0, [False, True]),
            SequentialBlock(0, [15, 40, 17820, 16384]),
            SequentialBlock(0, range(200, 300)),
            identity=Identity({0: "ACME", 1: "M3", 2: "1.4", 4: "Meter", 0x80: b"\xff\x00\x01"}),
            server_id=b"\x11",
            additional_id_data=b"v7",
            exception_status=0x5A,
        )
    }


def controller() -> dict[int, Unit]:
    registers = {at: at * 5 & 0xFFFF for at in (*range(30), *range(47, 180), 201, 203)}
    return {
        7: Unit(
            SparseBlock({at: at % 3 == 0 for at in (*range(5, 90), 300)}),
            None,
            SparseBlock(registers),
            None,
            files={1: SequentialBlock(0, range(500, 700)), 4: SequentialBlock(0, [9, 8])},
            fifo_queues={30: [1, 2, 3], 31: []},
            server_id=b"PLC",
            run_indicator=False,
        )
    }


def drive() -> dict[int, Unit]:
    return {3: PickyUnit(None, None, LimitedBlock(), LimitedBlock())}


def transducer() -> dict[int, Unit]:
    return {
        1: Unit(
            None,
            None,
            ApartBlock(),
            PairedBlock(),
            identity=Identity({0: "A", 1: "B", 2: "C"}, individual_access=False),
        )
    }


def several() -> dict[int, Unit]:
    big = {0: "V", 1: "P", 2: "R", **{0x80 + each: bytes([each]) * 100 for each in range(5)}}
    return {
        1: Unit(None, None, SequentialBlock(100, [1, 2, 3])),
        2: Unit(SequentialBlock(0, [True] * 310), identity=Identity(big)),
        20: Unit(None, SequentialBlock(16, [True, True]), None, SequentialBlock(7, [65535])),
    }


DEVICES: dict[str, Callable[[], dict[int, Unit]]] = {
    "meter": meter,
    "controller": controller,
    "drive": drive,
    "transducer": transducer,
    "several": several,
}


def answers_of(
    client: BlockingCalls, units: Sequence[int], span: int = SPAN
) -> dict[object, object]:
    """Return the result of each read, or its refusal; up to address `span`."""
    found: dict[object, object] = {}

    def ask(key: object, question: Callable[[], object]) -> None:
        try:
            answer = question()
        except ExceptionResponseError as error:
            answer = f"exception {error.code}"
        except ResponseTimeoutError:
            answer = "silence"
        found[key] = answer

    registers = ((1, 1), (2, 7), (3, 11), (4, 16), (32, 48), (33, 61), (125, 80))
    bits = ((1, 1), (8, 13), (17, 50), (2000, 160))
    tables = {
        "read_coils": bits,
        "read_discrete_inputs": bits,
        "read_holding_registers": registers,
        "read_input_registers": registers,
    }
    for unit in units:
        for name, shapes in tables.items():
            call = getattr(client, name)
            for count, step in shapes:
                for at in range(0, span, step):
                    if at + count > span < SPAN:
                        break
                    ask((unit, name, at, count), partial(call, at, count, unit=unit))
        for code in (1, 2, 3):
            read = partial(client.read_device_identification, code, unit=unit)
            ask((unit, "identity", code), read)
        for number in (0, 4, 0x80, 0x84):
            read = partial(client.read_device_identification, 4, number, unit=unit)
            ask((unit, "object", number), read)
        ask((unit, 17), lambda unit=unit: client.report_server_id(unit=unit).data)
        ask((unit, 7), partial(client.read_exception_status, unit=unit))
        ask((unit, 11), lambda unit=unit: client.get_comm_event_counter(unit=unit).status)
        for file, record, count in ((1, 0, 100), (1, 150, 60), (4, 0, 2), (4, 1, 2), (9, 0, 1)):
            read = partial(client.read_file_record, file, record, count, unit=unit)
            ask((unit, "file", file, record, count), read)
        for address in (30, 31, 32):
            ask((unit, "queue", address), partial(client.read_fifo_queue, address, unit=unit))
    return found


@contextmanager
def simulated(device: DeviceSpec, endpoints: Sequence[str]) -> Iterator[View]:
    """Serve a device during the block, by a simulation in a thread; yields its view."""
    ready = threading.Event()
    failures: list[BaseException] = []
    simulation: list[Simulation] = []
    scope: list[tuple[trio.lowlevel.TrioToken, trio.CancelScope]] = []

    async def serve() -> None:
        async with trio.open_nursery() as nursery:
            simulation.append(Simulation(place([device], endpoints), seed=1))
            scope.append((trio.lowlevel.current_trio_token(), nursery.cancel_scope))
            await nursery.start(simulation[0].run)
            ready.set()

    def run() -> None:
        try:
            trio.run(serve)
        except BaseException as error:  # noqa: BLE001 - told in the test's own thread
            failures.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert ready.wait(60)
        if failures:
            raise failures[0]
        yield simulation[0].view
    finally:
        if thread.is_alive() and scope:
            token, cancel = scope[0]
            token.run_sync_soon(cancel.cancel)
        thread.join(60)
    assert not failures


class SerialLine:
    """Two pseudo-terminals, connected to each other: `left` and `right`."""

    def __init__(self) -> None:
        pairs = [os.openpty(), os.openpty()]
        self._near = [near for near, _ in pairs]
        self._far = [far for _, far in pairs]
        self.left, self.right = (os.ttyname(far) for far in self._far)
        self._end, self._ended = os.pipe()
        self._thread = threading.Thread(target=self._copy)
        self._thread.start()

    def _copy(self) -> None:
        import tty

        for far in self._far:
            tty.setraw(far)
        with selectors.DefaultSelector() as ready:
            for source, target in (self._near, self._near[::-1]):
                ready.register(source, selectors.EVENT_READ, target)
            ready.register(self._end, selectors.EVENT_READ, None)
            while True:
                for key, _ in ready.select():
                    if key.data is None:
                        return
                    os.write(key.data, os.read(key.fd, 4096))

    def close(self) -> None:
        os.write(self._ended, b"x")
        self._thread.join(10)
        for each in (*self._near, *self._far, self._end, self._ended):
            os.close(each)

    def __enter__(self) -> SerialLine:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
