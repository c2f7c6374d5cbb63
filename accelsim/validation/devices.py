"""Real devices as a ranking test: thousands of MnasNet-like networks measured on a ZCU102's DPU."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from accelsim.engines import load_engine
from accelsim.pricing.models.loopnest import LoopNest
from accelsim.pricing.network import NetworkPricer, Run
from accelsim.pricing.way import Way
from accelsim.validation.facts import facts, missing, read_rows, reference
from accelsim.validation.result import Case, Rank, Report, spearman
from accelsim.workloads.builder import NetworkBuilder
from accelsim.workloads.layer import Layer
from accelsim.workloads.network import Network
from accelsim.workloads.zoo.mobilenet import inverted_residual

if TYPE_CHECKING:
    from accelsim.hardware import Accelerator

FILE = "data/accel_nasbench_mnasnet_imagenet.csv"
CHANNELS, STRIDES = (16, 24, 40, 80, 112, 192, 320), (1, 2, 2, 2, 1, 2, 1)
AIM = 0.95

ALU_PIXELS = 4
"""Pixels a cycle of the engine for depthwise layers, pooling and sums, half the array's: PG338."""
POOL_WINDOW = 8
"""Largest window that the engine averages; larger ones go to the processor (8 x 8 for a sibling, PG367)."""
ARM_ELEMENTS_PER_S = 1.2e9
"""One element a cycle of the board's Cortex-A53 at 1.2 GHz: an assumption."""


def report(data: Path | None) -> Report:
    """Rank all networks of the reference folder, else the shipped sample."""
    known = facts("devices")
    file = reference(data, FILE)
    if file is None:
        rows = [dict(zip(known["columns"], row, strict=True)) for row in known["networks"]]
    else:
        rows = [row for row in read_rows(file) if row["latency_zcu102"]]
    networks = [network(row) for row in rows]
    theirs = [float(row["latency_zcu102"]) for row in rows]
    parts = latencies_ms(networks)
    ours, without = [dpu + arm for dpu, arm in parts], [dpu for dpu, _ in parts]
    macs = [float(net.macs) for net in networks]
    excited = ["1" in row["se"] for row in rows]
    cases = [
        Case(f"network {row['id']}, {_kind(row)}", "ms", t, o, None)
        for row, t, o in zip(rows, theirs, ours, strict=True)
    ]
    ranks = [
        _rank("all networks", theirs, ours, macs, [True] * len(rows)),
        _rank("without squeeze-excite", theirs, ours, macs, [not x for x in excited]),
        _rank("with squeeze-excite", theirs, ours, macs, excited),
        Rank("all, pooling never on the processor", len(rows), spearman(without, theirs)),
    ]
    mean = sum(o / t for o, t in zip(ours, theirs, strict=True)) / len(rows)
    return Report(
        "devices",
        "ZCU102 (DPU), MnasNet space",
        "measured FPGA, one image at a time",
        known["source"],
        tuple(cases),
        tuple(ranks),
        assumptions=(
            "The shipped dpu_zcu102, one core, template mappings for latency; depthwise layers, pooling "
            "and sums on its ALU of 4 pixels x 16 channels (PG338), one layer after another.",
            "Global pooling over more than 8 x 8 goes to the Arm core at one element a cycle of 1.2 GHz.",
        ),
        fitted=(
            "Nothing. But the rule for pooling was added after squeeze-excite networks were seen to be "
            "ranked badly without it (last rank above); its constants are the processor's clock and the "
            "simplest rate.",
        ),
        findings=(
            *_means(cases),
            f"Absolute latency is {mean:.2f} of the measured on average: loading of instructions, start of "
            "a layer and weights for maps of few pixels are not modelled.",
        ),
        skipped=() if file is not None else (missing(FILE, f"all but {len(rows)} of the networks"),),
    )  # fmt: skip


def _kind(row: Mapping[str, Any]) -> str:
    if "1" not in row["se"]:
        return "no squeeze-excite"
    return "squeeze-excite in block 1" if row["se"][0] == "1" else "squeeze-excite in later blocks"


def _rank(
    name: str, theirs: Sequence[float], ours: Sequence[float], macs: Sequence[float], rows: Sequence[bool]
) -> Rank:
    t, o, m = ([x for x, keep in zip(values, rows, strict=True) if keep] for values in (theirs, ours, macs))
    return Rank(name, len(t), spearman(o, t), spearman(m, t), "MACs alone", AIM)


def network(row: Mapping[str, Any]) -> Network:
    """The network of seven blocks with their expansion, kernel, number of layers and squeeze-excite."""
    b = NetworkBuilder("mnasnet", 3, 224, 224)
    x = b.conv(b.input, 32, 3, 2)
    genes = ([int(v) for v in row[key].split("-")] for key in ("e", "k", "l", "se"))
    for stage, (expand, kernel, layers, se, out, stride) in enumerate(
        zip(*genes, CHANNELS, STRIDES, strict=True)
    ):
        for i in range(layers):
            squeezed = x.channels // 4 if se else 0
            step = stride if i == 0 else 1
            x = inverted_residual(b, x, out, kernel, step, expand, squeezed, name=f"{stage}.{i}")
    return b.build(b.linear(b.global_pool(b.conv(x, 1280, 1)), 1000))


def engines() -> tuple[Accelerator, Accelerator]:
    """(array, ALU) of one core."""
    from accelsim.hardware import load_hardware

    array = load_hardware("dpu_zcu102")
    data = array.to_dict()
    banks = data["memories"][1]
    pixels, channels, kernels = banks["fanout"]
    pixels["size"], kernels["size"] = ALU_PIXELS, 1
    banks["bandwidth"]["ports"]["I"]["read"] = ALU_PIXELS * channels["size"]
    return array, load_hardware(data)


def latencies_ms(networks: Iterable[Network]) -> list[tuple[float, float]]:
    """(milliseconds on the DPU, on the processor) of each network; equal layers are mapped once."""
    array, alu = engines()

    def engine(layer: Layer) -> Accelerator:
        return alu if layer.G > 1 or not layer.has_weights else array

    runs = [Run(array, net, engine=engine) for net in networks]
    model = LoopNest(Way.of("template", "latency"))
    with load_engine("threads", None) as started:
        found = NetworkPricer(model, started).price(runs)
    dpu = (found.latency_cycles / (array.clock_mhz * 1e3)).tolist()
    wide = [[x for x in run.network.layers if x.op == "pool" and x.R > POOL_WINDOW] for run in runs]
    arm = [sum(x.G * x.R * x.S for x in layers) / ARM_ELEMENTS_PER_S * 1e3 for layers in wide]
    return list(zip(dpu, arm, strict=True))


def _means(cases: Sequence[Case]) -> list[str]:
    """Mean ratio of ours to theirs by kind of network."""
    kinds: dict[str, list[float]] = {}
    for case in cases:
        kinds.setdefault(case.name.split(", ")[1], []).append(case.ours / case.theirs)
    text = "; ".join(f"{name} {sum(v) / len(v):.2f}" for name, v in sorted(kinds.items()))
    return [
        f"Mean of ours over theirs: {text}. Pooling of a whole 112 x 112 map, in block 1, costs the device "
        "more than we say."
    ]
