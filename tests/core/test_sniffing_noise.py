"""A sniffer on a noisy line loses no undamaged exchange; any bytes leave it in order.

`benchmarks/sniffing.py` is the long form: a minute of line time, and as many lines as one likes.
"""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import modwire
from modwire import FRAMINGS
from modwire.errors import ModbusError
from modwire.messages import Decoder, RawResponse, Request
from modwire.sniffing import HeardDamage, HeardExchange, Sniffer
from noisy_line import NoisyLine, exchange_of, rtu

DELIVERIES = ["bytes", "pieces", "frames", "lumps"]


def listened(line: NoisyLine, delivery: str) -> tuple[Sniffer, list[HeardExchange]]:
    """Return what a sniffer hears of a line, which is called at its deadlines."""
    most = {"bytes": 1, "pieces": 32, "frames": 1000}
    given_ = line.lumps(0.016) if delivery == "lumps" else line.pieces(most[delivery])
    sniffer = Sniffer(character_time=line.character_time)
    heard: list[HeardExchange] = []
    for data, now in given_:
        while (deadline := sniffer.deadline()) is not None and deadline < now - 0.016:
            sniffer.handle_timeout(deadline)
        sniffer.receive_data(data, now)
        heard += [each for each in sniffer if isinstance(each, HeardExchange)]
    sniffer.end()
    return sniffer, heard + [each for each in sniffer if isinstance(each, HeardExchange)]


@pytest.mark.parametrize("delivery", DELIVERIES)
@pytest.mark.parametrize(("damaged", "seed"), [(0.01, 1), (0.05, 2), (0.2, 3)])
def test_every_undamaged_exchange_is_paired(delivery: str, damaged: float, seed: int) -> None:
    line = NoisyLine(seed=seed, damaged=damaged).run(8.0)
    _, heard = listened(line, delivery)
    assert line.damages > 10
    assert len(line.good) > 150
    assert line.missed(heard) == {}
    # Nothing is invented: each frame in a pair was on the line.
    sent = {frame for frame, _ in line.sent}
    invented = [
        frame.data
        for each in heard
        for frame in (each.request, each.response)
        if frame is not None and frame.data not in sent
    ]
    assert len(invented) <= line.damages // 20


def test_memory_is_bounded() -> None:
    """Also if nobody takes the results, on a line of nothing but noise."""
    line = NoisyLine(seed=4, damaged=0.9).run(60.0)
    noise = b"".join(frame for frame, _ in line.sent)
    sniffer = Sniffer(max_waiting=10)
    tracemalloc.start()
    for at in range(0, len(noise), 16):
        sniffer.receive_data(noise[at : at + 16], at * line.character_time)
    # Other threads of the process allocate as well, so only modwire's own lines count.
    lines = tracemalloc.Filter(True, str(Path(modwire.__file__).parent / "*"))
    ours = tracemalloc.take_snapshot().filter_traces([lines])
    tracemalloc.stop()
    assert len(noise) > 10_000
    assert 0 < sum(each.size for each in ours.traces) < 100_000
    assert sniffer.dropped > 10


class OddRequest(Request[RawResponse]):
    """A custom function whose every method fails."""

    function_code = 0x50
    response_type = RawResponse

    @classmethod
    def decode(cls, pdu: bytes) -> OddRequest:
        if len(pdu) > 2:
            raise RuntimeError("odd")
        return cls()

    def decode_response(self, pdu: bytes) -> RawResponse:
        raise RuntimeError("odd")

    def expected_length(self) -> int:
        raise RuntimeError("odd")


@st.composite
def deliveries(draw: st.DrawFn) -> list[tuple[bytes, float]]:
    """Frames, noise and parts of frames, cut into pieces, each with a pause before it."""
    random = draw(st.randoms(use_true_random=False))
    data = b""
    for kind in draw(st.lists(st.integers(0, 5), max_size=12)):
        request, response = exchange_of(random)
        frame = rtu(random.randint(0, 3), random.choice((request, response)))
        odd = rtu(1, bytes((0x50,)) + random.randbytes(random.randint(0, 5)))
        data += [frame, frame[:-1], frame[: len(frame) // 2], odd, b":01\r\n{}{{", b""][kind]
        data += draw(st.binary(max_size=6)) if kind > 3 else b""
    data = draw(st.sampled_from([data, draw(st.binary(max_size=300))]))
    pieces: list[tuple[bytes, float]] = []
    while data:
        size = draw(st.integers(1, 40))
        pieces.append((data[:size], draw(st.sampled_from([0.0, 0.001, 0.03, 0.7, 2.0]))))
        data = data[size:]
    return pieces


@given(pieces=deliveries(), name=st.sampled_from(["rtu", "ascii", "binary"]))
def test_any_bytes_in_any_pieces(pieces: list[tuple[bytes, float]], name: str) -> None:
    """They raise nothing, are all told, and leave a sniffer that understands the next exchange."""
    decoder = Decoder()
    decoder.register(OddRequest)
    told: list[object] = []
    sniffer = Sniffer(FRAMINGS[name], decoder=decoder, on_frame=told.append)
    now = 0.0
    for data, pause in pieces:
        now += pause
        if (deadline := sniffer.deadline()) is not None and deadline <= now:
            sniffer.handle_timeout(now)
        sniffer.receive_data(data, now)
    sniffer.end()
    heard = list(sniffer)
    errors = [each for each in heard if isinstance(each, HeardDamage)]
    assert [each for each in told if isinstance(each, HeardDamage)] == errors
    if name == "rtu":
        # Every byte is in one frame, or in one error.
        data = b"".join(each.data for each in told)  # type: ignore[attr-defined]
        assert len(data) >= sum(len(piece) for piece, _ in pieces)
    assert sniffer.deadline() is None
    coder = FRAMINGS[name](decoder, is_server=False)
    now += 5.0
    for pdu in ("03 0000 0001", "03 02 0007"):
        sniffer.receive_data(coder.wrap(9, 0, bytes.fromhex(pdu)), now)
    [found] = sniffer
    assert isinstance(found, HeardExchange)
    assert (found.unit, found.outcome.value) == (9, "answered")


def test_errors_of_custom_functions_are_not_passed_on() -> None:
    decoder = Decoder()
    decoder.register(OddRequest)
    sniffer = Sniffer(decoder=decoder)
    for pdu in ("50", "50 01", "50 0102", "50 010203"):
        try:
            sniffer.receive_data(rtu(1, pdu), 0.0)
            sniffer.end_frame()
        except (RuntimeError, ModbusError):  # pragma: no cover
            pytest.fail("a custom function must not stop the sniffer")
    sniffer.end()
    assert len(list(sniffer)) >= 2
