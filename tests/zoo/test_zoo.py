"""Every device of the zoo with every player, without options and with those of its declaration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from modwire import (
    ExceptionResponseError,
    GatewayPathUnavailableError,
    GatewayTargetFailedError,
    ModbusError,
)

from .device import RIGHT, Ask, Device, Fails, On, Outcome
from .devices import DEVICES, load
from .line import serving
from .players import PLAYERS, Found, Player, Said, plain
from .table import FILE, table

load()

GENEROUS = 10.0  # seconds for an answer that comes
SHORT = (0.3, 1.5, 6.0)
"""Seconds for an answer that does not come.

A busy machine looks like a slow device, so an outcome that is not the declared one is tried again
with a longer time. A wrong value is a fault at once.
"""


def cases(*, with_setting: bool) -> list[Any]:
    """Return each device on each of its links with each of its players."""
    return [
        pytest.param(
            device,
            on,
            player,
            id=f"{device.name}-{on}-{player.name}",
            marks=[
                pytest.mark.xfail(reason=reason, strict=True)
                for key, reason in device.broken.items()
                if key in ("all", player.name, on, f"{on}-{player.name}")
                and with_setting == (bool(device.setting) or bool(device.then_asks))
            ],
        )
        for device in DEVICES.values()
        if device.setting or device.then_asks or not with_setting
        for on in device.on
        for player in PLAYERS.values()
        if not device.only or player.name in device.only
        if player.can_play(*_asked(device, with_setting=with_setting))
    ]


def _asked(device: Device, *, with_setting: bool) -> tuple[Sequence[Ask], Mapping[str, Any]]:
    setting = {**device.given, **(device.setting if with_setting else {})}
    return (
        device.then_asks if with_setting and device.then_asks else device.asks,
        {name: value for name, value in setting.items() if name != "scheme"},
    )


@pytest.mark.parametrize(("device", "on", "player"), cases(with_setting=False))
def test_without_options(device: Device, on: On, player: Player) -> None:
    """The table says truly what a user sees who has set nothing."""
    check(device, on, player, device.without, device.timeout, with_setting=False)


@pytest.mark.parametrize(("device", "on", "player"), cases(with_setting=True))
def test_with_options(device: Device, on: On, player: Player) -> None:
    """The options of the table do what it promises."""
    timeout = device.setting.get("response_timeout")
    check(device, on, player, device.then, timeout, with_setting=True)


def check(
    device: Device,
    on: On,
    player: Player,
    outcome: Outcome,
    timeout: float | None,
    *,
    with_setting: bool,
) -> None:
    """Play, and fail unless the outcome is the declared one."""
    times = SHORT if timeout is None else (timeout,) * 3
    if outcome == RIGHT:
        times = (GENEROUS if timeout is None else timeout,)
    asks, setting = _asked(device, with_setting=with_setting)
    scheme = device.endpoint or on
    if with_setting:
        scheme = device.setting.get("scheme", scheme)
    wrong = ""
    for time in times:
        with serving(device, on) as served:
            keeps_on = device.keeps_on or outcome == RIGHT
            found = player.play(scheme, served.place, setting, asks, time, keeps_on=keeps_on)
        check_values(asks, found)
        wrong = difference(
            player, outcome, asks, found, reads_around=bool(device.then_asks) and not with_setting
        )
        if not wrong:
            return
    pytest.fail(wrong)


def check_values(asks: Sequence[Ask], found: Sequence[Found]) -> None:
    """Fail if a response is not the right one, whatever else is allowed to happen."""
    for ask, each in zip(asks, found, strict=False):
        if ask.response is not None and not isinstance(each, (ModbusError, Said)):
            assert each == ask.response, f"a wrong value for {ask.request!r}"


def difference(
    player: Player,
    outcome: Outcome,
    asks: Sequence[Ask],
    found: Sequence[Found],
    *,
    reads_around: bool,
) -> str:
    """Return how the outcome differs from the declared one; "" if it does not."""
    errors = [each for each in found if isinstance(each, (ModbusError, Said))]
    if outcome == RIGHT:
        assert isinstance(outcome, str)
        is_right = not errors and len(found) == len(asks)
        return "" if is_right else f"not right: {errors!r}"
    if any(_is_error(each, outcome, player.name) for each in errors):
        return ""
    if reads_around and player.name == "command" and not errors:
        return ""  # it does by itself what the table advises
    return f"it must raise {outcome.error.__name__} with {outcome.text!r}, but: {found!r}"


def _is_error(error: ModbusError | Said, outcome: Fails, name: str) -> bool:
    if isinstance(error, Said):
        return plain(outcome.text) in error
    if name != "gateway" or issubclass(outcome.error, ExceptionResponseError):
        return isinstance(error, outcome.error) and outcome.text in str(error)
    return isinstance(error, (GatewayTargetFailedError, GatewayPathUnavailableError))


def test_the_table_is_that_of_the_declarations() -> None:
    assert FILE.read_text(encoding="utf-8") == table(), "write it anew: python -m tests.zoo"


def test_the_zoo_is_large() -> None:
    assert len(DEVICES) >= 60
    assert all(each.seen_in and each.symptom and each.does for each in DEVICES.values())


def test_a_device_that_cannot_be_helped_says_so() -> None:
    """A row with an error in the end has advice."""
    for each in DEVICES.values():
        last = each.then if each.setting or each.then_asks else each.without
        assert last == RIGHT or each.advice, each.name
