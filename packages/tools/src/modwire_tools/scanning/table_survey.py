"""`TableSurvey`: finds the values of one table, and the addresses that a device refuses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from modwire import ExceptionCode, ResponseTimeoutError
from modwire.planner import PlanLimits, Span
from modwire.units.tables import BIT_TABLES

from ..addresses import Place
from ..client.reading import read_span
from ..simulator.devices import SILENCE, BlockSpec, Limit, Refusal
from .asking import Asker, Refused
from .state_files import between

_LIMITS = PlanLimits()
_WIDTHS = (2, 4)  # registers of a long value
_CLOSELY = 256  # addresses of a gap that are read one by one
_SILENT_MOST = 3  # addresses without a response; then the table counts as silent
_ILLEGAL_DATA_ADDRESS = 2


class TableSurvey:
    """Reads the addresses `first` to `last` of `table`, step by step.

    Values are read in the largest requests that the device accepts. In a gap, addresses are read
    one by one, because a longer request is refused if any of its addresses is missing. With a
    `step`, only each Nth address of a gap is read. With None, the first 256 are read one by one,
    and then only those at which tables often begin: multiples of 16, and of 100 with their
    neighbours. From a value found in this way, the survey searches back to the first one.

    With `wide`, it also tries to read 2 and 4 registers if single ones are refused: some devices
    return a long value only as a whole.
    """

    def __init__(
        self,
        table: str,
        *,
        first: int = 0,
        last: int = 0xFFFF,
        step: int | None = None,
        wide: bool = True,
    ) -> None:
        self.table = table
        self.first = first
        self.last = last
        self.position = first
        self.most = _LIMITS.max_bits if table in BIT_TABLES else _LIMITS.max_registers
        self.limit: int | None = None  # the exception code of longer reads
        self.values: dict[int, int] = {}
        self.apart: list[int] = []  # first addresses that need a new read
        self.steps: dict[int, tuple[int, int]] = {}  # registers and width, by first address
        self.codes: dict[int, int] = {}  # exception codes, by refused address
        self.whole: int | None = None  # the exception code of the whole table
        self._step = step
        self._wide = wide
        self._hole: int | None = None

    @property
    def is_done(self) -> bool:
        """True if every address was tried."""
        return self.position > self.last

    def go_on(self, asker: Asker) -> None:
        """Try some more addresses; raises the error of the client if the device is gone."""
        at = self.position
        if self._hole is not None:
            self._leave_hole(asker, at)
            return
        count = min(self.most, self.last + 1 - at)
        try:
            self._add(at, self._read(asker, at, count))
            self.position = at + count
        except Refused as refused:
            if refused.code == ExceptionCode.ILLEGAL_FUNCTION and not self.values:
                self._end(refused.code)
            elif count == 1:
                self._refuse(asker, at, refused.code)
            else:
                self._divide(asker, at, count)

    def _end(self, code: int) -> None:
        self.whole = code
        self.position = self.last + 1

    def _divide(self, asker: Asker, at: int, refused: int) -> None:
        """Find the number of readable values among `refused` ones at `at`, and the reason."""
        try:
            best = self._read(asker, at, 1)
        except Refused as error:
            self._refuse(asker, at, error.code)
            return
        low, high = 1, refused
        code: int | None = None
        while high - low > 1:
            middle = (low + high) // 2
            try:
                best = self._read(asker, at, middle)
                low = middle
            except Refused as error:
                high, code = middle, error.code
        if code is None:
            code = self._code(asker, at, high)
        self._add(at, best)
        following = self.position = at + low
        try:
            self._read(asker, following, 1)
        except Refused as error:
            self._refuse(asker, following, error.code)
            return
        # This address is readable: either the request was too long, or a block ends before it.
        if self._is_limit(asker, at, low):
            self.most, self.limit = low, code
        else:
            self.apart.append(following)

    def _is_limit(self, asker: Asker, at: int, count: int) -> bool:
        """Return True if more than `count` values are refused everywhere, not only at `at`."""
        if count > 1:
            return self._code(asker, at + 1, count) is None
        return self._code(asker, at + 1, 2) is not None

    def _refuse(self, asker: Asker, at: int, code: int) -> None:
        """Begin a gap at `at`, unless the device has wider values there."""
        if code != SILENCE and self._may_be_wide():
            for width in _WIDTHS:
                if self._follow(asker, at, width):
                    return
        self.codes[at] = code
        self._hole = at
        self.position = self._next(at)
        if code == SILENCE:
            self._check_alive(asker)

    def _may_be_wide(self) -> bool:
        """Return True if the device may have only values of several registers.

        After one single register was read, all are assumed to be single ones.
        """
        has_registers = self.table not in BIT_TABLES
        return self._wide and has_registers and (not self.values or bool(self.steps))

    def _follow(self, asker: Asker, at: int, width: int) -> bool:
        """Read values of `width` registers each; return False if there are none."""
        start = at
        if at + width - 1 > self.last or self._code(asker, at, width) is not None:
            return False
        while at + width - 1 <= self.last:
            count = min(self.most, self.last + 1 - at) // width * width
            while count:
                try:
                    self._add(at, self._read(asker, at, count))
                    break
                except Refused:
                    count = count // 2 // width * width
            if not count:
                break
            at += count
        self.steps[start] = (at - start, width)
        self.position = at
        return True

    def _leave_hole(self, asker: Asker, at: int) -> None:
        try:
            value = self._read(asker, at, 1)
        except Refused as refused:
            if refused.code != SILENCE and self._may_be_wide() and self._follow(asker, at, 2):
                self._hole = None
                return
            self.codes[at] = refused.code
            self.position = self._next(at)
            if refused.code == SILENCE and not self.values:
                self._give_up(_CLOSELY if asker.is_answered else _SILENT_MOST)
            return
        low = max([each for each in (at - 1, at - 16, at - 100) if each in self.codes], default=-1)
        if self._step is not None:
            low = max(at - self._step, self.first - 1)
        low = max(low, self._asked_before(at))
        high = at
        while high - low > 1:
            middle = (low + high) // 2
            try:
                value = self._read(asker, middle, 1)
                high = middle
            except Refused as refused:
                self.codes[middle] = refused.code
                low = middle
        self._add(high, value)
        self._hole = None
        self.position = high

    def _asked_before(self, at: int) -> int:
        """Return the last address before `at` that was tried."""
        for address in range(at - 1, max(self.first - 1, at - 0x1000), -1):
            if address in self.codes or address in self.values:
                return address
        return self.first - 1

    def _next(self, at: int) -> int:
        """Return the next address of a gap to read."""
        if self._step is not None:
            return at + self._step
        if self._hole is None or at - self._hole < _CLOSELY:
            return at + 1
        hexadecimal = (at // 16 + 1) * 16
        decimal = at + 1
        while decimal % 100 not in (99, 0, 1):
            decimal += 1
        return min(hexadecimal, decimal)

    def _usual_code(self) -> int:
        """Return the exception code of most refused addresses."""
        codes = Counter(self.codes.values())
        return codes.most_common(1)[0][0] if codes else _ILLEGAL_DATA_ADDRESS

    def _check_alive(self, asker: Asker) -> None:
        """Raise ResponseTimeoutError if the device has responded before and is silent now."""
        if self.values:
            try:
                self._read(asker, next(iter(self.values)), 1)
            except Refused as refused:
                if refused.code == SILENCE:
                    raise ResponseTimeoutError("the device does not answer any longer") from None
        else:
            self._give_up(_SILENT_MOST)

    def _give_up(self, most: int) -> None:
        """Record the whole table as silent after `most` addresses without a response."""
        if len(self.codes) >= most and set(self.codes.values()) == {SILENCE}:
            self._end(SILENCE)

    def _add(self, first: int, values: Sequence[int]) -> None:
        self.values.update(enumerate(map(int, values), first))

    def _code(self, asker: Asker, at: int, count: int) -> int | None:
        """Return the exception code of a read, or None if it succeeds."""
        try:
            self._read(asker, at, count)
        except Refused as refused:
            return refused.code
        return None

    def _read(self, asker: Asker, at: int, count: int) -> Sequence[int]:
        return read_span(asker, Span(self.table, at, count))

    def restart(self) -> None:
        """Discard all results, because the device was not there."""
        self.position = self.first
        self.codes.clear()
        self.whole = self._hole = None

    # Results.

    def blocks(self) -> list[BlockSpec]:
        """Return the values, in the largest possible blocks."""
        found: list[BlockSpec] = []
        breaks = set(self.apart) | set(self.steps)
        breaks |= {first + count for first, (count, _) in self.steps.items()}
        run: list[int] = []
        start = -1
        for address in [*sorted(self.values), -1]:
            if run and (address != start + len(run) or address in breaks):
                count, step = self.steps.get(start, (0, 1))
                found.append(
                    BlockSpec(
                        Place(self.table, start),
                        tuple(run),
                        step=step if count == len(run) else 1,
                        apart=start in self.apart,
                    )
                )
                run = []
            if not run:
                start = address
            run.append(self.values.get(address, 0))
        return found

    def missing(self) -> int | None:
        """Return the exception code for missing addresses; None for the usual 02."""
        code = self.whole if self.whole is not None else self._usual_code()
        return None if code == _ILLEGAL_DATA_ADDRESS else code

    def refusals(self) -> list[Refusal]:
        """Return the addresses that are refused with a code other than the usual one."""
        usual = self._usual_code()
        found: list[Refusal] = []
        for address, code in sorted(self.codes.items()):
            if code == usual or self.whole is not None:
                continue
            last = found[-1] if found else None
            if last and last.code == code and last.place.address + last.count == address:
                found[-1] = Refusal(last.place, last.count + 1, code)
            else:
                found.append(Refusal(Place(self.table, address), 1, code))
        return found

    def limits(self) -> Limit | None:
        """Return the longest read, or None if the device only has the specification's limit."""
        return None if self.limit is None else Limit(self.most, self.limit)

    # Progress.

    def state(self) -> dict[str, object]:
        """Return plain values from which `resume` continues."""
        return {
            "position": self.position,
            "most": self.most,
            "limit": self.limit,
            "values": [[block.place.address, list(block.values)] for block in self.blocks()],
            "apart": self.apart,
            "steps": [[first, *rest] for first, rest in self.steps.items()],
            "codes": [[address, code] for address, code in sorted(self.codes.items())],
            "whole": self.whole,
            "hole": self._hole,
        }

    def resume(self, state: Mapping[str, Any]) -> None:
        """Continue from `state`; raises ValueError or a similar error if it is not valid."""
        self.position = between(self.first, state["position"], 2 * 0x10000)
        self.most = between(1, state["most"], self.most)
        self.limit = _optional(state["limit"])
        self.whole = _optional(state["whole"])
        self._hole = _optional(state["hole"])
        for first, values in state["values"]:
            at = between(self.first, first, self.last + 1 - len(values))
            self._add(at, [between(0, value, 0xFFFF) for value in values])
        self.apart = [int(each) for each in state["apart"]]
        self.steps = {int(first): (int(count), int(step)) for first, count, step in state["steps"]}
        self.codes = {int(address): int(code) for address, code in state["codes"]}


def _optional(value: object) -> int | None:
    return None if value is None else int(str(value))
