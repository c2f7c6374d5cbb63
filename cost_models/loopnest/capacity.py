"""Capacity: whether the tiles of a mapping fit the memories."""

from __future__ import annotations

from cost_models._jit import inlined, step
from cost_models.loopnest import layout as L
from cost_models.loopnest import work as X
from cost_models.loopnest.inputs import touched
from cost_models.loopnest.nest import FREE_O


@inlined
def tile_words(t, at, ws):
    """Words of tensor `t` in the tile whose eight sizes begin at offset `at` of `ws`."""
    if t == L.W:
        return ws[at + L.G] * ws[at + L.K] * ws[at + L.C] * ws[at + L.R] * ws[at + L.S]
    if t == L.O:
        return ws[at + L.N] * ws[at + L.G] * ws[at + L.K] * ws[at + L.P] * ws[at + L.Q]
    rows = touched(ws[at + L.P], ws[at + L.R], ws[X.GAP], ws[X.GAP + 1])
    columns = touched(ws[at + L.Q], ws[at + L.S], ws[X.GAP + 2], ws[X.GAP + 3])
    return ws[at + L.N] * ws[at + L.G] * ws[at + L.C] * rows * columns


@step
def _fault(m, index, need, have, ws):
    ws[X.RESULT + L.NEED] = need
    ws[X.RESULT + L.HAVE] = have
    return L.CAPACITY_OVER + 256 * m + 65536 * index


@step
def space(ws, iw):
    """Check every memory; leave bits per memory and tensor, buffers counted, at USED_BITS.

    Outputs count psum bits unless they leave complete: no loop over C, R or S outside the tile makes it
    come back, and no axis above the memory splits one of them. A resident tensor occupies the first memory
    below the outermost with all of itself, once. Returns a status.
    """
    M = iw[X.MEMORIES] & 7
    partial = 0  # loops over C, R, S outside the innermost loop relevant to O, so far
    pending = 0  # and those inside it
    reduced = iw[X.SPLIT] & (X.EVERY_MEMORY * FREE_O)
    below_first = 0  # bit t: a memory above, but the outermost, holds t
    for m in range(M):
        if m > 0:
            here = iw[X.LOOPS + m - 1] & FREE_O
            if iw[X.INNERMOST + L.NTENSOR * (m - 1) + L.O] >= 0:
                outside = here & iw[X.OUTSIDE + L.NTENSOR * (m - 1) + L.O]
                partial |= pending | outside
                pending = here & ~outside
            else:
                pending |= here
        total = 0.0
        memory = X.MEMORY + L.MEM_COLS * m
        for t in range(L.NTENSOR):
            at = L.NTENSOR * m + t
            ws[X.USED_BITS + at] = 0.0
            if iw[X.HOLDS + at] == 0 or (t == L.W and iw[X.PROBLEM + L.HAS_WEIGHTS] == 0):
                continue
            width = X.width(m, t, ws)
            if t == L.O and (partial or reduced & X.fans(0, m)):
                width = X.width(m, L.PSUM, ws)
            words = tile_words(t, X.TILE + L.NDIM * m, ws)
            ws[X.WORDS + at] = words
            if m > 0 and iw[X.PROBLEM + L.RESIDENT + t] and not (below_first >> t) & 1:
                size = tile_words(t, X.TILE, ws) * width
            else:
                size = words * width * ws[memory + L.BUFFERS]
            if m > 0:
                below_first |= 1 << t
            ws[X.USED_BITS + at] = size
            total += size
            if size > ws[memory + L.CAPACITY + t]:
                return _fault(m, t, size, ws[memory + L.CAPACITY + t], ws)
        if total > ws[memory + L.CAPACITY_ALL]:
            return _fault(m, L.NTENSOR, total, ws[memory + L.CAPACITY_ALL], ws)
    return L.OK
