"""`Additive`: accuracy as a sum of one number per chosen gene, seen through a ceiling."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from accelsim.accuracy.base import AccuracyError
from accelsim.workloads.spaces import Space
from accelsim.workloads.spaces.genes import Genomes

RIDGE = 1.0
"""Weight of the squared effects against the squared residuals: enough to settle genes seldom seen."""

FEWEST = 20
"""A fit to fewer subnets is refused."""


@dataclass(frozen=True)
class Additive:
    """`score = intercept + sum of effects of the active genes`; top-1 = score, or ceiling - exp(-score).

    With a ceiling the effects add up in the logarithm of the gap to it: an improvement counts for less the
    better a subnet is already. Genes of skipped blocks add nothing. `effects` maps a gene's name to one
    number per value; genes that are missing have no effect.

    mae, error95, kendall   of predictions for subnets left out of the fit one at a time; points
    """

    effects: dict[str, tuple[float, ...]]
    intercept: float
    ceiling: float | None = None
    mae: float = float("nan")
    error95: float = float("nan")
    kendall: float = float("nan")
    n: int = 0
    seen: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def predict(self, space: Space, genomes: Genomes) -> NDArray[np.float64]:
        """Top-1 [n] in per cent of canonical genomes."""
        active = space.active(genomes)
        score = np.full(len(genomes), self.intercept)
        for column, gene in enumerate(space.genes):
            if gene.name in self.effects:
                score += np.where(
                    active[:, column], np.take(self.effects[gene.name], genomes[:, column]), 0.0
                )
        return self._open(score)

    def by_gene(self, space: Space) -> tuple[NDArray[np.float64], ...]:
        """Effects float64[values] of each gene of a space; top-1 rises with their sum."""
        return tuple(np.array(self.effects.get(g.name, (0.0,) * len(g.values))) for g in space.genes)

    def unseen(self, space: Space, genomes: Genomes) -> NDArray[np.bool_]:
        """[n]: whether a subnet uses a choice that none of the fitted ones had."""
        active = space.active(genomes)
        out = np.zeros(len(genomes), bool)
        for column, gene in enumerate(space.genes):
            if gene.name in self.seen:
                out |= active[:, column] & (np.take(self.seen[gene.name], genomes[:, column]) == 0)
        return out

    def _open(self, score: NDArray[np.float64]) -> NDArray[np.float64]:
        return score if self.ceiling is None else self.ceiling - np.exp(-score)

    def _close(self, top1: NDArray[np.float64]) -> NDArray[np.float64]:
        return top1 if self.ceiling is None else -np.log(self.ceiling - top1)

    # -- fitting -------------------------------------------------------------------------------------

    @classmethod
    def fit(
        cls, space: Space, genomes: Genomes, top1: ArrayLike, ceiling: float | None = None
    ) -> Additive:  # fmt: skip
        """Ridge regression on the one-hot genes, with leave-one-out cross-validation.

        Rows are distinct canonical genomes [n, genes]. Raises AccuracyError for fewer than 20 of them or a
        ceiling that is not above every value.
        """
        from scipy.stats import kendalltau

        y = np.asarray(top1, float)
        if len(y) < FEWEST:
            raise AccuracyError(f"{space.name}: a fit needs at least {FEWEST} subnets, but got {len(y)}")
        if ceiling is not None and ceiling <= y.max():
            raise AccuracyError(f"ceiling > every accuracy must hold, but got {ceiling} and {y.max()}")
        names, features = one_hot(space, genomes)
        empty = cls({}, 0.0, ceiling)
        weights, tested = _cross_validated(features, empty._close(y))
        effects: dict[str, tuple[float, ...]] = {}
        seen: dict[str, tuple[int, ...]] = {}
        for i, name in enumerate(names):
            effects[name] = (*effects.get(name, ()), float(weights[i]))
            seen[name] = (*seen.get(name, ()), int(features[:, i].sum()))
        tested = empty._open(tested)
        miss = np.abs(tested - y)
        return cls(
            effects,
            float(weights[-1]),
            ceiling,
            mae=float(miss.mean()),
            error95=float(np.quantile(miss, 0.95)),
            kendall=float(kendalltau(tested, y).statistic),
            n=len(y),
            seen=seen,
        )

    @classmethod
    def fit_ceiling(cls, space: Space, genomes: Genomes, top1: ArrayLike) -> Additive:
        """The fit with the least cross-validated error: without a ceiling, or up to 16 points above."""
        y = np.asarray(top1, float)
        above = (0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0)
        ceilings = [None, *(c for c in (round(y.max() + a, 2) for a in above) if c <= 100)]
        scales = [cls({}, 0.0, ceiling) for ceiling in ceilings]
        targets = np.stack([scale._close(y) for scale in scales], axis=1)
        _, tested = _cross_validated(one_hot(space, genomes)[1], targets)
        misses = [float(np.abs(scale._open(t) - y).mean()) for scale, t in zip(scales, tested.T)]
        return cls.fit(space, genomes, y, ceilings[int(np.argmin(misses))])

    # -- JSON ----------------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """JSON form; `from_dict` reads it back."""
        return {
            "ceiling": self.ceiling,
            "intercept": round(self.intercept, 5),
            "effects": {name: [round(x, 5) for x in values] for name, values in self.effects.items()},
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Additive:
        """Read the JSON form."""
        effects = {name: tuple(values) for name, values in data["effects"].items()}
        return cls(effects, data["intercept"], data["ceiling"])


def one_hot(space: Space, genomes: Genomes) -> tuple[list[str], NDArray[np.float64]]:
    """Gene names of the columns, and [n, columns]: 1 where a gene is active and has the column's value.

    Genes with a single value are left out; so are those that switch blocks on, as their blocks' genes say it.
    """
    active = space.active(genomes)
    switches = {part.depth.column for part in space.parts if part.depth}
    shaping = {column for part in space.parts for column in part.columns}
    names, columns = [], []
    for column, gene in enumerate(space.genes):
        if len(gene.values) == 1 or (column in switches and column not in shaping):
            continue
        for value in range(len(gene.values)):
            names.append(gene.name)
            columns.append(active[:, column] & (genomes[:, column] == value))
    return names, np.stack(columns, axis=1).astype(float)


def ridge(features: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """Least squares with the RIDGE penalty on all effects but the intercept, which comes last."""
    return _cross_validated(features, target)[0]


def _cross_validated(
    features: NDArray[np.float64], target: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights from all rows, and what each row gets from a fit without it; targets are [n] or [n, m].

    Without row i its residual is r_i / (1 - h_i), h the diagonal of the hat matrix, exactly (Allen's PRESS,
    Technometrics 1974; Golub, Heath and Wahba, Technometrics 1979): one system to solve instead of n.
    """
    x = np.hstack([features, np.ones((len(features), 1))])
    penalty = np.diag([*([RIDGE] * features.shape[1]), 0.0])
    many = target.reshape(len(x), -1)
    solved = np.linalg.solve(x.T @ x + penalty, np.hstack([x.T, x.T @ many]))
    weights = solved[:, len(x) :]
    leverage = np.einsum("ij,ji->i", x, solved[:, : len(x)])[:, None]
    tested = many - (many - x @ weights) / (1.0 - leverage)
    return weights.reshape(-1, *target.shape[1:]), tested.reshape(target.shape)
