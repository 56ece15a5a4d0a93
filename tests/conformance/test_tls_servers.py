"""TLS servers of every package against Python's own TLS: who is let in, and what is executed."""

from __future__ import annotations

import logging
import socket
import ssl
import warnings
from contextlib import ExitStack
from typing import Any

import pytest

from modwire import AllowedNetworks, ServerOptions
from modwire.tls import AuditLog, Rights
from plant_pki import DAY, NOW, ROLE, SIBLING, Issued, Pki, signed_again, utf8
from server_peers import wait_until
from tls_peers import V12, client_side

from .hostile_peers import BOUND, connected, is_closed, read, write
from .tls_sides import (
    READ,
    WRITE,
    Watched,
    ask,
    dialled,
    every_package,
    every_version,
    refusal,
    served,
)

ALL = Rights.from_dict(
    {
        "role": {
            "operator": [
                {"units": "all", "access": ["read", "write"], "tables": ["holding_registers"]}
            ]
        }
    }
)


LATER = 3 * BOUND  # seconds: no test waits for the end of such a handshake


@every_package
@every_version
def test_a_client_with_a_role_is_served(package: str, pki: Pki, version: ssl.TLSVersion) -> None:
    seen: list[tuple[Any, ...]] = []
    connects: list[tuple[str | None, str]] = []
    options = ServerOptions(
        on_connect=lambda protocol: connects.append((protocol.role, protocol.subject)),
        audit=lambda event: seen.append((event.subject, event.role, event.unit, event.outcome)),
    )
    with (
        served(package, pki, authorize=ALL, options=options) as address,
        dialled(address, pki, pki.client("operator"), version) as peer,
    ):
        assert ask(peer, READ)[7:] == b"\3\2\0\7"
        assert ask(peer, WRITE) == WRITE
        assert ask(peer, READ)[7:] == b"\3\2\0\x09"
    assert connects == [("operator", "CN=client,O=Plant")]
    assert seen == [("CN=client,O=Plant", "operator", 1, "done")]


@every_package
def test_a_peer_that_is_no_longer_allowed_is_not_answered(package: str, pki: Pki) -> None:
    allowed = AllowedNetworks(["127.0.0.0/8"])
    with (
        served(package, pki, authorize=ALL, allow=allowed) as address,
        dialled(address, pki, pki.client("operator"), ssl.TLSVersion.TLSv1_3) as peer,
    ):
        assert ask(peer, READ)[7:] == b"\3\2\0\7"
        allowed.networks = ["192.0.2.0/24"]
        peer.sendall(WRITE)
        assert peer.recv(1) == b""


@every_package
@every_version
@pytest.mark.parametrize("length", [1, 130, 300])
def test_the_role_is_the_whole_text(
    package: str, pki: Pki, version: ssl.TLSVersion, length: int
) -> None:
    role = " " + "é" * length + "X "
    seen: list[str | None] = []

    def authorize(peer: Any, role: str | None, unit: int, request: Any) -> bool:
        seen.append(role)
        return True

    with (
        served(package, pki, authorize=authorize) as address,
        dialled(address, pki, pki.client(role), version) as peer,
    ):
        assert ask(peer)
    assert seen == [role]


BAD = {
    "no certificate": {"handshake_failure", "certificate_required"},
    "expired": {"certificate_expired"},
    "not yet valid": {"bad_certificate"},
    "untrusted": {"unknown_ca"},
    "for servers only": {"unsupported_certificate"},
    "revoked": {"certificate_revoked"},
}


@every_package
@every_version
def test_a_bad_certificate_gets_an_alert_and_nothing_is_executed(
    package: str, own_pki: Pki, strangers: Pki, version: ssl.TLSVersion
) -> None:
    good = own_pki.client("operator")
    revoked = own_pki.client("operator")
    clients: dict[str, Issued | None] = {
        "no certificate": None,
        "expired": own_pki.client("operator", begins=NOW - 3 * DAY, ends=NOW - DAY),
        "not yet valid": own_pki.client("operator", begins=NOW + DAY),
        "untrusted": strangers.client("operator"),
        "for servers only": own_pki.issue("client", utf8("operator"), purpose="server"),
        "revoked": revoked,
    }
    assert clients.keys() == BAD.keys()
    unit = Watched()
    with served(package, own_pki, unit, crl=own_pki.revoke(revoked)) as address:
        for kind, issued in clients.items():
            assert refusal(address, own_pki, issued, version) in BAD[kind], kind
        assert unit.executed == []
        with dialled(address, own_pki, good, version) as peer:
            assert ask(peer, WRITE) == WRITE
    assert len(unit.executed) == 1


@every_package
def test_old_versions_and_weak_suites_get_an_alert(package: str, rsa_pki: Pki) -> None:
    issued = rsa_pki.client("operator")
    old = client_side(rsa_pki.ca, issued)
    old.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    contexts = {"PROTOCOL_VERSION": old}
    for suite in ("ECDHE-RSA-AES128-SHA", "NULL-SHA256"):
        weak = client_side(rsa_pki.ca, issued, V12, f"{suite}:@SECLEVEL=0")
        contexts[f"HANDSHAKE_FAILURE {suite}"] = weak
    with served(package, rsa_pki) as address:
        for alert, context in contexts.items():
            with pytest.raises(ssl.SSLError) as caught, dialled(address, rsa_pki, context=context):
                raise AssertionError("it is let in")
            assert (caught.value.reason or "").endswith(alert.partition(" ")[0])
        suite = "ECDHE-RSA-AES128-GCM-SHA256"
        context = client_side(rsa_pki.ca, issued, V12, suite)
        with dialled(address, rsa_pki, context=context) as peer:
            assert ask(peer)
            assert (peer.cipher() or ("",))[0] == suite
            assert peer.compression() is None


NO_ROLES = {
    "none": (),
    "empty": (utf8(""),),
    "with NUL inside": (utf8("oper\0ator"),),
    "not UTF-8": (utf8(b"\xff"),),
    "PrintableString": (b"\x13\x08operator",),
    "OCTET STRING": (b"\x04\x08operator",),
    "without a tag": (b"operator",),
    "a byte too many": (utf8("operator") + b"\0",),
    "of a sibling": (utf8("operator"),),
    "two": (utf8("operator"), utf8("operator")),
    "in another case": (utf8("Operator"),),
    "with a space": (utf8("operator "),),
}


@every_package
@every_version
def test_a_client_without_the_role_connects_and_may_do_what_no_role_may(
    package: str, pki: Pki, version: ssl.TLSVersion
) -> None:
    rights = Rights.from_dict(
        {
            "role": {"operator": [{"units": "all", "access": "write", "functions": [6]}]},
            "no_role": [{"units": "all", "access": "read", "functions": [3]}],
        }
    )
    unit = Watched()
    with served(package, pki, unit, authorize=rights) as address:
        for kind, roles in NO_ROLES.items():
            oid = SIBLING if kind == "of a sibling" else ROLE
            issued = pki.issue("client", *roles, purpose="client", oid=oid)
            if kind == "two":
                start = bytes.fromhex("83890c8622")
                issued = signed_again(pki, issued, start + b"\2", start + b"\1")
            is_none = kind not in ("in another case", "with a space")
            with dialled(address, pki, issued, version) as peer:
                assert ask(peer, WRITE)[7:] == b"\x86\x01", kind
                assert ask(peer, READ)[7:] == (b"\3\2\0\7" if is_none else b"\x83\x01"), kind
    assert {type(each).__name__ for each in unit.executed} == {"ReadHoldingRegistersRequest"}


# Peers that treat it badly.


@every_package
def test_what_is_no_tls_is_closed(package: str, pki: Pki) -> None:
    unit = Watched()
    with served(package, pki, unit, handshake_timeout=LATER) as address:
        for data in (WRITE, b"GET / HTTP/1.1\r\n\r\n", b"\0", b"\x16\x03\x01\x00\x05hello"):
            with connected(address) as peer:
                peer.sendall(data)
                assert is_closed(peer), data
    assert unit.executed == []


@every_package
@every_version
def test_a_handshake_that_stalls_is_closed(package: str, pki: Pki, version: ssl.TLSVersion) -> None:
    context = client_side(pki.ca, pki.client("operator"), version)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname="localhost").do_handshake()
    hello = outgoing.read()
    with served(package, pki, handshake_timeout=0.2) as address, ExitStack() as stack:
        silent, began, half = [stack.enter_context(connected(address)) for _ in range(3)]
        began.sendall(hello)
        half.sendall(hello[:100])
        assert began.recv(5)[0] == 0x16
        for each in (silent, half):
            assert is_closed(each)
        while began.recv(4096):
            pass
        with dialled(address, pki, pki.client("operator"), version) as peer:
            assert ask(peer)


@every_package
@every_version
def test_handshakes_count_as_connections(package: str, pki: Pki, version: ssl.TLSVersion) -> None:
    """A flood of them costs a client that has asked nothing of its own."""
    limits = {"max_connections": 4, "handshake_timeout": LATER}
    with served(package, pki, **limits) as address, ExitStack() as stack:
        peer = stack.enter_context(dialled(address, pki, pki.client("operator"), version))
        assert ask(peer)
        stalled = [stack.enter_context(connected(address)) for _ in range(12)]
        assert sum(is_closed(each) for each in stalled[:9]) == 9
        assert ask(peer)


@every_package
@every_version
def test_a_ragged_end_is_quiet(
    package: str, pki: Pki, version: ssl.TLSVersion, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    gone: list[object] = []
    options = ServerOptions(on_disconnect=gone.append)
    with served(package, pki, options=options) as address:
        for way in ("at once", "after a request", "with a reset"):
            with dialled(address, pki, pki.client("operator"), version) as peer:
                if way != "at once":
                    assert ask(peer)
                plain = socket.socket(fileno=peer.detach())
                plain.close()
        wait_until(lambda: len(gone) == 3)
    assert [each for each in caplog.records if each.levelno >= logging.WARNING] == []


@every_package
@every_version
def test_many_requests_in_one_record_are_answered_in_order(
    package: str, pki: Pki, version: ssl.TLSVersion
) -> None:
    """A record has room for 1365 requests; a server takes a few at a time."""
    requests = b"".join(read(number) for number in range(1, 1301))
    with (
        served(package, pki) as address,
        dialled(address, pki, pki.client("operator"), version) as peer,
    ):
        peer.sendall(requests)
        answers = b""
        while len(answers) < 1300 * 11:
            data = peer.recv(65536)
            assert data
            answers += data
        assert [answers[at : at + 2] for at in range(0, len(answers), 11)] == [
            number.to_bytes(2, "big") for number in range(1, 1301)
        ]
        assert ask(peer)


@every_package
@every_version
def test_the_end_of_a_server_is_told(package: str, pki: Pki, version: ssl.TLSVersion) -> None:
    """By a close_notify: its absence may be an attack that cuts an answer off."""
    with ExitStack() as stack:
        address = stack.enter_context(served(package, pki, idle_timeout=0.3))
        peers = [
            stack.enter_context(dialled(address, pki, pki.client("operator"), version))
            for _ in range(2)
        ]
        for peer in peers:
            peer.suppress_ragged_eofs = False
        assert ask(peers[0])
        assert peers[0].recv(100) == b"", "it was idle too long"
    with ExitStack() as stack:
        serving = stack.enter_context(ExitStack())
        address = serving.enter_context(served(package, pki))
        peer = stack.enter_context(dialled(address, pki, pki.client("operator"), version))
        peer.suppress_ragged_eofs = False
        assert ask(peer)
        serving.close()
        assert peer.recv(100) == b"", "it shuts down"


@every_package
def test_garbage_leaves_nothing_behind(package: str, pki: Pki) -> None:
    """Open files, and memory in that each connection would leave some kilobytes."""
    context = client_side(pki.ca, pki.client("operator"))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname="localhost").do_handshake()
    hello = outgoing.read()
    garbage = [hello[:60], hello[:-1] + b"\xff" * 50, b"\x16\x03\x03\x00\x02ab", b"\x15\x03\x03"]
    with served(package, pki) as address, dialled(address, pki, pki.client("operator")) as peer:
        assert ask(peer)
        before = open_files()
        for number in range(400):
            with connected(address) as bad:
                bad.sendall(garbage[number % len(garbage)])
        wait_until(lambda: open_files() <= before)
        assert ask(peer)


def open_files() -> int:
    import os

    return len(os.listdir("/proc/self/fd"))


@every_package
def test_no_secret_is_logged(package: str, own_pki: Pki, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    server = own_pki.server(password=b"open sesame")
    arguments = {"certificate": server.certificate, "key": server.key, "password": "open sesame"}
    with served(package, own_pki, **arguments) as address:
        with dialled(address, own_pki, own_pki.client("operator")) as peer:
            assert ask(peer, write(1))
        refusal(address, own_pki, None, V12)
    assert caplog.records
    shown = "\n".join(each.getMessage() for each in caplog.records)
    for secret in ("sesame", "PRIVATE", *server.key.read_text().split()[3:6]):
        assert secret not in shown


@every_package
def test_an_audit_has_the_subject(package: str, pki: Pki, tmp_path: Any) -> None:
    path = tmp_path / "audit.jsonl"
    log = AuditLog(path)
    options = ServerOptions(audit=log)
    with (
        served(package, pki, authorize=Rights({}), options=options) as address,
        dialled(address, pki, pki.client("operator")) as peer,
    ):
        assert ask(peer)[7:] == b"\x83\x01"
    log.close()
    line = path.read_text()
    assert '"subject": "CN=client,O=Plant", "role": "operator", "unit": 1' in line
    assert line.endswith('"outcome": "denied"}\n')
