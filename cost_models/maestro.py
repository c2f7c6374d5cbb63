"""MAESTRO's cost model: traffic, delays and buffers of data-centric dataflows, batched.

Reproduces the analysis of the tool (Kwon et al., MICRO 2019; repository maestro-project/maestro), whose rules
docs/maestro.md tells. Every map of a level stands in its first step, in a steady one or in a smaller one at
the edge. The tool walks all combinations; here they fall into classes that cost the same: what stands at its
edge decides what is made and drained, and which map moved last decides what is brought. `maestro_layout`
names the columns of all arrays. Nothing is allocated per mapping.
"""

from __future__ import annotations

import numpy as np

from cost_models import maestro_layout as L
from cost_models import maestro_levels as V
from cost_models._jit import inlined, kernel, step
from cost_models.maestro_cases import drained, spread, worked


@inlined
def _load(level, i, free, edge, cut, uneven, base_i, base_w, ws, iw):
    """Elements of I and W and their delay in the step in which map `i` moves; -1 is the first step of all."""
    row = V.level_record(level)
    k = V.LOADS + V.record(level, i) if i >= 0 else V.START + 4 * (level & 3)
    later = ~((2 << i) - 1) if i >= 0 else 0
    total = 0.0
    for t in range(2):
        coupled = iw[V.COUPLED + row + t]
        words = base_w if t else base_i
        if i >= 0 and not (coupled >> i) & 1:
            words = 0.0
        else:
            split = coupled & iw[V.SPLIT + row]
            restarted = coupled & free & later
            reached = later
            if i >= 0 and not restarted:
                reached |= 1 << i
                if not (split >> i) & 1:
                    j = V.record(level, i)
                    words = words / ws[V.SIZE + j] * ws[V.FRESH + j]
                    if ws[V.FRESH + j] == 0.0:
                        words = np.nan  # the tool stops if it ever comes to this step
            if split:
                words *= spread(t, level, reached, i < 0, edge, cut, uneven, ws, iw)
        ws[k + t] = words
        total += words
    ws[k + 2] = ws[V.MACHINE + L.NOC_LATENCY] - 1.0 + np.ceil(total / ws[V.MACHINE + L.NOC_BW])


@step
def _hand_down(level, edge, last, compat, ws, iw):
    """(cycles, PEs) of a sub-unit of this level on its tile; `last` = of the one with the shorter tile."""
    row = V.level_record(level)
    below = L.NDIM * (level + 1) & 31
    whole = True
    for i in range(iw[V.MAPS + row]):
        part = (edge >> i) & 1
        if part and (iw[V.SPLIT + row] >> i) & 1:
            part = last or ws[V.EDGE_UNITS + (level & 3)] == 1.0
        j = V.record(level, i)
        d = V.dim_of(level, i, iw)
        tile = ws[V.EDGE + j] if part else ws[V.SIZE + j]
        ws[V.TILE + below + d] = tile
        if tile != ws[V.FULL + below + d]:
            whole = False
    bank = 0
    if not whole:
        V.state(level + 1, 1, V.TILE, ws, iw)
        bank = 1
    return _level(level + 1, bank, compat, ws, iw)


@step
def _level(level, bank, compat, ws, iw):
    """(cycles, mean of the PEs with work) of one level, its state in `bank`; the top level also counts."""
    level &= 3
    bank &= 1
    row = V.level_record(level)
    start = V.START + 4 * level
    split = iw[V.SPLIT + row]
    outputs = iw[V.COUPLED + row + L.O]
    latency = ws[V.MACHINE + L.NOC_LATENCY] - 1.0
    bandwidth = ws[V.MACHINE + L.NOC_BW]
    first = iw[V.FIRST + row] & 7
    moves = iw[V.MOVES + row + bank]
    order = iw[V.ORDER + row + bank]
    edges = iw[V.EDGES + row + bank]
    cut = iw[V.CUT + row + bank]
    uneven = iw[V.UNEVEN + row + bank]
    bases = V.BASE + 4 * (L.MAX_LEVELS * bank + level)
    base_i = ws[bases]
    base_w = ws[bases + 1]
    free = 0
    for m in range(moves):
        free |= 1 << (order >> 4 * m & 7)
    runtime = 0.0
    active = 0.0
    counted = 0.0
    off_chip = 0.0
    read_i = 0.0
    read_w = 0.0
    drains = 0.0
    products = 0.0
    all_products = 0.0
    psums = 0.0
    split_edges = edges & split
    loop_edges = edges & ~split
    split_edge = 0
    while True:
        at_edge = split_edge | (cut & split)
        if split_edge == 0:
            _load(level, -1, free, at_edge, cut, uneven & at_edge, base_i, base_w, ws, iw)
        for m in range(moves):
            i = order >> 4 * m & 7
            if (split_edge >> i) <= 1:
                _load(level, i, free, at_edge, cut, uneven & at_edge, base_i, base_w, ws, iw)
        loop_edge = 0
        while True:
            edge = split_edge | loop_edge
            short = edge | cut
            base_o = ws[bases + 2]
            base_r = ws[bases + 3]
            if loop_edge:
                base_o = 1.0
                base_r = 1.0
            for i in range(iw[V.MAPS + row] if loop_edge else 0):
                if not (split >> i) & 1:
                    j = V.record(level, i)
                    size = ws[V.OUT_EDGE + j] if (short >> i) & 1 else ws[V.OUT + j]
                    base_o *= size if (outputs >> i) & 1 else 1.0
                    base_r *= 1.0 if (outputs >> i) & 1 else size
            drain = drained(level, edge, cut, uneven & short, base_o, compat, ws, iw)
            macs, longest = worked(level, edge, cut, uneven & short, base_o * base_r, compat, ws, iw)
            compute = 0.0
            busy = 0.0
            if level == 0 and edge == 0:
                need = ws[start] + ws[start + 1]
                rows = np.trunc(2.0 * need / ws[V.MACHINE + L.OFFCHIP_BW])
                made = np.trunc(2.0 * drain / ws[V.MACHINE + L.OFFCHIP_BW])
                off_chip = np.trunc(max(rows, made) / 2.0)
                ws[V.RESULT + L.L2_NEED + L.I] = 2.0 * ws[start]
                ws[V.RESULT + L.L2_NEED + L.W] = 2.0 * ws[start + 1]
                ws[V.RESULT + L.L2_NEED + L.O] = 2.0 * drain
                if longest <= 0.0:
                    iw[V.STATUS] = L.NO_WORK
                    return 0.0, 0.0
            if longest <= 0.0:
                pass
            elif level + 1 == iw[V.LEVELS]:
                compute = np.ceil(longest / ws[V.MACHINE + L.SIMD])
            else:
                used = ws[V.EDGE_UNITS + level] if (short >> first) & 1 else ws[V.UNITS + level]
                lone = ((uneven & short) >> first) & 1
                compute, part = _hand_down(level, short, lone == 1, compat, ws, iw)
                busy = part * used
                other = iw[V.SECOND + row] if iw[V.SECOND + row] >= 0 else first
                same = ws[V.EDGE + V.record(level, first)] == ws[V.SIZE + V.record(level, first)]
                same &= ws[V.EDGE + V.record(level, other)] == ws[V.SIZE + V.record(level, other)]
                if lone and used > 1.0 and not same:
                    time, others = _hand_down(level, short, False, compat, ws, iw)
                    compute = max(compute, time)
                    busy = part + others * (used - 1.0)
                compute = max(compute, 0.0)
                if level == 0 and compute == 0.0:
                    iw[V.STATUS] = L.STUCK
            if busy == 0.0:
                busy = ws[V.EDGE_UNITS + level] if (short >> first) & 1 else ws[V.UNITS + level]
            bound = max(latency + np.ceil(drain / bandwidth), compute, off_chip)
            times = 1.0  # steps in which the maps before this one stand so that the case is this one
            seen = 1.0  # those of them that work on outputs for the first time
            total = 0.0
            repeated = 0.0
            if edge == 0:
                total = 1.0
                if longest > 0.0:
                    runtime += max(compute + ws[start + 2], off_chip)
                    read_i += ws[start]
                    read_w += ws[start + 1]
            for m in range(moves):
                i = order >> 4 * m & 7
                makes = (outputs >> i) & 1
                if (edge >> i) & 1:
                    now = times
                    again = times - seen if makes else times
                    seen = seen if makes else 0.0
                else:
                    steady = ws[V.STEADY + V.record(level, i) + bank]
                    now = times * steady
                    again = now - seen * steady if makes else now
                    seen += seen * steady if makes else 0.0
                    times += now
                if (edge >> (i + 1)) != 0 or now == 0.0:
                    continue
                total += now
                if longest <= 0.0:
                    continue
                k = V.LOADS + V.record(level, i)
                read_i += now * ws[k]
                read_w += now * ws[k + 1]
                if compat or again == 0.0:
                    runtime += now * max(bound, ws[k + 2])
                else:
                    back = latency + np.ceil((ws[k] + ws[k + 1] + drain) / bandwidth)
                    runtime += (now - again) * max(bound, ws[k + 2]) + again * max(bound, back)
                    repeated += again
            drains += total * drain
            all_products += total * macs
            if longest > 0.0:
                counted += total
                active += total * busy
                products += total * macs
                psums += repeated * drain
            if loop_edge == loop_edges:
                break
            loop_edge = (loop_edge - loop_edges) & loop_edges
        if split_edge == split_edges:
            break
        split_edge = (split_edge - split_edges) & split_edges
    if np.isnan(read_i + read_w):
        iw[V.STATUS] = L.STUCK
    if level == 0:
        ws[V.RESULT + L.MACS] = products
        ws[V.RESULT + L.L2_READ + L.I] = read_i
        ws[V.RESULT + L.L2_READ + L.W] = read_w
        ws[V.RESULT + L.L2_WRITE + L.O] = drains
        ws[V.RESULT + L.L1_WRITE + L.O] = all_products
        ws[V.RESULT + L.PSUM_READ] = psums
    return runtime, active / counted if counted > 0.0 else 0.0


@step
def price(layer, machine, program, compat, layers, machines, maps, size, step_, cluster, ws, iw):
    """Price one dataflow of one layer on one machine; return its status and leave the counts in `ws`."""
    for i in range(L.MACHINE_COLS):
        ws[V.MACHINE + i] = machines[machine, i]
    ws[V.RESULT + L.LATENCY] = np.inf
    ws[V.RESULT + L.ENERGY] = np.inf
    iw[V.STATUS] = L.OK
    status = V.fill(layer, program, compat, layers, maps, size, step_, cluster, ws, iw)
    if status != L.OK:
        return status
    runtime, active = _level(0, 0, compat, ws, iw)
    if iw[V.STATUS] != L.OK:
        return iw[V.STATUS]
    macs = ws[V.RESULT + L.MACS]
    if macs > L.MAX_COUNT:
        return L.COUNT_OVER
    inner = iw[V.LEVELS] - 1 & 3
    for t in range(L.NTENSOR):
        coupled = iw[V.COUPLED + V.level_record(inner) + t]
        whole = 1.0
        need = 2.0
        for i in range(iw[V.MAPS + V.level_record(inner)]):
            d = V.dim_of(inner, i, iw)
            tile = ws[V.FULL + d]
            if t == L.O and (d == L.Y or d == L.X):
                tile = np.floor((tile - ws[V.FULL + d + 2]) / ws[V.SCALE + d]) + 1.0
            whole *= tile if (coupled >> i) & 1 else 1.0
            need *= ws[V.SIZE + V.record(inner, i)] if (coupled >> i) & 1 else 1.0
        ws[V.RESULT + L.L1_NEED + t] = need
        if t == L.O:
            ws[V.RESULT + L.L2_READ + L.O] = whole + ws[V.RESULT + L.PSUM_READ]
            ws[V.RESULT + L.L1_READ + L.O] = ws[V.RESULT + L.L1_WRITE + L.O]
        else:
            ws[V.RESULT + L.L2_WRITE + t] = whole
            ws[V.RESULT + L.L1_WRITE + t] = ws[V.RESULT + L.L2_READ + t]
            ws[V.RESULT + L.L1_READ + t] = macs
    energy = macs
    for t in range(L.NTENSOR):
        energy += L.L2_ENERGY * (ws[V.RESULT + L.L2_READ + t] + ws[V.RESULT + L.L2_WRITE + t])
        energy += L.L1_ENERGY * (ws[V.RESULT + L.L1_READ + t] + ws[V.RESULT + L.L1_WRITE + t])
    ws[V.RESULT + L.LATENCY] = runtime
    ws[V.RESULT + L.ENERGY] = energy
    ws[V.RESULT + L.ACTIVE] = active
    return L.OK


@kernel
def price_batch(layers, machines, maps, size, step_, cluster, pick, compat, status, latency, energy):
    """Price a batch of (layer, machine, dataflow).

    pick      int32[B, 3], rows of `layers`, of `machines` and of the dataflow arrays
    compat    count as the tool does, defects included
    status    int32[B], filled; what has no price gets infinity
    latency   float64[B], filled, cycles
    energy    float64[B], filled, pJ
    """
    ws = np.zeros(V.WS_SIZE)
    iw = np.zeros(V.IW_SIZE, np.int64)
    for b in range(pick.shape[0]):
        machine = pick[b, 1]
        status[b] = price(
            pick[b, 0], machine, pick[b, 2], compat, layers, machines, maps, size, step_, cluster, ws, iw
        )
        latency[b] = ws[V.RESULT + L.LATENCY]
        energy[b] = ws[V.RESULT + L.ENERGY] * machines[machine, L.MAC_PJ]


@kernel
def price_detail(layers, machines, maps, size, step_, cluster, pick, compat, status, counts):
    """As `price_batch`, with every count in `counts` float64[B, COUNT_COLS], energy in energies of a MAC."""
    ws = np.zeros(V.WS_SIZE)
    iw = np.zeros(V.IW_SIZE, np.int64)
    for b in range(pick.shape[0]):
        status[b] = price(
            pick[b, 0], pick[b, 1], pick[b, 2], compat, layers, machines, maps, size, step_, cluster, ws, iw
        )
        for i in range(L.COUNT_COLS):
            counts[b, i] = ws[V.RESULT + i]
