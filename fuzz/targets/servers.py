"""`ServerProtocol` with each framing: requests, and on a shared bus the responses of others too.

An input is a byte of settings and a script of a stream. Nothing is raised, the answers are the
same in all pieces, and each answers a request in the stream, for a unit that is served.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from functools import partial

from modwire import (
    FRAMINGS,
    Decoder,
    Identity,
    SequentialBlock,
    ServerOptions,
    ServerProtocol,
    Unit,
    Units,
)

from .. import readers, script, vectors
from ..readers import Found
from ..script import Burst
from ..target import Target
from .framings import WORDS

_SERVED = (1, 17)
_REQUEST = bytes.fromhex("0300000001")
_CHANGES_THE_LINE = (
    b"\x08\x00\x01",
    b"\x08\x00\x03",
    b"\x08\x00\x04",
)  # restart, delimiter, silence
_FAILURE = 4


def _unit() -> Unit:
    return Unit(
        coils=SequentialBlock(0, [False] * 200),
        discrete_inputs=SequentialBlock(0, [True] * 200),
        holding_registers=SequentialBlock(0, [*range(200)]),
        input_registers=SequentialBlock(100, [*range(200)]),
        files={4: SequentialBlock(0, [0] * 100)},
        fifo_queues={0x04DE: deque([440, 4740])},
        identity=Identity({0: "modwire", 1: "fuzz", 2: "1.0", 0x80: "x" * 240}),
    )


class _Server:
    """A server, and the answers that it gave."""

    def __init__(self, name: str, settings: int) -> None:
        self.errors: list[BaseException] = []
        options = ServerOptions(
            suppress_echo=bool(settings & 2) and name != "tcp",
            listen_only=bool(settings & 4),
            idle_timeout=5.0 if settings & 8 else None,
            on_error=lambda peer, request, error: self.errors.append(error),
        )
        self.protocol = ServerProtocol(FRAMINGS[name], options)
        self.protocol.opened(0.0)
        self.units = Units({unit: _unit() for unit in _SERVED})
        self.is_stepped = bool(settings & 1)
        self.answers: list[bytes] = []

    def hear(self, bursts: Sequence[Burst], size: int = 0) -> None:
        """Hear bursts, whole or in pieces of `size` bytes."""
        for now, data in bursts:
            self.wait(now)
            for start in range(0, len(data), size or len(data)):
                piece = data[start : start + size] if size else data
                self.protocol.receive_data(piece, now)
                self._answer()

    def wait(self, now: float) -> None:
        """Do what is due until `now`."""
        for _ in range(10):
            due = self.protocol.deadline()
            if due is None or due > now or self.protocol.closed:
                return
            self.protocol.handle_timeout(due)
            self._answer()
        raise AssertionError("the deadlines have no end")

    def _answer(self) -> None:
        """Answer what came: all at once, or call by call as an adapter does whose units wait."""
        if not self.is_stepped:
            self.answers += filter(None, self.protocol.answers(self.units))
            return
        while (call := self.protocol.next_call()) is not None:
            response = self.protocol.executor.execute(call, self.units)
            if answer := self.protocol.answer(call, response):
                self.answers.append(answer)


def _check(name: str, data: bytes) -> None:
    settings = script.byte(data, 0)
    framing = FRAMINGS[name](Decoder(), is_server=True)
    bursts = script.bursts(framing, script.steps(data[1:]))
    whole, single = _Server(name, settings), _Server(name, settings)
    whole.hear(bursts)
    single.hear(bursts, 1)
    now = bursts[-1].now if bursts else 0.0
    # An answer between two pieces has its own echo, and a client waits for the answer before it
    # uses a new delimiter.
    if not whole.protocol.options.suppress_echo and not _is_changed(name, bursts):
        assert single.answers == whole.answers, "pieces differ"
    for each in (whole, single):
        assert not each.errors, each.errors
        _check_answers(name, bursts, each)
    if not whole.protocol.closed and not settings & 2 and not _is_changed(name, bursts):
        whole.wait(now + 20.0)
        if not whole.protocol.closed:  # it was idle
            _recover(name, whole, now + 40.0)


def _check_answers(name: str, bursts: Sequence[Burst], server: _Server) -> None:
    """Check that each answer is one whole frame, and belongs to a request in the stream."""
    if _is_changed(name, bursts):
        return  # the delimiter of the answers may be another
    requests: dict[tuple[int, int], set[tuple[int, int]]] = {}
    for answer in server.answers:
        unit, transaction, pdu = _frame(name, answer)
        code = pdu[0] & 0x7F
        assert unit in _SERVED, f"it answered for unit {unit}"
        if (unit, code) not in requests:
            found = readers.anywhere(name, bursts, unit, code)
            requests[unit, code] = {each[:2] for each in found if each[2][0] == code}
        assert (unit, transaction) in requests[unit, code], f"nobody asked for {answer.hex()}"
        if pdu[0] & 0x80:
            assert len(pdu) == 2
            assert pdu[1] != _FAILURE, "the server failed"


def _frame(name: str, adu: bytes) -> Found:
    """Return the frame that is all of `adu`."""
    found: list[Found]
    if name == "tcp":
        found = readers.tcp(adu, is_server=False)[0]
    elif name == "ascii":
        found = readers.ascii_frames([Burst(0.0, adu)])
    elif name == "binary":
        found = readers.binary_frames(adu)
    else:
        found = [] if readers.crc(adu) else [(adu[0], 0, adu[1:-2])]
    assert len(found) == 1, f"it sent {adu.hex()}, which is no frame"
    wrapped = FRAMINGS[name](Decoder(), is_server=False).wrap(*found[0])
    assert wrapped == adu, f"it sent {adu.hex()}, which is more than a frame"
    return found[0]


def _is_changed(name: str, bursts: Sequence[Burst]) -> bool:
    """True if a request may have changed the delimiter, or stopped the answers."""
    stream = b"".join(burst.data for burst in bursts)
    if name == "ascii":
        return any(each.hex().encode() in stream.lower() for each in _CHANGES_THE_LINE)
    return any(each in stream for each in _CHANGES_THE_LINE)


def _recover(name: str, server: _Server, now: float) -> None:
    """Check that after silence a good request is answered."""
    if name == "tcp":
        return  # the stream may have ended within a frame, whose rest would be this
    server.answers.clear()
    adu = server.protocol.framing.wrap(17, 0, _REQUEST)
    # A brace at the end of the stream and that of the frame may be a pair, which loses one.
    for number in range(2 if name == "binary" else 1):
        server.hear([Burst(now + 20.0 * number, adu)])
        server.wait(now + 20.0 * number + 10.0)
    assert server.answers, "a good request after silence was not answered"
    unit, _, pdu = _frame(name, server.answers[-1])
    assert unit == 17
    assert pdu[:2] == b"\x03\x02"


def _seeds(name: str) -> list[bytes]:
    found = vectors.streams(name, is_server=True)
    return [bytes((index & 0x0F,)) + each for index, each in enumerate(found)]


TARGETS = [
    Target(f"server-protocol-{name}", partial(_check, name), partial(_seeds, name), WORDS)
    for name in FRAMINGS
]
