"""A small certificate authority for a plant, whose files are in a folder; for `modwire pki`.

It needs the package cryptography: the extra `pki`.
"""

from .authority import Authority, Listed

__all__ = ["Authority", "Listed"]
