"""`Accelerator`: the hardware file as an object, and what follows from its numbers."""

from __future__ import annotations

import hashlib
import json
import math
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, PrivateAttr, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from accelsim.hardware.axis import skew
from accelsim.hardware.checks import cross_faults
from accelsim.hardware.components import Component
from accelsim.hardware.costs import Access, Costs, resolve
from accelsim.hardware.engines import HardwareEngine, engine_of, machine_of
from accelsim.hardware.fields import DIMENSIONS, Cycles, Dim, Megahertz, Nanometres, Rate, Sourced, Text
from accelsim.hardware.form import UNCOUNTED, has_sources, trace, with_sources_of, without_sources
from accelsim.hardware.holding import ways_of
from accelsim.hardware.memory import Memory
from accelsim.hardware.microcontroller import Microcontroller
from accelsim.hardware.ports import Port, ports_of
from accelsim.hardware.precision import at_bits
from accelsim.hardware.search_space import SearchSpace
from accelsim.hardware.sections import Dataflow, MacUnit, Precision, Residency
from accelsim.hardware.sparsity import Density, timed
from accelsim.shown import Shown
from cost_models.loopnest.layout import MAX_MEMORIES

if TYPE_CHECKING:
    from accelsim.workloads.bits import LayerBits
    from accelsim.workloads.layer import Layer

TRUSTED = {"trusted": True}
"""Context of a validation whose data is consistent by construction: looking costs more than all the rest."""


class Accelerator(Shown, Sourced):
    """A machine: memories, outermost first, the arrays between them, and MACs below the last.

    Make one with `accelsim.load_hardware`, which reports every fault of the input at once.
    """

    version: Literal[1] = Field(description="Version of this format.")
    kind: Literal["accelerator", "microcontroller"] = Field(
        default="accelerator",
        description="microcontroller: Flash for weights, SRAM for activations, and a rate of MACs instead of "
        "an array with mappings.",
    )
    name: Text = Field(description="Name in reports.")
    source: Text = Field(description="What the description as a whole is based on.")
    technology_nm: Nanometres = Field(description="Technology node in nm, for default energy and area.")
    clock_mhz: Megahertz = Field(description="Clock in MHz: cycles to seconds.")
    precision_bits: Precision = Field(description="Bits of an element of each tensor.")
    layer_cycles: Cycles = Field(
        default=0.0,
        description="Cycles that each layer takes beyond its work: registers to write, a pipeline to fill, "
        "an interrupt to serve.",
    )
    unit_points: Rate | None = Field(
        default=None,
        description="Points a cycle of a unit that runs every layer in place of the array. Engines that are "
        "no array set it from `points_per_us`.",
    )
    density: Density = Field(
        default_factory=Density,
        description="Share of non-zeros in the data that is priced; 1 unless given. What zeros spare is in "
        "`mac.on_zero`.",
    )
    engines: tuple[HardwareEngine, ...] = Field(
        default=(),
        max_length=8,
        description="Units beside the array; a layer runs on the first that takes it, else on the array.",
    )
    mac: MacUnit = Field(default_factory=MacUnit, description="The multiply-accumulate unit.")
    components: tuple[Component, ...] = Field(
        default=(),
        max_length=16,
        description="What the chip has beside MACs, memories and array registers: control, post-processors, "
        "clock, wiring. Named, they add area, and power for as long as the chip is on.",
    )
    memories: tuple[Memory, ...] = Field(
        min_length=2,
        max_length=MAX_MEMORIES,
        description="Storage levels, outermost first; the first holds all tensors.",
    )
    dataflow: Dataflow = Field(default_factory=Dataflow, description="What mappings this machine allows.")
    microcontroller: Microcontroller | None = Field(
        default=None, description="What kind `microcontroller` needs."
    )
    network: Residency = Field(default_factory=Residency, description="What stays on chip between layers.")
    search: SearchSpace | None = Field(default=None, description="What a joint search may vary.")
    _decided: bool = PrivateAttr(False)
    _silicon: str = PrivateAttr("")

    def brief(self) -> str:
        """Name, MACs, memory on chip and clock."""
        kib = self.onchip_bytes / 1024
        return f"{self.name}: {self.num_pes:,} MACs, {kib:,.1f} KiB on chip, {self.clock_mhz:g} MHz"

    def to_rows(self) -> list[dict[str, Any]]:
        """A row a memory, outermost first, and one for the MACs."""
        rows = [
            {
                "memory": memory.name,
                "instances": self.instances(m),
                "size_bytes": memory.total_bytes,
                "holds": "".join(memory.holds),
                "fanout": " x ".join(f"{axis.axis} {axis.size}" for axis in memory.fanout),
            }
            for m, memory in enumerate(self.memories)
        ]
        return [*rows, {"memory": "MAC", "instances": self.num_pes}]

    @field_validator("version", mode="before")
    @classmethod
    def _whole(cls, value: Any) -> Any:
        if type(value) is not int:  # true and 1.0 equal 1, and would pass
            raise PydanticCustomError("literal_error", "must be {expected}", {"expected": "1"})
        return value

    @model_validator(mode="after")
    def _consistent(self, info: ValidationInfo) -> Accelerator:
        if info.context is TRUSTED:
            return self
        faults = cross_faults(self.model_dump(mode="json", exclude_unset=True))
        if faults:
            raise PydanticCustomError("cross", "{text}", {"text": "\n".join(map(str, faults))})
        return self

    @classmethod
    def trusted(cls, data: dict[str, Any]) -> Accelerator:
        """From data that is consistent by construction: types are checked, nothing between fields is."""
        return cls.model_validate(data, context=TRUSTED)

    def __hash__(self) -> int:
        return hash(self.hash)

    def __eq__(self, other: object) -> bool:
        """By what a machine is told; not by what is kept of it, which may be the machine itself."""
        if self is other:
            return True
        return (
            isinstance(other, Accelerator)
            and all(getattr(self, name) == getattr(other, name) for name in type(self).model_fields)
            and self.__pydantic_private__ == other.__pydantic_private__
        )

    # -- the array -----------------------------------------------------------------------------------

    def lanes(self, m: int) -> int:
        """Instances of the next level below one instance of memory `m`."""
        return self._lanes[m]

    def instances(self, m: int) -> int:
        """Instances of memory `m`; `m` = number of memories gives the MACs."""
        return math.prod(self._lanes[:m])

    @cached_property
    def _lanes(self) -> tuple[int, ...]:
        return tuple(math.prod(a.size for a in x.fanout if a.shares is None) for x in self.memories)

    def fold_cycles(self, m: int) -> float:
        """Cycles that each new tile of the tensor in `serial_folds` of memory `m` adds to compute."""
        tensor = self.memories[m].serial_folds
        given = self.memories[m].fold_cycles
        if tensor is not None and given is not None:
            return given
        sizes = [axis.size for axis in self.memories[m - 1].fanout if axis.shares is None]
        return 0 if tensor is None else skew(sizes, tensor)

    @property
    def num_pes(self) -> int:
        """MAC units."""
        return self.instances(len(self.memories))

    @property
    def cycles_per_mac(self) -> float:
        """Cycles of a unit for a multiply-accumulate: fewer where stated zeros are skipped."""
        return self.mac.cycles * timed(self)

    @property
    def peak_macs_per_cycle(self) -> float:
        """Multiply-accumulates a cycle when every unit is busy, those that skipped zeros spare counted."""
        return self.num_pes / self.cycles_per_mac

    @property
    def onchip_bytes(self) -> int:
        """Bytes of all memories but DRAM, all instances."""
        chip = [(m, x) for m, x in enumerate(self.memories) if x.technology != "dram"]
        return sum(int(x.total_bytes) * self.instances(m) for m, x in chip)

    def memory_index(self, name: str) -> int:
        """Position of the memory called `name`."""
        return [memory.name for memory in self.memories].index(name)

    def axis_dims(self, memory: str, axis: str) -> tuple[Dim, ...]:
        """Dimensions that an axis may carry, preferred first."""
        return self.dataflow.axes.get(memory, {}).get(axis, DIMENSIONS)

    def orders(self, memory: str) -> tuple[tuple[Dim, ...], ...]:
        """Allowed loop orders of a memory, each of all eight dimensions, outermost first; () = any."""
        return tuple(
            tuple(d for d in DIMENSIONS if d not in order) + order
            for order in self.dataflow.orders.get(memory, ())
        )

    def ports(self, m: int) -> tuple[Port, ...]:
        """Ports of memory `m`, given or by default; every held tensor has one to read and one to write it."""
        return self._ports[m]

    def kept_bits(self, m: int) -> Precision:
        """Bits of an element as memory `m` keeps it."""
        own = self.memories[m].precision_bits
        if own is None:
            return self.precision_bits
        given = {key: getattr(own, key) for key in ("weight", "input", "output", "psum")}
        return self.precision_bits.model_copy(
            update={key: bits for key, bits in given.items() if bits is not None}
        )

    @cached_property
    def _ports(self) -> tuple[tuple[Port, ...], ...]:
        return tuple(ports_of(self, m) for m in range(len(self.memories)))

    def for_layer(self, layer: Layer) -> Accelerator:
        """The machine on whose engine a layer runs: this one, unless an engine takes the layer."""
        engine = engine_of(self, layer) if self.engines else None
        machine = self if engine is None else self._made[engine.name]
        if layer.has_weights and not layer.multiplies:
            machine = machine._dense  # zeros spare reads of MACs, which such a layer has none of
        return machine.at_bits(layer.bits) if any(layer.bits) else machine

    def at_bits(self, bits: LayerBits) -> Accelerator:
        """This machine as a layer in precisions of its own sees it, see `hardware.precision`."""
        made = self._at.get(bits) or at_bits(self, bits)
        if made is not self:  # an object that holds itself is equal to no other
            self._at[bits] = made
        return made

    @cached_property
    def _at(self) -> dict[LayerBits, Accelerator]:
        return {}

    def derived(self, **changes: Any) -> Accelerator:
        """The same silicon seen otherwise: fields changed, unchecked; ports and costs of its parts stay."""
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        made = type(self).model_construct(**fields | changes)
        made.__dict__["costs"], made.__dict__["_ports"] = self.costs, self._ports
        made._decided, made._silicon = self._decided, self._silicon or self.hash
        return made

    @cached_property
    def _dense(self) -> Accelerator:
        return self if self.density == Density() else self.derived(density=Density())

    @cached_property
    def _made(self) -> dict[str, Accelerator]:
        return {engine.name: machine_of(self, engine) for engine in self.engines}

    # -- what is held --------------------------------------------------------------------------------

    @property
    def leaves_choice(self) -> bool:
        """Whether a mapper may choose what some memory holds."""
        return self._holds_choice and not self._decided

    @cached_property
    def _holds_choice(self) -> bool:
        return any(memory.holds_choice for memory in self.memories)

    @property
    def ways(self) -> tuple[Accelerator, ...]:
        """The machine of each way to hold, the same silicon; only itself where there is no choice."""
        return self._ways if self.leaves_choice else (self,)

    @cached_property
    def _ways(self) -> tuple[Accelerator, ...]:
        return ways_of(self)

    def decide(self, ports: tuple[tuple[Port, ...], ...]) -> None:
        """What the memories hold is chosen: `holds_choice` only says what could have been."""
        self._decided = True
        self.__dict__["_ports"] = ports
        self.__dict__.pop("packed", None)

    @property
    def decided(self) -> bool:
        """Whether this is one of another machine's `ways`."""
        return self._decided

    # -- energy and area -----------------------------------------------------------------------------

    @cached_property
    def costs(self) -> Costs:
        """Energy and area of every part, given or estimated."""
        return resolve(self)

    def resolved_energy(self, m: int) -> Access:
        """(pJ per bit read, pJ per bit written) of each tensor that memory `m` holds."""
        return dict(self.costs.access[m])

    @property
    def estimated(self) -> tuple[str, ...]:
        """JSON paths of the values that come from the fit and not from the file."""
        return self.costs.estimated

    @property
    def leakage_mw(self) -> float:
        """Standby power of MACs and memories."""
        memories = sum(x * self.instances(m) for m, x in enumerate(self.costs.memory_leakage_mw))
        return memories + self.num_pes * self.costs.mac.leakage_mw

    @cached_property
    def static_mw(self) -> dict[str, float]:
        """Power that is drawn as long as the chip is on: "leakage", and each component that draws any."""
        return {"leakage": self.leakage_mw} | {
            x.name: x.static_mw for x in self.costs.components if x.static_mw
        }

    @property
    def static_pj_per_cycle(self) -> float:
        """All of `static_mw` in pJ a cycle."""
        return sum(self.static_mw.values()) * 1e3 / self.clock_mhz  # mW x us per cycle = nJ; in pJ

    def static_energy_pj(self, cycles: float) -> dict[str, float]:
        """What is drawn in so many cycles whether anything happens or not, by the names of `static_mw`."""
        return {name: power * 1e3 / self.clock_mhz * cycles for name, power in self.static_mw.items()}

    @property
    def area_mm2(self) -> float:
        """Area of the whole chip: MACs, memories, array registers, and the components that the file names.

        NaN for microcontrollers, most of which is something else.
        """
        return math.nan if self.microcontroller is not None else self.costs.area_mm2

    def area_breakdown_mm2(self) -> dict[str, float]:
        """Area by memory and component name, and of "MAC" and "array"; all instances."""
        costs = self.costs
        out = {x.name: costs.memory_mm2[m] * self.instances(m) for m, x in enumerate(self.memories)}
        out |= {"MAC": costs.mac.area_um2 * 1e-6 * self.num_pes, "array": costs.array_mm2}
        return out | {x.name: x.area_mm2 for x in costs.components}

    # -- JSON ----------------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """JSON form that `load_hardware` reads back: without what is absent or default and has no source."""
        short = self.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
        if has_sources(short):
            short = with_sources_of(short, self.model_dump(mode="json"))
        return {"version": self.version, **short}

    @cached_property
    def hash(self) -> str:
        """SHA-256 of all that costs and mappings depend on: no name, notes, sources or search space."""
        short = self.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
        counted = {k: v for k, v in short.items() if k not in ("name", "search", "source", "notes")}
        if self._silicon:
            counted |= {"silicon": self._silicon, "decided": self._decided}
        text = _sorted({"version": self.version, **counted})
        if any(f'"{key}"' in text for key in UNCOUNTED):  # many machines that a search makes have none
            text = _sorted(without_sources({"version": self.version, **counted}))
        return hashlib.sha256(text.encode()).hexdigest()

    def provenance(self) -> dict[str, str | None]:
        """JSON path of every number in the file -> its source, None where the file names none."""
        out: dict[str, str | None] = {}
        data = self.to_dict()
        del data["version"]
        trace(data, "", None, out)
        return out


def _sorted(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def json_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of the hardware file."""
    schema = Accelerator.model_json_schema(mode="validation")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "accelsim hardware, version 1",
    }
