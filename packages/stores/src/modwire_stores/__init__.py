"""Coils and registers in Redis or in an SQL database, for the servers of any adapter."""

from .redis_store import RedisBlock, RedisStore, redis_unit
from .sql_store import SqlBlock, SqlStore, sql_unit
from .store import Store, StoreBlock, StoreUnit

__version__ = "0.2.0"
__all__ = [
    "RedisBlock",
    "RedisStore",
    "SqlBlock",
    "SqlStore",
    "Store",
    "StoreBlock",
    "StoreUnit",
    "redis_unit",
    "sql_unit",
]
