"""Typed values in registers: a float in two of them, a text in ten, BCD digits.

`to_registers` and `from_registers` convert single values, `RegisterBuilder` and `RegisterReader`
several in sequence; a custom type is one `ValueType`. Register maps are in `maps`.
"""

from . import building, missing, orders, texts, types
from .building import *  # noqa: F403
from .missing import *  # noqa: F403
from .orders import *  # noqa: F403
from .texts import *  # noqa: F403
from .types import *  # noqa: F403

__all__: list[str] = []
__all__ += building.__all__
__all__ += missing.__all__
__all__ += orders.__all__
__all__ += texts.__all__
__all__ += types.__all__
