"""The read planner, the cheapest requests for a list of points; and the functions that write."""

from .limits import PlanLimits, Span
from .plan import DEFAULT_LIMITS, TEMPORARY_REFUSALS, Planner, plan
from .writes import WriteFunctions

__all__ = [
    "DEFAULT_LIMITS",
    "TEMPORARY_REFUSALS",
    "PlanLimits",
    "Planner",
    "Span",
    "WriteFunctions",
    "plan",
]
