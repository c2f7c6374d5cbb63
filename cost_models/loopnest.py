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
from cost_models._jit import kernel, step
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


@step
def _charge(t, p, c, words, ws, iw):
    """Book `words` = (parent, child, psum, final at the parent, final at the child) as bits on both ports.

    Final words of `O` leave complete and carry output precision, the others psum precision. Returns
    (energy of both memories, energy of the array's hops) in pJ.
    """
    M = iw[X.MEMORIES]
    memory = X.MEMORY + L.MEM_COLS * p
    below = X.MEMORY + L.MEM_COLS * c
    parent, child, psum, final, child_final = words
    if t == L.O:
        wide, narrow = ws[X.MACHINE + L.BITS_PSUM], ws[X.MACHINE + L.BITS_O]
        read = psum * wide
        write = (parent - final) * wide + final * narrow
        child_read = (child - child_final) * wide + child_final * narrow
        child_write = read
    else:
        read = parent * ws[X.MACHINE + L.BITS_W + t]
        write = 0.0
        child_read = 0.0
        child_write = child * ws[X.MACHINE + L.BITS_W + t]
    kind = EXPOSED + c if c < M and ws[below + L.OVERLAPS] == 0.0 else OVERLAPPED
    share = 1.0 / ws[X.INSTANCES + p]
    add_load(kind, p, L.READ, t, read * share, ws)
    add_load(kind, p, L.WRITE, t, write * share, ws)
    energy = read * ws[memory + L.READ_PJ + t] + write * ws[memory + L.WRITE_PJ + t]
    at = X.BITS + 2 * (L.NTENSOR * p + t)
    ws[at + L.READ] += read
    ws[at + L.WRITE] += write
    if c < M:
        share = 1.0 / ws[X.INSTANCES + c]
        add_load(kind, c, L.READ, t, child_read * share, ws)
        add_load(kind, c, L.WRITE, t, child_write * share, ws)
        energy += child_read * ws[below + L.READ_PJ + t] + child_write * ws[below + L.WRITE_PJ + t]
        at = X.BITS + 2 * (L.NTENSOR * c + t)
        ws[at + L.READ] += child_read
        ws[at + L.WRITE] += child_write
    hop = 0.0
    for m in range(p, c):
        if (iw[X.USED] >> m) & 1:
            for a in range(L.MAX_AXES):
                if iw[X.AXIS_DIM + L.MAX_AXES * m + a] >= 0:
                    hop += ws[X.MEMORY + L.MEM_COLS * m + L.HOP_PJ + a]
    return energy, hop * (child_read + child_write)


@step
def _tensor(t, detail, ws, iw):
    """Count and charge all words of tensor `t`.

    Returns (whether a count exceeds 2^53, energy of the memories, energy of the hops).
    """
    M = iw[X.MEMORIES]
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
        if c < M and iw[X.HOLDS + L.NTENSOR * c + t] == 0:
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
            child *= free_tiles(soft, BY_CHILD, capability, p, c, levels, outside, ws, iw)
            parent *= free_tiles(soft, BY_PARENT, capability, p, c, levels, outside, ws, iw)
        psum = 0.0
        final = 0.0
        child_final = 0.0
        if t == L.I:
            child *= input_words(p, c, j_memory, j, False, ws, iw)
            parent *= input_words(p, c, j_memory, j, True, ws, iw)
        elif t == L.O:
            distinct = size * above_parent
            if soft:
                distinct *= free_tiles(soft, BY_CHILD, capability, p, p, 0, 0, ws, iw)
            psum = parent - distinct
            if not reduced & ((1 << p) - 1):
                final = distinct
            if not reduced & ((1 << c) - 1):
                child_final = size
        if child > L.MAX_COUNT or parent > L.MAX_COUNT:
            return True, 0.0, 0.0
        if p == 0 and iw[X.PROBLEM + L.RESIDENT + t]:
            child = 0.0
            parent = 0.0
            psum = 0.0
        else:
            words = (parent, child, psum, final, child_final)
            energy, hop = _charge(t, p, c, words, ws, iw)
            total += energy
            hops += hop
        at = X.TRAFFIC + L.TRAFFIC_COLS * (L.NTENSOR * c + t)
        ws[at + L.PARENT_WORDS] = parent
        ws[at + L.CHILD_WORDS] = child
        ws[at + L.PSUM_READS] = psum
        if detail:
            ws[at + L.FILLS] = steps(_ALL & ~free, M, 0, c, ws, iw) * steps(free, levels, outside, c, ws, iw)
        p = c
        parent_axes = axes
        above_parent = axes
    return False, total, hops


@step
def price(b, detail, tile, order, axis_dim, axis_factor, ws, iw):
    """Price mapping `b` of a batch; return its status and leave all results in `ws`, described in `work`.

    `detail` also fills the FILLS column of the traffic. `ws` and `iw` come from `work.prepare`. An illegal
    mapping has infinite latency and energy, and NEED and HAVE say what it lacks.
    """
    M = iw[X.MEMORIES]
    ws[X.RESULT + L.LATENCY] = np.inf
    ws[X.RESULT + L.ENERGY] = np.inf
    status = geometry(b, tile, axis_dim, axis_factor, ws, iw)
    if status != L.OK:
        return status
    arrange(b, order, ws, iw)
    status = space(ws, iw)
    if status != L.OK:
        return status

    for i in range(X.BITS, X.USED_BITS):
        ws[i] = 0.0
    energy = 0.0
    hops = 0.0
    for t in range(L.NTENSOR):
        if t == L.W and iw[X.PROBLEM + L.HAS_WEIGHTS] == 0:
            continue
        over, pj, hop = _tensor(t, detail, ws, iw)
        if over:
            for i in range(X.LOAD, X.RESULT):
                ws[i] = 0.0
            return L.COUNT_OVER + 65536 * t
        energy += pj
        hops += hop

    compute = steps(_ALL, M, 0, M, ws, iw)
    ports = slowest_port(OVERLAPPED, ws, iw)
    exposed = 0.0
    for c in range(1, M):
        if ws[X.MEMORY + L.MEM_COLS * c + L.OVERLAPS] == 0.0:
            exposed += slowest_port(EXPOSED + c, ws, iw)
    up, down = ramps(ws, iw)
    latency = up + max(compute, ports) + exposed + down
    macs = 0.0
    if iw[X.PROBLEM + L.HAS_MACS]:
        reduced = ws[X.TILE + L.C] * ws[X.TILE + L.R] * ws[X.TILE + L.S]
        macs = ws[X.MACHINE + L.MAC_PJ] * ws[X.SIZE + L.O] * reduced
    leak = ws[X.MACHINE + L.LEAK_PJ] * latency
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
    ws, iw = X.prepare(problem, holds, fan, memory, machine)
    for b in range(tile.shape[0]):
        status[b] = price(b, False, tile, order, axis_dim, axis_factor, ws, iw)
        latency[b] = ws[X.RESULT + L.LATENCY]
        energy[b] = ws[X.RESULT + L.ENERGY]


@kernel
def price_detail(
    problem, holds, fan, memory, machine, tile, order, axis_dim, axis_factor,
    status, traffic, bits, used, summary,
):  # fmt: skip
    """As `price_batch`, with every count in arrays of B rows, described in `layout`."""
    M = holds.shape[0]
    ws, iw = X.prepare(problem, holds, fan, memory, machine)
    for b in range(tile.shape[0]):
        status[b] = price(b, True, tile, order, axis_dim, axis_factor, ws, iw)
        traffic[b].ravel()[:] = ws[X.TRAFFIC : X.TRAFFIC + (M + 1) * L.NTENSOR * L.TRAFFIC_COLS]
        bits[b].ravel()[:] = ws[X.BITS : X.BITS + M * L.NTENSOR * 2]
        used[b].ravel()[:] = ws[X.USED_BITS : X.USED_BITS + M * L.NTENSOR]
        summary[b] = ws[X.RESULT : X.RESULT + L.SUMMARY_COLS]
