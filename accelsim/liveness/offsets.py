"""Addresses of tensors: first fit, largest first, beside the bound that no layout goes below."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from accelsim.liveness.tensors import Moment, Tensors

Heights = NDArray[np.int64]


def offsets(tensors: Tensors, moments: list[Moment]) -> tuple[dict[int, int], int]:
    """(first byte of each tensor, bytes in all).

    Tensors that write over one another share their first byte; the one that is left may be smaller, which
    gives the rest of the place free. A moment's extra has a place for as long as it lasts.
    """
    chains = _chains(tensors, moments)
    shapes = _heights(tensors, chains, moments)
    shapes |= {-1 - t: _extra(t, moments) for t, moment in enumerate(moments) if moment.extra}
    heads = sorted(shapes, key=lambda h: (-int(shapes[h].max()), h))
    heights = np.array([shapes[h] for h in heads])  # [heads, operators]
    lives = heights > 0
    starts = np.zeros(len(heads), np.int64)
    for i, mine in enumerate(heights):
        both = lives[:i] & lives[i]
        beside = both.any(axis=1)
        starts[i] = _first_fit(mine, starts[:i][beside, None], heights[:i][beside], both[beside])
    at = dict(zip(heads, starts.tolist(), strict=True))
    total = int((starts + heights.max(axis=1)).max(initial=0))
    return {t: at[head] for head, members in chains.items() for t in members}, total


def _first_fit(mine: Heights, starts: Heights, others: Heights, both: NDArray[np.bool_]) -> int:
    """The lowest byte from which one is apart from all others whenever `both` live."""
    ends = starts + others
    for start in np.unique(np.append(ends, 0)):
        if ((start + mine <= starts) | (ends <= start) | ~both).all():
            return int(start)
    raise AssertionError("above all others there is room")


def _extra(t: int, moments: list[Moment]) -> Heights:
    out = np.zeros(len(moments), np.int64)
    out[t] = moments[t].extra
    return out


def _chains(tensors: Tensors, moments: list[Moment]) -> dict[int, list[int]]:
    """Tensors that share a place, by the first of them."""
    head: dict[int, int] = {}
    for moment in moments:
        made = tensors.operators[moment.operator].makes
        over = moment.over
        # A channel more than the input cannot share its first byte: the larger result gets its own place.
        shares = over is not None and tensors.size[made] <= tensors.size[over]
        head[made] = head.get(over, over) if shares and over is not None else made
    out: dict[int, list[int]] = {}
    for tensor in [0, *(tensors.operators[m.operator].makes for m in moments)]:
        out.setdefault(head.get(tensor, tensor), []).append(tensor)
    return out


def _heights(
    tensors: Tensors, chains: dict[int, list[int]], moments: list[Moment]
) -> dict[int, Heights]:  # fmt: skip
    """[operators] bytes that each chain takes from its first byte while each operator runs."""
    heads = {tensor: head for head, members in chains.items() for tensor in members}
    out = {head: np.zeros(len(moments), np.int64) for head in chains}
    for t, moment in enumerate(moments):
        for tensor in moment.tensors:
            if tensor in heads:
                height = out[heads[tensor]]
                height[t] = max(height[t], tensors.size[tensor])
    return out
