"""`Limits`: which subnets of a space are allowed, by MACs and parameters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from accelsim.errors import AccelsimError
from accelsim.workloads.spaces.base import Genomes, Space


@dataclass(frozen=True)
class Limits:
    """Bounds on multiply-accumulates and parameters of one input; None is no bound.

    Raises AccelsimError where a lower bound is above its upper bound, or a bound is not positive.
    """

    min_macs: float | None = None
    max_macs: float | None = None
    min_params: float | None = None
    max_params: float | None = None

    def __post_init__(self) -> None:
        for what in ("macs", "params"):
            low, high = getattr(self, f"min_{what}"), getattr(self, f"max_{what}")
            for value, name in ((low, f"min_{what}"), (high, f"max_{what}")):
                if value is not None and not 0 < value < np.inf:
                    raise AccelsimError(f"{name} must be a positive number, but got {value}")
            if low is not None and high is not None and low > high:
                raise AccelsimError(f"min_{what} <= max_{what} must hold, but got {low:g} and {high:g}")

    def violations(self, space: Space, genomes: ArrayLike) -> NDArray[np.float64]:
        """[n, bounds]: how far each bound is missed, relative to the bound; at most 0 where it holds."""
        macs, params = space.macs(genomes), space.params(genomes)
        columns = [
            sign * (values / bound - 1.0)
            for values, bound, sign in (
                (macs, self.min_macs, -1),
                (macs, self.max_macs, 1),
                (params, self.min_params, -1),
                (params, self.max_params, 1),
            )
            if bound is not None
        ]
        return np.stack(columns, axis=1) if columns else np.zeros((len(macs), 0))

    def allows(self, space: Space, genomes: ArrayLike) -> NDArray[np.bool_]:
        """[n]: whether every bound holds."""
        return np.asarray((self.violations(space, genomes) <= 0).all(axis=1))

    def sample(self, space: Space, rng: np.random.Generator, n: int, tries: int = 1000) -> Genomes:
        """`n` canonical genomes within the bounds, by rejection.

        Raises AccelsimError after `tries` rounds of max(n, 256) draws without enough of them.
        """
        kept: list[Genomes] = []
        found = 0
        for _ in range(tries):
            drawn = space.sample(rng, max(n, 256))
            kept.append(drawn[self.allows(space, drawn)])
            found += len(kept[-1])
            if found >= n:
                return np.concatenate(kept)[:n]
        low, high = (space.macs(x)[0] for x in (space.smallest(), space.largest()))
        raise AccelsimError(
            f"only {found} of {n} subnets of {space.name} within {self} were found in {tries * max(n, 256)} "
            f"draws; MACs range from {low} to {high}"
        )
