"""Injected faults: their effect on clients, and their text in the traffic."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from modwire import (
    ConnectionLostError,
    FrameError,
    ModbusError,
    ResponseTimeoutError,
    ServerDeviceBusyError,
    WriteSingleRegisterRequest,
)
from modwire_tools.simulator.meter import energy_meter
from modwire_tools.simulator.view import Faults
from running_simulation import PATIENCE, SOON, client_of, running, until

FAULTS: list[tuple[Faults, type[ModbusError], str, str]] = [
    (Faults(drop=1), ConnectionLostError, "drop", "silence"),
    (Faults(silence=1), ResponseTimeoutError, "silence", "silence"),
    (Faults(damage=1), FrameError, "damage", "ok"),
    (Faults(exception=1, exception_code=6), ServerDeviceBusyError, "exception", "exception"),
]


@pytest.mark.parametrize(("faults", "error", "name", "outcome"), FAULTS)
def test_faults_are_done_and_told(
    faults: Faults, error: type[ModbusError], name: str, outcome: str
) -> None:
    async def main() -> None:
        async with running([energy_meter()]) as view, client_of(view) as client:
            view.traffic()
            view.set_faults(0, 1, faults)
            assert view.faults(0, 1) == faults
            timeout = SOON if error is ResponseTimeoutError else PATIENCE
            with pytest.raises(error):
                await client.call(WriteSingleRegisterRequest(0, 44), timeout=timeout)
            view.set_faults(0, 1, Faults())
            # Only the request with a damaged response was executed.
            assert await client.read_holding_registers(0) == [44 if name == "damage" else 15]
            message = view.traffic()[0]
            assert (message.fault, message.outcome) == (name, outcome)

    trio.run(main)


def test_a_delayed_answer_keeps_nobody_else_waiting() -> None:
    async def main() -> None:
        async with running([energy_meter()], count=2) as view:
            view.set_faults(0, 1, Faults(delay=1, delay_seconds=3600))
            late, other = client_of(view), client_of(view, 1)
            async with late, other, trio.open_nursery() as nursery:
                nursery.start_soon(late.read_coils, 0)
                await until(lambda: view.devices()[0].requests == 1)
                assert await other.read_coils(0) == [False]
                nursery.cancel_scope.cancel()

    trio.run(main)


def test_a_delayed_answer_comes_after_the_delay() -> None:
    async def main() -> None:
        async with running([energy_meter()], count=2) as view:
            view.traffic()
            view.set_faults(0, 1, Faults(delay=1, delay_seconds=0.1))
            async with client_of(view) as late, client_of(view, 1) as other:
                begun = trio.current_time()
                assert await late.read_coils(0) == [False]
                assert trio.current_time() >= begun + 0.1
                assert await other.read_coils(0) == [False]
                fault = {each.device: each.fault for each in view.traffic()}
                assert fault == {0: "delay", 1: ""}

    trio.run(main)


@pytest.mark.parametrize("again", [False, True])
def test_who_hangs_up_does_not_hold_a_connection_for_as_long_as_a_delay(again: bool) -> None:
    """Thousands of clients that disconnect would otherwise block the device for an hour."""

    async def main() -> None:
        async with running([energy_meter()]) as view:
            view.set_faults(0, 1, Faults(delay=1, delay_seconds=3600))
            host, port = view.devices()[0].endpoints[0].removeprefix("tcp://").split(":")
            for _ in range(2):
                async with await trio.open_tcp_stream(host, int(port)) as gone:
                    await gone.send_all(bytes.fromhex("000100000006010300000001"))
                    await until(lambda: view.devices()[0].connections)
                    await trio.testing.wait_all_tasks_blocked(0.01)
                    if again:
                        await gone.send_all(bytes.fromhex("000100000006010300000001"))
                await until(lambda: not view.devices()[0].connections)
            # A client that has closed only its sending half gets its response.
            async with await trio.open_tcp_stream(host, int(port)) as half:
                await half.send_all(bytes.fromhex("00020000000601010000 0001"))
                await half.send_eof()
                assert len(await half.receive_some()) == 10

    trio.run(main)


def test_rates_of_faults_are_kept_to() -> None:
    async def main() -> None:
        async with running([energy_meter()]) as view, client_of(view) as client:
            view.set_faults(0, 1, Faults(exception=0.5))
            failed = 0
            for _ in range(200):
                try:
                    await client.read_coils(0)
                except ModbusError:
                    failed += 1
            assert 60 < failed < 140

    trio.run(main)
