"""Measure `template` and `genetic` against the exact mapper on layers and machines that nobody tuned them to.

    python -m experiments.mapper_fresh [--seed 1] [--layers 60] [--seconds 2] [--networks NAME ...]

Layers are drawn: convolutions, also grouped and strided, depthwise ones, matrix products, pooling and
element-wise ones; with `--networks`, theirs are taken instead. They run on six shipped chips and six machines
without `dataflow`, drawn as well. Gaps are to what the exact mapper finds in so many seconds; a case of which
the proof lacks more than 1 % is left out, and counted. Means are geometric.
"""

from __future__ import annotations

import argparse
from random import Random
from typing import Any, get_args

import numpy as np

import accelsim
from accelsim.mapping.mapper import map_layer
from accelsim.mapping.template import Objective
from accelsim.workloads.layer import Layer
from experiments.common import at_least_one, refused
from tests.mapping.invented import axis, machine, memory

CHIPS = ("edgetpu", "example", "eyeriss", "gemmini", "nvdla_64", "tpu_v1")
MAPPERS = ("template", "genetic")
OPEN = 0.01  # what a proof may lack


def size(chance: Random, low: int, high: int) -> int:
    """Drawn evenly on a logarithmic scale; now and then rounded to a multiple of eight."""
    drawn = round(low * (high / low) ** chance.random())
    return drawn if chance.random() < 0.5 else min(high, max(low, -(-drawn // 8) * 8))


def random_layer(chance: Random) -> Layer:
    """One of any kind, of up to some 10^10 MACs."""
    kind = chance.choice(("conv", "conv", "conv", "grouped", "depthwise", "gemm", "gemm", "pool", "eltwise"))
    window = {"P": size(chance, 3, 112), "Q": size(chance, 3, 112), "stride": chance.choice((1, 1, 1, 2))}
    window |= {"R": chance.choice((1, 3, 3, 5, 7)), "S": chance.choice((1, 3, 3, 5, 7))}
    if kind == "gemm":
        return Layer.gemm(M=size(chance, 1, 2048), N=size(chance, 8, 4096), K=size(chance, 8, 4096))
    if kind == "depthwise":
        return Layer.depthwise(C=size(chance, 8, 1024), **window)
    if kind == "pool":
        return Layer(G=size(chance, 8, 1024), op="pool", **window)
    if kind == "eltwise":
        return Layer(G=size(chance, 8, 1024), C=2, P=window["P"], Q=window["Q"], op="eltwise")
    G = chance.choice((2, 4, 8, 32)) if kind == "grouped" else 1
    K, C = size(chance, 3, 1024 // G), size(chance, 3, 1024 // G)
    return Layer.conv2d(K=K, C=C, G=G, N=chance.choice((1, 1, 1, 4)), **window)


def random_machine(chance: Random, name: str, count: int) -> dict[str, Any]:
    """So many memories, one to three axes; some memories passed by, some that compute waits for."""
    words = 2 ** chance.randint(2, 8)  # of the innermost memory
    memories: list[dict[str, Any]] = []
    axes = [chance.randrange(max(0, count - 3), count) for _ in range(chance.randint(1, 3))]
    for m in range(count - 1, -1, -1):
        fanout = [
            axis(f"a{m}{a}", chance.choice((4, 7, 8, 12, 16, 32)), chance.choice(("", "m", "r", "mr", "mf")))
            for a in range(axes.count(m))
        ]
        if m == 0:
            memories.append(memory("DRAM", None, chance.choice((4, 8, 16, 64)), fanout=fanout))
            continue
        holds = "".join(sorted(chance.sample("WIO", chance.choice((2, 3, 3))), key="WIO".index))
        parts: Any = words
        if chance.random() < 0.3:
            parts = {t: max(4, words // len(holds)) for t in holds}
        how = chance.choice(({}, {"double_buffered": True}, {"overlap": True}))
        least = 3 * (4 if "O" in holds else 1) * (2 if "double_buffered" in how else 1)
        parts = {t: max(v, least) for t, v in parts.items()} if isinstance(parts, dict) else max(parts, least)
        bandwidth = chance.choice((None, 2, 8, 32, 128)) if m == count - 1 else chance.choice((8, 32, 128))
        memories.append(memory(f"L{m}", parts, bandwidth, holds, fanout=fanout, **how))
        words *= 2 ** chance.randint(2, 7)
    return machine(name, *memories[::-1])


def machines(seed: int) -> dict[str, accelsim.Accelerator]:
    """The shipped ones, and six that are drawn, of two to six memories."""
    chance = Random(f"machines {seed}")
    found = {name: accelsim.load_hardware(name) for name in CHIPS}
    for count in (2, 3, 3, 4, 5, 6):
        name = f"random{len(found) - len(CHIPS)}_{count}"
        found[name] = accelsim.load_hardware(random_machine(chance, name, count))
    return found


def layers(seed: int, count: int, networks: tuple[str, ...] = ()) -> list[Layer]:
    """So many of the networks' distinct layers, or drawn ones."""
    chance = Random(f"layers {seed}")
    if networks:
        some = list(dict.fromkeys(x for name in networks for x in accelsim.load_network(name).layers))
        return chance.sample(some, min(count, len(some)))
    return [random_layer(chance) for _ in range(count)]


def network(name: str) -> str:
    """Of an option that names networks."""
    with refused():
        accelsim.load_network(name)
    return name


def gaps(hardware: accelsim.Accelerator, layer: Layer, objective: Objective, seconds: float) -> list[float]:
    """Of each mapper, over what is best; empty where that is not proved."""
    sure = map_layer(hardware, layer, "optimal", objective, seconds=seconds)
    assert sure.certificate is not None
    if sure.certificate.gap > OPEN:
        return []
    return [map_layer(hardware, layer, name, objective).value / sure.value - 1 for name in MAPPERS]


def row(name: str, objective: str, cases: int, found: list[list[float]]) -> str:
    """Of a table."""
    cells = [name, objective, str(cases), str(len(found))]
    for values in np.array(found).reshape(-1, len(MAPPERS)).T:
        if len(values):
            mean = np.expm1(np.log1p(values).mean())
            cells += [f"{x:+.1%}" for x in (mean, np.quantile(values, 0.95), values.max())]
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Print the table in Markdown."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--layers", type=at_least_one, default=60)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--networks", nargs="*", default=[], type=network)
    parser.add_argument("--objectives", nargs="+", default=get_args(Objective), choices=get_args(Objective))
    asked = parser.parse_args()
    some = layers(asked.seed, asked.layers, tuple(asked.networks))
    heads = [f"{name}, {kind}" for name in MAPPERS for kind in ("mean", "95 %", "worst")]
    print("| machine | objective | cases | proved | " + " | ".join(heads) + " |\n" + "|---" * 10 + "|")
    whole: list[list[float]] = []
    for name, hardware in machines(asked.seed).items():
        for objective in asked.objectives:
            found = [x for x in (gaps(hardware, one, objective, asked.seconds) for one in some) if x]
            whole += found
            print(row(name, objective, len(some), found), flush=True)
    cases = len(some) * len(asked.objectives) * len(machines(asked.seed))
    print(row("all", "all", cases, whole))


if __name__ == "__main__":
    main()
