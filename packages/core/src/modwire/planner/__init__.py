"""The read planner: many values, few requests."""

from .limits import PlanLimits, Span
from .plan import DEFAULT_LIMITS, Planner, plan

__all__ = ["DEFAULT_LIMITS", "PlanLimits", "Planner", "Span", "plan"]
