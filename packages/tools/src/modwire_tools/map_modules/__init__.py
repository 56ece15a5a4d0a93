"""Device files as modules with `RegisterMap` classes: `class_module`, for `modwire map class`."""

from .writing import ClassModule, class_module

__all__ = ["ClassModule", "class_module"]
