"""Hostile device files and impatient users must neither stop a simulation nor block it."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
import trio
import trio.testing

from modwire import ConnectionLostError
from modwire_tools.simulator.behaviours import Choice
from modwire_tools.simulator.expressions import Expression
from modwire_tools.simulator.files import DeviceFileError, read_device
from modwire_tools.simulator.meter import energy_meter
from running_simulation import client_of, device, point, running


def read_point(tmp_path: Path, *points: dict[str, object]) -> None:
    path = tmp_path / "d.json"
    path.write_text(json.dumps({"unit": [{"id": 1, "point": points}]}), "utf-8")
    read_device(path)


def complaint(tmp_path: Path, *points: dict[str, object]) -> str:
    with pytest.raises(DeviceFileError) as wrong:
        read_point(tmp_path, *points)
    return str(wrong.value)


@pytest.mark.parametrize(
    "text",
    [
        "round(1, -1000000000)",
        "'%1000000000d' % 1",
        "f'{t:>1000000000}'",
        "+".join(["1"] * 20_000),
        "not " * 20_000 + "1",
        "-" * 5_000 + "1",
        "().__class__",
    ],
)
def test_an_expression_that_would_run_for_ever_is_refused_at_once(
    tmp_path: Path, text: str
) -> None:
    told = complaint(tmp_path, {"name": "a", "at": "hr:0", "value": {"expression": text}})
    assert "expression" in told
    assert len(told) < 700


@pytest.mark.parametrize("kind", ["uint16", "float32"])
@pytest.mark.parametrize("text", ["9**3999999", "10**4000000 % 7", "(0 - 1) ** 0.5", "'text'"])
def test_an_expression_without_a_number_leaves_the_value_as_it_was(kind: str, text: str) -> None:
    async def main() -> None:
        one = point("a", "hr:0", kind, behaviour=Expression(text))
        async with running([device(one)]) as view, client_of(view) as client:
            assert await client.read_holding_registers(0) == [0]
            assert [each.value for each in view.points(0, 1)] == [0]

    trio.run(main)


def test_a_text_where_a_float_belongs_does_not_break_the_list_of_points() -> None:
    async def main() -> None:
        one = point("a", "hr:0", "float32", behaviour=Choice(["off"]))
        async with running([device(one)]) as view:
            assert [each.value for each in view.points(0, 1)] == [0.0]

    trio.run(main)


def test_a_long_row_of_points_that_copy_the_next_is_refused(tmp_path: Path) -> None:
    row: list[dict[str, object]] = [
        {"name": f"p{at}", "at": f"hr:{at}", "value": {"copy": f"p{at + 1}"}} for at in range(500)
    ]
    row.append({"name": "p500", "at": "hr:500"})
    assert "at most 32 may be in such a row" in complaint(tmp_path, *row)
    assert "at most 32 may be in such a row" in complaint(tmp_path, *reversed(row))
    read_point(tmp_path, *row[-32:])


def test_a_number_that_no_float_holds_is_named(tmp_path: Path) -> None:
    told = complaint(tmp_path, {"name": "a", "at": "hr:0", "scale": 10**400})
    assert "scale must be a number, and finite, got 1000" in told
    assert len(told) < 400


def test_what_a_file_brings_into_a_complaint_is_short_and_printable(tmp_path: Path) -> None:
    told = complaint(tmp_path, {"name": "\x1b[31m\n", "at": "hr:0", "type": "x" * 100_000})
    assert told.isprintable()
    assert len(told) < 600


@pytest.mark.parametrize("file", ["/dev/zero", "."])
def test_a_recording_is_a_file_that_has_an_end(
    tmp_path: Path, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODWIRE_RECORDINGS", "/dev")
    replay = {"replay": {"file": file, "column": "a"}}
    assert "is no file" in complaint(tmp_path, {"name": "a", "at": "hr:0", "value": replay})


def test_a_device_file_has_an_end() -> None:
    with pytest.raises(DeviceFileError, match="must have at most 33554432 bytes"):
        read_device("/dev/zero")


def test_a_recording_that_is_no_csv_is_named(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text('"' + "x" * 200_000)
    replay = {"replay": {"file": "r.csv", "column": "a"}}
    assert "field limit" in complaint(tmp_path, {"name": "a", "at": "hr:0", "value": replay})


@pytest.mark.parametrize("clicks", ["sx", "xsx", "xsxs", "xsxsxsx", "xsxsxsxs"])
def test_the_last_of_many_clicks_decides_whether_a_device_runs(clicks: str) -> None:
    async def main() -> None:
        async with running([energy_meter()]) as view:
            for click in clicks:
                (view.start if click == "s" else view.stop)(0)
            runs = clicks.endswith("s")
            await trio.testing.wait_all_tasks_blocked(0.01)
            assert (view.devices()[0].running, dict(view.problems())) == (runs, {})
            # Nothing else holds the port, or responds in its place.
            if runs:
                async with client_of(view) as client:
                    assert await client.read_holding_registers(0) == [15]
            else:
                with pytest.raises(ConnectionLostError):
                    async with client_of(view) as client:
                        await client.read_holding_registers(0)

    trio.run(main)


def test_the_first_of_two_endpoints_that_is_taken_is_a_problem_and_no_crash() -> None:
    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            places = (f"tcp://127.0.0.1:{port}", "udp://127.0.0.1:0")
            async with running([energy_meter()], places) as view:
                assert "in use" in view.problems()[0]
                taken.close()
                view.start(0)
                await trio.testing.wait_all_tasks_blocked(0.01)
                assert not view.problems()

    trio.run(main)
