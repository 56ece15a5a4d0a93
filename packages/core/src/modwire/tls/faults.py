"""`TlsError`: the reason why a TLS connection failed, in words: which side refused, and why.

OpenSSL's own texts name a function of its source, and not the certificate that was refused.
"""

from __future__ import annotations

import re
import ssl
from errno import EPROTO

from .certificates import described

_ALERT = re.compile(r"(?:SSLV3|TLSV1|TLSV13)_(?:ALERT_)?(\w+)")
# Alerts about the certificate of the side that gets them (RFC 8446, section 6.2).
_ABOUT_CERTIFICATES = frozenset(
    (
        "bad_certificate",
        "unsupported_certificate",
        "certificate_revoked",
        "certificate_expired",
        "certificate_unknown",
        "certificate_required",
        "unknown_ca",
        "access_denied",
    )
)
NO_CERTIFICATE = "which is missing"
_REASONS = {
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "it sent no certificate",
    "NO_SHARED_CIPHER": "it offers no cipher suite that is allowed here",
    "NO_SUITABLE_SIGNATURE_ALGORITHM": "it offers no signature algorithm that is allowed here",
    "NO_SHARED_SIGNATURE_ALGORITHMS": "it offers no signature algorithm that is allowed here",
    "UNSUPPORTED_PROTOCOL": "it offers no version from TLS 1.2 on",
    "WRONG_SIGNATURE_TYPE": "it signs with an algorithm that is not allowed here",
    "UNSAFE_LEGACY_RENEGOTIATION_DISABLED": "it cannot renegotiate safely (RFC 5746)",
}
_METHODS = (b"GET ", b"HEAD ", b"POST ", b"PUT ", b"DELETE ", b"OPTIONS ", b"CONNECT ", b"HTTP/")


class TlsError(ConnectionError):
    """Raised when a TLS connection was refused or broken.

    The calls of a client raise `ConnectionLostError` with its text. `alert` is the name of the
    alert that the peer sent (RFC 8446, section 6), or "" if this side has refused the peer.
    """

    alert = ""

    def __init__(self, text: str) -> None:
        super().__init__(EPROTO, text)

    def __str__(self) -> str:
        return f"{self.strerror}"

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (str(self),), vars(self)


def refusal(error: ssl.SSLError, peer: str, *, ours: str, theirs: bytes | None) -> TlsError:
    """Return the reason behind an error of OpenSSL.

    `peer` is "server" or "client", `ours` describes our certificate, `theirs` is the peer's in DER.
    """
    found = _ALERT.fullmatch(error.reason or "")
    if found is None:
        return TlsError(f"the {peer} is refused: {_reason(error, theirs)}")
    alert = found[1].lower()
    # A server of TLS 1.2 that misses a certificate has no other alert for it.
    is_missing = alert == "handshake_failure" and ours == NO_CERTIFICATE
    about = f" about our certificate, {ours}" if alert in _ABOUT_CERTIFICATES or is_missing else ""
    refused = TlsError(f"the {peer} refused: alert {alert}{about}")
    refused.alert = alert
    return refused


def _reason(error: ssl.SSLError, theirs: bytes | None) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        text = error.verify_message.rstrip(".")
        return f"{text}; its certificate is {described(theirs)}" if theirs else text
    reason = error.reason or ""
    return _REASONS.get(reason, reason.lower().replace("_", " ") or "the TLS data is damaged")


def not_tls(data: bytes, peer: str) -> TlsError:
    """Return the error for first bytes that are no TLS."""
    if data.startswith(_METHODS):
        what = "HTTP"
    elif data[2:4] == b"\0\0":
        what = "Modbus without TLS"
    else:
        what = f"no TLS: {data[:16].hex(' ')}"
    return TlsError(f"the {peer} speaks {what}")
