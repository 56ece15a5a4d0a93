"""`SerialSettings`: the defaults of a serial line, and the settings of an open port."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from modwire import AsciiFraming, BinaryFraming, ClientOptions, Framing, RtuFraming, TcpFraming
from modwire.client.options import serial_client_options
from modwire.serial_settings import SERIAL_TOLERANCE, SerialSettings

DEFAULTS: dict[str, Any] = {
    "unit": 1,
    "timeout": None,
    "retries": 0,
    "suppress_echo": False,
    "options": None,
}


@pytest.mark.parametrize(
    ("framing", "parity", "bytesize", "stopbits"),
    [
        (RtuFraming, "E", 8, 1),
        (RtuFraming, "O", 8, 1),
        (RtuFraming, "N", 8, 2),
        (AsciiFraming, "E", 7, 1),
        (AsciiFraming, "N", 7, 2),
        (BinaryFraming, "N", 8, 2),
    ],
)
def test_the_defaults_are_those_of_the_specification(
    framing: type[Framing], parity: str, bytesize: int, stopbits: int
) -> None:
    settings = SerialSettings(framing, parity=parity)
    assert settings.port_arguments("/dev/ttyUSB0") == {
        "baudrate": 19200,
        "bytesize": bytesize,
        "parity": parity,
        "stopbits": stopbits,
    }
    # RTU characters have 11 bits with any parity, ASCII characters have 10.
    bits = 10 if framing is AsciiFraming else 11
    assert settings.character_time == pytest.approx(bits / 19200)


def test_what_is_given_goes_before_the_defaults() -> None:
    settings = SerialSettings(AsciiFraming, baudrate=9600, bytesize=8, parity="N", stopbits=1)
    assert settings.port_arguments("COM3") == {
        "baudrate": 9600,
        "bytesize": 8,
        "parity": "N",
        "stopbits": 1,
    }
    assert settings.framing is AsciiFraming
    assert settings.character_time == pytest.approx(10 / 9600)
    assert settings.silence == pytest.approx(38.5 / 9600)


def test_a_pseudo_terminal_is_opened_with_what_it_can_do() -> None:
    settings = SerialSettings(AsciiFraming, baudrate=9600)
    assert settings.port_arguments("/dev/pts/3") == {
        "baudrate": 9600,
        "bytesize": 8,
        "parity": "N",
        "stopbits": 1,
    }
    assert (settings.bytesize, settings.parity) == (7, "E")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"baudrate": 0}, "baudrate must be greater than 0, got 0"),
        ({"baudrate": -9600}, "baudrate must be greater than 0, got -9600"),
        ({"baudrate": "9600"}, "baudrate must be a whole number, got '9600'"),
        ({"parity": "M"}, "parity must be N, E or O, got 'M'"),
        ({"parity": None}, "parity must be N, E or O, got None"),
        ({"bytesize": 6}, "bytesize must be 7 or 8 for ascii, 8 for rtu and binary, got 6"),
        ({"bytesize": 0}, "bytesize must be 7 or 8 for ascii, 8 for rtu and binary, got 0"),
        ({"stopbits": 0}, "a serial line must have stopbits 1 or 2, got 0"),
        ({"stopbits": 1.5}, "a serial line must have stopbits 1 or 2, got 1.5"),
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SerialSettings(RtuFraming, **wrong)


def test_only_framings_for_serial_lines_are_taken() -> None:
    with pytest.raises(ValueError, match="framing must be one for serial lines, got TcpFraming"):
        SerialSettings(TcpFraming)
    with pytest.raises(TypeError, match="framing must be a class such as RtuFraming, got 'rtu'"):
        SerialSettings("rtu")  # type: ignore[arg-type]


def test_settings_cannot_be_changed() -> None:
    settings = SerialSettings(RtuFraming)
    with pytest.raises(AttributeError, match="'baudrate' cannot be set"):
        settings.baudrate = 9600
    with pytest.raises(AttributeError, match="'baudrate' cannot be deleted"):
        del settings.baudrate
    assert repr(settings).endswith("baudrate=19200, bytesize=8, parity='E', stopbits=1)")
    assert pickle.loads(pickle.dumps(settings)) == copy.copy(settings) == settings
    assert {settings, SerialSettings(RtuFraming)} == {settings}
    assert settings != SerialSettings(RtuFraming, parity="N")


def test_an_answer_has_the_time_that_its_characters_take() -> None:
    options = serial_client_options(SerialSettings(RtuFraming, baudrate=1200), **DEFAULTS)
    assert options.response_timeout == pytest.approx(1.0 + 256 * 11 / 1200)
    assert options.silence == pytest.approx(38.5 / 1200)
    assert options.tolerance == SERIAL_TOLERANCE


def test_the_arguments_of_a_client_arrive_in_its_options() -> None:
    options = serial_client_options(
        SerialSettings(RtuFraming),
        unit=17,
        timeout=0.5,
        retries=3,
        suppress_echo=True,
        options=None,
    )
    assert (options.unit, options.response_timeout, options.retries) == (17, 0.5, 3)
    assert options.suppress_echo is True
    with pytest.raises(ValueError, match="timeout must be greater than 0 seconds"):
        serial_client_options(SerialSettings(RtuFraming), **DEFAULTS | {"timeout": 0})


def test_options_take_the_place_of_arguments_and_not_both() -> None:
    settings = SerialSettings(RtuFraming)
    options = ClientOptions(unit=3, silence=0.0, retries=2)
    taken = serial_client_options(settings, **DEFAULTS | {"options": options})
    assert (taken.unit, taken.retries) == (3, 2)
    assert (taken.silence, taken.tolerance) == (settings.silence, SERIAL_TOLERANCE)
    patient = ClientOptions(silence=0.5, tolerance=0.25)
    taken = serial_client_options(settings, **DEFAULTS | {"options": patient})
    assert (taken.silence, taken.tolerance) == (0.5, 0.25)
    for argument in ({"unit": 2}, {"timeout": 2.0}, {"retries": 1}, {"suppress_echo": True}):
        with pytest.raises(ValueError, match="must be left out beside options, which have them"):
            serial_client_options(settings, **DEFAULTS | argument | {"options": options})
