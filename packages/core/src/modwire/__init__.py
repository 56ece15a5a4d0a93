"""modwire: the MODBUS protocol without I/O. Feed it bytes and times, it gives bytes and answers."""
