"""`TrendChart`: the latest values of a point as a line, with axes for value and time."""

from __future__ import annotations

import math
import time
import tkinter as tk
from collections.abc import Sequence

from ..values.types import shown as shown_value
from . import theme
from .theme import Theme

_LEAST_SECONDS = 30.0


class TrendChart(tk.Canvas):
    """Draws the samples of the latest `show`, again whenever its size changes."""

    def __init__(self, parent: tk.Misc, colours: Theme) -> None:
        super().__init__(
            parent,
            background=theme.PANEL,
            highlightthickness=0,
            height=colours.px(120),
            width=colours.px(200),
        )
        self._colours = colours
        self._name = ""
        self._unit = ""
        self._samples: Sequence[tuple[float, float]] = ()
        self.bind("<Configure>", lambda event: self._draw())

    def show(self, name: str, unit: str, samples: Sequence[tuple[float, float]]) -> None:
        """Draw samples, (time, value), oldest first; nothing for an empty name."""
        if (name, unit, samples) != (self._name, self._unit, self._samples):
            self._name, self._unit, self._samples = name, unit, samples
            self._draw()

    def _draw(self) -> None:
        self.delete("all")
        width, height = self.winfo_width(), self.winfo_height()
        px = self._colours.px
        line = self._colours.font.metrics("linespace")
        if not self._name or not self._samples:
            text = f"{self._name} is not a number" if self._name else "Choose a point to draw"
            self._text(width / 2, height / 2, text, "center")
            return
        self._draw_head(width)
        values = [value for _, value in self._samples]
        ticks = value_ticks(min(values), max(values), max(2, min(6, int(height / line / 2.5))))
        low, high = ticks[0], ticks[-1]
        labels = [_label(tick, ticks[1] - ticks[0]) for tick in ticks]
        left = px(8) + max(map(self._colours.font.measure, labels)) + px(5)
        right, top = width - px(10), px(5) + line + px(8)
        bottom = height - line - px(8)
        if right - left < 20 or bottom - top < 20:
            return
        # The axis has whole time steps, so that it does not jitter with each sample.
        end = self._samples[-1][0]
        begin = min(self._samples[0][0], end - _LEAST_SECONDS)

        def x_of(at: float) -> float:
            return left + (at - begin) / (end - begin) * (right - left)

        def y_of(value: float) -> float:
            return bottom - (value - low) / (high - low) * (bottom - top)

        for tick, label in zip(ticks, labels, strict=True):
            y = y_of(tick)
            self.create_line(left, y, right, y, fill=theme.LINE)
            self._text(left - px(5), y, label, "e")
        step = time_step(end - begin, max(2, int((right - left) / self._colours.characters(14))))
        at = math.ceil(begin / step) * step
        while at <= end:
            x = x_of(at)
            self.create_line(x, bottom, x, bottom + px(3), fill=theme.STRONG_LINE)
            label = time.strftime("%H:%M:%S", time.localtime(at))
            half = self._colours.font.measure(label) / 2
            if left <= x - half and x + half <= width - px(2):
                self._text(x, bottom + px(4), label, "n")
            at += step
        points = [
            coordinate for at, value in self._samples for coordinate in (x_of(at), y_of(value))
        ]
        self._draw_line(points, bottom)

    def _draw_head(self, width: int) -> None:
        """Draw the name of the point on the left, and its value on the right."""
        px = self._colours.px
        unit = f" {self._unit}" if self._unit else ""
        last = self._samples[-1][1]
        self.create_text(
            px(8), px(5), text=self._name, anchor="nw", font=self._colours.bold, fill=theme.INK
        )
        self.create_text(
            width - px(8),
            px(5),
            text=f"{shown_value(last)}{unit}",
            anchor="ne",
            font=self._colours.bold,
            fill=theme.ACCENT,
            tags="last",
        )

    def _draw_line(self, points: Sequence[float], bottom: float) -> None:
        """Draw the line through `points`, x and y in turn, the area below it, and its end."""
        px = self._colours.px
        if len(points) >= 4:
            self.create_polygon(
                points[0], bottom, *points, points[-2], bottom, fill=theme.ACCENT_SOFT, outline=""
            )
            self.create_line(*points, fill=theme.ACCENT, width=px(1.2), tags="line")
        dot = px(2)
        x, y = points[-2:]
        self.create_oval(x - dot, y - dot, x + dot, y + dot, fill=theme.ACCENT, outline=theme.PANEL)

    def _text(self, x: float, y: float, text: str, anchor: theme.Anchor) -> None:
        self.create_text(x, y, text=text, anchor=anchor, fill=theme.MUTED, font=self._colours.font)


def value_ticks(low: float, high: float, most: int) -> list[float]:
    """Return about `most` round values or fewer, from `low` or less to `high` or more."""
    if not high > low:
        spread = abs(low) * 0.01 or 1.0
        low, high = low - spread, high + spread
    rough = (high - low) / most
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * size for factor in (1, 2, 2.5, 5, 10) if factor * size >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [number * step for number in range(first, max(last, first + 1) + 1)]


def time_step(seconds: float, most: int) -> float:
    """Return the seconds between two ticks, for about `most` ticks or fewer."""
    for step in (5, 10, 15, 30, 60, 120, 300, 600, 1800):
        if seconds / step <= most:
            return step
    return 3600.0


def _label(tick: float, step: float) -> str:
    if max(abs(tick), step) >= 1e7 or step < 1e-6:
        return f"{tick:.4g}"
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    # A step of 2.5 or 0.25 needs one more digit than 1 or 0.1.
    digits += round(step * 10**digits, 6) % 1 != 0
    return f"{tick:.{digits}f}"
