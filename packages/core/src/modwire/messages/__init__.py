"""Every message of the MODBUS Application Protocol V1.1b3, one class for each request and response."""

from .base import (
    ExceptionResponse,
    Message,
    RawRequest,
    RawResponse,
    Request,
    Response,
    counted_length,
    ends_by_silence,
    fixed_length,
)
from .decoder import REQUESTS, Decoder, decode_request, decode_response
