"""`Metric`: a figure of a candidate, to minimise, to limit, to keep. `METRICS` finds them by name."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from statistics import NormalDist
from typing import TYPE_CHECKING, cast

from accelsim.errors import AccelsimError
from accelsim.names import Registry

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from accelsim.hardware import Accelerator
    from accelsim.liveness import MemoryPlan
    from accelsim.mapping.cost import LayerCost
    from accelsim.workloads.network import Network

NEEDS = ("accuracy", "cost", "layers")
"""What a metric may need beyond chip and networks: a predicted accuracy, latency and energy, the cost of each
layer under its mapping."""

RESERVED = frozenset({"generation", "row", "genome", "network", "hardware", "feasible", "excess"})
"""Columns of a study beside its metrics."""


class Candidate:
    """What a metric may ask of a candidate.

    chip       the accelerator
    networks   what runs on it; several are given networks
    weights    of several networks in geometric means; empty: all alike
    macs       multiply-accumulates of an inference; of several networks the geometric mean, as all costs
    accuracy   top-1 in per cent, NaN where not known
    error      half-width in points of the interval that holds the true accuracy in 95 of 100 cases
    latency_s, energy_j  of an inference; NaN if not priced, infinite where a layer has no mapping
    layers     metric name -> for each network float64[layers], what `Metric.layer` said
    """

    def __init__(
        self, chip: Accelerator, networks: Callable[[], tuple[Network, ...]], macs: float, accuracy: float,
        error: float = math.nan,
    ) -> None:  # fmt: skip
        self.chip, self.macs, self.accuracy, self.error = chip, macs, accuracy, error
        self._networks = networks
        self.latency_s = self.energy_j = math.nan
        self.layers: dict[str, list[NDArray[np.float64]]] = {}
        self.weights: tuple[float, ...] = ()

    @cached_property
    def networks(self) -> tuple[Network, ...]:
        """Made when asked for, as some candidates are judged without."""
        return self._networks()


class Metric(ABC):
    """A figure of a candidate: finite, infinite where the candidate is unusable, NaN where it is not known.

    name         of its column in studies and tables, and in `max_NAME` or `min_NAME`
    unit         of the value
    maximise     whether more is better; a limit is then a least value, else a largest
    needs        see `NEEDS`; without "cost" and "layers", its limit is judged before anything is mapped
    logarithmic  whether values span decades, so that fronts are measured by their logarithm
    version      changes whenever the same candidate gets another value: a study keeps it
    """

    name: str
    unit: str = ""
    maximise: bool = False
    needs: tuple[str, ...] = ()
    logarithmic: bool = False
    version: str = "1"

    @abstractmethod
    def of(self, candidate: Candidate) -> float:
        """The value. It depends on the candidate alone."""

    def layer(self, cost: LayerCost) -> float:
        """A figure of one layer, for metrics that need "layers"; `of` finds them in `candidate.layers`."""
        raise NotImplementedError

    @property
    def mapped(self) -> bool:
        """Whether it depends on how layers are mapped."""
        return "cost" in self.needs or "layers" in self.needs

    @property
    def bound(self) -> str:
        """Name of its limit."""
        return ("min_" if self.maximise else "max_") + self.name


class Edp(Metric):
    """Energy-delay product."""

    name, unit, needs, logarithmic = "edp", "Js", ("cost",), True

    def of(self, candidate: Candidate) -> float:
        """Latency times energy."""
        return candidate.latency_s * candidate.energy_j


class Latency(Metric):
    """Of an inference."""

    name, unit, needs, logarithmic = "latency", "s", ("cost",), True

    def of(self, candidate: Candidate) -> float:
        """As priced."""
        return candidate.latency_s


class Energy(Metric):
    """Of an inference."""

    name, unit, needs, logarithmic = "energy", "J", ("cost",), True

    def of(self, candidate: Candidate) -> float:
        """As priced."""
        return candidate.energy_j


class Power(Metric):
    """Average over an inference."""

    name, unit, needs = "power", "mW", ("cost",)

    def of(self, candidate: Candidate) -> float:
        """Energy over latency."""
        return candidate.energy_j / candidate.latency_s * 1e3


class Area(Metric):
    """Of the chip, as its file counts it."""

    name, unit = "area", "mm2"

    def of(self, candidate: Candidate) -> float:
        """See `Accelerator.area_mm2`."""
        return candidate.chip.area_mm2


class Macs(Metric):
    """Multiply-accumulates of an inference."""

    name = "macs"

    def of(self, candidate: Candidate) -> float:
        """As counted."""
        return candidate.macs


class Work(Macs):
    """Multiply-accumulates, more is better: a stand-in where no accuracy is known, and no accuracy."""

    name, maximise = "work", True


class AccuracyMetric(Metric):
    """Top-1, from the search's accuracy source."""

    name, unit, maximise, needs = "accuracy", "%", True, ("accuracy",)

    def of(self, candidate: Candidate) -> float:
        """As predicted."""
        return candidate.accuracy


class Accuracy95(Metric):
    """Top-1 that the truth is at least in 95 of 100 cases, errors being normal."""

    name, unit, maximise, needs = "accuracy_95", "%", True, ("accuracy",)

    def of(self, candidate: Candidate) -> float:
        """Below the predicted one by the share of its error that one side of 95 % takes."""
        normal = NormalDist()
        return candidate.accuracy - candidate.error * normal.inv_cdf(0.95) / normal.inv_cdf(0.975)


class DramWords(Metric):
    """Elements read and written at the outermost memory; of several networks the geometric mean."""

    name, needs, logarithmic = "dram_words", ("layers",), True

    def layer(self, cost: LayerCost) -> float:
        """Partial sums that come back counted each time."""
        outermost = cost.hardware.memories[0].name
        return float(sum(row["words"] for row in cost.accesses if row["memory"] == outermost))

    def of(self, candidate: Candidate) -> float:
        """Summed over layers."""
        return mean((float(words.sum()) for words in candidate.layers[self.name]), candidate.weights)


class PeakMemory(Metric):
    """Most bytes of activations that live at once, by `accelsim.memory_plan`; of several networks the most.

    A property of the networks and of the chip's widths alone.
    """

    name, unit = "peak_memory", "B"

    def plans(self, candidate: Candidate) -> list[MemoryPlan]:
        """A plan a network: depthwise layers in place, the best order of layers."""
        from accelsim.liveness import memory_plan

        return [memory_plan(net, candidate.chip) for net in candidate.networks]

    def of(self, candidate: Candidate) -> float:
        """The largest peak."""
        return float(max(plan.peak for plan in self.plans(candidate)))


class Flash(PeakMemory):
    """Bytes of weights, and 8 an output channel for bias and scale; of several networks the most."""

    name = "flash"

    def plans(self, candidate: Candidate) -> list[MemoryPlan]:
        """Plans whose order does not matter."""
        from accelsim.liveness import memory_plan

        return [memory_plan(net, candidate.chip, reorder=False) for net in candidate.networks]

    def of(self, candidate: Candidate) -> float:
        """The largest network's."""
        return float(max(plan.flash for plan in self.plans(candidate)))


class Params(Metric):
    """Parameters; of several networks the geometric mean.

    More is better: it stands in for a quality that nobody has measured. `flash` is their price.
    """

    name, maximise, logarithmic = "params", True, True

    def of(self, candidate: Candidate) -> float:
        """As frameworks count them."""
        return mean((float(net.params) for net in candidate.networks), candidate.weights)


class Capacity(Metric):
    """Fisher potential at initialisation, see `accelsim.workloads.capacity`: no accuracy, nothing is trained.

    The mean over its seeds, each a pass through the network; of several networks the geometric mean.
    """

    name, maximise, logarithmic = "capacity", True, True

    def of(self, candidate: Candidate) -> float:
        """Of the networks at the size that they have."""
        from accelsim.workloads.capacity import fisher

        return mean((fisher(net).mean for net in candidate.networks), candidate.weights)


class OperandBits(Metric):
    """Bits of an operand, the mean of weights and inputs over multiply-accumulates, with several networks the
    geometric mean.

    More is better: it stands in for what narrow layers lose, which nobody has measured, and is no accuracy.
    """  # fmt: skip

    name, unit, maximise = "bits", "bit", True

    def of(self, candidate: Candidate) -> float:
        """Of each layer its own precisions, else the chip's."""
        own, out = candidate.chip.precision_bits, []
        for net in candidate.networks:
            bits = sum(
                x.macs * ((x.bits.weight or own.weight) + (x.bits.input or own.input)) for x in net.layers
            )
            out.append(bits / (2 * net.macs) if net.macs else (own.weight + own.input) / 2)
        return mean(out, candidate.weights)


METRICS = Registry(
    "metric",
    {
        kind.name: f"{__name__}:{kind.__name__}"
        for kind in (
            Edp, Latency, Energy, Power, Area, Macs, AccuracyMetric, Accuracy95, DramWords, PeakMemory,
            Flash, Work, Params, Capacity, OperandBits,
        )
    },
    "accelsim.metric",
    "accelsim.cosearch.metrics:Metric",
)  # fmt: skip

ALWAYS = ("edp", "latency", "energy", "power", "area", "macs", "accuracy")
"""Kept for every candidate, as they cost nothing; others where they are asked for."""


def load_metric(metric: str | Metric | type[Metric]) -> Metric:
    """A metric by name, class or as it is. Raises AccelsimError for an unknown or ill-made one."""
    found = cast(Metric, METRICS.make(metric))
    name = getattr(found, "name", None)
    plain = isinstance(name, str) and name.isascii() and name.isidentifier() and name == name.lower()
    if not plain or name in RESERVED or len(str(name)) > 40:
        raise AccelsimError(
            f"metric {type(found).__name__}: its name must be a word of small letters, digits and _, at most "
            f"40 of them and none of {', '.join(sorted(RESERVED))}, but is {name!r}"
        )
    if name in METRICS.home and type(found) is not type(METRICS.make(name)):
        raise AccelsimError(
            f"metric {type(found).__name__}: {name!r} is the name of another; choose a new one"
        )
    for word in found.needs:
        if word not in NEEDS:
            raise AccelsimError(f"metric {name}: needs must be among {', '.join(NEEDS)}, but got {word!r}")
    return found


def value_of(metric: Metric, candidate: Candidate) -> float:
    """The metric's value of a candidate. Raises AccelsimError where that does not work."""
    try:
        return float(metric.of(candidate))
    except AccelsimError:
        raise
    except Exception as fault:
        raise AccelsimError(
            f"metric {metric.name}: its `of` must return a number, but: {type(fault).__name__}: {fault}"
        ) from fault


def mean(values: Iterable[float], weights: Sequence[float] = ()) -> float:
    """Geometric mean, weighted if there are weights; of one value that value."""
    found = list(values)
    if weights and len(found) > 1:
        return math.exp(math.fsum(w * math.log(v) for w, v in zip(weights, found)) / math.fsum(weights))
    return found[0] if len(found) == 1 else math.exp(math.fsum(map(math.log, found)) / len(found))
