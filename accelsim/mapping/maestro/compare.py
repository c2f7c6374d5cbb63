"""The same dataflow priced by MAESTRO's model and by accelsim's, and why they differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from accelsim.mapping.cost import LayerCost, price_mapping
from accelsim.mapping.maestro.convert import to_mapping
from accelsim.mapping.maestro.levels import resolve
from accelsim.mapping.maestro.machine import MaestroMachine
from accelsim.mapping.maestro.model import MaestroCost, evaluate_layer
from accelsim.mapping.maestro.notation import MaestroError, MaestroLayer
from cost_models.maestro import layout as L

if TYPE_CHECKING:
    from accelsim.mapping.mapping import Mapping

TENSORS = {"I": "inputs", "W": "weights", "O": "outputs"}


@dataclass(frozen=True)
class Pair:
    """One layer by both models; a side is None where it has no answer, and `trouble` says why."""

    layer: MaestroLayer
    maestro: MaestroCost | None
    ours: LayerCost | None
    mapping: Mapping | None
    trouble: str = ""

    @property
    def l2_ours(self) -> dict[str, tuple[int, int]]:
        """Words that accelsim's L2 sends to the array (of O: partial sums) and takes from it, by tensor."""
        if self.ours is None:
            return {}
        rows = {row["tensor"]: row for row in self.ours.traffic if row["parent"] == "L2"}
        out = {t: (int(rows[t]["parent_words"]), 0) for t in ("I", "W")}
        return out | {"O": (int(rows["O"]["parent_psum_reads"]), int(rows["O"]["parent_words"]))}

    @property
    def differences(self) -> tuple[str, ...]:
        """Why the two sides differ, the rules of docs/maestro.md that show in this layer."""
        if self.maestro is None or self.ours is None:
            return ()
        out = []
        sent, ours = self.maestro.accesses(L.L2_READ), self.l2_ours
        whole = {"I": self.ours.layer.input_elements, "W": self.ours.layer.weight_elements}
        for tensor, name in TENSORS.items():
            if tensor == "O":
                continue
            if sent[tensor] < whole[tensor]:
                out.append(f"MAESTRO sends fewer {name} than there are: it forgets reloads and edges")
            elif sent[tensor] < ours[tensor][0]:
                out.append(
                    f"MAESTRO sends fewer {name}: it does not reload them when a loop that does not index "
                    "them comes round"
                )
            elif sent[tensor] > ours[tensor][0]:
                why = "units share no halo in" if tensor == "I" else "tiles come whole in"
                out.append(f"MAESTRO sends more {name}: {why} the first step and after a restart")
        drained = self.maestro.accesses(L.L2_WRITE)["O"]
        if drained > ours["O"][1]:
            out.append("MAESTRO drains partial sums at every reduction step, also where they could stay")
        elif drained < ours["O"][1]:
            out.append("MAESTRO drains fewer outputs than there are: its edges overlap")
        if self.maestro.macs != self.ours.macs:
            out.append("MAESTRO counts other multiply-accumulates: strides, or tiles that overlap")
        if self.maestro.latency_cycles > 1.02 * self.ours.latency_cycles:
            out.append(
                "MAESTRO is slower: every step takes the longest of its transfers and compute, and an inner "
                "cluster's first fill is never hidden; accelsim evens transfers out over the layer"
            )
        elif self.maestro.latency_cycles < 0.98 * self.ours.latency_cycles:
            out.append(
                "MAESTRO is faster: it moves less, or waits for no off-chip transfer of the whole layer"
            )
        return tuple(out)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "name": self.layer.name,
            "maestro": self.maestro.to_dict() if self.maestro else None,
            "accelsim": {
                "latency_cycles": self.ours.latency_cycles,
                "energy_pj": self.ours.energy_pj,
                "macs": self.ours.macs,
                "l2_reads": {t: read for t, (read, _) in self.l2_ours.items()},
                "l2_psum_writes": self.l2_ours["O"][1],
                "mapping": self.mapping.to_dict() if self.mapping else None,
            }
            if self.ours
            else None,
            "trouble": self.trouble,
            "differences": list(self.differences),
        }


def compare(layer: MaestroLayer, machine: MaestroMachine, *, compat: bool = False) -> Pair:
    """Price the layer's dataflow by both models, accelsim on the machine that MAESTRO has in mind.

    Raises MaestroError for a faulty dataflow; what only one side can price has `trouble`.
    """
    units = resolve(layer).units(machine.pes)
    maestro, ours, mapping, trouble = None, None, None, []
    try:
        maestro = evaluate_layer(layer, machine, compat=compat)
    except MaestroError as fault:
        trouble.append(f"MAESTRO: {fault}")
    try:
        mapping = to_mapping(layer, machine.pes)
        ours = price_mapping(machine.accelerator(units), layer.to_layer(), mapping)
    except MaestroError as fault:
        trouble.append(f"no equal loop nest: {fault}")
    return Pair(layer, maestro, ours, mapping, "; ".join(trouble))


def reasons(pairs: Iterable[Pair]) -> list[tuple[str, int]]:
    """Each reason for a difference and in how many layers it shows, the most frequent first."""
    return Counter(reason for pair in pairs for reason in pair.differences).most_common()
