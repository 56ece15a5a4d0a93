"""Options: adapters combine theirs with the user's, and mistakes are refused."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from modwire import (
    ClientOptions,
    ClientProtocol,
    Decoder,
    Quirks,
    RawRequest,
    RtuFraming,
    ServerOptions,
    WriteSingleRegisterRequest,
)
from modwire.client.constructors import SerialClientBase, TcpClientBase, UdpClientBase
from modwire.client.options import STREAM_CLIENT_TOLERANCE, network_client_options
from modwire.options import check_count
from modwire.server.execution import Executor
from modwire.server.options import merged_server_options

if TYPE_CHECKING:
    from collections.abc import Callable

    from modwire.framing.base import Framing
    from modwire.messages.base import AnyRequest

DEFAULTS: dict[str, Any] = {
    "unit": 1,
    "timeout": 1.0,
    "retries": 0,
    "max_in_flight": 1,
    "options": None,
}
REQUEST = WriteSingleRegisterRequest(5, 7)
HOOKS = ["authorize", "on_call", "on_error"]


def ignore(*details: object) -> bool:
    return True


# Copies with other values.


def test_a_copy_has_every_value_but_the_changed_ones() -> None:
    decoder = Decoder()
    options = ClientOptions(
        unit=17,
        response_timeout=2.5,
        retries=3,
        retry_writes=True,
        max_in_flight=4,
        turnaround=0.2,
        late_reply_window=0.5,
        quirks=Quirks.any_unit,
        silence=0.004,
        tolerance=0.02,
        suppress_echo=True,
        decoder=decoder,
    )
    copy = options.replace(retries=0)
    assert vars(copy) == vars(options) | {"retries": 0}
    assert copy.decoder is decoder
    assert options.retries == 3


def test_a_copy_of_server_options_keeps_the_hooks() -> None:
    options = ServerOptions(idle_timeout=60.0, authorize=ignore, on_call=ignore, on_error=ignore)
    copy = options.replace(idle_timeout=None)
    assert vars(copy) == vars(options) | {"idle_timeout": None}


def test_a_copy_is_checked_as_the_original_was() -> None:
    with pytest.raises(ValueError, match=r"unit must be 0\.\.255, got 256"):
        ClientOptions().replace(unit=256)
    with pytest.raises(TypeError, match="authorize"):
        ServerOptions().replace(authorize=5)
    with pytest.raises(TypeError, match="timeout"):
        ClientOptions().replace(timeout=2.0)


# Hooks.


@pytest.mark.parametrize("name", HOOKS)
@pytest.mark.parametrize("wrong", [5, "x", False, object()])
def test_a_hook_that_cannot_be_called_is_refused_when_it_is_given(name: str, wrong: Any) -> None:
    with pytest.raises(TypeError, match=rf"^{name}\(.*\) must be a function or None, got ") as told:
        ServerOptions(**{name: wrong})
    assert repr(wrong) in str(told.value)


@pytest.mark.parametrize("name", HOOKS)
def test_a_coroutine_function_is_no_hook(name: str) -> None:
    """Without await, the coroutine of `authorize` is true: all requests would be allowed."""

    async def hook(*details: object) -> bool:
        return False

    class Rules:
        async def method(self, *details: object) -> bool:
            return False

    for wrong in (hook, Rules().method):
        with pytest.raises(TypeError, match=rf"^{name}\(.*\) must not be a coroutine function"):
            ServerOptions(**{name: wrong})  # type: ignore[arg-type]


def test_whatever_else_can_be_called_is_a_hook() -> None:
    class Rule:
        def __call__(self, *details: object) -> bool:
            return True

    for hook in (ignore, Rule(), partial(ignore, 1), Rule().__call__, print):
        assert ServerOptions(on_error=hook).on_error == hook


# Clients over a network.


def test_the_arguments_of_a_network_client_arrive_in_its_options() -> None:
    options = network_client_options(
        unit=17, timeout=0.5, retries=3, max_in_flight=16, options=None
    )
    assert (options.unit, options.response_timeout, options.retries) == (17, 0.5, 3)
    assert options.max_in_flight == 16
    assert (options.silence, options.tolerance) == (0.0, STREAM_CLIENT_TOLERANCE)


@pytest.mark.parametrize(
    "argument", [{"unit": 2}, {"timeout": 2.0}, {"retries": 1}, {"max_in_flight": 2}]
)
def test_arguments_beside_options_are_refused(argument: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be left out beside options, which have them"):
        network_client_options(**DEFAULTS | argument | {"options": ClientOptions()})


def test_options_of_a_network_client_keep_what_they_say() -> None:
    given = ClientOptions(unit=3, retry_writes=True, silence=0.004, tolerance=0.5)
    options = network_client_options(**DEFAULTS | {"options": given})
    assert vars(options) == vars(given)


@pytest.mark.parametrize("given", [None, ClientOptions(), ClientOptions(silence=0.0)])
def test_a_network_may_tear_a_frame_apart_whose_end_is_silence(
    given: ClientOptions | None,
) -> None:
    """Without the tolerance, the first piece would count as a frame with a wrong CRC."""
    client = ClientProtocol(RtuFraming, network_client_options(**DEFAULTS | {"options": given}))
    exchange = client.start(RawRequest(0x41, b"\x01"), 17, now=0.0)
    assert client.data_to_send(0.01)
    answer = RtuFraming(Decoder(), is_server=True).wrap(17, 0, b"\x41\x01\x02\x03")
    client.receive_data(answer[:3], 0.10)
    due = client.deadline()
    assert due is not None
    assert due >= 0.14
    client.receive_data(answer[3:], 0.14)
    client.handle_timeout(0.25)
    assert exchange.result().data == b"\x01\x02\x03"


# Servers.


def merged(options: ServerOptions | None = None, **arguments: Any) -> ServerOptions:
    defaults: dict[str, Any] = {"authorize": None, "on_call": None, "on_error": ignore}
    return merged_server_options(options, **defaults | arguments)


def test_what_a_server_is_given_itself_goes_before_its_options() -> None:
    def other(*details: object) -> bool:
        return False

    options = ServerOptions(authorize=ignore, on_call=ignore, idle_timeout=5.0)
    both = merged(options, authorize=other, on_call=other, idle_timeout=9.0, is_connected=True)
    assert (both.authorize, both.on_call, both.idle_timeout) == (other, other, 9.0)
    kept = merged(options, is_connected=True)
    assert (kept.authorize, kept.on_call, kept.idle_timeout) == (ignore, ignore, 5.0)


def test_only_connections_can_be_idle_for_too_long() -> None:
    assert merged(ServerOptions(idle_timeout=5.0)).idle_timeout is None


def test_times_are_raised_to_what_the_link_needs_and_not_lowered() -> None:
    options = ServerOptions(silence=0.002, tolerance=0.02, suppress_echo=True)
    raised = merged(options, silence=0.004, tolerance=0.5)
    assert (raised.silence, raised.tolerance, raised.suppress_echo) == (0.004, 0.5, True)
    kept = merged(options, silence=0.001, tolerance=0.01)
    assert (kept.silence, kept.tolerance) == (0.002, 0.02)
    assert merged(suppress_echo=True).suppress_echo


def test_a_server_without_options_has_their_defaults() -> None:
    options = merged(is_connected=True)
    assert (options.authorize, options.on_call, options.idle_timeout) == (None, None, None)
    decoder = Decoder()
    assert merged(ServerOptions(decoder=decoder)).decoder is decoder


def test_an_error_is_told_to_the_adapter_first_and_then_to_the_user() -> None:
    told: list[tuple[str, object, BaseException]] = []

    def teller(name: str) -> Any:
        def on_error(peer: object, *details: Any) -> None:
            *unit, request, error = details
            assert request is REQUEST
            told.append((name, (peer, *unit), error))

        return on_error

    options = merged(ServerOptions(on_error=teller("user")), on_error=teller("adapter"))
    error = ValueError("in a unit")
    Executor(options, is_serial=False, peer="peer", role=None).report(REQUEST, error, 7)
    # The adapter logs the unit too; the user's hook has the arguments that it always had.
    assert told == [("adapter", ("peer", 7), error), ("user", ("peer",), error)]


def test_a_failing_on_error_of_the_user_is_told_to_the_adapter() -> None:
    told: list[BaseException] = []
    failure = ZeroDivisionError("in the hook")

    def fail(*details: object) -> None:
        raise failure

    def note(peer: object, unit: int | None, request: AnyRequest, error: BaseException) -> None:
        told.append(error)

    options = merged(ServerOptions(on_error=fail), on_error=note)
    error = ValueError("in a unit")
    assert options.on_error is not None
    options.on_error("peer", REQUEST, error)
    assert told == [error, failure]


def test_hooks_given_to_a_server_are_checked_too() -> None:
    with pytest.raises(TypeError, match="authorize"):
        merged(authorize=5)


@pytest.mark.parametrize("count", [0, -1, 1.5, "5", None, float("nan")])
def test_a_count_that_is_none_is_refused_by_name(count: object) -> None:
    with pytest.raises(ValueError, match="^max_calls must be a whole number, at least 1, got "):
        check_count("max_calls", count)  # type: ignore[arg-type]
    assert check_count("max_calls", 1) == 1


def test_options_of_another_kind_are_refused() -> None:
    with pytest.raises(TypeError, match="^options must be ClientOptions or None, got "):
        network_client_options(
            unit=1,
            timeout=1.0,
            retries=0,
            max_in_flight=1,
            options=ServerOptions(),  # type: ignore[arg-type]
        )
    with pytest.raises(TypeError, match="^options must be ServerOptions or None, got "):
        merged_server_options(
            ClientOptions(),  # type: ignore[arg-type]
            authorize=None,
            on_call=None,
            on_error=lambda *details: None,
        )


@pytest.mark.parametrize("wrong", [0, 1, "no", None])
def test_a_flag_is_true_or_false(wrong: Any) -> None:
    """Text such as "no" would count as True."""
    for options in (
        partial(ClientOptions, retry_writes=wrong),
        partial(ClientOptions, suppress_echo=wrong),
        partial(ServerOptions, suppress_echo=wrong),
    ):
        with pytest.raises(ValueError, match=f"must be True or False, got {wrong!r}"):
            options()


# Mistakes in arguments.


class TcpClient(TcpClientBase):
    def _set_up(self, name: str, framing: type[Framing], options: ClientOptions) -> None:
        self.made = options


class UdpClient(UdpClientBase):
    def _set_up(self, name: str, framing: type[Framing], options: ClientOptions) -> None:
        self.made = options


class SerialClient(SerialClientBase):
    def _set_up(self, name: str, framing: type[Framing], options: ClientOptions) -> None:
        self.made = options


@pytest.mark.parametrize(
    ("make", "arguments", "said"),
    [
        (
            ClientOptions,
            {"timeout": 2},
            "ClientOptions has no argument 'timeout'; did you mean 'response_timeout'?",
        ),
        (ServerOptions, {"idel_timeout": 2}, "ServerOptions .*; did you mean 'idle_timeout'?"),
        (
            partial(TcpClient, "meter"),
            {"pauze": 1},
            "^TcpClient has no argument 'pauze'; did you mean 'pause'?",
        ),
        (partial(TcpClient, "meter"), {"response_timeout": 1}, "did you mean 'timeout'?"),
        (partial(TcpClient, "meter"), {"xyz": 1}, "TcpClient has no .* it has .*unit, timeout"),
        (
            partial(TcpClient, "meter"),
            {"baudrate": 1},
            "TcpClient has no argument 'baudrate', which is for serial lines",
        ),
        (partial(UdpClient, "meter"), {"keepalive": True}, "^UdpClient .* for TCP connections"),
        (
            partial(SerialClient, "/dev/null"),
            {"max_in_flight": 4},
            "SerialClient has no argument 'max_in_flight', which is for MBAP frames",
        ),
        (partial(SerialClient, "/dev/null"), {"echo": True}, "^SerialClient has no argument"),
    ],
)
def test_an_unknown_argument_is_named_with_the_class_that_was_called(
    make: Callable[..., object], arguments: dict[str, Any], said: str
) -> None:
    with pytest.raises(TypeError, match=said.replace("?", "[?]")):
        make(**arguments)


@pytest.mark.parametrize(
    ("make", "arguments", "said"),
    [
        (partial(TcpClient, "meter"), {"silence": 0.1}, "has no silence, which is for RTU frames"),
        (partial(TcpClient, "meter"), {"suppress_echo": True}, "which is for serial frames"),
        (
            partial(TcpClient, "meter", framing=RtuFraming),
            {"max_in_flight": 2},
            "a client over tcp with RtuFraming has no max_in_flight, which is for MBAP frames",
        ),
        (partial(UdpClient, "meter"), {"reconnect_after": 1}, "which is for connections"),
        (
            partial(TcpClient, "meter"),
            {"quirks": Quirks.answers_unit_zero | Quirks.any_unit},
            "has no quirks answers_unit_zero, which are for serial frames",
        ),
        (
            partial(SerialClient, "/dev/null"),
            {"quirks": Quirks.wrong_length},
            "has no quirks wrong_length, which are for MBAP frames",
        ),
        (partial(SerialClient, "/dev/null"), {"quirks": "any_unit"}, "such as Quirks.any_unit"),
        (ClientOptions, {"quirks": ["any_unit"]}, "such as Quirks.any_unit | .* got .'any_unit'"),
        (ClientOptions, {"reconnect_after": "never"}, "or None for never, got 'never'"),
        (ClientOptions, {"pause": "100ms"}, "at least 0 seconds, at most 1e9, got '100ms'"),
    ],
)
def test_an_argument_that_has_no_effect_is_refused(
    make: Callable[..., object], arguments: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        make(**arguments)


def test_options_that_clients_share_may_have_more_than_one_of_them_uses() -> None:
    shared = ClientOptions(quirks=Quirks.wrong_length | Quirks.answers_unit_zero, silence=0.1)
    for client in (TcpClient("meter", options=shared), SerialClient("/dev/null", options=shared)):
        assert client.made.quirks == shared.quirks


def test_options_show_what_differs_from_the_defaults() -> None:
    assert repr(ClientOptions()) == "ClientOptions()"
    options = ClientOptions(pause=0.1, unit=3, reconnect_after=None, quirks=Quirks.any_unit)
    text = repr(options)
    assert text.startswith("ClientOptions(unit=3, reconnect_after=None, pause=0.1, quirks=")
    assert "any_unit" in text
    assert repr(ServerOptions(idle_timeout=5)) == "ServerOptions(idle_timeout=5)"
    decoder = Decoder()
    assert "decoder" not in repr(ClientOptions(decoder=decoder))
    decoder.register(WriteSingleRegisterRequest)
    assert "decoder=Decoder(" in repr(ClientOptions(decoder=decoder)), "it has another function now"
