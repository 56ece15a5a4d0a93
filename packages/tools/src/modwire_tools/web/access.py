"""Who may ask: the names that we are called by, the origin of a page, the token. No I/O.

A browser sends requests for whatever page it shows. So a page elsewhere must reach nothing here:
not by its own requests (Origin), and not by a name of its own that leads to us (Host).
"""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import string
from collections.abc import Iterable, Mapping
from hashlib import sha256

_LOOPBACK_NAMES = frozenset(("localhost", "127.0.0.1", "::1"))
_TOKEN_CHARACTERS = frozenset(string.ascii_letters + string.digits + "-._~")
_SHORTEST_TOKEN = 8
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


def make_token() -> str:
    """A new token that nobody can guess."""
    return secrets.token_urlsafe(24)


def check_token(token: str) -> str:
    """The token itself; raises ValueError if it is too short, or would not survive in a link."""
    if len(token) < _SHORTEST_TOKEN or not _TOKEN_CHARACTERS.issuperset(token):
        raise ValueError(
            f"a token must be {_SHORTEST_TOKEN} or more letters, digits and characters "
            f"of -._~, got {len(token)} characters"
        )
    return token


def is_loopback(host: str) -> bool:
    """Whether `host`, a name or an address, is reached from this machine alone."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def split_host(text: str) -> tuple[str, str]:
    """The name and the port ("" for none) of a Host header; an IPv6 address without brackets."""
    name, colon, port = text.rpartition(":")
    if not colon or "]" in port:
        name, port = text, ""
    return name.strip("[]").lower().rstrip("."), port


class RefusedError(Exception):
    """A request that is not allowed: a status, and one sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence


class Access:
    """The rules of one server: `names` are what it is called beside loopback names.

    With a `token`, all but the page's own files is given to those only who have it. `port` is in
    the cookie's name, since browsers keep one set of cookies for all the ports of a host.
    """

    def __init__(self, names: Iterable[str], port: int, token: str | None = None) -> None:
        self._names = _LOOPBACK_NAMES | {name.lower().rstrip(".") for name in names}
        self._token = token
        self.cookie_name = f"modwire_{port}"

    @property
    def wants_token(self) -> bool:
        """Whether a token is needed at all."""
        return self._token is not None

    def check_host(self, host: str | None, local_address: str | None) -> None:
        """Refuse a Host that is not ours; the address at which the client reached us is."""
        name = split_host(host)[0] if host else ""
        if not name:
            raise RefusedError(400, "the request has no Host header")
        if name not in self._names and name != local_address:
            raise RefusedError(403, f"this server is not called {name!r}; start it with that name")

    def check_origin(self, method: str, headers: Mapping[str, str], *, is_socket: bool) -> None:
        """Refuse what a page of another origin asks for.

        Programs send no Origin, browsers do wherever it matters; a WebSocket must have one.
        """
        origin = headers.get("origin")
        if origin is None:
            if is_socket:
                raise RefusedError(403, "a WebSocket needs an Origin header")
            site = headers.get("sec-fetch-site", "none")
            if site not in ("none", "same-origin"):
                raise RefusedError(403, "requests of other sites are refused")
        elif origin.lower() != f"http://{headers.get('host', '')}".lower():
            raise RefusedError(403, f"requests of the origin {origin!r} are refused")
        if method not in _SAFE_METHODS and not is_socket:
            kind = headers.get("content-type", "").partition(";")[0].strip().lower()
            if kind != "application/json":
                raise RefusedError(415, "the content type must be application/json")

    def check_token(self, headers: Mapping[str, str]) -> None:
        """Refuse a request with neither the token nor the cookie that was given for it."""
        if self._token is None:
            return
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self.is_token(given.strip()):
            return
        cookie = _cookie(headers.get("cookie", ""), self.cookie_name)
        if hmac.compare_digest(cookie.encode(), self.cookie_value().encode()):
            return
        raise RefusedError(401, "a token is needed: open the link that the simulator printed")

    def is_token(self, given: str) -> bool:
        """Whether it is the token; how long the answer takes tells nothing about it."""
        return self._token is not None and hmac.compare_digest(given.encode(), self._token.encode())

    def cookie_value(self) -> str:
        """What the cookie holds: not the token, since cookies reach other ports of the host."""
        return hmac.new((self._token or "").encode(), b"modwire page", sha256).hexdigest()

    def cookie(self) -> str:
        """The Set-Cookie header for a client that showed the token."""
        rules = "Path=/; HttpOnly; SameSite=Strict"
        return f"{self.cookie_name}={self.cookie_value()}; {rules}"


def _cookie(header: str, wanted: str) -> str:
    for part in header.split(";"):
        name, _, value = part.strip().partition("=")
        if name == wanted:
            return value
    return ""
