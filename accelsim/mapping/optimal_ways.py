"""The exact mapper where memories leave a choice: a search for each way to hold, each cut by all."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from accelsim.mapping.mapspace import MapSpace

if TYPE_CHECKING:
    from accelsim.mapping.certificate import Front, FrontPoint, OptimalResult
    from accelsim.mapping.found import Status
    from accelsim.mapping.optimal_search import Search
    from accelsim.pack import Batch


class Ways:
    """One `Search` for each way to hold, taken by the least that any mapping costs there.

    What one finds is the bound that the next begins with; ways whose least is no better are not searched.
    """

    def __init__(self, searches: list[Search], space: MapSpace) -> None:
        self.searches, self.space = searches, space
        self.began = time.perf_counter()
        self.pruned = 0

    def begin(self, way: int, batch: Batch) -> None:
        """A known mapping on one of the ways, or one more."""
        self.searches[way].begin(batch)

    def run(
        self,
        budget_s: float | None,
        max_nodes: int | None,
        budget: int | None,
        cancel: Callable[[], bool] | None,
    ) -> Status:
        """Search all until done (optimal) or told to stop; each has the candidates and prices to itself."""
        several = len(self.searches) > 1
        deadline = None if budget_s is None else self.began + budget_s
        ended: Status = "optimal"
        for search in sorted(self.searches, key=lambda search: search.least):
            for other in self.searches if several else ():
                search.cut(other)
            if several and search.hopeless:
                self.pruned += 1
                continue
            late = deadline is not None and time.perf_counter() >= deadline
            if several and (late or (cancel is not None and cancel())):
                search.lower_bound = search.least
                ended = "budget" if late else "cancelled"
                continue
            search.began = self.began
            status = search.run(budget_s, max_nodes, budget, cancel)
            ended = status if ended == "optimal" else ended
        return ended

    def _spent(self) -> tuple[int, int]:
        """Candidates looked at and mappings priced."""
        nodes, priced = np.sum([search.nodes for search in self.searches], axis=0).tolist()
        return nodes, priced

    def result(self, complete: bool) -> OptimalResult | None:
        """The best mapping of all ways and what is proved about it."""
        best = min(self.searches, key=lambda search: (search.best[0, 0], not search.own))
        found = best.result(complete)
        if found is None or len(self.searches) == 1:
            return found
        nodes, priced = self._spent()
        sure = found.certificate
        bound = min(search.lower_bound for search in self.searches)
        certificate = replace(
            sure,
            lower_bound=sure.optimum if complete else min(sure.optimum, float(bound)),
            space=self.space,
            nodes=nodes,
            pruned=self._cut(),
            evaluations=priced,
            seconds=time.perf_counter() - self.began,
            ways=len(self.searches),
        )
        return replace(found, certificate=certificate)

    def front(self, complete: bool) -> Front:
        """The points of all ways that none of another beats."""
        fronts = [search.front(complete) for search in self.searches]
        if len(fronts) == 1:
            return fronts[0]
        points = sorted((p for x in fronts for p in x.points), key=lambda p: (p.latency_cycles, p.energy_pj))
        kept: list[FrontPoint] = []
        for point in points:
            if not kept or point.energy_pj < kept[-1].energy_pj:
                kept.append(point)
        nodes, priced = self._spent()
        return replace(
            fronts[0], points=tuple(kept), space=self.space, nodes=nodes, pruned=self._cut(),
            evaluations=priced, seconds=time.perf_counter() - self.began,
        )  # fmt: skip

    def _cut(self) -> dict[str, int]:
        """How many branches each rule cut, whole ways to hold among them."""
        rules = [search.cuts for search in self.searches]
        return {"ways to hold": self.pruned} | {rule: sum(cut[rule] for cut in rules) for rule in rules[0]}
