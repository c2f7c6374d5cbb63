"""What fusing layers is worth: chips that can hold results on chip, some networks, and proofs.

fusion.csv  best stacks against layer by layer: EDP, energy, latency, words with memory 0, the certificate
edp.csv     of all shipped networks on these chips how many times EDP falls, and what could be better yet
grid.csv    FSRCNN in one stack over tiles and kept modes, as DeFiNES explores it (Mei et al., HPCA 2023)
chain.csv   the time of the search on chains of convolutions
rows.csv    attention in tiles of rows, scores and softmax kept: words with memory 0
ranks.csv   the order of subnets with and without stacks
chips.csv   the order of the chips, network by network, with and without stacks
"""

from __future__ import annotations

import time

import numpy as np
from common import options, write
from scipy.stats import kendalltau

import accelsim
from accelsim import AccelsimError, Network, NetworkBuilder, NetworkCost
from accelsim.hardware import load_hardware
from accelsim.hardware.resize import resized
from accelsim.pricing.models.loopnest import LoopNest
from accelsim.pricing.network import NetworkPricer
from accelsim.pricing.run import Run
from accelsim.pricing.way import Way
from accelsim.workloads import network_names
from accelsim.workloads.spaces import load_space

CHIPS = ("eyeriss", "shidiannao", "edgetpu", "tpu_v1", "dpu_zcu102", "example")
NETWORKS = ("fsrcnn", "mobilenet_v2", "resnet50")
"""Shown in full; of the others what EDP gains."""

FSRCNN = ((56, 5), (12, 1), (12, 3), (12, 3), (12, 3), (12, 3), (56, 1), (16, 3))
ROWS, COLUMNS = (1, 4, 18, 72, 270, 540), (1, 4, 16, 60, 240, 960)
GRID_CHIP = "dpu_zcu102"
"""The shipped chip nearest to DeFiNES's Meta prototype: about 1 MiB on chip that holds all tensors."""


def fsrcnn(rows: int = 540, columns: int = 960) -> Network:
    """FSRCNN as DeFiNES runs it: no padding, `rows` x `columns` out."""
    b = NetworkBuilder("fsrcnn", 1, rows + 14, columns + 14)
    x = b.input
    for i, (channels, kernel) in enumerate(FSRCNN):
        x = b.conv(x, channels, kernel, padding=0, bn=False, name=f"l{i}")
    return b.build(x)


def outer_words(cost: NetworkCost) -> int:
    """Words read from and written to memory 0."""
    outer = cost.hardware.memories[0].name

    def words(layer: accelsim.LayerCost) -> int:
        return sum(row["words"] for row in layer.accesses if row["memory"] == outer)

    total = sum(words(layer) for layer in cost.layers)
    for stack in cost.stacks:
        moved = (stack.loads, stack.stores, stack.weights_loaded)
        total += sum(sum(x.values()) for x in moved)
        total += sum(piece.times * words(piece.cost) for piece in stack.pieces)
    return total


def row(chip: str, network: Network) -> dict[str, str]:
    """One line of fusion.csv."""
    plain = accelsim.evaluate(chip, network, mapper="template", fuse="none")
    began = time.process_time()
    fused = accelsim.evaluate(chip, network, mapper="template", fuse="auto")
    seconds = time.process_time() - began
    assert isinstance(plain, NetworkCost)
    assert isinstance(fused, NetworkCost)
    assert fused.fusion is not None
    proof = fused.fusion
    return {
        "chip": chip,
        "network": network.name,
        "EDP": f"{plain.edp_js / fused.edp_js:.2f}x",
        "EDP, Js": f"{plain.edp_js:.4g} to {fused.edp_js:.4g}",
        "energy": f"{plain.energy_pj / fused.energy_pj:.2f}x",
        "latency": f"{plain.latency_s / fused.latency_s:.2f}x",
        "words with memory 0": f"{outer_words(plain) / 1e6:.1f} M to {outer_words(fused) / 1e6:.1f} M",
        "stacks": str(len(fused.stacks)),
        "could be better by": "0, proved" if proof.proved else f"{proof.gap:.0%}",
        "choices": str(proof.choices),
        "priced": str(proof.priced),
        "CPU s": f"{seconds:.1f}",
    }


def gains(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """Lines of edp.csv, a network each, from lines of fusion.csv."""
    table: dict[str, dict[str, str]] = {}
    for one in rows:
        gap = "" if "proved" in one["could be better by"] else f", {one['could be better by']}"
        line = table.setdefault(one["network"], {"network": one["network"]})
        line[one["chip"]] = one["EDP"] + gap
    return list(table.values())


def orders(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """Lines of chips.csv: the best chip of a network and the order of all, from lines of fusion.csv."""
    table: dict[str, dict[str, list[float]]] = {}
    for one in rows:
        table.setdefault(one["network"], {})[one["chip"]] = [float(x) for x in one["EDP, Js"].split(" to ")]
    lines = []
    for network, chips in table.items():
        alone, fused = zip(*chips.values(), strict=True)
        best = [min(chips, key=lambda chip, way=way: chips[chip][way]) for way in range(2)]
        tau = f"{kendalltau(alone, fused).statistic:.2f}"
        lines.append({"network": network, "best": best[0], "best with stacks": best[1], "Kendall's tau": tau})
    return lines


def grid(network: Network, rows: tuple[int, ...], columns: tuple[int, ...]) -> list[dict[str, str]]:
    """Lines of grid.csv, lowest EDP first; what does not fit the chip is left out."""
    found = []
    for kept in ("none", "columns", "both"):
        for p in rows:
            for q in columns:
                names = list(network.names)
                stack = {"layers": names, "tile": {"P": p, "Q": q}, "kept": kept, "weights": names}
                try:
                    cost = accelsim.evaluate(GRID_CHIP, network, {"stacks": [stack]}, "template")
                except AccelsimError:
                    continue
                assert isinstance(cost, NetworkCost)
                found.append((cost.edp_js, kept, p, q, cost))
    return [
        {
            "kept": kept,
            "P": str(p),
            "Q": str(q),
            "MACs": f"{cost.stacks[0].macs / network.macs:.3f}x",
            "energy, mJ": f"{cost.energy_pj * 1e-9:.2f}",
            "latency, ms": f"{cost.latency_s * 1e3:.2f}",
            "EDP, Js": f"{edp:.3g}",
        }
        for edp, kept, p, q, cost in sorted(found, key=lambda x: x[:4])
    ]


def chain(layers: int) -> Network:
    """Convolutions on 28 x 28, 1x1 and 3x3 in turn, with 32 channels."""
    b = NetworkBuilder(f"chain of {layers}", 32, 28, 28)
    x = b.input
    for i in range(layers):
        x = b.conv(x, 32, 3 if i % 2 else 1, name=f"c{i}")
    return b.build(x)


def attention(network: Network, rows: int, fits: int) -> dict[str, str]:
    """Scores, softmax and context of each block in tiles of rows, on the example chip with a large buffer."""
    chip = resized(load_hardware("example"), {"memories.buffer.size_bytes": fits})
    stacks = []
    for name in network.names:
        block, _, last = name.rpartition(".")
        if last == "scores":
            parts = [f"{block}.{part}" for part in ("scores", "softmax", "context")]
            stacks.append({"layers": parts, "tile": {"P": rows, "Q": 1}, "kept": "both"})
    plain, fused = (
        accelsim.evaluate(chip, network, {"layers": {}, "stacks": chosen}, "template")
        for chosen in ([], stacks)
    )
    assert isinstance(plain, NetworkCost)
    assert isinstance(fused, NetworkCost)
    return {
        "network": network.name,
        "rows": str(rows),
        "words with memory 0": f"{outer_words(plain) / 1e6:.1f} M to {outer_words(fused) / 1e6:.1f} M",
        "EDP": f"{plain.edp_js / fused.edp_js:.2f}x",
    }


def ranks(chip: str, count: int) -> dict[str, str]:
    """Random subnets of Once-for-All's MobileNetV3 at 160, by EDP, with stacks and without."""
    space, hardware = load_space("ofa_mbv3").at(160), load_hardware(chip)
    rows = space.sample(np.random.default_rng(0), count)
    nets = [space.to_network(row) for row in rows]
    pricer = NetworkPricer(LoopNest(Way.of("template", "edp")))
    edp = []
    for fuse in (False, True):
        cost = pricer.price([Run(hardware, net, fuse=fuse) for net in nets])
        edp.append(cost.latency_cycles * cost.energy_pj)
    gain = edp[0] / edp[1]
    return {
        "chip": chip,
        "subnets": str(count),
        "EDP": f"{gain.min():.2f}x to {gain.max():.2f}x",
        "Kendall's tau": f"{kendalltau(*edp).statistic:.3f}",
    }


def timed(layers: int) -> dict[str, str]:
    """One line of chain.csv."""
    return {"layers": str(layers)} | {
        key: value
        for key, value in row("eyeriss", chain(layers)).items()
        if key in ("EDP", "stacks", "could be better by", "priced", "CPU s")
    }


def main() -> None:
    """All tables."""
    chosen = options(__doc__ or "", "fusion_evidence")
    small = fsrcnn(18, 16)
    networks = [fsrcnn() if n == "fsrcnn" else accelsim.load_network(n) for n in NETWORKS]
    chips = CHIPS[:1] if chosen.quick else CHIPS
    rows = [row(c, n) for n in ([small] if chosen.quick else networks) for c in chips]
    write(chosen.out / "fusion.csv", rows)
    others = [] if chosen.quick else [n for n in network_names() if n not in NETWORKS]
    rows += [row(c, accelsim.load_network(n)) for n in others for c in chips]
    write(chosen.out / "edp.csv", gains(rows))
    if not chosen.quick:  # of one chip there is no order
        write(chosen.out / "chips.csv", orders(rows))
    lengths = (3, 5) if chosen.quick else (10, 20, 40, 80)
    write(chosen.out / "chain.csv", [timed(n) for n in lengths])
    write(chosen.out / "ranks.csv", [ranks(c, 4 if chosen.quick else 60) for c in chips if c != "tpu_v1"])
    inputs = (("vit_b16", None),) if chosen.quick else (("bert_base", 512), ("vit_b16", None))
    nets = [accelsim.load_network(name, resolution=size) for name, size in inputs]
    write(chosen.out / "rows.csv", [attention(net, 64, 4 << 20) for net in nets])
    tiles = ((18,), (4, 16)) if chosen.quick else (ROWS, COLUMNS)
    write(chosen.out / "grid.csv", grid(small if chosen.quick else networks[0], *tiles))


if __name__ == "__main__":
    main()
