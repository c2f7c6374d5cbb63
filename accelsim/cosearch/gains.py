"""Where a design's gain over the base chip comes from, one step after another, and each step alone.

First the network, where the search chose it: from the largest of its space to the design's; then precisions
of its layers, where those were searched. On that network better mappings, then what the design's axes may
carry and the base's may not, then sizes and ports, then stacks. The factors of the steps multiply to the
whole; each is of its step in this order, and another order would share the gain out differently. So each is
told alone too: what it gains where nothing else changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from accelsim.cosearch.freed import spread_dims
from accelsim.cosearch.metrics import mean
from accelsim.cosearch.mixed import MixedNets, MixedSubnets
from accelsim.cosearch.nets import SubnetSpace
from accelsim.cosearch.setup import WHOLE
from accelsim.costing import mapped
from accelsim.hardware import Accelerator
from accelsim.hardware.freedom import freedoms, with_freedoms
from accelsim.network_cost import NetworkMapping
from accelsim.pricing.models.loopnest import LoopNest
from accelsim.pricing.network import NetworkPricer
from accelsim.pricing.run import Run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from accelsim.cosearch.found import Found
    from accelsim.cosearch.result import SearchResult
    from accelsim.workloads.network import Network


@dataclass(frozen=True)
class GainStep:
    """One step from the base chip to the design.

    name     "start", "network", "precisions", "mappings", "freedom", "sizes and ports" (with "widths, "
             before it where the chip's differ) or "stacks"
    what     which network, whose mappings, which freedom
    edp_js   after it, geometric mean over the networks
    gain     how many times less than before it
    alone    how many times less than at the start if nothing but this step is taken; None where there is no
             such thing: an array that needs freedoms has no sizes without them
    """

    name: str
    what: str
    edp_js: float
    gain: float
    alone: float | None = None


def gains(result: SearchResult, found: Found, design: Sequence[NetworkMapping]) -> tuple[GainStep, ...]:
    """The steps to a design, whose mappings are given.

    Nothing where accelsim's own model did not price it, or its mappings are genes.
    """
    config = result.config
    if config.model != "accelsim" or config.strategy not in WHOLE:
        return ()
    base, (chip, networks, label) = result.setup.base, result.design(found)
    searched = result.pricer(found)
    template = NetworkPricer(LoopNest(result.setup.way("template")))
    first = base_networks(result)

    def edp(on: Accelerator, nets: Sequence[Network], by: NetworkPricer, fuse: bool = False) -> float:
        return _edp([mapped(Run(on, net, fuse=fuse), by) for net in nets], config.weights)

    plain = plain_networks(result, found)
    begun = edp(base, first or plain or networks, template)
    begins = f"{base.name}, template mappings"
    out = [GainStep("start", begins if first is None else f"{begins}, largest network", begun, 1.0)]

    def add(name: str, what: str, after: float, alone: float | None) -> None:
        gain = None if alone is None else begun / alone
        out.append(GainStep(name, what, after, out[-1].edp_js / after, gain))

    if first is not None:
        after = edp(base, plain or networks, template)
        name = label.partition(" ")[0]  # without what precisions add
        add("network", name.partition(":")[2] or name, after, after)
    if plain is not None:
        after = edp(base, networks, template)
        add("precisions", "of its layers", after, None if first is not None else after)
    whole = first or plain or networks
    fused = any(one.cost.stacks for one in design)
    add("mappings", found.mapper or config.mapper, edp(base, networks, searched), edp(base, whole, searched))
    granted = found.granted if found.base else freedoms(base, chip, tuple(spread_dims(design)))
    for n, freedom in enumerate(granted, 1):
        free = edp(with_freedoms(base, granted[:n]), networks, searched)
        add("freedom", str(freedom), free, edp(with_freedoms(base, [freedom]), whole, template))
    if not found.base or found.sizes:
        alone = None if freedoms(base, chip) else edp(chip, whole, template)
        widths = "widths, " if chip.precision_bits != base.precision_bits else ""
        after = edp(chip, networks, searched) if fused else _edp(design, config.weights)
        add(f"{widths}sizes and ports", "of this design", after, alone)
    if fused:
        alone = edp(base, whole, template, fuse=True) if config.fuse == "auto" else None
        add("stacks", "fused layers", _edp(design, config.weights), alone)
    return tuple(out)


def plain_networks(result: SearchResult, found: Found) -> tuple[Network, ...] | None:
    """The networks of a design in the chip's precision; None where layers have no other."""
    phase, row = result.located(found.name)
    if not isinstance(phase.nets, MixedNets | MixedSubnets):
        return None
    return phase.nets.plain(phase.nets.canonical(phase.genome.split(row[None])[0])[0])


def base_networks(result: SearchResult) -> tuple[Network, ...] | None:
    """The largest network of the space that was searched; None where networks were given."""
    nets = result.setup.nets
    if not isinstance(nets, SubnetSpace):
        return None
    return (nets.space.to_network(nets.space.largest(), nets.batch),)


def _edp(costs: Sequence[NetworkMapping], weights: Sequence[float]) -> float:
    return mean((one.cost.edp_js for one in costs), weights)
