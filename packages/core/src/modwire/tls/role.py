"""`role_of`: the role in a certificate, by a reader of DER (Modbus/TCP Security, section 8)."""

from __future__ import annotations

SEQUENCE, UTF8_STRING, OCTET_STRING, BOOLEAN, OBJECT_ID, EXTENSIONS = 0x30, 12, 4, 1, 6, 0xA3
_ROLE = bytes.fromhex("2b0601040183890c862201")  # 1.3.6.1.4.1.50316.802.1


def values_in(data: bytes) -> list[tuple[int, bytes]]:
    """Return the tag and the contents of each value in `data`; ValueError if they are not DER."""
    found: list[tuple[int, bytes]] = []
    at = 0
    while at < len(data):
        tag, length, at = *data[at : at + 2], at + 2
        if length & 0x80:
            raw = data[at : at + (length & 0x7F)]
            at += length & 0x7F
            length = int.from_bytes(raw, "big")
            # DER has one form of each length: the shortest one.
            if length < 0x80 or not raw[0]:
                raise ValueError(f"a length must be in its shortest form, got {raw.hex()}")
        if tag & 0x1F == 0x1F or at + length > len(data):
            raise ValueError(f"a value with tag {tag:02x} and {length} bytes does not fit")
        found.append((tag, data[at : at + length]))
        at += length
    return found


def value_in(data: bytes, tag: int) -> bytes:
    """Return the contents of the only value in `data`; ValueError unless it has this `tag`."""
    [(found, contents)] = values_in(data)
    if found != tag:
        raise ValueError(f"tag must be {tag:02x}, got {found:02x}")
    return contents


def fields_of(certificate: bytes) -> list[tuple[int, bytes]]:
    """Return the fields of a certificate (RFC 5280, section 4.1); ValueError if it is none."""
    (_, fields), _, _ = values_in(value_in(certificate, SEQUENCE))
    return values_in(fields)


def role_of(certificate: bytes) -> str | None:
    """Return the role in a certificate in DER; None unless it has exactly one, well-formed.

    It is the whole text of the UTF8String in extension 1.3.6.1.4.1.50316.802.1 (R-21, R-22, R-65).
    """
    roles: list[bytes] = []
    try:
        for extensions in [each[1] for each in fields_of(certificate) if each[0] == EXTENSIONS]:
            for _, extension in values_in(value_in(extensions, SEQUENCE)):
                name, *critical, (tag, value) = values_in(extension)
                if name == (OBJECT_ID, _ROLE):
                    is_sound = tag == OCTET_STRING and critical in ([], [(BOOLEAN, b"\xff")])
                    roles.append(value if is_sound else b"")
        [role] = roles
        text = value_in(role, UTF8_STRING).decode("utf-8")
    except ValueError:
        return None
    return None if "\0" in text else text or None
