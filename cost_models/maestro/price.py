"""MAESTRO's cost model: traffic, delays and buffers of data-centric dataflows, batched.

Reproduces the analysis of the tool (Kwon et al., MICRO 2019; repository maestro-project/maestro), whose rules
docs/maestro.md tells. Every map of a level stands in its first step, in a steady one or in a smaller one at
the edge. The tool walks all combinations; here they fall into classes that cost the same: what stands at its
edge decides what is made and drained, and which map moved last decides what is brought. `layout`
names the columns of all arrays. Nothing is allocated per mapping.
"""

from __future__ import annotations

import numpy as np

from cost_models._jit import inlined, kernel, step
from cost_models.maestro import layout as L
from cost_models.maestro import levels as V
from cost_models.maestro.cases import drained, spread, worked

# SUM, over the steps of a level: cycles, elements read, drained, multiply-accumulates with and without those
# of steps that the tool leaves out, partial sums read back, steps, and PEs with work in each
_RUNTIME, _READ_I, _READ_W, _DRAINS, _MACS, _PRODUCTS, _PSUMS, _STEPS, _BUSY = range(9)


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
def _loads(level, bank, split_edge, ws, iw):
    """Loads of every step in which the spatial maps in `split_edge`, and no others, are at their edge."""
    level &= 3
    bank &= 1
    row = V.level_record(level)
    moves = iw[V.MOVES + row + bank]
    order = iw[V.ORDER + row + bank]
    edge = split_edge | (iw[V.CUT + row + bank] & iw[V.SPLIT + row])
    uneven = iw[V.UNEVEN + row + bank] & edge
    cut = iw[V.CUT + row + bank]
    base_i = ws[V.BASE + 4 * (L.MAX_LEVELS * bank + level)]
    base_w = ws[V.BASE + 4 * (L.MAX_LEVELS * bank + level) + 1]
    free = 0
    for m in range(moves):
        free |= 1 << (order >> 4 * m & 7)
    for m in range(-1, moves):
        i = order >> 4 * m & 7 if m >= 0 else -1
        if (split_edge == 0) if m < 0 else (split_edge >> i) <= 1:
            _load(level, i, free, edge, cut, uneven, base_i, base_w, ws, iw)


@step
def _make(level, bank, edge, compat, ws, iw):
    """What the steps make in which the maps in `edge`, and no others, are at their edge: fills CASE."""
    level &= 3
    bank &= 1
    row = V.level_record(level)
    split = iw[V.SPLIT + row]
    cut = iw[V.CUT + row + bank]
    short = edge | cut
    uneven = iw[V.UNEVEN + row + bank] & short
    base_o = ws[V.BASE + 4 * (L.MAX_LEVELS * bank + level) + 2]
    base_r = ws[V.BASE + 4 * (L.MAX_LEVELS * bank + level) + 3]
    if edge & ~split:
        base_o = 1.0
        base_r = 1.0
        for i in range(iw[V.MAPS + row]):
            if not (split >> i) & 1:
                j = V.record(level, i)
                size = ws[V.OUT_EDGE + j] if (short >> i) & 1 else ws[V.OUT + j]
                makes = (iw[V.COUPLED + row + L.O] >> i) & 1
                base_o *= size if makes else 1.0
                base_r *= 1.0 if makes else size
    macs, longest = worked(level, edge, cut, uneven, base_o * base_r, compat, ws, iw)
    ws[V.CASE + 3 * level] = drained(level, edge, cut, uneven, base_o, compat, ws, iw)
    ws[V.CASE + 3 * level + 1] = macs
    ws[V.CASE + 3 * level + 2] = longest


@step
def _add(level, bank, edge, compute, busy, off_chip, compat, ws, iw):
    """Add the case at hand, which computes for `compute` cycles on `busy` PEs, to the level's SUM."""
    level &= 3
    bank &= 1
    row = V.level_record(level)
    sums = V.SUM + 9 * level
    drain = ws[V.CASE + 3 * level]
    macs = ws[V.CASE + 3 * level + 1]
    works = ws[V.CASE + 3 * level + 2] > 0.0
    latency = ws[V.MACHINE + L.NOC_LATENCY] - 1.0
    bandwidth = ws[V.MACHINE + L.NOC_BW]
    outputs = iw[V.COUPLED + row + L.O]
    order = iw[V.ORDER + row + bank]
    bound = max(latency + np.ceil(drain / bandwidth), compute, off_chip)
    times = 1.0  # steps in which the maps before this one stand so that the case is this one
    seen = 1.0  # those of them that work on outputs for the first time
    total = 0.0
    repeated = 0.0
    runtime = 0.0
    read_i = 0.0
    read_w = 0.0
    if edge == 0:
        start = V.START + 4 * level
        total = 1.0
        if works:
            runtime = max(compute + ws[start + 2], off_chip)
            read_i = ws[start]
            read_w = ws[start + 1]
    for m in range(iw[V.MOVES + row + bank]):
        i = order >> 4 * m & 7
        j = V.record(level, i)
        makes = (outputs >> i) & 1
        if (edge >> i) & 1:
            now = times
            again = times - seen if makes else times
            seen = seen if makes else 0.0
        else:
            steady = ws[V.STEADY + j + bank]
            now = times * steady
            again = now - seen * steady if makes else now
            seen += seen * steady if makes else 0.0
            times += now
        if (edge >> (i + 1)) != 0 or now == 0.0:
            continue
        total += now
        if works:
            came_i = ws[V.LOADS + j]
            came_w = ws[V.LOADS + j + 1]
            came = max(bound, ws[V.LOADS + j + 2])
            read_i += now * came_i
            read_w += now * came_w
            if compat or again == 0.0:
                runtime += now * came
            else:
                back = latency + np.ceil((came_i + came_w + drain) / bandwidth)
                runtime += (now - again) * came + again * max(bound, back)
                repeated += again
    ws[sums + _DRAINS] += total * drain
    ws[sums + _PRODUCTS] += total * macs
    if works:
        ws[sums + _RUNTIME] += runtime
        ws[sums + _READ_I] += read_i
        ws[sums + _READ_W] += read_w
        ws[sums + _STEPS] += total
        ws[sums + _BUSY] += total * busy
        ws[sums + _MACS] += total * macs
        ws[sums + _PSUMS] += repeated * drain


@step
def _hand_down(level, edge, last, ws, iw):
    """Make the tile of a sub-unit, the shorter one if `last`, that of the next level; return its bank."""
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
    if whole:
        return 0
    V.state(level + 1, 1, V.TILE, ws, iw)
    return 1


@step
def _off_chip(ws):
    """Buffers that the top level needs, and the cycles that filling them takes off chip at least."""
    for t in range(2):
        ws[V.RESULT + L.L2_NEED + t] = 2.0 * ws[V.START + t]
    ws[V.RESULT + L.L2_NEED + L.O] = 2.0 * ws[V.CASE]
    bandwidth = ws[V.MACHINE + L.OFFCHIP_BW]
    rows = np.trunc(2.0 * (ws[V.START] + ws[V.START + 1]) / bandwidth)
    return np.trunc(max(rows, np.trunc(2.0 * ws[V.CASE] / bandwidth)) / 2.0)


def _walk(below):
    """The step that prices a level whose sub-units `below` prices. Machine code that calls itself cannot be
    kept on disk, so that each level has its own."""

    @step
    def level_cost(level, bank, compat, ws, iw):
        """(cycles, mean of the PEs with work) of a level on the tile in `bank`; SUM holds its counts."""
        level &= 3
        bank &= 1
        row = V.level_record(level)
        sums = V.SUM + 9 * level
        for i in range(9):
            ws[sums + i] = 0.0
        split = iw[V.SPLIT + row]
        cut = iw[V.CUT + row + bank]
        split_edges = iw[V.EDGES + row + bank] & split
        loop_edges = iw[V.EDGES + row + bank] & ~split
        first = iw[V.FIRST + row] & 7
        off_chip = 0.0
        split_edge = 0
        while True:
            _loads(level, bank, split_edge, ws, iw)
            loop_edge = 0
            while True:
                edge = split_edge | loop_edge
                short = edge | cut
                _make(level, bank, edge, compat, ws, iw)
                longest = ws[V.CASE + 3 * level + 2]
                if level == 0 and edge == 0:
                    off_chip = _off_chip(ws)
                    if longest <= 0.0:
                        iw[V.STATUS] = L.NO_WORK
                        return 0.0, 0.0
                used = ws[V.EDGE_UNITS + level] if (short >> first) & 1 else ws[V.UNITS + level]
                compute = 0.0
                busy = 0.0
                if level + 1 == iw[V.LEVELS]:
                    compute = np.ceil(longest / ws[V.MACHINE + L.SIMD])
                elif longest > 0.0:
                    lone = ((iw[V.UNEVEN + row + bank] & short) >> first) & 1
                    compute, part = below(
                        level + 1, _hand_down(level, short, lone == 1, ws, iw), compat, ws, iw
                    )
                    busy = part * used
                    if lone and used > 1.0 and not _even(level, ws, iw):
                        time, others = below(
                            level + 1, _hand_down(level, short, False, ws, iw), compat, ws, iw
                        )
                        compute = max(compute, time)
                        busy = part + others * (used - 1.0)
                    compute = max(compute, 0.0)
                    if level == 0 and compute == 0.0:
                        iw[V.STATUS] = L.STUCK
                _add(level, bank, edge, compute, busy if busy != 0.0 else used, off_chip, compat, ws, iw)
                if loop_edge == loop_edges:
                    break
                loop_edge = (loop_edge - loop_edges) & loop_edges
            if split_edge == split_edges:
                break
            split_edge = (split_edge - split_edges) & split_edges
        if np.isnan(ws[sums + _READ_I] + ws[sums + _READ_W]):
            iw[V.STATUS] = L.STUCK
        steps = ws[sums + _STEPS]
        return ws[sums + _RUNTIME], ws[sums + _BUSY] / steps if steps > 0.0 else 0.0

    return level_cost


@inlined
def _cases_along(level, i, bank, edges, ws):
    """How many cases a map has: its first tile, steady ones, an edge."""
    return 1 + (ws[V.STEADY + V.record(level, i) + bank] > 0.0) + ((edges >> i) & 1)


@step
def _first_result(compat, ws, iw):
    """(level, times): the level that the tool is done with first, and its cases until one does some work.

    Follows the tool's order of cases, in which the counter of every map but the innermost is one ahead.
    """
    level = 0
    bank = 0
    while True:
        row = V.level_record(level)
        edges = iw[V.EDGES + row + bank]
        total = 1
        for i in range(iw[V.MAPS + row]):
            total *= _cases_along(level, i, bank, edges, ws)
        asked = 0
        found = -1
        while asked < total and found < 0:
            stride = total
            edge = 0
            for i in range(iw[V.MAPS + row]):
                states = _cases_along(level, i, bank, edges, ws)
                stride //= states
                if (edges >> i) & 1 and -(-asked // stride) % states == states - 1:
                    edge |= 1 << i
            _make(level, bank, edge, compat, ws, iw)
            if ws[V.CASE + 3 * level + 2] > 0.0:
                found = edge
            asked += 1
        if found < 0 or level + 1 == iw[V.LEVELS]:
            return level, asked
        short = found | iw[V.CUT + row + bank]
        first = iw[V.FIRST + row] & 7
        lone = ((iw[V.UNEVEN + row + bank] & short) >> first) & 1
        bank = _hand_down(level, short, lone == 1, ws, iw)
        level = (level + 1) & 3


@inlined
def _even(level, ws, iw):
    """Whether the last tile of every spatial map is as large as the others."""
    even = True
    for k in range(2):
        i = iw[V.FIRST + V.level_record(level) + k]
        if i >= 0:
            j = V.record(level, i)
            even &= ws[V.EDGE + j] == ws[V.SIZE + j]
    return even


@step
def _none(level, bank, compat, ws, iw):
    """Below the last level that there can be."""
    return 0.0, 0.0


_top = _walk(_walk(_walk(_walk(_none))))


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
    first = iw[V.LEVELS] - 1 & 3
    asked = 1
    if compat and first > 0:
        first, asked = _first_result(compat, ws, iw)
    runtime, active = _top(0, 0, compat, ws, iw)
    if iw[V.STATUS] != L.OK:
        return iw[V.STATUS]
    macs = ws[V.SUM + _MACS]
    if macs > L.MAX_COUNT:
        return L.COUNT_OVER
    ws[V.RESULT + L.MACS] = macs
    ws[V.RESULT + L.L2_READ + L.I] = ws[V.SUM + _READ_I]
    ws[V.RESULT + L.L2_READ + L.W] = ws[V.SUM + _READ_W]
    ws[V.RESULT + L.L2_WRITE + L.O] = ws[V.SUM + _DRAINS]
    ws[V.RESULT + L.L1_WRITE + L.O] = ws[V.SUM + _PRODUCTS]
    ws[V.RESULT + L.PSUM_READ] = ws[V.SUM + _PSUMS]
    inner = iw[V.LEVELS] - 1 & 3
    for t in range(L.NTENSOR):
        coupled = iw[V.COUPLED + V.level_record(inner) + t]
        whole = 1.0
        for i in range(iw[V.MAPS + V.level_record(inner)]):
            d = V.dim_of(inner, i, iw)
            tile = ws[V.FULL + d]
            if t == L.O and (d == L.Y or d == L.X):
                tile = np.floor((tile - ws[V.FULL + d + 2]) / ws[V.SCALE + d]) + 1.0
            whole *= tile if (coupled >> i) & 1 else 1.0
        need = 2.0 if t == L.O else 2.0 * asked
        for i in range(iw[V.MAPS + V.level_record(first)]):
            if (iw[V.COUPLED + V.level_record(first) + t] >> i) & 1:
                need *= ws[V.SIZE + V.record(first, i)]
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
def price_batch(layers, machines, maps, size, step_, cluster, pick, compat, status, latency, energy, counts):
    """Price a batch of (layer, machine, dataflow).

    pick      int32[B, 3], rows of `layers`, of `machines` and of the dataflow arrays
    compat    count as the tool does, defects included
    status    int32[B], filled; what has no price gets infinity
    latency   float64[B], filled, cycles
    energy    float64[B], filled, pJ
    counts    float64[B, COUNT_COLS], filled with every count; or [0, COUNT_COLS] to leave them out
    """
    ws = np.zeros(V.WS_SIZE)
    iw = np.zeros(V.IW_SIZE, np.int64)
    iw[V.KNOWN] = -1
    detail = counts.shape[0] > 0
    for b in range(pick.shape[0]):
        machine = pick[b, 1]
        status[b] = price(
            pick[b, 0], machine, pick[b, 2], compat, layers, machines, maps, size, step_, cluster, ws, iw
        )
        latency[b] = ws[V.RESULT + L.LATENCY]
        energy[b] = ws[V.RESULT + L.ENERGY] * machines[machine, L.MAC_PJ]
        if detail:
            for i in range(L.COUNT_COLS):
                counts[b, i] = ws[V.RESULT + i]
