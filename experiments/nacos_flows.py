"""Flows of co-search at equal budgets, on tasks whose true front is known or whose device is small.

    python experiments/nacos_flows.py [--quick] [--seeds 5] [--tasks listed,...] [--out FOLDER]

1. listed  one chip, the 3969 networks of nasbench_macro: latency and MACs (`work`, a stand-in, as no
           accuracies ship); every network is priced, every layer mapped with proof, so that regret is exact
2. ofa     one chip, 2.2e19 subnets at 224: latency and the surrogate's accuracy; the front is exact by blocks
3. device  a microcontroller, 108 spaces: MACs and peak memory; no front is known, so that flows are compared
           with the best of all runs together
4. wdsr_CHIP  two chips, 2.6e30 super-resolution networks at 720p: latency and parameters (more is better, a
           stand-in for quality), template mappings; the best of all runs together, which is the exact front
5. schedules  the latencies of networks by default and by proved mappings: how they rank, and what choosing
           by the second wins

The share of a front is its hypervolume over the true one's, of the logarithm of latency and of the other
objective, measured from the true front's worst corner (in `wdsr` from that of all fronts, 0.01 more);
regret is 1 less that. Budgets are candidates, among them a table's blocks and the spaces of a pruning; in
`wdsr` the table comes on top, as every flow has the same. Mappings, accuracies and memory plans are counted
beside.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from common import write
from pymoo.indicators.hv import HV
from scipy.stats import kendalltau

import accelsim
from accelsim.accuracy import load_source
from accelsim.cosearch.exact import exact_front
from accelsim.cosearch.goals import front
from accelsim.cosearch.result import SearchResult
from accelsim.lut import build_table
from accelsim.pricing.models.loopnest import LoopNest
from accelsim.pricing.network import NetworkPricer, Run
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
}  # fmt: skip

OF = {
    "listed": ("random", "nested", "joint", "blockwise", "blockwise_exact"),
    "ofa": ("random", "nested", "joint", "blockwise", "gradient", "blockwise_exact"),
    "wdsr_nvdla_256": ("blockwise", "gradient", "blockwise_exact"),
    "wdsr_eyeriss": ("blockwise", "gradient", "blockwise_exact"),
    "device": ("random", "nested", "holistic"),
}
"""Flows of each task. `sequential` changes chips after networks and has nothing to do on a fixed chip;
`single` rewrites one given network and has no task here."""


def main() -> None:
    """Run the tasks and write a table each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="seconds: shows that all runs, proves nothing")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--evaluations", type=int, default=1000)
    parser.add_argument("--tasks", default="listed,ofa,wdsr_nvdla_256,wdsr_eyeriss,device,schedules")
    parser.add_argument("--out", type=Path, default=Path("results/nacos_flows"))
    chosen = parser.parse_args()
    if chosen.quick:
        chosen.seeds, chosen.evaluations, chosen.tasks = 1, 48, "listed,device"
    chosen.out.mkdir(parents=True, exist_ok=True)
    for task in chosen.tasks.split(","):
        if task == "schedules":
            write(chosen.out / "schedules.csv", schedules(chosen.quick))
        else:
            write(chosen.out / f"{task}.csv", table(task, chosen.seeds, chosen.evaluations, chosen.quick))


def table(task: str, seeds: int, evaluations: int, quick: bool) -> list[dict[str, Any]]:
    """A row a flow: its share of the front at parts of the budget, and what it took."""
    runs = {
        flow: [run(task, flow, seed, table_size(task) + evaluations, quick) for seed in range(seeds)]
        for flow in OF[task]
    }  # fmt: skip
    known = truth(task, quick)
    every = [best(costs(found)) for flow in runs.values() for found, _ in flow]
    true = best(np.concatenate(every) if known is None else known)
    start = table_size(task)
    reference = np.concatenate(every).max(axis=0) + 0.01 if start else true.max(axis=0)
    whole = float(HV(ref_point=reference)(true))
    rows = []
    for flow, made in runs.items():
        row: dict[str, Any] = {"flow": flow}
        for share in SHARES:
            upto = int(share * evaluations)
            row[f"after {upto}"] = spread([hypervolume(f, reference, start + upto) / whole for f, _ in made])
        row["mappings"] = f"{np.median([sum(g.mappings for g in f.generations) for f, _ in made]):,.0f}"
        row["accuracies"] = f"{np.median([np.isfinite(column(f, 'accuracy')).sum() for f, _ in made]):,.0f}"
        row["memory plans"] = f"{np.median([plans for _, plans in made]):,.0f}"
        row["front"] = f"{np.median([len(best(costs(f))) for f, _ in made]):,.0f}"
        row["seconds"] = f"{np.median([sum(g.seconds for g in f.generations) for f, _ in made]):.0f}"
        rows.append(row)
    return rows


def run(task: str, flow: str, seed: int, evaluations: int, quick: bool) -> tuple[SearchResult, int]:
    """A search, and how many memory plans it made."""
    options = TASKS[task] | FLOWS[flow] | {"seed": seed, "population": 24 if quick else 50, "workers": 2}
    if quick and task != "listed":
        options["resolution"] = 128 if task == "ofa" else 64
    if flow == "blockwise_exact" and not quick and not task.startswith("wdsr"):
        options |= {"mapper": "optimal", "budget": None}
    with counted() as plans:
        found = accelsim.search(**options, evaluations=evaluations)
    return found, plans[0]


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


def truth(task: str, quick: bool) -> np.ndarray | None:
    """Costs of the true front, every mapping proved; None where nobody knows it."""
    if task == "device" or task.startswith("wdsr"):
        return None
    if task == "listed":
        return listed("template" if quick else "optimal")
    options = TASKS[task] | FLOWS["blockwise_exact"] | {"population": 50, "workers": 2}
    options |= {"mapper": "template" if quick else "optimal", "budget": None}
    if quick and task == "ofa":
        options["resolution"] = 128
    found = accelsim.search(**options, evaluations=5000)
    return costs(found)


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


def costs(found: SearchResult) -> np.ndarray:
    """Objectives of all feasible candidates to minimise, logarithms of those that span decades."""
    return found.log_costs()[found.feasible]


def best(rows: np.ndarray) -> np.ndarray:
    """Those that no other is better than."""
    return rows[front(rows, np.ones(len(rows), bool))]


def table_size(task: str) -> int:
    """Blocks that every flow of the task prices first; 0 where they are not the same for all."""
    return len(load_space("wdsr_x2").existing_blocks) if task.startswith("wdsr") else 0


def hypervolume(found: SearchResult, reference: np.ndarray, upto: int) -> float:
    """Of the first candidates' front."""
    rows = found.log_costs()[:upto]
    good = found.feasible[:upto] & np.isfinite(rows).all(axis=1)
    return float(HV(ref_point=reference)(rows[good])) if good.any() else 0.0


def column(found: SearchResult, name: str) -> np.ndarray:
    """A metric of all candidates."""
    return found.values[:, found.setup.goals.column[name]]


def spread(values: list[float]) -> str:
    """Median and quartiles."""
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    return f"{middle:.3f} ({low:.3f} to {high:.3f})" if len(values) > 1 else f"{middle:.3f}"


if __name__ == "__main__":
    main()
