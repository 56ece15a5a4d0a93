"""`/health` of `modwire poll`: 200 while at least one device answers, sinks and the disk work."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from polled_plant import KeepingSink, Polled, device, plant_of, polling, run, serving, spec_of

SINK = '[[sink]]\nprometheus = "127.0.0.1:0"\n'


def get(url: str) -> tuple[int, dict[str, Any]]:
    try:
        with urlopen(url) as answer:
            return answer.status, json.load(answer)
    except HTTPError as refusal:
        with refusal:
            return refusal.code, json.load(refusal)


async def until_health(polled: Polled, ends: Callable[[int, dict[str, Any]], object]) -> None:
    """Ask for /health until it is as expected, and the same in the figures of the poller."""
    await polled.until(lambda: polled.told)
    url = polled.told[0].removeprefix("Metrics: ").replace("metrics", "health")

    async def ask() -> None:
        while not ends(*(await asyncio.to_thread(get, url))):  # noqa: ASYNC110 - another side
            await asyncio.sleep(0.005)

    await asyncio.wait_for(ask(), 30.0)


def test_one_device_of_two_is_enough_and_none_is_not(tmp_path: Path) -> None:
    async def main() -> None:
        async with serving() as served:
            text = device("tank", served.port, retry=1) + device("away", 1) + SINK
            async with polling(plant_of(tmp_path, text)) as polled:
                away = "no connection: Connection refused"

                def is_well(code: int, found: dict[str, Any]) -> bool:
                    return found == {
                        "status": "ok",
                        "devices": {"number": 2, "without answer": {"away": away}},
                        "sinks": {"failing": {}},
                        "values": {"good": 2, "bad": 2},
                        "spool": "none",
                    } and (code == 200)

                await until_health(polled, is_well)
                await served.server.shutdown()
                await until_health(
                    polled,
                    lambda code, found: (
                        (code, found["status"]) == (503, "failing")
                        and set(found["devices"]["without answer"]) == {"tank", "away"}
                        and found["values"] == {"good": 0, "bad": 4}
                    ),
                )

    run(main)


def test_a_sink_that_takes_nothing_is_not_well(tmp_path: Path) -> None:
    async def main() -> None:
        async with serving() as served:
            slow = KeepingSink()
            slow.problem = "the broker is away"
            plant = plant_of(tmp_path, device("tank", served.port) + SINK)
            plant = replace(plant, sinks=[*plant.sinks, spec_of(slow, "slow")])
            async with polling(plant) as polled:
                await until_health(
                    polled,
                    lambda code, found: (
                        (code, found["sinks"]) == (503, {"failing": {"slow": slow.problem}})
                    ),
                )
                slow.problem = ""
                await until_health(polled, lambda code, found: code == 200)

    run(main)


def test_a_spool_that_cannot_be_written_is_not_well(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(rows: object) -> None:
        raise OSError("the disk is full")

    async def main() -> None:
        async with serving() as served:
            text = device("tank", served.port) + SINK + '[spool]\nfile = "s"\n'
            async with polling(plant_of(tmp_path, text)) as polled:
                await until_health(
                    polled, lambda code, found: (code, found["spool"]) == (200, "ok")
                )
                with monkeypatch.context() as patched:
                    patched.setattr(polled.poller.backlog.store, "append", refuse)
                    await until_health(
                        polled,
                        lambda code, found: (
                            (code, found["spool"]) == (503, "failing")
                            and found["sinks"] == {"failing": {}}
                        ),
                    )
                await until_health(
                    polled, lambda code, found: (code, found["spool"]) == (200, "ok")
                )

    run(main)
