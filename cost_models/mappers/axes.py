"""Hill climbing over what axes carry: another dimension, or none, or the same in other parts."""

from __future__ import annotations

from cost_models._jit import inlined, step
from cost_models.loopnest import layout as L
from cost_models.loopnest import work as X
from cost_models.mappers import brood as B
from cost_models.mappers.greedy import INCUMBENT, done, first_better
from cost_models.mappers.proposals import ALL, COLUMNS, DIM, PARTS, TILE, copy, may, widen
from cost_models.mappers.room import make_fit, most_parts

# Uses of an axis: none, each dimension, then the same dimension
_CUT_OTHERWISE = L.NDIM + 1  # in even or uneven parts
_HALF, _FEWER, _MORE, _DOUBLE = range(L.NDIM + 2, L.NDIM + 6)  # in so many of them
_CHOICES = L.NDIM + 6


@inlined
def leaves_some(m, a, proposal, iw):
    """Whether the dimension of an axis is larger than it, and no multiple of it."""
    d = proposal[INCUMBENT, COLUMNS * m + DIM + a]
    lanes = iw[X.FAN + L.FAN_COLS * (L.MAX_AXES * m + a) + L.AXIS_SIZE]
    return d >= 0 and iw[X.PROBLEM + d] > lanes and iw[X.PROBLEM + d] % lanes > 0


@step
def resize(row, m, a, way, pool, iw):
    """Write the incumbent to row `row` with an axis in more or fewer parts; returns whether it can."""
    proposal = pool.proposal
    d = proposal[INCUMBENT, COLUMNS * m + DIM + a]
    if d < 0:
        return False
    lanes = min(iw[X.FAN + L.FAN_COLS * (L.MAX_AXES * m + a) + L.AXIS_SIZE], iw[X.PROBLEM + d])
    parts = most_parts(INCUMBENT, m, a, proposal, iw)
    if way <= _FEWER:
        new = parts // 2 if way == _HALF else parts - 1
        if new < 2 or (way == _FEWER and new == parts // 2):
            return False
    else:
        new = min(lanes, 2 * parts if way == _DOUBLE else parts + 1)
        if new == parts or (way == _DOUBLE and new == parts + 1):
            return False
    copy(INCUMBENT, row, pool)
    proposal[row, COLUMNS * m + PARTS + a] = new
    if m > 0:
        inner = proposal[row, COLUMNS * m + TILE + d] if m < (iw[X.MEMORIES] & 7) - 1 else 1
        above = COLUMNS * (m - 1) + TILE + d
        if inner * new < proposal[row, above] <= inner * parts:
            proposal[row, above] = inner * new
    return True


@step
def use(row, m, a, choice, allowed, pool, iw):
    """Write the incumbent with another use of an axis to row `row`; returns whether there is that use."""
    proposal = pool.proposal
    at, parts = COLUMNS * m + DIM + a, COLUMNS * m + PARTS + a
    d = choice - 1
    if choice >= _CUT_OTHERWISE + 1:
        return resize(row, m, a, choice, pool, iw)
    if choice == _CUT_OTHERWISE:
        if not leaves_some(m, a, proposal, iw):
            return False
        copy(INCUMBENT, row, pool)
        proposal[row, parts] = 0 if proposal[row, parts] == ALL else ALL
        return True
    if d == proposal[INCUMBENT, at] or (d >= 0 and not may(m, a, d, allowed.axes, iw)):
        return False
    copy(INCUMBENT, row, pool)
    proposal[row, at] = d
    return True


@step
def carry(allowed, pool, space):
    """Try every other use of each axis, all tiles made to fit."""
    proposal, iw, notes = pool.proposal, space.iw, space.brood.notes
    moved = False
    M = iw[X.MEMORIES] & 7
    i = 0
    while True:
        n = 0
        while n < B.BROOD and i < M * L.MAX_AXES * _CHOICES:
            m, a, choice = i // (L.MAX_AXES * _CHOICES), i // _CHOICES % L.MAX_AXES, i % _CHOICES
            i += 1
            if a >= iw[X.AXES + m] or not use(n, m, a, choice, allowed, pool, iw):
                continue
            widen(n, proposal, space.scratch, iw)
            make_fit(n, allowed, pool, space)
            notes[B.ASKED + n] = i
            n += 1
        b = first_better(n, allowed, pool, space)
        if b >= 0:
            i = notes[B.ASKED + b]
            moved = True
        elif n < B.BROOD or done(pool):
            return moved
