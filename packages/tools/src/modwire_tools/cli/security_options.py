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
    from collections.abc import Callable, Generator, Iterable

    from modwire import Endpoint
    from modwire_tools.server.security import PageCertificate, Security, SecurityFiles


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
KeyPasswordOption = Annotated[
    Path | None,
    _file("--key-password-file", "A file whose first line is the password of an encrypted key."),
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
        "--key-password-file": files.password_file,
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
def opened(files: SecurityFiles, page: PageCertificate | None = None) -> Generator[Security]:
    """Yield the contents of the files; the certificate of a `page` is reloaded with them.

    Raises FailedError if one cannot be used.
    """
    from modwire_tools.server.security import Security

    try:
        found = Security(files, page)
    except OSError as error:
        raise FailedError(f"{error.filename}: {error.strerror}") from None
    except ValueError as error:  # CredentialsError too
        raise FailedError(as_options(error)) from None
    try:
        yield found
    finally:
        found.close()


def as_options(error: ValueError, prefix: str = "--") -> str:
    """Return the text of an error about files with the option for passwords, not the argument."""
    option = f"{prefix}key-password-file"
    text = str(error).replace("give its password, or password_file", f"{option} is missing")
    return text.replace("password_file ", f"{option} ", 1)


def reload_advice(reload: Callable[[], None] | None) -> str:
    """Return what to do after files were changed, behind "Ctrl+C ends"; "" if nothing helps."""
    if reload is None or not hasattr(signal, "SIGHUP"):
        return ""
    return f", kill -HUP {os.getpid()} reads certificates and rights again"
