"""A serial port in front of devices on TCP: python examples/trio/serial_forwarder.py

The server on TCP answers the requests on the line for units 1 to 4. All other units are left to
the devices on the line itself. Runs until Ctrl+C.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial

import trio

from modwire_trio import Gateway, TcpClient, serve_serial

devices = TcpClient("127.0.0.1", 5020, timeout=0.5)
gateway = Gateway(devices, [1, 2, 3, 4])

if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        trio.run(partial(serve_serial, gateway, "/dev/ttyUSB0", baudrate=9600, parity="N"))
