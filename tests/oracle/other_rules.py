"""The oracle with one rule replaced: a case that comes out different exercises that rule.

The numbers are those of the rules in `walk`.
"""

from __future__ import annotations

from tests.oracle.walk import PAIRS, Axis, Flow


class NoSliding(Flow):
    """Every fill brings the whole tile."""

    def sliding(self) -> tuple[bool, bool]:
        return False, False


class SlidingIntoMacs(Flow):
    """Treats the MACs like a memory when `j` advances (rule 3)."""

    def sliding(self) -> tuple[bool, bool]:
        self.to_macs = False
        return super().sliding()


class SlidingDespiteSplitAbove(Flow):
    """Forgets that a split above the parent ends sliding (rule 4)."""

    def sliding(self) -> tuple[bool, bool]:
        self.j_memory = max(self.j_memory, self.parent)
        return super().sliding()


class SlidingDespiteSplitBetween(Flow):
    """Lets the child's writes slide wherever its parent's reads could slide with forwarding (rule 4)."""

    def sliding(self) -> tuple[bool, bool]:
        axes = [axis for _, axis in self.problem.axes_between(self.j_memory, self.parent)]
        able = self.tensor == "I" and self.j_dim in PAIRS and not self.to_macs
        slides = able and not any(axis.dim in PAIRS[self.j_dim] for axis in axes)
        return slides, super().sliding()[1]


class ForwardingThroughBypass(Flow):
    """Lets a whole array slide as one through the memories that the input passes by (rule 5)."""

    def sliding(self) -> tuple[bool, bool]:
        child, parent = super().sliding()
        if self.tensor == "I" and self.j_dim in PAIRS and not self.to_macs:
            pair = PAIRS[self.j_dim]
            above = [a for _, a in self.problem.axes_between(self.j_memory, self.parent) if a.dim in pair]
            splits = [a for _, a in self.problem.axes_between(self.parent, self.child) if a.dim in pair]
            parent = not above and all(axis.forwarding for axis in splits)
        return child, parent

    def joins(self, memory: int, axis: Axis) -> bool:
        pair = PAIRS.get(self.j_dim, "")
        return super().joins(memory, axis) or (self.sliding()[1] and axis.dim in pair and axis.multicast)


class NoHalo(Flow):
    """Never shares halo between instances (rule 6)."""

    def joins(self, memory: int, axis: Axis) -> bool:
        return super().joins(memory, axis) and not (self.tensor == "I" and axis.dim in PAIRS)


class HaloEverywhere(Flow):
    """Shares halo through bypassed memories too (rule 6)."""

    def joins(self, memory: int, axis: Axis) -> bool:
        return axis.reduction if self.tensor == "O" else axis.multicast


RULES = {
    "macs-keep-nothing": SlidingIntoMacs,
    "sliding-lost:split-above": SlidingDespiteSplitAbove,
    "sliding-lost:split-between": SlidingDespiteSplitBetween,
    "sliding-lost:forwarding-through-bypass": ForwardingThroughBypass,
    "halo-shared": NoHalo,
    "halo-not-shared-through-bypass": HaloEverywhere,
}
"""Feature -> the oracle without the rule that makes it one. All concern the inputs."""
