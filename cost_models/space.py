"""Capacity: whether the tiles of a mapping fit the memories."""

from __future__ import annotations

from cost_models import layout as L
from cost_models._jit import kernel
from cost_models.nest import FREE_LOOPS, INNERMOST, OUTSIDE, SPLIT, tile_words


@kernel
def space(row, problem, holds, memory, machine, work, used, summary):
    """Fill `used` float64[*, M, 3] with bits per memory and tensor, buffers counted; return a status.

    Outputs count psum bits unless they leave complete: no loop over C, R or S outside the tile makes it
    come back, and no axis above the memory splits one of them. A resident tensor occupies the first memory
    below the outermost with all of itself, once.
    """
    T = work[0]
    mask = work[6]
    loops = work[7]
    M = holds.shape[0]
    partial = 0  # loops over C, R, S outside the innermost loop relevant to O, so far
    pending = 0  # and those inside it
    reduced = mask[SPLIT, L.C] | mask[SPLIT, L.R] | mask[SPLIT, L.S]
    below_first = 0  # bit t: a memory above, but the outermost, holds t
    for m in range(M):
        if m > 0:
            here = loops[FREE_LOOPS, L.O, m - 1]
            if loops[INNERMOST, L.O, m - 1] >= 0:
                partial |= pending | (here & loops[OUTSIDE, L.O, m - 1])
                pending = here & ~loops[OUTSIDE, L.O, m - 1]
            else:
                pending |= here
        total = 0.0
        for t in range(L.NTENSOR):
            used[row, m, t] = 0.0
            if holds[m, t] == 0 or (t == L.W and problem[L.HAS_WEIGHTS] == 0):
                continue
            width = machine[L.BITS_W + t]
            if t == L.O and (partial or reduced & ((1 << m) - 1)):
                width = machine[L.BITS_PSUM]
            if m > 0 and problem[L.RESIDENT + t] and not (below_first >> t) & 1:
                size = tile_words(t, 0, problem, T) * width
            else:
                size = tile_words(t, m, problem, T) * width * memory[m, L.BUFFERS]
            if m > 0:
                below_first |= 1 << t
            used[row, m, t] = size
            total += size
            if size > memory[m, L.CAPACITY + t]:
                summary[row, L.NEED] = size
                summary[row, L.HAVE] = memory[m, L.CAPACITY + t]
                return L.CAPACITY_OVER + 256 * m + 65536 * t
        if total > memory[m, L.CAPACITY_ALL]:
            summary[row, L.NEED] = total
            summary[row, L.HAVE] = memory[m, L.CAPACITY_ALL]
            return L.CAPACITY_OVER + 256 * m + 65536 * L.NTENSOR
    return L.OK
