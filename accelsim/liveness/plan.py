"""`memory_plan`: the peak of live activations of a network, who makes it, and where everything lies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from accelsim.arguments import wrong
from accelsim.liveness.offsets import offsets
from accelsim.liveness.order import best_order
from accelsim.liveness.patches import PatchStage, patch_stage, stage_end
from accelsim.liveness.rules import Rules, rules_of
from accelsim.liveness.tensors import Moment, Tensors, sizes_of

if TYPE_CHECKING:
    from accelsim.hardware import Accelerator
    from accelsim.workloads.network import Network

CHANNEL_BYTES = 8
"""Bias of 32 bit and scale of 32 bit of an output channel, as TinyEngine's int8 kernels keep them."""


@dataclass(frozen=True)
class MemoryPlan:
    """Activations of a network in one memory. Sizes are bytes.

    peak          the most that is live at once, workspaces included
    live          the same without workspaces
    layer         where the peak is; `tensors` are the bytes of what lives there, by the layer that makes it
    workspace     buffers beside the tensors, and the runtime of a microcontroller
    order         names of the layers in the order planned
    given_peak    `peak` in the network's own order
    lowest_peak   no order has less (equal to `peak` where the order is proved best)
    addresses     first byte of each tensor; they take `arena` bytes, workspaces included
    flash         weights, 8 bytes an output channel for bias and scale, and the code of a microcontroller
    patches       the first layers patch by patch, if asked for
    steps         bytes live while each operator runs, [(layer, bytes by tensor)], after the patches
    """

    network: Network
    rules: Rules
    peak: int
    live: int
    layer: str
    tensors: dict[str, int]
    workspace: int
    order: tuple[str, ...]
    given_peak: int
    lowest_peak: int
    addresses: dict[str, int]
    arena: int
    flash: int
    patches: PatchStage | None
    steps: tuple[tuple[str, dict[str, int]], ...]

    @property
    def macs(self) -> int:
        """Multiply-accumulates, with those that patches do twice."""
        stage = self.patches
        return self.network.macs + (stage.macs - stage.macs_layers if stage else 0)

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain JSON values."""
        stage = self.patches
        return {
            "network": self.network.name,
            "batch": self.network.batch,
            "peak_bytes": self.peak,
            "live_bytes": self.live,
            "workspace_bytes": self.workspace,
            "layer": self.layer,
            "tensors": self.tensors,
            "given_order_peak_bytes": self.given_peak,
            "lowest_peak_bytes": self.lowest_peak,
            "order": list(self.order),
            "arena_bytes": self.arena,
            "addresses": self.addresses,
            "flash_bytes": self.flash,
            "macs": self.macs,
            "patches": None if stage is None else vars(stage),
            "steps": [{"layer": layer, "tensors": live} for layer, live in self.steps],
        }


def memory_plan(
    network: Network | str | dict[str, Any],
    hardware: Accelerator | str | dict[str, Any] | None = None,
    rules: Rules | None = None,
    *,
    patches: tuple[str, int] | None = None,
    reorder: bool = True,
) -> MemoryPlan:
    """Plan where a network's activations live.

    network   a `Network`, or anything that `load_network` reads
    hardware  gives the widths of inputs, outputs and weights; without it they are 8 bit. A microcontroller
              also gives rules, and what its runtime and its code take
    rules     what may be written over, workspaces and alignment; by default depthwise layers work in place
    patches   (layer, n): the layers up to this one run in n x n patches of its output
    reorder   look for the order with the smallest peak, exactly; where none is better the given one stays

    Raises AccelsimError where something cannot be read, or the patches cannot be cut.
    """
    from accelsim.hardware import load_hardware
    from accelsim.hardware.holding import first_holder
    from accelsim.workloads.load import load_network

    if rules is not None and not isinstance(rules, Rules):
        raise wrong("rules", "Rules", rules)
    if patches is not None and not (isinstance(patches, tuple | list) and len(patches) == 2):
        raise wrong("patches", "a layer and a number of patches along each side", patches)
    net = load_network(network)
    hw = None if hardware is None else load_hardware(hardware)
    widths, made, rules = (8, 8, 8), None, rules or rules_of(hw)
    if hw is not None:
        bits, made = hw.kept_bits(first_holder(hw, "O")), hw.microcontroller
        widths = (bits.input, bits.output, bits.weight)
    tensors = Tensors(net, rules, sizes_of(net, *widths[:2]))
    end = stage_end(net, patches[0]) if patches else -1
    stage = patch_stage(tensors, end, patches[1]) if patches else None
    sizes = [rules.workspaces(x) for x in net.layers]
    workspace = sum(rules.aligned(max(kind)) for kind in zip(*sizes)) + (made.runtime_bytes if made else 0)
    given = tensors.moments()
    order, lowest = list(range(len(given))), _peak(given, tensors, end)
    if stage is None and reorder:
        order, lowest, _ = best_order(tensors)
    moments = tensors.moments(order)
    if _peak(moments, tensors, end) >= _peak(given, tensors, end):
        order, moments = list(range(len(given))), given
    late = [m for m in moments if tensors.operators[m.operator].layers[-1] > end]
    worst = max(late, key=lambda m: m.total, default=None)
    live, layer, there = _at(tensors, worst)
    if stage is not None and stage.peak >= live:
        live, layer, there = stage.peak, stage.layer, stage.tensors
    places, arena = offsets(tensors, late) if late else ({}, 0)
    flash = -(-_weight_bits(net, widths[2]) // 8) + CHANNEL_BYTES * sum(
        x.K * x.G for x, w in zip(net.layers, net.weights_of) if w
    )
    flash += made.code_bytes if made else 0
    return MemoryPlan(
        net, rules, live + workspace, live, layer, there, workspace,
        tuple(net.names[i] for n in order for i in tensors.operators[n].layers),
        max(_peak(given, tensors, end), stage.peak if stage else 0) + workspace,
        max(lowest, stage.peak if stage else 0) + workspace,
        {tensors.name(t): at for t, at in places.items()},
        max(arena, stage.peak if stage else 0) + workspace,
        flash, stage,
        tuple(_at(tensors, m)[1:] for m in late),
    )  # fmt: skip


def _weight_bits(net: Network, width: int) -> int:
    """Bits of all weights, each layer's at its own width; shared ones at the widest of the network."""
    own = [layer.bits.weight or width for layer in net.layers]
    if net.held:
        return net.weights * max(own)
    return sum(count * bits for count, bits in zip(net.weights_of, own, strict=True))


def _peak(moments: list[Moment], tensors: Tensors, end: int) -> int:
    return max((m.total for m in moments if tensors.operators[m.operator].layers[-1] > end), default=0)


def _at(tensors: Tensors, moment: Moment | None) -> tuple[int, str, dict[str, int]]:
    if moment is None:
        return 0, "", {}
    operator = tensors.operators[moment.operator]
    live = {tensors.name(t): size for t, size in moment.tensors.items() if size}
    if moment.extra:
        made = tensors.name(operator.makes)
        live[made] = live.get(made, 0) + moment.extra
    return moment.total, tensors.network.names[operator.layers[-1]], live
