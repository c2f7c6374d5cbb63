"""Lower bounds on latency and energy that no mapping of a problem on a machine can beat.

Every mapping must bring each word of a tensor once through each memory that holds it, must hand one operand
of each kind to every multiply (save what multicast and reduction axes share), and runs at most one multiply
per lane and cycle, on no more lanes of an axis than the dimensions are long that the dataflow lets it split.
The bounds follow the rules of `price` for precisions, ports and exposed fills; what a mapping can avoid
(refills, ramps, hops) counts nothing.
"""

from __future__ import annotations

import numpy as np

from cost_models._jit import inlined, kernel, step
from cost_models.loopnest import layout as L
from cost_models.loopnest.inputs import touched
from cost_models.loopnest.work import gap


@inlined
def _share(fan, m, capability):
    """Most instances that axes with a capability (a column of `fan`; AXIS_SIZE: all) below memory `m` cover.

    Axes on shared lanes count once.
    """
    total = 1.0
    for lanes in range(L.MAX_AXES):
        able = False
        for a in range(L.MAX_AXES):
            able |= fan[m, a, L.AXIS_SIZE] > 1 and fan[m, a, L.LANES] == lanes and fan[m, a, capability] > 0
        if able:
            total *= max(1.0, np.float64(fan[m, lanes, L.AXIS_SIZE]))
    return total


@inlined
def _shared(problem, fan, allowed, m, t):
    """Most multiplies that a word of tensor `t` in memory `m` serves at once on the axes below it.

    An axis that splits a dimension shares what does not depend on it: weights over N, P and Q, inputs over K
    and, where windows overlap, over P, Q, R and S, sums over C, R and S.
    """
    capability = L.REDUCTION if t == L.O else L.MULTICAST
    total = 1.0
    for lanes in range(L.MAX_AXES):
        users = 0
        able = False
        best = 1.0
        for a in range(L.MAX_AXES):
            if fan[m, a, L.AXIS_SIZE] <= 1 or fan[m, a, L.LANES] != lanes:
                continue
            users += 1
            if fan[m, a, capability] > 0:
                able = True
                for d in range(L.NDIM):
                    apart = d == L.G or (t == L.W and (d == L.K or d >= L.R))
                    apart |= t != L.O and d == L.C
                    apart |= t != L.W and d == L.N
                    apart |= t == L.O and (d == L.K or d == L.P or d == L.Q)
                    if not apart and allowed[m, a] >> d & 1:
                        best = max(best, min(np.float64(fan[m, a, L.AXIS_SIZE]), np.float64(problem[d])))
        if able:
            total *= best if users < 2 else max(1.0, np.float64(fan[m, lanes, L.AXIS_SIZE]))
    return total


@inlined
def _rivals(fan, allowed, m, a):
    """Dimensions, as bits, that an axis other than `a` below memory `m` may split too."""
    out = 0
    for x in range(fan.shape[0]):
        for b in range(L.MAX_AXES):
            if (x != m or b != a) and fan[x, b, L.AXIS_SIZE] > 1:
                out |= allowed[x, b]
    return out


@inlined
def _lanes(problem, fan, allowed, m, ever):
    """Most instances below memory `m` that can be at work in the mean step, or with `ever` in any.

    An axis splits one dimension; where no other axis may split it, its last part is short in the mean.
    """
    total = 1.0
    for lanes in range(L.MAX_AXES):
        users = 0
        best = 1.0
        for a in range(L.MAX_AXES):
            if fan[m, a, L.AXIS_SIZE] <= 1 or fan[m, a, L.LANES] != lanes:
                continue
            users += 1
            rivals = _rivals(fan, allowed, m, a)
            size = np.float64(fan[m, a, L.AXIS_SIZE])
            for d in range(L.NDIM):
                if allowed[m, a] >> d & 1:
                    whole = np.float64(problem[d])
                    part = min(size, whole)
                    if not ever and not rivals >> d & 1:
                        part = whole / np.ceil(whole / size)
                    best = max(best, part)
        total *= best if users < 2 else max(1.0, np.float64(fan[m, lanes, L.AXIS_SIZE]))
    return total


@inlined
def _words(problem, t):
    """Distinct words of tensor `t`; padding counts, gaps that a stride skips do not."""
    size = np.float64(problem[L.G])
    if t == L.W:
        return size * problem[L.K] * problem[L.C] * problem[L.R] * problem[L.S]
    size *= problem[L.N]
    if t == L.O:
        return size * problem[L.K] * problem[L.P] * problem[L.Q]
    p, r = gap(problem[L.STRIDE_H], problem[L.DILATION_H])
    q, s = gap(problem[L.STRIDE_W], problem[L.DILATION_W])
    rows = touched(np.float64(problem[L.P]), np.float64(problem[L.R]), p, r)
    return size * problem[L.C] * rows * touched(np.float64(problem[L.Q]), np.float64(problem[L.S]), q, s)


@step
def _width(m, i, machine):
    """Bits in memory `m` of tensor `i`, or of a partial sum."""
    own = machine.memory[m, L.WIDTH + i]
    return machine.machine[L.BITS_W + i] if own == 0.0 else own


@step
def _load(problem, machine, allowed, load):
    """Fill `load` [child kind, memory, READ / WRITE, tensor] with the fewest bits any mapping moves."""
    holds, fan, memory, _ = machine
    M = len(holds)
    points = 1.0
    for d in range(L.NDIM):
        points *= problem[d]
    for t in range(L.NTENSOR):
        if t == L.W and problem[L.HAS_WEIGHTS] == 0:
            continue
        size = _words(problem, t)
        p = 0
        for c in range(1, M + 1):
            if c < M and holds[c, t] == 0:
                continue
            parent = size
            kind = 0
            if c == M:
                share = 1.0
                for m in range(p, M):
                    share *= _shared(problem, fan, allowed, m, t)
                parent = max(size, points / share)
            elif memory[c, L.OVERLAPS] == 0.0:
                kind = c
            if p > 0 or problem[L.RESIDENT + t] == 0:
                if t == L.O:
                    copies = np.float64(problem[L.C] * problem[L.R] * problem[L.S])
                    above = 1.0
                    for m in range(p):
                        above *= _share(fan, m, L.AXIS_SIZE)
                    wide = _width(p, L.PSUM, machine)
                    narrow = min(wide, _width(p, t, machine))
                    load[kind, p, L.READ, t] += max(0.0, parent - size * min(copies, above)) * wide
                    load[kind, p, L.WRITE, t] += (parent - size) * wide + size * narrow
                    if c < M:
                        narrow = min(_width(c, L.PSUM, machine), _width(c, t, machine))
                        load[kind, c, L.READ, t] += size * narrow
                else:
                    load[kind, p, L.READ, t] += parent * _width(p, t, machine)
                    if c < M:
                        load[kind, c, L.WRITE, t] += size * _width(c, t, machine)
            p = c
    return points


@step
def _bounds(problem, machine, allowed, load, used):
    """(cycles, pJ) of one problem; `load` and `used` are scratch."""
    _, fan, memory, numbers = machine
    M = len(fan)
    for k in range(M):
        for m in range(M):
            for t in range(L.NTENSOR):
                load[k, m, L.READ, t] = load[k, m, L.WRITE, t] = 0.0
    points = _load(problem, machine, allowed, load)
    energy = points * numbers[L.MAC_PJ] if problem[L.HAS_MACS] else 0.0
    lanes = 1.0
    at_work = 1.0
    instances = 1.0
    for m in range(M):
        used[m] = instances
        instances *= _lanes(problem, fan, allowed, m, True)
        at_work *= _lanes(problem, fan, allowed, m, False)
        lanes *= _share(fan, m, L.AXIS_SIZE)
    exposed = 0.0
    overlapped = 0.0
    for k in range(M):
        slowest = 0.0
        for m in range(M):
            for port in range(L.NUSER):
                time = 0.0
                for user in range(L.NUSER):
                    if memory[m, L.READ_PORT + user] == port:
                        bits = load[k, m, user // L.NTENSOR, user % L.NTENSOR]
                        time += bits * memory[m, L.READ_CPB + user] / used[m]
                        energy += bits * memory[m, L.READ_PJ + user]
                slowest = max(slowest, time)
        if k == 0:
            # Operators without MACs have a unit as wide as the array.
            cycles = np.ceil(points / (at_work if problem[L.HAS_MACS] else lanes) * (1.0 - 1e-12))
            if numbers[L.UNIT_RATE] > 0.0:
                cycles = np.ceil(points / numbers[L.UNIT_RATE])
            elif problem[L.HAS_MACS]:
                cycles *= 1.0 + numbers[L.EXTRA_CYCLES]
            overlapped = max(slowest, cycles)
        else:
            exposed += slowest
    latency = overlapped + exposed + numbers[L.LAYER_CYCLES]
    return latency, energy + numbers[L.LEAK_PJ] * latency


@kernel
def bound_batch(problem, machine, latency, energy):
    """Lower bounds for a batch of problems on one machine, whatever its axes split.

    `problem` is int64[B, PROBLEM_COLS]; fills `latency` float64[B] (cycles) and `energy` float64[B] (pJ).
    """
    M = len(machine.holds)
    load, used = np.zeros((M, M, 2, L.NTENSOR)), np.zeros(M)
    allowed = np.full((M, L.MAX_AXES), (1 << L.NDIM) - 1)
    for b in range(problem.shape[0]):
        latency[b], energy[b] = _bounds(problem[b], machine, allowed, load, used)


@kernel
def bound_allowed(problem, machine, allowed, latency, energy):
    """As `bound_batch`, each axis splitting what `allowed` int64[M, A] says, a bit a dimension."""
    M = len(machine.holds)
    load, used = np.zeros((M, M, 2, L.NTENSOR)), np.zeros(M)
    for b in range(problem.shape[0]):
        latency[b], energy[b] = _bounds(problem[b], machine, allowed, load, used)
