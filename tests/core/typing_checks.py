"""Types that checkers must infer; checked by mypy and pyright, never run."""

from __future__ import annotations

from typing_extensions import assert_type

from modwire.calls import AsyncCalls, BlockingCalls
from modwire.messages.bit_access import ReadCoilsRequest, ReadCoilsResponse
from modwire.messages.diagnostics import DiagnosticsRequest, DiagnosticsResponse
from modwire.messages.encapsulated import (
    ReadDeviceIdentificationRequest,
    ReadDeviceIdentificationResponse,
)
from modwire.messages.register_access import WriteSingleRegisterRequest, WriteSingleRegisterResponse
from modwire.messages.register_operations import (
    ReadWriteMultipleRegistersRequest,
    ReadWriteMultipleRegistersResponse,
)


def a_blocking_call_gives_the_response_of_its_request(client: BlockingCalls) -> None:
    assert_type(client.call(ReadCoilsRequest(0, 3)), ReadCoilsResponse)
    assert_type(client.call(WriteSingleRegisterRequest(0, 3)), WriteSingleRegisterResponse)
    assert_type(
        client.call(ReadWriteMultipleRegistersRequest(0, 3, 0, [1]), unit=1, timeout=0.5),
        ReadWriteMultipleRegistersResponse,
    )
    assert_type(client.call(DiagnosticsRequest(2)), DiagnosticsResponse)
    assert_type(client.call(ReadDeviceIdentificationRequest(1)), ReadDeviceIdentificationResponse)
    assert_type(client.read_coils(0, 3), list[bool])
    assert_type(client.read_device_identification(), dict[int, bytes])


async def an_async_call_gives_the_response_of_its_request(client: AsyncCalls) -> None:
    assert_type(await client.call(ReadCoilsRequest(0, 3)), ReadCoilsResponse)
    assert_type(await client.call(DiagnosticsRequest(2)), DiagnosticsResponse)
    assert_type(await client.read_holding_registers(0, 3), list[int])
