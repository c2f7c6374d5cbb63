"""Optimisers that come with the benchmark, as baselines. Each plays a `Game` until it is done or has no more.

Networks are rows of genes. Chips are known by name alone, so that one is as near to another as to any.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from accelsim.cosearch.goals import front
from accelsim.nacos.game import Game

Optimiser = Callable[[Game, np.random.Generator], None]

POPULATION = 50
MOVED = 0.1
"""Share of children that go to a random chip."""

CHUNK = 64
FIRST_STAGE = 1000
"""Networks that `sequential` evaluates on its first chip."""

Place = tuple[int, int]


def random(game: Game, rng: np.random.Generator) -> None:
    """Uniform, without repeats."""
    order = rng.permutation(game.nets * game.chips)
    for i in range(0, len(order), CHUNK):
        if game.done:
            return
        game.ask([(int(at % game.nets), int(at // game.nets)) for at in order[i : i + CHUNK]])


def local(game: Game, rng: np.random.Generator) -> None:
    """Pareto local search: a random neighbour of a random point of the front so far, until none is left.

    Neighbours are networks that differ in one gene on the same chip, and the network on another chip.
    """
    around: dict[Place, list[Place]] = {}
    best: list[Place] = []
    costs = np.empty((0, len(game.task.objectives)))

    def enter(place: Place) -> None:
        nonlocal best, costs
        new = game.cost(game.ask([place]))
        if len(new) and not ((costs <= new).all(axis=1)).any():
            keep = np.atleast_1d(~(new <= costs).all(axis=1))
            best = [*(one for one, kept in zip(best, keep) if kept), place]
            costs = np.concatenate([costs[keep], new])
            around[place] = _neighbours(game, place, rng)

    while not game.done:
        going_on = [place for place in best if around[place]]
        if not going_on:
            enter(_anywhere(game, rng))
            continue
        left = around[going_on[rng.integers(len(going_on))]]
        net, chip = left.pop()
        if not game.known[chip, net]:
            enter((net, chip))


def _anywhere(game: Game, rng: np.random.Generator) -> Place:
    """An unknown place."""
    at = int(rng.choice(np.flatnonzero(~game.known.ravel())))
    return at % game.nets, at // game.nets


def _neighbours(game: Game, at: Place, rng: np.random.Generator) -> list[Place]:
    near = [(net, at[1]) for net in game.task.bench.nets.neighbours[at[0]].tolist()]
    near += [(at[0], chip) for chip in range(game.chips) if chip != at[1]]
    return [near[i] for i in rng.permutation(len(near))]


def _best(game: Game, places: Sequence[Place]) -> list[Place]:
    return [places[i] for i in front(game.cost(places), np.ones(len(places), bool))]


def nsga2(game: Game, rng: np.random.Generator) -> None:
    """NSGA-II (Deb et al., IEEE TEC 6(2) 2002) over networks and chips at once."""
    evolve = _Evolution(game, rng, range(game.chips))
    while not game.done:
        evolve.step()


def nested(game: Game, rng: np.random.Generator) -> None:
    """As NAAS nests its searches: chips outside, networks inside, schedules innermost.

    Each chip has an NSGA-II over networks of its own. A new chip has a generation of it and every other turn
    goes to the chip whose front has the largest hypervolume so far.
    """
    left = [int(chip) for chip in rng.permutation(game.chips)]
    inside: dict[int, _Evolution] = {}
    worth: dict[int, float] = {}
    turn = 0
    while not game.done:
        alive = [chip for chip in inside if not game.known[chip].all()]
        if left and (turn % 2 == 0 or not alive):
            chip = left.pop()
            inside[chip] = _Evolution(game, rng, [chip])
        elif alive:
            chip = max(alive, key=lambda one: (worth[one], -one))
        else:
            return
        turn += 1
        inside[chip].step()
        worth[chip] = game.task.hypervolume_of(game.cost(inside[chip].people))


def sequential(game: Game, rng: np.random.Generator) -> None:
    """First networks on one chip (the middle of the list), then its front on every chip; then it ends."""
    first = game.chips // 2
    evolve = _Evolution(game, rng, [first])
    while not game.done and len(game.order) < FIRST_STAGE and not game.known[first].all():
        evolve.step()
    every = [(net, first) for net in np.flatnonzero(game.known[first]).tolist()]
    game.ask([(net, chip) for chip in range(game.chips) for net, _ in _best(game, every)])


def blockwise(game: Game, rng: np.random.Generator) -> None:
    """Chip after chip: map every layer once, then evaluate the exact front of all networks by their sums.

    It asks for the accuracy of every network. A table costs as many evaluations as the space has blocks.
    """
    blocks = len(game.task.bench.nets.space.existing_blocks)
    for chip in rng.permutation(game.chips).tolist():
        if game.done or not game.table(chip, blocks):
            return
        kept = front(game.costs[chip], np.ones(game.nets, bool))
        game.ask([(int(net), chip) for net in kept])


class _Evolution:
    """NSGA-II on some chips."""

    def __init__(self, game: Game, rng: np.random.Generator, chips: Sequence[int]) -> None:
        self.game, self.rng, self.chips = game, rng, list(chips)
        self.nets = game.task.bench.nets
        self.upper = np.asarray(self.nets.space.upper)
        self.people: list[Place] = []

    def step(self) -> None:
        """A generation of fresh children; random ones where mating gives too few."""
        children = self._unknown(*self._mated(20 * POPULATION)) if len(self.people) > 1 else []
        if len(children) < POPULATION:
            n = 20 * POPULATION
            nets, chips = self.rng.integers(self.game.nets, size=n), self.rng.choice(self.chips, n)
            children = list(dict.fromkeys([*children, *self._unknown(nets, chips)]))
        self.people = _survivors(self.game, [*self.people, *self.game.ask(children[:POPULATION])])

    def _unknown(self, nets: NDArray[np.int64], chips: NDArray[np.int64]) -> list[Place]:
        """Distinct places that were not evaluated yet, at most a population."""
        fresh = np.flatnonzero(~self.game.known[chips, nets])
        places = dict.fromkeys(zip(nets[fresh].tolist(), chips[fresh].tolist()))
        return list(islice(places, POPULATION))

    def _mated(self, n: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Parents by tournament of rank, genes from either, one gene in the mean mutated."""
        rng, rows = self.rng, self.nets.rows[[net for net, _ in self.people]]
        a, b = rng.integers(len(rows), size=(2, n, 2)).min(axis=2)  # the better ones stand first
        genes = np.where(rng.random((n, rows.shape[1])) < 0.5, rows[a], rows[b])
        change = rng.random(genes.shape) < 1.0 / max(1, int((self.upper > 0).sum()))
        genes = np.where(change, rng.integers(0, self.upper + 1, genes.shape), genes)
        own = np.array([chip for _, chip in self.people])
        chips = np.where(rng.random(n) < 0.5, own[a], own[b])
        chips = np.where(rng.random(n) < MOVED, rng.choice(self.chips, n), chips)
        return self.nets.numbers(genes), chips


def _survivors(game: Game, places: Sequence[Place]) -> list[Place]:
    """The best by rank and crowding distance, best first."""
    some = list(dict.fromkeys(places))
    costs = game.cost(some)
    out: list[int] = []
    left = np.arange(len(some))
    while len(left) and len(out) < POPULATION:
        best = left[front(costs[left], np.ones(len(left), bool))]
        same = left[(costs[left][:, None] == costs[best][None]).all(axis=2).any(axis=1)]
        out += same[np.argsort(-_crowding(costs[same]), kind="stable")].tolist()
        left = np.setdiff1d(left, same)
    return [some[i] for i in out[:POPULATION]]


def _crowding(costs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Crowding distance of each row of a front."""
    out = np.zeros(len(costs))
    for column in costs.T:
        order = np.argsort(column, kind="stable")
        gap = column[order]
        width = (gap[-1] - gap[0]) or 1.0
        out[order[[0, -1]]] = np.inf
        out[order[1:-1]] += (gap[2:] - gap[:-2]) / width
    return out


OPTIMISERS: dict[str, Optimiser] = {
    "random": random, "local": local, "nsga2": nsga2, "nested": nested, "sequential": sequential,
    "blockwise": blockwise,
}  # fmt: skip
