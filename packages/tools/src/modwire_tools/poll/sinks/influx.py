"""`InfluxSink`: line protocol of InfluxDB, to its HTTP interface, a file, or standard output."""

from __future__ import annotations

import math
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ..sample import GOOD, Sample
from ..threads import in_thread
from .base import Sink
from .files import FILE_KEYS, RotatingFile

if TYPE_CHECKING:
    from ..plant.settings import Settings

_TIMEOUT = 10.0  # seconds
# The server will not take these values at any later time either.
_REFUSED_FOR_GOOD = (400, 413, 422)
_MOST_SHOWN = 300  # characters of the server's answer
_MOST_READ = 1 << 16  # bytes of it, which is empty if all is well


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Takes a redirection for an error: the values and the token are for this server alone."""

    def redirect_request(
        self, req: object, fp: object, code: object, msg: object, headers: object, newurl: object
    ) -> None:
        """Return None, which lets the status be raised as HTTPError."""


_opener = urllib.request.build_opener(_NoRedirect)


class InfluxSink(Sink):
    """`influx = "http://127.0.0.1:8086/api/v2/write?org=o&bucket=b"`, the name of a file, or "-".

    The values of one reading are the fields of one line; a value that is not good is left out.
    """

    kind = "influx"
    keys = ("measurement", "token", "timeout", *FILE_KEYS)

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._url = settings.text(self.kind)
        self._file: RotatingFile | None = None
        self._measurement = settings.text("measurement", "modbus")
        self._token = settings.text("token", "")
        self._timeout = settings.seconds("timeout", _TIMEOUT)
        if not self._measurement:
            raise settings.error("measurement", "must not be empty")
        if "://" not in self._url:
            self._file = RotatingFile(settings, self.kind)
            return
        if not _is_link(self._url):
            allowed = "http://HOST:PORT/PATH, the name of a file, or -"
            raise settings.error(self.kind, f"must be {allowed}")
        if not (self._token.isascii() and self._token.isprintable()):
            raise settings.error("token", "must have printable ASCII characters only")

    @property
    def place(self) -> str:
        if self._file is not None:
            return f"influx {self._file.path}"
        parts = urlsplit(self._url)
        return f"influx {parts.scheme}://{parts.hostname}:{parts.port or ''}{parts.path}"

    async def write(self, samples: Sequence[Sample]) -> None:
        lines = line_protocol(samples, self._measurement)
        if not lines:
            return
        if self._file is not None:
            await in_thread(self._file.append, b"".join(lines))
        else:
            await self._send(lines)

    async def _send(self, lines: Sequence[bytes]) -> None:
        """Send lines; those that the server refuses for good are left out, and it is reported."""
        try:
            await in_thread(self._post, b"".join(lines))
        except urllib.error.HTTPError as error:
            text = await in_thread(_answer, error)
            if error.code not in _REFUSED_FOR_GOOD:
                raise OSError(text) from None
            if len(lines) == 1:
                self.surroundings.report(f"{self.place}: {text}; left out: {lines[0]!r}")
                return
            half = len(lines) // 2
            await self._send(lines[:half])
            await self._send(lines[half:])

    def _post(self, data: bytes) -> None:
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        if self._token:
            headers["Authorization"] = f"Token {self._token}"
        request = urllib.request.Request(self._url, data, headers)  # http or https only
        with _opener.open(request, timeout=self._timeout) as response:
            response.read(_MOST_READ)

    async def aclose(self) -> None:
        if self._file is not None:
            self._file.close()


def _is_link(text: str) -> bool:
    """True for the URL of a server, without a user, and without what has to be escaped in it."""
    try:
        parts = urlsplit(text)
        has_port = parts.port != 0
    except ValueError:
        return False
    is_plain = text.isascii() and text.isprintable() and " " not in text
    is_right = parts.scheme in ("http", "https") and bool(parts.hostname)
    return is_plain and is_right and has_port and parts.username is None


def _answer(error: urllib.error.HTTPError) -> str:
    with error:
        said = error.read(_MOST_SHOWN).decode("utf-8", "replace").strip()
    return f"the server answers {error.code} {error.reason}: {said}".rstrip(": ")


def line_protocol(samples: Sequence[Sample], measurement: str) -> list[bytes]:
    """Return a line for the values of each device that have one time, each with its end."""
    fields: dict[tuple[str, float], list[str]] = {}
    tags: dict[str, str] = {}
    for each in samples:
        text = _field(each.value) if each.quality == GOOD else ""
        if not text:
            continue
        if each.device not in tags:
            pairs = {**each.tags, "device": each.device}
            tags[each.device] = "".join(
                f",{_escaped(key)}={_escaped(value)}"
                for key, value in sorted(pairs.items())
                if value
            )
        key = (each.device, each.time)
        fields.setdefault(key, []).append(f"{_escaped(each.point)}={text}")
    name = _escaped(measurement).replace("\\=", "=")
    return [
        f"{name}{tags[device]} {','.join(pairs)} {round(time * 1e6)}000\n".encode()
        for (device, time), pairs in fields.items()
    ]


def _field(value: object) -> str:
    """Return a value as that of a field; "" for one that line protocol does not have."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        # Its integers have 64 bits.
        return f"{value}i" if -(1 << 63) <= value < 1 << 63 else repr(float(value))
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else ""
    if value is None:
        return ""
    text = value if isinstance(value, str) else "".join("01"[bool(bit)] for bit in _bits(value))
    text = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def _bits(value: object) -> Sequence[object]:
    """Return bits as they are shown: the lowest one last."""
    bits: tuple[object, ...] = value if isinstance(value, tuple) else ()  # pyright: ignore[reportUnknownVariableType]
    return bits[::-1]


def _escaped(text: str) -> str:
    """Return a key or the value of a tag; a line break would end the line."""
    text = "".join(each if each.isprintable() else " " for each in text).rstrip("\\")
    for each in (",", "=", " "):
        text = text.replace(each, f"\\{each}")
    return text
