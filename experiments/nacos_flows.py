"""Flows of co-search at equal budgets, on tasks whose true front is known or whose device is small.

    python experiments/nacos_flows.py [--quick] [--seeds 10] [--tasks listed,...] [--workers 2] [--out FOLDER]

Stopped at any time, it goes on after the last whole search: figures of each are kept in FOLDER/runs.

1. listed  one chip, the 3969 networks of nasbench_macro: latency and MACs (`work`, a stand-in, as no
           accuracies ship); every network is priced, every layer mapped with proof, so that regret is exact
2. ofa     one chip, 2.2e19 subnets at 224: latency and the surrogate's accuracy; the front is exact by blocks
3. device  a microcontroller, 108 spaces: MACs and peak memory; no front is known, so that flows are compared
           with the best of all runs together
4. wdsr_CHIP  two chips, 2.6e30 super-resolution networks at 720p: latency and parameters (more is better, a
           stand-in for quality), template mappings; the best of all runs together, which is the exact front
5. chip    chips in NVDLA 256's envelope and 10^19 subnets together: EDP and the surrogate's accuracy; no
           front is known, so that flows are compared with the best of all runs together
6. schedules  the latencies of networks by default and by proved mappings: how they rank, and what choosing
           by the second wins

The share of a front is its hypervolume over the true one's, of the logarithm of latency and of the other
objective, measured from the true front's worst corner (in `wdsr` from that of all fronts, 0.01 more);
regret is 1 less that. Budgets are candidates, among them a table's blocks and the spaces of a pruning; in
`wdsr` the table comes on top, as every flow has the same. Mappings, accuracies and memory plans are counted
beside.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from common import at_least_one, folder, write
from pymoo.indicators.hv import HV
from scipy.stats import kendalltau

import accelsim
from accelsim.accuracy import load_source
from accelsim.cosearch.exact import exact_front
from accelsim.cosearch.goals import front
from accelsim.files import write_whole
from accelsim.lut import build_table
from accelsim.nacos.manifest import CONTRACT
from accelsim.pricing.models.loopnest import LoopNest
from accelsim.pricing.network import NetworkPricer
from accelsim.pricing.run import Run
from accelsim.pricing.way import Way
from accelsim.workloads.spaces import load_space

SHARES = (0.25, 0.5, 1.0)
"""Of the candidates, at which fronts are compared."""

FLOWS: dict[str, dict[str, Any]] = {
    "random": {"strategy": "nested", "optimiser": "random"},
    "nested": {"strategy": "nested"},
    "joint": {"strategy": "joint"},
    "blockwise": {"strategy": "blockwise"},
    "blockwise_exact": {"strategy": "blockwise_exact"},
    "gradient": {"strategy": "gradient"},
    "holistic": {"strategy": "holistic"},
    "sequential": {"strategy": "sequential"},
}

TASKS: dict[str, dict[str, Any]] = {
    "listed": {
        "hardware": "nvdla_256", "space": "nasbench_macro", "objectives": "latency,work", "fix": "hardware",
        "mapper": "genetic", "budget": 200,
    },
    "ofa": {
        "hardware": "nvdla_256", "space": "ofa_mbv3", "resolution": 224, "objectives": "latency,accuracy",
        "fix": "hardware", "mapper": "genetic", "budget": 200,
    },
    **{
        f"wdsr_{chip}": {
            "hardware": chip, "space": "wdsr_x2", "objectives": "latency,params", "fix": "hardware",
            "mapper": "template", "finish": 0,
        }
        for chip in ("nvdla_256", "eyeriss")
    },
    "device": {"hardware": "mcu_f746", "space": "mcunet", "objectives": "work,peak_memory"},
    "chip": {"hardware": "nvdla_256", "space": "ofa_mbv3", "objectives": "edp,accuracy", "finish": 0},
}  # fmt: skip

OF = {
    "listed": ("random", "nested", "joint", "blockwise", "blockwise_exact"),
    "ofa": ("random", "nested", "joint", "blockwise", "gradient", "blockwise_exact"),
    "wdsr_nvdla_256": ("blockwise", "gradient", "blockwise_exact"),
    "wdsr_eyeriss": ("blockwise", "gradient", "blockwise_exact"),
    "device": ("random", "nested", "holistic"),
    "chip": ("random", "nested", "joint", "sequential"),
}
"""Flows of each task. `sequential` changes chips after networks and has nothing to do on a fixed chip; what
works by blocks has nothing to do where each chip would need a table of its own; `single` rewrites one given
network and has no task here."""


@dataclass(frozen=True)
class Ran:
    """Figures of a search: costs [candidates, objectives], feasible [candidates], and what was counted."""

    costs: np.ndarray
    feasible: np.ndarray
    mappings: int
    accuracies: int
    plans: int
    seconds: float

    @property
    def front(self) -> np.ndarray:
        """Costs of the feasible candidates that no other is better than."""
        return best(self.costs[self.feasible])

    def hypervolume(self, reference: np.ndarray, upto: int) -> float:
        """Of the first candidates' front."""
        rows = self.costs[:upto]
        good = self.feasible[:upto] & np.isfinite(rows).all(axis=1)
        return float(HV(ref_point=reference)(rows[good])) if good.any() else 0.0


def tasks(text: str) -> list[str]:
    """With commas between."""
    for name in text.split(","):
        if name not in (*TASKS, "schedules"):
            raise argparse.ArgumentTypeError(f"must be of {', '.join(TASKS)}, schedules, but got {name!r}")
    return text.split(",")


def main() -> None:
    """Run the tasks and write a table each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="seconds: shows that all runs, proves nothing")
    parser.add_argument("--seeds", type=at_least_one, default=10)
    parser.add_argument("--evaluations", type=at_least_one, default=1000)
    parser.add_argument("--tasks", type=tasks, default=",".join([*TASKS, "schedules"]))
    parser.add_argument("--workers", type=at_least_one, default=2, help="that map; no figure depends on it")
    parser.add_argument("--out", type=folder, default="results/nacos_flows")
    chosen = parser.parse_args()
    if chosen.quick:
        chosen.seeds, chosen.evaluations, chosen.tasks = 1, 24, ["listed", "device", "chip"]
    (chosen.out / "runs").mkdir(exist_ok=True)
    for task in chosen.tasks:
        rows = schedules(chosen.quick) if task == "schedules" else table(task, chosen)
        write(chosen.out / f"{task}.csv", rows)


def table(task: str, chosen: argparse.Namespace) -> list[dict[str, Any]]:
    """A row a flow: its share of the front at parts of the budget, and what it took."""
    runs: dict[str, list[Ran]] = {flow: [] for flow in OF[task]}
    for seed in range(chosen.seeds):
        for flow, made in runs.items():
            made.append(kept(task, flow, seed, chosen))
    known = truth(task, chosen)
    every = [one.front for made in runs.values() for one in made]
    true = best(np.concatenate(every) if known is None else known)
    start = table_size(task)
    reference = np.concatenate(every).max(axis=0) + 0.01 if start else true.max(axis=0)
    whole = float(HV(ref_point=reference)(true))
    rows = []
    for flow, made in runs.items():
        row: dict[str, Any] = {"flow": flow}
        for share in SHARES:
            upto = int(share * chosen.evaluations)
            row[f"after {upto}"] = spread([one.hypervolume(reference, start + upto) / whole for one in made])
        row["mappings"] = f"{np.median([one.mappings for one in made]):,.0f}"
        row["accuracies"] = f"{np.median([one.accuracies for one in made]):,.0f}"
        row["memory plans"] = f"{np.median([one.plans for one in made]):,.0f}"
        row["front"] = f"{np.median([len(one.front) for one in made]):,.0f}"
        row["seconds"] = f"{np.median([one.seconds for one in made]):.0f}"
        rows.append(row)
    return rows


def kept(task: str, flow: str, seed: int, chosen: argparse.Namespace) -> Ran:
    """A search's figures, from an earlier call under the same prices or made and kept."""
    name = f"{task}-{flow}-{seed}-{chosen.evaluations}{'-quick' * chosen.quick}-{CONTRACT}.npz"
    path = chosen.out / "runs" / name
    if not path.exists():
        ran = run(task, flow, seed, chosen)
        file = io.BytesIO()
        np.savez(file, **vars(ran))
        write_whole(path, file.getvalue())
        print(f"{task}, {flow}, seed {seed}: {ran.seconds:.0f} s", flush=True)
    with np.load(path) as found:
        counted = {name: found[name].item() for name in ("mappings", "accuracies", "plans", "seconds")}
        return Ran(found["costs"], found["feasible"], **counted)


def run(task: str, flow: str, seed: int, chosen: argparse.Namespace) -> Ran:
    """The figures of a search."""
    quick, options = chosen.quick, TASKS[task] | FLOWS[flow]
    options |= {"seed": seed, "population": 12 if quick else 50, "workers": chosen.workers, "finish": 0}
    if quick and task != "listed":
        options["resolution"] = 64 if task == "device" else 128
    if flow == "blockwise_exact" and not quick and not task.startswith("wdsr"):
        options |= {"mapper": "optimal", "budget": None}
    with counted() as plans:
        found = accelsim.search(**options, evaluations=table_size(task) + chosen.evaluations)
    accuracy = found.values[:, found.setup.goals.column["accuracy"]]
    return Ran(
        found.log_costs(),
        found.feasible,
        found.setup.tally.mappings,
        int(np.isfinite(accuracy).sum()),
        plans[0],
        sum(g.seconds for g in found.generations),
    )


@contextmanager
def counted() -> Iterator[list[int]]:
    """[memory plans made] so far."""
    import accelsim.devices
    import accelsim.liveness
    import accelsim.liveness.blocks

    places = (accelsim.liveness, accelsim.devices, accelsim.liveness.blocks)
    kept, count = accelsim.liveness.memory_plan, [0]

    def counting(*args: Any, **options: Any) -> Any:
        count[0] += 1
        return kept(*args, **options)

    for place in places:
        place.memory_plan = counting  # type: ignore[attr-defined]
    try:
        yield count
    finally:
        for place in places:
            place.memory_plan = kept  # type: ignore[attr-defined]


def truth(task: str, chosen: argparse.Namespace) -> np.ndarray | None:
    """Costs of the true front, every mapping proved; None where nobody knows it."""
    quick = chosen.quick
    if task in ("device", "chip") or task.startswith("wdsr"):
        return None
    if task == "listed":
        return listed("template" if quick else "optimal")
    options = (
        TASKS[task] | FLOWS["blockwise_exact"] | {"population": 50, "workers": chosen.workers, "finish": 0}
    )
    options |= {"mapper": "template" if quick else "optimal", "budget": None}
    if quick and task == "ofa":
        options["resolution"] = 128
    found = accelsim.search(**options, evaluations=5000)
    return found.log_costs()[found.feasible]


def listed(mapper: str) -> np.ndarray:
    """Costs of all networks of the space."""
    chip, space = accelsim.load_hardware(TASKS["listed"]["hardware"]), load_space(TASKS["listed"]["space"])
    pricer = NetworkPricer(LoopNest(Way.of(mapper, "latency")))
    rows = space.enumerate()
    cycles = np.concatenate(
        [
            pricer.price([Run(chip, space.to_network(row)) for row in rows[i : i + 200]]).latency_cycles
            for i in range(0, len(rows), 200)
        ]
    )
    return np.column_stack([np.log10(cycles / (chip.clock_mhz * 1e6)), -space.macs(rows).astype(float)])


def schedules(quick: bool) -> list[dict[str, Any]]:
    """What choosing networks by tuned schedules is worth, a row a chip: default and proved mappings."""
    rows = []
    for chip in ("nvdla_256",) if quick else ("nvdla_256", "eyeriss"):
        space = load_space("ofa_mbv3", (128 if quick else 224,))
        source = load_source("surrogate", space)
        mappers = ("template", "genetic" if quick else "optimal")
        default, tuned = (
            build_table(chip, space, mapper=m, objective="latency", subnets=0, workers=2) for m in mappers
        )
        drawn = space.sample(np.random.default_rng(0), 1000)
        fronts = [
            exact_front(space, t.latency_cycles[:, None], source.effects(space)) for t in (default, tuned)
        ]
        chosen, best = (np.asarray(found.rows) for found in fronts)
        had, got = (source.predict(space, rows).value for rows in (chosen, best))
        cycles, bound = tuned.price(best)[0], tuned.price(chosen)[0]
        gain = np.array([got[cycles <= c * (1 + 1e-12)].max() for c in bound]) - had
        tau = kendalltau(default.price(drawn)[0], tuned.price(drawn)[0]).statistic
        rows.append(
            {
                "chip": chip,
                "tau of 1000 networks": f"{tau:.3f}",
                "default over tuned": f"{np.median(default.price(drawn)[0] / tuned.price(drawn)[0]):.3f}",
                "points won, median": f"{np.median(gain):.3f}",
                "points won, most": f"{gain.max():.3f}",
            }
        )
    return rows


def best(rows: np.ndarray) -> np.ndarray:
    """Those that no other is better than."""
    return rows[front(rows, np.ones(len(rows), bool))]


def table_size(task: str) -> int:
    """Blocks that every flow of the task prices first; 0 where they are not the same for all."""
    return len(load_space("wdsr_x2").existing_blocks) if task.startswith("wdsr") else 0


def spread(values: list[float]) -> str:
    """Median and quartiles."""
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    return f"{middle:.3f} ({low:.3f} to {high:.3f})" if len(values) > 1 else f"{middle:.3f}"


if __name__ == "__main__":
    main()
