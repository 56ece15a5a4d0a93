"""The subject and the dates of a certificate for errors and logs, and the hashes that pin it.

Python shows them of a certificate that was accepted; they are needed most of one that was not.
"""

from __future__ import annotations

from typing import NamedTuple

from .role import OBJECT_ID, SEQUENCE, fields_of, value_in, values_in

_VERSION, _UTC_TIME = 0xA0, 0x17
_NAMES = {
    "2.5.4.3": "CN",
    "2.5.4.5": "serialNumber",
    "2.5.4.6": "C",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "0.9.2342.19200300.100.1.25": "DC",
    "1.2.840.113549.1.9.1": "emailAddress",
}
# UTF8String, PrintableString, T61String, IA5String, UniversalString, BMPString.
_ENCODINGS = {
    0x0C: "utf-8",
    0x13: "ascii",
    0x14: "latin-1",
    0x16: "ascii",
    0x1C: "utf-32-be",
    0x1E: "utf-16-be",
}
_ESCAPED = frozenset(',+"\\<>;=#')  # RFC 4514, section 2.4


class Certificate(NamedTuple):
    """The parts of a certificate that people ask for; times are "2026-01-31 12:00:00" in UTC.

    `subject` is a text such as "CN=pump 7,O=Plant" (RFC 4514). `sha256` and `key_sha256` are the
    hashes of the certificate and of its public key (SubjectPublicKeyInfo), in hexadecimal digits.
    """

    subject: str
    begins: str
    ends: str
    sha256: str
    key_sha256: str

    @classmethod
    def read(cls, certificate: bytes) -> Certificate:
        """Return the parts of a certificate in DER. Raises ValueError if it is none."""
        fields = [each for each in fields_of(certificate) if each[0] != _VERSION]
        if len(fields) < 6 or any(tag != SEQUENCE for tag, _ in fields[1:6]):
            raise ValueError("a certificate must have an issuer, a validity, a subject and a key")
        from hashlib import sha256  # slow to import

        begins, ends = (_time(*each) for each in values_in(fields[3][1]))
        key = _with_header(fields[5][1])
        return cls(
            _name(fields[4][1]),
            begins,
            ends,
            sha256(certificate).hexdigest(),
            sha256(key).hexdigest(),
        )

    def __str__(self) -> str:
        return f"{self.subject}, valid from {self.begins} to {self.ends} UTC"


def described(certificate: bytes) -> str:
    """Return the subject and the dates of a certificate in DER, whatever it is."""
    try:
        return str(Certificate.read(certificate))
    except ValueError as error:
        return f"one that cannot be read: {error}"


def subject_of(certificate: bytes) -> str:
    """Return the subject of a certificate in DER; "unknown" if it cannot be read."""
    try:
        return Certificate.read(certificate).subject
    except ValueError:
        return "unknown"


def next_update(revocations: bytes) -> str:
    """Return the time at which a list of revoked certificates in DER expires, or "" for never.

    Raises ValueError if it is no such list (RFC 5280, section 5.1).
    """
    (tag, body), *_ = values_in(value_in(revocations, SEQUENCE))
    times = [_time(*each) for each in values_in(body) if each[0] in (_UTC_TIME, _UTC_TIME + 1)]
    if tag != SEQUENCE or not times:
        raise ValueError("a list of revoked certificates must have a time")
    return times[1] if len(times) > 1 else ""


def _with_header(contents: bytes) -> bytes:
    """Return the DER of a SEQUENCE with these contents."""
    size = len(contents)
    if size < 0x80:
        return bytes((SEQUENCE, size)) + contents
    raw = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((SEQUENCE, 0x80 | len(raw))) + raw + contents


def _time(tag: int, raw: bytes) -> str:
    digits = raw.decode("ascii")
    if tag == _UTC_TIME:  # two digits of the year, RFC 5280, section 4.1.2.5.1
        digits = ("20" if digits[:2] < "50" else "19") + digits
    if len(digits) != 15 or digits[14] != "Z" or not digits[:14].isdecimal():
        raise ValueError(f"a time must be YYYYMMDDHHMMSSZ, got {digits!r}")
    parts = [digits[at : at + 2] for at in range(4, 14, 2)]
    return f"{digits[:4]}-{parts[0]}-{parts[1]} {parts[2]}:{parts[3]}:{parts[4]}"


def _name(contents: bytes) -> str:
    """Return a name as RFC 4514 writes it: the last attribute first."""
    shown: list[str] = []
    for _, attributes in values_in(contents):
        pairs: list[str] = []
        for _, attribute in values_in(attributes):
            (kind, name), (tag, raw) = values_in(attribute)
            if kind != OBJECT_ID:
                raise ValueError(f"a name must have object ids, got tag {kind:02x}")
            dotted = _dotted(name)
            pairs.append(f"{_NAMES.get(dotted, dotted)}={_text(tag, raw)}")
        shown.append("+".join(pairs))
    return ",".join(reversed(shown)) or "no name"


def _dotted(raw: bytes) -> str:
    arcs: list[int] = []
    arc = 0
    for byte in raw:
        arc = arc << 7 | byte & 0x7F
        if not byte & 0x80:
            arcs.append(arc)
            arc = 0
    first = min(arcs[0] // 40, 2) if arcs else 0
    return ".".join(str(each) for each in (first, arcs[0] - 40 * first, *arcs[1:])) if arcs else "?"


def _text(tag: int, raw: bytes) -> str:
    try:
        text = raw.decode(_ENCODINGS[tag])
    except (KeyError, UnicodeDecodeError):
        return "#" + raw.hex()
    return "".join(
        f"\\{each}" if each in _ESCAPED else each if each.isprintable() else f"\\{ord(each):02X}"
        for each in text
    )
