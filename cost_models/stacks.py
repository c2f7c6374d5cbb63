"""Which rows of which tensors a stack of layers computes or loads, step by step along one axis.

A stack works through its last layer's output in tiles; rows and columns are independent, so a stack is two
walks of this kind. Nodes are the tensors: those from outside first, then the layers' results in execution
order, the last one being the sink. Counts over both axes are products: regions are rows x columns.
"""

from __future__ import annotations

import numpy as np

from cost_models._jit import kernel, step

PRODUCER, CONSUMER, STRIDE, DILATION, KERNEL, PAD, UPSAMPLE, WHOLE = range(8)
"""Columns of `reads`: node read, node that reads, and the window (`WHOLE` 1: all of it)."""

READ_COLS = 8

TOTAL, ACTIVE, NEED, OVERLAP, FIRST, LAST, HULL = range(7)
"""Columns of `out`: rows computed over all steps; steps with any; the largest need of a step; the most rows
of earlier steps that a step needs; rows of the first step that has any, and of the last one; rows needed at
all, each once."""

OUT_COLS = 7

ROWS, COLS, WORDS, STORED, READ, BITS = range(6)
"""Columns of `tensors`: its size, words of an image at each position, whether something outside reads it and
whether the stack does, and from `BITS` on the bits of a word in memory 0 and in the home."""

TENSOR_COLS = 7


@step
def _needs(node, at, tile, sizes, reads, starts, need, region):
    """What a step needs of `node`, into `need`: the tile at `at` of the sink, else what its readers read."""
    size = sizes[node]
    if node == len(sizes) - 1:
        need[node, 0] = at
        need[node, 1] = min(at + tile, size)
        return
    lo = size
    hi = 0
    for e in range(starts[node], starts[node + 1]):
        c = reads[e, CONSUMER]
        a = region[c, 0]
        b = region[c, 1]
        if a >= b:
            continue
        if reads[e, WHOLE]:
            from_, to = 0, size
        else:
            up = reads[e, UPSAMPLE]
            from_ = max(0, a * reads[e, STRIDE] - reads[e, PAD]) // up
            last = (b - 1) * reads[e, STRIDE] - reads[e, PAD] + (reads[e, KERNEL] - 1) * reads[e, DILATION]
            to = min(size * up - 1, last) // up + 1
        if from_ < to:
            lo = min(lo, from_)
            hi = max(hi, to)
    if lo >= hi:
        lo = hi = 0
    need[node, 0] = lo
    need[node, 1] = hi


@step
def _walk(sizes, reads, starts, tile, kept, out, need, region, end):
    """All steps along one axis; fills `out` [nodes, OUT_COLS]."""
    nodes = sizes.shape[0]
    sink = nodes - 1
    for n in range(nodes):
        end[n] = 0
        for c in range(OUT_COLS):
            out[n, c] = 0
    for at in range(0, sizes[sink], tile):
        for n in range(sink, -1, -1):
            _needs(n, at, tile, sizes, reads, starts, need, region)
            lo = need[n, 0]
            hi = need[n, 1]
            region[n, 0] = lo
            region[n, 1] = hi
            if lo >= hi:
                continue
            out[n, NEED] = max(out[n, NEED], hi - lo)
            if end[n] > 0:
                out[n, HULL] += max(0, hi - max(lo, end[n]))
            else:
                out[n, HULL] += hi - lo
            if kept:
                if end[n] > lo:
                    out[n, OVERLAP] = max(out[n, OVERLAP], end[n] - lo)
                region[n, 0] = lo = max(lo, end[n])
            end[n] = max(end[n], hi)
            if lo < hi:
                out[n, TOTAL] += hi - lo
                if out[n, ACTIVE] == 0:
                    out[n, FIRST] = hi - lo
                out[n, ACTIVE] += 1
                out[n, LAST] = hi - lo
            else:
                region[n, 0] = region[n, 1] = 0


@kernel
def axis_batch(sizes, reads, starts, tile, kept, out):
    """Walk B choices of tile along one axis.

    sizes   int64[nodes] rows of each tensor
    reads   int64[edges, READ_COLS] sorted by producer; `starts` int64[nodes + 1] is where each begins
    tile    int64[B] rows of the sink done in a step
    kept    bool[B] whether rows of earlier steps are kept (else they are computed again)
    out     int64[B, nodes, OUT_COLS]
    """
    nodes = sizes.shape[0]
    need = np.zeros((nodes, 2), np.int64)
    region = np.zeros((nodes, 2), np.int64)
    end = np.zeros(nodes, np.int64)
    for b in range(tile.shape[0]):
        _walk(sizes, reads, starts, tile[b], kept[b], out[b], need, region, end)


@step
def _advance(at, sizes, reads, starts, tile, kept, need, region, end):
    """One step: what is needed of each node, and the region of it that is new; `end` is of earlier ones."""
    for n in range(len(sizes) - 1, -1, -1):
        _needs(n, at, tile, sizes, reads, starts, need, region)
        lo = need[n, 0]
        hi = need[n, 1]
        if kept:
            lo = max(lo, end[n])
        if lo < hi:
            end[n] = hi
        region[n, 0] = lo if lo < hi else 0
        region[n, 1] = hi if lo < hi else 0


@kernel
def axis_sizes(sizes, reads, starts, tile, kept, times):
    """How often each node's region has each number of rows: fills `times` int64[B, nodes, max(sizes) + 1].

    Others as for `axis_batch`.
    """
    nodes = sizes.shape[0]
    need = np.zeros((nodes, 2), np.int64)
    region = np.zeros((nodes, 2), np.int64)
    for b in range(tile.shape[0]):
        end = np.zeros(nodes, np.int64)
        for at in range(0, sizes[nodes - 1], tile[b]):
            _advance(at, sizes, reads, starts, tile[b], kept[b], need, region, end)
            for n in range(nodes):
                if region[n, 1] > region[n, 0]:
                    times[b, n, region[n, 1] - region[n, 0]] += 1


@kernel
def axis_steps(sizes, reads, starts, tile, kept):
    """Rows of each node that each step needs, and those of them that it computes: int64[2, steps, nodes]."""
    nodes = sizes.shape[0]
    count = -(-sizes[nodes - 1] // tile)
    out = np.zeros((2, count, nodes), np.int64)
    need = np.zeros((nodes, 2), np.int64)
    region = np.zeros((nodes, 2), np.int64)
    end = np.zeros(nodes, np.int64)
    for i in range(count):
        _advance(i * tile, sizes, reads, starts, tile, kept, need, region, end)
        for n in range(nodes):
            out[0, i, n] = need[n, 1] - need[n, 0]
            out[1, i, n] = region[n, 1] - region[n, 0]
    return out


@kernel
def count_bits(rows, cols, at_row, at_col, tensors, live, loaded, images):
    """Bits that B choices of a tile for rows and for columns move, and those that lie in the home.

    rows, cols      int64[A, nodes, OUT_COLS] of `axis_batch`, one for each distinct choice
    at_row, at_col  int64[B] which of them
    tensors         int64[nodes, TENSOR_COLS]
    live            bool[layers, nodes] whether a step's window is there while the layer runs
    loaded          nodes that are loaded, which come first

    Returns (moved int64[B, 2, 6], room int64[B, layers, 6], partial bool[B]): see `Menu`.
    """
    B = at_row.shape[0]
    layers, nodes = live.shape
    moved = np.zeros((B, 2, 6), np.int64)
    room = np.zeros((B, layers, 6), np.int64)
    partial = np.zeros(B, np.bool_)
    for b in range(B):
        for n in range(nodes):
            r = rows[at_row[b], n]
            c = cols[at_col[b], n]
            of = tensors[n]
            made, sent = n >= loaded, of[STORED] > 0
            for k in range(2):
                word = of[WORDS] * of[BITS + k]
                moves = r[ACTIVE] * c[ACTIVE] * images
                if not made:
                    moved[b, k, 0] += r[TOTAL] * c[TOTAL] * word * images
                    moved[b, k, 2] += r[FIRST] * c[FIRST] * word
                    moved[b, k, 4] += moves
                if sent:
                    moved[b, k, 1] += r[TOTAL] * c[TOTAL] * word * images
                    moved[b, k, 3] += r[LAST] * c[LAST] * word
                    moved[b, k, 5] += moves
            partial[b] |= sent and r[HULL] * c[HULL] < of[ROWS] * of[COLS]
            word = of[WORDS] * of[BITS + 1]
            kept = (r[NEED] * c[OVERLAP] + r[OVERLAP] * of[COLS]) * word
            for x in range(layers):
                window = r[NEED] * c[NEED] * word if live[x, n] else 0
                if not made:
                    room[b, x, 0] += window
                    room[b, x, 1] += kept
                    continue
                for column in range(2 if of[READ] > 0 else 4, 6, 2):
                    room[b, x, column + (0 if sent else 1)] += window
                    room[b, x, column + 1] += kept
    return moved, room, partial


@kernel
def list_pieces(rows, cols, at_row, at_col, loaded):
    """The distinct pieces of every layer, for B choices of a tile for rows and for columns.

    rows, cols      int64[A, nodes, sizes] of `axis_sizes`, a row of them for each distinct choice
    at_row, at_col  int64[B] which of them
    loaded          nodes that are loaded, which come first

    Returns (start int64[B + 1], layer, rows, columns and times int64[pieces]): the pieces of choice b are
    those from start[b], by layer, rows, columns.
    """
    B = at_row.shape[0]
    nodes = rows.shape[1]
    start = np.zeros(B + 1, np.int64)
    for b in range(B):
        count = 0
        for n in range(loaded, nodes):
            count += (rows[at_row[b], n] > 0).sum() * (cols[at_col[b], n] > 0).sum()
        start[b + 1] = start[b] + count
    out = np.zeros((4, start[B]), np.int64)
    e = 0
    for b in range(B):
        for n in range(loaded, nodes):
            for r in range(rows.shape[2]):
                if rows[at_row[b], n, r] == 0:
                    continue
                for c in range(cols.shape[2]):
                    if cols[at_col[b], n, c] == 0:
                        continue
                    out[0, e] = n - loaded
                    out[1, e] = r
                    out[2, e] = c
                    out[3, e] = rows[at_row[b], n, r] * cols[at_col[b], n, c]
                    e += 1
    return start, out[0], out[1], out[2], out[3]
