"""Roles in certificates: the whole text, or none at all (Modbus/TCP Security, R-21 to R-23)."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modwire.tls import role_of
from plant_pki import ROLE, SIBLING, Pki, signed_again, tlv, utf8

# isort: split
from cryptography import x509


@pytest.mark.parametrize(
    "role",
    [
        "operator",
        "x" * 127,
        "y" * 130,  # a length in two bytes
        "z" * 300,  # in three
        "w" * 70_000,  # in four
        " Operator ",
        "OPERATOR",
        "Bediener für Pumpen",
        "操作员",
        "operator\n",
    ],
)
def test_a_role_is_the_whole_text(pki: Pki, role: str) -> None:
    assert role_of(pki.client(role).der) == role


def test_no_extension_is_no_role(pki: Pki) -> None:
    assert role_of(pki.client().der) is None
    assert role_of(pki.ca.read_bytes()) is None  # PEM
    assert role_of(b"") is None


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(utf8(""), id="empty"),
        pytest.param(utf8("oper\0ator"), id="NUL inside"),
        pytest.param(utf8(b"\xff\xfe"), id="not UTF-8"),
        pytest.param(utf8(b"\xed\xa0\x80"), id="a surrogate"),
        pytest.param(utf8(b"\xc0\xaf"), id="an overlong slash"),
        pytest.param(tlv(0x13, b"operator"), id="PrintableString"),
        pytest.param(tlv(0x16, b"operator"), id="IA5String"),
        pytest.param(tlv(0x04, b"operator"), id="OCTET STRING"),
        pytest.param(tlv(0x30, utf8("operator")), id="in a SEQUENCE"),
        pytest.param(tlv(0x2C, utf8("operator")), id="constructed"),
        pytest.param(b"operator", id="without a tag"),
        pytest.param(utf8("operator") + b"\0", id="a byte too many"),
        pytest.param(utf8("operator")[:-1], id="a byte too few"),
        pytest.param(utf8("operator") + utf8("engineer"), id="two texts"),
        pytest.param(b"\x0c\x81\x08operator", id="a length of two bytes, one needed"),
        pytest.param(b"\x0c\x82\x00\x82" + b"x" * 130, id="a length with a leading zero"),
        pytest.param(b"\x0c\x80operator\0\0", id="an indefinite length"),
        pytest.param(b"\x0c\xff" + b"x" * 200, id="a reserved length"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_what_is_no_role_is_none(pki: Pki, value: bytes) -> None:
    assert role_of(pki.issue("client", value).der) is None


def test_a_sibling_is_no_role(pki: Pki) -> None:
    assert role_of(pki.issue("client", utf8("operator"), oid=SIBLING).der) is None
    parent = x509.ObjectIdentifier("1.3.6.1.4.1.50316.802")
    assert role_of(pki.issue("client", utf8("operator"), oid=parent).der) is None
    child = x509.ObjectIdentifier("1.3.6.1.4.1.50316.802.1.1")
    assert role_of(pki.issue("client", utf8("operator"), oid=child).der) is None


@pytest.mark.parametrize("second", ["operator", "engineer"])
def test_two_roles_are_none(pki: Pki, second: str) -> None:
    issued = pki.issue("client", utf8("operator"), utf8(second))
    assert role_of(issued.der) == "operator"
    again = signed_again(pki, issued, der_of(SIBLING), der_of(ROLE))
    assert role_of(again.der) is None


def der_of(oid: x509.ObjectIdentifier) -> bytes:
    """Return the end of the DER of an OID in 1.3.6.1.4.1.50316.802."""
    return bytes.fromhex("83890c8622") + bytes([int(oid.dotted_string.rpartition(".")[2])])


def test_random_bytes_are_none_and_raise_nothing() -> None:
    @given(st.binary(max_size=200))
    def check(data: bytes) -> None:
        assert role_of(data) is None

    check()


def test_it_agrees_with_another_reader(pki: Pki) -> None:
    """Mutated certificates have the role that `cryptography` finds, or none."""
    source = random.Random(1)
    issued = [pki.client(role).der for role in ("operator", "y" * 130, "z" * 300)]
    compared = found = 0
    for _ in range(4000):
        raw = bytearray(source.choice(issued))
        for _ in range(source.choice((1, 1, 1, 2, 5))):
            raw[source.randrange(len(raw))] = source.randrange(256)
        ours = role_of(bytes(raw))
        try:
            theirs = other_role(bytes(raw))
        except Exception:  # noqa: BLE001 - it refuses more, such as a wrong date
            continue
        compared += 1
        found += ours is not None
        assert ours == theirs
    assert compared > 1000
    assert found > 500


def other_role(der: bytes) -> str | None:
    """Return the role by `cryptography` and a few lines for the UTF8String."""
    extensions = x509.load_der_x509_certificate(der).extensions
    try:
        extension = extensions.get_extension_for_oid(ROLE)
    except x509.ExtensionNotFound:
        return None
    assert isinstance(extension.value, x509.UnrecognizedExtension)
    raw = extension.value.value
    for size in range(2, 6):
        try:
            text = raw[size:].decode()
        except UnicodeDecodeError:
            continue
        if utf8(text) == raw and text and "\0" not in text:
            return text
    return None
