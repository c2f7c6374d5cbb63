"""NAAS on its own terms: chips and dataflows searched under MAESTRO's model, within the envelope of a chip.

What `naas_envelopes.py --model maestro` runs. The encoding is NAAS's (Lin, Yang and Han, DAC 2021): axes by
importance, sizes as shares; a layer's mapping has at each level of the array an order by importance and
tiles as shares of what comes from above. Both loops are evolution strategies: CMA-ES over chips, a normal
distribution drawn around the best tenth over mappings. Left out are axes of R and S, which MAESTRO has on
the diagonal of row stationary alone. Not said by NAAS, and chosen here: off-chip bandwidth without a limit,
budgets, the shares of 200 mappings.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import accelsim
from accelsim.mapping.maestro import MaestroMachine
from accelsim.mapping.maestro.model import LayerPricer
from accelsim.mapping.maestro.pricing import Flows, count, pack_layers, pack_machines
from accelsim.mapping.maestro.shipped import load_dataflow, with_dataflow
from cost_models.maestro import layout as L

DIMS = (L.K, L.C, L.Y, L.X)
OURS = (("K", "G"), ("C",), ("P",), ("Q",))
"""What each may carry in accelsim's terms."""

AXES = 3
GENES = 2 + (AXES - 1) + len(DIMS) + 1
ROUNDS = 4


@dataclass(frozen=True)
class Chip:
    """axes: places in `DIMS`; sizes of the axes; elements of L1 and L2."""

    axes: tuple[int, ...]
    sizes: tuple[int, ...]
    l1: int
    l2: int

    def __str__(self) -> str:
        return " x ".join(f"{s} {OURS[a][0]}" for a, s in zip(self.axes, self.sizes)) + f", L1 {self.l1}"


@dataclass(frozen=True)
class Envelope:
    """Most PEs, elements on chip in all, elements a cycle on the network."""

    pes: int
    elements: int
    noc_bw: int

    @classmethod
    def of(cls, chip: accelsim.Accelerator) -> Envelope:
        """That of a chip, as MAESTRO sees it."""
        seen = MaestroMachine.from_accelerator(chip)
        return cls(seen.pes, seen.l2_size + seen.pes * seen.l1_size, seen.noc_bw)

    def machine(self, pes: int) -> MaestroMachine:
        """Buffers cost nothing and bind nothing: needs are held against them elsewhere."""
        return MaestroMachine(pes, noc_bw=self.noc_bw)

    def decode(self, genes: NDArray[np.float64]) -> Chip | None:
        """The chip of genes in [0, 1]; None where nothing is left for L2."""
        left = 8 * max(1, round(genes[0] * self.pes / 8))
        many = 1 + min(AXES - 1, int(AXES * genes[1]))
        axes = np.argsort(-genes[1 + AXES : 1 + AXES + len(DIMS)], kind="stable")[:many]
        sizes = []
        for share in genes[2 : 1 + many]:
            sizes.append(max(1, min(left, 2 * round(left**share / 2))))
            left //= sizes[-1]
        sizes.append(left)
        pes = int(np.prod(sizes))
        l1 = 16 * max(1, round(genes[-1] ** 2 * self.elements / pes / 16))
        l2 = self.elements - pes * l1
        return Chip(tuple(axes.tolist()), tuple(sizes), l1, l2) if l2 > 0 else None


class Suite:
    """Networks under MAESTRO's model: figures are geometric means over them."""

    def __init__(self, networks: Sequence[str]) -> None:
        self.networks = [accelsim.load_network(name) for name in networks]
        unlike = Counter(layer for net in self.networks for layer in net.layers if layer.multiplies)
        self.layers = list(unlike)
        self.times = np.array(
            [[net.layers.count(layer) for layer in self.layers] for net in self.networks], float
        )
        bare = [with_dataflow(layer, load_dataflow("xp_ws")) for layer in self.layers]
        self.packed = pack_layers(bare)
        self.macs = np.array([layer.macs for layer in self.layers], float)
        self.kernel = self.packed[:, [L.R, L.S]]
        self.stride = self.packed[:, [L.STRIDE_Y, L.STRIDE_X]]
        self.lacks = np.array([[(row >> d) & 1 == 0 for d in DIMS] for row in self.packed[:, L.DIMS]])
        self.dims = self.packed[:, DIMS].copy()
        self.dims[:, 2:] = (self.dims[:, 2:] - self.kernel) // self.stride + 1

    def means(self, figures: NDArray[np.float64]) -> tuple[float, float]:
        """(cycles, pJ) of figures [layers, 2]."""
        cycles, pj = np.exp(np.log(self.times @ figures).mean(axis=0))
        return float(cycles), float(pj)

    def baseline(self, envelope: Envelope, dataflow: str) -> tuple[float, float]:
        """(cycles, pJ) under a published dataflow, its buffers as large as it needs."""
        found = LayerPricer(self.layers, [dataflow], fit=False).price([envelope.machine(envelope.pes)])
        return self.means(np.stack([found.latency_cycles[0], found.energy_pj[0]], axis=1))

    def flows(self, chip: Chip, genes: NDArray[np.float64]) -> Flows:
        """Dataflows of genes [layers, n, levels, 2, 4], importances and shares, one after another."""
        rows, n = genes.shape[:2]
        out = Flows.empty(rows * n)
        full = np.repeat(self.dims[:, None], n, axis=1)
        for level, (axis, lanes) in enumerate(zip(chip.axes, chip.sizes)):
            rank, share = genes[:, :, level, 0], genes[:, :, level, 1]
            idle = self.lacks[:, axis]  # nothing to spread: C as a whole goes to one lane
            at = np.where(idle, 1, axis)[:, None, None]
            here = np.arange(len(DIMS)) == at
            whole = np.where(here & ~idle[:, None, None], -(-full // lanes), full)
            share = np.where(here & idle[:, None, None], 1.0, share)
            tile = np.clip(np.ceil(share * whole), 1, None).astype(np.int64)
            order = np.argsort(np.where(self.lacks[:, None], 2.0, -rank), axis=2, kind="stable")
            size, step = tile.copy(), tile.copy()
            size[:, :, 2:] = (tile[:, :, 2:] - 1) * self.stride[:, None] + self.kernel[:, None]
            step[:, :, 2:] = tile[:, :, 2:] * self.stride[:, None]
            code = np.broadcast_to(np.array(DIMS), tile.shape) + L.SPATIAL * here
            code = np.where(self.lacks[:, None], -1, code)
            after = len(DIMS) - self.lacks.sum(axis=1)  # the kernel, whole, comes last
            for column, table in zip(out[:3], (code, size, step)):
                maps = column.reshape(rows, n, L.MAX_LEVELS, L.NDIM)[:, :, level]
                table = np.broadcast_to(table, tile.shape)
                maps[:, :, : len(DIMS)] = np.take_along_axis(table, order, axis=2)
            for k, dim in enumerate((L.R, L.S)):
                for column, values in zip(out[:3], (np.full(rows, dim), *2 * [self.kernel[:, k]])):
                    maps = column.reshape(rows, n, L.MAX_LEVELS, L.NDIM)[:, :, level]
                    maps[np.arange(rows), :, after + k] = values[:, None]
            out.cluster[:, level] = lanes if level else 0
            full = tile
        return out

    def priced(self, envelope: Envelope, chip: Chip, genes: NDArray[np.float64]) -> NDArray[np.float64]:
        """(cycles, pJ) [layers, n, 2]; infinite where buffers are too small or there is no price.

        Nor is a price taken that says more multiplications a cycle than there are PEs: the model has such,
        and a search finds them.
        """
        rows, n = genes.shape[:2]
        pick = np.zeros((rows * n, 3), np.int32)
        pick[:, 0], pick[:, 2] = np.repeat(np.arange(rows), n), np.arange(rows * n)
        table = pack_machines([envelope.machine(int(np.prod(chip.sizes)))])
        status, counts = count(self.packed, table, self.flows(chip, genes), pick)
        needs = [counts[:, at : at + L.NTENSOR].sum(axis=1) for at in (L.L1_NEED, L.L2_NEED)]
        peak = self.macs[pick[:, 0]] / np.prod(chip.sizes)
        bad = (status != L.OK) | (counts[:, L.LATENCY] < peak) | (needs[0] > chip.l1) | (needs[1] > chip.l2)
        figures = counts[:, [L.LATENCY, L.ENERGY]]
        figures[bad] = np.inf
        return figures.reshape(rows, n, 2)

    def mapped(
        self, envelope: Envelope, chip: Chip, mappings: int, rng: np.random.Generator
    ) -> tuple[float, float]:
        """(cycles, pJ) under the best dataflows found, so many tried a layer; infinite if one finds none."""
        n, rows = max(1, mappings // ROUNDS), len(self.layers)
        best, value = np.full((rows, 2), np.inf), np.full(rows, np.inf)
        shape = (rows, n, len(chip.axes), 2, len(DIMS))
        genes = rng.random(shape)
        small = rng.random(shape[:3])[..., None] ** 4  # tiles far smaller than what is above, in some
        genes[..., 1, :] *= np.where(rng.random(shape[:3])[..., None] < 0.5, 1.0, small)
        seen = np.zeros((rows, 0, *shape[2:])), np.zeros((rows, 0))
        for _ in range(ROUNDS):
            figures = self.priced(envelope, chip, genes)
            edp = figures.prod(axis=2)
            at = edp.argmin(axis=1)
            better = edp[np.arange(rows), at] < value
            best[better], value[better] = figures[np.arange(rows), at][better], edp.min(axis=1)[better]
            seen = np.concatenate([seen[0], genes], axis=1), np.concatenate([seen[1], edp], axis=1)
            first = np.argsort(seen[1], axis=1, kind="stable")[:, : max(2, n // 10)]
            parents = np.take_along_axis(seen[0], first[:, :, None, None, None], axis=1)
            centre, width = parents.mean(axis=1, keepdims=True), parents.std(axis=1, keepdims=True) + 0.03
            genes = np.clip(centre + width * rng.normal(size=shape), 0.0, 1.0)
        return self.means(best) if np.isfinite(value).all() else (np.inf, np.inf)


def searched(
    suite: Suite, envelope: Envelope, chips: int, mappings: int, seed: int, population: int = 12
) -> tuple[Chip, tuple[float, float], list[float]]:
    """The best chip, its (cycles, pJ), and the best product after each generation.

    Chips that leave no room for L2 are drawn again, as NAAS does.
    """
    import cma

    rng = np.random.default_rng(seed)
    options: dict[str, Any] = {"bounds": [0, 1], "popsize": population, "seed": seed + 1, "verbose": -9}
    strategy = cma.CMAEvolutionStrategy(GENES * [0.5], 0.3, options)
    best: tuple[Chip, tuple[float, float]] | None = None
    curve = []
    for _ in range(max(1, chips // population)):
        rows, found = [], []
        while len(rows) < population:
            (row,) = strategy.ask(1)
            chip = envelope.decode(row)
            if chip is not None:
                rows.append(row)
                found.append((chip, suite.mapped(envelope, chip, mappings, rng)))
        costs = [float(min(1e300, cycles * pj)) for _, (cycles, pj) in found]
        strategy.tell(rows, list(np.log10(costs)))
        best = min([*([best] if best else []), *found], key=lambda one: one[1][0] * one[1][1])
        curve.append(best[1][0] * best[1][1])
    assert best is not None
    return *best, curve


def under_ours(base: accelsim.Accelerator, chip: Chip) -> accelsim.Accelerator:
    """The chip with the searched array, each axis carrying its dimension and loops in any order."""
    data = base.to_dict()
    data.pop("engines", None)
    inner = [memory for memory in data["memories"] if memory.get("fanout")]
    array, axis = inner[0], dict(inner[0]["fanout"][0])
    for memory in inner[1:]:
        memory["fanout"] = []
    array["fanout"] = [
        axis | {"axis": f"a{i}", "size": size, "multicast": True, "reduction": OURS[a] == ("C",)}
        for i, (a, size) in enumerate(zip(chip.axes, chip.sizes))
    ]
    data["dataflow"] = {"axes": {array["name"]: {f"a{i}": list(OURS[a]) for i, a in enumerate(chip.axes)}}}
    data["name"] = f"{base.name}, searched under MAESTRO"
    return accelsim.load_hardware(data)
