"""Traffic, time, space and energy of loop-nest mappings, exactly and in closed form.

docs/cost_model.md derives what is counted; `layout` names the columns of all arrays. One generic kernel
serves 2 to 6 memories and any array; nothing is allocated per mapping.

A mapping is one row of the four arrays of a `Batch`: `tile` int32[B, M, 8] (union tile per memory and
dimension), `order` int8[B, M, 8] (dimensions, outermost first, a permutation), `axis_dim` int8[B, M, A] and
`axis_factor` int32[B, M, A] (dimension and factor of each array axis, A = `layout.MAX_AXES`; a factor below 2
leaves one unused). The kernels trust them to be in range: `accelsim.pack` checks.
"""

from __future__ import annotations

import numpy as np

from cost_models._jit import inlined, kernel, step
from cost_models.loopnest import layout as L
from cost_models.loopnest import work as X
from cost_models.loopnest.capacity import space
from cost_models.loopnest.inputs import rows, rows_alike
from cost_models.loopnest.nest import FREE_O, arrange, folds, free_of, free_tiles, geometry, merging, steps
from cost_models.loopnest.ports import add_load, add_starts, busiest, clear_loads, ramps, save_bits

_ALL = (1 << L.NDIM) - 1


@inlined
def charge(t, p, c, fills, parent, child, psum, final, child_final, ws, iw):
    """Put the words of one transfer, of which `final` and `child_final` leave complete, on the ports.

    Final words of `O` carry output precision, the others psum precision, as wide as each memory keeps
    them; the wires carry them as the MACs have them. `fills` is the number of transfers
    at an instance of the parent, 0 if it does not matter. Returns the energy of the array's
    hops in pJ.
    """
    if t == L.O:
        wide, narrow = X.width(p, L.PSUM, ws), X.width(p, L.O, ws)
        read = psum * wide
        write = (parent - final) * wide + final * narrow
        wide, narrow = ws[X.MACHINE + L.BITS_PSUM], ws[X.MACHINE + L.BITS_O]
        moved = (child - child_final + psum) * wide + child_final * narrow
    else:
        read = parent * X.width(p, t, ws)
        write = 0.0
        moved = child * ws[X.MACHINE + L.BITS_W + t]
    kind = iw[X.KIND + c]
    add_load(kind, p, t, read, write, ws)
    if iw[X.STARTS] and fills > 0.0:
        add_starts(t, p, kind, fills, parent, psum, read, write, ws, iw)
    if c < (iw[X.MEMORIES] & 7):
        if t == L.O:
            wide, narrow = X.width(c, L.PSUM, ws), X.width(c, L.O, ws)
            kept = (child - child_final) * wide + child_final * narrow
            add_load(kind, c, t, kept, psum * wide, ws)
        else:
            add_load(kind, c, t, 0.0, child * X.width(c, t, ws), ws)
    hops = 0.0
    for m in range(p, c):
        hops += ws[X.HOPS + m]
    return hops * moved


@step
def _tensor(t, detail, ws, iw):
    """Count all words of tensor `t` and charge them.

    Returns (whether a count exceeds 2^53, energy of the hops).
    """
    M = iw[X.MEMORIES] & 7
    free = free_of(t)
    reduced = iw[X.SPLIT] & (X.EVERY_MEMORY * FREE_O)
    one_for_all = merging(t, iw)
    size = ws[X.SIZE + t]
    hops = 0.0
    p = 0
    # The innermost relevant loop above the child. Free loops of memories above `level`, and those in
    # `outside` of that memory itself, repeat the fill.
    j = -1
    level = 0
    outside = 0
    for c in range(1, M + 1):
        at = L.NTENSOR * (c - 1) + t
        if iw[X.INNERMOST + at] >= 0:
            j = iw[X.INNERMOST + at]
            level = c - 1
            outside = iw[X.OUTSIDE + at]
        if c < M:
            if iw[X.HOLDS + L.NTENSOR * c + t] == 0:
                continue
        else:
            j = -1
            level = M
            outside = 0
        child = size * free_tiles(t, level, outside, c, 0, ws, iw)
        parent = child
        shared = one_for_all & X.fans(p, c)
        if shared:
            parent = size * free_tiles(t, level, outside, c, shared, ws, iw)
        psum = 0.0
        final = 0.0
        child_final = 0.0
        if t == L.I:
            for pair in range(2):
                words = rows(pair, p, c, level, j, False, ws, iw)
                child *= words
                if not rows_alike(pair, p, c, iw):
                    words = rows(pair, p, c, level, j, True, ws, iw)
                parent *= words
        elif t == L.O:
            distinct = size * free_tiles(t, 0, 0, p, 0, ws, iw)
            psum = parent - distinct
            if not reduced & X.fans(0, p):
                final = distinct
            if not reduced & X.fans(0, c):
                child_final = size
        if child > L.MAX_COUNT or parent > L.MAX_COUNT:
            return True, 0.0
        fills = 0.0
        if detail or iw[X.STARTS]:
            fills = steps(_ALL & ~free, c, 0, c, ws, iw) * steps(free, level, outside, c, ws, iw)
        if p == 0 and iw[X.PROBLEM + L.RESIDENT + t]:
            child = 0.0
            parent = 0.0
            psum = 0.0
        else:
            hops += charge(t, p, c, fills, parent, child, psum, final, child_final, ws, iw)
        at = X.TRAFFIC + L.TRAFFIC_COLS * (L.NTENSOR * c + t)
        ws[at + L.PARENT_WORDS] = parent
        ws[at + L.CHILD_WORDS] = child
        ws[at + L.PSUM_READS] = psum
        if detail:
            ws[at + L.FILLS] = fills
        p = c
    return False, hops


@step
def price(b, detail, batch, ws, iw):
    """Price mapping `b` of a batch; return its status and leave all results in `ws`, described in `work`.

    `detail` also fills BITS and the FILLS column of the traffic. `ws` and `iw` come from `work.prepare`. An
    illegal mapping has infinite latency and energy, and NEED and HAVE say what it lacks.
    """
    M = iw[X.MEMORIES] & 7
    ws[X.RESULT + L.LATENCY] = np.inf
    ws[X.RESULT + L.ENERGY] = np.inf
    status = geometry(b, batch.tile, batch.axis_dim, batch.axis_factor, ws, iw)
    if status != L.OK:
        return status
    arrange(b, batch.order, ws, iw)
    status = space(ws, iw)
    if status != L.OK:
        return status

    clear_loads(ws, iw)
    hops = 0.0
    for t in range(L.NTENSOR):
        if t == L.W and iw[X.PROBLEM + L.HAS_WEIGHTS] == 0:
            continue
        over, hop = _tensor(t, detail, ws, iw)
        if over:
            return L.COUNT_OVER + 65536 * t
        hops += hop
    if detail:
        save_bits(ws, iw)

    compute = steps(_ALL, M, 0, M, ws, iw)
    ports = 0.0
    exposed = 0.0
    energy = 0.0
    for kind in range(iw[X.KINDS]):
        time, pj = busiest(kind, ws, iw)
        energy += pj
        if kind == 0:
            ports = time
        else:
            exposed += time
    up, down = ramps(ws, iw)
    cycles = compute * (1.0 + ws[X.MACHINE + L.EXTRA_CYCLES])
    points = ws[X.SIZE + L.O] * ws[X.TILE + L.C] * ws[X.TILE + L.R] * ws[X.TILE + L.S]
    if iw[X.FOLDED]:
        cycles += folds(ws, iw)
    if ws[X.MACHINE + L.UNIT_RATE] > 0.0:
        cycles = np.ceil(points / ws[X.MACHINE + L.UNIT_RATE])
    elif iw[X.PROBLEM + L.HAS_MACS] == 0:
        # Pooling and element-wise operators have their own unit, as wide as the array: they cost traffic.
        cycles = min(compute, np.ceil(points / ws[X.PES]))
    latency = up + max(cycles, ports) + exposed + down + ws[X.MACHINE + L.LAYER_CYCLES]
    macs = ws[X.MACHINE + L.MAC_PJ] * points if iw[X.PROBLEM + L.HAS_MACS] else 0.0
    leak = ws[X.MACHINE + L.LEAK_PJ] * latency
    ws[X.RESULT + L.LATENCY] = latency
    ws[X.RESULT + L.ENERGY] = energy + hops + macs + leak
    ws[X.RESULT + L.STEPS] = compute
    ws[X.RESULT + L.CYCLES] = cycles
    ws[X.RESULT + L.RAMP_UP] = up
    ws[X.RESULT + L.RAMP_DOWN] = down
    ws[X.RESULT + L.EXPOSED_TIME] = exposed
    ws[X.RESULT + L.PORT_MAX] = ports
    ws[X.RESULT + L.MAC_ENERGY] = macs
    ws[X.RESULT + L.HOP_ENERGY] = hops
    ws[X.RESULT + L.LEAK_ENERGY] = leak
    return L.OK


@kernel
def price_batch(problem, machine, batch, prices):
    """Fill the prices of a batch of mappings of one layer on one machine."""
    status, latency, energy = prices
    ws, iw = X.prepare(problem, machine)
    for b in range(len(status)):
        status[b] = price(b, False, batch, ws, iw)
        latency[b] = ws[X.RESULT + L.LATENCY]
        energy[b] = ws[X.RESULT + L.ENERGY]


@kernel
def price_detail(problem, machine, batch, counts):
    """As `price_batch`, with every count."""
    status, traffic, bits, used, summary = counts
    M = len(machine.holds)
    ws, iw = X.prepare(problem, machine)
    for b in range(len(status)):
        status[b] = price(b, True, batch, ws, iw)
        for t in range(L.NTENSOR):
            for m in range(M + 1):
                for i in range(L.TRAFFIC_COLS):
                    traffic[b, m, t, i] = ws[X.TRAFFIC + L.TRAFFIC_COLS * (L.NTENSOR * m + t) + i]
            for m in range(M):
                used[b, m, t] = ws[X.USED_BITS + L.NTENSOR * m + t]
                for way in range(2):
                    bits[b, m, t, way] = ws[X.BITS + 2 * (L.NTENSOR * m + t) + way]
        for i in range(L.SUMMARY_COLS):
            summary[b, i] = ws[X.RESULT + i]
