"""TLS: certificates, rights files, and what a peer sends to the filter before it is trusted.

The certificates in `fuzz/certificates` are valid until 2999, and trusted by nothing else.
"""

from __future__ import annotations

import ssl
import sys
from collections.abc import Callable
from functools import cache, partial
from importlib import import_module
from pathlib import Path

from modwire.tls import ClientCredentials, Credentials, role_of
from modwire.tls.certificates import Certificate, described, next_update
from modwire.tls.filter import Filter
from modwire.tls.rules import rules_in

from ..budget import Calls
from ..target import Target

_FILES = Path(__file__).parents[1] / "certificates"
_ROLE = bytes.fromhex("060b2b0601040183890c862201")
_PLAINTEXT = bytes.fromhex("000100000006010300000001")
_PIECES = (1, 3, 64, 0x10000)
_parse: Callable[[str], object] = import_module(
    "tomllib" if sys.version_info >= (3, 11) else "tomli"
).loads


# Certificates.


def _blocks(name: str, label: str = "CERTIFICATE") -> bytes:
    text = (_FILES / name).read_text().partition(f"-----BEGIN {label}-----")[2]
    body = text.partition("-----END")[0]
    return ssl.PEM_cert_to_DER_cert(
        f"-----BEGIN CERTIFICATE-----\n{body.strip()}\n-----END CERTIFICATE-----"
    )


def _certificates() -> list[bytes]:
    names = ("client.pem", "server.pem", *(each.name for each in _FILES.glob("role-*.pem")))
    return [*map(_blocks, sorted(names)), _blocks("crl.pem", "X509 CRL"), b"", b"\x30\x80"]


def _check_certificate(data: bytes) -> None:
    with Calls() as calls:
        role = role_of(data)
    assert calls.count <= 60 + 12 * len(data), f"{calls.count} calls for {len(data)} bytes"
    if role is not None:
        assert role
        assert "\0" not in role
        after = data.partition(_ROLE)[2]
        assert role.encode() in after, "a role that is not in the certificate"
    assert described(data)
    for read in (Certificate.read, next_update):
        try:
            read(data)
        except ValueError:
            continue


# Rights.

_RIGHTS = (
    '[[role.operator]]\nunits = [1, "10..20"]\naccess = "read"\ntables = ["coils"]\n'
    'addresses = ["0..99"]\n',
    '[[no_role]]\nunits = "all"\naccess = ["read", "write"]\nfunctions = [8, "43/14"]\n'
    'files = ["1..5"]\n',
    '[role]\n"a b" = []\n[[no_role]]\nunits = [-1]\n',
)


def _check_rights(data: bytes) -> None:
    try:
        read = _parse(data.decode())
    except (ValueError, RecursionError):
        return
    try:
        rules_in(read)
    except ValueError as error:
        assert type(error) is ValueError, error
        assert len(str(error)) < 1000 + 12 * len(data)


# The handshake.


@cache
def _server() -> Credentials:
    return Credentials(_FILES / "server.pem", None, _FILES / "ca.pem")


@cache
def _client() -> ClientCredentials:
    return ClientCredentials("localhost", ca=_FILES / "ca.pem", certificate=_FILES / "client.pem")


def _new(is_server: bool) -> Filter:
    return (_server() if is_server else _client()).new_filter(0.0, 10.0)


def _feed(ours: Filter, data: bytes, size: int) -> bytes:
    """Pass bytes to a filter in pieces; return the plaintext that comes out."""
    plain = b""
    for at in range(0, len(data), size):
        ours.receive_data(data[at : at + size])
        while ours.has_more:
            plain += ours.read(100)
    return plain


def _check_bytes(is_server: bool, data: bytes) -> None:
    """Pass the bytes of the input alone: they are of no peer, so nothing is let in."""
    ours = _new(is_server)
    ours.data_to_send()
    plain = _feed(ours, data[1:], _PIECES[data[0] % len(_PIECES)] if data else 1)
    assert plain == b""
    assert not ours.is_open
    assert len(ours.data_to_send()) < 10_000
    ours.receive_eof()
    assert ours.fault is not None
    assert str(ours.fault).isprintable()
    ours.handle_timeout(20.0)
    ours.close()
    assert ours.read(1) == b""


def _check_damage(data: bytes) -> None:
    """Damage what two good peers send to each other, at the places that the input names.

    A place is four bytes: which of them sends it, where in all that it sends, and the change.
    """
    damage: list[dict[int, int]] = [{}, {}]
    for at in range(0, len(data) - 3, 4):
        side, high, low, change = data[at : at + 4]
        damage[side & 1][(high << 8 | low) & 0x1FFF] = change
    sides = [_new(is_server=False), _new(is_server=True)]
    sent, plain = [0, 0], [b"", b""]
    is_damaged = False
    for turn in range(24):
        side = turn & 1
        if turn in (10, 11):
            sides[side].write(_PLAINTEXT)
        raw = bytearray(sides[side].data_to_send())
        for place, change in damage[side].items():
            if sent[side] <= place < sent[side] + len(raw) and change:
                raw[place - sent[side]] ^= change
                is_damaged = True
        sent[side] += len(raw)
        plain[1 - side] += _feed(sides[1 - side], bytes(raw), 0x10000)
    for each in plain:
        assert each in (b"", _PLAINTEXT), "plaintext that was not sent"
    if not is_damaged:
        assert plain == [_PLAINTEXT, _PLAINTEXT], [each.fault for each in sides]
    for each_side in sides:
        assert each_side.fault is None or str(each_side.fault).isprintable()


def _hello() -> list[bytes]:
    """Return what a client and a server say first, behind a byte that is the size of pieces."""
    client, server = _new(is_server=False), _new(is_server=True)
    first = client.data_to_send()
    server.receive_data(first)
    answer = server.data_to_send()
    return [b"\3" + first, b"\0" + first, b"\3" + answer, b"\2" + answer, b"\3GET / HTTP/1.1\r\n"]


def _places() -> list[bytes]:
    return [b"", bytes((0, 0, 9, 1)), bytes((1, 0, 200, 0x80)), bytes((0, 2, 100, 4) * 2)]


_RECORDS = [bytes.fromhex(each) for each in ("160301", "150303", "1703030100", "140303000101")]

TARGETS = [
    Target("certificates", _check_certificate, _certificates, [_ROLE, b"\x0c\x81", b"\x30\x82"]),
    Target(
        "rights",
        _check_rights,
        lambda: [each.encode() for each in _RIGHTS],
        [b"units", b"access", b"tables", b'"1..5"', b"[[role.a]]", b"[[no_role]]", b"true", b"{}"],
    ),
    Target("tls-server", partial(_check_bytes, True), _hello, _RECORDS),
    Target("tls-client", partial(_check_bytes, False), _hello, _RECORDS),
    Target("tls-damage", _check_damage, _places),
]
