"""Objects show what they are: in a debugger, in a log, and in the report of a failed test."""

from __future__ import annotations

from modwire import (
    BlockingCalls,
    ClientOptions,
    Decoder,
    RawRequest,
    ReadCoilsRequest,
    SequentialBlock,
    ServerOptions,
    SparseBlock,
    Unit,
    Units,
)
from modwire.gateway.remote import BlockingRemoteUnit
from modwire.planner import PlanLimits, Planner, Span
from modwire.values import RegisterBuilder, RegisterReader


class Meter(Unit):
    pass


class OwnRequest(ReadCoilsRequest):
    function_code = 65


class Client(BlockingCalls):
    def __repr__(self) -> str:
        return "<Client>"


def test_units_show_their_tables() -> None:
    coils, registers = SequentialBlock(10, [0, 1]), SparseBlock({1: 1, 5: 0})
    assert repr(Unit()) == "<Unit without tables>"
    assert repr(Meter(coils, holding_registers=registers)) == (
        "<Meter coils=<SequentialBlock 10..11>, holding_registers=<SparseBlock of 2 addresses>>"
    )
    assert repr(Units({5: Unit(), 3: Unit()})) == "<Units [3, 5]>"


def test_remote_units_show_their_device() -> None:
    assert repr(BlockingRemoteUnit(Client(), 17)) == "<BlockingRemoteUnit: unit 17 of <Client>>"
    assert repr(BlockingRemoteUnit(Client())) == "<BlockingRemoteUnit: the unit of <Client>>"


def test_options_show_what_differs_from_the_defaults() -> None:
    assert repr(ClientOptions(pause=0.5)) == "ClientOptions(pause=0.5)"
    assert repr(ServerOptions(listen_only=True)) == "ServerOptions(listen_only=True)"
    decoder = Decoder()
    assert repr(decoder) == "Decoder()"
    decoder.register(OwnRequest)
    assert repr(ClientOptions(decoder=decoder)) == (
        "ClientOptions(decoder=<Decoder with OwnRequest>)"
    )


def test_a_planner_shows_what_it_knows() -> None:
    planner = Planner([Span("coils", 0), Span("holding_registers", 5, 2)])
    assert repr(planner) == "<Planner of 2 points, 0 unreadable>"
    planner.requests()
    planner.refused(Span("coils", 0))
    assert repr(planner) == "<Planner of 2 points, 1 unreadable>"
    assert repr(PlanLimits(max_gap=3)).startswith("PlanLimits(request_cost=16.0, item_cost=1.0")


def test_builders_and_readers_show_their_size_and_place() -> None:
    builder = RegisterBuilder().add("uint32", 7)
    assert repr(builder) == "<RegisterBuilder of 4 bytes>"
    reader = RegisterReader(builder.to_registers())
    reader.read("uint16")
    assert repr(reader) == "<RegisterReader at byte 2 of 4>"


def test_messages_show_the_call_that_makes_them() -> None:
    assert repr(RawRequest(65, b"\x01")) == "RawRequest(function_code=65, data=b'\\x01')"
