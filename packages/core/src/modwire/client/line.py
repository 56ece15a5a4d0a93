"""`LineUse`: when a client may send on a line, and the echo of what it sent.

`ClientProtocol` has one for links without transaction ids. Times are in seconds, monotonic.
"""

from __future__ import annotations

NEVER_QUIET = "the line is never quiet"
_NEVER = float("inf")
_LONGEST_FRAME = 1 + 256 / 3.5  # in silent intervals of 3.5 characters or more, section 2.5.1.1


class LineUse:
    """The silence on a line, from the times at which bytes were sent and received.

    - `silence`: seconds of silence before a frame may be sent; 0.0 if none are needed.
    - `sent_at`, `received_at`: times of the last bytes on the line; `began_at`: that of the first
      byte of the last request, inf for none.
    - `busy_since`: time of the first of the bytes that came without a silence between them.
    - `noisy_since`: time since which a request waits for silence, inf if none waits.
    - `echo`: bytes that were sent and should come back, b"" for none. `echo_due` is True until
      they have: the echo may also come as a frame behind noise.
    """

    __slots__ = (
        "_echo_at",
        "_has_echo",
        "began_at",
        "busy_since",
        "echo",
        "echo_due",
        "noisy_since",
        "received_at",
        "sent_at",
        "silence",
    )

    def __init__(self, silence: float) -> None:
        self.silence = silence
        self.sent_at = self.received_at = -_NEVER
        self.began_at = self.busy_since = _NEVER
        self.echo = b""
        self.echo_due = False
        self._echo_at = 0
        self._has_echo = False
        self.noisy_since = _NEVER

    def must_wait(self, now: float) -> bool:
        """True if the line is not silent, and will be.

        No device sends for longer than the longest frame without a pause. After that the line is
        noisy, and a request is sent all the same.
        """
        self.noisy_since = min(self.noisy_since, now)
        return now < self.quiet_from()

    def quiet_from(self) -> float:
        """Time from which the line may be used: it is silent, or it is noisy and never will be."""
        silent_from = max(self.sent_at, self.received_at) + self.silence
        return min(silent_from, self.noisy_since + self.silence * _LONGEST_FRAME)

    def noise(self, now: float) -> str:
        """Describe the bytes that came in place of the answer, "" if none did.

        If they come without end, for longer than any frame takes, the line is never quiet.
        """
        is_busy = now < self.received_at + self.silence
        if is_busy and now - self.busy_since > self.silence * _LONGEST_FRAME:
            return NEVER_QUIET
        if self.received_at > self.began_at and not self._has_echo:
            return "bytes came, but no answer: wrong baud rate, parity or wiring?"
        return ""

    def expect_echo(self, data: bytes) -> None:
        """Expect `data`, which is sent, to come back."""
        self.echo, self._echo_at = data, 0
        self.echo_due = self._has_echo = True

    def without_echo(self, data: bytes) -> bytes:
        """Return the received `data` without the echo, which may come in pieces.

        The bytes are compared, because an echo of unknown length and the answer after it cannot be
        told apart as frames. A damaged echo is left to the framing.
        """
        at, echo = self._echo_at, self.echo
        size = min(len(data), len(echo) - at)
        if data[:size] != echo[at : at + size]:
            self.echo = b""
            return echo[:at] + data
        self._echo_at = at + size
        if self._echo_at == len(echo):
            self.echo = b""
            self.echo_due = False
        return data[size:]
