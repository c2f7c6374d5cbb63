"""Real devices as a ranking test: thousands of MnasNet-like networks measured on a ZCU102's DPU."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from accelsim.engines import load_engine
from accelsim.pricing.models.loopnest import LoopNest
from accelsim.pricing.network import NetworkPricer
from accelsim.pricing.run import Run
from accelsim.pricing.way import Way
from accelsim.validation.facts import facts, missing, read_rows, reference
from accelsim.validation.result import Case, Rank, Report, spearman
from accelsim.workloads.builder import NetworkBuilder
from accelsim.workloads.network import Network
from accelsim.workloads.zoo.mobilenet import inverted_residual

FILE = "data/accel_nasbench_mnasnet_imagenet.csv"
CHANNELS, STRIDES = (16, 24, 40, 80, 112, 192, 320), (1, 2, 2, 2, 1, 2, 1)
AIM = 0.95


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
    ours = latencies_ms(networks)
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
            "The shipped dpu_zcu102, one core, template mappings for latency; its file says which layers run "
            "on its ALU and which on the Arm core, one layer after another.",
        ),
        fitted=(
            "Nothing. But the rule for pooling was added after squeeze-excite networks were seen to be "
            "ranked badly without it; its constants are the processor's clock and the simplest rate.",
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


def latencies_ms(networks: Iterable[Network]) -> list[float]:
    """Milliseconds of each network under the template mapping for latency; equal layers are mapped once."""
    from accelsim.hardware import load_hardware

    chip = load_hardware("dpu_zcu102")
    with load_engine("threads", None) as started:
        pricer = NetworkPricer(LoopNest(Way.of("template", "latency")), started)
        found = pricer.price([Run(chip, net) for net in networks])
    return (found.latency_cycles / (chip.clock_mhz * 1e3)).tolist()  # type: ignore[no-any-return]


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
