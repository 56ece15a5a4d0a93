"""A sniffer shows each thing on a line for what it is."""

from __future__ import annotations

import pytest

from modwire import AsciiFraming, BinaryFraming, Decoder, Frame, Framing, RtuFraming, TcpFraming
from modwire.sniffing import (
    DamageKind,
    HeardDamage,
    HeardExchange,
    HeardFrame,
    HeardOutcome,
    Sniffer,
)
from noisy_line import rtu

CHARACTER = 11 / 19200  # seconds
TIMEOUT = 0.5
READ, ANSWER = "03 0000 0002", "03 04 0001 0002"
WRITE = "06 0005 0777"

Told = tuple[HeardOutcome | DamageKind, int | None]


class Line:
    """A sniffer, and what is said on its line; `now` is the time of the last byte."""

    def __init__(self, **options: object) -> None:
        self.frames: list[HeardFrame | HeardDamage] = []
        self.sniffer = Sniffer(
            **{  # type: ignore[arg-type]
                "character_time": CHARACTER,
                "response_timeout": TIMEOUT,
                "on_frame": self.frames.append,
                **options,
            }
        )
        self.now = 100.0
        self.heard: list[HeardExchange | HeardDamage] = []

    def say(self, *messages: bytes, after: float = 0.004) -> None:
        """Deliver messages, each at its time."""
        for message in messages:
            self.wait(after)
            self.now += len(message) * CHARACTER
            self.sniffer.receive_data(message, self.now)
            self.heard += self.sniffer

    def wait(self, seconds: float) -> None:
        """Let time pass, and call the sniffer when it asks for it."""
        end = self.now + seconds
        while (deadline := self.sniffer.deadline()) is not None and deadline < end:
            self.sniffer.handle_timeout(deadline)
        self.now = end
        self.heard += self.sniffer

    def told(self) -> list[Told]:
        """All results so far, in short."""
        return [
            (each.outcome if isinstance(each, HeardExchange) else each.kind, each.unit)
            for each in self.heard
        ]


def test_a_pair_has_its_frames_and_times() -> None:
    line = Line()
    line.say(rtu(1, READ))
    asked = line.now
    line.say(rtu(1, ANSWER), after=0.02)
    [found] = line.heard
    assert isinstance(found, HeardExchange)
    assert (found.outcome, found.unit, found.attempt) == (HeardOutcome.ANSWERED, 1, 1)
    assert found.request is not None
    assert found.response is not None
    assert found.request.data == rtu(1, READ)
    assert found.request.pdu == bytes.fromhex(READ)
    assert found.response.pdu == bytes.fromhex(ANSWER)
    assert found.request.ended == pytest.approx(asked)
    assert found.began == found.request.began == pytest.approx(asked - 8 * CHARACTER)
    assert found.response.began == pytest.approx(asked + 0.02)
    assert found.response_time == pytest.approx(0.02 + 9 * CHARACTER)
    assert [frame.is_response for frame in line.frames if isinstance(frame, HeardFrame)] == [
        False,
        True,
    ]


ANSWERED, UNANSWERED = HeardOutcome.ANSWERED, HeardOutcome.UNANSWERED


def test_an_exception_a_broadcast_and_listen_only() -> None:
    line = Line()
    line.say(rtu(1, READ), rtu(1, "83 02"), rtu(0, WRITE), rtu(1, "08 0004 0000"), rtu(2, READ))
    line.say(rtu(2, ANSWER))
    assert line.told() == [
        (HeardOutcome.EXCEPTION, 1),
        (HeardOutcome.BROADCAST, 0),
        (HeardOutcome.LISTEN_ONLY, 1),
        (ANSWERED, 2),
    ]


@pytest.mark.parametrize("pdu", [READ, WRITE, "01 0300 0014", "10 0001 0001 02 0005"])
def test_a_request_is_repeated_after_a_timeout(pdu: str) -> None:
    """A write and its echo are the same bytes: the timeout separates them."""
    answers = {"03": ANSWER, "06": WRITE, "01": "01 03 112233", "10": "10 0001 0001"}
    line = Line()
    line.say(rtu(1, pdu))
    line.say(rtu(1, pdu), after=TIMEOUT + 0.1)
    line.say(rtu(1, pdu), after=TIMEOUT + 0.1)
    line.say(rtu(1, answers[pdu[:2]]))
    assert line.told() == [(UNANSWERED, 1), (UNANSWERED, 1), (ANSWERED, 1)]
    attempts = [each.attempt for each in line.heard if isinstance(each, HeardExchange)]
    assert attempts == [1, 2, 3]


def test_a_read_that_is_repeated_soon_is_no_answer() -> None:
    """Also if it would be one by its length: 3 data bytes are 24 coils."""
    line = Line()
    request = rtu(1, "01 0300 0018")
    line.say(request, request, rtu(1, "01 03 112233"))
    assert line.told() == [(UNANSWERED, 1), (ANSWERED, 1)]


def test_another_request_ends_the_wait_for_a_response() -> None:
    line = Line()
    line.say(rtu(1, READ), rtu(2, READ), rtu(2, ANSWER))
    line.say(rtu(1, WRITE), rtu(1, "06 0005 0778"), rtu(1, "06 0005 0778"))
    assert line.told() == [(UNANSWERED, 1), (ANSWERED, 2), (UNANSWERED, 1), (ANSWERED, 1)]


@pytest.mark.parametrize(
    ("request_", "response"), [(READ, ANSWER), (WRITE, WRITE), (WRITE, "86 04")]
)
def test_an_answer_after_the_next_request_is_late(request_: str, response: str) -> None:
    line = Line()
    line.say(rtu(1, request_), rtu(2, READ), rtu(1, response), rtu(2, ANSWER))
    assert line.told() == [(UNANSWERED, 1), (HeardOutcome.LATE, 1), (ANSWERED, 2)]
    late = line.heard[1]
    assert isinstance(late, HeardExchange)
    assert late.request is not None
    assert late.response is not None
    assert late.request.pdu == bytes.fromhex(request_)
    assert late.response.pdu == bytes.fromhex(response)
    assert late.response_time == pytest.approx(late.response.ended - late.request.ended)


def test_an_answer_after_the_timeout_is_late() -> None:
    line = Line()
    line.say(rtu(1, READ))
    line.wait(TIMEOUT + 0.01)
    assert line.told() == [(UNANSWERED, 1)]
    line.say(rtu(1, ANSWER))
    assert line.told() == [(UNANSWERED, 1), (HeardOutcome.LATE, 1)]


def test_an_answer_by_another_unit_does_not_end_the_wait() -> None:
    line = Line()
    line.say(rtu(1, READ), rtu(2, ANSWER), rtu(1, ANSWER))
    assert line.told() == [(HeardOutcome.WRONG_UNIT, 1), (ANSWERED, 1)]
    wrong = line.heard[0]
    assert isinstance(wrong, HeardExchange)
    assert wrong.response is not None
    assert wrong.response.unit == 2
    assert wrong.response_time is None


def test_an_answer_that_does_not_fit_and_one_without_a_request() -> None:
    line = Line()
    line.say(rtu(1, READ), rtu(1, "03 02 0001"), rtu(1, ANSWER), rtu(7, "83 02"))
    assert line.told() == [
        (HeardOutcome.INVALID, 1),
        (HeardOutcome.UNASKED, 1),
        (HeardOutcome.UNASKED, 7),
    ]


def damaged(frame: bytes) -> bytes:
    return frame[:-1] + bytes((frame[-1] ^ 0x40,))


def test_damaged_bytes_are_told_by_kind_and_unit() -> None:
    line = Line()
    line.say(rtu(1, READ), rtu(1, ANSWER))
    line.say(damaged(rtu(1, READ)), after=0.1)
    line.say(rtu(1, READ)[:5], after=0.1)
    line.say(b"\xff", after=0.1)
    line.say(rtu(1, READ), after=0.1)
    line.say(rtu(1, ANSWER)[:-3])
    line.say(rtu(1, WRITE), rtu(1, WRITE), after=0.1)
    assert line.told() == [
        (ANSWERED, 1),
        (DamageKind.CHECKSUM, 1),
        (DamageKind.TRUNCATED, 1),
        (DamageKind.NOISE, None),
        (DamageKind.TRUNCATED, 1),
        (UNANSWERED, 1),
        (ANSWERED, 1),
    ]
    errors = [each for each in line.heard if isinstance(each, HeardDamage)]
    assert [each.data for each in errors] == [
        damaged(rtu(1, READ)),
        rtu(1, READ)[:5],
        b"\xff",
        rtu(1, ANSWER)[:-3],
    ]
    assert all(each.began < each.ended for each in errors)
    assert [each for each in line.frames if isinstance(each, HeardDamage)] == errors


def test_a_request_to_the_unit_whose_answer_was_damaged() -> None:
    """Its address 22EA would be the byte count of a longer answer."""
    line = Line()
    line.say(rtu(6, "04 003a 000a"), damaged(rtu(6, "04 14" + "76" * 20)))
    line.say(rtu(6, "04 22ea 0002"), rtu(6, "04 04 4a37 0444"), after=0.012)
    line.say(rtu(1, READ), rtu(1, ANSWER), after=0.1)
    assert line.told() == [
        (DamageKind.CHECKSUM, 6),
        (UNANSWERED, 6),
        (ANSWERED, 6),
        (ANSWERED, 1),
    ]


CUSTOM = "41 0102 03", "41 0405"
PAIRS = {
    "reads": (READ, ANSWER),
    "a long write": ("10 0000 007b f6" + "0102" * 123, "10 0000 007b"),
    "a request within a request": ("10 0010 0005 0a 0103 0010 0001 85cf 0000", "10 0010 0005"),
    "function 8 with more data": ("08 0000 1234 5678",) * 2,
    "an unknown function": CUSTOM,
    "identification": ("2b 0e 04 02", "2b 0e 04 83 00 00 01 02 05 56322e3131"),
}


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("cut", [1, 7, 64, 1000])
@pytest.mark.parametrize("damage", ["", "00 01 02 03", "01 03 fa"])
def test_frames_in_lumps(name: str, cut: int, damage: str) -> None:
    """A USB adapter delivers requests and answers together; one bad byte costs no other frame."""
    request, response = (rtu(5, pdu) for pdu in PAIRS[name])
    both = rtu(1, READ) + rtu(1, ANSWER)
    data = both + bytes.fromhex(damage) + (both if damage else b"") + request + response + both
    line = Line()
    for at in range(0, len(data), cut):
        line.say(data[at : at + cut], after=0.0)
    line.wait(1.0)
    wanted: list[Told] = [(ANSWERED, 1), (ANSWERED, 5), (ANSWERED, 1)]
    assert [each for each in line.told() if isinstance(each[0], HeardOutcome)] == (
        [(ANSWERED, 1), *wanted] if damage else wanted
    )
    assert sum(isinstance(each, HeardDamage) for each in line.heard) == bool(damage)


def test_frames_in_a_lump_have_times_of_their_own() -> None:
    line = Line()
    line.say(rtu(1, READ) + rtu(1, ANSWER), after=0.1)
    [found] = line.heard
    assert isinstance(found, HeardExchange)
    assert found.request is not None
    assert found.request.ended == pytest.approx(line.now - 9 * CHARACTER)
    assert found.response_time == pytest.approx(9 * CHARACTER)


def test_a_pause_does_not_break_a_frame() -> None:
    line = Line()
    line.say(rtu(1, READ), rtu(1, ANSWER)[:4])
    line.say(rtu(1, ANSWER)[4:], after=0.1)
    assert line.told() == [(ANSWERED, 1)]


def test_a_frame_without_a_length_rule_ends_by_silence() -> None:
    line = Line()
    for pdu in CUSTOM:
        line.say(rtu(3, pdu), after=0.1)
    line.wait(0.1)
    assert line.told() == [(ANSWERED, 3)]


def test_the_first_byte_of_the_next_frame_completes_a_damaged_one() -> None:
    """One of 256 frames without their last byte gets the right one from the next frame."""
    answer = next(
        frame for low in range(0x10000) if (frame := rtu(1, f"03 04 0001 {low:04x}"))[-1] == 2
    )
    line = Line()
    line.say(rtu(1, READ) + answer[:-1] + rtu(2, READ) + rtu(2, ANSWER))
    line.wait(1.0)
    assert (ANSWERED, 2) in line.told()


@pytest.mark.parametrize("framing", [AsciiFraming, BinaryFraming])
@pytest.mark.parametrize("cut", [1, 5, 1000])
def test_other_framings(framing: type[Framing], cut: int) -> None:
    coder = framing(Decoder(), is_server=True)

    def frame(unit: int, pdu: str) -> bytes:
        return coder.encode(Frame(unit, 0, bytes.fromhex(pdu)))

    wrong = coder.wrap_damaged(1, 0, bytes.fromhex(READ))
    parts = [
        *(frame(1, READ), frame(1, "03 04 7b7d 3a0d"), b"xx", frame(2, WRITE), frame(2, WRITE)),
        *(wrong, frame(1, READ), frame(1, ANSWER)[:-3], frame(2, READ), frame(2, ANSWER)),
    ]
    line = Line(framing=framing)
    data = b"".join(parts)
    for at in range(0, len(data), cut):
        line.say(data[at : at + cut], after=0.0)
    line.wait(2.0)
    assert line.told() == [
        (ANSWERED, 1),
        (DamageKind.NOISE, None),
        (ANSWERED, 2),
        (DamageKind.CHECKSUM, 1),
        (DamageKind.TRUNCATED, 1),
        (UNANSWERED, 1),
        (ANSWERED, 2),
    ]
    errors = [each.data for each in line.heard if isinstance(each, HeardDamage)]
    assert errors == [b"xx", wrong, frame(1, ANSWER)[:-3]]


def test_the_end_decides_on_what_is_left() -> None:
    line = Line()
    line.say(rtu(1, READ), rtu(1, ANSWER)[:-2])
    line.sniffer.end()
    line.heard += line.sniffer
    assert line.told() == [(DamageKind.TRUNCATED, 1), (UNANSWERED, 1)]
    assert line.sniffer.deadline() is None
    assert line.sniffer.next_heard() is None


def test_results_that_nobody_takes_are_dropped_and_counted() -> None:
    sniffer = Sniffer(max_waiting=3)
    for unit in range(1, 6):
        sniffer.receive_data(rtu(unit, READ) + rtu(unit, ANSWER), float(unit))
    assert [each.unit for each in sniffer] == [3, 4, 5]
    assert sniffer.dropped == 2


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"framing": TcpFraming}, ValueError, "framing must be one for serial lines"),
        ({"framing": "rtu"}, TypeError, "framing must be a class"),
        ({"silence": -1}, ValueError, "silence must be at least 0 seconds"),
        ({"tolerance": -1}, ValueError, "tolerance must be at least 0 seconds"),
        ({"character_time": -1}, ValueError, "character_time must be at least 0 seconds"),
        ({"response_timeout": 0}, ValueError, "response_timeout must be greater than 0"),
        ({"max_waiting": 0}, ValueError, "max_waiting must be a whole number"),
        ({"on_frame": 5}, TypeError, "must be a function or None"),
    ],
)
def test_wrong_options(options: dict[str, object], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        Sniffer(**options)  # type: ignore[arg-type]
    assert Sniffer(RtuFraming).deadline() is None


@pytest.mark.parametrize(
    ("framing", "data", "now"),
    [
        (AsciiFraming, b":0103", 0.0),
        (BinaryFraming, b"{\x01\x03", 0.0),
        (RtuFraming, bytes.fromhex("01050001ffff9dba"), 0.1),
        (RtuFraming, bytes.fromhex("01050001ffff9dba"), 1.1),
        (RtuFraming, bytes.fromhex("01050001ffff9dba"), 12345.678),
    ],
)
def test_nothing_is_due_any_more_at_the_deadline_itself(
    framing: type[Framing], data: bytes, now: float
) -> None:
    """A program with a clock of its own would else ask for the same deadline for ever."""
    sniffer = Sniffer(framing, response_timeout=0.3, character_time=0.001)
    sniffer.receive_data(data, now)
    for _ in range(4):
        deadline = sniffer.deadline()
        if deadline is None:
            break
        sniffer.handle_timeout(deadline)
    assert sniffer.deadline() is None
    assert [type(each) for each in sniffer]
