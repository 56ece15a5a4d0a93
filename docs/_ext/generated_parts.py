"""Fills pages with parts that are made of the code, before they are parsed.

- `<!-- generated: NAME -->` stands for the part with that name in the folder `parts`.
- `<!-- api: MODULE NAME... -->` stands for the documentation of these names, by autodoc.
"""

from __future__ import annotations

import importlib
import inspect
import re
from typing import TYPE_CHECKING

from parts import PARTS

if TYPE_CHECKING:
    from sphinx.application import Sphinx

_PART = re.compile(r"^<!-- generated: ([\w-]+) -->$", re.MULTILINE)
_API = re.compile(r"^<!-- api: ([\w.]+)((?:\s+\w+)+)\s*-->$", re.MULTILINE)
# Classes of adapters show what they inherit from the kit, but not each of the calls once more.
_ADAPTERS = ("modwire_sync", "modwire_asyncio", "modwire_trio", "modwire_gevent")
_CALLS = "BlockingCalls,AsyncCalls,BaseUnit,Units,Client,Exception,object"


def filled(text: str) -> str:
    """Return a page with all its parts. Raises KeyError for an unknown one."""
    text = _PART.sub(lambda found: PARTS[found[1]](), text)
    return _API.sub(lambda found: _documented(found[1], found[2].split()), text)


def _documented(module: str, names: list[str]) -> str:
    links = [f"{{py:obj}}`{name} <{module}.{name}>`" for name in names]
    lines = [*([", ".join(links), ""] if len(names) > 1 else []), "```{eval-rst}"]
    for name in names:
        value: object = getattr(importlib.import_module(module), name)
        if inspect.isclass(value):
            lines += [f".. autoclass:: {module}.{name}", "   :members:"]
            if module.startswith(_ADAPTERS):
                lines += [f"   :inherited-members: {_CALLS}"]
        else:
            kind = "function" if inspect.isroutine(value) else "data"
            lines += [f".. auto{kind}:: {module}.{name}"]
        lines.append("")
    return "\n".join([*lines, "```"])


def setup(app: Sphinx) -> dict[str, bool]:
    """Fill each page before it is parsed."""

    def fill(app: Sphinx, name: str, source: list[str]) -> None:
        source[0] = filled(source[0])

    app.connect("source-read", fill)
    return {"parallel_read_safe": True}
