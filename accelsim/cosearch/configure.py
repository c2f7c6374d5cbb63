"""`configure`: the arguments of a search, names and objects alike, as a checked configuration."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from accelsim.accuracy import KNOWN, AccuracySource, check_source, default_source, load_source, source_file
from accelsim.cosearch.config import SearchConfig
from accelsim.cosearch.goals import Goals
from accelsim.cosearch.metrics import Metric
from accelsim.cosearch.nets import SubnetSpace
from accelsim.cosearch.optimisers.base import OPTIMISERS, Optimiser
from accelsim.cosearch.setup import WHOLE, Setup, file_hash, screens
from accelsim.cosearch.strategies.base import STRATEGIES, Strategy, load_strategy
from accelsim.errors import AccelsimError, nearest
from accelsim.hardware import Accelerator, load_hardware
from accelsim.mapping.mapper import MAPPERS, Mapper
from accelsim.pricing.fused import fuses
from accelsim.pricing.given import Fuse, told_fuse
from accelsim.pricing.models import MODELS, CostModel, load_model
from accelsim.pricing.way import DEFAULT_MAPPER, Way
from accelsim.workloads.bits import MAX_BITS
from accelsim.workloads.load import load_network
from accelsim.workloads.network import Network
from accelsim.workloads.spaces import SPACES, Space


def configure(
    hardware: Accelerator | str | dict[str, Any],
    space: str | Space | None = None,
    networks: Network | str | dict[str, Any] | Sequence[Network | str | dict[str, Any]] | None = None,
    *,
    objectives: Sequence[str | Metric | type[Metric]] | str | Metric | type[Metric] | None = None,
    limits: Mapping[Any, float] | None = None,
    strategy: str | type[Strategy] = "nested",
    optimiser: str | type[Optimiser] = "nsga2",
    population: int = 64,
    mapper: str | Mapper | type[Mapper] = DEFAULT_MAPPER,
    budget: int | None = None,
    seed: int = 0,
    fix: Sequence[str] | str = (),
    accuracy: str | AccuracySource | type[AccuracySource] | None = None,
    batch: int = 1,
    resolution: int | None = None,
    model: str | CostModel | type[CostModel] = "accelsim",
    fuse: Fuse = None,
    screen: bool | None = None,
    **bounds: Any,
) -> SearchConfig:
    """A checked configuration; arguments as in `search`. Raises AccelsimError."""
    if (space is None) == (networks is None):
        raise AccelsimError("search: give either a space of subnets or networks")
    for name, value, least in (
        ("population", population, 2),
        ("batch", batch, 1),
        ("seed", seed, 0),
    ):
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value < 2**31:
            raise AccelsimError(f"{name}: must be a whole number from {least}, but got {value!r}")
    given: list[Any] = []
    if networks is not None:
        given = list(networks) if isinstance(networks, list | tuple) else [networks]
        if not given:
            raise AccelsimError("networks: name at least one")
    loaded = [load_network(net, batch=None if batch == 1 else batch, resolution=resolution) for net in given]
    weighed = check_weights(bounds.pop("weights", None), len(loaded))
    base = load_hardware(hardware)
    layers = check_pairs(bounds.pop("layer_precision", None), base)
    if base.microcontroller is not None:  # what it is decides what can be searched
        flash, sram = (memory.total_bytes for memory in base.memories)
        limits = {"peak_memory": sram, "flash": flash} | dict(limits or {})
        fix = ["hardware", *(fix.replace(",", " ").split() if isinstance(fix, str) else fix)]
        model = "microcontroller" if model == "accelsim" else model
        objectives = ("work", "peak_memory") if objectives is None else objectives
    if objectives is None:
        objectives = ("edp", "accuracy") if space is not None else ("edp",)
    for word in bounds:
        if not word.startswith(("max_", "min_")):
            known = (*(configure.__kwdefaults__ or ()), "weights", "layer_precision")
            raise AccelsimError(f"search: there is no option {word!r}{nearest(word, known)}")
    wanted = {**(limits or {}), **bounds}
    goals = Goals.of(objectives, {name: value for name, value in wanted.items() if value is not None})
    way = Way.of(mapper, budget=budget, seed=seed)
    accuracy = default_source(space) if accuracy is None else accuracy
    if not isinstance(accuracy, str):
        accuracy = KNOWN.name_of(accuracy)
    check_source(accuracy)
    fixed = tuple(fix.replace(",", " ").split()) if isinstance(fix, str) else tuple(fix)
    told = told_fuse(fuse, loaded)
    if told is None:
        able = STRATEGIES.name_of(strategy) in WHOLE and not goals.detailed
        told = "auto" if able and fuses(None, base, load_model(model, way)) else "none"
    if screen is None:
        screen = STRATEGIES.name_of(strategy) in WHOLE and screens(load_model(model, way))
    accuracy_hash = file_hash(accuracy)
    config = SearchConfig(
        hardware=base.to_dict(),
        space=None if space is None else SPACES.name_of(space),
        networks=tuple(net.to_dict() for net in loaded),
        batch=batch,
        resolutions=() if resolution is None or space is None else (resolution,),
        objectives=tuple(goals.sources[name] for name in goals.objectives),
        limits={goals.sources[name]: limit for name, limit in goals.limits.items()},
        strategy=STRATEGIES.name_of(strategy),
        optimiser=OPTIMISERS.name_of(optimiser),
        population=population,
        mapper=MAPPERS.name_of(mapper),
        budget=way.budget,
        seed=seed,
        fix=tuple(dict.fromkeys(word for word in fixed if word != "network" or space is not None)),
        accuracy=accuracy,
        accuracy_hash=accuracy_hash if space is not None else "",
        model=MODELS.name_of(model),
        fuse=told,
        screen=screen,
        weights=weighed,
        around=True,
        layer_precision=layers,
    )
    setup = Setup(config)
    if isinstance(setup.nets, SubnetSpace) and source_file(accuracy)[1] and not setup.goals.uses_accuracy:
        load_source(accuracy, setup.nets.space)
    load_strategy(setup)
    return config


def check_pairs(given: Sequence[Any] | str | None, base: Accelerator) -> tuple[tuple[int, int], ...]:
    """Bits of weights and activations that layers may have: as given, else as `search.layer_precision` says.

    Raises AccelsimError unless they are pairs of whole numbers from 1 to 64, or text like "4x4,4x8".
    """
    if given is None:
        section = () if base.search is None else base.search.layer_precision
        return tuple((one.weight, one.activation) for one in section)
    words = given.replace(",", " ").split() if isinstance(given, str) else given
    out: dict[tuple[int, int], None] = {}
    for word in words:
        try:
            weight, activation = (
                map(int, word.split("x")) if isinstance(word, str) else (read_whole(bits) for bits in word)
            )
        except (TypeError, ValueError):
            weight = activation = 0
        if not (1 <= weight <= MAX_BITS and 1 <= activation <= MAX_BITS):
            raise AccelsimError(
                f"layer_precision: must be bits of weights and activations, whole numbers from 1 to "
                f"{MAX_BITS}, but got {word!r:.80}; write them as 4x4,4x8"
            )
        out[weight, activation] = None
    return tuple(out)


def read_whole(value: Any) -> int:
    """A whole number. Raises TypeError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError
    return value


def check_weights(weights: Sequence[float] | str | None, networks: int) -> tuple[float, ...]:
    """Weights of given networks, numbers or text like "3,1"; none where they say nothing.

    Raises AccelsimError unless there is a number above 0 for each of several networks.
    """
    if weights is None:
        return ()
    words: Any = weights.replace(",", " ").split() if isinstance(weights, str) else weights
    try:
        found = tuple(float(word) for word in words)
    except (TypeError, ValueError):
        found = ()
    if len(found) < 2 or len(found) != networks or not all(0 < weight < math.inf for weight in found):
        raise AccelsimError(
            f"weights: must be a number above 0 for each of several networks ({networks} given), but got "
            f"{weights!r}; write them as 3,1"
        )
    return found if len(set(found)) > 1 else ()
