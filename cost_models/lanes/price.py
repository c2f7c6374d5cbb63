"""Prices of eight mappings at a time: what `loopnest.price` gives, bit for bit.

The scalar kernel is the reference. Lanes that this one cannot do, because the
mapping is illegal but for capacity, or because of counts above 2^52, keep status PENDING.
"""

from __future__ import annotations

import numpy as np

from cost_models._jit import kernel, step
from cost_models.lanes import nest as V
from cost_models.lanes.capacity import space
from cost_models.lanes.nest import arrange, geometry, set_out
from cost_models.lanes.ports import busiest, clear_loads, ramps
from cost_models.lanes.tiles import folds, halo
from cost_models.lanes.traffic import tensor
from cost_models.lanes.vectors import LANES, lanes_of, load, most, put, select, spread
from cost_models.loopnest import layout as L
from cost_models.loopnest import work as X
from cost_models.loopnest.layout import PENDING


@step
def price_eight(b, batch, prices, vs, bs, ws, iw):
    """Price mappings b .. b + 7 of a batch; returns whether some stay PENDING."""
    status, latency, energy = prices
    M = iw[X.MEMORIES] & 7
    bad = geometry(b, batch.tile, batch.axis_dim, batch.axis_factor, vs, bs, ws, iw)
    if lanes_of(bad) == (1 << LANES) - 1:
        put(status, b, spread(PENDING))
        return True
    arrange(b, batch.order, vs, bs, iw)
    verdict = space(vs, bs, ws, iw)
    rest = halo(vs, bs, ws, iw)
    clear_loads(vs, iw)
    hops = spread(0.0)
    for t in range(L.NTENSOR):
        if t == L.W and iw[X.PROBLEM + L.HAS_WEIGHTS] == 0:
            continue
        hop, bad = tensor(t, rest, bad, vs, bs, ws, iw)
        hops += hop
    compute = spread(1.0)
    for d in range(L.NDIM):
        if iw[X.PROBLEM + d] > 1:
            compute *= load(vs, V.LOCK + L.NDIM * M + d)
    ports = exposed = pj = spread(0.0)
    for kind in range(iw[X.KINDS]):
        time, each = busiest(kind, vs, ws, iw)
        pj += each
        if kind == 0:
            ports = time
        else:
            exposed += time
    ramp_up, ramp_down = ramps(vs, bs, ws, iw)
    cycles = compute * spread(1.0 + ws[X.MACHINE + L.EXTRA_CYCLES])
    if iw[X.FOLDED]:
        cycles += folds(vs, bs, ws, iw)
    points = ws[X.SIZE + L.O] * ws[X.TILE + L.C] * ws[X.TILE + L.R] * ws[X.TILE + L.S]
    macs = 0.0
    if iw[X.PROBLEM + L.HAS_MACS]:
        macs = ws[X.MACHINE + L.MAC_PJ] * points
    if ws[X.MACHINE + L.UNIT_RATE] > 0.0:
        cycles = spread(np.ceil(points / ws[X.MACHINE + L.UNIT_RATE]))
    elif iw[X.PROBLEM + L.HAS_MACS] == 0:
        unit = spread(np.ceil(points / ws[X.PES]))
        cycles = select(compute < unit, compute, unit)
    time = ramp_up + most(cycles, ports) + exposed + ramp_down + spread(ws[X.MACHINE + L.LAYER_CYCLES])
    leak = spread(ws[X.MACHINE + L.LEAK_PJ]) * time
    verdict = select(bad, spread(PENDING), verdict)
    legal = verdict == spread(L.OK)
    put(status, b, verdict)
    put(latency, b, select(legal, time, spread(np.inf)))
    put(energy, b, select(legal, pj + hops + spread(macs) + leak, spread(np.inf)))
    return lanes_of(bad) != 0


@kernel
def price_lanes(problem, machine, batch, prices):
    """As `loopnest.price_batch`, but for mappings whose status stays PENDING; returns whether there are any.

    The batch has at least eight mappings.
    """
    ws, iw = X.prepare(problem, machine)
    B = len(prices.status)
    if iw[X.STARTS]:  # transfers that take time to start are left to the scalar kernel
        for b in range(B):
            prices.status[b] = PENDING
        return True
    vs = np.zeros(LANES * V.VS_SIZE)
    bs = np.zeros(LANES * V.BS_SIZE, np.int64)
    set_out(vs, iw)
    left = False
    for b in range(0, B, LANES):
        # The last eight overlap those before where they must.
        left |= price_eight(min(b, B - LANES), batch, prices, vs, bs, ws, iw)
    return left
