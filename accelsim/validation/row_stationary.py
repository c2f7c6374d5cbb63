"""Eyeriss's own mappings: its parameters m n e p q r t as loop nests, and the space that its chip allows.

m kernels have their partial sums in the buffer, n images and e output rows at a time. A PE interleaves p
kernels and q channels; r sets of PEs take further channels, whose partial sums meet in the array, t sets
further kernels.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from accelsim.pack import Batch
from accelsim.workloads.layer import DIMS, Layer

if TYPE_CHECKING:
    from accelsim.hardware import Accelerator

PARAMETERS = ("m", "n", "e", "p", "q", "r", "t")
ROWS, COLS = 12, 14
BANK_BYTES, BANKS, WORD_BYTES = 4096, 25, 2
FILTER_WORDS, INPUT_WORDS, PSUM_WORDS = 224, 12, 24

_DRAM, _GLB, _SET, _SPAD = range(4)


def machine() -> Accelerator:
    """The shipped Eyeriss, its array written with an axis for each of r, t, kernel rows and output rows.

    A fan-out has three axes at most, hence a level of wires, `set`, between buffer and scratchpads. It holds
    weights on their way, without limit, energy or time.
    """
    from accelsim.hardware import load_hardware

    data = load_hardware("eyeriss").to_dict()
    glb = data["memories"][_GLB]
    glb["fanout"] = [
        {"axis": "channels", "size": ROWS, "multicast": True, "reduction": True, "hop_pj_per_bit": 0.0},
        {"axis": "kernels", "size": ROWS * 2, "multicast": True, "hop_pj_per_bit": 0.0},
    ]
    wires: dict[str, Any] = {
        "name": "set",
        "kind": "register",
        "size_bytes": 2**30,
        "holds": ["W"],
        "overlap": True,
        "area_mm2": 0.0,
        "energy": {"read_pj_per_bit": 0.0, "write_pj_per_bit": 0.0, "leakage_mw": 0.0},
        "fanout": [
            {"axis": "rows", "size": ROWS, "multicast": True, "reduction": True, "hop_pj_per_bit": 0.25},
            {"axis": "cols", "size": COLS, "multicast": True, "hop_pj_per_bit": 0.25},
            {"axis": "folds", "size": ROWS, "multicast": True, "hop_pj_per_bit": 0.0, "shares": "rows"},
        ],
    }
    del glb["sources"]["fanout"], data["search"], data["sources"]["search"], data["dataflow"]
    data["memories"].insert(_SET, wires)
    return load_hardware(data)


def folds_of(e: Any) -> Any:
    """Pieces into which a set of e output rows is folded, one above the other."""
    return -(-e // COLS)


def mappings(layer: Layer, table: NDArray[np.int64]) -> Batch:
    """Parameters int64[B, 7] as kernel arrays for `machine()`."""
    m, n, e, p, q, r, t = table.T
    out = Batch.empty(len(table), 4)
    at = {d: i for i, d in enumerate(DIMS)}
    tile = out.tile
    tile[:] = [layer.dims[d] for d in DIMS]
    tile[:, :, at["G"]] = 1
    for level in (_DRAM, _GLB, _SET):
        tile[:, level, at["P"]] = e
        tile[:, level, at["C"]] = q * r
    tile[:, _DRAM, at["N"]], tile[:, _DRAM, at["K"]] = n, m
    for level in (_GLB, _SET):
        tile[:, level, at["N"]] = tile[:, level, at["Q"]] = 1
    tile[:, _GLB, at["K"]] = p * t
    tile[:, _SET, at["K"]], tile[:, _SET, at["C"]] = p, q
    tile[:, _SPAD] = 1
    for level, order in ((_DRAM, "GKPNC"), (_GLB, "KNQ"), (_SPAD, "CSK")):
        text = "".join(d for d in DIMS if d not in order) + order
        out.order[:, level] = [at[d] for d in text]
    folds = folds_of(e)
    axes = (
        (_GLB, 0, "C", r), (_GLB, 1, "K", t),
        (_SET, 0, "R", layer.R), (_SET, 1, "P", -(-e // folds)), (_SET, 2, "P", folds),
    )  # fmt: skip
    for level, axis, dim, factor in axes:
        out.axis_dim[:, level, axis], out.axis_factor[:, level, axis] = at[dim], factor
    return out


def active_pes(layer: Layer, batch: Batch, row: int = 0) -> int:
    """PEs with work in the first step of a mapping: the tile for the array over what one PE gets of it."""
    handed, used = batch.tile[row, _GLB].astype(int), 1
    own = handed.copy()
    for level in (_GLB, _SET):
        for d, factor in zip(batch.axis_dim[row, level], batch.axis_factor[row, level], strict=True):
            own[d] = -(-own[d] // max(int(factor), 1))
    for whole, part in zip(handed, own, strict=True):
        used *= -(-int(whole) // int(part))
    return used


def sets(layer: Layer, e: int) -> int:
    """How many sets of kernel rows x e output rows the array takes; a set wider than it is folded."""
    tall = ROWS // (layer.R * int(folds_of(e)))
    return tall * (COLS // e if e <= COLS else 1)


def candidates(layer: Layer, pes: int) -> NDArray[np.int64]:
    """Parameters [B, 7] of all mappings that use `pes` PEs and fit scratchpads and banks.

    Of those with the same number of steps in e or m, the smallest is kept.
    """
    return np.array(list(_candidates(layer, pes)), np.int64).reshape(-1, len(PARAMETERS))


def _candidates(layer: Layer, pes: int) -> Iterator[tuple[int, ...]]:
    width = (layer.Q - 1) * layer.stride[1] + layer.S
    images = [n for n in range(1, layer.N + 1) if layer.N % n == 0]
    for e in range(1, layer.P + 1):
        count = pes // (layer.R * e)
        if count * layer.R * e != pes or count > sets(layer, e):
            continue
        height = (e - 1) * layer.stride[0] + layer.R
        splits = [(r, count // r) for r in range(1, count + 1) if count % r == 0]
        for r, t in splits:
            for n in images:
                for q in range(1, min(INPUT_WORDS // layer.S, layer.C // r) + 1):
                    banks = BANKS - -(-n * q * r * height * width * WORD_BYTES // BANK_BYTES)
                    for p in range(1, min(PSUM_WORDS, FILTER_WORDS // (q * layer.S), layer.K // t) + 1):
                        plane = n * e * layer.Q * WORD_BYTES
                        for m in _kernels(layer.K, p * t, banks * BANK_BYTES // plane if banks > 0 else 0):
                            yield m, n, e, p, q, r, t


def _kernels(total: int, step: int, most: int) -> list[int]:
    """Multiples of `step` up to `most`, the smallest for each number of passes over `total`."""
    found: dict[int, int] = {}
    for m in range(step, min(most, total + step - 1) + 1, step):
        found.setdefault(-(-total // m), min(m, total))
    return list(found.values())
