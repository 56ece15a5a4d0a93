"""A meter with its values in a SQLite file, until Ctrl+C: pip install modwire-stores[sql]

Another program reads them: sqlite3 meter.db "SELECT block, address, value FROM meter"
For PostgreSQL, replace the file with a URL such as "postgresql://user@host/name".
"""

from contextlib import suppress

from modwire import Units
from modwire_stores import sql_unit
from modwire_sync import TcpServer

with sql_unit("meter.db", "meter", addresses=range(100)) as meter, suppress(KeyboardInterrupt):
    TcpServer(Units({1: meter}), ("127.0.0.1", 5020)).serve_forever()
