"""What a space of mappings is made of: tile sizes, spatial choices, and loop orders by what they do."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from itertools import accumulate
from math import comb, prod
from typing import TYPE_CHECKING, Literal, cast

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import AccelsimError
from accelsim.workloads.layer import DIMS, Layer
from cost_models.exact.records import Factors, Incumbent, Spatial
from cost_models.loopnest import layout as L

if TYPE_CHECKING:
    from accelsim.hardware import Accelerator

_ORDER_COLS = 10  # as in `cost_models.exact.records.Options`

Tiles = Literal["divisors", "all", "legal"]
"""What tiles may be: divisors, every size with a trip count of its own, or whatever is legal."""

SHAPES: tuple[Tiles, ...] = ("divisors", "all", "legal")
"""In the order of their numbers in `cost_models.exact.tiles`."""

_MOST_SIZES = 1 << 20

MOST_CHOICES = 1 << 20
"""Spatial choices that are listed at most."""


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


def divisors(size: int) -> list[int]:
    """Rising."""
    out = [1]
    for p, times in prime_factors(size).items():
        out = [v * p**e for v in out for e in range(times + 1)]
    return sorted(out)


def parts(size: int) -> list[int]:
    """The least tile of each trip count, rising: ceil(size / 1), ceil(size / 2), ... without repetition.

    The parts of a part are parts of the whole, since ceil(ceil(n / a) / b) = ceil(n / (a b)).
    """
    out = [size]
    while out[-1] > 1:
        out.append(-(-size // -(-size // (out[-1] - 1))))
    return out[::-1]


def tile_values(sizes: list[int], tiles: Tiles) -> NDArray[np.int64]:
    """int64[8, n]: sizes that tiles of each dimension may have, rising, then 0."""
    if tiles == "legal" and max(sizes) > _MOST_SIZES:
        raise AccelsimError(
            f"tiles: legal takes sizes up to {_MOST_SIZES:,}, but the layer has {max(sizes):,}: take all"
        )
    return _tile_values(tuple(sizes), tiles).copy()


@lru_cache(maxsize=64)
def _tile_values(sizes: tuple[int, ...], tiles: Tiles) -> NDArray[np.int64]:
    """Kept, as each layer is asked for on many machines."""
    rows: list[Sequence[int]] = [
        divisors(size) if tiles == "divisors" else parts(size) if tiles == "all" else range(1, size + 1)
        for size in sizes
    ]
    out = np.zeros((L.NDIM, max(map(len, rows))), np.int64)
    for d, row in enumerate(rows):
        out[d, : len(row)] = row
    return out


def unions(whole: int, size: int, factors: tuple[int, ...], tiles: Tiles) -> dict[int, int]:
    """Union tiles that a tile `whole` of a dimension `size` may have, and what an instance gets of each.

    `factors`: of the axes in between that carry the dimension.
    """
    each = prod(factors)
    if tiles == "divisors":
        return {u: u // each for u in range(each, whole + 1, each) if whole % u == 0}
    if tiles == "legal":
        return {u: -(-u // each) for u in range(max(factors, default=1), whole + 1)}
    out = {}
    for union in sorted({*parts(whole), *(min(whole, v * each) for v in parts(size))}):
        rest = union
        for factor in factors:
            part = -(-rest // factor)
            if -(-rest // part) != factor:  # an instance has nothing to do
                break
            rest = part
        else:
            out[union] = rest
    return out


@lru_cache(maxsize=1 << 14)
def rest_of(union: int, whole: int, size: int, factors: tuple[int, ...], tiles: Tiles) -> int:
    """What an instance gets of a union tile, or 0 if it is none of `unions`, without listing them."""
    each = prod(factors)
    if tiles == "divisors":
        return 0 if union % each or whole % union else union // each
    if tiles == "legal":
        return -(-union // each) if max(factors, default=1) <= union <= whole else 0
    return unions(whole, size, factors, tiles).get(union, 0)


@cache
def chains(
    whole: int, factors: Factors, tiles: Tiles, size: int | None = None
) -> tuple[tuple[int, ...], ...]:
    """Every way to hand down a tile `whole` of a dimension `size`: the union tile of each memory.

    `factors`: of the axes below each memory that carry the dimension. Below the last memory one element is
    left.
    """
    if not factors:
        return ((),) if whole == 1 else ()
    size = whole if size is None else size
    out: list[tuple[int, ...]] = []
    for union, rest in unions(whole, size, factors[0], tiles).items():
        out += [(union, *inner) for inner in chains(rest, factors[1:], tiles, size)]
    return tuple(out)


@cache
def count_chains(whole: int, factors: Factors, tiles: Tiles, size: int | None = None) -> int:
    """Length of `chains`, without making them."""
    if not factors:
        return int(whole == 1)
    if tiles == "divisors":
        left, rest = divmod(whole, prod(prod(some) for some in factors))
        return 0 if rest else prod(comb(e + len(factors) - 1, e) for e in prime_factors(left).values())
    size = whole if size is None else size
    if tiles == "legal":
        return _legal_chains(size, factors)[whole]
    return sum(
        count_chains(rest, factors[1:], tiles, size)
        for rest in unions(whole, size, factors[0], tiles).values()
    )


@lru_cache(maxsize=1024)
def _legal_chains(size: int, factors: Factors) -> list[int]:
    """How many legal chains each tile up to `size` has: those of the one smaller, and one more union."""
    if not factors:
        return [0, 1] + [0] * (size - 1)
    inner, each, least = _legal_chains(size, factors[1:]), prod(factors[0]), max(factors[0], default=1)
    return list(accumulate(inner[-(-union // each)] if union >= least else 0 for union in range(size + 1)))


def canonical_orders(hardware: Accelerator, problem: NDArray[np.int64]) -> NDArray[np.int64]:
    """Loop orders int64[M, n, 10] of each memory, -1 where it has fewer.

    The last two columns are sets of dimensions: an order stands for its class only where all loops of the
    first are present and all of the second absent. Where the hardware names orders, all of them are taken.

    Any order costs at least as much as one of these. The innermost run of loops free to one tensor keeps it
    in place, and making that run longer harms no other tensor, for which every loop outside its innermost
    relevant one counts, whatever the order. What is left to choose is the tensor, and for the input the
    innermost loop relevant to it, which lets it slide.
    """
    free = _free_orders(tuple((problem[: L.NDIM] > 1).tolist()))
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


@cache
def _free_orders(many: tuple[bool, ...]) -> list[tuple[int, ...]]:
    """Classes of orders of a memory that may use any; `many` says which dimensions are above 1."""
    slides = {d for d in (L.P, L.Q) if many[d] and many[d + 2]}
    slides |= {d + 2 for d in slides}
    everything = set(range(L.NDIM))
    out: list[tuple[int, ...]] = []

    def add(inner: list[int], present: set[int], absent: set[int]) -> None:
        if not all(many[d] for d in present):
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


def axis_sets(hardware: Accelerator) -> NDArray[np.int64]:
    """int64[M, A], bit d: the axis may carry dimension d."""
    out = np.zeros((len(hardware.memories), L.MAX_AXES), np.int64)
    for m, memory in enumerate(hardware.memories):
        for a, axis in enumerate(memory.fanout):
            out[m, a] = sum(1 << DIMS.index(d) for d in hardware.axis_dims(memory.name, axis.axis))
    return out


def spatial_choices(hardware: Accelerator, layer: Layer, tiles: Tiles, most: int = MOST_CHOICES) -> Spatial:
    """All ways to spread dimensions over the axes, those that differ in nothing that costs about once.

    Raises AccelsimError where there are more than `most` to list.
    """
    from accelsim.pack import pack_layer, pack_machine
    from cost_models.exact.best import ANY
    from cost_models.exact.spread import list_spreads

    found = Incumbent.nothing(ANY, 1, len(hardware.memories))
    spatial, *_, whole = list_spreads(
        pack_layer(layer), pack_machine(hardware), axis_sets(hardware), SHAPES.index(tiles), np.zeros(2),
        found, most, np.zeros(3, np.int64),
    )  # fmt: skip
    if not whole:
        raise AccelsimError(
            f"the array of {hardware.name} can be used in more than {most:,} ways, "
            "too many to list: name what its axes carry in the dataflow section"
        )
    return cast(Spatial, spatial)
