"""A meter with its values in Redis, until Ctrl+C: pip install modwire-stores[redis]

Another program sets the voltage: redis-cli BITFIELD meter:input_registers SET u16 "#0" 2304
"""

from contextlib import suppress

from modwire import Units
from modwire_stores import redis_unit
from modwire_sync import TcpServer

unit = redis_unit("redis://127.0.0.1:6379/0", "meter", addresses=range(100))
with unit as meter, suppress(KeyboardInterrupt):
    TcpServer(Units({1: meter}), ("127.0.0.1", 5020)).serve_forever()
