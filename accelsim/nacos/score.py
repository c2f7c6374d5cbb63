"""`score`: regret of optimisers over the clock, many seeds, against the known answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from accelsim.cosearch.goals import front
from accelsim.errors import AccelsimError, nearest
from accelsim.nacos.game import Game, Schedules
from accelsim.nacos.optimisers import OPTIMISERS, Optimiser
from accelsim.nacos.tasks import BenchTask
from accelsim.shown import Shown

if TYPE_CHECKING:
    from accelsim.nacos.bench import Bench

SHARES = (1.0, 3.0, 10.0, 30.0)
"""Per cent of all networks on all chips."""

STEPS = 24
"""Points of a curve, at even ratios."""


@dataclass(frozen=True, repr=False)
class Score(Shown):
    """Regrets of runs.

    at       int64[points], evaluations
    regrets  optimiser -> float64[seeds, points], 1 less the share of the true front's hypervolume
    spent    optimiser -> float64[seeds, points, 2], mappings priced and networks whose accuracy was asked for
    floor    float64[seeds], regret that is left when everything is evaluated, for want of schedules
    """

    task: BenchTask
    how: str
    at: NDArray[np.int64]
    regrets: dict[str, NDArray[np.float64]]
    spent: dict[str, NDArray[np.float64]]
    floor: NDArray[np.float64]

    @property
    def size(self) -> int:
        """Networks times chips."""
        return len(self.task.bench) * len(self.task.chips)

    def brief(self) -> str:
        """What was scored."""
        made = self.task.bench.manifest
        return (
            f"NACOS-Bench {made.space}, data {made.data}: {', '.join(self.task.objectives)} on "
            f"{len(self.task.chips)} chips, schedules by {self.how}, {len(self.floor)} seeds"
        )

    def to_rows(self) -> list[dict[str, Any]]:
        """A row an optimiser and share of the space: median and quartiles of the regret; and the floor."""
        out = []
        for name, found in self.regrets.items():
            for share in SHARES:
                k = int(np.searchsorted(self.at, _paid(share, self.size)))
                low, middle, high = np.quantile(found[:, k], [0.25, 0.5, 0.75])
                mappings, asked = np.median(self.spent[name][:, k], axis=0)
                out.append(
                    {
                        "optimiser": name, "share_percent": share, "evaluations": int(self.at[k]),
                        "regret": float(middle), "regret_q25": float(low), "regret_q75": float(high),
                        "mappings": float(mappings), "accuracies": float(asked),
                        "floor": float(np.median(self.floor)),
                    }
                )  # fmt: skip
        return out


def _paid(share: float, size: int) -> int:
    return max(1, round(share * size / 100))


def score(
    bench: Bench,
    optimisers: Sequence[str] | Mapping[str, Optimiser] = (*OPTIMISERS,),
    *,
    chip: str | None = None,
    objectives: Sequence[str] | None = None,
    seeds: int = 10,
    mappings: int = 500,
    mapper: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Score:
    """Run optimisers on the task of two or more objectives, up to 30 % of the space.

    optimisers        names of shipped ones, or functions of a `Game` and a random generator by name
    chip, objectives  as in `Bench.true_front`
    mappings, mapper  how a candidate's layers are mapped, as in `Bench.simulate_eval`
    seeds             runs of each optimiser, with seeds from 0; a run's mappings have its seed too

    Raises AccelsimError for bad input.
    """
    own = optimisers if isinstance(optimisers, Mapping) else OPTIMISERS
    for name in optimisers:
        if name not in own:
            raise AccelsimError(f"optimisers: no {name!r}{nearest(name, own)}")
    if seeds < 1:
        raise AccelsimError(f"seeds: must be a whole number from 1, but got {seeds}")
    task = bench.task(chip, objectives)
    if len(task.objectives) < 2:
        raise AccelsimError("objectives: a score needs two or more, as edp,work")
    size = len(bench) * len(task.chips)
    shares = [_paid(share, size) for share in SHARES]
    at = np.unique([*np.geomspace(min(10, shares[-1]), shares[-1], STEPS).round().astype(int), *shares])
    regrets = {name: np.zeros((seeds, len(at))) for name in optimisers}
    spent = {name: np.zeros((seeds, len(at), 2)) for name in optimisers}
    floor = np.zeros(seeds)
    for seed in range(seeds):
        schedules = Schedules(task, mappings, mapper, seed)
        flat = schedules.costs.reshape(-1, len(task.objectives))
        floor[seed] = 1.0 - task.hypervolume_of(flat) / task.whole
        for n, name in enumerate(optimisers):
            game = Game(task, schedules, int(at[-1]))
            own[name](game, np.random.default_rng(seed))
            best, seen = flat[:0], 0
            for k, paid in enumerate(at.tolist()):
                found = game.after(paid)
                best = np.concatenate([best, flat[found[seen:]]])
                best, seen = best[front(best, np.repeat(True, len(best)))], len(found)
                regrets[name][seed, k] = 1.0 - task.hypervolume_of(best) / task.whole
                spent[name][seed, k] = game.spent(paid)
            if progress is not None:
                progress(seed * len(optimisers) + n + 1, seeds * len(optimisers))
    how = f"best of {mappings}" if mapper is None else f"{mapper}, {mappings} a layer"
    return Score(task, how, at, regrets, spent, floor)
