"""Addresses of tensors: first fit, largest first, beside the bound that no layout goes below."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from accelsim.liveness.tensors import Moment, Tensors


def offsets(tensors: Tensors, moments: list[Moment]) -> tuple[dict[int, int], int]:
    """(first byte of each tensor, bytes in all).

    Tensors that write over one another share their first byte; the one that is left may be smaller, which
    gives the rest of the place free. A moment's extra has a place for as long as it lasts.
    """
    chains = _chains(tensors, moments)
    shapes = {head: _heights(tensors, members, moments) for head, members in chains.items()}
    shapes |= {-1 - t: _extra(t, moments) for t, moment in enumerate(moments) if moment.extra}
    at: dict[int, int] = {}
    for head in sorted(shapes, key=lambda h: (-int(shapes[h].max()), h)):
        mine = shapes[head]
        placed = [(at[h], shapes[h]) for h in at if (np.minimum(shapes[h], mine) > 0).any()]
        starts = sorted({0, *(start + int(height) for start, other in placed for height in np.unique(other))})
        at[head] = next(s for s in starts if all(_apart(s, mine, o, other) for o, other in placed))
    total = max((at[h] + int(shapes[h].max()) for h in at), default=0)
    return {t: at[head] for head, members in chains.items() for t in members}, total


def _extra(t: int, moments: list[Moment]) -> NDArray[np.int64]:
    out = np.zeros(len(moments), np.int64)
    out[t] = moments[t].extra
    return out


def _apart(start: int, mine: NDArray[np.int64], other_start: int, other: NDArray[np.int64]) -> bool:
    both = (mine > 0) & (other > 0)
    return bool(((start + mine <= other_start) | (other_start + other <= start))[both].all())


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


def _heights(tensors: Tensors, members: list[int], moments: list[Moment]) -> NDArray[np.int64]:
    """[operators] bytes that the members take from their common first byte while each operator runs."""
    out = np.zeros(len(moments), np.int64)
    for t, moment in enumerate(moments):
        sizes = [tensors.size[m] for m in members if m in moment.tensors]
        out[t] = max(sizes, default=0)
    return out
