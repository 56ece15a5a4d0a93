"""`string_of`: texts in registers, as devices pad, end and damage them."""

from __future__ import annotations

from .types import MOST_BYTES, ValueType, check_count

__all__ = ["string_of"]


def string_of(
    length: int,
    *,
    encoding: str = "utf-8",
    padding: str = "\0",
    nul_terminated: bool = False,
    strip: bool = False,
    errors: str = "strict",
) -> ValueType[str]:
    """Return a type for text in `length` (1..131072) bytes of `encoding`, padded with `padding`.

    Unpacking removes padding at the end. These apply before and after it:

    - `nul_terminated`: the text ends at its first NUL, and the bytes behind that are ignored, even
      if they are not text. Packing writes a NUL behind a text that is shorter than `length`.
    - `strip`: unpacking removes white space at both ends.
    - `errors`: for bytes that are not text, the error handler of `bytes.decode`: "strict" raises
      ValueError, "replace" gives U+FFFD, "ignore" leaves them out, "backslashreplace" shows their
      numbers. Packing is always strict.

    Raises ValueError for arguments that do not fit together; packing raises it for a text that is
    too long, or has a NUL although it is `nul_terminated`.
    """
    for name, flag in (("nul_terminated", nul_terminated), ("strip", strip)):
        if not isinstance(flag, bool):
            raise ValueError(f"{name} must be True or False, got {flag!r}")
    _check_handler(errors)
    filler = _filler(length, encoding, padding)
    nul = _bytes_of("\0", encoding) if nul_terminated else b""
    if nul and len(nul) != len(filler):
        raise ValueError(f"padding must take as many bytes as a NUL in {encoding}, got {padding!r}")

    def pack(value: str) -> bytes:
        if not isinstance(value, str):
            raise ValueError(f"a string must be a str, got {value!r}")
        if nul and "\0" in value:
            raise ValueError(f"a string that ends at its first NUL cannot have one, got {value!r}")
        try:
            data = value.encode(encoding)
        except UnicodeError:
            raise ValueError(f"a string must be {encoding}, got {value!r}") from None
        room = length - len(data)
        if room < 0 or room % len(filler):
            raise ValueError(
                f"a string must have at most {length} bytes in {encoding}, "
                f"got {len(data)}: {value!r}"
            )
        end = nul if room >= len(nul) else b""
        return data + end + filler * ((room - len(end)) // len(filler))

    def unpack(data: bytes) -> str:
        if nul:
            data = _before(nul, data)
        try:
            text = data.decode(encoding, errors).rstrip(padding)
        except UnicodeError:
            raise ValueError(f"a string must be {encoding}, got {data!r}") from None
        return text.strip() if strip else text

    return ValueType(f"string of {length} bytes", length, pack, unpack, number_size=0)


def _filler(length: int, encoding: str, padding: str) -> bytes:
    """Return the bytes of the padding; raises ValueError unless they fill `length` bytes."""
    if not isinstance(padding, str) or len(padding) != 1:
        raise ValueError(f"padding must be one character, got {padding!r}")
    filler = _bytes_of(padding, encoding)
    check_count("length", length, MOST_BYTES, " bytes")
    if length % len(filler):
        raise ValueError(
            f"length must be a multiple of {len(filler)} bytes, got {length}: "
            f"that is what {padding!r} takes in {encoding}"
        )
    return filler


def _bytes_of(character: str, encoding: str) -> bytes:
    """Return the bytes of a character that pads or ends a text; raises ValueError."""
    if not isinstance(encoding, str):
        raise ValueError(f"encoding must be one that Python knows, got {encoding!r}")
    try:
        # The difference of the two, because an encoding may start with a byte order mark.
        once, twice = character.encode(encoding), (character * 2).encode(encoding)
    except UnicodeError:
        raise ValueError(f"padding must be a character of {encoding}, got {character!r}") from None
    except (LookupError, ValueError):
        raise ValueError(f"encoding must be one that Python knows, got {encoding!r}") from None
    found = twice[len(once) :]
    if not found or once + found != twice:
        raise ValueError(f"{character!r} cannot be the padding in {encoding}: its bytes vary")
    return found


def _check_handler(errors: str) -> None:
    """Raise ValueError unless `errors` can decode bytes that are not text."""
    if errors == "strict":
        return
    try:
        b"\xff".decode("ascii", errors)
    except (LookupError, TypeError, ValueError):
        raise ValueError(
            'errors must be "strict", "replace", "ignore", "backslashreplace" or another handler '
            f"of bytes.decode, got {errors!r}"
        ) from None


def _before(nul: bytes, data: bytes) -> bytes:
    """Return the bytes before the first NUL, which begins at a multiple of its own length."""
    at = data.find(nul)
    while at > 0 and at % len(nul):  # in UTF-16 two zeros may belong to two characters
        at = data.find(nul, at + 1)
    return data if at < 0 else data[:at]
