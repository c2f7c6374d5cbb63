"""What a space of mappings is made of: tile sizes, spatial choices, and loop orders by what they do."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from math import comb, prod
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import AccelsimError
from accelsim.workloads.layer import DIMS
from cost_models import layout as L

if TYPE_CHECKING:
    from accelsim.hardware import Accelerator

_ORDER_COLS = 10  # as in cost_models.bound_search, which is slow to import

Tiles = Literal["divisors", "all"]
"""Sizes of tiles: every divisor, or every size with a trip count of its own."""

Factors = tuple[tuple[int, ...], ...]

_Use = tuple[int, int]
"""Dimension and factor of an axis; (0, 0) leaves it unused."""
_Choices = Iterator[tuple[_Use, ...]]


@cache
def prime_factors(n: int) -> dict[int, int]:
    """Prime -> exponent."""
    out: dict[int, int] = {}
    p = 2
    while p * p <= n:
        while n % p == 0:
            out[p] = out.get(p, 0) + 1
            n //= p
        p += 1
    if n > 1:
        out[n] = out.get(n, 0) + 1
    return out


def divisors(sizes: list[int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(divisors int64[8, n] of each size, rising, then 0; their prime factors as sets of bits, same shape).

    Prime powers have a bit each, over all dimensions together, so that a layer of less than 2^62 points
    has enough of them; the kernel's counts end at 2^53. Raises AccelsimError for more.
    """
    rows: list[list[tuple[int, int]]] = []
    bit = 0
    for size in sizes:
        row = [(1, 0)]
        for p, times in prime_factors(size).items():
            grown = []
            for e in range(times + 1):
                grown += [(v * p**e, mask | ((1 << e) - 1) << bit) for v, mask in row]
            row = grown
            bit += times
        rows.append(sorted(row))
    if bit > 62:
        raise AccelsimError(
            f"layer: its sizes may have at most 62 prime factors in all, but {sizes} have {bit}"
        )
    out = np.zeros((2, L.NDIM, max(map(len, rows))), np.int64)
    for d, row in enumerate(rows):
        for k, pair in enumerate(row):
            out[:, d, k] = pair
    return out[0], out[1]


def parts(size: int) -> list[int]:
    """The least tile of each trip count, rising: ceil(size / 1), ceil(size / 2), ... without repetition.

    The parts of a part are parts of the whole, since ceil(ceil(n / a) / b) = ceil(n / (a b)).
    """
    out = [size]
    while out[-1] > 1:
        out.append(-(-size // -(-size // (out[-1] - 1))))
    return out[::-1]


def tile_values(sizes: list[int], tiles: Tiles) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Sizes that tiles may have, as `divisors`; the second array is 0 where they need not divide."""
    if tiles == "divisors":
        return divisors(sizes)
    rows = [parts(size) for size in sizes]
    out = np.zeros((L.NDIM, max(map(len, rows))), np.int64)
    for d, row in enumerate(rows):
        out[d, : len(row)] = row
    return out, np.zeros_like(out)


@cache
def chains(size: int, factors: Factors, tiles: Tiles) -> tuple[tuple[int, ...], ...]:
    """Every way to hand one dimension down: the union tile of each memory.

    `factors`: of the axes below each memory that carry the dimension. All their instances have work in a
    full tile, and below the last memory one element is left.
    """
    if not factors:
        return ((),) if size == 1 else ()
    values = [v for v in range(1, size + 1) if size % v == 0] if tiles == "divisors" else parts(size)
    out = []
    for union in values:
        rest = union
        for factor in factors[0]:
            each = -(-rest // factor)
            if -(-rest // each) != factor or (tiles == "divisors" and each * factor != rest):
                break
            rest = each
        else:
            out += [(union, *inner) for inner in chains(rest, factors[1:], tiles)]
    return tuple(out)


@cache
def count_chains(size: int, factors: Factors, tiles: Tiles) -> int:
    """Length of `chains`, without making them."""
    if not factors:
        return int(size == 1)
    if tiles == "divisors":
        left = size // prod(prod(some) for some in factors)
        return prod(comb(e + len(factors) - 1, e) for e in prime_factors(left).values())
    total = 0
    for union in parts(size):
        rest = union
        for factor in factors[0]:
            each = -(-rest // factor)
            if -(-rest // each) != factor:
                break
            rest = each
        else:
            total += count_chains(rest, factors[1:], tiles)
    return total


def canonical_orders(hardware: Accelerator, problem: NDArray[np.int64]) -> NDArray[np.int64]:
    """Loop orders int64[M, n, 10] of each memory, -1 where it has fewer.

    The last two columns are sets of dimensions: an order stands for its class only where all loops of the
    first are present and all of the second absent. Where the hardware names orders, all of them are taken.

    Any order costs at least as much as one of these. The innermost run of loops free to one tensor keeps it
    in place, and making that run longer harms no other tensor, for which every loop outside its innermost
    relevant one counts, whatever the order. What is left to choose is the tensor, and for the input the
    innermost loop relevant to it, which lets it slide.
    """
    free = _free_orders(problem)
    rows = []
    for m, memory in enumerate(hardware.memories):
        allowed: tuple[tuple[str, ...], ...] = hardware.orders(memory.name)
        if m == len(hardware.memories) - 1:  # the MACs keep nothing, whatever the order
            allowed = allowed[:1] or (tuple(DIMS),)
        named = [(*(DIMS.index(d) for d in order), 0, 0) for order in allowed]
        rows.append(list(dict.fromkeys(named)) if named else free)
    out = np.full((len(rows), max(map(len, rows)), _ORDER_COLS), -1, np.int64)
    for m, row in enumerate(rows):
        out[m, : len(row)] = row
    return out


def _free_orders(problem: NDArray[np.int64]) -> list[tuple[int, ...]]:
    """Classes of orders of a memory that may use any."""
    slides = {d for d in (L.P, L.Q) if problem[d] > 1 and problem[d + 2] > 1}
    slides |= {d + 2 for d in slides}
    everything = set(range(L.NDIM))
    out: list[tuple[int, ...]] = []

    def add(inner: list[int], present: set[int], absent: set[int]) -> None:
        if any(problem[d] == 1 for d in present):
            return
        order = [d for d in range(L.NDIM) if d not in inner] + inner
        out.append((*order, sum(1 << d for d in present), sum(1 << d for d in absent)))

    for run in ([L.N, L.P, L.Q], [L.C, L.R, L.S]):
        sliding = [d for d in run if d in slides]
        for d in sliding:
            add([x for x in run if x != d] + [d], {d}, set())
        # Where nothing slides one order is as good as another.
        plain = [d for d in run if d not in slides]
        for i, d in enumerate(plain):
            add([x for x in run if x != d] + [d], {d}, {*sliding, *plain[:i]})
    for d in sorted(slides):
        add([d, L.K], {d, L.K}, set())
    add([L.K], {L.K}, slides)
    # No loop that any tensor is free to.
    add([], set(), everything - {L.G})
    return out


class Spatial(NamedTuple):
    """S ways to spread dimensions over the axes: dimensions, factors, the smallest union tiles they allow."""

    dim: NDArray[np.int8]  # [S, M, 3]
    factor: NDArray[np.int32]  # [S, M, 3]
    union: NDArray[np.int32]  # [S, M, 8]

    def factors(self, choice: int, d: int) -> Factors:
        """Factors of the axes that carry dimension `d`, a tuple for each memory."""
        used = (self.dim[choice] == d) & (self.factor[choice] > 1)
        return tuple(
            tuple(int(f) for f in factor[use])
            for factor, use in zip(self.factor[choice], used, strict=True)
        )  # fmt: skip


def spatial_choices(hardware: Accelerator, sizes: list[int], tiles: Tiles = "divisors") -> Spatial:
    """All ways to spread dimensions over the axes. Ways that differ in nothing that costs are taken once."""
    M = len(hardware.memories)
    slots = [(m, a) for m, memory in enumerate(hardware.memories) for a in range(len(memory.fanout))]
    options = []
    for m, a in slots:
        memory = hardware.memories[m]
        dims = [DIMS.index(d) for d in hardware.axis_dims(memory.name, memory.fanout[a].axis)]
        limit = memory.fanout[a].size
        options.append(
            [(0, 0)]
            + [
                (d, f)
                for d in dims
                for f in range(2, min(limit, sizes[d]) + 1)
                if tiles == "all" or sizes[d] % f == 0
            ]
        )
    seen = set()
    out: list[tuple[NDArray[np.int8], NDArray[np.int32], NDArray[np.int64]]] = []
    for choice in _fitting(hardware, sizes, slots, options, tiles):
        hops = [0.0] * M
        powers = set()
        dims_row = np.zeros((M, L.MAX_AXES), np.int8)
        factors_row = np.zeros((M, L.MAX_AXES), np.int32)
        split: dict[tuple[int, int], tuple[int, ...]] = {}
        for (m, a), (d, f) in zip(slots, choice, strict=True):
            if f < 2:
                continue
            axis = hardware.memories[m].fanout[a]
            dims_row[m, a], factors_row[m, a] = d, f
            split[m, d] = (*split.get((m, d), ()), f)
            hops[m] += hardware.costs.hop_pj_per_bit[m][a]
            for power in ("multicast", "reduction", "forwarding"):
                if not getattr(axis, power):
                    powers.add((m, d, power))
        if tiles == "divisors":  # the factors of one dimension count as their product
            split = {at: (prod(some),) for at, some in split.items()}
        key = frozenset(split.items())
        if (key, tuple(hops), frozenset(powers)) in seen:
            continue
        seen.add((key, tuple(hops), frozenset(powers)))
        union = _smallest(split, M)
        if (union[0] <= sizes).all():
            out.append((dims_row, factors_row, union))
    dims_out, factors_out, unions = zip(*out, strict=True)
    return Spatial(np.array(dims_out), np.array(factors_out), np.array(unions, np.int32))


def _smallest(split: dict[tuple[int, int], tuple[int, ...]], M: int) -> NDArray[np.int64]:
    """The smallest union tiles int64[M, 8] that give every instance work."""
    union = np.ones((M, L.NDIM), np.int64)
    for d in range(L.NDIM):
        rest = 1
        for m in range(M - 1, -1, -1):
            for f in reversed(split.get((m, d), ())):
                rest = max(f, (rest - 1) * f + 1, (f - 1) * rest + 1) if rest > 1 else f
            union[m, d] = rest
    return union


def _fitting(
    hardware: Accelerator,
    sizes: list[int],
    slots: list[tuple[int, int]],
    options: list[list[_Use]],
    tiles: Tiles,
) -> _Choices:
    """Combinations of axis choices that the sizes allow and that share their lanes."""

    def grow(left: list[int], lanes: dict[tuple[int, str], int], chosen: tuple[_Use, ...]) -> _Choices:
        if len(chosen) == len(slots):
            yield chosen
            return
        m, a = slots[len(chosen)]
        fanout = hardware.memories[m].fanout
        host = fanout[a].shares or fanout[a].axis
        room = next(axis.size for axis in fanout if axis.axis == host)
        for d, f in options[len(chosen)]:
            if f < 2:
                yield from grow(left, lanes, (*chosen, (0, 0)))
                continue
            used = lanes.get((m, host), 1) * f
            fits = left[d] % f == 0 if tiles == "divisors" else left[d] >= f
            if fits and used <= room:
                rest = [-(-n // f) if i == d else n for i, n in enumerate(left)]
                yield from grow(rest, {**lanes, (m, host): used}, (*chosen, (d, f)))

    yield from grow(sizes, {}, ())
