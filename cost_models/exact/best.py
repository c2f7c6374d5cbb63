"""The best found so far: what is worth a look, and what is kept.

With objective FRONT that is every mapping that no other matches in one of latency and energy and beats in
the other, by rising latency and falling energy.
"""

from __future__ import annotations

from cost_models._jit import inlined, step
from cost_models.exact.partial import ROUNDING
from cost_models.loopnest import layout as L
from cost_models.loopnest import work as X

EDP, LATENCY, ENERGY, FRONT = range(4)
ANY = -1  # nothing is worse than anything else

# Counters.stop ends a search at once: not 0; the most boxes to look at; the most mappings to price
NOW, NODES, PRICED = range(3)
FULL = 2  # written to stop[NOW]: the front has no room left
# Counters.nodes
LOOKED, TRIED = range(2)
# Counters.pruned: what a branch was cut by
BY_TILE, BY_NEST, BY_KERNEL, BY_SIZE, BY_BOUND = range(5)


@inlined
def score(objective, latency, pj, leak):
    """The objective from latency in cycles and energy without leakage in pJ."""
    if objective == LATENCY:
        return latency
    energy = pj + leak * latency
    return energy if objective == ENERGY else energy * latency


@inlined
def dominated(latency, energy, found):
    """Whether a point of the front is nowhere worse."""
    front = found.value
    low = 0
    high = found.held[0]
    while low < high:  # the last point that is no slower has the least energy of all these
        middle = (low + high) // 2
        if front[middle, 0] <= latency:
            low = middle + 1
        else:
            high = middle
    return low > 0 and front[low - 1, 1] <= energy


@step
def hopeless(latency, pj, leak, found):
    """Whether nothing that costs at least this, in cycles and pJ without leakage, is worth a look."""
    if found.objective == FRONT:
        return dominated(ROUNDING * latency, ROUNDING * (pj + leak * latency), found)
    return score(found.objective, latency, pj, leak) * ROUNDING >= found.value[0, 0]


@step
def keep(b, tile, order, found, stop, ws):
    """Enter the mapping just priced, of spatial choice `b`, if it is worth it."""
    objective, best, held = found.objective, found.value, found.held
    latency = ws[X.RESULT + L.LATENCY]
    energy = ws[X.RESULT + L.ENERGY]
    row = 0
    if objective == FRONT:
        if dominated(latency, energy, found):
            return
        n = held[0]
        while row < n and best[row, 0] < latency:
            row += 1
        last = row  # those from `row` to here are beaten
        while last < n and best[last, 1] >= energy:
            last += 1
        if last == row and n == len(best):
            stop[NOW] = FULL
            return
        shift = row + 1 - last
        for k in range(n - last):
            source = n - 1 - k if shift > 0 else last + k
            if shift == 0:
                break
            best[source + shift, 0] = best[source, 0]
            best[source + shift, 1] = best[source, 1]
            found.choice[source + shift] = found.choice[source]
            for m in range(tile.shape[1]):
                for d in range(L.NDIM):
                    found.tile[source + shift, m, d] = found.tile[source, m, d]
                    found.order[source + shift, m, d] = found.order[source, m, d]
        held[0] = n + shift
        best[row, 0] = latency
        best[row, 1] = energy
    else:
        value = latency if objective == LATENCY else energy if objective == ENERGY else latency * energy
        if value >= best[0, 0]:
            return
        best[0, 0] = value
        held[0] = 1
    found.choice[row] = b
    for m in range(tile.shape[1]):
        for d in range(L.NDIM):
            found.tile[row, m, d] = tile[0, m, d]
            found.order[row, m, d] = order[0, m, d]
