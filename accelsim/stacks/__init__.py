"""Stacks of layers done tile by tile: which pieces run when, what is loaded, and the room they need."""

from __future__ import annotations

from accelsim.stacks.graph import KEPT, StackGraph
from accelsim.stacks.steps import Steps, pieces, steps, timeline

__all__ = ["KEPT", "StackGraph", "Steps", "pieces", "steps", "timeline"]
