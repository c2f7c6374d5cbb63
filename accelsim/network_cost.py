"""What a network costs on an accelerator: its layers, its stacks, and the mappings found for them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from accelsim.fusion import FusionCertificate, StackCost, write_stacks
from accelsim.mapping.cost import LayerCost
from accelsim.mapping.found import MappingResult
from accelsim.pricing.network import at_work, overhead_cycles, overhead_pj
from accelsim.shown import Shown
from accelsim.workloads.network import Network

if TYPE_CHECKING:
    from accelsim.hardware import Accelerator


@dataclass(frozen=True, repr=False)
class NetworkCost(Shown):
    """Costs of a network's layers, one after another, and of the stacks in which others are fused.

    layers  those outside stacks
    stacks  of two layers and more
    fusion  what a search over stacks proved, if there was one
    """

    hardware: Accelerator
    network: Network
    layers: tuple[LayerCost, ...]
    stacks: tuple[StackCost, ...] = ()
    fusion: FusionCertificate | None = None

    SHOWN_COLUMNS = (
        "layer",
        "op",
        "macs",
        "latency_cycles",
        "energy_pj",
        "edp_js",
        "utilisation",
        "bound_by",
    )

    def brief(self) -> str:
        """Network, hardware, latency, energy and EDP."""
        fused = f", {len(self.stacks)} stacks" if self.stacks else ""
        return (
            f"{self.network.name} on {self.hardware.name}: {self.latency_s * 1e3:.4g} ms, "
            f"{self.energy_pj * 1e-9:.4g} mJ, EDP {self.edp_js:.4g} Js, "
            f"{len(self.network.layers)} layers{fused}"
        )

    @property
    def latency_cycles(self) -> float:
        """Sum over the layers and the overhead of an inference, in cycles."""
        stacks = sum(stack.latency_cycles for stack in self.stacks)
        return sum(cost.latency_cycles for cost in self.layers) + stacks + self.overhead_cycles

    @property
    def overhead_cycles(self) -> float:
        """What one batch takes beyond its layers, `network.overhead_us` of the hardware, in cycles."""
        return overhead_cycles(self.hardware)

    @property
    def latency_s(self) -> float:
        """Latency of one batch in seconds."""
        return self.latency_cycles / (self.hardware.clock_mhz * 1e6)

    @property
    def energy_pj(self) -> float:
        """Sum over the layers, and what is drawn during the overhead of an inference, in picojoules."""
        stacks = sum(stack.energy_pj for stack in self.stacks)
        return sum(cost.energy_pj for cost in self.layers) + stacks + overhead_pj(self.hardware)

    @property
    def edp_js(self) -> float:
        """Energy-delay product of one batch in joule-seconds."""
        return self.energy_pj * 1e-12 * self.latency_s

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one batch."""
        return self.network.macs

    @property
    def utilisation(self) -> float:
        """Share of the array's MACs at work over the whole latency."""
        return at_work(self.network.layers, self.hardware) / self.latency_cycles

    @property
    def parts(self) -> list[tuple[int, LayerCost]]:
        """(how often it runs, its costs) of each layer outside stacks and of each piece of the stacks."""
        pieces = [(piece.times, piece.cost) for stack in self.stacks for piece in stack.pieces]
        return [(1, cost) for cost in self.layers] + pieces

    @cached_property
    def memory_energy_pj(self) -> dict[str, float]:
        """Energy of each memory, MACs, array, leakage and components, summed over the layers.

        What is drawn during the overhead of an inference is leakage and components too.
        """
        total: dict[str, float] = {}
        splits = [cost.memory_energy_pj() for cost in self.layers]
        splits.append(self.hardware.static_energy_pj(self.overhead_cycles))
        for split in (*splits, *(stack.memory_energy_pj for stack in self.stacks)):
            for name, part in split.items():
                total[name] = total.get(name, 0.0) + part
        return total

    def to_rows(self) -> list[dict[str, Any]]:
        """A row a layer as `LayerCost.to_row`, and after them a row a piece of each stack and one a stack."""
        rows = [one.to_row() for one in self.layers]
        for stack in self.stacks:
            rows += [piece.cost.to_row() | {"times": piece.times} for piece in stack.pieces]
            last = stack.pieces[0].cost.to_row()
            latency_s = stack.latency_cycles / (self.hardware.clock_mhz * 1e6)
            whole = {
                "layer": f"{stack.layers[0]} .. {stack.layers[-1]}",
                "op": "stack",
                "macs": stack.macs,
                "latency_cycles": stack.latency_cycles,
                "latency_s": latency_s,
                "energy_pj": stack.energy_pj,
                "edp_js": stack.energy_pj * 1e-12 * latency_s,
                "bound_by": stack.bound_by,
                "times": 1,
            } | {f"energy_{name}_pj": pj for name, pj in stack.memory_energy_pj.items()}
            rows.append(dict.fromkeys(last, "") | whole)
        if self.stacks:
            rows = [{**row, "times": row.get("times", 1)} for row in rows]
        return rows

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain JSON values."""
        from accelsim import __version__
        from accelsim.liveness import memory_plan

        memory = memory_plan(self.network, self.hardware)
        return {
            "version": __version__,
            "hardware": self.hardware.name,
            "hardware_hash": self.hardware.hash,
            "network": self.network.name,
            "batch": self.network.batch,
            "macs": self.macs,
            "latency_cycles": self.latency_cycles,
            "latency_s": self.latency_s,
            "overhead_cycles": self.overhead_cycles,
            "energy_pj": self.energy_pj,
            "energy_split_pj": self.memory_energy_pj,
            "edp_js": self.edp_js,
            "utilisation": self.utilisation,
            "area_mm2": self.hardware.area_mm2,
            "peak_memory_bytes": memory.peak,
            "flash_bytes": memory.flash,
            "estimated": list(self.hardware.estimated),
            "notes": list(self.network.notes),
            "layers": [{"name": cost.layer.name} | cost.to_dict() for cost in self.layers],
            "stacks": [stack.to_dict() for stack in self.stacks],
            "fusion": None if self.fusion is None else self.fusion.to_dict(),
        }


@dataclass(frozen=True, repr=False)
class NetworkMapping(Shown):
    """What a mapper found for each layer, and what stays on chip between them.

    kept     layers whose result stays on chip until its last consumer has read it
    weights  layers whose weights are loaded once and stay
    """

    cost: NetworkCost
    results: tuple[MappingResult, ...]
    kept: tuple[str, ...]
    weights: tuple[str, ...]

    SHOWN_COLUMNS = ("layer", "latency_cycles", "energy_pj", "edp_js", "mapper", "evaluations", "status")

    def brief(self) -> str:
        """As of its costs, with the mapper."""
        how = f"; {self.results[0].mapper} for {self.results[0].objective}" if self.results else ""
        return self.cost.brief() + how

    def to_rows(self) -> list[dict[str, Any]]:
        """Rows as of its costs; those of layers outside stacks also tell how the mapping was found."""
        rows = [row | {"mapper": "", "evaluations": "", "status": ""} for row in self.cost.to_rows()]
        for row, one in zip(rows, self.results):
            row |= {"mapper": one.mapper, "evaluations": one.evaluations, "status": one.status}
        return rows

    def to_dict(self) -> dict[str, Any]:
        """Mapping JSON of the network, which `evaluate` prices to the same numbers."""
        names = [cost.layer.name for cost in self.cost.layers]
        out: dict[str, Any] = {
            "version": 1,
            "layers": {name: r.mapping.to_dict() for name, r in zip(names, self.results, strict=True)},
        }
        if self.cost.stacks:
            out["stacks"] = write_stacks(self.cost.network, [stack.mapped for stack in self.cost.stacks])
        if self.kept or self.weights or self.cost.stacks:
            out["resident"] = {"kept": list(self.kept), "weights": list(self.weights)}
        return out
