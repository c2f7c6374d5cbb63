"""The order of operators with the smallest peak, exactly."""

from __future__ import annotations

import heapq

from accelsim.liveness.tensors import Tensors


def best_order(tensors: Tensors, most: int = 200_000) -> tuple[list[int], int, int]:
    """(order, a peak in bytes that no order goes below, sets of operators looked at).

    Best-first search over the sets already run, keyed by the peak so far: what is live depends on the set
    alone. An operator that neither raises the peak nor leaves more alive is run at once, since moving it
    forward can only help what follows. After `most` sets the given order is returned, with the bound so far.
    """
    count = len(tensors.operators)
    needs = _needs(tensors)
    everything = (1 << count) - 1
    heap: list[tuple[int, int, int]] = [(sum(tensors.start().values()), 0, 0)]
    states: dict[int, tuple[int, list[int], dict[int, int]]] = {0: (heap[0][0], [], tensors.start())}
    closed: set[int] = set()
    while heap:
        peak, _, done = heapq.heappop(heap)
        if done in closed:
            continue
        if done == everything:
            return states[done][1], peak, len(closed)
        closed.add(done)
        if len(closed) > most:
            return list(range(count)), peak, len(closed)
        _, order, live = states[done]
        ready = [n for n in range(count) if not done >> n & 1 and needs[n] & done == needs[n]]
        options = [(n, *tensors.run(n, live, done)) for n in ready]
        before = sum(live.values())
        free = next((o for o in options if o[1].total <= peak and sum(o[2].values()) <= before), None)
        for n, moment, after in [free] if free else options:
            now, then = max(peak, moment.total), done | 1 << n
            if then not in states or now < states[then][0]:
                states[then] = (now, [*order, n], after)
                heapq.heappush(heap, (now, -then.bit_count(), then))
    raise AssertionError("a network's operators can always run in the given order")


def _needs(tensors: Tensors) -> list[int]:
    """Per operator the bit set of those that make what it reads."""
    maker = {o.makes: n for n, o in enumerate(tensors.operators)}
    return [sum(1 << maker[t] for t in set(o.reads) if t in maker) for o in tensors.operators]
