"""Modbus for blocking code: clients and servers on sockets and serial ports."""
