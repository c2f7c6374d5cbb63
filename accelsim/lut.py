"""`BlockTable`: what every block of a space of subnets costs on a chip, so that a subnet is a sum.

Layers run one after another, so that latency and energy add up over blocks, exactly unless the chip keeps
activations or weights from one block to the next. Then each block is priced in place: with what stays on
chip around it in a random subnet that has it. `check` says by how much sums miss whole networks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from accelsim.engines.base import Engine, as_engine
from accelsim.errors import AccelsimError
from accelsim.hardware.loader import load_hardware
from accelsim.json_text import read_json
from accelsim.mapping.mapper import Cancel, Mapper, as_question, nothing_fits
from accelsim.pricing.ask import Ask
from accelsim.pricing.models import CostModel, load_model
from accelsim.pricing.network import NetworkPricer, overhead_cycles, overhead_pj
from accelsim.pricing.residency import plan
from accelsim.pricing.run import Run
from accelsim.pricing.way import DEFAULT_MAPPER, Way
from accelsim.workloads.network import Network
from accelsim.workloads.spaces import Space, load_space

if TYPE_CHECKING:
    from accelsim.hardware import Accelerator

Progress = Callable[[int, int], None]

_CHUNK = 200
"""Blocks or subnets priced at a time: layers that they share are mapped once."""


@dataclass(frozen=True)
class BlockTable:
    """Costs of all blocks of a space, by `Space.block_ids`.

    latency_cycles, energy_pj  float64[blocks]
    overhead_cycles, overhead_pj  what an inference takes beyond its blocks
    about  how it was made: mapper, objective, budget, seed
    check  how sums compare with whole subnets, or {}: see `compare`
    """

    space: Space
    hardware: str
    hardware_hash: str
    clock_mhz: float
    latency_cycles: NDArray[np.float64]
    energy_pj: NDArray[np.float64]
    overhead_cycles: float = 0.0
    about: dict[str, Any] = field(default_factory=dict)
    check: dict[str, Any] = field(default_factory=dict)
    overhead_pj: float = 0.0

    def price(self, genomes: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(latency in cycles, energy in pJ) float64[n] of genomes [n, genes]: sums over their blocks, and
        the overhead of an inference.
        """  # fmt: skip
        ids = self.space.block_ids(genomes)
        present = ids >= 0
        latency = np.where(present, self.latency_cycles[ids], 0.0).sum(axis=1)
        energy = np.where(present, self.energy_pj[ids], 0.0).sum(axis=1)
        return np.asarray(latency + self.overhead_cycles), np.asarray(energy + self.overhead_pj)

    def latency_s(self, genomes: ArrayLike) -> NDArray[np.float64]:
        """Latency in seconds float64[n]."""
        return self.price(genomes)[0] / (self.clock_mhz * 1e6)

    def to_rows(self) -> list[dict[str, Any]]:
        """A row a block: its part, its genes' values as text, and its two costs."""
        rows = []
        for i in range(self.space.num_blocks):
            part, values = self.space.block_choice(i)
            genes = [self.space.genes[c].name for c in self.space.parts[part].columns]
            words = " ".join(f"{name}={value}" for name, value in zip(genes, values, strict=True))
            costs = {
                "latency_cycles": float(self.latency_cycles[i]), "energy_pj": float(self.energy_pj[i]),
            }  # fmt: skip
            rows.append({"part": self.space.parts[part].name, "block": words} | costs)
        return rows

    def to_dict(self) -> dict[str, Any]:
        """JSON form, version 1: per part its genes, and per block their values and the two costs."""
        parts: list[dict[str, Any]] = []
        for i in range(self.space.num_blocks):
            part, values = self.space.block_choice(i)
            if part == len(parts):
                names = [self.space.genes[c].name for c in self.space.parts[part].columns]
                head = {"part": self.space.parts[part].name, "genes": names}
                parts.append(head | {"values": [], "latency_cycles": [], "energy_pj": []})
            parts[part]["values"].append(list(values))
            parts[part]["latency_cycles"].append(float(self.latency_cycles[i]))
            parts[part]["energy_pj"].append(float(self.energy_pj[i]))
        return {
            "version": 1,
            "hardware": self.hardware,
            "hardware_hash": self.hardware_hash,
            "clock_mhz": self.clock_mhz,
            "space": self.space.name,
            "resolutions": list(self.space.resolutions),
            "notes": "A subnet's latency is the sum over its blocks and overhead_cycles, its energy the sum "
            "and overhead_pj.",
            "overhead_cycles": self.overhead_cycles,
            "overhead_pj": self.overhead_pj,
            "about": self.about,
            "check": self.check,
            "parts": parts,
        }

    @classmethod
    def from_dict(cls, data: Any, where: str = "table") -> BlockTable:
        """Read the JSON form. Raises AccelsimError for what is no such table."""
        try:
            if data["version"] != 1:
                raise AccelsimError(f"{where}: version must be 1, but got {data['version']!r:.40}")
            space = load_space(data["space"], tuple(data["resolutions"]))
            latency = np.concatenate([np.array(p["latency_cycles"], float) for p in data["parts"]])
            energy = np.concatenate([np.array(p["energy_pj"], float) for p in data["parts"]])
            made = cls(
                space, str(data["hardware"]), str(data["hardware_hash"]), float(data["clock_mhz"]), latency,
                energy, float(data["overhead_cycles"]), dict(data["about"]), dict(data["check"]),
                float(data.get("overhead_pj", 0.0)),
            )  # fmt: skip
        except AccelsimError:
            raise
        except (KeyError, TypeError, IndexError, ValueError, OverflowError) as fault:
            raise AccelsimError(f"{where}: is no table of blocks: {type(fault).__name__} {fault}") from None
        if not len(latency) == len(energy) == space.num_blocks:
            raise AccelsimError(
                f"{where}: {space.name} has {space.num_blocks} blocks, but the table has {len(latency)}"
            )
        figures = np.array([*latency, *energy, made.overhead_cycles, made.overhead_pj])
        if not (np.isfinite(figures).all() and (figures >= 0).all() and 0 < made.clock_mhz < np.inf):
            raise AccelsimError(f"{where}: its cycles, energies and clock must be finite, and not negative")
        return made

    @classmethod
    def load(cls, path: Path | str) -> BlockTable:
        """Read a file that `accelsim lut` wrote. Raises AccelsimError."""
        return cls.from_dict(read_json(Path(path)), str(path))


def build_table(
    hardware: Accelerator | str | dict[str, Any],
    space: Space | str,
    *,
    mapper: str | Mapper | type[Mapper] = DEFAULT_MAPPER,
    objective: str = "edp",
    budget: int | None = None,
    seed: int = 0,
    model: str | CostModel | type[CostModel] = "accelsim",
    resolutions: tuple[int, ...] | None = None,
    subnets: int = 1000,
    engine: str | Engine | type[Engine] = "threads",
    workers: int | None = 1,
    scheduler: str | None = None,
    cancel: Cancel | None = None,
    progress: Progress | None = None,
) -> BlockTable:
    """Price every distinct block of a space on a chip; equal layers are mapped once.

    hardware, mapper, objective, budget, seed, model, engine, workers  as in `accelsim.sweep`
    resolutions  input sizes, instead of the space's own
    subnets      random subnets to check sums with, drawn with the same seed
    cancel       function or event; once true, the table is given up
    progress     called with (blocks and subnets done, all of them)

    Raises AccelsimError for bad input, where a block fits nowhere, and when cancelled.
    """
    hw = load_hardware(hardware)
    family = load_space(space)
    if resolutions:
        family = family.at(*resolutions)
    way = Way.of(mapper, objective, budget, seed)
    stopped = as_question(cancel)
    total = family.num_blocks + subnets

    def tick(done: int) -> None:
        if stopped():
            raise AccelsimError("lut: stopped before the table was whole")
        if progress is not None:
            progress(done, total)

    with as_engine(engine, workers, scheduler) as started:
        pricer = _Pricer(hw, NetworkPricer(load_model(model, way), started, stopped))
        costs = (_in_place if hw.network.keeps else _alone)(pricer, family, seed, tick)
        about = {"mapper": way.mapper.name, "objective": objective, "budget": way.budget, "seed": seed}
        latency, energy = np.ascontiguousarray(costs.T)
        extra, drawn = overhead_cycles(hw), overhead_pj(hw)
        table = BlockTable(
            family, hw.name, hw.hash, hw.clock_mhz, latency, energy, extra, about, overhead_pj=drawn
        )
        if not subnets:
            return table
        genomes = family.sample(np.random.default_rng(seed), subnets)
        whole = np.empty((subnets, 2))
        for rows in _chunks(subnets):
            whole[rows] = pricer.totals([family.to_network(genomes[i]) for i in rows])
            tick(family.num_blocks + rows.stop)
    whole += extra, drawn
    return replace(table, check=compare(np.stack(table.price(genomes), axis=1), whole))


class _Pricer(NamedTuple):
    """A chip, and who prices it."""

    hardware: Accelerator
    pricer: NetworkPricer

    def totals(self, networks: list[Network]) -> NDArray[np.float64]:
        """Float64[n, 2] without the overhead of an inference. Raises AccelsimError for what fits nowhere."""
        found = self.pricer.price([Run(self.hardware, net) for net in networks])
        for net, failed in zip(networks, found.failed.tolist(), strict=True):
            if failed >= 0:
                raise nothing_fits(self.hardware, net.layers[failed])
        beside = overhead_cycles(self.hardware), overhead_pj(self.hardware)
        return np.column_stack([found.latency_cycles - beside[0], found.energy_pj - beside[1]])


def compare(sums: NDArray[np.float64], whole: NDArray[np.float64]) -> dict[str, Any]:
    """How sums float64[n, 2] (latency, energy) miss whole subnets: relative errors, and Kendall's tau."""
    from scipy.stats import kendalltau

    out: dict[str, Any] = {"subnets": len(sums)}
    for i, name in enumerate(("latency", "energy")):
        error = sums[:, i] / whole[:, i] - 1
        out[name] = {
            "mean_relative_error": float(error.mean()),
            "largest_relative_error": float(np.abs(error).max()),
            "kendall_tau": float(kendalltau(sums[:, i], whole[:, i]).statistic),
        }
    return out


def _alone(pricer: _Pricer, space: Space, seed: int, tick: Callable[[int], None]) -> NDArray[np.float64]:
    """(latency in cycles, energy in pJ) float64[blocks, 2] of blocks that nothing outside can change."""
    out = np.zeros((space.num_blocks, 2))
    exist = set(space.existing_blocks)
    for rows in _chunks(len(out)):
        there = [i for i in rows if i in exist]
        out[there] = pricer.totals([space.block(i) for i in there])
        tick(rows.stop)
    return out


def _in_place(pricer: _Pricer, space: Space, seed: int, tick: Callable[[int], None]) -> NDArray[np.float64]:
    """As `_alone`, each block with the resident tensors that it has in a random subnet."""
    rng = np.random.default_rng(seed)
    chip = pricer.hardware
    out = np.zeros((space.num_blocks, 2))
    exist = set(space.existing_blocks)
    for rows in _chunks(len(out)):
        there = [i for i in rows if i in exist]
        asks: list[list[Ask]] = []
        for i in there:
            genome = _subnet_with(space, i, rng)
            ids = space.block_ids(genome)[0]
            ids = ids[ids >= 0].tolist()
            first = sum(len(space.block(j).layers) for j in ids[: ids.index(i)])
            table = plan(chip, space.to_network(genome)).table()[first:]
            asks.append([Ask(chip, x, flags) for x, (flags, _) in zip(space.block(i).layers, table)])
        beside = pricer.pricer.answers([ask for block in asks for ask in block])
        at = 0
        for i, block in zip(there, asks, strict=True):
            found = beside[at : at + len(block)]
            at += len(block)
            # What stays may leave too little room for tiles; then it goes through the outermost memory.
            if np.isinf(found).any():
                alone = pricer.pricer.answers([ask._replace(resident="") for ask in block])
                found = np.where(np.isinf(found), alone, found)
                if np.isinf(found).any():
                    raise nothing_fits(chip, block[int(np.isinf(found[:, 0]).argmax())].layer)
            out[i] = found.sum(axis=0)
        tick(rows.stop)
    return out


def _subnet_with(space: Space, block_id: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """A random genome [genes] that has a block."""
    part, values = space.block_choice(block_id)
    genome = rng.integers(0, space.upper + 1)
    depth = space.parts[part].depth
    if depth is not None:
        genome[depth.column] = rng.integers(depth.least, space.upper[depth.column] + 1)
    for column, value in zip(space.parts[part].columns, values, strict=True):
        genome[column] = space.genes[column].values.index(value)
    return genome


def _chunks(count: int) -> list[range]:
    return [range(i, min(count, i + _CHUNK)) for i in range(0, count, _CHUNK)]
