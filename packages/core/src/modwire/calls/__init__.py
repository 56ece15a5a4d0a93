"""`BlockingCalls` and `AsyncCalls`: a method for every function, based on `call`.

The clients of all adapters inherit one. For another event loop, subclass one and define `call`.
"""

from .asynchronous import AsyncCalls
from .blocking import BlockingCalls

__all__ = ["AsyncCalls", "BlockingCalls"]
