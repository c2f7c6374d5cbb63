"""The evolution strategy of NAAS: a normal distribution over encoded mappings that follows the best."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.mapping.encoding import allowed_on, encode, score
from accelsim.mapping.found import Status
from accelsim.mapping.mapper import Mapper
from accelsim.mapping.task import Task
from accelsim.pack import Batch
from cost_models.loopnest import layout as L

_SIGMA = 0.15  # first standard deviation around the template mapping
_SIGMA_ANYWHERE = 0.3  # and around the middle of the space
_REDRAWS = 5  # of a sample outside [0, 1]^n, before it is put on the border


class CmaesMapper(Mapper):
    """CMA-ES on NAAS's encoding; samples that do not fit the chip are drawn again, and count.

    Lin, Yang and Han, DAC 2021, section 3.1; update rules and their constants: Hansen, The CMA Evolution
    Strategy: A Tutorial (arXiv 1604.00772), table 1 and figure 6.
    """

    name = "cmaes"

    def search(self, task: Task, start: Batch) -> tuple[Batch, int, Status, Any]:
        """The best sample of all generations, or the start."""
        live = _live_genes(task)
        if not len(live):
            return start, 0, "done", None
        genes = encode(task, start)
        if task.start == "none":
            genes[live] = 0.5
        state = _State(genes[live], _SIGMA_ANYWHERE if task.start == "none" else _SIGMA)
        rng = np.random.default_rng(task.seed)
        best, least, done = start, float(task.score(start)[0]), 0
        while done < task.evaluations:
            kept: list[NDArray[np.float64]] = []
            costs: list[float] = []
            while len(kept) < state.size and done < task.evaluations:
                if task.cancelled():
                    return best, done, "cancelled", None
                points = state.draw(rng, min(state.size - len(kept), task.evaluations - done))
                rows = np.tile(genes, (len(points), 1))
                rows[:, live] = points
                batch, cost = score(task, rows)
                done += len(points)
                row = int(np.argmin(cost))
                if cost[row] < least:
                    best, least = batch.take([row]), float(cost[row])
                kept += list(points[np.isfinite(cost)])
                costs += cost[np.isfinite(cost)].tolist()
            if len(kept) == state.size:
                state.learn(np.array(kept)[np.argsort(costs, kind="stable")])
        return best, done, "budget", None


def _live_genes(task: Task) -> NDArray[np.intp]:
    """Places of the genes that can change the mapping of this layer on this chip."""
    from cost_models.mappers import genes as X

    allowed = allowed_on(task.hardware)
    M = len(task.machine.holds)
    here = [d for d in range(L.NDIM) if task.problem[d] > 1]
    out: list[int] = []
    for m in range(M):
        at = X.BLOCK * m
        if m < M - 1:  # the last memory hands out single elements, in whatever order
            out += [at + X.ORDER + d for d in here if allowed.norders[m] != 1]
            out += [at + X.RATIO + d for d in here]
        for a in range(len(task.hardware.memories[m].fanout)):
            may = [d for d in here if allowed.axes[m, a] >> d & 1]
            if task.machine.fan[m, a, L.AXIS_SIZE] > 1 and may:
                axis = X.place_of_axis(m, a, M)
                out += [axis + d for d in may if len(may) > 1] + [axis + L.NDIM]
    return np.array(out, np.intp)


class _State:
    """The distribution: mean, step size, covariance and the two evolution paths."""

    def __init__(self, mean: NDArray[np.float64], sigma: float) -> None:
        n = len(mean)
        self.mean, self.sigma, self.n = mean, sigma, n
        self.size = 4 + int(3 * math.log(n))
        weights = np.log((self.size + 1) / 2) - np.log(np.arange(1, self.size // 2 + 1))
        self.weights = weights / weights.sum()
        self.mass = float(1.0 / (self.weights**2).sum())
        self.c_sigma = (self.mass + 2) / (n + self.mass + 5)
        self.damping = 1 + 2 * max(0.0, math.sqrt((self.mass - 1) / (n + 1)) - 1) + self.c_sigma
        self.c_path = (4 + self.mass / n) / (n + 4 + 2 * self.mass / n)
        self.c_one = 2 / ((n + 1.3) ** 2 + self.mass)
        self.c_many = min(1 - self.c_one, 2 * (self.mass - 2 + 1 / self.mass) / ((n + 2) ** 2 + self.mass))
        self.norm = math.sqrt(n) * (1 - 1 / (4 * n) + 1 / (21 * n * n))  # of a standard normal vector
        self.covariance = np.eye(n)
        self.path, self.path_sigma = np.zeros(n), np.zeros(n)
        self.generation = 0
        self._decompose()

    def _decompose(self) -> None:
        values, self.axes = np.linalg.eigh(self.covariance)
        self.lengths = np.sqrt(np.maximum(values, 1e-20))

    def draw(self, rng: np.random.Generator, count: int) -> NDArray[np.float64]:
        """`count` samples in [0, 1]^n."""
        spread = self.axes * (self.sigma * self.lengths)
        points = self.mean + rng.standard_normal((count, self.n)) @ spread.T
        for _ in range(_REDRAWS):
            outside = np.flatnonzero(((points < 0) | (points > 1)).any(axis=1))
            points[outside] = self.mean + rng.standard_normal((len(outside), self.n)) @ spread.T
        return np.asarray(np.clip(points, 0.0, 1.0))

    def learn(self, ranked: NDArray[np.float64]) -> None:
        """Move towards the better half of a generation, the best first."""
        self.generation += 1
        steps = (ranked[: len(self.weights)] - self.mean) / self.sigma
        step = self.weights @ steps
        self.mean = self.mean + self.sigma * step
        white = self.axes @ ((self.axes.T @ step) / self.lengths)
        c = self.c_sigma
        self.path_sigma = (1 - c) * self.path_sigma + math.sqrt(c * (2 - c) * self.mass) * white
        length = float(np.linalg.norm(self.path_sigma))
        fading = math.sqrt(1 - (1 - c) ** (2 * self.generation))
        straight = length / fading < (1.4 + 2 / (self.n + 1)) * self.norm
        c = self.c_path
        self.path = (1 - c) * self.path + straight * math.sqrt(c * (2 - c) * self.mass) * step
        missing = (1 - straight) * c * (2 - c)
        old = 1 - self.c_one - self.c_many + self.c_one * missing
        self.covariance = (
            old * self.covariance
            + self.c_one * np.outer(self.path, self.path)
            + self.c_many * (steps.T * self.weights) @ steps
        )
        self.sigma *= math.exp(min(1.0, self.c_sigma / self.damping * (length / self.norm - 1)))
        if self.generation % max(1, int(1 / (10 * self.n * (self.c_one + self.c_many)))) == 0:
            self._decompose()
