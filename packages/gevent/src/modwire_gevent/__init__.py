"""Modbus for gevent: clients and servers on sockets and serial ports."""
