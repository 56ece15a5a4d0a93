"""modwire: the MODBUS protocol without I/O: bytes and times go in, answers and bytes come out.

`ClientProtocol` and `ServerProtocol` are the two ends; docs/how-to/embed.md shows them at work.
"""

# ruff: noqa: F403, F405 - each module also lists its public names in its own __all__.

from .bits import pack_bits, unpack_bits
from .calls import AsyncCalls, BlockingCalls
from .checksums import crc16, lrc
from .client.exchange import Exchange
from .client.options import ClientOptions
from .client.protocol import ClientProtocol
from .endpoint import Endpoint
from .errors import *
from .framing import (
    FRAMINGS,
    AsciiFraming,
    BinaryFraming,
    Frame,
    Framing,
    PymodbusBinaryFraming,
    RtuFraming,
    TcpFraming,
)
from .messages.base import *
from .messages.bit_access import *
from .messages.comm_events import *
from .messages.decoder import *
from .messages.device import *
from .messages.device_status import *
from .messages.diagnostics import *
from .messages.encapsulated import *
from .messages.file_access import *
from .messages.modbus_plus import *
from .messages.register_access import *
from .messages.register_operations import *
from .options import silent_interval
from .quirks import Quirks
from .server.call import Call
from .server.faulty_responses import FaultyResponse
from .server.options import ServerOptions
from .server.peers import AllowedNetworks
from .server.protocol import ServerProtocol
from .units.block import Block
from .units.datastore import Datastore, SequentialBlock, SparseBlock
from .units.identity import Identity
from .units.tables import reference
from .units.unit import BaseUnit, Unit, Waits
from .units.units import Units

__version__ = "0.2.0"
__all__ = [
    "FRAMINGS",
    "REQUESTS",
    "AcknowledgeError",
    "AllowedNetworks",
    "AsciiFraming",
    "AsyncCalls",
    "BaseUnit",
    "BinaryFraming",
    "Block",
    "BlockingCalls",
    "Call",
    "CanopenGeneralReferenceRequest",
    "CanopenGeneralReferenceResponse",
    "ClientOptions",
    "ClientProtocol",
    "CommEvent",
    "CommunicationRestartEvent",
    "ConnectionLostError",
    "Datastore",
    "Decoder",
    "Device",
    "DiagnosticsRequest",
    "DiagnosticsResponse",
    "DiagnosticsSubFunction",
    "Endpoint",
    "EnteredListenModeEvent",
    "ExceptionCode",
    "ExceptionResponse",
    "ExceptionResponseError",
    "Exchange",
    "FaultyResponse",
    "FileRecord",
    "FileRecordData",
    "Frame",
    "FrameError",
    "Framing",
    "GatewayPathUnavailableError",
    "GatewayTargetFailedError",
    "GetCommEventCounterRequest",
    "GetCommEventCounterResponse",
    "GetCommEventLogRequest",
    "GetCommEventLogResponse",
    "Identity",
    "IdentityObject",
    "IllegalDataAddressError",
    "IllegalDataValueError",
    "IllegalFunctionError",
    "InvalidRequestError",
    "InvalidResponseError",
    "LengthRule",
    "MaskWriteRegisterRequest",
    "MaskWriteRegisterResponse",
    "MemoryParityError",
    "Message",
    "ModbusError",
    "ModbusPlusOperation",
    "ModbusPlusStatistics",
    "NegativeAcknowledgeError",
    "ObjectId",
    "PymodbusBinaryFraming",
    "Quirks",
    "RawRequest",
    "RawResponse",
    "ReadCoilsRequest",
    "ReadCoilsResponse",
    "ReadDeviceIdCode",
    "ReadDeviceIdentificationRequest",
    "ReadDeviceIdentificationResponse",
    "ReadDiscreteInputsRequest",
    "ReadDiscreteInputsResponse",
    "ReadExceptionStatusRequest",
    "ReadExceptionStatusResponse",
    "ReadFifoQueueRequest",
    "ReadFifoQueueResponse",
    "ReadFileRecordRequest",
    "ReadFileRecordResponse",
    "ReadHoldingRegistersRequest",
    "ReadHoldingRegistersResponse",
    "ReadInputRegistersRequest",
    "ReadInputRegistersResponse",
    "ReadWriteMultipleRegistersRequest",
    "ReadWriteMultipleRegistersResponse",
    "RemoteReceiveEvent",
    "RemoteSendEvent",
    "ReportServerIdRequest",
    "ReportServerIdResponse",
    "Request",
    "Response",
    "ResponseTimeoutError",
    "RtuFraming",
    "SequentialBlock",
    "ServerDeviceBusyError",
    "ServerDeviceFailureError",
    "ServerOptions",
    "ServerProtocol",
    "SparseBlock",
    "TcpFraming",
    "Unit",
    "Units",
    "Waits",
    "WriteFileRecordRequest",
    "WriteFileRecordResponse",
    "WriteMultipleCoilsRequest",
    "WriteMultipleCoilsResponse",
    "WriteMultipleRegistersRequest",
    "WriteMultipleRegistersResponse",
    "WriteSingleCoilRequest",
    "WriteSingleCoilResponse",
    "WriteSingleRegisterRequest",
    "WriteSingleRegisterResponse",
    "counted_length",
    "crc16",
    "decode_request",
    "decode_response",
    "ends_by_silence",
    "fixed_length",
    "lrc",
    "pack_bits",
    "reference",
    "silent_interval",
    "unpack_bits",
]
