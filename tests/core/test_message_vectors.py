"""The corpus: good messages decode to the expected values and encode back; bad ones fail.

`test_framing` tests the framings of the same entries.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from modwire.errors import InvalidRequestError, InvalidResponseError
from modwire.messages import decode_request, decode_response
from modwire.messages.bit_access import ReadBitsResponse
from modwire.units.identity import Identity

from .message_strategies import AnyRequest
from .messages_vectors import Entry, load, message_of, objects_of, unique_pdus

SPEC = unique_pdus(load("spec_messages.json"))
PYMODBUS1 = unique_pdus(load("pymodbus1_messages.json"))
CONFORMANT = [entry for entry in PYMODBUS1 if entry["spec_conformant"]]
NON_CONFORMANT = [entry for entry in PYMODBUS1 if not entry["spec_conformant"]]
MALFORMED = load("malformed.json")["cases"]

REQUEST_OF_CASE: dict[str, AnyRequest] = {
    entry["case"]: decode_request(bytes.fromhex(entry["pdu"]))
    for entry in SPEC
    if entry["direction"] == "request"
}


def name_of(entry: Entry) -> str:
    return str(entry["id"])


def check_both_ways(entry: Entry) -> None:
    pdu = bytes.fromhex(entry["pdu"])
    built = message_of(entry)
    assert built.encode() == pdu
    decode = decode_request if entry["direction"] == "request" else decode_response
    decoded = decode(pdu)
    assert type(decoded) is type(built)
    assert decoded.encode() == pdu
    if isinstance(decoded, ReadBitsResponse) and isinstance(built, ReadBitsResponse):
        # The response alone has whole bytes.
        assert decoded.bits[: built.count] == built.bits
        assert not any(decoded.bits[built.count :])
    else:
        assert decoded == built


@pytest.mark.parametrize("entry", SPEC, ids=name_of)
def test_messages_of_the_specification_are_read_and_written_as_printed(entry: Entry) -> None:
    check_both_ways(entry)


@pytest.mark.parametrize(
    "entry",
    [
        entry
        for entry in SPEC
        if entry["direction"] == "response" and entry["case"] in REQUEST_OF_CASE
    ],
    ids=name_of,
)
def test_requests_of_the_specification_take_their_answers(entry: Entry) -> None:
    sent = REQUEST_OF_CASE[entry["case"]]
    built = message_of(entry)
    if "exception_code" in entry["args"]:
        assert sent.function_code == entry["args"]["function_code"]
        return
    assert sent.decode_response(bytes.fromhex(entry["pdu"])) == built


@pytest.mark.parametrize("entry", CONFORMANT, ids=name_of)
def test_good_messages_of_pymodbus_1_are_read_and_written_as_it_does(entry: Entry) -> None:
    check_both_ways(entry)


# Messages of pymodbus 1.x that the specification does not have: the exception code for a refused
# request, REFUSED for a response, ACCEPTED for a well-formed message.
ACCEPTED, REFUSED = "accepted", "refused"
OUTCOMES: dict[tuple[str, str], tuple[int | str, str]] = {
    ("request", "1400"): (3, "byte count 0, 07..F5 is allowed"),
    ("request", "1500"): (3, "data length 0, 09..FB is allowed"),
    ("request", "0800130000"): (ACCEPTED, "return IOP overrun count, kept from pymodbus 1.x"),
    ("request", "0800150000"): (3, "Modbus Plus has operations 3 and 4 only"),
    ("request", "0800150003"): (ACCEPTED, "Modbus Plus get statistics, kept from pymodbus 1.x"),
    ("request", "0800150004"): (ACCEPTED, "Modbus Plus clear statistics, kept from pymodbus 1.x"),
    ("response", "110300ff"): (REFUSED, "byte count one too high"),
    ("response", "110a70796d6f64627573ff"): (REFUSED, "byte count one too high"),
    ("response", "110a70796d6f6462757300"): (REFUSED, "byte count one too high"),
    ("response", "1400"): (REFUSED, "no record in it"),
    ("response", "1500"): (REFUSED, "no record in it"),
    ("response", "140c06020dfe0020060233cd0040"): (REFUSED, "type and length of a group swapped"),
    ("response", "180012001000010001000100010001000100010001"): (REFUSED, "FIFO count in bytes"),
    ("response", "180006000401b81284"): (REFUSED, "FIFO count in bytes"),
    ("response", "2b0e0183000000"): (ACCEPTED, "well-formed; a client parses defensively"),
    ("response", "080004"): (REFUSED, "listen-only mode has no response, and this one no data"),
    ("response", "0800130000"): (ACCEPTED, "return IOP overrun count, kept from pymodbus 1.x"),
    ("response", "0800150000"): (ACCEPTED, "Modbus Plus answers have any number of words"),
    ("response", "080015" + 54 * "0000"): (
        ACCEPTED,
        "Modbus Plus answers have any number of words",
    ),
}


def test_every_bad_message_of_pymodbus_1_has_an_outcome() -> None:
    assert {(entry["direction"], entry["pdu"]) for entry in NON_CONFORMANT} == set(OUTCOMES)


@pytest.mark.parametrize("entry", NON_CONFORMANT, ids=name_of)
def test_bad_messages_of_pymodbus_1_end_as_the_specification_asks(entry: Entry) -> None:
    pdu = bytes.fromhex(entry["pdu"])
    outcome, _ = OUTCOMES[entry["direction"], entry["pdu"]]
    decode = decode_request if entry["direction"] == "request" else decode_response
    if outcome == ACCEPTED:
        assert decode(pdu).encode() == pdu
    elif outcome == REFUSED:
        with pytest.raises(InvalidResponseError):
            decode(pdu)
    else:
        with pytest.raises(InvalidRequestError) as caught:
            decode(pdu)
        assert caught.value.exception_code == outcome


# Device identification, from an identity to the bytes of the answer.


def device_of(*cases: str, individual_access: bool = True) -> Identity:
    objects: dict[int, bytes] = {}
    for entry in SPEC:
        if entry["direction"] == "response" and entry["case"] in cases:
            objects.update(objects_of(entry["args"]))
    return Identity(objects, individual_access=individual_access)


BASIC = device_of("fc43-14-basic-spec", individual_access=False)
LONG_CODE = device_of("fc43-14-basic-part1", "fc43-14-basic-part2", individual_access=False)
EXTENDED = device_of("fc43-14-extended")
STREAMING = device_of(
    "fc43-14-multi-1", "fc43-14-multi-2", "fc43-14-multi-3", individual_access=False
)
DEVICES = {
    "fc43-14-basic-spec": BASIC,
    "fc43-14-basic-part2": LONG_CODE,
    "fc43-14-regular": device_of("fc43-14-regular"),
    "fc43-14-extended": EXTENDED,
    "fc43-14-extended-0x80": EXTENDED,
    "fc43-14-one": EXTENDED,
    "fc43-14-one-private": EXTENDED,
    "fc43-14-restart": BASIC,
    "fc43-14-lower": BASIC,
    "fc43-14-multi-1": STREAMING,
    "fc43-14-multi-2": STREAMING,
    "fc43-14-multi-3": STREAMING,
    "fc43-14-empty-value": Identity({**device_of("fc43-14-regular"), 6: ""}),
}
# It ends after two short objects, which only a device with little memory would do.
PRINTED_ONLY = {"fc43-14-basic-part1"}


def test_every_identification_has_a_device() -> None:
    cases = {entry["case"] for entry in SPEC if entry["case"].startswith("fc43-14")}
    assert cases == set(DEVICES) | PRINTED_ONLY


@pytest.mark.parametrize("case", DEVICES)
def test_devices_identify_themselves_byte_for_byte(case: str) -> None:
    unit = cast(Any, SimpleNamespace(identity=DEVICES[case]))
    (expected,) = [
        entry["pdu"] for entry in SPEC if entry["case"] == case and entry["direction"] == "response"
    ]
    answer = REQUEST_OF_CASE[case].execute(unit)
    assert answer is not None
    assert answer.encode().hex() == expected


# Malformed requests that can be recognized by the PDU alone; the others need a unit.

PDU_ERRORS = [
    case
    for case in MALFORMED
    if case["framing"] == "tcp"
    and case["role"] == "server"
    and case["group"].startswith("pdu: ")
    and case["expect"].startswith("exception:")
]
NEED_A_UNIT = {
    *(case["id"] for case in PDU_ERRORS if case["group"] in ("pdu: address", "pdu: fifo")),
    "tcp-srv-160",  # an object of the device identification
    *(f"tcp-srv-{number}" for number in range(142, 147)),  # other sub-functions of 8
}
# The corpus prefers 01, for a server without sub-function 21; ours has it, with data 3 or 4.
OTHER_CODES = {"tcp-srv-147": 3}


@pytest.mark.parametrize("case", PDU_ERRORS, ids=name_of)
def test_malformed_requests_are_refused_with_the_preferred_code(case: Entry) -> None:
    pdu = bytes.fromhex(case["hex"])[7:]
    try:
        decode_request(pdu)
    except InvalidRequestError as error:
        preferred = int(case["expect"].removeprefix("exception:"))
        assert error.exception_code == OTHER_CODES.get(case["id"], preferred)
        assert error.function_code == pdu[0]
        assert f"exception:{error.exception_code:02}" in case["acceptable"]
    else:
        assert case["id"] in NEED_A_UNIT
