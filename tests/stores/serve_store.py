"""A Modbus server on a store: python serve_store.py URL NAME PORT"""

from __future__ import annotations

import sys

from modwire import Units
from modwire_stores import redis_unit, sql_unit
from modwire_sync import TcpServer

url, name, port = sys.argv[1:]
# Several processes that write to one SQLite file wait for each other.
unit = redis_unit(url, name) if url.startswith("redis") else sql_unit(url, name, timeout=20.0)
TcpServer(Units.single(unit), ("127.0.0.1", int(port)), workers=8).serve_forever()
