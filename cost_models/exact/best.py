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

# stop: int64[3], ends a search at once: not 0; the most candidates to look at; the most mappings to price
NOW, NODES, PRICED = range(3)
FULL = 2  # written to stop[NOW]: the front has no room left


@inlined
def score(objective, latency, pj, leak):
    """The objective from latency in cycles and energy without leakage in pJ."""
    if objective == LATENCY:
        return latency
    energy = pj + leak * latency
    return energy if objective == ENERGY else energy * latency


@inlined
def dominated(latency, energy, front, held):
    """Whether a point of the front is nowhere worse."""
    low = 0
    high = held[0]
    while low < high:  # the last point that is no slower has the least energy of all these
        middle = (low + high) // 2
        if front[middle, 0] <= latency:
            low = middle + 1
        else:
            high = middle
    return low > 0 and front[low - 1, 1] <= energy


@step
def hopeless(objective, latency, pj, leak, best, held):
    """Whether nothing that costs at least this, in cycles and pJ without leakage, is worth a look."""
    if objective == FRONT:
        return dominated(ROUNDING * latency, ROUNDING * (pj + leak * latency), best, held)
    return score(objective, latency, pj, leak) * ROUNDING >= best[0, 0]


@step
def keep(objective, b, tile, order, best, held, best_tile, best_order, best_spatial, stop, ws):
    """Enter the mapping just priced, of spatial choice `b`, if it is worth it."""
    latency = ws[X.RESULT + L.LATENCY]
    energy = ws[X.RESULT + L.ENERGY]
    row = 0
    if objective == FRONT:
        if dominated(latency, energy, best, held):
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
            best_spatial[source + shift] = best_spatial[source]
            for m in range(tile.shape[1]):
                for d in range(L.NDIM):
                    best_tile[source + shift, m, d] = best_tile[source, m, d]
                    best_order[source + shift, m, d] = best_order[source, m, d]
        held[0] = n + shift
        best[row, 0] = latency
        best[row, 1] = energy
    else:
        value = latency if objective == LATENCY else energy if objective == ENERGY else latency * energy
        if value >= best[0, 0]:
            return
        best[0, 0] = value
        held[0] = 1
    best_spatial[row] = b
    for m in range(tile.shape[1]):
        for d in range(L.NDIM):
            best_tile[row, m, d] = tile[0, m, d]
            best_order[row, m, d] = order[0, m, d]
