"""`ModbusPlusStatistics`: the 54 words of function 8, sub-function 21, by name.

The sub-function is from the Modicon Modbus Protocol Reference Guide (PI-MBUS-300), for the peer
processor of a Modbus Plus node; the specification reserves it.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from .checks import check_number

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["ModbusPlusOperation", "ModbusPlusStatistics"]

STATISTICS_WORDS = 54
STATISTICS_SIZE = 2 * STATISTICS_WORDS
_BEHIND_BUFFERS = 38  # the word that pymodbus has too many


class ModbusPlusOperation(IntEnum):
    """The data word of sub-function 21."""

    GET_STATISTICS = 3
    CLEAR_STATISTICS = 4


class ModbusPlusStatistics(NamedTuple):
    """The statistics of a Modbus Plus node: `from_words` decodes them, `to_words` encodes them.

    Integers are 0..65535 in the first seven fields and 0..255 in the others. `software_version` is
    in bits 0..11 of its word; if bit 15 is 1, `receiver_alignment_errors` and `collision_aborts`
    are the framing errors of cable B and of cable A. `token_rotation_time` is in milliseconds.
    The fields from `program_master_token_failed` to `program_master_connected` are bit maps.
    `active_stations`, `token_stations`, `global_data_stations` (1..64) and
    `receive_buffers_in_use` (1..40) are numbers in ascending order, and each of the four fields of
    paths has eight counters: of paths 1..8, 41..48, 81..88 and C1..C8 (hexadecimal).
    """

    node_type: int = 0
    software_version: int = 0
    network_address: int = 0
    mac_state: int = 0
    peer_status: int = 0
    token_passes: int = 0
    token_rotation_time: int = 0
    program_master_token_failed: int = 0
    data_master_token_failed: int = 0
    program_master_token_owner: int = 0
    data_master_token_owner: int = 0
    program_slave_token_owner: int = 0
    data_slave_token_owner: int = 0
    data_slave_command_transfers: int = 0
    reserved: int = 0
    program_slave_command_transfers: int = 0
    program_master_response_transfers: int = 0
    program_slave_logouts: int = 0
    program_master_connected: int = 0
    receive_dma_overruns: int = 0
    pretransmit_deferrals: int = 0
    frame_size_errors: int = 0
    repeated_commands: int = 0
    receiver_alignment_errors: int = 0
    collision_aborts: int = 0
    packet_length_errors: int = 0
    crc_errors: int = 0
    transmit_dma_underruns: int = 0
    link_address_errors: int = 0
    mac_function_errors: int = 0
    internal_packet_length_errors: int = 0
    failed_communications: int = 0
    communication_retries: int = 0
    missing_responses: int = 0
    good_packets: int = 0
    path_errors: int = 0
    exception_responses: int = 0
    forgotten_transactions: int = 0
    unexpected_responses: int = 0
    active_stations: tuple[int, ...] = ()
    token_stations: tuple[int, ...] = ()
    global_data_stations: tuple[int, ...] = ()
    receive_buffers_in_use: tuple[int, ...] = ()
    station_management_commands: int = 0
    data_master_output_paths: tuple[int, ...] = (0,) * 8
    data_slave_input_paths: tuple[int, ...] = (0,) * 8
    program_master_output_paths: tuple[int, ...] = (0,) * 8
    program_slave_input_paths: tuple[int, ...] = (0,) * 8

    @classmethod
    def from_words(cls, words: Sequence[int]) -> Self:
        """Return the statistics in 54 words, 0..65535 each.

        55 words are accepted too: with the byte count, 108, in front, as in a response, or with
        one word more for the receive buffers, as pymodbus sends them. Raises ValueError for
        anything else.
        """
        words = list(words)
        if len(words) == STATISTICS_WORDS + 1:
            del words[0 if words[0] == STATISTICS_SIZE else _BEHIND_BUFFERS]
        if len(words) != STATISTICS_WORDS:
            raise ValueError(
                f"Modbus Plus statistics must be {STATISTICS_WORDS} words, got {len(words)}"
            )
        for index, word in enumerate(words):
            check_number(8, f"word {index} of Modbus Plus statistics", word)
        data = b"".join([word.to_bytes(2, "little") for word in words])
        return cls(*[place.unpack(data) for place in PLACES.values()])

    def to_words(self) -> tuple[int, ...]:
        """Return the 54 words. Raises ValueError with the name of a field that is out of range."""
        data = bytearray(STATISTICS_SIZE)
        for (name, place), value in zip(PLACES.items(), self, strict=True):
            try:
                data[place.at : place.at + place.size] = place.pack(value)
            except (OverflowError, TypeError, ValueError):
                raise ValueError(f"{name} must be {place.allowed}, got {value!r}") from None
        return tuple([int.from_bytes(data[at : at + 2], "little") for at in range(0, len(data), 2)])


class Place(NamedTuple):
    """The bytes of one field, counted with the low byte of each word first.

    In that order a number is little-endian, the first of several counters comes first, and so does
    the bit of the lowest number of a map.
    """

    at: int
    size: int

    @property
    def allowed(self) -> str:
        """The allowed values, for an error."""
        return f"0..{(1 << 8 * self.size) - 1}"

    def unpack(self, data: bytes) -> Any:
        """Return the value in the bytes of all statistics."""
        return int.from_bytes(data[self.at : self.at + self.size], "little")

    def pack(self, value: Any) -> bytes:
        """Return the bytes of the value. Raises OverflowError, TypeError or ValueError."""
        return operator.index(value).to_bytes(self.size, "little")


class Counters(Place):
    """The bytes of a counter for each of eight paths."""

    __slots__ = ()

    @property
    def allowed(self) -> str:
        return f"{self.size} numbers of 0..255"

    def unpack(self, data: bytes) -> Any:
        return tuple(data[self.at : self.at + self.size])

    def pack(self, value: Any) -> bytes:
        if len(value) != self.size:
            raise ValueError
        return bytes(value)


class Map(Place):
    """The bytes of a map: bit 0 of the first one is number 1."""

    __slots__ = ()

    @property
    def allowed(self) -> str:
        return f"numbers of 1..{8 * self.size}"

    def unpack(self, data: bytes) -> Any:
        bits = super().unpack(data)
        return tuple([bit + 1 for bit in range(8 * self.size) if bits >> bit & 1])

    def pack(self, value: Any) -> bytes:
        return super().pack(sum({1 << operator.index(number) - 1 for number in value}))


def _places() -> Mapping[str, Place]:
    """Return the place of each field, in order."""
    numbers = [Place(at, 2) for at in range(0, 14, 2)]
    halves = [Place(at ^ 1, 1) for at in range(14, 46)]  # the high byte of a word, then the low one
    maps = [Map(46, 8), Map(54, 8), Map(62, 8), Map(70, 5), Place(75, 1)]
    paths = [Counters(at, 8) for at in range(76, STATISTICS_SIZE, 8)]
    places = [*numbers, *halves, *maps, *paths]
    return dict(zip(ModbusPlusStatistics._fields, places, strict=True))


PLACES = _places()
