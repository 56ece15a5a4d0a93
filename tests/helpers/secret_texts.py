"""The texts of keys and sessions that nothing may show: `check_hidden`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

PASSWORD = "open sesame"


def check_hidden(shown: str, *paths: Path) -> None:
    """Fail if a secret is shown: as it is, or in digits with spaces, as bytes on the wire are.

    `paths` are keys in PEM, and files `.keylog` that ssl writes for Wireshark. The password of the
    keys is `PASSWORD`.
    """
    found = shown.lower()
    plain = found.replace(" ", "").replace("\\x", "")
    secrets = list(_secrets_of(*paths))
    assert len(secrets) > 4
    for secret in secrets:
        assert secret.lower() not in found
        assert secret.lower().replace(" ", "") not in plain


def _secrets_of(*paths: Path) -> Iterator[str]:
    yield PASSWORD
    yield PASSWORD.encode().hex()
    yield "PRIVATE KEY"
    for path in paths:
        for line in path.read_text().splitlines():
            if path.suffix == ".keylog":
                yield from (each for each in line.split(" ")[2:] if len(each) > 60)
            elif not line.startswith("--"):
                yield line
