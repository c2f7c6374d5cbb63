"""Measure every mapper on every distinct layer of some networks, and write the tables of docs/mappers.md.

    python experiments/mapper_table.py RESULTS            measures what RESULTS (JSON lines) does not have yet
    python experiments/mapper_table.py RESULTS --print    prints tables in Markdown; --layers: a row a layer
    --every 4                                             measures every fourth layer only
    --only optimal optimal! optimal+                      measures these only

Times are CPU seconds of one core, kernels compiled before. The optimum is over dividing tiles; a heuristic,
whose tiles need not divide, can be below it: its gap is then negative. A name with ! is a search that does
not begin at the template mapping; optimal+ is the exact mapper over the tiles of all trip counts.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from common import at_least_one, refused

import accelsim
from accelsim.files import check_writable
from accelsim.mapping.mapper import load_mapper
from accelsim.mapping.optimal import PATIENCE, optimal
from accelsim.mapping.task import Task
from accelsim.workloads.layer import Layer

NETWORKS = ("resnet50", "mobilenet_v2")
HEURISTICS = ("template", "genetic", "genetic_importance", "genetic_index", "cmaes", "random")
UNAIDED = ("genetic_importance", "genetic_index", "cmaes", "random")
MEASURED = ("optimal", "optimal!", "optimal+", *HEURISTICS, *(name + "!" for name in UNAIDED))
SECONDS = 30.0
EVALUATIONS = 2000
WARM = Layer.conv2d(K=24, C=12, P=14, Q=14, R=3, S=3)


def layers() -> list[tuple[str, Layer]]:
    """Distinct layers, each with the first network that has it."""
    out: dict[Layer, str] = {}
    for name in NETWORKS:
        for layer in accelsim.load_network(name).layers:
            out.setdefault(layer, name)
    return [(name, layer) for layer, name in out.items()]


def measure(hardware: accelsim.Accelerator, layer: Layer, mapper: str) -> dict[str, Any] | None:
    """One line of results: values in pJ x cycles."""
    if mapper.startswith("optimal"):
        start: Any = "none" if mapper.endswith("!") else "template"
        began = time.process_time()
        if mapper.endswith("+"):
            found = optimal(hardware, layer, max_nodes=PATIENCE)
        else:
            found = optimal(hardware, layer, tiles="divisors", start=start, budget_s=SECONDS)
        took = time.process_time() - began
        if found is None:
            return None
        sure = found.certificate
        return {"value": sure.optimum, "seconds": took, "evaluations": sure.evaluations, "nodes": sure.nodes,
                "gap": sure.gap, "space": sure.space_size}  # fmt: skip
    name, unaided, _ = mapper.partition("!")
    task = Task(hardware, layer, budget=EVALUATIONS, start="none" if unaided else "template")
    began = time.process_time()
    result = load_mapper(name).map(task)
    took = time.process_time() - began
    if result is None:
        return None
    value = result.cost.latency_cycles * result.cost.energy_pj
    return {"value": value, "seconds": took, "evaluations": result.evaluations + result.start_evaluations}


def run(path: Path, every: int, only: list[str]) -> None:
    """Measure what is missing; a line at a time, so that it can be interrupted."""
    lines = path.read_text().splitlines() if path.exists() else []
    have = {(x["hardware"], x["layer"], x["mapper"]) for x in map(json.loads, lines)}
    optimal(accelsim.load_hardware("example"), WARM)  # compiles, or loads
    with path.open("a") as file:
        for name in accelsim.hardware_names():
            hardware = accelsim.load_hardware(name)
            for mapper in only or MEASURED:
                measure(hardware, WARM, mapper)
                for network, layer in layers()[::every]:
                    if (name, str(layer), mapper) in have:
                        continue
                    found = measure(hardware, layer, mapper)
                    line = {"hardware": name, "network": network, "layer": str(layer), "mapper": mapper}
                    file.write(json.dumps(line | (found or {"value": None})) + "\n")
                    file.flush()


def read(path: Path) -> dict[tuple[str, str], dict[str, dict[str, Any]]]:
    """Results by chip and layer, then by mapper."""
    table: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for line in path.read_text().splitlines():
        row = json.loads(line)
        if row["value"] is not None:
            table.setdefault((row["hardware"], row["layer"]), {})[row["mapper"]] = row
    return table


def report(path: Path) -> None:
    """Markdown: a row a chip, a row a chip and mapper, and the claim about encodings."""
    table = read(path)
    chips = list(dict.fromkeys(chip for chip, _ in table))

    def rows(chip: str) -> list[dict[str, dict[str, Any]]]:
        return [row for (name, _), row in table.items() if chip in ("all", name) and "optimal!" in row]

    for mapper in ("optimal", "optimal+"):
        print("\n| chip | layers | proved | median s | slowest s | largest gap |\n|---|---|---|---|---|---|")
        for chip in [*chips, "all"]:
            some = [row[mapper] for row in rows(chip)]
            took = [x["seconds"] for x in some]
            proved = sum(x["gap"] == 0 for x in some)
            worst = max(x["gap"] for x in some)
            print(
                f"| {chip} | {len(some)} | {proved} | {np.median(took):.3f} | {max(took):.2f} | {worst:.1%} |"
            )
    if not all(mapper in row for row in table.values() for mapper in HEURISTICS):
        return
    print(
        "\n| chip | mapper | median | 90 % | worst | best | evaluations | ms a layer |\n" + "|---" * 8 + "|"
    )
    for chip in [*chips, "all"]:
        for mapper in HEURISTICS:
            pairs = [(row[mapper], row["optimal!"]["value"]) for row in rows(chip) if mapper in row]
            gaps = np.array([x["value"] / best - 1 for x, best in pairs])
            spent = np.mean([x["evaluations"] for x, _ in pairs])
            took = 1e3 * np.mean([x["seconds"] for x, _ in pairs])
            print(
                f"| {chip} | {mapper} | {np.median(gaps):+.1%} | {np.quantile(gaps, 0.9):+.1%} | "
                f"{gaps.max():+.1%} | {gaps.min():+.1%} | {spent:,.0f} | {took:.1f} |"
            )
    print("\n| chip | " + " | ".join(UNAIDED) + " | index over importance |\n" + "|---" * 6 + "|")
    for chip in [*chips, "all"]:
        means = []
        for mapper in UNAIDED:
            some = [row[mapper + "!"]["value"] / row["optimal!"]["value"] for row in rows(chip)]
            means.append(float(np.exp(np.mean(np.log(some)))))
        ratio = means[UNAIDED.index("genetic_index")] / means[UNAIDED.index("genetic_importance")]
        print(f"| {chip} | " + " | ".join(f"{x:.2f}" for x in means) + f" | {ratio:.2f} |")


def report_layers(path: Path) -> None:
    """Markdown: a row a layer, with the optimum and each heuristic's gap."""
    table = read(path)
    for chip in dict.fromkeys(chip for chip, _ in table):
        print(f"\n## {chip}\n\n| layer | optimum, Js | s | candidates | " + " | ".join(HEURISTICS) + " |")
        print("|---" * (4 + len(HEURISTICS)) + "|")
        clock = accelsim.load_hardware(chip).clock_mhz * 1e6
        for (name, layer), row in table.items():
            if name != chip or "optimal!" not in row:
                continue
            sure = row["optimal"]
            best = row["optimal!"]["value"]
            gaps = [f"{row[m]['value'] / best - 1:+.1%}" for m in HEURISTICS]
            late = "" if sure["gap"] == 0 else f" (gap {sure['gap']:.1%})"
            print(f"| {layer} | {best * 1e-12 / clock:.4g}{late} | {sure['seconds']:.2f} | "
                  f"{sure['nodes']:,} | " + " | ".join(gaps) + " |")  # fmt: skip


def results(text: str) -> Path:
    """A file to write."""
    with refused():
        check_writable(Path(text))
    return Path(text)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", type=results)
    parser.add_argument("--print", action="store_true")
    parser.add_argument("--layers", action="store_true")
    parser.add_argument("--every", type=at_least_one, default=1)
    parser.add_argument("--only", nargs="+", default=[], choices=MEASURED)
    arguments = parser.parse_args()
    if (arguments.layers or arguments.print) and not (arguments.results.exists() and read(arguments.results)):
        parser.error(f"{arguments.results}: holds no results yet; run without --print and --layers first")
    if arguments.layers:
        report_layers(arguments.results)
    elif arguments.print:
        report(arguments.results)
    else:
        run(arguments.results, arguments.every, arguments.only)
