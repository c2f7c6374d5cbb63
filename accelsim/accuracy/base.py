"""`AccuracySource`: the one interface to what is known about the accuracy of subnets."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from accelsim.errors import AccelsimError
from accelsim.text_file import read_bytes
from accelsim.workloads.spaces import Space, Subnet, load_space
from accelsim.workloads.spaces.genes import Genomes

ONE_SHOT = "one-shot"

LARGEST = 256 * 2**20
"""Bytes: bigger files, or zip members, are refused."""

KINDS = ("measured", "published", "predicted", "surrogate", ONE_SHOT, f"unranked {ONE_SHOT}")
"""measured: a test of these weights; published: a paper or repository states it, often after fine-tuning;
predicted: a network trained to guess it; surrogate: a fit of ours to any of those; one-shot: a test of
weights that all subnets share, unranked where they are not known to order subnets as training alone does."""


class AccuracyError(AccelsimError):
    """A source has no honest answer: unknown space, resolution or subnet, or kinds that would mix."""


@dataclass(frozen=True)
class AccuracyValue:
    """One answer.

    value   top-1 accuracy, per cent
    kind    one of KINDS
    source  where it comes from, one sentence
    error   half-width in points of the interval that should hold the truth in 95 of 100 cases
    """

    value: float
    kind: str
    source: str
    error: float

    def __str__(self) -> str:
        return f"{self.value:.2f} ± {self.error:.2f} % ({self.kind})"


@dataclass(frozen=True)
class Accuracy:
    """Answers for n subnets: `value` [n] and `error` [n] in per cent, `kind` [n] as text."""

    value: NDArray[np.float64]
    error: NDArray[np.float64]
    kind: NDArray[np.str_]
    source: str

    def __len__(self) -> int:
        return len(self.value)

    def __getitem__(self, i: int) -> AccuracyValue:
        return AccuracyValue(float(self.value[i]), str(self.kind[i]), self.source, float(self.error[i]))


class AccuracySource(ABC):
    """Answers `predict` for whole batches of genomes; one file a source.

    Contract, held by the conformance tests: answers depend on the subnet only, not on the rest of the batch
    or on unused genes; values lie in 0 to 100, errors are finite and not negative, kinds are those that
    `kinds` announces; whatever cannot be answered raises AccuracyError instead of extrapolating.
    """

    takes_file = False
    """Whether its name is followed by a file, as in table:FILE."""

    file_optional = False
    """Whether it does without that file, too."""

    @classmethod
    def of(cls, file: Path, space: Space) -> AccuracySource:
        """The source, from its file if it takes one."""
        return cls(file) if cls.takes_file else cls()  # type: ignore[call-arg]

    @classmethod
    def standing(cls) -> str:
        """What `accelsim list` says of the source: how far it is to be trusted, or ""."""
        return ""

    @classmethod
    def ranked(cls) -> bool:
        """Whether the order of its answers may be trusted, as far as it is known."""
        return True

    @classmethod
    def fingerprint(cls, file: str, name: str = "") -> str:
        """SHA-256 of what the answers come from, if it may change: here the file, "" without one.

        A study that goes on with another one is refused. `name` is the source's in messages. Raises
        AccelsimError for a file that cannot be read.
        """
        if not file:
            return ""
        return hashlib.sha256(read_bytes(file, LARGEST, f"accuracy {name or file}")).hexdigest()

    @abstractmethod
    def kinds(self, space: Space) -> tuple[str, ...]:
        """Kinds that answers for this space can have; AccuracyError where the source has nothing for it."""

    @abstractmethod
    def resolutions(self, space: Space) -> tuple[int, ...]:
        """Those of the space's input resolutions that the source can answer for."""

    @abstractmethod
    def describe(self, space: Space) -> str:
        """Where the answers come from and on what footing (such as "no fine-tuning"), one sentence."""

    def caution(self, space: Space) -> str:
        """What must stand beside the answers wherever they show, or ""."""
        return ""

    def effects(self, space: Space) -> tuple[NDArray[np.float64], ...] | None:
        """Per gene float64[values] if accuracy rises with their sum over the active genes, else None.

        That is among subnets of one resolution, whose own effect need not be said. Exact fronts need it.
        """
        return None

    @abstractmethod
    def _predict(self, space: Space, genomes: Genomes) -> tuple[ArrayLike, ArrayLike, ArrayLike]:
        """Value, error and kind of canonical genomes whose resolutions are answerable."""

    def predict(self, space: Space, genomes: ArrayLike, mixed: bool = False) -> Accuracy:
        """Accuracy of genomes [n, genes].

        Raises AccuracyError if the source could answer with more than one kind and `mixed` is False: values
        of different kinds do not stand on one footing, so a search must be told to compare them.
        """
        kinds = self.kinds(space)
        if len(kinds) > 1 and not mixed:
            raise AccuracyError(
                f"{space.name}: this source answers with {' and '.join(kinds)} values, which a search "
                "does not compare: take a source, or leave rows of a table, of one kind; predict(..., "
                f"mixed=True) gives all of them ({self.describe(space)})"
            )
        rows = space.canonical(genomes)
        self._check_resolutions(space, rows)
        value, error, kind = self._predict(space, rows)
        n = len(rows)
        return Accuracy(
            np.broadcast_to(np.asarray(value, np.float64), n),
            np.broadcast_to(np.asarray(error, np.float64), n),
            np.broadcast_to(np.asarray(kind), n),
            self.describe(space),
        )

    def accuracy(self, subnet: Subnet, space: Space | None = None) -> AccuracyValue:
        """Accuracy of one subnet; `space` where it is not one that `load_space` knows."""
        at = (space or load_space(subnet.space)).at(subnet.resolution)
        return self.predict(at, at.encode(subnet), mixed=True)[0]

    def restrict(self, space: Space) -> Space:
        """The same space with only those resolutions that the source can answer for."""
        found = self.resolutions(space)
        if not found:
            raise AccuracyError(
                f"{space.name}: no accuracy at resolution {', '.join(map(str, space.resolutions))}"
                f"{self._own_hint(space)} ({self.describe(space)})"
            )
        return space if found == space.resolutions else space.at(*found)

    def _check_resolutions(self, space: Space, rows: Genomes) -> None:
        known = self.resolutions(space)
        asked = [space.resolutions[i] for i in np.unique(rows[:, 0])]
        bad = [r for r in asked if r not in known]
        if bad:
            raise AccuracyError(
                f"{space.name}: no accuracy at resolution {bad[0]}; {self._resolution_hint(space)} "
                f"({self.describe(space)})"
            )

    def _own_hint(self, space: Space) -> str:
        """What is known of the resolutions that a space of this name has by itself, if there is one."""
        try:
            known = self.resolutions(load_space(space.name))
        except AccelsimError:
            return ""
        return f"; known are {', '.join(map(str, known))}" if known else ""

    def _resolution_hint(self, space: Space) -> str:
        known = self.resolutions(space)
        return f"of the space's, known are {', '.join(map(str, known)) or 'none'}"


def nearest_space(space: str, known: Sequence[str], what: str) -> AccuracyError:
    """The error for a space that a source does not cover."""
    return AccuracyError(f"{what} has nothing for space {space!r}; it covers {', '.join(known)}")
