"""The options of commands that listen for certificates, rights and the audit."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .ending import FailedError, WrongArgumentError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from modwire import Endpoint
    from modwire_tools.server.security import Security, SecurityFiles


def _file(name: str, text: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(name, readable=False, metavar="FILE", help=text)
    return option


CertificateOption = Annotated[
    Path | None,
    _file("--certificate", "The certificate of a tls:// server and its chain, in PEM."),
]
KeyOption = Annotated[
    Path | None, _file("--key", "The key of that certificate, unless it is in the same file.")
]
ClientCaOption = Annotated[
    Path | None,
    _file("--client-ca", "The certificates of the authorities whose clients may use tls://."),
]
CrlOption = Annotated[
    Path | None,
    _file("--crl", "The certificates that these authorities have revoked."),
]
RightsOption = Annotated[
    Path | None,
    _file(
        "--rights",
        "What each role may read and write, in TOML; all else is denied with exception 01. SIGHUP "
        "reads the rights, the certificates and the revoked ones again.",
    ),
]
AuditOption = Annotated[
    Path | None,
    _file(
        "--audit",
        "A file that gets a line of JSON for each write and each denied request; at 10 MB a new "
        "one begins, and ten older ones are kept.",
    ),
]


def check_files(files: SecurityFiles, endpoints: Iterable[Endpoint]) -> SecurityFiles:
    """Return the files. Raises WrongArgumentError unless they fit the endpoints to listen at."""
    listens = any(each.transport == "tls" for each in endpoints)
    given = {
        "--certificate": files.certificate,
        "--client-ca": files.client_ca,
        "--key": files.key,
        "--crl": files.crl,
    }
    for name, path in given.items():
        if listens and path is None and name in ("--certificate", "--client-ca"):
            raise WrongArgumentError(
                f"{name} is missing: a server at tls:// needs --certificate and --client-ca, and "
                "its --key"
            )
        if not listens and path is not None:
            raise WrongArgumentError(f"{name} is for tls://, and no endpoint is there")
    return files


@contextmanager
def opened(files: SecurityFiles) -> Generator[Security]:
    """Yield the contents of the files. Raises FailedError if one cannot be used."""
    from modwire_tools.server.security import Security

    try:
        found = Security(files)
    except OSError as error:
        raise FailedError(f"{error.filename}: {error.strerror}") from None
    except ValueError as error:  # CredentialsError too
        raise FailedError(str(error)) from None
    try:
        yield found
    finally:
        found.close()


def reload_advice(found: Security) -> str:
    """Return what to do after files were changed, behind "Ctrl+C ends"; "" if nothing helps."""
    if found.reload is None or not hasattr(signal, "SIGHUP"):
        return ""
    return f", kill -HUP {os.getpid()} reads certificates and rights again"
