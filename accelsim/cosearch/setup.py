"""`Setup`: the objects made of a search's configuration."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import get_args

from accelsim.accuracy import KNOWN, load_source, source_file
from accelsim.accuracy.quantised import floors, quantised
from accelsim.cosearch.chips import ChipSpace, FixedChip
from accelsim.cosearch.config import SearchConfig
from accelsim.cosearch.goals import Goals
from accelsim.cosearch.mapgenes import MappingGenes
from accelsim.cosearch.metrics import Metric
from accelsim.cosearch.mixed import MixedNets, MixedSubnets, PrecisionPairs
from accelsim.cosearch.nets import FixedNets, Nets, SubnetSpace
from accelsim.cosearch.phase import Phase
from accelsim.engines import Engine
from accelsim.engines.threads import ThreadEngine
from accelsim.errors import AccelsimError, not_one_of
from accelsim.fusion import Stack
from accelsim.hardware import Accelerator, load_hardware
from accelsim.hardware.fields import DIMENSIONS
from accelsim.hardware.microcontroller import refuse
from accelsim.mapping.cost import LayerCost
from accelsim.mapping.mapper import Mapper, TemplateMapper, load_mapper
from accelsim.mapping.optimal import OptimalMapper
from accelsim.mapping.sketch import SketchMapper
from accelsim.mapping.template import Objective
from accelsim.pricing.fused import fuses
from accelsim.pricing.given import stacks_of
from accelsim.pricing.models import MODELS, CostModel, load_model
from accelsim.pricing.models.loopnest import LoopNest
from accelsim.pricing.network import Detail, NetworkPricer
from accelsim.pricing.run import Run, Tally
from accelsim.pricing.way import Way
from accelsim.workloads.network import Network
from accelsim.workloads.spaces import load_space

FIXES = ("hardware", "dataflow", "network", "mapping")
"""hardware: the chip as it is; dataflow: its array's axes and loop orders, so that only sizes vary; network:
the given ones; mapping: the template mapping."""


WHOLE = ("nested", "sequential")
"""Strategies that price whole candidates by the mapper: these may be screened, and priced with stacks."""

MIXING = ("nested", "joint")
"""Strategies that choose precisions layer by layer."""


class Setup:
    """Base chip, networks, chips and goals of a configuration, and phases made of them.

    Raises AccelsimError for whatever does not go together.
    """

    def __init__(
        self,
        config: SearchConfig,
        engine: Engine | None = None,
        columns: Mapping[str, Metric] | None = None,
    ) -> None:
        from accelsim.cosearch.optimisers import check_optimiser
        from accelsim.cosearch.strategies import check_strategy

        self.config = config
        self.engine = engine or ThreadEngine()
        self.goals = Goals.of(config.objectives, config.limits, columns)
        check_strategy(config.strategy)
        check_optimiser(config.optimiser, len(self.goals.objectives))
        MODELS.check(config.model)
        if config.model == "maestro" and config.strategy == "joint":
            raise AccelsimError("model maestro: knows dataflows, not mapping genes; use the strategy nested")
        for word in config.fix:
            if word not in FIXES:
                raise AccelsimError(f"fix: {not_one_of(word, FIXES)}")
        self.base = load_hardware(config.hardware)
        self._mappers: dict[str, Mapper] = {}
        if config.model != "microcontroller" or config.strategy == "joint":
            refuse(self.base)
        self._check_fuse()
        self.nets = self._nets()
        self.chips = self._chips()
        self._pricers: dict[CostModel, NetworkPricer] = {}
        self._sketchers: dict[CostModel, NetworkPricer] = {}
        self._finishers: dict[str, NetworkPricer] = {}
        self.clock: defaultdict[str, float] = defaultdict(float)
        """Seconds of this process by kind of work."""

    def _check_fuse(self) -> None:
        config = self.config
        if config.fuse == "none":
            return
        fuses(
            config.fuse if isinstance(config.fuse, str) else {},
            self.base,
            load_model(config.model, self.way()),
        )
        if config.strategy not in WHOLE:
            raise AccelsimError(
                f"fuse: the strategy {config.strategy} maps or bounds layers one by one; use one of "
                f"{', '.join(WHOLE)}"
            )
        if self.goals.detailed:
            raise AccelsimError(
                f"fuse: metric {self.goals.detailed[0].name} is of single layers, which stacks have none of"
            )

    def _nets(self) -> Nets:
        config = self.config
        section = None if "hardware" in config.fix else self.base.search
        widths = [] if section is None else [(one.weight, one.activation) for one in section.precision]
        layers = list(config.layer_precision)
        if layers:
            self._check_layers(widths)
        if config.space is None:
            networks = [Network.from_dict(data) for data in config.networks]
            if layers:
                known = None
                if self.goals.uses_accuracy:
                    known = floors(networks, PrecisionPairs(self.base, layers).all)
                mixed = MixedNets(networks, self.base, layers, known, config.weights)
                if not mixed.genes:
                    raise AccelsimError(
                        "layer_precision: no layer has a choice: what enters and leaves a network, and what "
                        "its file gives bits to, stays as it is"
                    )
                return mixed
            if not self.goals.uses_accuracy:
                return FixedNets(networks, weights=config.weights)
            if not widths:
                raise AccelsimError(
                    "objectives: accuracy is known for subnets of a space (--space); given networks have none"
                )
            return FixedNets(networks, quantised(networks, widths), config.weights)
        if (widths or layers) and self.goals.uses_accuracy:
            what = "layer_precision" if layers else f"search.precision of {self.base.name}"
            raise AccelsimError(
                f"objectives: accuracy of subnets is known at full precision only, and {what} varies it: "
                "leave out one of the two (bits, the mean width of operands, may stand in)"
            )
        if "network" in config.fix:
            raise AccelsimError("fix network: give the network instead of a space")
        space = load_space(config.space, config.resolutions or None)
        source = load_source(config.accuracy, space) if self.goals.uses_accuracy else None
        if source is not None and file_hash(config.accuracy) != config.accuracy_hash:
            raise AccelsimError(
                f"accuracy {config.accuracy}: the file is not the one that the search began with"
            )
        if layers:
            return MixedSubnets(space, self.base, layers, config.batch)
        return SubnetSpace(space, source, config.batch)

    def _check_layers(self, widths: Sequence[tuple[int, int]]) -> None:
        config = self.config
        if widths:
            raise AccelsimError(
                f"layer_precision: search.precision of {self.base.name} varies the chip's own precision, "
                "which layers are set against: leave out one of the two"
            )
        if config.strategy not in MIXING:
            raise AccelsimError(
                f"layer_precision: the strategy {config.strategy} does not choose precisions; use one of "
                f"{', '.join(MIXING)}"
            )
        if config.model != "accelsim":
            raise AccelsimError(
                f"layer_precision: the model {config.model} knows no precisions of layers; use accelsim"
            )
        if not isinstance(config.fuse, str):
            raise AccelsimError(
                "layer_precision: given stacks are of a network as it is; use --fuse auto or none"
            )

    def _chips(self) -> ChipSpace | FixedChip:
        if "hardware" in self.config.fix:
            return FixedChip(self.base)
        return ChipSpace(self.base, sizes_only="dataflow" in self.config.fix)

    @property
    def mapping_objective(self) -> Objective:
        """What a mapper minimises: the one objective that mappings decide; the EDP if none or several do."""
        named = [name for name in get_args(Objective) if name in self.goals.objectives]
        return named[0] if len(named) == 1 else "edp"

    def way(self, mapper: str | None = None) -> Way:
        """How a phase maps layers, if not by genes."""
        chosen = mapper or ("template" if "mapping" in self.config.fix else self.config.mapper)
        if chosen not in self._mappers:  # one object, so that equal ways are equal
            self._mappers[chosen] = load_mapper(chosen)
        return Way(self._mappers[chosen], self.mapping_objective, self.config.budget, self.config.seed)

    def phase(
        self,
        name: str,
        nets: Nets,
        chips: ChipSpace | FixedChip,
        mapper: str | None = None,
        mappings: MappingGenes | None = None,
        kind: type[Phase] = Phase,
        sketch: bool = True,
    ) -> Phase:
        """A phase that shares what is known of pairs with all phases of the same mapper.

        sketch  whether sketches may do for its candidates, where the search screens them
        """
        model = load_model(self.config.model, self.way(mapper))
        if model not in self._pricers:
            if self.goals.detailed and type(model).mapping is CostModel.mapping:
                raise AccelsimError(
                    f"metric {self.goals.detailed[0].name}: needs mappings of the layers, and the model "
                    f"{self.config.model} has none"
                )
            self._pricers[model] = self._pricer(model)
        section = self.base.search
        power = section.max_power_mw if section is not None and isinstance(chips, ChipSpace) else None
        made = kind(name, nets, chips, self.goals, self._pricers[model], mappings, power)
        made.around = self.config.around
        made.fuse, made.stacks = self.config.fuse == "auto", (self.stacks,) if self.stacks else ()
        if sketch and self.config.screen and mappings is None and screens(model):
            made.sketcher = self.sketcher(model)
        return made

    @cached_property
    def stacks(self) -> tuple[Stack, ...]:
        """Those with which every candidate is priced, if such are given."""
        given = self.config.fuse
        if isinstance(given, str):
            return ()
        nets = self.nets.all if isinstance(self.nets, FixedNets) else ()
        return stacks_of({"stacks": given}, nets)

    def run(self, chip: Accelerator, network: Network) -> Run:
        """A network on a chip as candidates are priced."""
        return Run(chip, network, stacks=self.stacks, fuse=self.config.fuse == "auto")

    def _pricer(self, model: CostModel, *details: Detail) -> NetworkPricer:
        return NetworkPricer(model, self.engine, details=[*(m.layer for m in self.goals.detailed), *details])

    def sketcher(self, model: CostModel) -> NetworkPricer:
        """Prices what `model` prices, quickly."""
        if model not in self._sketchers:
            assert isinstance(model, LoopNest)
            self._sketchers[model] = self._pricer(LoopNest(replace(model.way, mapper=SketchMapper())))
        return self._sketchers[model]

    @cached_property
    def searcher(self) -> NetworkPricer:
        """Prices layers by accelsim's model as any verb does unless told otherwise: the genetic mapper."""
        model = LoopNest(Way.of("genetic", self.mapping_objective, seed=self.config.seed))
        return self._pricers[model] if model in self._pricers else self._pricer(model)

    def mapped(self, phase: Phase) -> CostModel:
        """What maps a phase's layers: its model, or accelsim's own where that has no mappings."""
        model = phase.pricer.model
        return model if type(model).mapping is not CostModel.mapping else LoopNest(self.way())

    @property
    def exact(self) -> bool:
        """Whether designs may be finished by the exact mapper."""
        own = load_model(self.config.model, self.way())
        return "mapping" not in self.config.fix and isinstance(own, LoopNest)

    def finisher(self, patience: int) -> NetworkPricer:
        """What finishes designs: accelsim's model, each layer under the best mapping that can be found.

        Its last detail is which dimensions that spreads, see `spread_bits`.
        """
        name = f"optimal {patience}"
        if name not in self._mappers:
            self._mappers[name] = OptimalMapper(patience)
            way = Way(self._mappers[name], self.mapping_objective, None, self.config.seed)
            self._finishers[name] = self._pricer(LoopNest(way), spread_bits)
        return self._finishers[name]

    @property
    def tally(self) -> Tally:
        """Of all phases together."""
        out = Tally()
        for pricer in (*self._pricers.values(), *self._sketchers.values()):
            out.layers += pricer.tally.layers
            out.pairs += pricer.tally.pairs
            out.mappings += pricer.tally.mappings
            out.seconds += pricer.tally.seconds
        return out


def spread_bits(cost: LayerCost) -> float:
    """A bit each of `DIMENSIONS` that the mapping spreads over axes."""
    used = cost.mapping.spread
    return float(sum(1 << n for n, dim in enumerate(DIMENSIONS) if dim in used))


def screens(model: CostModel) -> bool:
    """Whether a sketch tells what the model would say, for less."""
    return isinstance(model, LoopNest) and not isinstance(model.way.mapper, TemplateMapper)


def file_hash(accuracy: str) -> str:
    """SHA-256 of what an accuracy source that is shipped answers from, "" where that cannot change."""
    name, file = source_file(accuracy)
    return str(KNOWN.load(name).fingerprint(file, accuracy)) if file or name in KNOWN.home else ""
