"""`Family`: a metric with its samples as text, version 0.0.4 of Prometheus' exposition format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Labels = Mapping[str, str]


@dataclass
class Family:
    """A metric: its name, its kind and its meaning, which ends without a full stop.

    Counters have names that end with `_total`; names of times end with `_seconds`.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    meaning: str
    samples: list[str] = field(default_factory=list[str])

    def add(self, value: float, **labels: str) -> None:
        """Add a sample."""
        self.samples.append(_sample(self.name, labels, value))

    def add_histogram(
        self, bounds: Sequence[float], counts: Sequence[int], total: float, **labels: str
    ) -> None:
        """Add a histogram: `counts` has the values up to each bound, and then those above all.

        `total` is the sum of the values.
        """
        below = 0
        for bound, count in zip((*bounds, float("inf")), counts, strict=True):
            below += count
            edge = "+Inf" if bound == float("inf") else f"{bound:g}"
            self.samples.append(_sample(f"{self.name}_bucket", {**labels, "le": edge}, below))
        self.samples.append(_sample(f"{self.name}_sum", labels, total))
        self.samples.append(_sample(f"{self.name}_count", labels, below))

    def __str__(self) -> str:
        meaning = self.meaning.replace("\\", r"\\").replace("\n", r"\n")
        lines = [f"# HELP {self.name} {meaning}.", f"# TYPE {self.name} {self.kind}"]
        return "\n".join([*lines, *self.samples]) + "\n"


def _sample(name: str, labels: Labels, value: float) -> str:
    shown = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
    number = str(value) if isinstance(value, int) else repr(float(value))
    return f"{name}{{{shown}}} {number}" if shown else f"{name} {number}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
