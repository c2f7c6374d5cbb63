"""Traffic, time, space and energy of loop-nest mappings, exactly and in closed form.

docs/cost_model.md derives what is counted; `layout` names the columns of all arrays. One generic kernel
serves 2 to 5 memories and any array; nothing is allocated per mapping.

A mapping is one row of four arrays: `tile` int32[B, M, 8] (union tile per memory and dimension), `order`
int8[B, M, 8] (dimensions, outermost first, a permutation), `axis_dim` int8[B, M, 3] and `axis_factor`
int32[B, M, 3] (dimension and factor of each array axis; a factor below 2 leaves the axis unused).
"""

from __future__ import annotations

import numpy as np

from cost_models import layout as L
from cost_models._jit import kernel
from cost_models.nest import (
    AXES,
    AXES_UNCAPPED,
    BY_CHILD,
    BY_PARENT,
    FREE_I,
    FREE_O,
    FREE_W,
    INNERMOST,
    LOCKSTEP,
    MULTICAST,
    OUTSIDE,
    REDUCTION,
    SPLIT,
    TRIPS,
    TRIPS_OUTSIDE,
    free_tiles,
    gap,
    geometry,
    input_rows,
    loops_of,
    scratch,
)
from cost_models.ports import EXPOSED, OVERLAPPED, ramps, slowest_port
from cost_models.space import space

_ALL = (1 << L.NDIM) - 1


@kernel
def _steps(b, dims, counted, outside, c, inexact, axis_dim, work):
    """Lockstep iterations of the loops over `dims` in memories above `c`, as `free_tiles` counts them."""
    trip = work[2]
    steps = 1.0
    for d in range(L.NDIM):
        if (dims & ~inexact) >> d & 1:
            for m in range(min(c, counted + ((outside >> d) & 1))):
                steps *= trip[m, d]
    if dims & inexact:
        steps *= free_tiles(b, dims & inexact, LOCKSTEP, 0, 0, c, counted, outside, axis_dim, work)
    return steps


@kernel
def _charge(row, t, p, c, words, memory, machine, bits, work):
    """Book `words` = (parent, child, psum, final at the parent, final at the child) as bits; return hop pJ.

    Final words of `O` leave complete and carry output precision, the others psum precision.
    """
    axis_tile, instances, load = work[4], work[5], work[10]
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
    bits[row, p, t, L.READ] += read
    bits[row, p, t, L.WRITE] += write
    load[kind, p, L.READ, t] += read / instances[p]
    load[kind, p, L.WRITE, t] += write / instances[p]
    if c < M:
        bits[row, c, t, L.READ] += child_read
        bits[row, c, t, L.WRITE] += child_write
        load[kind, c, L.READ, t] += child_read / instances[c]
        load[kind, c, L.WRITE, t] += child_write / instances[c]
    hop = 0.0
    for m in range(p, c):
        for a in range(L.MAX_AXES):
            if axis_tile[m, a] > 0.0:
                hop += memory[m, L.HOP_PJ + a]
    return hop * (child_read + child_write)


@kernel
def _input_words(b, problem, p, c, j_memory, j, shared, inexact, axis_dim, work):
    """Input words per image, group and channel, summed over all tiles (see `nest.input_rows`)."""
    p_gap, r_gap = gap(problem[L.STRIDE_H], problem[L.DILATION_H])
    q_gap, s_gap = gap(problem[L.STRIDE_W], problem[L.DILATION_W])
    return input_rows(
        b, L.P, L.R, p_gap, r_gap, p, c, j_memory, j, shared, inexact, axis_dim, work
    ) * input_rows(b, L.Q, L.S, q_gap, s_gap, p, c, j_memory, j, shared, inexact, axis_dim, work)


@kernel
def _traffic(
    b, row, detail, t, problem, holds, memory, machine, axis_dim, inexact, work, traffic, bits
):  # fmt: skip
    """Count and charge all words of tensor `t`. Returns (whether a count overflowed, hop energy in pJ)."""
    T, _, _, _, _, _, mask, loops, free, _, _ = work
    M = holds.shape[0]
    free_dims = FREE_W if t == L.W else FREE_I if t == L.I else FREE_O
    soft = free_dims & inexact
    capability = REDUCTION if t == L.O else MULTICAST
    reduced = mask[SPLIT, L.C] | mask[SPLIT, L.R] | mask[SPLIT, L.S]
    size = 1.0
    for d in range(L.NDIM):
        if not (free_dims >> d) & 1 and (t != L.I or d < L.P):
            size *= T[0, d]

    hops = 0.0
    p = 0
    j_memory = -1
    all_trips = 1.0  # free loops in the memories above the child
    trips = 1.0  # those of them at or outside the innermost relevant loop j
    axes = 1.0  # free axes above the child
    parent_axes = 1.0  # the same, but only without the capability between parent and child
    axes_above_parent = 1.0
    for c in range(1, M + 1):
        m = c - 1
        if loops[INNERMOST, t, m] >= 0:
            j_memory = m
            trips = all_trips * free[TRIPS_OUTSIDE, t, m]
        all_trips *= free[TRIPS, t, m]
        axes *= free[AXES, t, m]
        parent_axes *= free[AXES_UNCAPPED, t, m]
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
            j = loops[INNERMOST, t, j_memory]
            levels = j_memory
            outside = loops[OUTSIDE, t, j_memory]
            count = trips
        child = size * count * axes
        parent = size * count * parent_axes
        if soft:
            child *= free_tiles(b, soft, BY_CHILD, capability, p, c, levels, outside, axis_dim, work)
            parent *= free_tiles(b, soft, BY_PARENT, capability, p, c, levels, outside, axis_dim, work)
        psum = 0.0
        final = 0.0
        child_final = 0.0
        if t == L.I:
            child *= _input_words(b, problem, p, c, j_memory, j, False, inexact, axis_dim, work)
            parent *= _input_words(b, problem, p, c, j_memory, j, True, inexact, axis_dim, work)
        elif t == L.O:
            distinct = size * axes_above_parent
            if soft:
                distinct *= free_tiles(b, soft, BY_CHILD, capability, p, p, 0, 0, axis_dim, work)
            psum = parent - distinct
            if not reduced & ((1 << p) - 1):
                final = distinct
            if not reduced & ((1 << c) - 1):
                child_final = size
        if child > L.MAX_COUNT or parent > L.MAX_COUNT:
            return True, 0.0
        if p == 0 and problem[L.RESIDENT + t]:
            child = parent = psum = 0.0
        else:
            words = (parent, child, psum, final, child_final)
            hops += _charge(row, t, p, c, words, memory, machine, bits, work)
        traffic[row, c, t, L.PARENT_WORDS] = parent
        traffic[row, c, t, L.CHILD_WORDS] = child
        traffic[row, c, t, L.PSUM_READS] = psum
        if detail:
            traffic[row, c, t, L.FILLS] = _steps(
                b, _ALL & ~free_dims, M, 0, c, inexact, axis_dim, work
            ) * _steps(b, free_dims, levels, outside, c, inexact, axis_dim, work)
        p = c
        parent_axes = axes
        axes_above_parent = axes
    return False, hops


@kernel
def price(
    b, row, detail, problem, holds, fan, memory, machine, tile, order, axis_dim, axis_factor,
    work, traffic, bits, used, summary,
):  # fmt: skip
    """Price mapping `b` into row `row` of the result arrays; return its status.

    `detail` also fills the FILLS column of `traffic`. `work` comes from `scratch(M)` and is modified in
    place. An illegal mapping leaves infinite latency and energy, and NEED and HAVE in `summary`.
    """
    M = holds.shape[0]
    summary[row, L.LATENCY] = np.inf
    summary[row, L.ENERGY] = np.inf
    status, inexact = geometry(b, problem, fan, tile, axis_dim, axis_factor, row, summary, work)
    if status != L.OK:
        return status
    loops_of(b, order, inexact, work)
    status = space(row, problem, holds, memory, machine, work, used, summary)
    if status != L.OK:
        return status

    bits[row, :, :, :] = 0.0
    hops = 0.0
    for t in range(L.NTENSOR):
        if t == L.W and problem[L.HAS_WEIGHTS] == 0:
            continue
        over, hop = _traffic(
            b, row, detail, t, problem, holds, memory, machine, axis_dim, inexact, work, traffic, bits
        )
        if over:
            work[10][:, :, :, :] = 0.0
            return L.COUNT_OVER + 65536 * t
        hops += hop

    load = work[10]
    steps = _steps(b, _ALL, M, 0, M, inexact, axis_dim, work)
    ports = slowest_port(load, OVERLAPPED, memory)
    exposed = 0.0
    for c in range(1, M):
        if memory[c, L.BUFFERS] < 2.0:
            exposed += slowest_port(load, EXPOSED + c, memory)
    up, down = ramps(problem, holds, memory, machine, work)
    latency = up + max(steps, ports) + exposed + down

    energy = hops
    for m in range(M):
        for t in range(L.NTENSOR):
            energy += bits[row, m, t, L.READ] * memory[m, L.READ_PJ + t]
            energy += bits[row, m, t, L.WRITE] * memory[m, L.WRITE_PJ + t]
    macs = 0.0
    if problem[L.HAS_MACS]:
        macs = machine[L.MAC_PJ]
        for d in range(L.NDIM):
            macs *= problem[d]
    leak = machine[L.LEAK_PJ] * latency
    summary[row, L.LATENCY] = latency
    summary[row, L.ENERGY] = energy + macs + leak
    summary[row, L.STEPS] = steps
    summary[row, L.RAMP_UP] = up
    summary[row, L.RAMP_DOWN] = down
    summary[row, L.EXPOSED_TIME] = exposed
    summary[row, L.PORT_MAX] = ports
    summary[row, L.MAC_ENERGY] = macs
    summary[row, L.HOP_ENERGY] = hops
    summary[row, L.LEAK_ENERGY] = leak
    return L.OK


@kernel
def price_batch(
    problem, holds, fan, memory, machine, tile, order, axis_dim, axis_factor,
    status, latency, energy,
):  # fmt: skip
    """Price a batch of mappings of one layer on one machine.

    Fills `status` int32[B], `latency` float64[B] (cycles) and `energy` float64[B] (pJ); illegal mappings
    get infinity. Layouts: see `layout`.
    """
    M = holds.shape[0]
    work = scratch(M)
    traffic = np.zeros((1, M + 1, L.NTENSOR, L.TRAFFIC_COLS))
    bits = np.zeros((1, M, L.NTENSOR, 2))
    used = np.zeros((1, M, L.NTENSOR))
    summary = np.zeros((1, L.SUMMARY_COLS))
    for b in range(tile.shape[0]):
        status[b] = price(
            b, 0, False, problem, holds, fan, memory, machine, tile, order, axis_dim, axis_factor,
            work, traffic, bits, used, summary,
        )  # fmt: skip
        latency[b] = summary[0, L.LATENCY]
        energy[b] = summary[0, L.ENERGY]


@kernel
def price_detail(
    problem, holds, fan, memory, machine, tile, order, axis_dim, axis_factor,
    status, traffic, bits, used, summary,
):  # fmt: skip
    """As `price_batch`, with every count: arrays of B rows as described in `layout`."""
    work = scratch(holds.shape[0])
    for b in range(tile.shape[0]):
        status[b] = price(
            b, b, True, problem, holds, fan, memory, machine, tile, order, axis_dim, axis_factor,
            work, traffic, bits, used, summary,
        )  # fmt: skip
