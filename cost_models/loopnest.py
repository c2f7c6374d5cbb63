"""Traffic, time, space and energy of loop-nest mappings, exactly and in closed form.

docs/cost_model.md derives what is counted; `layout` names the columns of all arrays. One generic kernel
serves 2 to 5 memories and any array; nothing is allocated per mapping.

A mapping is one row of four arrays: `tile` int32[B, M, 8] (union tile per memory and dimension), `order`
int8[B, M, 8] (dimensions, outermost first, a permutation), `axis_dim` int8[B, M, 3] and `axis_factor`
int32[B, M, 3] (dimension and factor of each array axis; a factor below 2 leaves the axis unused). The
kernels trust them to be in range: `accelsim.pack` checks.
"""

from __future__ import annotations

import numpy as np

from cost_models import layout as L
from cost_models import work as X
from cost_models._jit import kernel
from cost_models.nest import (
    BY_CHILD,
    BY_PARENT,
    FREE_I,
    FREE_O,
    FREE_W,
    arrange,
    free_tiles,
    geometry,
    input_words,
    steps,
)
from cost_models.ports import EXPOSED, OVERLAPPED, add_load, ramps, slowest_port
from cost_models.space import space

_ALL = (1 << L.NDIM) - 1


@kernel
def _charge(row, detail, t, p, c, words, memory, machine, bits, ws, iw):
    """Book `words` = (parent, child, psum, final at the parent, final at the child) as bits on both ports.

    Final words of `O` leave complete and carry output precision, the others psum precision. Returns
    (energy of both memories, energy of the array's hops) in pJ.
    """
    M = memory.shape[0]
    parent, child, psum, final, child_final = words
    if t == L.O:
        wide, narrow = machine[L.BITS_PSUM], machine[L.BITS_O]
        read = psum * wide
        write = (parent - final) * wide + final * narrow
        child_read = (child - child_final) * wide + child_final * narrow
        child_write = read
    else:
        read = parent * machine[L.BITS_W + t]
        write = 0.0
        child_read = 0.0
        child_write = child * machine[L.BITS_W + t]
    kind = EXPOSED + c if c < M and memory[c, L.BUFFERS] < 2.0 else OVERLAPPED
    share = 1.0 / ws[X.INSTANCES + p]
    add_load(kind, p, L.READ, t, read * share, ws)
    add_load(kind, p, L.WRITE, t, write * share, ws)
    energy = read * memory[p, L.READ_PJ + t] + write * memory[p, L.WRITE_PJ + t]
    if detail:
        bits[row, p, t, L.READ] += read
        bits[row, p, t, L.WRITE] += write
    if c < M:
        share = 1.0 / ws[X.INSTANCES + c]
        add_load(kind, c, L.READ, t, child_read * share, ws)
        add_load(kind, c, L.WRITE, t, child_write * share, ws)
        energy += child_read * memory[c, L.READ_PJ + t] + child_write * memory[c, L.WRITE_PJ + t]
        if detail:
            bits[row, c, t, L.READ] += child_read
            bits[row, c, t, L.WRITE] += child_write
    hop = 0.0
    for m in range(p, c):
        if (iw[X.USED] >> m) & 1:
            for a in range(L.MAX_AXES):
                if ws[X.AXIS + L.MAX_AXES * m + a] > 0.0:
                    hop += memory[m, L.HOP_PJ + a]
    return energy, hop * (child_read + child_write)


@kernel
def _tensor(b, row, detail, t, problem, holds, memory, machine, axis_dim, traffic, bits, ws, iw):
    """Count and charge all words of tensor `t`.

    Returns (whether a count exceeds 2^53, energy of the memories, energy of the hops).
    """
    M = holds.shape[0]
    free = FREE_W if t == L.W else FREE_I if t == L.I else FREE_O
    soft = free & iw[X.INEXACT]
    capability = X.REDUCTION if t == L.O else X.MULTICAST
    reduced = iw[X.SPLIT + L.C] | iw[X.SPLIT + L.R] | iw[X.SPLIT + L.S]
    size = ws[X.SIZE + t]
    total = 0.0
    hops = 0.0
    p = 0
    j_memory = -1
    all_trips = 1.0  # free loops in the memories above the child
    trips = 1.0  # those of them at or outside the innermost relevant loop j
    axes = 1.0  # free axes above the child
    parent_axes = 1.0  # the same, but between parent and child only those without the capability
    above_parent = 1.0  # free axes above the parent
    for c in range(1, M + 1):
        at = L.NTENSOR * (c - 1) + t
        if iw[X.INNERMOST + at] >= 0:
            j_memory = c - 1
            trips = all_trips * ws[X.FREE_OUTSIDE + at]
        all_trips *= ws[X.FREE_TRIPS + at]
        axes *= ws[X.FREE_AXES + at]
        parent_axes *= ws[X.FREE_UNSHARED + at]
        if c < M and holds[c, t] == 0:
            continue
        # Loops counted in full: those of memories above `levels`, and in that memory those `outside` j.
        j = -1
        levels = 0
        outside = 0
        count = 1.0
        if c == M:
            levels = M
            count = all_trips
        elif j_memory >= 0:
            j = iw[X.INNERMOST + L.NTENSOR * j_memory + t]
            levels = j_memory
            outside = iw[X.OUTSIDE + L.NTENSOR * j_memory + t]
            count = trips
        child = size * count * axes
        parent = size * count * parent_axes
        if soft:
            child *= free_tiles(b, soft, BY_CHILD, capability, p, c, levels, outside, axis_dim, ws, iw)
            parent *= free_tiles(b, soft, BY_PARENT, capability, p, c, levels, outside, axis_dim, ws, iw)
        psum = 0.0
        final = 0.0
        child_final = 0.0
        if t == L.I:
            child *= input_words(b, p, c, j_memory, j, False, axis_dim, ws, iw)
            parent *= input_words(b, p, c, j_memory, j, True, axis_dim, ws, iw)
        elif t == L.O:
            distinct = size * above_parent
            if soft:
                distinct *= free_tiles(b, soft, BY_CHILD, capability, p, p, 0, 0, axis_dim, ws, iw)
            psum = parent - distinct
            if not reduced & ((1 << p) - 1):
                final = distinct
            if not reduced & ((1 << c) - 1):
                child_final = size
        if child > L.MAX_COUNT or parent > L.MAX_COUNT:
            return True, 0.0, 0.0
        if p == 0 and problem[L.RESIDENT + t]:
            child = 0.0
            parent = 0.0
            psum = 0.0
        else:
            words = (parent, child, psum, final, child_final)
            energy, hop = _charge(row, detail, t, p, c, words, memory, machine, bits, ws, iw)
            total += energy
            hops += hop
        if detail:
            traffic[row, c, t, L.PARENT_WORDS] = parent
            traffic[row, c, t, L.CHILD_WORDS] = child
            traffic[row, c, t, L.PSUM_READS] = psum
            traffic[row, c, t, L.FILLS] = steps(b, _ALL & ~free, M, 0, c, axis_dim, ws, iw) * steps(
                b, free, levels, outside, c, axis_dim, ws, iw
            )
        p = c
        parent_axes = axes
        above_parent = axes
    return False, total, hops


@kernel
def price(
    b, row, detail, problem, holds, fan, memory, machine, tile, order, axis_dim, axis_factor,
    traffic, bits, used, ws, iw,
):  # fmt: skip
    """Price mapping `b`; return its status and leave the summary in `ws` at RESULT.

    With `detail`, row `row` of `traffic`, `bits` and `used` (zero before) is filled too. `ws` and `iw`
    come from `work.prepare(problem)`. An illegal mapping has infinite latency and energy, and NEED and
    HAVE say what it lacks.
    """
    M = holds.shape[0]
    ws[X.RESULT + L.LATENCY] = np.inf
    ws[X.RESULT + L.ENERGY] = np.inf
    status = geometry(b, fan, tile, axis_dim, axis_factor, ws, iw)
    if status != L.OK:
        return status
    arrange(b, order, axis_dim, ws, iw)
    status = space(row, detail, problem, holds, memory, machine, used, ws, iw)
    if status != L.OK:
        return status

    energy = 0.0
    hops = 0.0
    for t in range(L.NTENSOR):
        if t == L.W and problem[L.HAS_WEIGHTS] == 0:
            continue
        over, pj, hop = _tensor(
            b, row, detail, t, problem, holds, memory, machine, axis_dim, traffic, bits, ws, iw
        )
        if over:
            ws[X.LOAD : X.RESULT] = 0.0
            return L.COUNT_OVER + 65536 * t
        energy += pj
        hops += hop

    compute = steps(b, _ALL, M, 0, M, axis_dim, ws, iw)
    ports = slowest_port(OVERLAPPED, memory, ws)
    exposed = 0.0
    for c in range(1, M):
        if memory[c, L.BUFFERS] < 2.0:
            exposed += slowest_port(EXPOSED + c, memory, ws)
    up, down = ramps(problem, holds, memory, machine, ws, iw)
    latency = up + max(compute, ports) + exposed + down
    macs = 0.0
    if problem[L.HAS_MACS]:
        macs = machine[L.MAC_PJ] * ws[X.SIZE + L.O] * ws[X.TILE + L.C] * ws[X.TILE + L.R] * ws[X.TILE + L.S]
    leak = machine[L.LEAK_PJ] * latency
    ws[X.RESULT + L.LATENCY] = latency
    ws[X.RESULT + L.ENERGY] = energy + hops + macs + leak
    ws[X.RESULT + L.STEPS] = compute
    ws[X.RESULT + L.RAMP_UP] = up
    ws[X.RESULT + L.RAMP_DOWN] = down
    ws[X.RESULT + L.EXPOSED_TIME] = exposed
    ws[X.RESULT + L.PORT_MAX] = ports
    ws[X.RESULT + L.MAC_ENERGY] = macs
    ws[X.RESULT + L.HOP_ENERGY] = hops
    ws[X.RESULT + L.LEAK_ENERGY] = leak
    return L.OK


@kernel
def price_batch(
    problem, holds, fan, memory, machine, tile, order, axis_dim, axis_factor,
    status, latency, energy,
):  # fmt: skip
    """Price a batch of mappings of one layer on one machine.

    Fills `status` int32[B], `latency` float64[B] (cycles) and `energy` float64[B] (pJ); illegal mappings
    get infinity.
    """
    ws, iw = X.prepare(problem)
    nothing = np.empty((0, 0, 0, 0))
    unused = np.empty((0, 0, 0))
    for b in range(tile.shape[0]):
        status[b] = price(
            b, 0, False, problem, holds, fan, memory, machine, tile, order, axis_dim, axis_factor,
            nothing, nothing, unused, ws, iw,
        )  # fmt: skip
        latency[b] = ws[X.RESULT + L.LATENCY]
        energy[b] = ws[X.RESULT + L.ENERGY]


@kernel
def price_detail(
    problem, holds, fan, memory, machine, tile, order, axis_dim, axis_factor,
    status, traffic, bits, used, summary,
):  # fmt: skip
    """As `price_batch`, with every count in arrays of B rows described in `layout`, zero before."""
    ws, iw = X.prepare(problem)
    for b in range(tile.shape[0]):
        status[b] = price(
            b, b, True, problem, holds, fan, memory, machine, tile, order, axis_dim, axis_factor,
            traffic, bits, used, ws, iw,
        )  # fmt: skip
        summary[b] = ws[X.RESULT :]
