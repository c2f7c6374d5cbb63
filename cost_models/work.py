"""The two arrays that a kernel works in: a flat `ws` float64 and a flat `iw` int64, all offsets named here.

They hold the problem, the machine, everything derived from a mapping, and its results. Flat arrays with
named offsets, because Numba pays for every array that a function receives and for every view that it
makes. Rows of dimensions are `L.NDIM` apart, of tensors `L.NTENSOR`, of axes `L.MAX_AXES`.
"""

from __future__ import annotations

import numpy as np

from cost_models import layout as L
from cost_models._jit import kernel, step

_M = L.MAX_MEMORIES

# ws
TILE = 0  # [M + 1, 8] instance tiles, nominal
UNION = TILE + (_M + 1) * L.NDIM  # [M, 8] union tiles
TRIP = UNION + _M * L.NDIM  # [M, 8] nominal trip counts
FACTOR = TRIP + _M * L.NDIM  # [M, 8] product of the axes that carry a dimension
AXIS = FACTOR + _M * L.NDIM  # [M, 3] tile after an axis, 0 = axis unused
INSTANCES = AXIS + _M * L.MAX_AXES  # [M + 1] in use of each memory; last: MACs
FREE_TRIPS = INSTANCES + _M + 1  # [M, 3] trips of the loops free to a tensor, exact dimensions only
FREE_OUTSIDE = FREE_TRIPS + _M * L.NTENSOR  # [M, 3] of those outside the innermost relevant loop
FREE_AXES = FREE_OUTSIDE + _M * L.NTENSOR  # [M, 3] factors of the axes free to a tensor, likewise
FREE_UNSHARED = FREE_AXES + _M * L.NTENSOR  # [M, 3] of those without multicast (W, I) / reduction (O)
WORDS = FREE_UNSHARED + _M * L.NTENSOR  # [M, 3] words of the instance tile
SIZE = WORDS + _M * L.NTENSOR  # [3] product of the sizes of W, of N G C, of O
GAP = SIZE + L.NTENSOR  # [4] d', s' of the rows, d', s' of the columns
PILE_SIZE = 24  # one more than the splits of a dimension: 5 temporal, 15 spatial
PILE = GAP + 4  # [2, PILE_SIZE] tile multiset: sizes, counts
LOAD = PILE + 2 * PILE_SIZE  # [3 + M, M, 2, 3] bits per port, see `ports`
RESULT = LOAD + (3 + _M) * _M * 2 * L.NTENSOR  # [SUMMARY_COLS], see `layout`, as all that follows
TRAFFIC = RESULT + L.SUMMARY_COLS  # [M + 1, 3, 4]
BITS = TRAFFIC + (_M + 1) * L.NTENSOR * L.TRAFFIC_COLS  # [M, 3, 2]
USED_BITS = BITS + _M * L.NTENSOR * 2  # [M, 3]
MEMORY = USED_BITS + _M * L.NTENSOR  # [M, MEM_COLS]
MACHINE = MEMORY + _M * L.MEM_COLS  # [MACHINE_COLS]
WS_SIZE = MACHINE + L.MACHINE_COLS

# iw
SPLIT = 0  # [8] bit m: fan-out m splits the dimension ...
MULTICAST = SPLIT + L.NDIM  # [8] ... and all axes that carry it multicast, or none does
REDUCTION = MULTICAST + L.NDIM
FORWARDING = REDUCTION + L.NDIM
INNERMOST = FORWARDING + L.NDIM  # [M, 3] innermost loop relevant to a tensor, -1 = none
OUTSIDE = INNERMOST + _M * L.NTENSOR  # [M, 3] bit d: loop over d stands outside it
LOOPS = OUTSIDE + _M * L.NTENSOR  # [M] bit d: the trip count exceeds 1
USED = LOOPS + _M  # bit m: fan-out m has an axis in use
DIMS = USED + 1  # [1 + 8] how many dimensions exceed 1, and which
INEXACT = DIMS + 1 + L.NDIM  # bit d: some split of d leaves a remainder
AXIS_DIM = INEXACT + 1  # [M, 3] dimension that an axis carries, -1 = axis unused
PROBLEM = AXIS_DIM + _M * L.MAX_AXES  # [PROBLEM_COLS], see `layout`, as all that follows
MEMORIES = PROBLEM + L.PROBLEM_COLS  # M
HOLDS = MEMORIES + 1  # [M, 3]
FAN = HOLDS + _M * L.NTENSOR  # [M, 3, FAN_COLS]
IW_SIZE = FAN + _M * L.MAX_AXES * L.FAN_COLS


@step
def gap(stride, dilation):
    """(d', s'): how far p and r must move for two input rows to coincide."""
    a, b = stride, dilation
    while b:
        a, b = b, a % b
    return np.float64(dilation // a), np.float64(stride // a)


@kernel
def prepare(problem, holds, fan, memory, machine):
    """(ws, iw) for mappings of one problem on one machine; every later call modifies them in place.

    Arguments are the arrays described in `layout`.
    """
    ws = np.zeros(WS_SIZE)
    iw = np.zeros(IW_SIZE, np.int64)
    M = holds.shape[0]
    iw[MEMORIES] = M
    iw[PROBLEM : PROBLEM + L.PROBLEM_COLS] = problem
    iw[HOLDS : HOLDS + M * L.NTENSOR] = holds.ravel()
    iw[FAN : FAN + M * L.MAX_AXES * L.FAN_COLS] = fan.ravel()
    ws[MEMORY : MEMORY + M * L.MEM_COLS] = memory.ravel()
    ws[MACHINE : MACHINE + L.MACHINE_COLS] = machine
    # Dimensions of size 1 are set once, here, and never visited again.
    ws[TILE:AXIS] = 1.0
    ws[SIZE : SIZE + L.NTENSOR] = 1.0
    for d in range(L.NDIM):
        size = np.float64(problem[d])
        ws[TILE + d] = size
        if d not in (L.N, L.P, L.Q):
            ws[SIZE + L.W] *= size
        if d in (L.N, L.G, L.C):
            ws[SIZE + L.I] *= size
        if d not in (L.C, L.R, L.S):
            ws[SIZE + L.O] *= size
        if size > 1.0:
            iw[DIMS] += 1
            iw[DIMS + iw[DIMS]] = d
    ws[GAP], ws[GAP + 1] = gap(problem[L.STRIDE_H], problem[L.DILATION_H])
    ws[GAP + 2], ws[GAP + 3] = gap(problem[L.STRIDE_W], problem[L.DILATION_W])
    return ws, iw
