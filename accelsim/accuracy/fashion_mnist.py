"""Fashion-MNIST as it is used here: in 16 grey levels, so that two thousand images are small enough to ship.

Source: Xiao, Rasul and Vollgraf, 2017 (arXiv 1708.07747), MIT licence; Debian's `dataset-fashion-mnist` holds
the four files that `read_folder` takes. Of the 60,000 training images the first 50,000 train and the last
10,000 are held out, so that choosing networks by them says nothing about the 10,000 test images.
"""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import AccelsimError

SIZE, LEVELS, CLASSES = 28, 16, 10
TRAINING = 50_000

MEAN, STD = 0.286, 0.353
"""Of the pixels of the training images on a scale of 0 to 1."""

Images = NDArray[np.uint8]
"""[n, 28, 28]: grey levels 0 to 15."""


class Labelled(NamedTuple):
    """Images [n, 28, 28] and their classes uint8 [n], 0 to 9."""

    images: Images
    labels: NDArray[np.uint8]


def read_folder(folder: Path, part: str) -> Labelled:
    """The 50,000 images of part "training", the 10,000 "held-out" or the 10,000 of "test".

    Raises AccelsimError for a file that is missing or no such file.
    """
    count = 10_000 if part == "test" else 60_000
    images, classes = (test_files if part == "test" else held_out_files)(folder)
    pixels = _read(images, 3, (count, SIZE, SIZE))
    labels = _read(classes, 1, (count,))
    if labels.max() >= CLASSES:
        raise AccelsimError(f"{folder}: labels must be 0 to {CLASSES - 1}, but one is {labels.max()}")
    chosen = {"training": slice(TRAINING), "held-out": slice(TRAINING, None), "test": slice(None)}[part]
    return Labelled(levels(pixels[chosen]), labels[chosen])


def held_out_files(folder: Path) -> tuple[Path, Path]:
    """Images and labels that train or are held out."""
    return folder / "train-images-idx3-ubyte.gz", folder / "train-labels-idx1-ubyte.gz"


def test_files(folder: Path) -> tuple[Path, Path]:
    """Images and labels of the test."""
    return folder / "t10k-images-idx3-ubyte.gz", folder / "t10k-labels-idx1-ubyte.gz"


def levels(pixels: NDArray[np.uint8]) -> Images:
    """Grey levels 0 to 15 of bytes 0 to 255, rounded to the nearest."""
    return ((pixels.astype(np.uint16) * (LEVELS - 1) + 127) // 255).astype(np.uint8)


def resized(images: Images, resolution: int) -> NDArray[np.float32]:
    """[n, r, r]: normalised, shrunk to r x r by a triangle filter as wide as two of the new pixels.

    Sums run in one order whatever the machine, so that the result is the same to the bit.
    """
    x = (images.astype(np.float32) / np.float32(LEVELS - 1) - np.float32(MEAN)) / np.float32(STD)
    if resolution == SIZE:
        return x
    for _ in range(2):  # rows, then columns
        x = np.ascontiguousarray(_shrunk(x, resolution).transpose(0, 2, 1))
    return x


def _shrunk(x: NDArray[np.float32], resolution: int) -> NDArray[np.float32]:
    """[n, r, columns] of [n, 28, columns]."""
    scale = SIZE / resolution
    centres = (np.arange(resolution) + 0.5) * scale - 0.5
    weights = np.maximum(0.0, 1.0 - np.abs(np.arange(SIZE) - centres[:, None]) / scale)
    weights /= weights.sum(axis=1, keepdims=True)
    out = np.zeros((len(x), resolution, x.shape[2]), np.float32)
    for row, taps in enumerate(weights.astype(np.float32)):
        for source in np.flatnonzero(taps):
            out[:, row] += taps[source] * x[:, source]
    return out


def _read(path: Path, axes: int, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """One file of the IDX format: two zeros, 8 for bytes, the number of axes, their lengths, the bytes."""
    try:
        with gzip.open(path) as file:
            data = file.read(4 + 4 * axes + int(np.prod(shape)) + 1)
    except (OSError, EOFError, zlib.error) as fault:
        reason = getattr(fault, "strerror", None) or fault
        raise AccelsimError(f"{path}: cannot be read as Fashion-MNIST: {reason}") from None
    head = bytes((0, 0, 8, axes)) + b"".join(n.to_bytes(4, "big") for n in shape)
    if data[: len(head)] != head or len(data) != len(head) + int(np.prod(shape)):
        raise AccelsimError(f"{path}: must hold {' x '.join(map(str, shape))} bytes in IDX format")
    return np.frombuffer(data, np.uint8, offset=len(head)).reshape(shape)
