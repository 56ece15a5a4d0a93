"""`tls_advice`: what to do if a TLS connection was refused, or the role may not make a request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .rewritten import with_options

if TYPE_CHECKING:
    from modwire import Endpoint

_ABOUT_OURS = {
    "unknown_ca": "the server trusts other authorities than the one that issued your certificate",
    "certificate_revoked": "your certificate was revoked: the authority has to issue another one",
    "certificate_expired": "your certificate has expired: the authority has to issue another one",
    "bad_certificate": "the server may want a certificate for clients, or a newer one",
    "unsupported_certificate": "the server wants a certificate for clients",
}
_OF_ISSUER = "ca must be the file of the authority that issued its certificate"
_ABOUT_THEIRS = {
    "closed the connection in the TLS handshake": "it may have no TLS at this port: try tcp://",
    "speaks Modbus without TLS": "the device has no TLS at this port: take tcp://",
    "self-signed": _OF_ISSUER,
    "self signed": _OF_ISSUER,
    "unable to get local issuer": _OF_ISSUER,
    "has expired": "the server needs a new certificate, or the clock of this machine is wrong",
    "not yet valid": "the clock of this machine, or that of the authority, is wrong",
    "certificate is not pinned": "if that is the right server, add the new SHA-256 to pinned",
}


def tls_advice(text: str, endpoint: Endpoint) -> str:
    """Return what to do about the error `text` of a TLS connection to `endpoint`, or ""."""
    if "which is missing" in text:
        changed = with_options(endpoint, certificate="client.pem", key="client.key")
        return f"the server asks for a certificate, as in {changed}"
    if "ostname mismatch" in text or "address mismatch" in text:
        changed = with_options(endpoint, server_hostname="plc.example")
        return f"if that is the right server, take a name of its certificate, as in {changed}"
    if "without ca" in text:
        return f"as in {with_options(endpoint, ca='ca.pem')}"
    if "is encrypted: " in text:
        return f"as in {with_options(endpoint, password_file='client.password')}"
    for alert, step in _ABOUT_OURS.items():
        if f"alert {alert}" in text:
            return step
    return next((step for words, step in _ABOUT_THEIRS.items() if words in text), "")


ABOUT_A_ROLE = "or the rights of the server do not allow it to the role in your certificate"
