"""`Access`: decides by Host, Origin and token which requests are served. No I/O.

A browser sends requests for any page that it shows. A page of another site must not reach this
server: neither by its own requests (checked by Origin), nor by its own name that resolves to this
machine (DNS rebinding, checked by Host).
"""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import string
from collections.abc import Iterable, Mapping

from starlette.requests import cookie_parser
from starlette.responses import Response

_LOOPBACK_NAMES = frozenset(("localhost", "127.0.0.1", "::1"))
_TOKEN_CHARACTERS = frozenset(string.ascii_letters + string.digits + "-._~")
_SHORTEST_TOKEN = 8
# A browser asks this server first before it sends DELETE for a page of another origin.
_WITHOUT_BODY = ("GET", "HEAD", "OPTIONS", "DELETE")
_OF_ORIGINS = {"http": "http", "https": "https", "ws": "http", "wss": "https"}


def make_token() -> str:
    """Return a new token that nobody can guess."""
    return secrets.token_urlsafe(24)


def check_token(token: str) -> str:
    """Return the token; raises ValueError if it is too short, or needs escapes in a link."""
    if len(token) < _SHORTEST_TOKEN or not _TOKEN_CHARACTERS.issuperset(token):
        raise ValueError(
            f"a token must be {_SHORTEST_TOKEN} or more letters, digits and characters "
            f"of -._~, got {len(token)} characters"
        )
    return token


def is_loopback(host: str) -> bool:
    """Return True if only this machine can reach `host`, a name or an address."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def split_host(text: str) -> tuple[str, str]:
    """Return the name and the port ("" for none) of a Host header; IPv6 without brackets."""
    name, colon, port = text.rpartition(":")
    if not colon or "]" in port:
        name, port = text, ""
    return name.strip("[]").lower().rstrip("."), port


class RefusedError(Exception):
    """Raised for a request that is not allowed; has the HTTP status, and one sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence


class Access:
    """The rules of one server. `names` has its names and addresses, in addition to loopback.

    With a `token`, everything except the page's own files needs it. Without one, the address of a
    connection that is not loopback must be among the names. `mark` is a part of the cookie's name,
    such as the port, because all ports of a host share its cookies. With `only_local`, clients on
    other machines are refused: any client can send the name of loopback as Host.
    """

    def __init__(
        self,
        names: Iterable[str],
        mark: object,
        token: str | None = None,
        *,
        only_local: bool = False,
    ) -> None:
        self._names = _LOOPBACK_NAMES | {name.lower().rstrip(".") for name in names}
        self._token = token
        self._only_local = only_local
        # Not made from the token: who guesses tokens could try cookies, which are not slowed down.
        self._cookie = secrets.token_hex(32)
        self.cookie_name = f"modwire_{mark}"
        self.is_secure = False
        """True if the page is served over TLS: then the cookie is for TLS only."""

    @property
    def wants_token(self) -> bool:
        """True if a token is needed."""
        return self._token is not None

    def check_host(self, host: str | None, local_address: str | None) -> None:
        """Raise RefusedError unless Host is one of our names, or the address of the connection."""
        name = split_host(host)[0] if host else ""
        if not name:
            raise RefusedError(400, "the request has no Host header")
        is_own = name == local_address and (self.wants_token or is_loopback(name))
        if name not in self._names and not is_own:
            raise RefusedError(403, f"this server is not called {name!r}; start it with that name")

    def check_client(self, address: str) -> None:
        """Raise RefusedError for a client on another machine, or of unknown address ""."""
        if self._only_local and not is_loopback(address.removeprefix("::ffff:")):
            raise RefusedError(403, "without a token, only clients on this machine are served")

    def check_origin(
        self, method: str, headers: Mapping[str, str], *, is_socket: bool, scheme: str = "http"
    ) -> None:
        """Raise RefusedError for a request from a page of another origin.

        Programs send no Origin; browsers send it if the request matters. A WebSocket needs one.
        """
        origin = headers.get("origin")
        if origin is None:
            if is_socket:
                raise RefusedError(403, "a WebSocket needs an Origin header")
            site = headers.get("sec-fetch-site", "none")
            if site not in ("none", "same-origin"):
                raise RefusedError(403, "requests of other sites are refused")
        elif origin.lower() != f"{_OF_ORIGINS[scheme]}://{headers.get('host', '')}".lower():
            raise RefusedError(403, f"requests of the origin {origin!r} are refused")
        if method not in _WITHOUT_BODY and not is_socket:
            kind = headers.get("content-type", "").partition(";")[0].strip().lower()
            if kind != "application/json":
                raise RefusedError(415, "the content type must be application/json")

    def check_token(self, headers: Mapping[str, str]) -> None:
        """Raise RefusedError for a request that has neither the token nor its cookie."""
        if self._token is None:
            return
        if self.is_token(bearer_token(headers)):
            return
        cookie = cookie_parser(headers.get("cookie", "")).get(self.cookie_name, "")
        if hmac.compare_digest(cookie.encode(), self._cookie.encode()):
            return
        raise RefusedError(401, "a token is needed: open the link that has it, or send it")

    def is_token(self, given: str) -> bool:
        """Return True if `given` is the token; compared in constant time."""
        return self._token is not None and hmac.compare_digest(given.encode(), self._token.encode())

    def give_cookie(self, response: Response, root: str = "") -> None:
        """Set the cookie for a client that sent the token, for the paths below `root`."""
        response.set_cookie(
            self.cookie_name,
            self._cookie,
            path=f"{root}/",
            httponly=True,
            samesite="strict",
            secure=self.is_secure,
        )


def bearer_token(headers: Mapping[str, str]) -> str:
    """Return the token in the Authorization header, "" if there is none."""
    scheme, _, given = headers.get("authorization", "").partition(" ")
    return given.strip() if scheme.lower() == "bearer" else ""
