"""Fit the default energy and area of on-chip memories and MACs to tables of estimator runs.

    python experiments/fit_energy.py TABLES            prints the fit's error
    python experiments/fit_energy.py TABLES --write    also rewrites accelsim/hardware/technology.json

TABLES is a folder with `sram_cacti.csv` (size_bytes, width_bits, tech_nm, read_pJ, write_pJ, area_um2,
leak_mW per row) and `compute_reg_dram.csv` (component, bits, tech_nm, action, energy_pJ, area_um2, leak_mW).

One access of `w` bits to `s` bytes costs sum_k a_k(node) s^p_k w^q_k with all a_k >= 0, p_k >= 0 and q_k in
{0, 1}, so the fit rises with size, and rises with width while the cost per bit falls. The coefficients of a
node are those of the next smaller one plus something >= 0, so the fit also rises with the node. Non-negative
least squares on relative errors, re-weighted to treat factors up and down alike.
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

Array = NDArray[np.float64]

SOURCE = (
    "SRAM: CACTI runs through hwcomponents 1.0.114 with hwcomponents-cacti 1.0.40, one bank, one read/write "
    "port, 0.5 KB to 4 MB, 8 to 256 bits, 65 and 45 nm native, 28 nm interpolated and 16 nm extrapolated by "
    "the tool. MAC, adder, flip-flop: Aladdin 40 nm synthesis figures through hwcomponents-library 1.0.58, "
    "scaled with the polynomials of Stillmaker and Baas (Integration 58, 2017). DRAM: constants of the same "
    "library. Fitted by experiments/fit_energy.py."
)
UNIT_BYTES = 512.0
UNIT_BITS = 64.0
SIZE_EXPONENTS = (0.0, 0.5, 0.6, 0.75, 1.0)
WIDTH_EXPONENTS = (0.0, 1.0)
FITTED = ("read_pJ", "write_pJ", "area_um2")


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def terms(size: Array, width: Array) -> tuple[Array, list[tuple[float, float]]]:
    """Columns s^p w^q for every pair of exponents, and the pairs."""
    pairs = [(p, q) for p in SIZE_EXPONENTS for q in WIDTH_EXPONENTS]
    return np.stack([size**p * width**q for p, q in pairs], axis=1), pairs


def fit(values: Array, base: Array, node: Array, nodes: list[float]) -> tuple[Array, Array]:
    """Coefficients [term, node] and the fitted values."""
    steps = np.concatenate([base * (node >= n)[:, None] for n in nodes], axis=1)
    weight = 1.0 / values
    for _ in range(10):
        x, _ = nnls(steps * weight[:, None], values * weight, maxiter=10_000)
        fitted = steps @ x
        weight = 1.0 / np.sqrt(values * fitted)
    return np.cumsum(x.reshape(len(nodes), -1), axis=0).T, fitted


def fit_sram(rows: list[dict[str, str]]) -> dict[str, Any]:
    size = np.array([float(r["size_bytes"]) for r in rows]) / UNIT_BYTES
    width = np.array([float(r["width_bits"]) for r in rows]) / UNIT_BITS
    node = np.array([float(r["tech_nm"]) for r in rows])
    nodes = sorted(set(node.tolist()))
    base, pairs = terms(size, width)
    out: dict[str, Any] = {
        "unit_bytes": UNIT_BYTES,
        "unit_bits": UNIT_BITS,
        "nodes_nm": nodes,
        "exponents": pairs,
        "error": {},
    }
    used = np.zeros(len(pairs), bool)
    for name in FITTED:
        values = np.array([float(r[name]) for r in rows])
        coefficients, fitted = fit(values, base, node, nodes)
        used |= coefficients[:, -1] > 0
        out[name.lower()] = coefficients.tolist()
        out["error"][name.lower()] = errors(fitted, values)
    for name in ("exponents", *(n.lower() for n in FITTED)):
        out[name] = [row for row, keep in zip(out[name], used) if keep]
    per_byte = np.array([float(r["leak_mW"]) for r in rows]) / (size * UNIT_BYTES)
    means = [float(np.exp(np.log(per_byte[node == n]).mean())) for n in nodes]
    out["leakage_mw_per_byte"] = means
    out["error"]["leakage_mw"] = errors(np.array([means[nodes.index(n)] for n in node]), per_byte)
    return out


def errors(fitted: Array, table: Array) -> dict[str, float]:
    """Mean and largest of |fit / table - 1|."""
    off = np.abs(fitted / table - 1.0)
    return {"mean": float(off.mean()), "max": float(off.max())}


def logic(rows: list[dict[str, str]]) -> dict[str, Any]:
    """An 8 x 8 bit multiplier, an 8-bit adder and a flip-flop bit by node: the tables scale from these."""
    found = {(r["component"], r["bits"], r["action"], r["tech_nm"]): r for r in rows if r["tech_nm"]}
    nodes = sorted({float(key[3]) for key in found})
    out: dict[str, Any] = {"nodes_nm": nodes}
    parts = (
        ("multiplier_8x8", "int_multiplier", "multiply", 1.0),
        ("adder_8", "int_adder", "add", 1.0),
        ("flipflop_bit", "flipflop_register", "read", 8.0),
    )
    for name, component, action, bits in parts:
        at = [found[component, "8", action, f"{n:g}"] for n in nodes]
        out[name] = {"pj": [float(r["energy_pJ"]) / bits for r in at]}
        out[name]["um2"] = [float(r["area_um2"]) / bits for r in at]
        if name != "flipflop_bit":
            out[name]["leakage_mw"] = [float(r["leak_mW"]) for r in at]
    return out


def rounded(value: Any) -> Any:
    """Six significant digits everywhere."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    return [rounded(v) for v in value] if isinstance(value, (list, tuple)) else value


def main() -> None:
    parser = argparse.ArgumentParser(description="Fit the default energy and area.")
    parser.add_argument("tables", type=Path)
    parser.add_argument("--write", action="store_true", help="rewrite accelsim/hardware/technology.json")
    args = parser.parse_args()
    compute = read_rows(args.tables / "compute_reg_dram.csv")
    result = rounded(
        {
            "source": SOURCE,
            "sram": fit_sram(read_rows(args.tables / "sram_cacti.csv")),
            "logic": logic(compute),
            "dram_pj_per_bit": {
                r["component"]: float(r["energy_pJ"]) for r in compute if r["action"] == "access_per_bit"
            },
        }
    )
    for name, error in result["sram"]["error"].items():
        print(f"{name:12s} relative error: mean {error['mean']:.3f}, max {error['max']:.3f}")
    if args.write:
        target = Path(__file__).parents[1] / "accelsim" / "hardware" / "technology.json"
        target.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        print(f"wrote {target}")


if __name__ == "__main__":
    main()
