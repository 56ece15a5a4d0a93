"""`BlockingCalls` and `AsyncCalls`: a method for every function, written once on `call`.

Every client of the adapters has them. Someone with an event loop of their own gets them all by
subclassing one and writing `call`.
"""

from .asynchronous import AsyncCalls
from .blocking import BlockingCalls

__all__ = ["AsyncCalls", "BlockingCalls"]
