"""SCALE-Sim: compute cycles of a systolic array, as the hardware option `serial_folds`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from accelsim.mapping.cost import price_mapping
from accelsim.mapping.mapping import Level, Mapping
from accelsim.validation.facts import facts, missing, read_rows, reference
from accelsim.validation.result import EXACT, Case, Report
from accelsim.workloads.layer import Layer

if TYPE_CHECKING:
    from accelsim.hardware import Accelerator

FILE = "reference/scalesim/compute_cycles.csv"


class Flow(NamedTuple):
    """A dataflow: the tensor that stays in the PEs, the dimensions along rows, along columns and in time."""

    stays: str
    rows: str
    cols: str
    time: str


# A product of M x K by K x N has M = P, K = C and N = K in the letters of a layer.
FLOWS = {"os": Flow("O", "P", "K", "C"), "ws": Flow("W", "C", "K", "P"), "is": Flow("I", "C", "P", "K")}


def report(data: Path | None) -> Report:
    """All rows of the reference folder, else the shipped ones."""
    known = facts("scalesim")
    file = reference(data, FILE)
    if file is None:
        rows = [dict(zip(known["columns"], row, strict=True)) for row in known["cycles"]]
        for row in rows:
            row |= dict(zip(known["layer_columns"], known["layers"][row["layer"]], strict=True))
    else:
        rows = [_from_csv(row) for row in read_rows(file)]
    cases = []
    for row in rows:
        name = f"{row['layer']}, {row['rows']}x{row['cols']} {row['dataflow']}"
        cases.append(
            Case(name, f"compute cycles, {row['dataflow']}", row["cycles"], compute_cycles(row), EXACT)
        )
    return Report(
        "scalesim",
        "SCALE-Sim",
        "another model, run on the same layers",
        known["source"],
        tuple(cases),
        assumptions=(
            "Layers as matrix products after im2col, as SCALE-Sim lowers them; the array as a memory of "
            "one element a PE with `serial_folds`.",
        ),
        findings=(
            "Without `serial_folds` an array computes without pause, and every fold is as short as its "
            "share of the product: that is our default, since chips double-buffer weights and overlap folds.",
        ),
        skipped=(
            "Stalls of its memory system: they do not follow the volume of data, and are no truth to "
            "compare with.",
            *(() if file is not None else (missing(FILE, f"all but {len(rows)} rows"),)),
        ),
    )  # fmt: skip


def _from_csv(row: dict[str, str]) -> dict[str, Any]:
    out: dict[str, Any] = {"layer": row["layer"], "dataflow": row["dataflow"]}
    names = {"rows": "array_rows", "cols": "array_cols", "cycles": "compute_cycles"}
    names |= {"M": "gemm_M", "K": "gemm_K", "N": "gemm_N"}
    return out | {key: int(row[name]) for key, name in names.items()}


def compute_cycles(row: dict[str, Any]) -> float:
    """Ours, for a product M x K x N on an array of rows x cols under a dataflow."""
    flow = FLOWS[row["dataflow"]]
    layer = Layer.gemm(M=row["M"], N=row["N"], K=row["K"])
    rows, cols = min(row["rows"], layer.dims[flow.rows]), min(row["cols"], layer.dims[flow.cols])
    tile = {flow.rows: rows, flow.cols: cols, flow.time: layer.dims[flow.time]}
    spatial = {
        name: use for name, use in (("rows", (flow.rows, rows)), ("cols", (flow.cols, cols))) if use[1] > 1
    }
    outer = Level("SRAM", (flow.rows, flow.cols), tile, spatial)
    inner = Level("PE", (flow.time,), {flow.time: 1})
    return price_mapping(
        machine(row["rows"], row["cols"], flow), layer, Mapping((outer, inner))
    ).compute_cycles


def machine(rows: int, cols: int, flow: Flow) -> Accelerator:
    """A systolic array under unlimited memory."""
    from accelsim.hardware import load_hardware

    return load_hardware(
        {
            "version": 1,
            "name": f"systolic {rows}x{cols}",
            "source": "SCALE-Sim 3.0.0, compute only",
            "technology_nm": 28,
            "clock_mhz": 1000,
            "precision_bits": {"weight": 8, "input": 8, "output": 8, "psum": 32},
            "memories": [
                {
                    "name": "SRAM",
                    "holds": ["W", "I", "O"],
                    "fanout": [
                        {"axis": "rows", "size": rows, "multicast": True, "reduction": flow.stays != "O"},
                        {"axis": "cols", "size": cols, "multicast": True},
                    ],
                },
                {
                    "name": "PE",
                    "kind": "register",
                    "size_bytes": 4,
                    "holds": [flow.stays],
                    "overlap": True,
                    "serial_folds": flow.stays,
                },
            ],
        }
    )
