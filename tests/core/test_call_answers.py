"""Calls that send no request, send several, or get no response."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from modwire.calls import AsyncCalls, BlockingCalls
from modwire.errors import InvalidResponseError
from modwire.messages.base import Response
from modwire.messages.encapsulated import (
    ReadDeviceIdentificationRequest,
    ReadDeviceIdentificationResponse,
)

if TYPE_CHECKING:
    pass

from call_line import Ask, Line, both, run


@both
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("write_coil", (172, True)),
        ("write_register", (1, 3)),
        ("write_coils", (19, [True])),
        ("write_registers", (1, [10])),
        ("mask_write_register", (4, 1, 2)),
        ("write_file_record", (4, 7, [1])),
        ("restart_communications", ()),
        ("clear_counters", ()),
    ],
)
def test_a_write_can_be_broadcast(ask: Ask, name: str, arguments: tuple[object, ...]) -> None:
    assert ask(Line([None]), name, *arguments, unit=0) is None


DELIMITER = r'delimiter must be one ASCII character, such as "\\n", or its code, 0..127'


@both
@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("read_holding_registers", (0, 126), r"count must be 1..125 registers, got 126"),
        ("write_register", (0, 65536), r"value must be 0..65535, got 65536"),
        *(
            ("change_ascii_input_delimiter", (wrong,), f"{DELIMITER}, got {wrong!r}")
            for wrong in ("ab", "", "é", 128, -1, 0x0A00, True, 10.0, b"!")
        ),
        ("read_device_identification", (5,), "1..4"),
    ],
)
def test_a_wrong_argument_is_refused_before_anything_is_sent(
    ask: Ask, name: str, arguments: tuple[object, ...], message: str
) -> None:
    line = Line([])

    with pytest.raises(ValueError, match=message):
        ask(line, name, *arguments)

    assert line.asked == []


def part(
    more_follows: bool, next_object_id: int, objects: dict[int, bytes]
) -> ReadDeviceIdentificationResponse:
    return ReadDeviceIdentificationResponse(3, 3, more_follows, next_object_id, objects.items())


@both
def test_an_identification_in_several_answers_comes_whole(ask: Ask) -> None:
    line = Line(
        [
            part(True, 2, {0: b"A" * 100, 1: b"B" * 100}),
            part(True, 129, {2: b"C" * 100, 128: b"D" * 100}),
            part(False, 0, {129: b"E" * 200}),
        ]
    )

    objects = ask(line, "read_device_identification", 3, unit=9, timeout=0.5)

    expected = {0: b"A" * 100, 1: b"B" * 100, 2: b"C" * 100, 128: b"D" * 100, 129: b"E" * 200}
    assert objects == expected
    assert line.asked == [
        (ReadDeviceIdentificationRequest(3, start), 9, 0.5) for start in (0, 2, 129)
    ]


@both
def test_a_stream_that_starts_again_at_0_for_an_unknown_object_is_followed(ask: Ask) -> None:
    line = Line([part(True, 1, {0: b"A"}), part(False, 0, {1: b"B"})])

    assert ask(line, "read_device_identification", 3, 85) == {0: b"A", 1: b"B"}


@both
@pytest.mark.parametrize(
    "parts",
    [
        [part(True, 0, {0: b"A"})],
        [part(True, 1, {0: b"A", 1: b"B"})],
        [part(True, 2, {0: b"A"}), part(True, 2, {})],
        [part(True, 2, {0: b"A"}), part(True, 1, {0: b"A"})],
    ],
)
def test_a_device_that_goes_round_in_a_circle_does_not_keep_the_caller(
    ask: Ask, parts: list[Response]
) -> None:
    with pytest.raises(InvalidResponseError, match="next object id must be above"):
        ask(Line(parts), "read_device_identification", 3)


@both
def test_an_identification_ends_after_256_answers_at_most(ask: Ask) -> None:
    line = Line([part(True, start, {}) for start in range(1, 256)] + [part(True, 0, {})])

    with pytest.raises(InvalidResponseError, match="must be above 255"):
        ask(line, "read_device_identification", 3)

    assert len(line.asked) == 256


def test_a_subclass_without_call_is_told_what_to_write() -> None:
    class Half(BlockingCalls):
        pass

    class HalfAsync(AsyncCalls):
        pass

    with pytest.raises(NotImplementedError, match=r"Half must define call\(request, \*, unit="):
        Half().read_coils(0)
    with pytest.raises(NotImplementedError, match=r"HalfAsync must define call\(request, \*, un"):
        run(HalfAsync().read_coils(0))
