"""tshark, the peer that reads captures: its fields for each Modbus frame, and ours in its form."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from modwire_tools.explain.frames import Reading

Values = dict[str, list[int | str]]  # numbers, or bytes and texts as hexadecimal digits

_NUMBERS = (
    "mbtcp.trans_id", "mbtcp.prot_id", "mbtcp.len", "mbtcp.unit_id",
    "mbrtu.unit_id", "mbrtu.crc16", "modbus.func_code",
    "modbus.exception_code", "modbus.reference_num", "modbus.read_reference_num",
    "modbus.write_reference_num", "modbus.reference_num_32", "modbus.reference_type",
    "modbus.bit_cnt", "modbus.word_cnt", "modbus.read_word_cnt", "modbus.write_word_cnt",
    "modbus.byte_cnt", "modbus.byte_cnt_16", "modbus.and_mask", "modbus.or_mask",
    "modbus.regnum16", "modbus.regval_uint16", "modbus.bitnum", "modbus.bitval",
    "modbus.ev_status", "modbus.ev_count", "modbus.ev_msg_count", "modbus.event",
    "modbus.diagnostic_code", "modbus.mei", "modbus.read_device_id", "modbus.conformity_level",
    "modbus.more_follows", "modbus.next_object_id", "modbus.num_objects", "modbus.object_id",
    "modbus.objects_len", "modbus.diagnostic.restart_communication_option",
    "modbus.diagnostic.return_diag_register", "modbus.diagnostic.ascii_input_delimiter",
    "modbus.diagnostic.clear_ctr_diag_reg", "modbus.diagnostic.bus_message_count",
    "modbus.diagnostic.bus_comm_error_count", "modbus.diagnostic.bus_exception_error_count",
    "modbus.diagnostic.slave_message_count", "modbus.diagnostic.no_slave_response_count",
    "modbus.diagnostic.slave_nak_count", "modbus.diagnostic.slave_busy_count",
    "modbus.diagnostic.bus_char_overrun_count",
)  # fmt: skip
_BYTES = (
    "modbus.data",
    "modbus.diagnostic.return_query_data.request",
    "modbus.diagnostic.return_query_data.echo",
    "modbus.object_value",
)
_TEXTS = ("modbus.object_str_value",)
_TIMES = ("modbus.response_time",)
_FIELDS = ("frame.time_epoch", *_NUMBERS, *_BYTES, *_TEXTS, *_TIMES)


class Dissected(NamedTuple):
    """A packet with one Modbus frame; `seconds` since its request, None if there is none."""

    time: float
    values: Values
    seconds: float | None


def dissect(path: Path, port: int, framing: str = "tcp", link: str = "tcp") -> list[Dissected]:
    """Return the fields that tshark finds in a capture, by packet. Each may have only one frame."""
    protocol = {"tcp": "mbudp" if link == "udp" else "mbtcp", "rtu": "mbrtu"}[framing]
    done = subprocess.run(
        [
            *("tshark", "-r", str(path), "-Y", "modbus"),
            # The port separates requests from responses; the other setting selects the protocol.
            *("-o", f"{protocol}.{link}.port:{port}"),
            *("-d", f"{link}.port=={port},{protocol}"),
            *("-T", "fields", "-E", "separator=/t", "-E", "aggregator=|"),
            *[part for name in _FIELDS for part in ("-e", name)],
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return [_dissected(line.split("\t")) for line in done.stdout.splitlines()]


def _dissected(columns: list[str]) -> Dissected:
    found = dict(zip(_FIELDS, columns, strict=True))
    values: Values = {}
    for name, text in found.items():
        if not text or name in _TIMES or name == "frame.time_epoch":
            continue
        parts = text.split("|")
        if name in _NUMBERS:
            values[name] = [int(part, 0) for part in parts]
        elif name in _BYTES:
            values[name] = [part.replace(":", "") for part in parts if part != "<MISSING>"]
        else:
            values[name] = [part.encode().hex() for part in parts]
    seconds = found["modbus.response_time"]
    time = float(found["frame.time_epoch"])
    return Dissected(time, values, float(seconds) if seconds else None)


_PLAIN = {
    "transaction id": "mbtcp.trans_id",
    "protocol id": "mbtcp.prot_id",
    "length": "mbtcp.len",
    "unit id": "mbtcp.unit_id",
    "exception code": "modbus.exception_code",
    "address": "modbus.reference_num",
    "FIFO pointer address": "modbus.reference_num",
    "read address": "modbus.read_reference_num",
    "write address": "modbus.write_reference_num",
    "read quantity": "modbus.read_word_cnt",
    "write quantity": "modbus.write_word_cnt",
    "byte count": "modbus.byte_cnt",
    "write byte count": "modbus.byte_cnt",
    "data length": "modbus.byte_cnt",
    "FIFO count": "modbus.word_cnt",
    "AND mask": "modbus.and_mask",
    "OR mask": "modbus.or_mask",
    "event count": "modbus.ev_count",
    "message count": "modbus.ev_msg_count",
    "sub-function": "modbus.diagnostic_code",
    "MEI type": "modbus.mei",
    "read device id code": "modbus.read_device_id",
    "object id": "modbus.object_id",
    "conformity level": "modbus.conformity_level",
    "more follows": "modbus.more_follows",
    "next object id": "modbus.next_object_id",
    "number of objects": "modbus.num_objects",
    "object length": "modbus.objects_len",
    "diagnostic register": "modbus.diagnostic.return_diag_register",
}
_COUNTERS = {
    11: "bus_message_count",
    12: "bus_comm_error_count",
    13: "bus_exception_error_count",
    14: "slave_message_count",
    15: "no_slave_response_count",
    16: "slave_nak_count",
    17: "slave_busy_count",
    18: "bus_char_overrun_count",
}


def in_tshark_words(reading: Reading) -> Values:
    """Return our fields of a TCP frame, with the names and the grouping of tshark."""
    return _Translation(reading).values


class _Translation:
    def __init__(self, reading: Reading) -> None:
        self.values: Values = {}
        self.framing = reading.framing
        self.code = reading.pdu[0] & 0x7F
        self.is_response = reading.is_response
        self.sub_function = int.from_bytes(reading.pdu[1:3], "big")
        self._data = b""
        self._file = 0
        self._is_shown = False
        for field in reading.fields:
            self._rest = reading.pdu[field.start - (7 if reading.framing == "tcp" else 1) :]
            self._take(field.name, field.data)
        self._end_data()

    def _add(self, name: str, *values: int | str) -> None:
        self.values.setdefault(name, []).extend(values)

    def _end_data(self) -> None:
        if self._data:
            self._add("modbus.data", self._data.hex())
            self._data = b""

    def _take(self, name: str, data: bytes) -> None:
        number = int.from_bytes(data, "big")
        if name == "function code":
            self._add("modbus.func_code", self.code)
        elif self.framing == "rtu" and name == "unit id":
            self._add("mbrtu.unit_id", number)
        elif name == "CRC-16":
            self._add("mbrtu.crc16", number)
        elif name == "quantity":
            unit = "bit" if self.code in (1, 2, 15) else "word"
            self._add(f"modbus.{unit}_cnt", number)
        elif name == "status":
            if self.code == 7:
                self._data += data
            else:
                self._add("modbus.ev_status", number)
        elif self.code == 24 and name == "byte count":
            self._add("modbus.byte_cnt_16", number)
        elif self.code == 17 and name != "unit id" and name not in _PLAIN:
            self._data += data
        elif self.code == 17 and name == "byte count":
            self._data += data  # tshark shows the rest of the PDU in one piece
        elif self.code == 43 and name == "MEI type" and number == 13:
            self._add("modbus.mei", number)
            self._data += data  # and this is in its data as well
        elif name in _PLAIN:
            self._add(_PLAIN[name], number)
        elif name.startswith("group "):
            self._group(name.partition(": ")[2], data)
        elif name.startswith("event "):
            self._add("modbus.event", number)
        elif self.code == 8:
            self._diagnostic(data)
        elif name.startswith("object "):
            is_text = int(name.split()[1]) < 7
            self._add("modbus.object_str_value" if is_text else "modbus.object_value", data.hex())
        elif self.code in (1, 2):
            self._bits(name, number)
        elif self.code in (3, 4, 16):
            self._add("modbus.regnum16", int(name.split()[1]))
            self._add("modbus.regval_uint16", number)
        else:
            self._data += data

    def _group(self, name: str, data: bytes) -> None:
        number = int.from_bytes(data, "big")
        if name == "reference type":
            self._is_shown = False
            self._add("modbus.reference_type", number)
        elif name == "file":
            self._file = number
        elif name == "record":
            self._add("modbus.reference_num_32", self._file << 16 | number)
        elif name == "length":
            is_answer = self.code == 20 and self.is_response
            self._add("modbus.byte_cnt" if is_answer else "modbus.word_cnt", number)
        elif not self._is_shown:
            self._is_shown = True
            self._add("modbus.data", self._rest.hex())  # it shows the groups after this one too

    def _diagnostic(self, data: bytes) -> None:
        """Add the data as tshark shows them for these sub-functions."""
        number = int.from_bytes(data, "big")
        sub_function = self.sub_function
        if sub_function == 0:
            name = (
                f"modbus.diagnostic.return_query_data.{'echo' if self.is_response else 'request'}"
            )
            before = self.values.pop(name, [""])
            self._add(name, f"{before[0]}{data.hex()}")
        elif sub_function == 1:
            self._add("modbus.diagnostic.restart_communication_option", number)
        elif sub_function == 3:
            self._add("modbus.diagnostic.ascii_input_delimiter", number >> 8)
        elif sub_function == 20 or not self.is_response:
            self._data += data
        elif sub_function == 10:
            self._add("modbus.diagnostic.clear_ctr_diag_reg", number)
        elif sub_function in _COUNTERS:
            self._add(f"modbus.diagnostic.{_COUNTERS[sub_function]}", number)

    def _bits(self, name: str, byte: int) -> None:
        words = name.replace("discrete ", "").split()
        first = int(words[1])
        last = int(words[3]) if len(words) > 2 else first
        for bit, number in enumerate(range(first, last + 1)):
            self._add("modbus.bitnum", number)
            self._add("modbus.bitval", byte >> bit & 1)


def differences(ours: Iterable[tuple[Reading, Dissected]]) -> list[str]:
    """Return the fields with different values in tshark, or that only one of both has."""
    found: list[str] = []
    for reading, dissected in ours:
        mine, its = in_tshark_words(reading), dissected.values
        for name in sorted({*mine, *its}):
            if mine.get(name, []) != its.get(name, []):
                found.append(
                    f"{reading.name} {reading.pdu.hex()[:60]}: {name} "
                    f"{str(mine.get(name))[:120]} {str(its.get(name))[:120]}"
                )
    return found
