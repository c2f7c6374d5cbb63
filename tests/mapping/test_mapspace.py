"""The space of mappings: counted, listed, sampled and tested for members, against lists made the slow way."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import permutations, product
from math import isfinite, prod

import numpy as np
import pytest

from accelsim import Accelerator, AccelsimError, Layer, Mapping, load_hardware
from accelsim.mapping.certificate import Certificate
from accelsim.mapping.mapspace import MapSpace
from accelsim.mapping.optimal import optimal, optimal_front
from accelsim.mapping.optimal_space import Tiles, chains, count_chains, parts, rest_of, unions
from accelsim.pack import Batch, pack_layer, pack_machine, price
from tests.mapping.test_optimal import OBJECTIVES, machine, problem

MOST = 2_000
BOTH = pytest.mark.parametrize("tiles", ["divisors", "all", "legal"])


def spaces(seed: int, count: int, tiles: Tiles) -> Iterator[tuple[Accelerator, Layer, MapSpace]]:
    """Random spaces small enough to list."""
    chance = random.Random(seed)
    while count:
        hardware, layer = load_hardware(machine(chance)), problem(chance)
        if tiles != "divisors" and chance.random() < 0.7:  # sizes with remainders
            dims = {d: n for d, n in layer.dims.items() if n > 1} | {chance.choice("KCPQ"): 5}
            layer = Layer(**dims, op=layer.op)
        hardware = hardware.for_layer(layer)
        if tiles != "divisors" and sum(len(memory.fanout) for memory in hardware.memories) > 3:
            continue
        space = MapSpace(hardware, layer, tiles)
        if len(space.spatial.dim) <= 100 and space.size <= MOST:
            count -= 1
            yield hardware, layer, space


def listed(space: MapSpace) -> Batch:
    return Batch(*map(np.concatenate, zip(*space.enumerate(), strict=True)))


def by_hand(size: int, factors: tuple[tuple[int, ...], ...], tiles: Tiles) -> set[tuple[int, ...]]:
    """Chains of union tiles, from all chains of numbers up to `size`."""

    def least(part: int, whole: int) -> bool:
        """Whether no smaller part splits the whole into as few."""
        return all(-(-whole // less) > -(-whole // part) for less in range(1, part))

    out = set()
    for chain in product(range(1, size + 1), repeat=len(factors)):
        whole, fine = size, True
        for union, some in zip(chain, factors, strict=True):
            fine &= union <= whole and all(factor <= union for factor in some)
            fine &= tiles != "divisors" or whole % union == 0
            each = union
            for factor in some:
                inner = -(-each // factor)
                # All instances have work: the last one begins before the tile ends.
                fine &= tiles == "legal" or (factor - 1) * inner < each
                fine &= tiles != "divisors" or each % factor == 0
                each = inner
            if tiles == "all":
                fine &= least(each, size)
                fine &= union in (whole, each * prod(some)) or least(union, whole)
            whole = each
        if fine and whole == 1:
            out.add(chain)
    return out


@BOTH
@pytest.mark.parametrize("size", [1, 5, 7, 12, 13])
@pytest.mark.parametrize("factors", [((), ()), ((), (2,)), ((3,), (2,)), ((2, 2), ()), ((), (), (2, 3))])
def test_chains_of_tiles(size, factors, tiles) -> None:
    found = chains(size, factors, tiles)
    assert len(found) == len(set(found))
    assert set(found) == by_hand(size, factors, tiles)
    assert count_chains(size, factors, tiles) == len(found)


@BOTH
@pytest.mark.parametrize("factors", [(), (2,), (3, 2)])
@pytest.mark.parametrize("whole", [1, 6, 7, 12])
def test_what_an_instance_gets(whole, factors, tiles) -> None:
    given = unions(whole, 12, factors, tiles)
    for union in range(1, 14):
        assert rest_of(union, whole, 12, factors, tiles) == given.get(union, 0)


@pytest.mark.parametrize(
    ("chip", "sizes", "tiles", "counted"),
    [
        ("nvdla_256", {"K": 4096, "C": 4096, "P": 4096}, "legal", True),
        ("nvdla_256", {"K": 4096, "C": 4096, "P": 4096}, "all", False),
        ("example", {"K": 64, "C": 1 << 20, "P": 1 << 20}, "all", False),
        ("example", {"K": 64, "C": 1 << 20, "P": 1 << 20}, "divisors", True),
        ("shidiannao", {"K": 512, "C": 512, "P": 56, "Q": 56, "R": 3, "S": 3}, "all", True),
        ("tpu_v1", {"K": 1024, "C": 1024, "P": 56, "Q": 56}, "all", False),
    ],
)
def test_reports_wait_for_no_count(chip, sizes, tiles, counted) -> None:
    """A certificate says that it is large where counting would take longer than many a search."""
    sure = Certificate(
        "edp", 1.0, 1.0, MapSpace(load_hardware(chip), Layer(**sizes), tiles), 0, {}, 0, 0.0, True, tiles,
        False, True,
    )  # fmt: skip
    assert isfinite(sure.space_size) == counted


@pytest.mark.parametrize("size", range(1, 200))
def test_parts_are_the_least_tiles_of_their_trip_counts(size) -> None:
    assert parts(size) == sorted({-(-size // n) for n in range(1, size + 1)})


@BOTH
@pytest.mark.parametrize("seed", range(3))
def test_size_is_the_number_of_members_each_listed_once(seed, tiles) -> None:
    for hardware, layer, space in spaces(seed, 5, tiles):
        batch = listed(space)
        rows = {tuple(map(bytes, row)) for row in zip(*batch, strict=True)}
        assert space.size == len(batch.tile) == len(rows)
        some = range(0, len(batch.tile), max(1, len(batch.tile) // 25))
        assert all(Mapping.from_arrays(hardware, layer, batch, row) in space for row in some)
        status, _, _ = price(pack_layer(layer), pack_machine(hardware), batch)
        assert set(status % 256) <= {0, 6}  # only capacity refuses a member


@BOTH
def test_samples_are_members_and_reach_all_of_a_small_space(tiles) -> None:
    for hardware, layer, space in spaces(3, 6, tiles):
        batch = space.sample(200, seed=1)
        assert all(Mapping.from_arrays(hardware, layer, batch, row) in space for row in range(0, 200, 9))
        again = space.sample(200, seed=1)
        assert all(np.array_equal(a, b) for a, b in zip(batch, again, strict=True))
        if space.size <= 20:
            rows = {tuple(map(bytes, row)) for row in zip(*space.sample(600), strict=True)}
            assert len(rows) == space.size


def test_others_are_no_members() -> None:
    hw, layer = load_hardware("example"), Layer(K=10, C=6)
    given = {"levels": [{"memory": m} for m in ("DRAM", "buffer", "PE")]}
    given["levels"][2]["tile"] = {"K": 1, "C": 1}
    given["levels"][0]["tile"] = {"K": 4}
    loose = Mapping.from_dict(given)
    assert loose in MapSpace(hw, layer, "all")
    assert loose not in MapSpace(hw, layer)
    given["levels"][0]["tile"] = {"K": 6}  # two trips, as with 5
    assert Mapping.from_dict(given) not in MapSpace(hw, layer, "all")
    given["levels"][0]["tile"] = {"K": 5}
    assert Mapping.from_dict(given) in MapSpace(hw, layer)
    given["levels"][1] |= {"tile": {"K": 5, "C": 3}, "spatial": {"rows": {"dim": "K", "factor": 5}}}
    assert Mapping.from_dict(given) not in MapSpace(hw, layer)  # rows carry C and R
    assert "K10" not in MapSpace(hw, layer)


@pytest.mark.parametrize("seed", range(3))
def test_orders_by_what_they_do_lose_nothing(seed) -> None:
    """No order of all loops beats the orders of the space in latency or energy, tile by tile."""
    chance = random.Random(50 + seed)
    done = 0
    while done < 6:
        data = machine(chance)
        data["dataflow"]["orders"] = {}
        hardware = load_hardware(data)
        layer = problem(chance)
        space = MapSpace(hardware, layer, chance.choice(("divisors", "all")))
        loops = sum(n > 1 for n in space.sizes)
        if loops > 4 or len(hardware.memories) > 3:
            continue
        done += 1
        batch = space.sample(4, seed=done)
        for row in range(4):
            one = batch.take([row])
            kept = list(product(*space.orders))
            every = [[*(d for d in range(8) if space.sizes[d] == 1), *some]
                     for some in permutations([d for d in range(8) if space.sizes[d] > 1])]  # fmt: skip
            whole = list(product(*[every] * (len(hardware.memories) - 1), every[:1]))
            costs = []
            for orders in (kept, whole):
                many = one.take(np.zeros(len(orders), int))._replace(order=np.array(orders, np.int8))
                status, latency, energy = price(pack_layer(layer), pack_machine(hardware), many)
                assert set(status % 256) <= {0, 6}
                costs.append(front_of(latency, energy))
            assert costs[0] == costs[1]


@pytest.mark.parametrize("tiles", ["all", "legal"])
@pytest.mark.parametrize("seed", range(3))
def test_optimum_over_all_tiles_agrees_with_the_list_bit_for_bit(seed, tiles) -> None:
    for hardware, layer, space in spaces(10 + seed, 5, tiles):
        _, latency, energy = price(pack_layer(layer), pack_machine(hardware), listed(space))
        values = {"edp": latency * energy, "latency": latency, "energy": energy}
        for objective in OBJECTIVES:
            found = optimal(hardware, layer, objective=objective, tiles=tiles, start="none")
            best = values[objective].min()
            assert (np.inf if found is None else found.cost) == best, (hardware.to_dict(), layer, objective)
            if found is not None:
                assert found.mapping in space
                assert found.certificate.complete


def front_of(latency, energy) -> list[tuple[float, float]]:
    """Points that no other beats, by rising latency."""
    out: list[tuple[float, float]] = []
    for point in sorted(zip(latency.tolist(), energy.tolist(), strict=True)):
        if np.isfinite(point[0]) and (not out or point[1] < out[-1][1]):
            out.append(point)
    return out


@BOTH
@pytest.mark.parametrize("seed", range(2))
def test_front_agrees_with_the_list_bit_for_bit(seed, tiles) -> None:
    for hardware, layer, space in spaces(30 + seed, 5, tiles):
        _, latency, energy = price(pack_layer(layer), pack_machine(hardware), listed(space))
        found = optimal_front(hardware, layer, tiles=tiles, start="none")
        assert found.complete
        assert [(p.latency_cycles, p.energy_pj) for p in found.points] == front_of(latency, energy)
        for point in found.points:
            _, again, pj = price(pack_layer(layer), pack_machine(hardware), point.batch)
            assert (again[0], pj[0]) == (point.latency_cycles, point.energy_pj)


def test_refuses() -> None:
    hw = load_hardware("eyeriss")
    with pytest.raises(AccelsimError, match="tiles: must be one of divisors, all, legal, but got 'al'"):
        MapSpace(hw, Layer(K=4), "al")  # type: ignore[arg-type]
    large = MapSpace(hw, Layer(K=64, C=64, P=56, Q=56, R=3, S=3))
    with pytest.raises(AccelsimError, match="sample it instead"):
        next(large.enumerate())
    with pytest.raises(AccelsimError, match="whole numbers from 0"):
        large.sample(-1)
    with pytest.raises(AccelsimError, match=r"genes: .* shape \[B, 129\], got \(2, 3\)"):
        large.decode(np.zeros((2, 3)))
    assert large.decode(np.full((2, 129), 0.5)).tile.shape == (2, 3, 8)
