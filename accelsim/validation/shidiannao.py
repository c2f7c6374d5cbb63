"""ShiDianNao: sizes of its benchmarks, area and power of its layout."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from accelsim.mapping.mapper import TemplateMapper
from accelsim.mapping.task import Task
from accelsim.validation import silicon
from accelsim.validation.breakdowns import Layout, diannao, eyeriss
from accelsim.validation.result import Case, Report, within
from accelsim.workloads.layer import Layer

if TYPE_CHECKING:
    from accelsim.hardware import Accelerator

KB = 1024
HALF_UNIT = 0.00501
"""Published sizes have two decimals."""


def report(data: Path | None) -> Report:
    """Compare with the recalled tables, of the reference folder, else as shipped."""
    from accelsim.hardware import load_hardware

    known = silicon.shidiannao(data)
    hw = load_hardware("shidiannao")
    cases: list[Case] = []
    times, energies = {}, {}
    for name, bench in known["benchmarks"].items():
        rows = [dict(zip(known["columns"], row, strict=True)) for row in bench["layers"]]
        layers = [as_layer(row) for row in rows]
        weights = sum(row["kernels"] * row["kernel_rows"] * row["kernel_cols"] for row in rows)
        outputs = [layer.K * layer.G * layer.P * layer.Q for layer in layers]
        first = rows[0]["maps_in"] * rows[0]["rows_in"] * rows[0]["cols_in"]
        sizes = {
            "largest": max(outputs),
            "synapses": weights,
            "total": first + sum(outputs) + weights,
        }
        for key, words in sizes.items():
            theirs = bench[f"{key}_kb"]
            limits = within(HALF_UNIT / theirs)
            cases.append(Case(f"{name} {key}", "size kB", theirs, words * 2 / KB, limits))
        times[name], energies[name] = price(hw, layers)
    cases += _chip(hw, known, times, energies)
    return Report(
        "shidiannao",
        "ShiDianNao",
        "placed and routed, never fabricated; figures recalled",
        known["source"],
        tuple(cases),
        assumptions=(
            "A published layer that connects only some of its maps is priced as one with as many input "
            "channels as it has kernels a map, rounded up; everything lies on chip, as the paper has it.",
            "Energy and power without the ALU and the sensor's mesh, which the configuration leaves out; "
            "energies from the technology fit.",
        ),
        fitted=("Nothing. Fully connected sizes of MPCNN and Simple conv. are inferred from their totals.",),
        findings=_findings(cases, hw),
        skipped=(
            "NEO: its layers are unknown.",
            "Speedups over CPU, GPU and DianNao: neither the other machines nor their code are at hand.",
        ),
    )  # fmt: skip


def as_layer(row: dict[str, Any]) -> Layer:
    """A published row as a layer."""
    kernel = row["kernel_rows"], row["kernel_cols"]
    outside = {"P": row["rows_out"], "Q": row["cols_out"], "R": kernel[0], "S": kernel[1]}
    if row["type"] == "pool":
        return Layer(G=row["maps_out"], **outside, stride=(row["stride"],) * 2, op="pool")
    channels = max(1, -(-row["kernels"] // row["maps_out"]))
    return Layer(K=row["maps_out"], C=channels, **outside, stride=(row["stride"],) * 2)


def price(hw: Accelerator, layers: list[Layer]) -> tuple[float, float]:
    """(seconds, joules) of a network that never leaves the chip."""
    seconds = joules = 0.0
    for layer in layers:
        found = TemplateMapper().map(Task(hw, layer, resident="WIO"))
        assert found is not None
        seconds += found.cost.latency_s
        joules += found.cost.energy_pj * 1e-12
    return seconds, joules


def with_layout(hw: Accelerator, layout: Layout) -> Accelerator:
    """The chip with another one's periphery of banks and density."""
    from accelsim.hardware.resize import resized

    old = next(part.area_um2 for part in hw.components if part.name == "periphery") or 0.0
    code = next(part.area_um2 for part in hw.components if part.name == "instructions") or 0.0
    return resized(
        hw,
        {
            "components.periphery.area_um2": layout.periphery_um2,
            "components.instructions.area_um2": code - old + layout.periphery_um2,
            "components.placement.area_um2": layout.placement_um2,
        },
    )


def parts(hw: Accelerator) -> tuple[float, float]:
    """mm2 of the buffers and of the functional unit, each with its share of the placement."""
    areas = hw.area_breakdown_mm2()
    spread = 1.0 + areas["placement"] / (hw.area_mm2 - areas["placement"])
    unit = areas["MAC"] + areas["array"] + areas["PE"] + areas["multiplexers"]
    return (areas["NB"] + areas["periphery"]) * spread, unit * spread


def _chip(
    hw: Accelerator, known: dict[str, Any], times: dict[str, float], energies: dict[str, float]
) -> list[Case]:
    area = known["area_mm2"]
    buffers, unit = parts(hw)
    other = with_layout(hw, eyeriss())
    stored, worked = parts(other)
    quantity = "area mm2, by Eyeriss's layout"
    energy = sum(energies.values()) / len(energies) * 1e9
    power = sum(energies.values()) / sum(times.values()) * 1e3
    return [
        Case("buffers", "area mm2", area["buffers"], buffers, within(0.25)),
        Case("functional unit", "area mm2", area["functional unit"], unit, within(0.25)),
        Case("chip", "area mm2", area["chip"], hw.area_mm2, within(0.25)),
        Case("chip", quantity, area["chip"], other.area_mm2, within(0.25)),
        Case("buffers", f"{quantity}, part", area["buffers"], stored, None),
        Case("functional unit", f"{quantity}, part", area["functional unit"], worked, None),
        Case("chip, mean over the benchmarks", "power mW", known["power_mw"]["chip"], power, within(0.25)),
        Case("mean benchmark", "energy nJ", known["energy_nj"], energy, None),
        Case("ConvNN", "ms", known["convnn_ms"], times["ConvNN"] * 1e3, None),
    ]  # fmt: skip


def _findings(cases: list[Case], hw: Accelerator) -> tuple[str, ...]:
    of = {(case.name, case.quantity): case for case in cases}
    chip, other = of["chip", "area mm2"], of["chip", "area mm2, by Eyeriss's layout"]
    power = of["chip, mean over the benchmarks", "power mW"]
    energy = of["mean benchmark", "energy nJ"]
    buffers, unit = of["buffers", "area mm2"], of["functional unit", "area mm2"]
    mine, eyeriss_layout = diannao(), eyeriss()
    stored, worked = (of[part, f"{other.quantity}, part"] for part in ("buffers", "functional unit"))
    return (
        "Face Recog.'s total is 39.05 kB by its own layers; the recalled 30.05 is probably a slip.",
        f"Area {chip.error:+.0%} with what DianNao, of the same authors, says of bank periphery and density: "
        f"buffers {buffers.error:+.0%}, functional unit {unit.error:+.0%}. The banks of DianNao's memory are "
        "assumed. "
        f"With Eyeriss's the area is {other.error:+.0%}: a core of which cells and macros fill "
        f"{eyeriss_layout.density:.0%}, where DianNao's fill {mine.density:.0%}, tells no other chip's area: "
        f"buffers {stored.error:+.0%}, functional unit {worked.error:+.0%}. Its text has only shares of "
        "three parts, which tell neither queues and control of a PE from its scratchpads nor wiring from "
        "space: all of it comes out as low density, and so on every part of the other chip.",
        f"Power {power.error:+.0%}; a mean run takes {1 + energy.error:.0%} of the recalled energy, and is "
        "as much shorter.",
        f"ConvNN takes {of['ConvNN', 'ms'].ours:.3f} ms where 0.047 ms is recalled: an ideal "
        "output-stationary count cannot explain the recalled figure either.",
    )  # fmt: skip
