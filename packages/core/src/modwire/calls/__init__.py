"""`BlockingCalls` and `AsyncCalls`: a method for every function, based on `call`.

Every client of the adapters has them. For another event loop, subclass one and define `call`.
"""

from .asynchronous import AsyncCalls
from .blocking import BlockingCalls

__all__ = ["AsyncCalls", "BlockingCalls"]
