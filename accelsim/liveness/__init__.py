"""How much memory a network's activations take: what lives when, in which order, and where."""

from __future__ import annotations

from accelsim.liveness.plan import MemoryPlan, memory_plan
from accelsim.liveness.rules import Rules, rules_of

__all__ = ["MemoryPlan", "Rules", "memory_plan", "rules_of"]
