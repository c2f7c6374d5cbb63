"""Lower bounds on pieces of layers whose inputs and outputs lie on chip."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from accelsim.mapping.encoding import allowed_on
from accelsim.pack import pack_layer, pack_machine
from accelsim.workloads.layer import Layer
from cost_models.loopnest import layout as L

if TYPE_CHECKING:
    from accelsim.hardware import Accelerator

Kind = tuple[Layer, bool, bool]
"""A layer, whether it reads an activation as W, and whether it has weights."""


def piece_bounds(
    hardware: Accelerator,
    kinds: list[Kind],
    kind: NDArray[np.int64],
    rows: NDArray[np.int64],
    cols: NDArray[np.int64],
    stay: bool,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Bounds on cycles and on pJ, float64[1 or 2, n] each, of n pieces: `rows` x `cols` of the layer `kind`.

    The second row, if `stay`, is for weights that lie on chip. Equal pieces are bounded once.
    """
    sizes = np.array([(x.P + 1, x.Q + 1) for x, *_ in kinds])
    base = np.concatenate([[0], np.cumsum(sizes.prod(axis=1))])
    code = base[kind] + rows * sizes[kind, 1] + cols
    wanted = np.zeros(base[-1], bool)
    wanted[code] = True
    cells = np.flatnonzero(wanted)
    of = np.searchsorted(base, cells, side="right") - 1
    place = np.cumsum(wanted) - 1
    out = []
    for staying in (False, True) if stay else (False,):
        flags = ["WIO" if factor or (staying and heavy) else "IO" for _, factor, heavy in kinds]
        problems = np.array([pack_layer(x, f) for (x, *_), f in zip(kinds, flags)])[of]
        problems[:, L.P], problems[:, L.Q] = np.divmod(cells - base[of], sizes[of, 1])
        out.append(_bounded(hardware, [x for x, *_ in kinds], of, problems)[:, place[code]])
    latency, energy = zip(*out)
    return np.array(latency), np.array(energy)


def _bounded(
    hardware: Accelerator, layers: list[Layer], of: NDArray[np.int64], problems: NDArray[np.int64]
) -> NDArray[np.float64]:
    """[2, n] bounds on cycles and pJ of problems, each on the engine that runs its layer."""
    from cost_models.loopnest.roofline import bound_allowed

    engines = [hardware.for_layer(layer) for layer in layers]
    out = np.full((2, len(problems)), np.inf)
    for engine in {id(engine): engine for engine in engines}.values():
        mine = np.array([x is engine for x in engines])[of]
        # Where a chip leaves open what its memories hold, no way to hold is below the least of all.
        for way in engine.ways if engine.leaves_choice else (engine,):
            found = np.empty((2, int(mine.sum())))
            bound_allowed(problems[mine], pack_machine(way), allowed_on(way).axes, found[0], found[1])
            out[:, mine] = np.minimum(out[:, mine], found)
    return out
