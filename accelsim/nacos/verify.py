"""`verify`: price stored mappings again, and prove stored fronts again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from accelsim.nacos.build import most_nodes
from accelsim.nacos.pair import priced, tabulate
from accelsim.nacos.tables import PERCENTS, Rows

if TYPE_CHECKING:
    from accelsim.nacos.bench import Bench


@dataclass
class Verified:
    """How many rows were priced and pairs proved again, and what differs, in words."""

    rows: int = 0
    pairs: int = 0
    faults: list[str] = field(default_factory=list)


def verify(
    bench: Bench,
    rows: int = 1000,
    pairs: int = 20,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Verified:
    """Random rows to the last bit, and random pairs made anew, all their rows compared."""
    rng = np.random.default_rng(seed)
    tables, L = bench.tables, len(bench.nets.layers)
    out = Verified()
    fronts = np.repeat(np.arange(tables.pairs), np.diff(tables.start))
    kinds = (
        ("front", tables.front, fronts), ("template", tables.template, np.arange(tables.pairs)),
        ("random", tables.drawn, np.arange(tables.pairs * len(PERCENTS)) // len(PERCENTS)),
    )  # fmt: skip
    sizes = [len(pair) for *_, pair in kinds]
    rows, pairs = min(rows, sum(sizes)), min(pairs, tables.pairs)
    for pick in np.sort(rng.choice(sum(sizes), rows, replace=False)).tolist():
        kind = int(np.searchsorted(np.cumsum(sizes), pick, "right"))
        word, table, owner = kinds[kind]
        at = pick - sum(sizes[:kind])
        pair = int(owner[at])
        chip = bench.chips[pair // L]
        row = table.take([at])
        none = kind == 2 and not tables.fits[pair]
        fault = "" if none and np.isinf(row.energy[0]) else _reprice(bench, row, chip, pair % L)
        out.rows += 1
        if fault:
            out.faults.append(f"{word} row {at}, {chip}, {bench.nets.layers[pair % L]}: {fault}")
        if progress is not None:
            progress(out.rows, rows + pairs)
    for pair in rng.choice(tables.pairs, pairs, replace=False).tolist():
        out.pairs += 1
        fault = _reprove(bench, pair)
        if fault:
            out.faults.append(f"{bench.chips[pair // L]}, {bench.nets.layers[pair % L]}: {fault}")
        if progress is not None:
            progress(out.rows + out.pairs, rows + pairs)
    return out


_DIFFERS = {
    "start": "proved again, it has another front",
    "front": "proved again, it has another front",
    "template": "the template gives another mapping, or another price",
    "drawn": "drawn again, its random mappings are others",
    "fits": "drawn again, others of its random mappings fit",
    "bound": "its bound is another",
}


def _reprove(bench: Bench, pair: int) -> str:
    """What differs, or ""."""
    made, L = bench.manifest, len(bench.nets.layers)
    name = bench.chips[pair // L]
    chip = bench.chip(name)
    again = tabulate(
        chip, bench.nets.layers[pair % L], draws=made.draws, seed=made.seed,
        max_nodes=most_nodes(name, made.max_nodes),
    )  # fmt: skip
    if again is None:
        return _DIFFERS["front"]
    old, new = bench.tables.only(pair, len(chip.memories)).arrays(), again.arrays()
    differs = {key.partition(".")[0] for key in new if not np.array_equal(old[key], new[key])}
    return "; ".join(dict.fromkeys(words for part, words in _DIFFERS.items() if part in differs))


def _reprice(bench: Bench, row: Rows, chip: str, layer: int) -> str:
    """What differs, or ""."""
    machine = bench.chip(chip)
    again = priced(machine, bench.nets.layers[layer], row.widened(len(machine.memories)).batch)
    if (again.latency[0], again.energy[0]) == (row.latency[0], row.energy[0]):
        return ""
    return (
        f"stored {row.latency[0]:.17g} cycles and {row.energy[0]:.17g} pJ, priced again "
        f"{again.latency[0]:.17g} and {again.energy[0]:.17g}"
    )
