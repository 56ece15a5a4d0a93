"""A serial port in front of devices on TCP: python examples/sync/serial_forwarder.py

The server on TCP answers the requests on the line for units 1 to 4. All other units are left to
the devices on the line itself. Runs until Ctrl+C.
"""

from __future__ import annotations

from contextlib import suppress

from modwire_sync import Gateway, SerialServer, TcpClient

devices = TcpClient("127.0.0.1", 5020, timeout=0.5)
gateway = Gateway(devices, [1, 2, 3, 4])

if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        SerialServer(gateway, "/dev/ttyUSB0", baudrate=9600, parity="N").serve_forever()
