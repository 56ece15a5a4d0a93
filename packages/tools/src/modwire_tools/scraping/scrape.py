"""`Scrape`: reads all units of a device, table by table, and can be stopped after any request."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from modwire import BlockingCalls, Endpoint, ModbusError
from modwire.units.tables import TABLES

from ..scanning.asking import Asker
from ..scanning.table_survey import TableSurvey
from ..scanning.units import as_text, probe
from ..simulator.devices import DeviceSpec, UnitSpec
from ..simulator.files.reading import parse_device
from ..simulator.files.writing import unit_values
from .functions import survey_functions

# No gateway has all of these units: a device that responds to all ignores the unit id.
_SOME_IDS = (1, 2, 63, 94, 197, 247)
_ON_A_LINE = range(1, 248)
# On a network each silent id takes a long time, so only usual ids are tried, and 255 and 0 for the
# device itself (Messaging on TCP/IP V1.0b, section 4.4.1).
_ON_A_NETWORK = (*range(1, 21), 100, 247)
_ITSELF = (255, 0)
_DISCARDED_MOST = 2  # calls with wrong answers only; then it is no use to go on


@dataclass(frozen=True)
class ScrapeOptions:
    """The parts of a device to read; see `TableSurvey` for `step`."""

    tables: Sequence[str] = TABLES
    first: int = 0
    last: int = 0xFFFF
    step: int | None = None
    delay: float = 0.0
    timeout: float | None = None
    files: Sequence[int] = ()
    queues: Sequence[int] = ()


@dataclass
class Progress:
    """The number of addresses done, the current place in words, and the number of values."""

    done: int
    where: str
    values: int


@dataclass
class _UnitState:
    """The progress of a unit: its spec without tables (after it was read), and the surveys."""

    spec: UnitSpec | None
    tables: dict[str, TableSurvey] = field(default_factory=dict[str, TableSurvey])


class Scrape:
    """Reads `units` through `client`; with `every_id`, one unit that responds to every id.

    `tell` is called with a sentence while the device is busy, or does not answer.
    `load` continues from a result of `state`. `run` yields a `Progress` before each step and may be
    stopped at any time; then `device()` returns the results so far.
    """

    def __init__(
        self,
        client: BlockingCalls,
        units: Sequence[int],
        options: ScrapeOptions,
        *,
        every_id: bool = False,
        tell: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._tell = tell
        self._client = client
        self._options = options
        self._every_id = every_id
        self._units: dict[int, _UnitState] = {}
        self._askers: list[Asker] = []
        self._goes_on = False
        for unit in units:
            surveys = {
                table: TableSurvey(table, first=options.first, last=options.last, step=options.step)
                for table in TABLES
                if table in options.tables
            }
            self._units[unit] = _UnitState(None, surveys)

    def run(self) -> Iterator[Progress]:
        """Read everything still unknown.

        Raises the client's error if the device is gone, if it was never anything but busy, or if
        its first answers were all wrong.
        """
        for unit, state in self._units.items():
            asker = Asker(
                self._client,
                unit,
                delay=self._options.delay,
                timeout=self._options.timeout,
                tell=self._tell,
            )
            self._askers.append(asker)
            if state.spec is None:
                options = self._options
                spec = UnitSpec(unit, every_id=self._every_id)
                for name, found in survey_functions(
                    asker, files=options.files, queues=options.queues
                ):
                    _check_answers(asker)
                    yield self._progress(f"unit {unit}, {name}")
                    spec = found.put_into(spec)
                state.spec = spec
            for table, survey in state.tables.items():
                while not survey.is_done:
                    where = f"unit {unit}, {table.replace('_', ' ')} {survey.position}"
                    yield self._progress(where)
                    survey.go_on(asker)
                    _check_answers(asker)
        yield self._progress("done")

    @property
    def is_silent(self) -> bool:
        """True if no unit has responded, unless by being busy."""
        return not self._goes_on and not any(each.is_useful for each in self._askers)

    @property
    def total(self) -> int:
        """The number of addresses to read."""
        options = self._options
        return len(self._units) * len(options.tables) * (options.last + 1 - options.first)

    def _progress(self, where: str) -> Progress:
        surveys = [each for state in self._units.values() for each in state.tables.values()]
        return Progress(
            sum(min(each.position, each.last + 1) - each.first for each in surveys),
            where,
            sum(len(each.values) for each in surveys),
        )

    def device(self, name: str) -> DeviceSpec:
        """Return the device so far; without a `name`, it gets the name in its identity."""
        units: list[UnitSpec] = []
        for unit, state in self._units.items():
            spec = state.spec or UnitSpec(unit, every_id=self._every_id)
            surveys = state.tables.values()
            missing = {each.table: each.missing() for each in surveys}
            limits = {each.table: each.limits() for each in surveys}
            units.append(
                replace(
                    spec,
                    name=_product(spec),
                    blocks=tuple(block for each in surveys for block in each.blocks()),
                    refusals=tuple(refusal for each in surveys for refusal in each.refusals()),
                    missing={table: code for table, code in missing.items() if code is not None},
                    limits={table: limit for table, limit in limits.items() if limit is not None},
                )
            )
        if not name:
            name = next((unit.name for unit in units if unit.name), "device")
        return DeviceSpec(name, tuple(sorted(units, key=lambda unit: unit.id)))

    # Progress.

    def state(self) -> dict[str, Any]:
        """Return plain values from which `load` continues."""
        return {
            str(unit): {
                "spec": None if state.spec is None else unit_values(state.spec),
                "tables": {table: survey.state() for table, survey in state.tables.items()},
            }
            for unit, state in self._units.items()
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Continue from `state`; raises ValueError or a similar error if it is not valid."""
        self._goes_on = True
        for unit, known in state.items():
            found = self._units[int(unit)]
            if known["spec"] is not None:
                values = {"unit": [known["spec"]]}
                device = parse_device(values, "the unfinished scrape", Path(), default_name="")
                found.spec = device.units[0]
            for table, survey in known["tables"].items():
                found.tables[table].resume(survey)


def _check_answers(asker: Asker) -> None:
    """Raise the error of the first calls if all their answers were wrong."""
    if not asker.is_answered and len(asker.discarded) >= _DISCARDED_MOST:
        raise asker.discarded[-1]


def _product(unit: UnitSpec) -> str:
    """Return vendor and product of a unit."""
    parts = [as_text(unit.identity[each]) for each in (0, 4, 1) if unit.identity.get(each)]
    return " ".join(parts[:2])


def find_units(
    client: BlockingCalls,
    endpoint: Endpoint,
    timeout: float,
    tell: Callable[[int], None],
    among: Sequence[int] | None = None,
) -> tuple[list[int], bool]:
    """Return the units that respond, and True if one device responds to every id.

    It tries the ids in `among`, or the usual ones for `endpoint`, and calls `tell` with each id
    first. Raises ConnectionLostError if there is no link, and if no unit responds as it should, the
    error of a wrong answer.
    """
    troubles: list[ModbusError] = []
    answered: dict[int, bool] = {}

    def ask(unit: int) -> bool:
        if unit not in answered:
            tell(unit)
            result = probe(client, unit, timeout)
            answered[unit] = result.answered_by == unit
            if result.trouble is not None:
                troubles.append(result.trouble)
                if len(troubles) >= _DISCARDED_MOST and not any(answered.values()):
                    raise troubles[0]
        return answered[unit]

    if among is not None or endpoint.framing != "tcp":
        found = [unit for unit in among or _ON_A_LINE if ask(unit)]
        if not found and troubles:
            raise troubles[0]
        return found, False
    if all(ask(unit) for unit in _SOME_IDS):
        return [1], True
    candidates = sorted({*_ON_A_NETWORK, *(unit for unit in _SOME_IDS if answered.get(unit))})
    found = [unit for unit in candidates if ask(unit)]
    found = found or [unit for unit in _ITSELF if ask(unit)][:1]
    if not found and troubles:
        raise troubles[0]
    return found, False
