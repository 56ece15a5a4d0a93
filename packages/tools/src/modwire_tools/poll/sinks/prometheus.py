"""`PrometheusSink`: the latest values, and the poller's own figures, at `/metrics`; `/health`."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from ...metrics.responses import LONGEST_HEAD, MOST_AT_ONCE, PATIENCE, Page, Responses
from ...metrics.text import CONTENT_TYPE, Family
from ...values.host_port import parse_host_port
from ..sample import GOOD, Sample
from .base import Sink, Surroundings

if TYPE_CHECKING:
    from ..plant.settings import Settings

_OWN_LABELS = ("device", "point", "unit")


class PrometheusSink(Sink):
    """`prometheus = "127.0.0.1:9502"`; with `values = false`, only the poller's own figures."""

    kind = "prometheus"
    keys = ("values",)
    is_queued = False

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        text = settings.text(self.kind)
        try:
            self._host, self._port = parse_host_port(text)
        except ValueError as error:
            raise settings.section.failure(self.kind, error) from None
        self._has_values = settings.flag("values", True)
        self._server: asyncio.Server | None = None
        self._open: dict[asyncio.StreamWriter, None] = {}  # the longest open one is the first
        self.address: tuple[str, int] = ("", 0)

    @property
    def place(self) -> str:
        return f"prometheus {self._host}:{self._port}"

    async def open(self, surroundings: Surroundings) -> None:
        await super().open(surroundings)
        self._server = await asyncio.start_server(
            self._answer, self._host or None, self._port, limit=LONGEST_HEAD
        )
        self.address = self._server.sockets[0].getsockname()[:2]
        pages = {"/metrics": self._metrics, "/health": self._health}
        self._responses = Responses(pages, host=self.address[0])
        host, port = self.address
        shown = f"[{host}]" if ":" in host else host
        surroundings.report(f"Metrics: http://{shown}:{port}/metrics")

    async def write(self, samples: Sequence[Sample]) -> None:
        raise NotImplementedError("it shows the latest values")

    async def aclose(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request, and close the connection.

        If too many are open, the longest open one ends: clients that say nothing leave room.
        """
        if len(self._open) >= MOST_AT_ONCE:
            oldest = next(iter(self._open))
            del self._open[oldest]
            oldest.transport.abort()
        self._open[writer] = None
        failures = (OSError, EOFError, asyncio.LimitOverrunError, asyncio.TimeoutError)
        is_taken = False
        try:
            with suppress(*failures):
                await asyncio.wait_for(self._exchange(reader, writer), PATIENCE)
                is_taken = True
        finally:
            self._open.pop(writer, None)
            if is_taken:
                writer.close()
            else:
                # A client may not read: what was written for it must not stay in memory.
                writer.transport.abort()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # So that drain() waits for all: the rest would keep the connection open.
        writer.transport.set_write_buffer_limits(0)
        head = await reader.readuntil(b"\r\n\r\n")
        writer.write(self._responses.to(head[:-4]))
        await writer.drain()

    def _metrics(self) -> Page:
        text = self.surroundings.figures()
        if self._has_values:
            text += values_text(list(self.surroundings.latest()))
        return Page(text, CONTENT_TYPE)

    def _health(self) -> Page:
        is_well, plain = self.surroundings.health()
        status = "200 OK" if is_well else "503 Service Unavailable"
        text = json.dumps(plain, ensure_ascii=False, indent=2) + "\n"
        return Page(text, "application/json", status)


def values_text(samples: Sequence[Sample]) -> str:
    """Return numbers, true and false as metrics; those that are not good are left out."""
    values = Family("modwire_value", "gauge", "Value of the point, if it is good")
    good = Family("modwire_value_good", "gauge", "1 if the value is good, 0 if stale or bad")
    times = Family(
        "modwire_value_time_seconds", "gauge", "Answer with the value, in seconds since the epoch"
    )
    for each in samples:
        labels = {_label(key): text for key, text in each.tags.items()}
        labels |= {"device": each.device, "point": each.point}
        good.add(int(each.quality == GOOD), **labels)
        if each.quality == GOOD and isinstance(each.value, (bool, int, float)):
            times.add(each.time, **labels)
            if each.measure:
                labels["unit"] = each.measure
            values.add(float(each.value), **labels)
    return f"{values}{good}{times}"


def _label(key: str) -> str:
    """Return the name of a tag as that of a label, which has only letters, digits and _."""
    name = re.sub(r"[^a-zA-Z0-9_]", "_", key)
    name = f"_{name}" if name[:1].isdigit() or not name else name
    return f"tag_{name}" if name in _OWN_LABELS or name.startswith("__") else name
