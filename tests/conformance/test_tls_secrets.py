"""The private key, its password and the secrets of sessions are in no log, error or repr."""

from __future__ import annotations

import logging
import ssl
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from modwire import ServerOptions
from modwire.tls import AuditLog, ClientCredentials, Credentials
from modwire.tls.contexts import CredentialsError
from plant_pki import HOST, Pki
from secret_texts import PASSWORD, check_hidden
from tls_peers import client_side

from .tls_sides import every_package, every_version, played, refusal, served


@every_package
@every_version
def test_sessions(
    package: str,
    own_pki: Pki,
    version: ssl.TLSVersion,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    """Even at the level DEBUG, which has the bytes of each request."""
    caplog.set_level(logging.DEBUG)
    keys, audit = tmp_path / "session.keylog", tmp_path / "audit.jsonl"
    server = own_pki.server(password=PASSWORD.encode())
    operator = own_pki.client("operator")
    context = client_side(own_pki.ca, operator, version)
    context.keylog_filename = str(keys)
    given = Credentials(server.certificate, server.key, own_pki.ca, password=PASSWORD)
    log = AuditLog(audit)
    options = ServerOptions(audit=log)
    with served(package, own_pki, credentials=given, options=options) as address:
        steps = [
            ("write_register", 0, 5),
            ("read_holding_registers", 0),
            ("read_holding_registers", 60000),
        ]
        found = played(package, address, steps, context=context, timeout=20)
        refusal(address, own_pki, None, version)
    log.close()
    assert found[1] == [5]
    logged = [f"{each.getMessage()} {each.args!r} {each.exc_text}" for each in caplog.records]
    assert any("sent" in each for each in logged), "the bytes of requests are among them"
    check_hidden(f"{logged} {found!r} {found[2]} {given!r} {audit.read_text()}", keys, server.key)


def failing(make: Callable[[], object]) -> str:
    """Return all that an error shows, with the errors behind it."""
    with pytest.raises(CredentialsError) as caught:
        make()
    error = caught.value
    whole = "".join(traceback.format_exception(error))
    return f"{error} {error!r} {whole} {error.__context__!r} {error.__cause__!r}"


def test_files_that_cannot_be_used(own_pki: Pki, tmp_path: Path) -> None:
    server = own_pki.server(password=PASSWORD.encode())
    other = own_pki.server()
    damaged = tmp_path / "damaged.key"
    text = other.key.read_text()
    damaged.write_text(text[:100] + text[104:])
    swapped = tmp_path / "swapped.pem"
    swapped.write_text(other.key.read_text())
    ca = own_pki.ca
    tries: list[Callable[[], object]] = []
    for certificate, key, password in (
        (server.certificate, server.key, None),
        (server.certificate, server.key, PASSWORD + "!"),
        (server.certificate, other.key, PASSWORD),
        (other.certificate, damaged, None),
        (swapped, None, None),
    ):
        files = {"certificate": certificate, "key": key, "password": password}
        tries.append(partial(Credentials, **files, client_ca=ca))  # type: ignore[arg-type]
        tries.append(partial(ClientCredentials, HOST, **files, ca=ca))  # type: ignore[arg-type]
        if password is not None:
            file = tmp_path / f"password {len(tries)}"
            file.write_text(password)
            files = {"certificate": certificate, "key": key, "password_file": file}
            tries.append(partial(Credentials, **files, client_ca=ca))  # type: ignore[arg-type]
            tries.append(partial(ClientCredentials, HOST, **files, ca=ca))  # type: ignore[arg-type]
    shown = " ".join(map(failing, tries))
    check_hidden(shown, server.key, other.key)


def test_representations(own_pki: Pki) -> None:
    server = own_pki.server(password=PASSWORD.encode())
    given = Credentials(server.certificate, server.key, own_pki.ca, password=PASSWORD)
    ours = given.new_filter(0.0, 1.0)
    ours.receive_data(b"\x16\x03\x01\x00\x05hello")
    client = ClientCredentials(
        HOST, ca=own_pki.ca, certificate=server.certificate, key=server.key, password=PASSWORD
    )
    theirs = client.new_filter(0.0, 1.0)
    shown = [repr(each) for each in (given, client, ours, theirs, ours.fault, given.context)]
    shown += [repr(vars(each)) for each in (given, client, ours, theirs)]
    check_hidden(" ".join(shown), server.key)
