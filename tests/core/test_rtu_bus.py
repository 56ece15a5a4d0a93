"""An RTU server on a shared line: silent for requests to other units."""

from __future__ import annotations

import pytest

from modwire import Units, crc16
from reference_server import Wire, reference_unit

OWN = "01030010000185cf"
OWN_ANSWER = bytes.fromhex("0103020010b988")


def rtu(unit: int, pdu: str) -> bytes:
    body = bytes((unit,)) + bytes.fromhex(pdu)
    return body + crc16(body).to_bytes(2, "little")


OTHERS = {
    "FC3 pair": (rtu(2, "0300000002"), rtu(2, "030400010002")),
    "FC3 refused": (rtu(2, "03ffff0002"), rtu(2, "8302")),
    "FC16 pair": (rtu(2, "100001000204000a0102"), rtu(2, "1000010002")),
    "FC16 pair, unit 9": (rtu(9, "100000007bf6" + "0102" * 123), rtu(9, "100000007b")),
    "FC1 of 2000": (rtu(2, "01000007d0"), rtu(2, "01fa" + "a5" * 250)),
    "FC5 pair": (rtu(2, "0500acff00"),) * 2,
    "FC8 query": (rtu(2, "0800001234"),) * 2,
    "FC8 long query": (rtu(2, "0800001234567801030010000185cf"),) * 2,
    "FC12 pair": (rtu(2, "0c"), rtu(2, "0c080000010801212000")),
    "FC20 pair": (
        rtu(2, "140e0600040001000206000300090002"),
        rtu(2, "140c05060dfe0020050633cd0040"),
    ),
    "FC22 pair": (rtu(2, "16000400f20025"),) * 2,
    "FC23 pair": (
        rtu(2, "1700030006000e00030600ff00ff00ff"),
        rtu(2, "170c00fe0acd00010003000d00ff"),
    ),
    "FC24 pair": (rtu(2, "1804de"), rtu(2, "180006000201b81284")),
    "FC43/14 pair": (rtu(2, "2b0e0402"), rtu(2, "2b0e0483000001020556322e3131")),
    "function nobody knows": (rtu(2, "41aabbcc"), rtu(2, "41ddeeff00")),
    "our answer's bytes in its data": (
        rtu(2, "1000100005" + "0a" + OWN + "0000"),
        rtu(2, "1000100005"),
    ),
}


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("gap", [0.004, 0.0], ids=["with silence", "glued together"])
@pytest.mark.parametrize("cut", [1, 7, 1000])
def test_a_server_is_silent_for_others_and_answers_its_own(name: str, gap: float, cut: int) -> None:
    wire = Wire()
    for _ in range(10):
        for message in OTHERS[name]:
            wire.now += gap
            for at in range(0, len(message), cut):
                assert wire.hear(message[at : at + cut]) == b""
    answer = wire.hear(OWN, after=gap) or wire.quiet()
    assert answer == OWN_ANSWER


def test_a_server_is_silent_for_all_others_one_after_the_other() -> None:
    wire = Wire()
    for _ in range(10):
        for pair in OTHERS.values():
            for message in pair:
                assert wire.hear(message, after=0.004) == b""
                assert wire.quiet(0.004) == b""
        assert wire.hear(OWN, after=0.004) == OWN_ANSWER
    assert wire.protocol.frame_errors == 0


@pytest.mark.parametrize(
    "noise",
    [
        "00",
        "ff",
        "0103",
        "01100001000204000a",  # a write that was cut off
        "010300100001ffff",  # a bad CRC
        "0183",
        "01",
        "4141414141",
        "ff" * 300,
    ],
)
def test_a_server_is_right_again_at_the_first_request_after_noise(noise: str) -> None:
    wire = Wire()
    assert wire.hear(noise) == b""
    assert wire.hear(OWN, after=0.004) == OWN_ANSWER
    assert wire.hear(OWN, after=0.004) == OWN_ANSWER
    assert wire.protocol.frame_errors == 1


@pytest.mark.parametrize("noise", ["00", "ff", "01", "0103", "f8f8f8"])
def test_noise_glued_to_a_request_costs_at_most_that_request(noise: str) -> None:
    wire = Wire()
    first = wire.hear(noise + OWN) + wire.quiet()
    assert first in (b"", OWN_ANSWER)
    assert wire.hear(OWN, after=0.004) == OWN_ANSWER


@pytest.mark.parametrize(
    "pdu", ["0600100007", "0300100001", "0700", "41", "0300000000", "06ffff0001", "080004 0000"]
)
def test_a_broadcast_is_never_answered(pdu: str) -> None:
    wire = Wire()
    assert wire.hear(rtu(0, pdu)) + wire.quiet() == b""
    if pdu == "0600100007":
        assert wire.unit.holding_registers.read(0x10, 1) == (7,)


def test_a_broadcast_reaches_every_unit() -> None:
    units = Units({1: reference_unit(), 2: reference_unit()})
    wire = Wire(units=units)
    assert wire.hear(rtu(0, "0600100007")) == b""
    assert [unit.holding_registers.read(0x10, 1) for unit in units] == [(7,), (7,)]


def test_what_the_server_cannot_do_is_answered_with_its_exception() -> None:
    wire = Wire()
    assert wire.hear(rtu(1, "030000007e")) == rtu(1, "8303")
    assert wire.hear(rtu(1, "41"), after=0.004) + wire.quiet() == rtu(1, "c101")
    assert wire.hear(rtu(1, "41aabbccdd"), after=0.004) + wire.quiet() == rtu(1, "c101")
    assert wire.hear(rtu(1, "03ffff0002"), after=0.004) == rtu(1, "8302")


def test_an_answer_waits_for_the_silence_after_the_request() -> None:
    wire = Wire(silence=0.004)
    wire.hear(OWN)
    assert wire.protocol.send_at() == pytest.approx(wire.now + 0.004)


def test_the_servers_own_echo_is_not_a_request() -> None:
    plain, listening = Wire(), Wire(suppress_echo=True)
    write = rtu(1, "0600100007")
    assert listening.hear(write) == write
    assert listening.hear(write) + listening.quiet() == b"", "the echo was executed"
    assert listening.hear(write, after=0.004) == write
    assert plain.hear(OWN) == OWN_ANSWER
    assert plain.hear(OWN_ANSWER) + plain.quiet() == b""


def test_bus_messages_errors_and_answers_are_counted_as_on_a_serial_device() -> None:
    wire = Wire()
    wire.hear(rtu(2, "0300000002"))
    wire.hear(rtu(2, "030400010002"), after=0.004)
    wire.hear("0103001000ff85cf", after=0.004)
    wire.hear(OWN, after=0.004)
    wire.hear(rtu(0, "0600100007"), after=0.004)
    wire.hear(rtu(1, "03ffff0002"), after=0.004)

    def count(sub_function: int) -> int:
        answer = wire.hear(rtu(1, f"08{sub_function:04x}0000"), after=0.004)
        return int.from_bytes(answer[4:6], "big")

    assert count(11) == 6  # all good messages, this one included
    assert count(12) == 1
    assert count(13) == 1
    assert count(14) == 7  # request, broadcast, refused one, and the four diagnostics
    assert count(15) == 1
