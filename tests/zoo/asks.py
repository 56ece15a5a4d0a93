"""Asks: what a player puts to a device, one after the other, and the right answers to them.

`Call` is one request, `MapRead` and `MapWrite` are those of a register map, and `Together` is
several requests at once on one client.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from modwire import (
    ModbusError,
    ReadHoldingRegistersRequest,
    ReadHoldingRegistersResponse,
    WriteMultipleRegistersRequest,
    WriteSingleRegisterRequest,
)
from modwire.maps import RegisterMap

Found = object
"""What came of an `Ask`: its answer, or the `ModbusError` that was raised, or a `Said`."""

Gather = Callable[[Sequence[Callable[[], Any]]], Any]
"""Makes calls at once; returns the list of what came of them, an awaitable if they are async."""


class Said(str):
    """An error of the command: the text that the user reads."""

    __slots__ = ()


class Ask(ABC):
    """One thing to ask."""

    @property
    def words(self) -> Sequence[str]:
        """The words of the command that asks this, without the endpoint; () if there is none."""
        return ()

    @abstractmethod
    def put(self, client: Any, gather: Gather) -> Any:
        """Ask by a client; of an async client, return an awaitable. Raises ModbusError."""

    @abstractmethod
    def fault(self, found: Found) -> str:
        """Return why an answer is a wrong one; "" if it is right, or an error."""

    def shown(self, values: Sequence[object]) -> Found:
        """Return the answer of which the command showed these values."""
        return list(values)

    def parts(self) -> Sequence[Ask]:
        """Return the asks of which it consists: itself, unless it is a `Together`."""
        return (self,)


@dataclass(frozen=True)
class Call(Ask):
    """A request, and its right response; None if any will do."""

    request: Any
    response: Any = None
    unit: int | None = None

    def put(self, client: Any, gather: Gather) -> Any:
        return client.call(self.request, unit=self.unit)

    def fault(self, found: Found) -> str:
        if self.response is None or isinstance(found, (ModbusError, Said)):
            return ""
        is_right = found == self.response
        return "" if is_right else f"a wrong value for {self.request!r}: {found!r}"

    @property
    def words(self) -> Sequence[str]:
        request = self.request
        if self.unit is not None:
            return ()
        if isinstance(request, ReadHoldingRegistersRequest):
            places = range(request.address, request.address + request.count)
            return ("read", *(f"hr:{each}" for each in places))
        if isinstance(request, WriteSingleRegisterRequest):
            return ("write", f"hr:{request.address}={request.value}", "--functions", "6")
        if isinstance(request, WriteMultipleRegistersRequest):
            values = ",".join(map(str, request.values))
            return ("write", f"hr:{request.address}={values}", "--functions", "16")
        return ()

    def shown(self, values: Sequence[object]) -> Found:
        return "written" if self.response is None else type(self.response)(values)


@dataclass(frozen=True)
class MapRead(Ask):
    """A read of a map, the values of its points, and the names of those that the device refuses.

    `places` has the addresses of the points for the command, and `shows` the values that it shows;
    it has neither scale factors of registers nor values that mean none. `options` are its options.
    """

    kind: type[RegisterMap]
    values: Mapping[str, object]
    refused: Sequence[str] = ()
    places: Sequence[str] = ()
    shows: Sequence[object] = ()
    options: Sequence[str] = ()

    def put(self, client: Any, gather: Gather) -> Any:
        kind: Any = self.kind  # its overloads are chosen by the kind of client
        read: Any = kind.read(client)
        return self._values(read) if isinstance(read, RegisterMap) else self._awaited(read)

    async def _awaited(self, read: Any) -> object:
        return self._values(await read)

    def _values(self, image: RegisterMap) -> object:
        for name, error in image.read_errors.items():
            if name not in self.refused:
                raise error
        return image.as_dict()

    def fault(self, found: Found) -> str:
        if isinstance(found, (ModbusError, Said)):
            return ""
        right = list(self.shows) if isinstance(found, list) else dict(self.values)
        return "" if found == right else f"wrong values, not {right!r}: {found!r}"

    @property
    def words(self) -> Sequence[str]:
        return ("read", *self.places, *self.options) if self.places else ()


@dataclass(frozen=True)
class MapWrite(Ask):
    """A write of points of a map; a read has to tell whether it was done."""

    kind: type[RegisterMap]
    values: Mapping[str, object]
    write_words: Sequence[str] = ()

    @property
    def words(self) -> Sequence[str]:
        return self.write_words

    def put(self, client: Any, gather: Gather) -> Any:
        image: Any = self.kind()
        for name, value in self.values.items():
            setattr(image, name, value)
        return image.write(client)

    def fault(self, found: Found) -> str:
        return ""


@dataclass(frozen=True)
class Together(Ask):
    """Several asks at once."""

    asks: Sequence[Ask]

    def put(self, client: Any, gather: Gather) -> Any:
        return gather([partial(each.put, client, gather) for each in self.asks])

    def fault(self, found: Found) -> str:
        raise NotImplementedError("the answers to its parts are looked at")

    def parts(self) -> Sequence[Ask]:
        return self.asks


def read(address: int, count: int = 1, *, unit: int | None = None) -> Call:
    """Return a read of holding registers; each holds its own address."""
    values = [each & 0xFFFF for each in range(address, address + count)]
    return Call(
        ReadHoldingRegistersRequest(address, count), ReadHoldingRegistersResponse(values), unit
    )


def holds(address: int, *values: int) -> Call:
    """Return a read of holding registers that hold these values."""
    return Call(
        ReadHoldingRegistersRequest(address, len(values)), ReadHoldingRegistersResponse(values)
    )


def write(address: int, value: int) -> Call:
    """Return a write of one register by function 6; a read has to tell whether it was done."""
    return Call(WriteSingleRegisterRequest(address, value))


def write_several(address: int, *values: int) -> Call:
    """Return a write of registers by function 16; a read has to tell whether it was done."""
    return Call(WriteMultipleRegistersRequest(address, values))


READS: Final = (read(100, 3), read(2000), read(9007))
"""The usual requests: far apart, so that no planner joins them, and of two lengths."""
