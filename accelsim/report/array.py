"""The array as a map: which share of the compute cycles each lane is at work."""

from __future__ import annotations

import math
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import AccelsimError
from accelsim.mapping.cost import LayerCost
from accelsim.report.figures import title_of
from accelsim.report.style import INK, SEQUENTIAL, new_figure
from accelsim.workloads.layer import DIMS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_LANES = 1_000_000


class ArrayLanes(NamedTuple):
    """Share of the compute cycles that each lane works, float64[size of each axis], and the axes' names.

    Axes that share lanes are one.
    """

    share: NDArray[np.float64]
    names: tuple[str, ...]


def lane_shares(cost: LayerCost) -> ArrayLanes:
    """Walk the splits of each dimension; a lane's work is the product of what it gets of each.

    The mean over all lanes is `cost.utilisation_spatial`. Raises AccelsimError above MAX_LANES lanes.
    """
    hardware, layer = cost.hardware, cost.layer
    if hardware.num_pes > MAX_LANES:
        raise AccelsimError(f"an array map shows at most {MAX_LANES} MACs, but there are {hardware.num_pes}")
    batch = cost.mapping.arrays(hardware, layer)
    tile, dims, factors = batch.tile[0], batch.axis_dim[0], batch.axis_factor[0]
    used = [(m, a) for m, a in product(*map(range, factors.shape)) if factors[m, a] > 1]
    work = np.ones([int(factors[at]) for at in used])
    for d, dim in enumerate(DIMS):
        mine = [at for at in used if dims[at] == d]
        sizes = _work(layer.dims[dim], [int(u) for u in tile[:, d]], [
            [int(factors[m, a]) for a in range(factors.shape[1]) if (m, a) in mine]
            for m in range(len(tile))
        ])  # fmt: skip
        shape = [int(factors[at]) if at in mine else 1 for at in used]
        work = work * np.array(sizes, float).reshape(shape)
    share = work / cost.compute_steps
    if not layer.multiplies:
        share = share * cost.compute_steps / cost.compute_cycles
    return _physical(share, used, cost)


def _work(size: int, unions: list[int], splits: list[list[int]]) -> list[float]:
    """Elements of a dimension that each lane works on in all steps, lanes row by row."""
    if not unions:
        return [float(size)]
    union, factors = unions[0], splits[0]
    total: list[float] | None = None
    full, rest = divmod(size, union)
    for part, times in ((union, full), (rest, 1)):
        if not part or not times:
            continue
        parts = [part]
        nominal = union
        for factor in factors:
            nominal = -(-nominal // factor)
            parts = [min(max(p - k * nominal, 0), nominal) for p in parts for k in range(factor)]
        below = [w for p in parts for w in _work(p, unions[1:], splits[1:])]
        total = [times * w for w in below] if total is None else [a + times * w for a, w in zip(total, below)]
    return total or [0.0] * math.prod(f for level in splits for f in level)


def _physical(share: NDArray[np.float64], used: list[tuple[int, int]], cost: LayerCost) -> ArrayLanes:
    """Factors that share an axis's lanes lie on it one after the other; lanes without work get 0."""
    sizes, names, columns = [], [], []
    for m, memory in enumerate(cost.hardware.memories):
        hosts = [axis.axis for axis in memory.fanout]
        for a, axis in enumerate(memory.fanout):
            if axis.shares is None:
                sizes.append(axis.size)
                names.append(axis.axis)
                here = [b for b, x in enumerate(memory.fanout) if (x.shares or x.axis) == hosts[a]]
                columns.append([used.index((m, b)) for b in here if (m, b) in used])
    order = [i for column in columns for i in column]
    filled = share.transpose(order).reshape([math.prod(share.shape[i] for i in column) for column in columns])
    out = np.zeros(sizes)
    out[tuple(slice(0, n) for n in filled.shape)] = filled
    return ArrayLanes(out, tuple(names))


def array_figure(cost: LayerCost) -> Figure:
    """The lanes of the array, laid out as evenly as its axes allow, by their share of the compute cycles."""
    lanes = lane_shares(cost)
    sizes = lanes.share.shape
    rows = min(
        (set(pick) for pick in product(*[(i, None) for i in range(len(sizes))])),
        key=lambda pick: abs(math.log(_count(sizes, pick) ** 2 / max(1, lanes.share.size))),
    )  # fmt: skip
    down = [i for i in range(len(sizes)) if i in rows]
    across = [i for i in range(len(sizes)) if i not in rows]
    picture = lanes.share.transpose(down + across).reshape(_count(sizes, down), -1)
    figure = new_figure(5.4, 4.6 if picture.shape[0] > picture.shape[1] / 3 else 2.6)
    axis = figure.subplots()
    shown = axis.imshow(100 * picture, cmap=SEQUENTIAL, vmin=0, vmax=100, aspect="equal", origin="upper")
    inner = (_count(sizes, down[1:]), _count(sizes, across[1:]))
    if len(down) > 1:
        axis.hlines(
            np.arange(inner[0], picture.shape[0], inner[0]) - 0.5, -0.5, picture.shape[1] - 0.5, INK, lw=1
        )
    if len(across) > 1:
        axis.vlines(
            np.arange(inner[1], picture.shape[1], inner[1]) - 0.5, -0.5, picture.shape[0] - 0.5, INK, lw=1
        )
    axis.set_ylabel(" x ".join(f"{lanes.names[i]} {sizes[i]}" for i in down) or " ")
    axis.set_xlabel(" x ".join(f"{lanes.names[i]} {sizes[i]}" for i in across) or " ")
    axis.set(xticks=[], yticks=[])
    figure.suptitle(
        f"{title_of(cost)}\n{cost.utilisation_spatial:.0%} of the lanes at work while computing, "
        f"{cost.utilisation:.0%} over the whole latency",
        fontsize="medium",
    )
    figure.colorbar(shown, label="compute cycles at work (%)", shrink=0.85)
    return figure


def _count(sizes: tuple[int, ...], which: object) -> int:
    return math.prod(sizes[i] for i in which if i is not None)  # type: ignore[attr-defined]
