"""`OneShotSource`: accuracies of inherited weights, measured when asked for."""

from __future__ import annotations

import hashlib
import json
from functools import cache, cached_property
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from accelsim.accuracy.base import LARGEST, ONE_SHOT, AccuracyError, AccuracySource, nearest_space
from accelsim.accuracy.fashion_mnist import Labelled, held_out_files, read_folder
from accelsim.accuracy.kept import KeptCounts
from accelsim.npz_file import unpack
from accelsim.text_file import read_bytes
from accelsim.workloads.spaces import Space
from accelsim.workloads.spaces.genes import Genomes

if TYPE_CHECKING:
    from accelsim.accuracy.supernet import Shrunk

SPACE = "fashion"

DATA = files("accelsim.accuracy").joinpath("data")

RANKED = 0.8
"""Least Spearman correlation with networks trained alone for a source whose order is to be trusted."""

_HALF = 1.96


class OneShotSource(AccuracySource):
    """Top-1 on images held out of training, of weights that all subnets of `fashion` share.

    `experiments/train_one_shot.py` trains the weights, with scales and shifts of each resolution's own; batch
    normalisation is measured anew for each subnet on 512 training images. 2,000 of the held-out images ship;
    from a folder of `dataset-fashion-mnist` all 10,000 are read. The error is that of a share counted on so
    many images. What a subnet would reach if it were trained alone is another matter:
    `experiments/rank_one_shot.py` compares the two on 30 subnets, and below a rank correlation of 0.8 every
    answer is marked as unranked.
    """

    takes_file = True
    file_optional = True

    def __init__(self, folder: Path | None = None) -> None:
        self._images = ONE_SHOT if folder is None else f"{ONE_SHOT}:FOLDER"
        shipped = _arrays("images")
        self.calibration = shipped["calibration"]
        self.asked = Labelled(shipped["images"], shipped["labels"])
        if folder is not None:
            self.asked = read_folder(folder, "held-out")
        self._kept = KeptCounts(self.fingerprint(str(folder or "")), len(self.asked.labels))

    @classmethod
    def of(cls, file: Path, space: Space) -> OneShotSource:
        """The source, with the images of a folder if one is named."""
        return cls(None if file == Path() else file)

    @classmethod
    def standing(cls) -> str:
        """The evidence."""
        return f"{SPACE}: {evidence()}"

    @classmethod
    def ranked(cls) -> bool:
        """Whether the evidence reaches 0.8."""
        return kind() == ONE_SHOT

    @classmethod
    def fingerprint(cls, file: str, name: str = "") -> str:
        """SHA-256 of the weights and the images."""
        digest = hashlib.sha256("".join(manifest()["sha256"].values()).encode())
        for path in held_out_files(Path(file)) if file else ():
            digest.update(read_bytes(path, LARGEST))
        return digest.hexdigest()

    def kinds(self, space: Space) -> tuple[str, ...]:
        """`("one-shot",)`, or `("unranked one-shot",)` where the evidence does not reach 0.8."""
        if space.name != SPACE:
            raise nearest_space(space.name, (SPACE,), "the one-shot source")
        return (kind(self._images),)

    def resolutions(self, space: Space) -> tuple[int, ...]:
        """Those that were trained."""
        self.kinds(space)
        return tuple(r for r in space.resolutions if r in _resolutions())

    def describe(self, space: Space) -> str:
        """What was measured on what, and how far it ranks."""
        self.kinds(space)
        many = f"{len(self.asked.labels):,} held-out images of Fashion-MNIST"
        return f"inherited weights on {many}; {evidence(self._images)}"

    def caution(self, space: Space) -> str:
        """That the order of the answers is not known to be right, where it is not."""
        self.kinds(space)
        return "" if kind(self._images) == ONE_SHOT else evidence(self._images)

    @cached_property
    def _shrunk(self) -> tuple[Shrunk, Shrunk]:
        """Images that calibrate, and those that are asked."""
        from accelsim.accuracy.supernet import Shrunk

        return Shrunk(self.calibration), Shrunk(self.asked.images)

    def _predict(self, space: Space, genomes: Genomes) -> tuple[ArrayLike, ArrayLike, ArrayLike]:
        asked = len(self.asked.labels)
        share = np.array([self._right(space, row) / asked for row in genomes])
        # Wilson's half-width (JASA 1927) is not 0 where nothing or all is right.
        spread = np.sqrt(share * (1 - share) / asked + (_HALF / (2 * asked)) ** 2) / (1 + _HALF**2 / asked)
        return 100 * share, 100 * _HALF * spread, kind(self._images)

    def _right(self, space: Space, row: Genomes) -> int:
        """Images whose class is found, measured once for each subnet."""
        subnet = space.decode(row)
        known = self._kept.get(subnet.encoding)
        if known is None:
            from accelsim.accuracy.supernet import at, right

            weights = at(_arrays("weights"), _resolutions().index(subnet.resolution))
            known = right(space.to_network(row), weights, *self._shrunk, self.asked.labels)
            self._kept.put(subnet.encoding, known)
        return known


def kind(name: str = ONE_SHOT) -> str:
    """`one-shot`, with `unranked` before it unless the evidence for those images reaches 0.8."""
    found = manifest()["evidence"]
    return ONE_SHOT if found and found["spearman"][name][0] >= RANKED else f"unranked {ONE_SHOT}"


def evidence(name: str = ONE_SHOT) -> str:
    """How the order of inherited accuracies agrees with that of networks trained alone."""
    found = manifest()["evidence"]
    if not found:
        return "unranked: no network was trained alone to compare with"
    rho = {column: f"{value[0]:.2f}" for column, value in found["spearman"].items()}
    low, high = found["spearman"][name][1:]
    seeds = f"{found['seeds']} seed{'' if found['seeds'] == 1 else 's'}"
    mark = "" if kind(name) == ONE_SHOT else "unranked: "
    return (
        f"{mark}Spearman {rho[name]} ({low:.2f} to {high:.2f}) with "
        f"{len(found['subnets'])} networks trained alone ({seeds}), MACs {rho['macs']}, "
        f"parameters {rho['params']}"
    )


@cache
def manifest() -> dict[str, Any]:
    """What ships beside the weights: how they were trained, their hashes, the evidence."""
    try:
        return dict(json.loads(DATA.joinpath(f"{SPACE}.json").read_text(encoding="utf-8")))
    except (OSError, ValueError) as fault:
        raise AccuracyError(f"one-shot: the manifest of {SPACE} cannot be read: {fault}") from None


def _resolutions() -> list[int]:
    return list(manifest()["configuration"]["resolutions"])


@cache
def _arrays(part: str) -> dict[str, Any]:
    return read_arrays(DATA.joinpath(f"{SPACE}_{part}.npz").read_bytes(), manifest()["sha256"][part], part)


def read_arrays(data: bytes, sha256: str, part: str) -> dict[str, Any]:
    """The arrays of an .npz; nothing in it is run. Raises AccuracyError unless it has that hash."""
    if hashlib.sha256(data).hexdigest() != sha256:
        raise AccuracyError(
            f"one-shot: the {part} of {SPACE} are damaged, their SHA-256 is not the manifest's; install "
            "accelsim again, or make them with experiments/train_one_shot.py"
        )
    try:
        return unpack(data)
    except ValueError as fault:
        raise AccuracyError(f"one-shot: the {part} of {SPACE} cannot be read: {fault}") from None
