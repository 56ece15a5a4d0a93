"""Types that checkers must infer from the adapters; checked by mypy and pyright, never run."""

from __future__ import annotations

import asyncio

import trio
import trio.lowlevel
from typing_extensions import assert_type

import modwire_asyncio
import modwire_gevent
import modwire_sync
import modwire_trio
from modwire import (
    ClientOptions,
    DiagnosticsRequest,
    DiagnosticsResponse,
    GetCommEventLogResponse,
    RawRequest,
    RawResponse,
    ReadCoilsRequest,
    ReadCoilsResponse,
    ReadHoldingRegistersRequest,
    ReadHoldingRegistersResponse,
    ReportServerIdResponse,
    Response,
    RtuFraming,
    Units,
    WriteSingleRegisterRequest,
    WriteSingleRegisterResponse,
)
from modwire.messages.base import AnyRequest
from modwire.server.peers import HostPort


def sync_calls_give_plain_values(client: modwire_sync.TcpClient) -> None:
    assert_type(client.read_coils(0, 3), list[bool])
    assert_type(client.read_discrete_inputs(0), list[bool])
    assert_type(client.read_holding_registers(0, 3, unit=1, timeout=0.5), list[int])
    assert_type(client.read_input_registers(0), list[int])
    assert_type(client.read_write_registers(0, 1, 2, [3]), list[int])
    assert_type(client.read_file_records([(1, 0, 2)]), list[list[int]])
    assert_type(client.read_device_identification(), dict[int, bytes])
    assert_type(client.read_exception_status(), int)
    assert_type(client.get_comm_event_log(), GetCommEventLogResponse)
    assert_type(client.report_server_id(), ReportServerIdResponse)
    assert_type(client.canopen_general_reference(b""), bytes)
    assert_type(client.is_open, bool)
    assert_type(client.options, ClientOptions)
    assert_type(client.name, str)


def gevent_calls_give_plain_values(client: modwire_gevent.TcpClient) -> None:
    assert_type(client.read_coils(0, 3), list[bool])
    assert_type(client.read_holding_registers(0, 3, unit=1, timeout=0.5), list[int])
    assert_type(client.read_file_records([(1, 0, 2)]), list[list[int]])
    assert_type(client.read_device_identification(), dict[int, bytes])
    assert_type(client.get_comm_event_log(), GetCommEventLogResponse)
    assert_type(client.is_open, bool)
    assert_type(client.options, ClientOptions)


async def trio_calls_give_plain_values(client: modwire_trio.TcpClient) -> None:
    assert_type(await client.read_coils(0, 3), list[bool])
    assert_type(await client.read_discrete_inputs(0), list[bool])
    assert_type(await client.read_holding_registers(0, 3, unit=1, timeout=0.5), list[int])
    assert_type(await client.read_input_registers(0), list[int])
    assert_type(await client.read_write_registers(0, 1, 2, [3]), list[int])
    assert_type(await client.read_file_records([(1, 0, 2)]), list[list[int]])
    assert_type(await client.read_device_identification(), dict[int, bytes])
    assert_type(await client.read_exception_status(), int)
    assert_type(await client.get_comm_event_log(), GetCommEventLogResponse)
    assert_type(await client.report_server_id(), ReportServerIdResponse)
    assert_type(await client.canopen_general_reference(b""), bytes)
    assert_type(client.is_open, bool)
    assert_type(client.options, ClientOptions)
    assert_type(client.name, str)


async def asyncio_calls_give_plain_values(client: modwire_asyncio.TcpClient) -> None:
    assert_type(await client.read_coils(0, 3), list[bool])
    assert_type(await client.read_holding_registers(0, 3, unit=1, timeout=0.5), list[int])
    assert_type(await client.read_file_records([(1, 0, 2)]), list[list[int]])
    assert_type(await client.read_device_identification(), dict[int, bytes])
    assert_type(await client.get_comm_event_log(), GetCommEventLogResponse)
    assert_type(client.is_open, bool)
    assert_type(client.options, ClientOptions)
    assert_type(client.name, str)


def blocking_calls_give_the_response_of_their_request(
    sync: modwire_sync.Client, gevent: modwire_gevent.Client
) -> None:
    assert_type(sync.call(ReadCoilsRequest(0, 3)), ReadCoilsResponse)
    assert_type(sync.call(DiagnosticsRequest(2), unit=1, timeout=0.5), DiagnosticsResponse)
    assert_type(sync.call(RawRequest(0x41, b"")), RawResponse)
    assert_type(gevent.call(ReadCoilsRequest(0, 3)), ReadCoilsResponse)
    assert_type(gevent.call(WriteSingleRegisterRequest(0, 3)), WriteSingleRegisterResponse)


async def async_calls_give_the_response_of_their_request(
    client: modwire_trio.Client, other: modwire_asyncio.Client
) -> None:
    assert_type(await client.call(ReadCoilsRequest(0, 3)), ReadCoilsResponse)
    assert_type(await other.call(ReadCoilsRequest(0, 3)), ReadCoilsResponse)
    assert_type(await other.call(RawRequest(0x41, b""), unit=1, timeout=0.5), RawResponse)
    assert_type(
        await client.call(ReadHoldingRegistersRequest(0, 3), unit=1, timeout=0.5),
        ReadHoldingRegistersResponse,
    )
    assert_type(await client.call(RawRequest(0x41, b"")), RawResponse)


def with_gives_the_client_itself() -> None:
    with modwire_sync.TcpClient("127.0.0.1") as sync_tcp:
        assert_type(sync_tcp, modwire_sync.TcpClient)
    with modwire_sync.SerialClient("/dev/ttyUSB0", baudrate=9600) as sync_serial:
        assert_type(sync_serial, modwire_sync.SerialClient)
    with modwire_sync.connect("tcp://127.0.0.1") as sync_any:
        assert_type(sync_any, modwire_sync.Client)
    with modwire_gevent.UdpClient("127.0.0.1", retries=2) as gevent_udp:
        assert_type(gevent_udp, modwire_gevent.UdpClient)
    with modwire_gevent.connect("udp://127.0.0.1") as gevent_any:
        assert_type(gevent_any, modwire_gevent.Client)


async def async_with_gives_the_client_itself(stream: trio.abc.Stream) -> None:
    async with modwire_trio.TcpClient("127.0.0.1", framing=RtuFraming) as tcp:
        assert_type(tcp, modwire_trio.TcpClient)
    async with modwire_trio.SerialClient("/dev/ttyUSB0", baudrate=9600) as serial:
        assert_type(serial, modwire_trio.SerialClient)
    async with modwire_trio.Client(stream, max_in_flight=16) as own:
        assert_type(own, modwire_trio.Client)
    async with modwire_trio.connect("tcp://127.0.0.1") as connected:
        assert_type(connected, modwire_trio.Client)


async def asyncio_clients_take_transports_and_pairs(
    transport: asyncio.Transport, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    async with modwire_asyncio.Client(transport, max_in_flight=16) as own:
        assert_type(own, modwire_asyncio.Client)
    async with modwire_asyncio.Client((reader, writer), framing=RtuFraming) as pair:
        assert_type(pair, modwire_asyncio.Client)
    async with modwire_asyncio.SerialClient("/dev/ttyUSB0", baudrate=9600) as serial:
        assert_type(serial, modwire_asyncio.SerialClient)
    async with modwire_asyncio.connect("tcp://127.0.0.1") as connected:
        assert_type(connected, modwire_asyncio.Client)


async def asyncio_servers_are_entered_or_started(units: Units) -> None:
    async with modwire_asyncio.TcpServer(units, ("127.0.0.1", 0)) as server:
        assert_type(server, modwire_asyncio.TcpServer)
        assert_type(server.address, HostPort | str)
    started = await modwire_asyncio.UdpServer(units).start()
    assert_type(started, modwire_asyncio.UdpServer)
    assert_type(started.address, HostPort)
    await started.serve_forever()
    await started.shutdown(0.5)


def servers_know_where_they_are(units: Units) -> None:
    with modwire_sync.TcpServer(units, ("127.0.0.1", 0)) as sync_server:
        assert_type(sync_server, modwire_sync.TcpServer)
        assert_type(sync_server.address, HostPort | str)
    with modwire_gevent.UdpServer(units, ("127.0.0.1", 0)) as gevent_server:
        assert_type(gevent_server, modwire_gevent.UdpServer)
        assert_type(gevent_server.address, HostPort)


async def trio_servers_are_started_in_a_nursery(units: Units, nursery: trio.Nursery) -> None:
    await nursery.start(modwire_trio.serve_tcp, units, 502)
    await nursery.start(modwire_trio.serve_udp, units, 502)
    await nursery.start(modwire_trio.serve_unix, units, "/run/modwire.sock")
    await nursery.start(modwire_trio.serve_serial, units, "/dev/ttyUSB0")
    nursery.start_soon(modwire_trio.serve_tcp, units, 502)


class Doubling(modwire_trio.AsyncUnit):
    """A user-defined unit that is awaited."""

    async def execute(self, request: AnyRequest, *, broadcast: bool = False) -> Response | None:
        await trio.lowlevel.checkpoint()
        return await super().execute(request, broadcast=broadcast)


def units_may_be_remote(
    sync: modwire_sync.Client,
    gevent: modwire_gevent.Client,
    client: modwire_trio.Client,
    other: modwire_asyncio.Client,
) -> None:
    Units(
        {
            1: modwire_sync.RemoteUnit(sync, 1, timeout=0.5),
            2: modwire_gevent.RemoteUnit(gevent),
            3: modwire_trio.RemoteUnit(client, 3),
            4: Doubling(),
            5: modwire_asyncio.RemoteUnit(other, 3),
        }
    )


async def what_is_wrong_is_found(client: modwire_trio.TcpClient) -> None:
    """mypy reports an ignore that is not needed, so each line here must be an error."""
    client.read_coils(0)[0]  # type: ignore[index]
    await client.read_coils("0")  # type: ignore[arg-type]
    modwire_sync.TcpClient("127.0.0.1").read_coils(0, timeout="1")  # type: ignore[arg-type]
    modwire_sync.TcpClient("127.0.0.1", timout=1.0)  # type: ignore[call-arg]
    modwire_gevent.TcpServer({1: 2})  # type: ignore[arg-type]
    modwire_trio.RemoteUnit(modwire_sync.TcpClient("127.0.0.1"))  # type: ignore[arg-type]
    modwire_asyncio.RemoteUnit(modwire_sync.TcpClient("127.0.0.1"))  # type: ignore[arg-type]
    modwire_asyncio.Client("127.0.0.1")  # type: ignore[arg-type]
    modwire_asyncio.TcpServer({1: 2})  # type: ignore[arg-type]
