"""Where a design's gain over the base chip comes from, one step after another on the same networks.

Better mappings, then what the design's axes may carry and the base's may not, then sizes and ports, then
stacks. The factors of the steps multiply to the whole; each is of its step in this order, and another order
would share the gain out differently.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from accelsim.cosearch.setup import WHOLE
from accelsim.costing import NetworkMapping, mapped
from accelsim.hardware import Accelerator
from accelsim.hardware.freedom import freedoms, with_freedoms
from accelsim.pricing.network import Run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from accelsim.cosearch.result import Found, SearchResult


@dataclass(frozen=True)
class GainStep:
    """One step from the base chip to the design.

    name     "template mappings" (the start), "mappings", "freedom", "sizes and ports" (with "widths, " before
             it where precisions differ) or "stacks"
    what     which freedom, whose mappings
    edp_js   after it, geometric mean over the networks
    gain     how many times less than before it
    """

    name: str
    what: str
    edp_js: float
    gain: float


def gains(result: SearchResult, found: Found, design: Sequence[NetworkMapping]) -> tuple[GainStep, ...]:
    """The steps to a design, whose mappings are given.

    Nothing where accelsim's own model did not price it, or its mappings are genes.
    """
    config = result.config
    if config.model != "accelsim" or config.strategy not in WHOLE:
        return ()
    base, chip = result.setup.base, result.design(found).chip
    pricer = result.pricer(found)

    def edp(on: Accelerator) -> float:
        return _edp([mapped(Run(on, net), pricer) for net in result.design(found).networks])

    out = [GainStep("template mappings", base.name, _edp(result.baseline(found, fuse=False)), 1.0)]

    def add(name: str, what: str, after: float) -> None:
        out.append(GainStep(name, what, after, out[-1].edp_js / after))

    fused = any(one.cost.stacks for one in design)
    add("mappings", found.mapper or config.mapper, edp(base))
    if not found.base:
        granted = freedoms(base, chip, tuple(_spread(design)))
        for n, freedom in enumerate(granted, 1):
            add("freedom", str(freedom), edp(with_freedoms(base, granted[:n])))
        widths = "widths, " if chip.precision_bits != base.precision_bits else ""
        add(f"{widths}sizes and ports", "of this design", edp(chip) if fused else _edp(design))
    if fused:
        add("stacks", "fused layers", _edp(design))
    return tuple(out)


def _spread(design: Sequence[NetworkMapping]) -> set[str]:
    """Dimensions that its mappings spread over axes."""
    levels = [level for one in design for _, part in one.cost.parts for level in part.mapping.levels]
    return {dim for level in levels for dim, factor in level.spatial.values() if factor > 1}


def _edp(costs: Sequence[NetworkMapping]) -> float:
    return float(prod(one.cost.edp_js ** (1 / len(costs)) for one in costs))
