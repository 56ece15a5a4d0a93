"""`Sink`: takes values to where they are used; others may add their own by an entry point.

A package names its class in the group `modwire.sinks`; the name of the entry point is the key that
chooses the sink in a plant file:

    [project.entry-points."modwire.sinks"]
    kafka = "our_package:KafkaSink"
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ..sample import Sample

if TYPE_CHECKING:
    from ..plant.settings import Settings
    from ..plant.spec import Plant, PlantDevice


@dataclass(frozen=True)
class Surroundings:
    """The surroundings of a sink, for use while it is open.

    - `plant()` returns the plant, which a reload may change.
    - `write(device, point, text)` writes a value as `modwire write` does; it raises ValueError for
      a wrong one, and ModbusError if the device does not take it.
    - `report(text)` shows a sentence to whoever watches over the poller.
    - `latest()` returns the latest value of each point.
    - `figures()` returns the figures of the poller in the text format of Prometheus.
    - `health()` returns True if all is well, and the same as plain values.
    """

    plant: Callable[[], Plant]
    write: Callable[[str, str, str], Awaitable[object]]
    report: Callable[[str], None]
    latest: Callable[[], Iterable[Sample]]
    figures: Callable[[], str]
    health: Callable[[], tuple[bool, dict[str, object]]]


class Sink(ABC):
    """The base of all sinks.

    The constructor reads the table in the plant file, and raises the errors of `settings`; it opens
    nothing. `write` is called with values in the order in which they were read, and again with the
    same ones after it has failed, until it returns: a value is delivered at least once, and what is
    written first is older. While it waits, nothing else waits.

    - `kind`: the key that chooses the sink; its value is the place to which the values go.
    - `keys`: further keys of its table.
    - `most`: the largest number of values that `write` gets at once.
    - `is_queued`: False for a sink that only shows `surroundings.latest()`; it has no `write`.
    """

    kind: ClassVar[str]
    keys: ClassVar[Sequence[str]] = ()
    most: ClassVar[int] = 1000
    is_queued: ClassVar[bool] = True

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @property
    def place(self) -> str:
        """The place to which the values go, without secrets, for messages."""
        return self.kind

    def clash(self, devices: Sequence[PlantDevice]) -> str:
        """Return which points of a plant the sink could not tell apart, "" for none."""
        return ""

    async def open(self, surroundings: Surroundings) -> None:
        """Open what the sink needs; called again after a failure. Raises OSError if that fails."""
        self.surroundings = surroundings

    @abstractmethod
    async def write(self, samples: Sequence[Sample]) -> None:
        """Return when all values are where they should be; raise OSError if that failed."""

    async def aclose(self) -> None:  # noqa: B027 - a sink may have nothing to close
        """Close what was opened."""
