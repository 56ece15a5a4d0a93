"""The WebSocket of the page: it sends the shown values at once, and then the changes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import msgspec
import pytest
import trio

from fake_view import FakeView
from linked_page import linked, run
from modwire_tools.web.shown import MOST_SHOWN, Shown
from page_requests import WebSocket, ask
from running_page import ServedPage

PLACE = {"device": 0, "unit": 1}
VALUES = {"kind": "values", **PLACE, "table": "holding_registers", "address": 0, "count": 10}


@pytest.fixture
def view() -> FakeView:
    return FakeView()


@pytest.fixture
def shown(view: FakeView) -> Shown:
    return Shown(view)


@pytest.fixture
def page(view: FakeView) -> Iterator[ServedPage]:
    with ServedPage(view) as served:
        yield served


def changes(shown: Shown) -> Any:
    """Return the next changes, as a browser receives them."""
    return msgspec.json.decode(msgspec.json.encode(shown.changes()))


def test_all_is_told_once_then_what_changed(view: FakeView, shown: Shown) -> None:
    shown.show({"a": VALUES})
    assert changes(shown) == {"a": {"all": [0] * 10}}
    assert changes(shown) == {}
    view.write(0, 1, "holding_registers", 3, [1, 2])
    assert changes(shown) == {"a": {"set": {"3": 1, "4": 2}}}
    assert changes(shown) == {}
    view.write(0, 1, "holding_registers", 30, [1])  # not shown
    assert changes(shown) == {}


def test_much_that_changed_is_told_as_a_whole(view: FakeView, shown: Shown) -> None:
    shown.show({"a": VALUES})
    changes(shown)
    view.write(0, 1, "holding_registers", 0, [9] * 8)
    assert changes(shown) == {"a": {"all": [9] * 8 + [0] * 2}}


@pytest.mark.parametrize(
    "given",
    [
        {"kind": "overview"},
        {"kind": "devices", "start": 1, "count": 1},
        {"kind": "device", "device": 1},
        {"kind": "tables", **PLACE},
        VALUES,
        {"kind": "points", **PLACE},
        {"kind": "counters", **PLACE},
        {"kind": "connections"},
        {"kind": "faults", **PLACE},
        {"kind": "modes", "device": 0},
        {"kind": "networks", "device": 0},
        {"kind": "state", **PLACE},
        {"kind": "identity", **PLACE},
        {"kind": "events", **PLACE},
        {"kind": "statistics", **PLACE},
    ],
)
def test_every_kind_is_told_and_then_still(shown: Shown, given: dict[str, object]) -> None:
    shown.show({"a": given})
    told = changes(shown)
    assert told["a"]["all"]
    assert changes(shown) == {}


def test_what_goes_on_being_shown_is_not_told_anew(view: FakeView, shown: Shown) -> None:
    shown.show({"a": VALUES})
    changes(shown)
    shown.show({"a": VALUES, "b": {"kind": "overview"}})
    assert changes(shown).keys() == {"b"}
    shown.show({"a": {**VALUES, "count": 5}})
    assert changes(shown) == {"a": {"all": [0] * 5}}
    shown.show({})
    view.write(0, 1, "holding_registers", 0, [1])
    assert changes(shown) == {}


def test_a_changed_point_is_told_alone(view: FakeView, shown: Shown) -> None:
    shown.show({"a": {"kind": "points", **PLACE}})
    changes(shown)
    view.write_point(0, 1, "voltage", 231.0)
    told = changes(shown)
    assert told["a"]["set"].keys() == {"0"}
    assert told["a"]["set"]["0"]["value"] == 231.0


def test_a_value_that_is_no_number_changes_nothing(shown: Shown) -> None:
    """NaN is not equal to itself, and must not be sent in each push."""
    shown.show({"a": {"kind": "points", **PLACE}})
    changes(shown)
    assert changes(shown) == {}


def test_a_trend_grows(view: FakeView, shown: Shown) -> None:
    shown.show({"a": {"kind": "trend", **PLACE, "name": "voltage"}})
    assert changes(shown) == {}
    view.trends["voltage"] += [(1.0, 230.0), (2.0, 231.0)]
    assert changes(shown) == {"a": {"add": [[1.0, 230.0], [2.0, 231.0]]}}
    view.trends["voltage"].append((3.0, 232.0))
    assert changes(shown) == {"a": {"add": [[3.0, 232.0]]}}


def test_traffic_is_told_once_and_filtered(view: FakeView, shown: Shown) -> None:
    view.add_message()
    shown.show({"a": {"kind": "traffic"}, "b": {"kind": "traffic", "outcome": "silence"}})
    told = changes(shown)
    assert told.keys() == {"a"}
    view.add_message(outcome="silence")
    told = changes(shown)
    assert [each["number"] for each in told["a"]["add"]] == [2]
    assert [each["number"] for each in told["b"]["add"]] == [2]
    assert changes(shown) == {}


def test_a_flood_of_messages_is_cut(view: FakeView, shown: Shown) -> None:
    shown.show({"a": {"kind": "traffic"}})
    for _ in range(1000):
        view.add_message()
    told = changes(shown)
    numbers = [each["number"] for each in told["a"]["add"]]
    assert numbers == [*range(801, 1001)]
    assert changes(shown) == {}


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"kind": "nothing"}, "kind must be overview, devices, "),
        ({"kind": "values", **PLACE}, "table is missing"),
        ({**VALUES, "count": 1001}, "count must be 1..1000"),
        ({"kind": "points", "device": 9, "unit": 1}, "there is no device 9"),
        ({"kind": "device", "device": 9}, "there is no device 9"),
        ({"kind": "traffic", "unit": 300}, "unit must be 0..255"),
    ],
)
def test_what_cannot_be_shown_is_said_once(
    shown: Shown, given: dict[str, object], error: str
) -> None:
    shown.show({"a": given, "b": {"kind": "overview"}})
    told = changes(shown)
    assert told["a"]["error"].startswith(error)
    assert "all" in told["b"]
    assert changes(shown) == {}


def test_a_browser_may_not_show_without_end(shown: Shown) -> None:
    shown.show({str(key): VALUES for key in range(MOST_SHOWN)})
    with pytest.raises(ValueError, match="^at most 24 parts can be shown, got 25$"):
        shown.show({str(key): VALUES for key in range(MOST_SHOWN + 1)})


def test_a_write_reaches_the_browser(page: ServedPage) -> None:
    with WebSocket(page.port) as live:
        live.send({"show": {"a": VALUES}})
        assert live.push() == {"a": {"all": [0] * 10}}
        page.do(lambda: page.view.write(0, 1, "holding_registers", 2, [5]))
        assert live.push() == {"a": {"set": {"2": 5}}}


def test_there_are_five_pushes_a_second_at_most(view: FakeView) -> None:
    async def main() -> None:
        async def write() -> None:
            for value in range(1, 1000):
                view.write(0, 1, "holding_registers", 0, [value])
                await trio.sleep(0.03)

        async with linked(view) as link, trio.open_nursery() as nursery:
            nursery.start_soon(write)
            link.send({"show": {"a": VALUES}})
            times: list[float] = []
            for _ in range(11):
                assert (await link.push())["a"]
                times.append(trio.current_time())
            nursery.cancel_scope.cancel()
        assert min(later - time for time, later in pairwise(times)) >= 0.2 - 1e-9
        assert times[-1] - times[0] < 3.0

    run(main)


def test_what_the_user_chooses_is_shown_at_once(view: FakeView) -> None:
    async def main() -> None:
        async with linked(view) as link:
            link.send({"show": {"a": VALUES}})
            await link.push()
            await trio.sleep(5.05)
            chosen = trio.current_time()
            link.send({"show": {"b": {"kind": "overview"}}})
            assert (await link.push()).keys() == {"b"}
            assert trio.current_time() == chosen

    run(main)


def test_a_slow_browser_gets_what_is_there_when_it_is_ready(view: FakeView) -> None:
    """There is no queue: the next push waits until this one is seen, and has the latest values."""

    async def main() -> None:
        async with linked(view) as link:
            link.send({"show": {"a": VALUES}})
            await link.push(is_seen=False)
            for value in range(1, 4):
                view.write(0, 1, "holding_registers", 0, [value])
                await trio.sleep(5.0)
                assert not link.has_more()
            link.send({"seen": 1})
            assert await link.push() == {"a": {"set": {"0": 3}}}

    run(main)


def test_a_browser_that_does_not_follow_is_given_up(view: FakeView) -> None:
    async def main() -> None:
        async with linked(view) as link:
            link.send({"show": {"a": VALUES}})
            await link.push(is_seen=False)
            ending = await link.receive()
            assert (ending["type"], ending["code"]) == ("websocket.close", 1013)
            assert trio.current_time() == pytest.approx(30.0, abs=1.0)

    run(main)


def test_where_nothing_changes_each_side_still_sees_the_other(view: FakeView) -> None:
    async def main() -> None:
        async with linked(view) as link:
            link.send({"show": {"a": VALUES}})
            await link.push()
            for number in range(1, 4):
                assert await link.push() == {}
                assert trio.current_time() == pytest.approx(15.0 * number, abs=1.0)

    run(main)


def test_browsers_show_different_parts(page: ServedPage) -> None:
    with WebSocket(page.port) as one, WebSocket(page.port) as other:
        one.send({"show": {"x": VALUES}})
        other.send({"show": {"y": {"kind": "faults", **PLACE}}})
        assert one.push().keys() == {"x"}
        assert other.push().keys() == {"y"}
        body = {"silence": 1}
        assert ask(page.port, "PUT", "/api/devices/0/units/1/faults", body).status == 200
        told: Any = other.push()
        assert told["y"]["all"]["silence"] == 1.0
        # The next push to the first browser has its own parts, not the faults.
        page.do(lambda: page.view.write(0, 1, "holding_registers", 2, [5]))
        assert one.push() == {"x": {"set": {"2": 5}}}


@pytest.mark.parametrize(
    ("message", "opcode", "reason"),
    [
        (b"nonsense", 1, "the body must be JSON"),
        (b"[]", 1, "the body must be a JSON object"),
        ({"show": []}, 1, "show must be an object"),
        ({"show": {"a": 1}}, 1, "the part 'a' must be an object with a kind"),
        ({"seen": 7}, 1, "seen must be 0..0, got 7"),
        (b"\x00", 2, "messages must be texts"),
    ],
)
def test_nonsense_closes_the_socket(
    page: ServedPage, message: object, opcode: int, reason: str
) -> None:
    with WebSocket(page.port) as live:
        live.send(message, opcode)
        code, text = live.closing()
        assert code == 1008
        assert text.startswith(reason)
    assert ask(page.port, "GET", "/api").status == 200


def test_a_message_that_is_too_long_closes_the_socket(page: ServedPage) -> None:
    with WebSocket(page.port) as live:
        live.send(b" " * 60_000)
        assert live.closing()[0] == 1009


def test_the_end_is_told(page: ServedPage) -> None:
    with WebSocket(page.port) as live:
        live.send({"show": {"a": VALUES}})
        live.push()
        page.stop()
        assert live.closing() == (1001, "the server ends")


def test_a_socket_that_is_dropped_is_forgotten(page: ServedPage) -> None:
    for _ in range(120):  # more than may be open at once
        with WebSocket(page.port) as live:
            live.send({"show": {"a": VALUES}})
            live.push()
