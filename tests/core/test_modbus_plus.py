"""The statistics of a Modbus Plus node: each word, and each half of one, has its name."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modwire import (
    DiagnosticsRequest,
    DiagnosticsResponse,
    InvalidResponseError,
    ModbusPlusStatistics,
)

WORDS = st.lists(st.integers(0, 0xFFFF), min_size=54, max_size=54)
# Where each field is, in the order of the Modicon documents: word, and "hi" or "lo" for a half.
PLACES: list[tuple[str, int, str]] = [
    ("node_type", 0, ""),
    ("software_version", 1, ""),
    ("network_address", 2, ""),
    ("mac_state", 3, ""),
    ("peer_status", 4, ""),
    ("token_passes", 5, ""),
    ("token_rotation_time", 6, ""),
    ("data_master_token_failed", 7, "lo"),
    ("program_master_token_failed", 7, "hi"),
    ("data_master_token_owner", 8, "lo"),
    ("program_master_token_owner", 8, "hi"),
    ("data_slave_token_owner", 9, "lo"),
    ("program_slave_token_owner", 9, "hi"),
    ("data_slave_command_transfers", 10, "hi"),
    ("program_master_response_transfers", 11, "lo"),
    ("program_slave_command_transfers", 11, "hi"),
    ("program_master_connected", 12, "lo"),
    ("program_slave_logouts", 12, "hi"),
    ("pretransmit_deferrals", 13, "lo"),
    ("receive_dma_overruns", 13, "hi"),
    ("repeated_commands", 14, "lo"),
    ("frame_size_errors", 14, "hi"),
    ("collision_aborts", 15, "lo"),
    ("receiver_alignment_errors", 15, "hi"),
    ("crc_errors", 16, "lo"),
    ("packet_length_errors", 16, "hi"),
    ("link_address_errors", 17, "lo"),
    ("transmit_dma_underruns", 17, "hi"),
    ("internal_packet_length_errors", 18, "lo"),
    ("mac_function_errors", 18, "hi"),
    ("communication_retries", 19, "lo"),
    ("failed_communications", 19, "hi"),
    ("good_packets", 20, "lo"),
    ("missing_responses", 20, "hi"),
    ("exception_responses", 21, "lo"),
    ("path_errors", 21, "hi"),
    ("unexpected_responses", 22, "lo"),
    ("forgotten_transactions", 22, "hi"),
    ("station_management_commands", 37, "hi"),
]
# The first word of each map, and its highest number; those of the counters of eight paths.
MAPS = {
    "active_stations": (23, 64),
    "token_stations": (27, 64),
    "global_data_stations": (31, 64),
    "receive_buffers_in_use": (35, 40),
}
PATHS = {
    "data_master_output_paths": 38,
    "data_slave_input_paths": 42,
    "program_master_output_paths": 46,
    "program_slave_input_paths": 50,
}


def one(word: int, value: int) -> list[int]:
    return [value if index == word else 0 for index in range(54)]


def statistics(name: str, value: object) -> ModbusPlusStatistics:
    given: dict[str, Any] = {name: value}
    return ModbusPlusStatistics(**given)


def check(expected: ModbusPlusStatistics, words: list[int]) -> None:
    assert ModbusPlusStatistics.from_words(words) == expected
    assert expected.to_words() == tuple(words)


@pytest.mark.parametrize(("name", "word", "half"), PLACES)
def test_numbers(name: str, word: int, half: str) -> None:
    value = 0xAB if half else 0xABCD
    check(statistics(name, value), one(word, value << 8 if half == "hi" else value))


@pytest.mark.parametrize("name", MAPS)
def test_maps(name: str) -> None:
    first, most = MAPS[name]
    for number in range(1, most + 1):
        bit = number - 1
        check(statistics(name, (number,)), one(first + (bit >> 4), 1 << (bit & 15)))


@pytest.mark.parametrize("name", PATHS)
def test_paths(name: str) -> None:
    for path in range(8):
        counters = tuple(0x9A if each == path else 0 for each in range(8))
        check(statistics(name, counters), one(PATHS[name] + path // 2, 0x9A << 8 * (path % 2)))


def test_there_is_nothing_else() -> None:
    named = {name for name, _, _ in PLACES} | set(MAPS) | set(PATHS)
    assert named == set(ModbusPlusStatistics._fields) - {"reserved"}


@given(WORDS)
def test_no_bit_is_lost(words: list[int]) -> None:
    assert ModbusPlusStatistics.from_words(words).to_words() == tuple(words)


@given(WORDS)
def test_words_too_many_that_are_known(words: list[int]) -> None:
    found = ModbusPlusStatistics.from_words(words)
    assert ModbusPlusStatistics.from_words([108, *words]) == found
    if words[0] != 108:
        assert ModbusPlusStatistics.from_words([*words[:38], 0, *words[38:]]) == found


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("token_passes", 65536, "0..65535"),
        ("good_packets", 256, "0..255"),
        ("good_packets", -1, "0..255"),
        ("good_packets", None, "0..255"),
        ("active_stations", (0,), "numbers of 1..64"),
        ("active_stations", (65,), "numbers of 1..64"),
        ("receive_buffers_in_use", (41,), "numbers of 1..40"),
        ("active_stations", 5, "numbers of 1..64"),
        ("data_slave_input_paths", (1,) * 7, "8 numbers of 0..255"),
        ("data_slave_input_paths", (256,) * 8, "8 numbers of 0..255"),
        ("data_slave_input_paths", 8, "8 numbers of 0..255"),
    ],
)
def test_wrong_values_are_named(name: str, value: object, allowed: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        statistics(name, value).to_words()
    assert str(caught.value) == f"{name} must be {allowed}, got {value!r}"


@pytest.mark.parametrize("count", [0, 53, 56])
def test_other_numbers_of_words_are_refused(count: int) -> None:
    with pytest.raises(ValueError, match=f"must be 54 words, got {count}"):
        ModbusPlusStatistics.from_words([0] * count)


STATISTICS = ModbusPlusStatistics(node_type=1, collision_aborts=7, active_stations=(5,))


@pytest.mark.parametrize("before", [(3,), (3, 108), ()])
def test_the_words_of_modbus_plus_statistics_are_found(before: tuple[int, ...]) -> None:
    words = (*before, *STATISTICS.to_words())
    answer = DiagnosticsRequest(21, 3).decode_response(DiagnosticsResponse(21, words).encode())
    assert answer.statistics == STATISTICS
    with pytest.raises(InvalidResponseError, match="must be 54 words, got 57"):
        _ = DiagnosticsResponse(21, (3, 0, 0, 0, *STATISTICS.to_words())).statistics
