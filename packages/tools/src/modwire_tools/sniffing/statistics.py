"""`LineStatistics`: counts, rates and response times of the units on a line, in bounded memory."""

from __future__ import annotations

from collections import Counter, deque
from statistics import median

from modwire.sniffing import DamageKind, HeardDamage, HeardExchange, HeardOutcome
from modwire_tools.explain.names import exception_name

_TIMES = 1000  # response times of a unit, from which min, median and max are computed
_WINDOW = 10  # seconds over which a rate is computed

# Outcomes that are told with a request that was counted already, or will be.
_WITHOUT_REQUEST = (HeardOutcome.LATE, HeardOutcome.WRONG_UNIT, HeardOutcome.UNASKED)
_GOOD = (
    HeardOutcome.ANSWERED,
    HeardOutcome.EXCEPTION,
    HeardOutcome.BROADCAST,
    HeardOutcome.LISTEN_ONLY,
)


class Rate:
    """Events per second over the last seconds."""

    def __init__(self) -> None:
        self._first: float | None = None
        self._seconds: deque[list[int]] = deque(maxlen=_WINDOW + 1)  # a second, its events

    def add(self, time: float) -> None:
        """Count an event at `time`, in seconds."""
        if self._first is None:
            self._first = time
        second = int(time // 1)
        if not self._seconds or self._seconds[-1][0] != second:
            self._seconds.append([second, 0])
        self._seconds[-1][1] += 1

    def at(self, now: float) -> float:
        """Return the events per second until `now`; 0.0 if there was none."""
        if self._first is None:
            return 0.0
        start = max(self._first, float(int(now // 1) - _WINDOW))
        events = sum(number for second, number in self._seconds if second >= int(start // 1))
        return events / max(now - start, 1.0)


class UnitStatistics:
    """The counts of one unit; `times` are its last response times in seconds."""

    def __init__(self) -> None:
        self.requests = 0
        self.answered = 0
        self.exceptions: Counter[str] = Counter()  # by code and name
        self.errors: Counter[str] = Counter()  # by kind: "wrong checksum", "unanswered", ...
        self.rate = Rate()
        self.times: deque[float] = deque(maxlen=_TIMES)

    def milliseconds(self) -> tuple[float, float, float] | None:
        """Return the minimum, the median and the maximum of the times; None without any."""
        if not self.times:
            return None
        return 1000 * min(self.times), 1000 * median(self.times), 1000 * max(self.times)


class LineStatistics:
    """The statistics of a line. `units` has None for damaged bytes of nobody known."""

    def __init__(self) -> None:
        self.units: dict[int | None, UnitStatistics] = {}
        self.outcomes: Counter[HeardOutcome] = Counter()
        self.errors: Counter[DamageKind] = Counter()
        self.first: float | None = None
        self.last = 0.0

    def add(self, heard: HeardExchange | HeardDamage) -> None:
        """Count a result of a sniffer."""
        if self.first is None:
            self.first = heard.began
        if isinstance(heard, HeardDamage):
            self.last = max(self.last, heard.ended)
            self.errors[heard.kind] += 1
            self._of(heard.unit).errors[heard.kind.value] += 1
            return
        self.outcomes[heard.outcome] += 1
        unit = self._of(heard.unit)
        for frame in (heard.request, heard.response):
            if frame is not None:
                self.last = max(self.last, frame.ended)
        if heard.outcome not in _WITHOUT_REQUEST:
            unit.requests += 1
            unit.rate.add(heard.began)
            if heard.attempt > 1:
                unit.errors["repeated request"] += 1
        if heard.outcome not in _GOOD:
            unit.errors[heard.outcome.value] += 1
        if heard.outcome in (HeardOutcome.ANSWERED, HeardOutcome.EXCEPTION):
            unit.answered += 1
        if heard.response is not None and heard.response.pdu[0] & 0x80:
            code = heard.response.pdu[1] if len(heard.response.pdu) > 1 else 0
            unit.exceptions[f"{code:02X} {exception_name(code)}"] += 1
        if heard.response_time:  # 0.0: request and response came in one piece, it is unknown
            unit.times.append(heard.response_time)

    def _of(self, unit: int | None) -> UnitStatistics:
        found = self.units.get(unit)
        if found is None:
            found = self.units[unit] = UnitStatistics()
        return found

    def ordered(self) -> list[tuple[int | None, UnitStatistics]]:
        """Return the units by number, and damaged bytes of nobody known at the end."""
        return sorted(self.units.items(), key=lambda item: 256 if item[0] is None else item[0])
