"""Errors and messages survive pickling: otherwise a process pool hangs or breaks."""

from __future__ import annotations

import copy
import importlib
import multiprocessing
import pickle
import pkgutil
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any, TypeVar

import pytest

import modwire
from limits_table import SMALLEST_AND_LARGEST
from modwire import (
    ExceptionResponse,
    ExceptionResponseError,
    FaultyResponse,
    FrameError,
    InvalidRequestError,
    ModbusError,
    RawRequest,
    RawResponse,
    ReadHoldingRegistersResponse,
    ReportServerIdRequest,
    ReportServerIdResponse,
    Request,
    Response,
)
from modwire.messages.base import Message
from worker_process import (
    SENT,
    MeterBusyError,
    MeterError,
    MeterLostError,
    answer,
    fail,
)

for module in pkgutil.walk_packages(modwire.__path__, "modwire."):
    importlib.import_module(module.name)

ClassT = TypeVar("ClassT", bound=type)
PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


def subclasses(base: ClassT) -> Iterator[ClassT]:
    """`base` and every class below it that is part of modwire."""
    if base.__module__.partition(".")[0] == modwire.__name__:
        yield base
    for each in base.__subclasses__():
        yield from subclasses(each)


def again(value: Any, protocol: int) -> Any:
    return pickle.loads(pickle.dumps(value, protocol))


def instances(error_class: type[ModbusError]) -> list[ModbusError]:
    """Return errors of a class, with all arguments of its constructor."""
    if issubclass(error_class, ExceptionResponseError):
        return [
            error_class(),
            error_class(SENT),
            error_class(SENT, 0x99, "the detail"),
            error_class(code=3, detail="the detail"),
            ExceptionResponseError.for_code(SENT, error_class.default_code),
        ]
    if issubclass(error_class, InvalidRequestError):
        return [error_class("wrong", 3), error_class("wrong", 0x41, 1)]
    if issubclass(error_class, FrameError):
        return [error_class("noise"), error_class("noise", fatal=True)]
    return [error_class(), error_class("a sentence"), error_class("two", 2)]


ERRORS = [
    error
    for error_class in dict.fromkeys(subclasses(ModbusError))
    for error in instances(error_class)
] + [MeterError(7, phase="L4"), MeterLostError(7), MeterBusyError()]


def test_every_error_of_the_face_is_among_them() -> None:
    exported = {
        each
        for name in modwire.__all__
        if name.endswith("Error")
        for each in [getattr(modwire, name)]
    }
    assert exported <= {type(error) for error in ERRORS}


def check_error(error: ModbusError, copied: ModbusError) -> None:
    assert type(copied) is type(error)
    assert str(copied) == str(error)
    assert repr(copied) == repr(error)
    assert copied.args == error.args
    assert vars(copied) == vars(error)
    if isinstance(error, OSError):
        assert isinstance(copied, OSError)
        assert (copied.errno, copied.strerror) == (error.errno, error.strerror)


@pytest.mark.parametrize("error", ERRORS, ids=repr)
def test_every_error_is_the_same_after_pickling_and_copying(error: ModbusError) -> None:
    for protocol in PROTOCOLS:
        check_error(error, again(error, protocol))
    check_error(error, copy.copy(error))
    check_error(error, copy.deepcopy(error))


def test_what_was_added_to_an_error_is_kept() -> None:
    error = MeterError(7, phase="L4")
    error.seen_at = 12.5  # type: ignore[attr-defined]
    assert again(error, 2).seen_at == 12.5


# Messages.

CAUSED = ExceptionResponse(3, 4, InvalidRequestError("wrong", 3))
OF_A_KIND: dict[type[Message], list[Message]] = {
    ExceptionResponse: [ExceptionResponse(3, 2), CAUSED],
    RawRequest: [RawRequest(0), RawRequest(255, bytes(252))],
    RawResponse: [RawResponse(0), RawResponse(0x83, bytes(300))],
    FaultyResponse: [FaultyResponse(CAUSED, is_damaged=True, fault="CRC"), FaultyResponse(None)],
}
# These have only subclasses, and nothing of their own to encode.
ABSTRACT = {Message, Request, Response}


def messages(message_class: type[Message]) -> list[Message]:
    """Messages of a class: the smallest and the largest of each function."""
    every = [message for four in SMALLEST_AND_LARGEST.values() for message in four]
    found = [message for message in every if type(message) is message_class]
    found = OF_A_KIND.get(message_class, found)
    if not found and message_class is not Message:
        # A class with the same fields as its base, but other behaviour.
        make: Callable[..., Message] = message_class
        found = [
            make(*[getattr(message, name) for name in message.__match_args__])
            for base in message_class.__bases__
            if issubclass(base, Message)
            for message in messages(base)
        ]
    return found


MESSAGE_CLASSES = [each for each in dict.fromkeys(subclasses(Message)) if each not in ABSTRACT]


def is_base(message_class: type[Message]) -> bool:
    """Return True for a class that is only a base class."""
    return any(each in MESSAGE_CLASSES for each in message_class.__subclasses__())


@pytest.mark.parametrize("message_class", MESSAGE_CLASSES, ids=lambda each: each.__name__)
def test_every_message_is_the_same_after_pickling_and_copying(
    message_class: type[Message],
) -> None:
    found = messages(message_class)
    assert found or is_base(message_class), "a message that is in no table"
    for message in found:
        for copied in (
            *[again(message, protocol) for protocol in PROTOCOLS],
            copy.copy(message),
            copy.deepcopy(message),
        ):
            assert type(copied) is type(message)
            assert repr(copied) == repr(message)
            assert copied.encode() == message.encode()
            assert hash(copied) == hash(copy.copy(message))


def test_the_cause_of_an_exception_response_is_kept() -> None:
    for protocol in PROTOCOLS:
        cause = again(CAUSED, protocol).cause
        assert isinstance(cause, InvalidRequestError)
        assert (str(cause), cause.exception_code) == ("wrong", 3)


def test_what_only_the_wire_may_say_is_kept() -> None:
    """A run indicator of 01 is ON, and its byte is not lost; nor is the length of the id."""
    response = ReportServerIdRequest(2).decode_response(bytes.fromhex("1103414201"))
    assert isinstance(response, ReportServerIdResponse)
    for protocol in PROTOCOLS:
        assert again(response, protocol).encode() == response.encode()
        assert again(response, protocol).server_id == b"AB"


# A real pool.


def test_a_pool_of_processes_gets_every_error_and_message() -> None:
    spawned = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawned) as pool:
        for error in ERRORS:
            with pytest.raises(type(error)) as caught:
                pool.submit(fail, error).result(timeout=30)
            check_error(error, caught.value)
        request, response = pool.submit(answer, SENT, b"\3\6\0\1\0\2\0\3").result(timeout=30)
        assert request == SENT
        assert response == ReadHoldingRegistersResponse([1, 2, 3])
