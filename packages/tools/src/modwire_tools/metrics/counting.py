"""`Metrics`: counts requests, exceptions, errors and connections of servers, by their hooks.

The number of series is bounded, whatever clients send: Prometheus keeps each one for ever.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING
from weakref import WeakSet

from modwire import ExceptionCode, ExceptionResponse, FaultyResponse

from ..explain.names import FUNCTIONS
from .text import Family

if TYPE_CHECKING:
    from modwire import Call, Response, ServerOptions
    from modwire.server.options import OnAnswer, Served

MOST_SERIES = 5000
"""The label sets of a metric, at most; the values of further ones are added to `OTHER`."""

_MOST_ENDPOINTS = 300  # a histogram has a dozen series for each

OTHER = "other"
_BOUNDS = (0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0)  # seconds
_CODES = frozenset(int(code) for code in ExceptionCode)
_NONE = -1  # instead of the number of a unit, a function or a code: any other one

# Unit id, function code, and the exception code, 0 for a response and _SILENT for no answer.
Key = tuple[int, int, int]
_SILENT = -2


class EndpointCounts:
    """The counts of one endpoint; `name` is its text, which may be set later."""

    def __init__(self, name: str, now: Callable[[], float]) -> None:
        self.name = name
        self.requests: Counter[Key] = Counter()
        self.opened = 0
        self.open = 0
        self.times = [0] * (len(_BOUNDS) + 1)
        self.seconds = 0.0
        self._now = now
        self._errors = 0  # of connections that are closed
        # UDP and serial lines have no connections, but their server answers as one `Served`.
        self._served: WeakSet[Served] = WeakSet()
        self._latest: Served | None = None

    def answered(self, served: Served, call: Call, response: Response | None) -> None:
        """Count a request, and the time until its answer; a hook `on_answer`."""
        if isinstance(response, FaultyResponse):
            response = None if response.drops else response.response
        code = 0 if response is not None else _SILENT
        if isinstance(response, ExceptionResponse):
            code = int(response.exception_code)  # an enum, whose text depends on the Python
            code = code if code in _CODES else _NONE
        function = call.request.function_code
        key = (call.unit, function if function in FUNCTIONS else _NONE, code)
        if key not in self.requests and len(self.requests) >= MOST_SERIES:
            key = (_NONE, _NONE, _NONE if code > 0 else code)
        self.requests[key] += 1
        seconds = max(0.0, self._now() - served.heard)
        self.times[bisect_left(_BOUNDS, seconds)] += 1
        self.seconds += seconds
        if served is not self._latest:
            self._latest = served
            self._served.add(served)

    def connected(self, served: Served) -> None:
        """Count a connection that was opened; a hook `on_connect`."""
        self.opened += 1
        self.open += 1
        self._served.add(served)

    def disconnected(self, served: Served) -> None:
        """Count a connection that was closed; a hook `on_disconnect`."""
        self.open -= 1
        self._errors += served.frame_errors
        self._served.discard(served)
        if served is self._latest:
            self._latest = None

    @property
    def frame_errors(self) -> int:
        """Number of times that bytes were no frame."""
        return self._errors + sum([each.frame_errors for each in list(self._served)])


class Metrics:
    """The counts of all endpoints of a command.

    `now()` is the clock of the servers, in seconds; `started` is the time since the epoch.
    """

    def __init__(self, version: str, now: Callable[[], float], started: float) -> None:
        self._version = version
        self._now = now
        self._started = started
        self._endpoints: list[EndpointCounts] = []
        self._by_name: dict[str, EndpointCounts] = {}

    def endpoint(self, name: str) -> EndpointCounts:
        """Return the counts of an endpoint, the same for the same name."""
        found = self._by_name.get(name)
        if found is None:
            found = self._by_name[name] = EndpointCounts(name, self._now)
            self._endpoints.append(found)
        return found

    def watched(self, name: str, options: ServerOptions) -> tuple[EndpointCounts, ServerOptions]:
        """Return the counts of a new endpoint, and `options` with the hooks that count."""
        counts = EndpointCounts(name, self._now)
        self._endpoints.append(counts)
        return counts, options.replace(
            on_answer=both_hooks(counts.answered, options.on_answer),
            on_connect=counts.connected,
            on_disconnect=counts.disconnected,
        )

    def text(self) -> str:
        """Return all metrics in the text format of Prometheus."""
        info = Family("modwire_info", "gauge", "Version of modwire-tools")
        info.add(1, version=self._version)
        started = Family(
            "modwire_start_time_seconds",
            "gauge",
            "Start of the command, in seconds since the epoch",
        )
        started.add(self._started)
        families = [info, started, *self._requests(), *self._links(), self._times()]
        return "".join(map(str, families))

    def _requests(self) -> list[Family]:
        answered: Counter[tuple[str, ...]] = Counter()
        exceptions: Counter[tuple[str, ...]] = Counter()
        silent: Counter[tuple[str, ...]] = Counter()
        for name, counts in self._named():
            for (unit, function, code), count in counts.requests.items():
                labels = (name, _label(unit), _label(function))
                _add(answered, labels, count)
                if code == _SILENT:
                    _add(silent, labels, count)
                elif code:
                    _add(exceptions, (*labels, _label(code)), count)
        names = ("endpoint", "unit", "function")
        return [
            _family(
                "modwire_requests_total", "Requests to units, by unit id and function code",
                names, answered,
            ),
            _family(
                "modwire_exceptions_total", "Requests that were answered with an exception code",
                (*names, "code"), exceptions,
            ),
            _family(
                "modwire_unanswered_total",
                "Requests that got no answer: broadcasts, and units that keep silent",
                names, silent,
            ),
        ]  # fmt: skip

    def _links(self) -> list[Family]:
        errors: Counter[tuple[str, ...]] = Counter()
        opened: Counter[tuple[str, ...]] = Counter()
        now_open: Counter[tuple[str, ...]] = Counter()
        for name, counts in self._named():
            errors[name,] += counts.frame_errors
            opened[name,] += counts.opened
            now_open[name,] += counts.open
        names = ("endpoint",)
        open_ = _family("modwire_connections", "Open connections", names, now_open)
        open_.kind = "gauge"
        return [
            _family(
                "modwire_frame_errors_total",
                "Bytes that were no frame: wrong checksums, or another protocol",
                names, errors,
            ),
            _family("modwire_connections_total", "Connections that were opened", names, opened),
            open_,
        ]  # fmt: skip

    def _times(self) -> Family:
        found = Family(
            "modwire_response_seconds", "histogram", "Seconds from a request to its answer"
        )
        sums: dict[str, tuple[list[int], float]] = {}
        for name, counts in self._named():
            times, seconds = sums.get(name, ([0] * len(counts.times), 0.0))
            both = [one + other for one, other in zip(times, counts.times, strict=True)]
            sums[name] = (both, seconds + counts.seconds)
        for name, (times, seconds) in sums.items():
            found.add_histogram(_BOUNDS, times, seconds, endpoint=name)
        return found

    def _named(self) -> list[tuple[str, EndpointCounts]]:
        """Return the endpoints with the names that their labels have."""
        return [
            (each.name if number < _MOST_ENDPOINTS else OTHER, each)
            for number, each in enumerate(self._endpoints)
        ]


def _label(number: int) -> str:
    return OTHER if number == _NONE else f"{number:d}"


def _add(counts: Counter[tuple[str, ...]], labels: tuple[str, ...], count: int) -> None:
    """Add to the count of a label set, or to that of `OTHER` if there are too many."""
    if labels not in counts and len(counts) >= MOST_SERIES:
        labels = (OTHER,) * len(labels)
    counts[labels] += count


def _family(
    name: str, meaning: str, names: tuple[str, ...], counts: Counter[tuple[str, ...]]
) -> Family:
    found = Family(name, "counter", meaning)
    for labels, count in counts.items():
        found.add(count, **dict(zip(names, labels, strict=True)))
    return found


def both_hooks(first: OnAnswer, second: OnAnswer | None) -> OnAnswer:
    """Return a hook that calls both."""
    if second is None:
        return first

    def answered(served: Served, call: Call, response: Response | None) -> None:
        first(served, call, response)
        second(served, call, response)

    return answered
