"""The read planner: the fewest and cheapest requests for a list of points."""

from .limits import PlanLimits, Span
from .plan import DEFAULT_LIMITS, Planner, plan

__all__ = ["DEFAULT_LIMITS", "PlanLimits", "Planner", "Span", "plan"]
