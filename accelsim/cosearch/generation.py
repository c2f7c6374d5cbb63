"""A generation of a search, and its form in a study's tables."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.cosearch.genes import Genomes
from accelsim.cosearch.screen import BOUNDED, MAPPED


@dataclass(frozen=True)
class Generation:
    """What one generation asked and learned.

    rows      genomes int64[n, genes of the phase]
    values    float64[n, metrics of the study]
    excess    float64[n, limits + 1], see `Phase.excess`
    networks, hardware  label of each row's network, its chip in a few words
    levels    int64[n], what the figures of each row are, see `screen.LEVELS`
    layers, pairs, mappings  asked for; work of the process that wrote this generation: pairs that it had to
              map, mappings evaluated for them (after a break, pairs of earlier generations count again)
    rejected  rows drawn but not evaluated, by reason
    """

    phase: str
    rows: Genomes
    values: NDArray[np.float64]
    excess: NDArray[np.float64]
    networks: tuple[str, ...]
    hardware: tuple[str, ...]
    levels: NDArray[np.int64]
    seconds: float = 0.0
    layers: int = 0
    pairs: int = 0
    mappings: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    rng: str = ""

    @property
    def feasible(self) -> NDArray[np.bool_]:
        """[n] rows that meet all limits."""
        return np.asarray((self.excess <= 0).all(axis=1))


def digest_of(head: Sequence[Any], rows: Sequence[Sequence[Any]]) -> str:
    """SHA-256 of a generation as SQLite gives it back, which itself does not notice a flipped bit."""
    return hashlib.sha256(repr((tuple(head), [tuple(row) for row in rows])).encode()).hexdigest()


def read_generation(head: Sequence[Any], rows: Sequence[Sequence[Any]], metrics: int) -> Generation | None:
    """A generation from its rows in the tables; None where they do not hold what they must."""
    _, phase, _, seconds, layers, pairs, mappings, rejected, rng = head
    try:
        counts = dict(json.loads(rejected))
        made = Generation(
            phase,
            np.array([np.frombuffer(row[2], "<i8") for row in rows], np.int64),
            np.array(
                [[np.nan if v is None else v for v in row[7 : 7 + metrics]] for row in rows], np.float64
            ),
            np.array([json.loads(row[6]) for row in rows], np.float64),
            tuple(row[3] for row in rows),
            tuple(row[4] for row in rows),
            np.array([row[7 + metrics] if len(row) > 7 + metrics else MAPPED for row in rows]),
            float(seconds),
            layers,
            pairs,
            mappings,
            counts,
            rng,
        )
        texts = (phase, rng, *made.networks, *made.hardware, *counts)
        numbers = (layers, pairs, mappings, *counts.values())
        right = (
            made.rows.ndim == made.values.ndim == made.excess.ndim == 2
            and all(isinstance(x, str) for x in texts)
            and all(isinstance(x, int) and x >= 0 for x in numbers)
            and made.levels.dtype.kind == "i"
            and bool(((made.levels >= BOUNDED) & (made.levels <= MAPPED)).all())
        )
    except (TypeError, ValueError, KeyError, IndexError, OverflowError, RecursionError):
        return None
    return made if right else None
