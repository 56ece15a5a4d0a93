"""Device identification: responses that a client accepts, and responses of `Identity`."""

from __future__ import annotations

import pickle
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modwire.errors import ExceptionResponseError
from modwire.messages.encapsulated import (
    ObjectId,
    ReadDeviceIdentificationRequest,
    ReadDeviceIdentificationResponse,
)
from modwire.units.identity import Identity


def test_a_client_takes_the_objects_that_are_there() -> None:
    """The specification's own printed example counts three objects and has two."""
    pdu = bytes.fromhex("2b0e0101ff0203 00 01 41 01 02 4242")
    response = ReadDeviceIdentificationRequest(1).decode_response(pdu)
    assert dict(response.objects) == {0: b"A", 1: b"BB"}
    assert response.more_follows
    assert response.next_object_id == 2


def test_a_client_takes_a_conformity_level_that_does_not_exist() -> None:
    pdu = bytes.fromhex("2b0e0100010001 00 01 41")
    response = ReadDeviceIdentificationRequest(1).decode_response(pdu)
    assert response.conformity_level == 0
    assert response.more_follows
    assert pickle.loads(pickle.dumps(response)) == response


IDENTITY = Identity({0: "ACME", 1: "X-1", 2: "V2.11", 0x80: b"\x00\xff", 4: "Loop tester"})


def test_an_identity_is_a_mapping_of_bytes_in_order() -> None:
    assert list(IDENTITY) == [0, 1, 2, 4, 0x80]
    assert IDENTITY[ObjectId.PRODUCT_NAME] == b"Loop tester"
    assert len(IDENTITY) == 5
    assert "individual_access=True" in repr(IDENTITY)


def test_an_identity_finds_its_conformity_level() -> None:
    basic = {0: b"", 1: b"", 2: b""}
    assert Identity(basic).conformity_level == 0x81
    assert Identity({**basic, 3: b""}).conformity_level == 0x82
    assert Identity({**basic, 0x7F: b""}).conformity_level == 0x82
    assert Identity({**basic, 0x80: b""}).conformity_level == 0x83
    assert Identity({**basic, 0x80: b""}, individual_access=False).conformity_level == 3


@pytest.mark.parametrize(
    ("objects", "error"),
    [
        ({}, "lacks 0 .vendor_name., 1 .product_code., 2 .major_minor_revision."),
        ({0: "", 1: ""}, "lacks 2 "),
        ({0: "", 1: "", 2: "", 256: ""}, "object id must be 0..255, got 256"),
        ({0: "", 1: "", 2: "", -1: ""}, "object id must be 0..255, got -1"),
        ({0: "", 1: "", 2: "x" * 245}, "object 02 must be at most 244 bytes, got 245"),
        ({0: "", 1: "", 2: "é" * 123}, "object 02 must be at most 244 bytes, got 246"),
    ],
)
def test_an_identity_refuses_what_cannot_be_sent(objects: dict[int, str], error: str) -> None:
    with pytest.raises(ValueError, match=error):
        Identity(objects)


@pytest.mark.parametrize(("read_code", "object_id", "code"), [(4, 3, 2), (4, 255, 2), (5, 0, 3)])
def test_an_identity_refuses_by_exception(read_code: int, object_id: int, code: int) -> None:
    with pytest.raises(ExceptionResponseError) as caught:
        IDENTITY.read(read_code, object_id)
    assert caught.value.code == code


def test_individual_access_may_be_missing() -> None:
    streaming = Identity(dict(IDENTITY), individual_access=False)
    with pytest.raises(ExceptionResponseError) as caught:
        streaming.read(4, 0)
    assert caught.value.code == 3


def test_a_unit_without_identity_does_not_know_the_function() -> None:
    unit = cast(Any, SimpleNamespace(identity=None))
    with pytest.raises(ExceptionResponseError) as caught:
        ReadDeviceIdentificationRequest(1).execute(unit)
    assert caught.value.code == 1


def test_an_object_of_a_higher_category_restarts_the_stream() -> None:
    assert [object_id for object_id, _ in IDENTITY.read(1, 0x80).objects] == [0, 1, 2]


@given(
    st.dictionaries(st.integers(0, 255), st.binary(max_size=244), max_size=20),
    st.integers(1, 3),
    st.booleans(),
)
def test_streaming_brings_every_object_of_the_category_once(
    objects: dict[int, bytes], read_code: int, individual: bool
) -> None:
    """For all sizes, no object is lost, split or sent twice, and the stream ends."""
    identity = Identity({0: b"v", 1: b"p", 2: b"r", **objects}, individual_access=individual)
    unit = cast(Any, SimpleNamespace(identity=identity))
    got: list[tuple[int, bytes]] = []
    object_id = 0
    while True:
        sent = ReadDeviceIdentificationRequest(read_code, object_id)
        response = sent.decode_response(sent.execute(unit).encode())
        assert isinstance(response, ReadDeviceIdentificationResponse)
        got += response.objects
        if not response.more_follows:
            break
        assert response.next_object_id > object_id
        object_id = response.next_object_id
    last = {1: 2, 2: 0x7F, 3: 0xFF}[min(read_code, identity.level)]
    assert got == [(each, value) for each, value in identity.items() if each <= last]
