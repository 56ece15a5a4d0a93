"""The web page of running servers, and the REST interface: front ends of a `ServerView`.

`UnitsView` is the view of a program's own units, `page_app` the ASGI application, and `serve_page`
serves it in a program with trio.
"""

from .access import check_token, is_loopback, make_token
from .app import page_app
from .serving import format_link, serve_page
from .units_view import ServedAt, UnitsView

__all__ = [
    "ServedAt",
    "UnitsView",
    "check_token",
    "format_link",
    "is_loopback",
    "make_token",
    "page_app",
    "serve_page",
]
