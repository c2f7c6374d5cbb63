"""TPU v1: operations a second of its memory-bound applications, measured."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from accelsim.mapping.mapper import map_layer
from accelsim.validation.facts import facts
from accelsim.validation.result import Case, Report, times
from accelsim.workloads.layer import Layer


def report(data: Path | None) -> Report:
    """All figures ship; the folder of reference data has none."""
    from accelsim.hardware import load_hardware

    known = facts("tpu")
    rows = [dict(zip(known["columns"], row, strict=True)) for row in known["rows"]]
    hw = load_hardware("tpu_v1")
    peak = 2 * hw.num_pes * hw.clock_mhz * 1e-6
    cases = [Case("chip", "peak TOPS", known["peak_tops"], peak, times(1.01))]
    cases += [Case(row["app"], "TOPS", row["tops"], tops(row), times(1.5)) for row in rows]
    return Report(
        "tpu",
        "TPU v1",
        "measured silicon",
        known["source"],
        tuple(cases),
        assumptions=(
            "The sizes of the layers are unpublished: the matrix products of an application are taken to be "
            "as many square ones as it has layers of matrices, of its weights together. Template mappings "
            "for latency.",
        ),
        fitted=("Nothing.",),
        findings=(
            "All four wait for weights, so that ours are near 34 GB/s times operations a weight. The chip "
            "stays below: instructions, activations between layers and their dependences (17 to 32 % of its "
            "cycles) are not modelled, and LSTM1's matrices fill the array badly, which equal squares hide.",
        ),
        skipped=("CNN0 and CNN1: their layers are unpublished, and no even split stands for them.",),
    )  # fmt: skip


def tops(row: dict[str, Any]) -> float:
    """Tera-operations a second, two a multiply-accumulate, of an application's matrix products."""
    side = round(math.sqrt(row["weights_m"] * 1e6 / row["layers"]))
    layer = Layer.gemm(M=row["batch"], N=side, K=side)
    cost = map_layer("tpu_v1", layer, "template", "latency").cost
    return 2 * layer.macs / cost.latency_s * 1e-12
