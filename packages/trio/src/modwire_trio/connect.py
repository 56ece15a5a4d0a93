"""`connect`: the client for an endpoint, which is one line of text such as a setting."""

from __future__ import annotations

from modwire.endpoint import Endpoint
from modwire.framing import FRAMINGS

from .client import Client
from .network import TcpClient, UdpClient, UnixClient
from .serial_client import SerialClient


def connect(endpoint: str | Endpoint) -> Client:
    """The client for `endpoint`, such as "tcp://192.0.2.1" or "rtu:///dev/ttyUSB0?baudrate=9600".

    It connects on entering `async with`, or on its first call. Raises ValueError for what is no
    endpoint (`Endpoint.parse` lists what is), and for tls, which this version does not speak.
    """
    if isinstance(endpoint, str):
        endpoint = Endpoint.parse(endpoint)
    framing = FRAMINGS[endpoint.framing]
    unit = 1 if endpoint.unit is None else endpoint.unit
    retries = endpoint.retries or 0
    if endpoint.transport == "serial":
        return SerialClient(
            endpoint.path,
            framing=framing,
            baudrate=endpoint.baudrate,
            bytesize=endpoint.bytesize,
            parity=endpoint.parity,
            stopbits=endpoint.stopbits,
            unit=unit,
            timeout=endpoint.timeout,
            retries=retries,
        )
    timeout = 1.0 if endpoint.timeout is None else endpoint.timeout
    if endpoint.transport == "unix":
        return UnixClient(
            endpoint.path, framing=framing, unit=unit, timeout=timeout, retries=retries
        )
    if endpoint.transport == "tls":
        raise ValueError(f"endpoint {str(endpoint)!r}: TLS is not supported by this version")
    client = UdpClient if endpoint.transport == "udp" else TcpClient
    return client(
        endpoint.host,
        endpoint.port,
        framing=framing,
        unit=unit,
        timeout=timeout,
        retries=retries,
    )
