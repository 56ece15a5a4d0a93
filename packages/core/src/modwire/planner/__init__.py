"""The read planner: the fewest and cheapest requests for a list of points."""

from .limits import PlanLimits, Span
from .plan import DEFAULT_LIMITS, TEMPORARY_REFUSALS, Planner, plan

__all__ = ["DEFAULT_LIMITS", "TEMPORARY_REFUSALS", "PlanLimits", "Planner", "Span", "plan"]
