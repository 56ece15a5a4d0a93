"""`Security`: the credentials, the rights and the audit of the servers that a command runs.

`PageCertificate` is that of a page beside them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from modwire.tls import AuditLog, Credentials, Rights
from modwire.tls.contexts import page_context, password_of
from modwire.tls.servers import reload_all

from .shared_file import SharedFile

if TYPE_CHECKING:
    import ssl

    from modwire import ServerOptions
    from modwire.messages.base import AnyRequest


@dataclass(frozen=True)
class SecurityFiles:
    """The paths of the files; None for those that are not used.

    `certificate`, `key`, `password_file`, `client_ca` and `crl` are those of `Credentials`. With
    `read_only`, requests that write are denied, whatever the `rights` are. With `is_shared`, other
    processes write the file of the audit too.
    """

    certificate: Path | None = None
    key: Path | None = None
    password_file: Path | None = None
    client_ca: Path | None = None
    crl: Path | None = None
    rights: Path | None = None
    audit: Path | None = None
    read_only: bool = False
    is_shared: bool = False

    @property
    def is_read_again(self) -> bool:
        """True if there are files that are read again at SIGHUP."""
        return self.certificate is not None or self.rights is not None


class PageCertificate:
    """The certificate of a page over TLS."""

    def __init__(
        self, certificate: Path, key: Path | None = None, password_file: Path | None = None
    ) -> None:
        """Read the files. Raises CredentialsError."""

        def read() -> ssl.SSLContext:
            password = password_of(None, password_file)
            return page_context(certificate, key, password=password)

        self._read = read
        self._context = read()

    def context(self) -> ssl.SSLContext:
        """Return the context of a new connection."""
        return self._context

    def prepare(self) -> Callable[[], None]:
        """Read the files again, and return a function that exchanges the certificate by them."""
        context = self._read()

        def exchange() -> None:
            self._context = context

        return exchange


class Security:
    """Credentials, rights and audit for all servers of a command; plain TCP has rights too.

    `credentials` is None without a certificate.
    """

    def __init__(
        self, files: SecurityFiles | None = None, page: PageCertificate | None = None
    ) -> None:
        """Read the files; the certificate of a `page` is reloaded with them.

        Raises CredentialsError, or ValueError or OSError about the others.
        """
        files = SecurityFiles() if files is None else files
        self.credentials: Credentials | None = None
        if files.certificate is not None and files.client_ca is not None:
            self.credentials = Credentials(
                files.certificate,
                files.key,
                files.client_ca,
                files.crl,
                password_file=files.password_file,
            )
        self._rights = None if files.rights is None else Rights.load(files.rights)
        self._page = page
        self._is_read_only = files.read_only
        self._audit: AuditLog | None = None
        if files.audit is not None:
            shared = SharedFile(files.audit) if files.is_shared else None
            self._audit = AuditLog(None if shared else files.audit, handler=shared)

    def options(self, options: ServerOptions) -> ServerOptions:
        """Return `options` with the hooks for rights and audit, if there are any."""
        authorize = self._authorize if self._is_read_only else self._rights
        return options.replace(authorize=authorize, audit=self._audit)

    def _authorize(self, peer: object, role: str | None, unit: int, request: AnyRequest) -> bool:
        if request.is_write:
            return False
        return self._rights is None or self._rights.allows(role, unit, request)

    @property
    def reload(self) -> Callable[[], None] | None:
        """A function that reads the files again, or None if there are none to read.

        It exchanges all or nothing, and raises as the constructor does.
        """
        if self.credentials is None and self._rights is None and self._page is None:
            return None
        return self._reload_all

    def _reload_all(self) -> None:
        exchange_page = None if self._page is None else self._page.prepare()
        if self.credentials is not None:
            reload_all(self.credentials, self._rights)
        elif self._rights is not None:
            self._rights.reload()
        if exchange_page is not None:
            exchange_page()

    def close(self) -> None:
        """Close the file of the audit."""
        if self._audit is not None:
            self._audit.close()
