"""Engines: which operators run beside the array, on what.

A chip often has more than one: an array for convolutions, a narrower unit for depthwise layers and pooling,
and a processor for the rest. An engine is the same machine with some figures changed; one layer runs on one
engine, and layers run one after another.
"""

from __future__ import annotations

import copy
import re
from itertools import count
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from accelsim.errors import AccelsimError
from accelsim.hardware.components import figures
from accelsim.hardware.fields import Count, Figure, Name, Rate, Section, Sourced

if TYPE_CHECKING:
    from accelsim.hardware.accelerator import Accelerator
    from accelsim.workloads.layer import Layer

Kind = Literal["conv", "depthwise", "gemm", "pool", "eltwise"]


class Rule(Section):
    """Layers that an engine runs: all conditions hold."""

    kinds: tuple[Kind, ...] = Field(
        min_length=1, description="Kinds of layer. depthwise: a convolution with a channel a group."
    )
    window_over: Count | None = Field(
        default=None, description="Only layers with more kernel rows or columns than this."
    )

    def takes(self, layer: Layer) -> bool:
        """Whether the rule holds for a layer."""
        wide = self.window_over is None or max(layer.R, layer.S) > self.window_over
        return wide and kind_of(layer) in self.kinds


class HardwareEngine(Sourced):
    """A unit beside the array, and the layers that it runs."""

    name: Name = Field(description="Name in reports.")
    runs: tuple[Rule, ...] = Field(min_length=1, description="It runs a layer that any of these takes.")
    points_per_us: Rate | None = Field(
        default=None,
        description="For a unit that is no array, such as the host processor: multiply-accumulates (or "
        "window elements) a microsecond. Operands still move through the memories.",
    )
    changes: dict[str, Figure] = Field(
        default_factory=dict,
        description='Figures of this file that differ for the engine, by path: {"memories.banks.fanout.pixels'
        '.size": 4}.',
    )


def kind_of(layer: Layer) -> Kind:
    """What rules call a layer."""
    if layer.op == "conv" and layer.G > 1 and layer.K == layer.C == 1:
        return "depthwise"
    return "eltwise" if layer.elementwise else layer.op  # type: ignore[return-value]


def engine_of(hw: Accelerator, layer: Layer) -> HardwareEngine | None:
    """The first engine that takes a layer; None: the array does."""
    return next((e for e in hw.engines if any(rule.takes(layer) for rule in e.runs)), None)


def _components(hw: Accelerator) -> list[dict[str, Any]]:
    """Components as an engine has them: what they draw all the time is that of the whole chip, a bit passes
    as many multiplexers and wires.
    """  # fmt: skip
    out: list[dict[str, Any]] = []
    taken = {part.name for part in hw.components}
    free = (name for i in count() if (name := f"passed-{i}") not in taken)
    for x, part in zip(hw.costs.components, hw.components, strict=True):
        um2, pj_per_bit = figures(hw, part)
        out.append({"name": x.name, "area_um2": x.area_mm2 * 1e6, "leakage_mw": x.static_mw})
        if part.per == "routing":
            out[-1] |= {"per": part.per, "pj_per_bit": pj_per_bit}
        if part.per == "choice":
            passed = {"per": part.per, "pj_per_bit": pj_per_bit, "area_um2": um2}
            out.append({"name": next(free)} | passed)
    return out


_OF_THE_CHIP = ("version", "name", "source", "clock_mhz", "components", "engines", "network", "search")
"""What one chip has once: layers of all engines count cycles of one clock and share its static power."""


def machine_of(hw: Accelerator, engine: HardwareEngine) -> Accelerator:
    """The machine as an engine's layers see it: figures changed, static power that of the whole chip.

    Raises AccelsimError for a path that leads nowhere or to what the chip has once, HardwareError for a
    machine that cannot be.
    """
    from accelsim.hardware.loader import load_hardware
    from accelsim.hardware.paths import find

    data: dict[str, Any] = copy.deepcopy(hw.to_dict())
    del data["engines"]
    data.get("sources", {}).pop("engines", None)
    for path, value in engine.changes.items():
        if (first := re.split(r"[.[]", path)[0]) in _OF_THE_CHIP:
            raise AccelsimError(
                f"{path}: must be a figure of memories, mac, precision_bits, dataflow, density or "
                f"layer_cycles, as {first} is one for the whole chip"
            )
        place = find(data, path, hw)
        place.holder[place.key] = value
    data["name"] = f"{hw.name}: {engine.name}"
    data["components"] = _components(hw)
    if engine.points_per_us is not None:
        data["unit_points"] = engine.points_per_us / hw.clock_mhz
    made = load_hardware(data)
    for m, memory in enumerate(data["memories"]):
        power = hw.costs.memory_leakage_mw[m] * hw.instances(m) / made.instances(m)
        memory["energy"] = memory.get("energy", {}) | {"leakage_mw": power}
    data["mac"] = data.get("mac", {}) | {"leakage_mw": hw.costs.mac.leakage_mw * hw.num_pes / made.num_pes}
    return load_hardware(data)
