"""Modbus for trio: clients and servers on sockets, streams and serial ports."""
