"""`modwire pki`: a small certificate authority, so that a plant with TLS can be tried."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .ending import FailedError, WrongArgumentError
from .output import JsonFlag, note
from .types import Whole

if TYPE_CHECKING:
    from modwire_tools.pki import Authority, Listed

    from .output import Json

_MOST_DAYS = 36_500
_TEN_YEARS = 3650

FolderArgument = Annotated[
    Path, typer.Argument(readable=False, metavar="FOLDER", help="The folder of the authority.")
]


PasswordOption = Annotated[
    Path | None,
    typer.Option(
        "--password-file",
        readable=False,
        metavar="FILE",
        help="A file whose first line is the password of ca.key, if that is encrypted.",
    ),
]


@contextmanager
def _explained() -> Generator[None]:
    """Turn errors of the block into those of the command."""
    try:
        yield
    except OSError as error:
        text = error.strerror or str(error)
        raise FailedError(f"{error.filename}: {text}" if error.filename else text) from None
    except ValueError as error:
        text = str(error).replace("give its password", "--password-file is missing")
        raise FailedError(text) from None


def _password(file: Path | None, option: str) -> str | None:
    """Return the first line of a file. Raises FailedError, which names the option."""
    from modwire.tls.contexts import CredentialsError, password_of

    try:
        return password_of(None, file)
    except CredentialsError as error:
        raise FailedError(str(error).replace("password_file", option, 1)) from None


def _open(folder: Path, password_file: Path | None = None) -> Authority:
    from modwire_tools.extras import extra

    with extra("pki", "modwire pki"):
        from modwire_tools.pki import Authority
    if not (folder / "ca.pem").exists():
        raise FailedError(f"{folder} has no authority: modwire pki init {folder} makes one")
    with _explained():
        return Authority.open(folder, _password(password_file, "--password-file"))


def init(
    folder: Annotated[
        Path,
        typer.Argument(
            readable=False, metavar="FOLDER", help="The folder of the authority; it may be new."
        ),
    ],
    name: Annotated[
        str | None,
        typer.Option(
            "--name",
            metavar="NAME",
            help="The name of the authority; that of the folder by default.",
        ),
    ] = None,
    days: Annotated[
        int, Whole(1, _MOST_DAYS).option("--days", metavar="DAYS", help="How long it is valid.")
    ] = _TEN_YEARS,
    password_file: Annotated[
        Path | None,
        typer.Option(
            "--password-file",
            readable=False,
            metavar="FILE",
            help="Encrypt ca.key with the first line of this file as its password.",
        ),
    ] = None,
) -> None:
    """Make a certificate authority in a folder.

    It gets ca.pem, the certificate that servers and clients trust, ca.key, which signs, and
    crl.pem, the list of revoked certificates. Whoever has ca.key can issue certificates.
    """
    from modwire_tools.extras import extra

    with extra("pki", "modwire pki"):
        from modwire_tools.pki import Authority

    shown = folder.resolve().name if name is None else name
    with _explained():
        Authority.new(folder, shown, days, _password(password_file, "--password-file"))
    note(f"modwire: {folder} is a certificate authority; keep {folder / 'ca.key'} to yourself")


def issue(
    folder: FolderArgument,
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="The name in the certificate, and of the files NAME.pem, NAME.key."
        ),
    ],
    role: Annotated[
        str | None,
        typer.Option("--role", metavar="ROLE", help="The role of a client; case and spaces count."),
    ] = None,
    hosts: Annotated[
        list[str] | None,
        typer.Option(
            "--host",
            metavar="HOST",
            help="A name or an address of a server, as clients connect to it. May be repeated.",
        ),
    ] = None,
    days: Annotated[
        int | None,
        Whole(1, _MOST_DAYS).option(
            "--days",
            metavar="DAYS",
            help="How long it is valid; 825 days by default, or as long as the authority.",
        ),
    ] = None,
    key_password_file: Annotated[
        Path | None,
        typer.Option(
            "--key-password-file",
            readable=False,
            metavar="FILE",
            help="Encrypt NAME.key with the first line of this file as its password.",
        ),
    ] = None,
    password_file: PasswordOption = None,
) -> None:
    """Issue a certificate and its key, for a server or for a client.

    With --host it is for a server, otherwise for a client; with --host and --role for both. Files
    that are there are not overwritten.
    """
    authority = _open(folder, password_file)
    try:
        from modwire_tools.pki.certificates import check_host, check_role

        if role is not None:
            check_role(role)
        for each in hosts or ():
            check_host(each)
    except ValueError as error:
        raise WrongArgumentError(str(error)) from None
    with _explained():
        password = _password(key_password_file, "--key-password-file")
        certificate, key = authority.issue(
            name, role=role, hosts=hosts or (), days=days, password=password
        )
    note(f"modwire: wrote {certificate} and {key}")


def revoke(
    folder: FolderArgument,
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="The name of a certificate, or the path of its file."),
    ],
    password_file: PasswordOption = None,
) -> None:
    """Revoke a certificate: its client may no longer connect.

    The list crl.pem is written anew. Servers read it at their start, and when they get SIGHUP.
    """
    authority = _open(folder, password_file)
    with _explained():
        path = authority.revoke(name)
    note(f"modwire: {name} is revoked; send SIGHUP to servers that have --crl {path}")


def show(
    folder: FolderArgument,
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="Only that certificate, or the path of its file."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Show the certificates with their roles, hosts and dates.

    That of the authority comes first.
    With NAME, and with --json, it shows the SHA-256 too, which pins a server.
    """
    from .scan_output import Rows

    authority = _open(folder)
    with _explained():
        found = authority.listed(name)
    columns = ["name", "role", "hosts", "valid until (UTC)", "state"]
    rows = Rows(*columns, *(["SHA-256"] if name is not None else []), as_json=as_json)
    for each in found:
        role = "" if each.role is None else each.role
        row = [each.name, role, ", ".join(each.hosts), each.ends, each.state]
        rows.add([*row, each.sha256] if name is not None else row, _json(each))
    rows.end()


def _json(each: Listed) -> Json:
    return {**each._asdict(), "hosts": list(each.hosts)}


def pki(context: typer.Context) -> None:
    """Issue certificates with roles, for servers and clients over TLS.

    This is a small authority: files in a folder. For a plant in service, take the authority of your
    company, and put the role into extension 1.3.6.1.4.1.50316.802.1.
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


SUBCOMMANDS = (init, issue, revoke, show)
