"""What fusing layers is worth: chips that can hold results on chip, some networks, and proofs.

fusion.csv  best stacks against layer by layer: EDP, energy, latency, words with memory 0, the certificate
grid.csv    FSRCNN in one stack over tiles and kept modes, as DeFiNES explores it (Mei et al., HPCA 2023)
"""

from __future__ import annotations

import time

from common import options, write

import accelsim
from accelsim import AccelsimError, Network, NetworkBuilder, NetworkCost

CHIPS = ("eyeriss", "shidiannao", "edgetpu", "dpu_zcu102", "example")
NETWORKS = ("fsrcnn", "mobilenet_v2", "resnet50")
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
        "energy": f"{plain.energy_pj / fused.energy_pj:.2f}x",
        "latency": f"{plain.latency_s / fused.latency_s:.2f}x",
        "words with memory 0": f"{outer_words(plain) / 1e6:.1f} M to {outer_words(fused) / 1e6:.1f} M",
        "stacks": str(len(fused.stacks)),
        "could be better by": "0, proved" if proof.proved else f"{proof.gap:.0%}",
        "choices": str(proof.choices),
        "priced": str(proof.priced),
        "CPU s": f"{seconds:.1f}",
    }


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


def main() -> None:
    """Both tables."""
    chosen = options(__doc__ or "", "fusion_evidence")
    small = fsrcnn(18, 16)
    networks = [fsrcnn() if n == "fsrcnn" else accelsim.load_network(n) for n in NETWORKS]
    chips = CHIPS[:1] if chosen.quick else CHIPS
    write(
        chosen.out / "fusion.csv", [row(c, n) for n in ([small] if chosen.quick else networks) for c in chips]
    )
    tiles = ((18,), (4, 16)) if chosen.quick else (ROWS, COLUMNS)
    write(chosen.out / "grid.csv", grid(small if chosen.quick else networks[0], *tiles))


if __name__ == "__main__":
    main()
