"""`Channel`: the end of a TLS client on a socket that does not block; it has `recv` and `send`.

A link of any package that calls these two of a socket works on a channel as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from .filter import Filter

_CHUNK = 0x4000  # bytes: a record


class Channel:
    """TLS over the functions `recv` and `send` of a socket that does not block.

    Raises BlockingIOError as the socket does, and `TlsError` for a server that refuses or is
    refused. One caller at a time.
    """

    def __init__(
        self, tls: Filter, recv: Callable[[int], bytes], send: Callable[[bytes], int]
    ) -> None:
        self._tls = tls
        self._recv = recv
        self._send = send
        self._has_heard = False
        self._unsent = b""  # records, or the rest of one
        self._owes_byte = False  # True if the last byte that `send` was given is in them

    def shake_hands(self) -> bool:
        """Do all of the handshake that is possible now; True once it has ended well.

        Otherwise call it again when the socket is readable. Raises OSError if it fails.
        """
        tls = self._tls
        while not tls.is_open:
            self._flush()
            try:
                self._take(self._recv(_CHUNK))
            except BlockingIOError:
                return False
        self._flush()
        return True

    def recv(self, size: int) -> bytes:
        """Return the plaintext that has arrived, however much it is; b"" at the end."""
        tls = self._tls
        data = self._plaintext()
        while not data:
            if tls.has_ended:
                return self._end("it has ended")
            try:
                received = self._recv(max(size, _CHUNK))
            except BlockingIOError:
                raise
            except OSError as error:
                return self._end(error)
            self._take(received)
            data = self._plaintext()
            self._flush()
        self._has_heard = True
        return data

    def _end(self, reason: object) -> bytes:
        """Return b"", or raise the error of a connection that has ended.

        A server of TLS 1.3 looks at our certificate after our handshake has ended well, and some
        refuse it without an alert, or reset the connection, which discards their alert.
        """
        if not self._has_heard:
            from .faults import TlsError  # with it comes ssl, which is loaded by now

            raise TlsError(
                f"the server has sent nothing since the TLS handshake: {reason}; it may have "
                f"refused our certificate, {self._tls.ours}"
            )
        if isinstance(reason, OSError):
            raise reason
        return b""

    def send(self, data: bytes) -> int:
        """Send plaintext; return the number of bytes that need not be passed again.

        If the socket is full, all of it is encrypted already, but the last byte counts as unsent:
        pass it again, alone, when there is room.
        """
        self._flush()
        if self._unsent:
            raise BlockingIOError
        if self._owes_byte:
            self._owes_byte = False
            return 1
        self._tls.write(data)
        self._check()
        self._flush()
        self._owes_byte = bool(self._unsent)
        return len(data) - self._owes_byte

    def _take(self, data: bytes) -> None:
        """Process bytes of the server; b"" is the end of its stream."""
        if data:
            self._tls.receive_data(data)
        else:
            self._tls.receive_eof()
        if self._tls.fault is not None:
            self._flush()  # its alert
        self._check()

    def _plaintext(self) -> bytes:
        tls = self._tls
        found: list[bytes] = []
        while tls.has_more:
            found.append(tls.read(_CHUNK))
        if not any(found):
            self._check()
        return b"".join(found)

    def _check(self) -> None:
        fault = self._tls.fault
        if fault is not None:
            raise fault

    def _flush(self) -> None:
        """Send as many records as the socket takes."""
        self._unsent += self._tls.data_to_send()
        try:
            while self._unsent:
                self._unsent = self._unsent[self._send(self._unsent) :]
        except BlockingIOError:
            return
        except OSError as error:
            raise self._reason(error) from None

    def _reason(self, error: OSError) -> OSError:
        """Return the reason why the server has closed its end, if it has told one before."""
        tls = self._tls
        try:
            while tls.fault is None and (data := self._recv(_CHUNK)):
                tls.receive_data(data)
                while tls.has_more:
                    tls.read(_CHUNK)
        except OSError:
            pass
        return tls.fault or error
