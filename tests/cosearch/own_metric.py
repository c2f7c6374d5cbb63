"""Metrics of a user's own, as `tests.cosearch.own_metric:Name`."""

from __future__ import annotations

import math

from accelsim.cosearch.metrics import Candidate, Metric
from accelsim.mapping.cost import LayerCost


class Speed(Metric):
    """Inferences a second and mm2: more is better."""

    name, unit, maximise, needs = "speed", "/s/mm2", True, ("cost",)

    def of(self, candidate: Candidate) -> float:
        return 1.0 / candidate.latency_s / candidate.chip.area_mm2


class Lanes(Metric):
    """MACs of the chip, of which it takes a weight."""

    name = "lanes"

    def __init__(self, weight: float = 1.0) -> None:
        self.weight = weight

    def of(self, candidate: Candidate) -> float:
        return self.weight * candidate.chip.num_pes


class Slowest(Metric):
    """Seconds of the slowest layer."""

    name, unit, needs = "slowest", "s", ("layers",)

    def layer(self, cost: LayerCost) -> float:
        return cost.latency_s

    def of(self, candidate: Candidate) -> float:
        return max(float(seconds.max(initial=-math.inf)) for seconds in candidate.layers["slowest"])


class Broken(Metric):
    """Fails."""

    name = "broken"

    def of(self, candidate: Candidate) -> float:
        return 1 / 0


class Shadow(Metric):
    """Takes the name of another."""

    name = "edp"

    def of(self, candidate: Candidate) -> float:
        return 0.0


class Nameless(Metric):
    """Has a name that is no column."""

    name = "Two words"

    def of(self, candidate: Candidate) -> float:
        return 0.0
