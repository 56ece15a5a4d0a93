"""Files and endpoints of a secured plant, for tests of commands over TLS."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from plant_pki import Issued, Pki

RIGHTS = """
[[role.operator]]
units = "all"
access = ["read", "write"]
tables = ["holding_registers"]

[[role.viewer]]
units = "all"
access = "read"
tables = ["holding_registers", "coils"]
"""


class Plant:
    """A certificate authority, the certificate of a server, and rights for two roles."""

    def __init__(self, folder: Path, name: str = "Plant of this test") -> None:
        self.pki = Pki(folder, name)
        self.server = self.pki.server()
        self.crl = self.pki.revoke()
        self.rights = folder / "rights.toml"
        self.rights.write_text(RIGHTS)
        self.audit = folder / "audit.jsonl"

    @property
    def files(self) -> list[str]:
        """The options of a server for its files, without rights."""
        server = self.server
        found = {"certificate": server.certificate, "key": server.key, "client-ca": self.pki.ca}
        return [word for name, path in found.items() for word in (f"--{name}", str(path))]

    @property
    def options(self) -> list[str]:
        """The options of a server with all files."""
        more = {"crl": self.crl, "rights": self.rights, "audit": self.audit}
        return [
            *self.files,
            *(word for name, path in more.items() for word in (f"--{name}", str(path))),
        ]

    def at(self, endpoint: str, issued: Issued | None = None) -> str:
        """Return the endpoint for a client that has a certificate, or none."""
        query = f"timeout=20&connect_timeout=20&ca={quote(str(self.pki.ca))}"
        if issued is not None:
            query += f"&certificate={quote(str(issued.certificate))}&key={quote(str(issued.key))}"
        return f"{endpoint}?{query}"
