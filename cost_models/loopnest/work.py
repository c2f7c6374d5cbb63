"""The two arrays that a kernel works in: a flat `ws` float64 and a flat `iw` int64, all offsets named here.

They hold the problem, the machine, everything derived from a mapping, and its results. Flat arrays with
named offsets, because Numba pays for every array that a function receives and for every view that it
makes. Rows of dimensions are `L.NDIM` apart, of tensors `L.NTENSOR`, of axes `L.MAX_AXES`.
"""

from __future__ import annotations

import numpy as np

from cost_models._jit import inlined, kernel, step
from cost_models.loopnest import layout as L

_M = L.MAX_MEMORIES

# ws
TILE = 0  # [M + 1, 8] instance tiles, nominal
UNION = TILE + (_M + 1) * L.NDIM  # [M, 8] union tiles
TRIP = UNION + _M * L.NDIM  # [M, 8] nominal trip counts
FACTOR = TRIP + _M * L.NDIM  # [M, 8] product of the axes that carry a dimension
TILES = FACTOR + _M * L.NDIM  # [M + 1, 8] non-empty tiles at a memory: every iteration, every instance
SWEPT = TILES + (_M + 1) * L.NDIM  # [M, 8] the same after its temporal loop, before its fan-out
AXIS = SWEPT + _M * L.NDIM  # [M, MAX_AXES] tile after an axis
INSTANCES = AXIS + _M * L.MAX_AXES  # [M + 1] in use of each memory; last: MACs
HOPS = INSTANCES + _M + 1  # [M] pJ per bit delivered through the axes in use below a memory
WORDS = HOPS + _M  # [M, 3] words of the instance tile
SIZE = WORDS + _M * L.NTENSOR  # [3] product of the sizes of W, of N G C, of O
GAP = SIZE + L.NTENSOR  # [4] d', s' of the rows, d', s' of the columns
PILE_SIZE = _M * (1 + L.MAX_AXES) + 1  # one more than the splits of a dimension, temporal and spatial
PILE = GAP + 4  # [2, PILE_SIZE] tile multiset: sizes, counts
LOAD = PILE + 2 * PILE_SIZE  # [M kinds, M, 6] bits of each user of a memory's ports, see `ports`
WAIT = LOAD + _M * _M * L.NUSER  # [M kinds, M, 6] cycles in which its transfers start
RESULT = WAIT + _M * _M * L.NUSER  # [SUMMARY_COLS], see `layout`, as all that follows
TRAFFIC = RESULT + L.SUMMARY_COLS  # [M + 1, 3, 4]
BITS = TRAFFIC + (_M + 1) * L.NTENSOR * L.TRAFFIC_COLS  # [M, 3, 2], filled on demand
USED_BITS = BITS + _M * L.NTENSOR * 2  # [M, 3]
MEMORY = USED_BITS + _M * L.NTENSOR  # [M, MEM_COLS]
MACHINE = MEMORY + _M * L.MEM_COLS  # [MACHINE_COLS]
PES = MACHINE + L.MACHINE_COLS  # MACs of the whole array
SAME = PES + 1  # [M, 6] 1 where USER has the port of the user before it
WS_SIZE = SAME + _M * L.NUSER

# iw. Fan-outs are kept as sets of (memory, dimension): bit 8 m + d of one word.
SPLIT = 0  # fan-out m splits the dimension ...
NO_MULTICAST = 1  # ... and an axis that carries it lacks the capability
NO_REDUCTION = 2
NO_FORWARDING = 3
INEXACT = 4  # bit d: some split of d leaves a remainder; RELAXED: see `exact.partial`
INNERMOST = 5  # [M, 3] innermost loop relevant to a tensor, -1 = none
OUTSIDE = INNERMOST + _M * L.NTENSOR  # [M, 3] bit d: loop over d stands outside it
LOOPS = OUTSIDE + _M * L.NTENSOR  # [M] bit d: the trip count exceeds 1
AXIS_DIM = LOOPS + _M  # [M, MAX_AXES] dimension that an axis carries, -1 = axis unused
AXES = AXIS_DIM + _M * L.MAX_AXES  # [M] how many axes there are
PARENT = AXES + _M  # [M, 3] next memory outside that holds the tensor; -1 = no traffic between them
KIND = PARENT + _M * L.NTENSOR  # [M + 1] kind of load by child, see `ports`
KINDS = KIND + _M + 1  # how many kinds there are
FOLDED = KINDS + 1  # innermost memory with serial folds, 0 = none
STARTS = FOLDED + 1  # 1 where some memory's transfers take cycles to start or move whole bursts
USER = STARTS + 1  # [M, 6] users of a memory's ports, those of one port side by side
TOGETHER = USER + _M * L.NUSER  # [M, 2] whether W and I share the port that reads, writes them
FORM = TOGETHER + 2 * _M  # [M] which users share ports: a frequent pattern, or any
PROBLEM = FORM + _M  # [PROBLEM_COLS], see `layout`, as all that follows
MEMORIES = PROBLEM + L.PROBLEM_COLS  # M
HOLDS = MEMORIES + 1  # [M, 3]
FAN = HOLDS + _M * L.NTENSOR  # [M, MAX_AXES, FAN_COLS]
IW_SIZE = FAN + _M * L.MAX_AXES * L.FAN_COLS

# FORM
ANY_PORTS = 0
OWN_PORTS = 1  # each user has a port
TWO_PORTS = 2  # all reads share one, all writes another
ONE_PORT = 3  # all users share one

# Bit of INEXACT beside those of the dimensions.
RELAXED = 1 << L.NDIM

# The sets of all fan-outs that split one dimension: shift by the dimension.
EVERY_MEMORY = sum(1 << (L.NDIM * m) for m in range(_M))


@inlined
def fans(p, c):
    """The set of all fan-outs of memories p .. c - 1, see SPLIT."""
    return (1 << (L.NDIM * c)) - (1 << (L.NDIM * p))


@inlined
def width(m, i, ws):
    """Bits in memory `m` of tensor `i`, or of a partial sum (`layout.PSUM`)."""
    return ws[MEMORY + L.MEM_COLS * m + L.WIDTH + i]


@step
def gap(stride, dilation):
    """(d', s'): how far p and r must move for two input rows to coincide."""
    a, b = stride, dilation
    while b:
        a, b = b, a % b
    return np.float64(dilation // a), np.float64(stride // a)


@step
def form_of(memory, m):
    """FORM of a memory's ports."""
    pairs = 0
    across = 0
    for a in range(L.NUSER):
        for b in range(a):
            together = memory[m, L.READ_PORT + a] == memory[m, L.READ_PORT + b]
            both_ways = a >= L.NTENSOR and b < L.NTENSOR
            pairs += together and not both_ways
            across += together and both_ways
    if pairs + across == 0:
        return OWN_PORTS
    if across == 0 and pairs == 2 * L.NTENSOR:
        return TWO_PORTS
    return ONE_PORT if across == L.NTENSOR * L.NTENSOR else ANY_PORTS


@step
def line_up(memory, ws, iw):
    """Put the users of each memory's ports in a line, those of one port side by side."""
    iw[STARTS] = 0
    for m in range(memory.shape[0]):
        if memory[m, L.START_CYCLES] > 0.0 or memory[m, L.BURST_BITS] > 0.0:
            iw[STARTS] = 1
        for way in range(2):
            at = L.READ_PORT + L.NTENSOR * way
            iw[TOGETHER + 2 * m + way] = memory[m, at + L.W] == memory[m, at + L.I]
        iw[FORM + m] = form_of(memory, m)
        i = 0
        for port in range(L.NUSER):
            first = True
            for user in range(L.NUSER):
                if memory[m, L.READ_PORT + user] == port:
                    iw[USER + L.NUSER * m + i] = user
                    ws[SAME + L.NUSER * m + i] = 0.0 if first else 1.0
                    first = False
                    i += 1
    if iw[STARTS]:
        for m in range(memory.shape[0]):
            iw[FORM + m] = ANY_PORTS


@step
def place(problem, machine, ws, iw):
    """Put one problem and one machine into work arrays, as `prepare` does."""
    holds, fan, memory, numbers = machine
    M = holds.shape[0]
    iw[MEMORIES] = M
    # Plain loops: slices take seconds to compile.
    for i in range(L.PROBLEM_COLS):
        iw[PROBLEM + i] = problem[i]
    for i in range(L.MACHINE_COLS):
        ws[MACHINE + i] = numbers[i]
    for m in range(M):
        for t in range(L.NTENSOR):
            iw[HOLDS + L.NTENSOR * m + t] = holds[m, t]
        for a in range(L.MAX_AXES):
            for i in range(L.FAN_COLS):
                iw[FAN + L.FAN_COLS * (L.MAX_AXES * m + a) + i] = fan[m, a, i]
        for i in range(L.MEM_COLS):
            ws[MEMORY + L.MEM_COLS * m + i] = memory[m, i]
        for i in range(L.PSUM + 1):
            if memory[m, L.WIDTH + i] == 0.0:
                ws[MEMORY + L.MEM_COLS * m + L.WIDTH + i] = numbers[L.BITS_W + i]
    line_up(memory, ws, iw)
    ws[PES] = 1.0
    iw[KINDS] = 0
    iw[FOLDED] = 0
    for m in range(M):
        iw[AXES + m] = 0
        for a in range(L.MAX_AXES):
            if fan[m, a, L.AXIS_SIZE] > 1:
                iw[AXES + m] = a + 1
                if fan[m, a, L.LANES] == a:
                    ws[PES] *= fan[m, a, L.AXIS_SIZE]
    for c in range(1, M):
        iw[KIND + c] = 0
        if memory[c, L.FOLD_CYCLES] > 0.0:
            iw[FOLDED] = c
        if memory[c, L.OVERLAPS] == 0.0:
            iw[KINDS] += 1
            iw[KIND + c] = iw[KINDS]
        for t in range(L.NTENSOR):
            p = c - 1
            while holds[p, t] == 0:
                p -= 1
            still = p == 0 and problem[L.RESIDENT + t] != 0
            if holds[c, t] == 0 or still or (t == L.W and problem[L.HAS_WEIGHTS] == 0):
                p = -1
            iw[PARENT + L.NTENSOR * c + t] = p
    iw[KINDS] += 1
    ws[SIZE + L.W] = ws[SIZE + L.I] = ws[SIZE + L.O] = 1.0
    for d in range(L.NDIM):
        size = np.float64(problem[d])
        ws[TILE + d] = size
        ws[TILES + d] = 1.0
        if d not in (L.N, L.P, L.Q):
            ws[SIZE + L.W] *= size
        if d in (L.N, L.G, L.C):
            ws[SIZE + L.I] *= size
        if d not in (L.C, L.R, L.S):
            ws[SIZE + L.O] *= size
    ws[GAP], ws[GAP + 1] = gap(problem[L.STRIDE_H], problem[L.DILATION_H])
    ws[GAP + 2], ws[GAP + 3] = gap(problem[L.STRIDE_W], problem[L.DILATION_W])


@kernel
def prepare(problem, machine):
    """(ws, iw) for mappings of one problem on one machine; every later call modifies them in place."""
    ws = np.zeros(WS_SIZE)
    iw = np.zeros(IW_SIZE, np.int64)
    place(problem, machine, ws, iw)
    return ws, iw
