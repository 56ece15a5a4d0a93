"""The page's own files, from the package: read once, given with an ETag so that none is stale."""

from __future__ import annotations

from hashlib import sha256
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response

_KINDS = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


class File:
    """One file, ready to be sent."""

    def __init__(self, data: bytes, ending: str) -> None:
        self._data = data
        self._headers = {
            "content-type": _KINDS[ending],
            "cache-control": "no-cache",
            "etag": f'"{sha256(data).hexdigest()[:20]}"',
        }

    async def __call__(self, request: Request) -> Response:
        """The endpoint that gives it."""
        if request.headers.get("if-none-match") == self._headers["etag"]:
            return Response(status_code=304, headers=self._headers)
        return self.response(200)

    def response(self, status: int) -> Response:
        """The file, with a status of its own."""
        return Response(self._data, status, self._headers)


def read_files() -> dict[str, File]:
    """All files of the page, by name."""
    folder = files("modwire_tools.web") / "pages"
    found: dict[str, File] = {}
    for path in folder.iterdir():
        ending = path.name.rpartition(".")[2]
        if ending in _KINDS:
            found[path.name] = File(path.read_bytes(), ending)
    return found
