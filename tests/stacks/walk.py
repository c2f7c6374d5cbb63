"""A stack done the slow and obvious way: every element of every tensor is tracked, step by step."""

from itertools import product

from accelsim.workloads.reach import Whole


def span(axis, first, end, size):
    """Rows read by rows [first, end), by the definition; None for none."""
    lo = max(0, first * axis.stride - axis.pad) // axis.upsample
    last = (end - 1) * axis.stride - axis.pad + (axis.kernel - 1) * axis.dilation
    hi = min(size * axis.upsample - 1, last) // axis.upsample + 1
    return (lo, hi) if first < end and lo < hi else None


def walk(network, first, last, tile, kept):
    """{"regions": {node: [(rows, cols) per step]}, "computed": {node: {(row, col): times}}, "made", "read"}.

    `made` and `read` give per node and element the steps in which it is computed (or loaded) and read.

    Asserts that every element that a region reads has just been made, or waits in a window or a kept store.
    One image, `kept` as (rows, columns).
    """
    layers = list(range(first, last + 1))
    outside = sorted({e.producer for i in layers for e in network.inputs_of[i] if e.producer < first})
    nodes = [*outside, *layers]
    size = {n: network.size_of(n) for n in nodes}
    readers = {n: [] for n in nodes}
    for i in layers:
        for edge, window in network.reads_of[i]:
            readers[edge.producer].append((i, window))
    end = {n: [0, 0] for n in nodes}  # of the latest region, rows and columns
    regions = {n: [] for n in nodes}
    done = {n: {} for n in nodes}
    sink, step_number = size[last], -1
    made, read = ({n: {} for n in nodes} for _ in range(2))
    store = {n: set() for n in nodes}  # elements that may still be read
    for top in range(0, sink[0], tile[0]):
        row_end = {n: end[n][0] for n in nodes}
        for n in nodes:
            end[n][1] = 0
        for left in range(0, sink[1], tile[1]):
            need, region, step_number = {}, {}, step_number + 1
            for n in reversed(nodes):
                axes = []
                for axis, start, step in ((0, top, tile[0]), (1, left, tile[1])):
                    if n == last:
                        axes.append((start, min(start + step, size[n][axis])))
                        continue
                    found = []
                    for reader, window in readers[n]:
                        lo, hi = region[reader][axis]
                        if lo >= hi:
                            continue
                        part = (0, size[n][axis]) if isinstance(window, Whole) else None
                        part = part or span(window[axis], lo, hi, size[n][axis])
                        if part:
                            found.append(part)
                    axes.append((min(f[0] for f in found), max(f[1] for f in found)) if found else (0, 0))
                need[n] = axes
                before = (row_end[n], end[n][1])
                part = []
                for axis in (0, 1):
                    lo, hi = axes[axis]
                    lo = max(lo, before[axis]) if kept[axis] else lo
                    part.append((lo, hi) if lo < hi else (0, 0))
                region[n] = part
            for n in nodes:
                rows, cols = region[n]
                if rows[0] < rows[1] and cols[0] < cols[1]:
                    regions[n].append((rows, cols))
                    elements = set(product(range(*rows), range(*cols)))
                    for x in elements:
                        done[n][x] = done[n].get(x, 0) + 1
                        made[n].setdefault(x, []).append(step_number)
                    store[n] |= elements
                    if n in layers:
                        for source, x in inputs(network, n, rows, cols, size, store):
                            read[source].setdefault(x, []).append(step_number)
                if rows[0] < rows[1]:
                    end[n][0] = max(end[n][0], rows[1])
                if cols[0] < cols[1]:
                    end[n][1] = max(end[n][1], cols[1])
            for n in nodes:
                if not kept[0] and not kept[1]:
                    store[n] = set()
                elif not kept[0]:  # columns: what this row of tiles made
                    rows = need[n][0]
                    store[n] = {x for x in store[n] if rows[0] <= x[0] < rows[1]}
        if not kept[0]:
            store = {n: set() for n in nodes}
    return {"regions": regions, "computed": done, "made": made, "read": read}


def inputs(network, layer, rows, cols, size, store):
    """The elements that this region reads, all of which must be there."""
    for edge, window in network.reads_of[layer]:
        n = edge.producer
        if isinstance(window, Whole):
            wanted = set(product(range(size[n][0]), range(size[n][1])))
        else:
            r, c = span(window.rows, *rows, size[n][0]), span(window.cols, *cols, size[n][1])
            wanted = set(product(range(*r), range(*c))) if r and c else set()
        assert wanted <= store[n], (network.names[layer], n, sorted(wanted - store[n])[:3])
        yield from ((n, x) for x in wanted)
