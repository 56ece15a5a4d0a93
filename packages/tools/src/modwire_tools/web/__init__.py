"""The web page of a running simulation, and the REST interface: front ends of a `View`."""

from .access import check_token, is_loopback, make_token
from .serving import format_link, serve_page

__all__ = ["check_token", "format_link", "is_loopback", "make_token", "serve_page"]
