"""Children of the genetic search: crossed, then changed by mutations or by exchanges between two tiles.

Whichever way has made more children better than their parents of late is chosen more often.
"""

from __future__ import annotations

import numpy as np

from cost_models._jit import step
from cost_models.loopnest import layout as L
from cost_models.loopnest import work as X
from cost_models.mappers import brood as B
from cost_models.mappers.chance import below, uniform
from cost_models.mappers.filled import completes, draw_axis, fill
from cost_models.mappers.greedy import BRED, HELPED, better
from cost_models.mappers.population import winner
from cost_models.mappers.proposals import (
    COLUMNS,
    DIM,
    PARTS,
    PLACE,
    TILE,
    divisor,
    orders_of,
    place_of,
    set_tile,
    widen,
)
from cost_models.mappers.room import make_fit

_WIDENED = 0.5  # share of the children whose tiles are made large enough to fill the axes
_FITTED = 0.5  # share of the children whose tiles are made small enough to fit
_AGAIN = 0.4  # chance of one more change, up to four
_RARE, _OFTEN = 0.05, 0.4  # least and largest share of children by exchanges
_WINDOW = 128  # children of one way, after which its counts are halved

# Brood.notes, of each child: how it was changed, and its better parent
_WAY, _PARENT = B.ASKED, B.ASKED + B.BROOD
_MUTATED, _EXCHANGED = 0, 1


@step
def cross(child, first, second, proposal, state, iw):
    """Write the child of two parents to row `child`."""
    M = iw[X.MEMORIES] & 7
    for m in range(M):
        axes = first if uniform(state) < 0.5 else second
        orders = first if uniform(state) < 0.5 else second
        for a in range(L.MAX_AXES):
            proposal[child, COLUMNS * m + DIM + a] = proposal[axes, COLUMNS * m + DIM + a]
            proposal[child, COLUMNS * m + PARTS + a] = proposal[axes, COLUMNS * m + PARTS + a]
        proposal[child, COLUMNS * m + PLACE] = proposal[orders, COLUMNS * m + PLACE]
    for d in range(L.NDIM):
        tiles = first if uniform(state) < 0.5 else second
        for m in range(M - 1):
            proposal[child, COLUMNS * m + TILE + d] = proposal[tiles, COLUMNS * m + TILE + d]


@step
def shrink(row, m, d, size, proposal, iw):
    """Give a proposal a tile, and smaller ones further in."""
    for x in range(m, (iw[X.MEMORIES] & 7) - 1):
        at = COLUMNS * x + TILE + d
        if x == m or proposal[row, at] > size:
            proposal[row, at] = size


@step
def any_tile(state, iw):
    """(memory, dimension) of a tile that may change, drawn."""
    d = below(L.NDIM, state)
    while iw[X.PROBLEM + d] == 1:
        d = (d + 1) & 7
    return below((iw[X.MEMORIES] & 7) - 1, state), d


@step
def mutate(row, allowed, pool, space):
    """Change one thing of a proposal."""
    proposal, sizes, state = pool.proposal, pool.sizes, pool.state
    scratch, iw = space.scratch, space.iw
    M = iw[X.MEMORIES] & 7
    m, d = any_tile(state, iw)
    what = uniform(state)
    if what < 0.3:  # another tile, near or far
        k = place_of(row, m, d, proposal, sizes)
        far = 1 + below(3, state) if uniform(state) < 0.7 else 1 + below(sizes[d, 0], state)
        way = -1 if uniform(state) < 0.5 else 1
        to = max(1, min(sizes[d, 0], k + way * far))
        if uniform(state) < 0.5:
            even = divisor(d, to - way, way, sizes)
            to = even if even > 0 else to
        if to < k:
            set_tile(row, m, d, sizes[d, to], proposal)
        else:
            shrink(row, m, d, sizes[d, to], proposal, iw)
    elif what < 0.5:  # the loop of this memory goes to the one outside or inside
        if uniform(state) < 0.5:
            size = iw[X.PROBLEM + d] if m == 0 else proposal[row, COLUMNS * (m - 1) + TILE + d]
        else:
            size = np.int64(1) if m == M - 2 else proposal[row, COLUMNS * (m + 1) + TILE + d]
        proposal[row, COLUMNS * m + TILE + d] = size
    elif what < 0.65:  # tiles drawn anew
        complete = completes(state, space.ws, iw)
        fill(row, 1 + below(M - 1, state), complete, proposal, sizes, scratch, state, space.ws, iw)
    elif what < 0.8:
        m = below(M, state)
        proposal[row, COLUMNS * m + PLACE] = below(orders_of(m, allowed), state)
    else:
        for _ in range(M):
            m = below(M, state)
            if iw[X.AXES + m] > 0:
                break
        for i in range(L.NDIM):
            scratch[i] = iw[X.PROBLEM + i]
        for a in range(L.MAX_AXES):
            scratch[L.NDIM + a] = iw[X.FAN + L.FAN_COLS * (L.MAX_AXES * m + a) + L.AXIS_SIZE]
        if iw[X.AXES + m] > 0:
            draw_axis(row, m, below(iw[X.AXES + m], state), allowed.axes, proposal, scratch, state, iw)
            widen(row, proposal, scratch, iw)


@step
def exchange(row, proposal, sizes, state, iw):
    """Shrink a tile and enlarge another, of any memory: where ports bind, both or neither help."""
    m, d = any_tile(state, iw)
    k = place_of(row, m, d, proposal, sizes)
    for _ in range(1 + below(4, state)):
        k = max(k, divisor(d, k, 1, sizes))
    shrink(row, m, d, sizes[d, k], proposal, iw)
    m, d = any_tile(state, iw)
    if uniform(state) < 0.5:
        size = iw[X.PROBLEM + d] if m == 0 else proposal[row, COLUMNS * (m - 1) + TILE + d]
        proposal[row, COLUMNS * m + TILE + d] = max(size, proposal[row, COLUMNS * m + TILE + d])
    else:
        k = place_of(row, m, d, proposal, sizes)
        for _ in range(1 + below(3, state)):
            even = divisor(d, k, -1, sizes)
            k = even if even > 0 else k
        set_tile(row, m, d, sizes[d, k], proposal)


@step
def share_of_exchanges(counters):
    """How many of the children are to be changed by exchanges, by how often that helped."""
    mutated = (counters[HELPED + _MUTATED] + 1.0) / (counters[BRED + _MUTATED] + 2.0)
    exchanged = (counters[HELPED + _EXCHANGED] + 1.0) / (counters[BRED + _EXCHANGED] + 2.0)
    return min(_OFTEN, max(_RARE, exchanged / (mutated + exchanged)))


@step
def credit(b, notes, pool):
    """Count child `b` for the way in which it was changed."""
    counters = pool.counters
    way = notes[_WAY + b]
    counters[BRED + way] += 1
    counters[HELPED + way] += better(b, notes[_PARENT + b], pool)
    if counters[BRED + way] == _WINDOW:
        counters[BRED + way] //= 2
        counters[HELPED + way] //= 2


@step
def breed(b, share, allowed, pool, space):
    """Write a child to row `b`; `share` is the chance of exchanges."""
    notes, state, iw = space.brood.notes, pool.state, space.iw
    one, two = winner(pool), winner(pool)
    notes[_PARENT + b] = two if better(two, one, pool) else one
    cross(b, one, two, pool.proposal, state, iw)
    way = _EXCHANGED if uniform(state) < share else _MUTATED
    notes[_WAY + b] = way
    if way == _MUTATED and uniform(state) < _WIDENED:
        widen(b, pool.proposal, space.scratch, iw)
    times = 1
    while times < 4 and uniform(state) < _AGAIN:
        times += 1
    for _ in range(times):
        if way == _EXCHANGED:
            exchange(b, pool.proposal, pool.sizes, state, iw)
        else:
            mutate(b, allowed, pool, space)
    if uniform(state) < _FITTED:
        make_fit(b, allowed, pool, space)
