"""The page's own files, from the package: read once, and sent with an ETag.

Starlette's StaticFiles takes the type of a file from the system. On Windows that may be text/plain
for scripts, and browsers do not run those.
"""

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
    """One file, ready to send."""

    def __init__(self, data: bytes, ending: str) -> None:
        self._data = data
        self._headers = {
            "content-type": _KINDS[ending],
            "cache-control": "no-cache",
            "etag": f'"{sha256(data).hexdigest()[:20]}"',
        }

    def below(self, folder: str) -> File:
        """Return an HTML file for a path that is deeper, in which links to pages lead up."""
        return File(self._data.replace(b'"pages/', b'"' + folder.encode() + b"pages/"), "html")

    async def __call__(self, request: Request) -> Response:
        """Send the file; this is the endpoint of its route."""
        if request.headers.get("if-none-match") == self._headers["etag"]:
            return Response(status_code=304, headers=self._headers)
        return self.response(200)

    def response(self, status: int) -> Response:
        """Return the file with an HTTP status other than 200."""
        return Response(self._data, status, self._headers)


def read_files() -> dict[str, File]:
    """Return all files of the page, by name."""
    folder = files("modwire_tools.web") / "pages"
    found: dict[str, File] = {}
    for path in folder.iterdir():
        ending = path.name.rpartition(".")[2]
        if ending in _KINDS:
            found[path.name] = File(path.read_bytes(), ending)
    return found
