"""Read and write the meter of examples/gevent/server.py."""

from modwire import IllegalDataAddressError
from modwire_gevent import TcpClient

with TcpClient("127.0.0.1", 5020, unit=1) as meter:
    print(meter.read_input_registers(0, 3))
    meter.write_register(0, 30)
    print(meter.read_holding_registers(0, 2))
    try:
        meter.read_holding_registers(100)
    except IllegalDataAddressError as error:
        print(error)
