"""Figure of fused stacks: what each step computes and loads of which tensor, and where tensors wait."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from accelsim.errors import AccelsimError
from accelsim.fusion.room import home_of
from accelsim.report.style import face, new_figure, tidy
from accelsim.stacks import timeline

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from accelsim.fusion import StackCost
    from accelsim.network_cost import NetworkCost

MOST_STACKS = 4
"""Stacks drawn, those of most energy."""

MOST_STEPS = 24
"""Steps drawn, the first ones."""

LOADED, COMPUTED, KEPT = 1, 0, 4
"""Looks of the parts of a step's window, as in `style.face`."""


def stacks_figure(cost: NetworkCost) -> Figure:
    """A row a stack. Left, tensors by steps: a bar is what a step needs, with the part that is new to it.
    Right, the room that each tensor takes on chip.

    Raises AccelsimError where nothing is fused.
    """  # fmt: skip
    from matplotlib.patches import Patch

    if not cost.stacks:
        raise AccelsimError("--plot-stacks: no layers are fused here, so there is nothing to draw")
    dearest = sorted(cost.stacks, key=lambda s: -s.energy_pj)[:MOST_STACKS]
    shown = [s for s in cost.stacks if s in dearest]
    heights = [len(s.graph.nodes) + 3 for s in shown]
    figure = new_figure(10.0, 0.9 + 0.24 * sum(heights))
    rows = figure.subplots(len(shown), 2, squeeze=False, height_ratios=heights, width_ratios=(3, 1))
    for stack, (left, right) in zip(shown, rows):
        _steps(left, stack)
        _room(right, stack)
    many = f", {len(shown)} of {len(cost.stacks)} stacks" if len(shown) < len(cost.stacks) else ""
    figure.suptitle(f"{cost.network.name} on {cost.hardware.name}{many}")
    looks = {"loaded": LOADED, "computed": COMPUTED, "kept of earlier steps": KEPT}
    handles = [Patch(label=name, **face(look)) for name, look in looks.items()]
    figure.legend(handles=handles, ncols=3, loc="outside lower left", frameon=False, fontsize="small")
    parts = [Patch(label=name, **face(look)) for name, look in zip(_PARTS.values(), _LOOKS)]
    figure.legend(handles=parts, ncols=3, loc="outside lower right", frameon=False, fontsize="small")
    return figure


_PARTS = {"window": "window", "cols": "kept columns", "rows": "kept rows"}
_LOOKS = (0, 2, 3)


def _steps(axis: Axes, stack: StackCost) -> None:
    from matplotlib.ticker import MaxNLocator

    need, new = timeline(stack.graph, stack.stack.tile, stack.stack.kept)[:, :MOST_STEPS]
    count, nodes = need.shape
    numbers = np.arange(1, count + 1)
    high = 0.8 / np.maximum(need.max(axis=0), 1)
    for n in range(nodes):
        base = nodes - 1 - n - 0.4
        old, fresh = (need[:, n] - new[:, n]) * high[n], new[:, n] * high[n]
        axis.bar(numbers, old, 0.9, base, **face(KEPT))
        look = LOADED if n < len(stack.graph.loaded) else COMPUTED
        axis.bar(numbers, fresh, 0.9, base + old, **face(look))
        if stack.graph.stored[n]:
            axis.text(count + 0.6, base + 0.4, "stored", va="center", fontsize="x-small")
    axis.set_yticks(range(nodes), list(reversed(stack.graph.names)), fontsize="x-small")
    axis.set_ylim(-0.6, nodes - 0.4)
    axis.set_xlim(0.4, 1.5 + 1.12 * count)
    ticks = MaxNLocator(integer=True).tick_values(1, count)
    axis.set_xticks([tick for tick in ticks if 1 <= tick <= count])
    axis.tick_params(axis="x", labelsize="x-small")
    tiles = stack.count // stack.graph.images
    first = f"first {count} of {tiles} steps" if count < tiles else f"{tiles} step{'s' * (tiles > 1)}"
    p, q = stack.stack.tile
    axis.set_title(
        f"{stack.layers[0]} .. {stack.layers[-1]}: {first} of {p}x{q}, kept {stack.stack.kept}",
        fontsize="small",
        loc="left",
    )
    tidy(axis)


def _room(axis: Axes, stack: StackCost) -> None:
    names = stack.graph.names
    width = stack.bits.tensors[1] / 8192
    left = np.zeros(len(names))
    y = np.arange(len(names))[::-1]
    for look, part in zip(_LOOKS, _PARTS):
        size = np.array([stack.room[name][part] for name in names]) * width
        axis.barh(y, size, 0.8, left, **face(look))
        left += size
    axis.set_yticks(y, [])
    axis.set_ylim(-0.6, len(names) - 0.4)
    home = stack.hardware.memories[home_of(stack.hardware)]
    size_of = sum(home.parts().values()) / 1024
    axis.tick_params(axis="x", labelsize="x-small")
    axis.set_title(f"KiB in {home.name} of {size_of:,.0f}", fontsize="small", loc="left")
    tidy(axis)
