"""`PredictorSource`: the accuracy predictors of Once-for-All, from a file of weights that the user brings.

Source: Cai et al., ICLR 2020, appendix A; encodings from `arch_encoder.py` of mit-han-lab/once-for-all. The
predictors guess the accuracy on 10 000 held-out training images, so their output is calibrated to ImageNet's
validation set here; what each line below was calibrated on stands beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from accelsim.accuracy.base import LARGEST, AccuracyError, AccuracySource, nearest_space
from accelsim.accuracy.torch_file import load_tensors
from accelsim.errors import AccelsimError
from accelsim.npz_file import unpack
from accelsim.text_file import read_bytes
from accelsim.workloads.spaces import Space
from accelsim.workloads.spaces.genes import Genomes

CAP = 82.98
"""Per cent: the ResNet50 predictor ends at 82.99, for ResNet50-D and for a net of 1.7 times its MACs."""

CAP_ERROR = 1.5
"""Points, on the cap: the published nets that belong there span 79.3 to 79.8, larger ones are unknown."""


class Calibration(NamedTuple):
    """top-1 = slope x predicted per cent + intercept, without fine-tuning; `error` covers 95 %."""

    resolutions: tuple[int, ...]
    slope: float
    intercept: float
    error: float
    basis: str


TRAINED = (160, 176, 192, 208, 224)
"""The MobileNetV3 file has inputs for 112, 128 and 144 too, but they were never trained."""

CALIBRATIONS = {
    "ofa_mbv3": Calibration(
        TRAINED, 0.984, -4.59, 0.53, "calibrated on 2162 subnets that DyNAS-T measured at 224 (MAE 0.21)"
    ),
    # 4.81 for the tutorial's subnet (81.71 predicted, 76.9 measured); 3.42 for ten nets after 75 epochs of
    # fine-tuning, which is worth 0.9 points in OFA's Table 1: 4.32. All were found by searching this very
    # predictor, which flatters what it picks: other subnets may be up to 0.6 better than the line says.
    "ofa_mbv3_w1.2": Calibration(
        TRAINED, 1.0, -4.57, 0.8, "offset from one subnet measured in OFA's tutorial and ten fine-tuned ones"
    ),
    "ofa_resnet50": Calibration(
        (128, 144, 160, 176, 192, 224, 240, 256), 1.057, -8.27, 0.5,
        "line through the best predicted subnets at the MACs of eight published nets (residuals up to 0.34)",
    ),
}  # fmt: skip


_Linear = tuple[NDArray[np.float64], NDArray[np.float64]]


class PredictorSource(AccuracySource):
    """Answers from the weights in `path` (`.pth` or `.npz`), for the spaces that the file was made for.

    MobileNetV3's file (128 inputs) serves `ofa_mbv3` and `ofa_mbv3_w1.2`, ResNet50's (82) `ofa_resnet50`.
    Raises AccelsimError for a file that cannot be read or holds another network, and AccuracyError where what
    it predicts is no percentage. No code in it is run.
    """

    takes_file = True

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        tensors = _npz(self.path) if self.path.suffix == ".npz" else load_tensors(self.path)
        self._layers, self._base = _network(tensors, self.path)
        inputs = self._layers[0][0].shape[1]
        self._spaces = ("ofa_mbv3", "ofa_mbv3_w1.2") if inputs == 128 else ("ofa_resnet50",)

    def kinds(self, space: Space) -> tuple[str, ...]:
        """`("predicted",)`."""
        self._calibration(space)
        return ("predicted",)

    def resolutions(self, space: Space) -> tuple[int, ...]:
        """Those that the predictor was trained with."""
        return tuple(r for r in space.resolutions if r in self._calibration(space).resolutions)

    def describe(self, space: Space) -> str:
        """Where the values come from and on what footing."""
        return f"OFA predictor {self.path.name}, no fine-tuning; {self._calibration(space).basis}"

    def _resolution_hint(self, space: Space) -> str:
        return f"the predictor was trained with {', '.join(map(str, self._calibration(space).resolutions))}"

    def _calibration(self, space: Space) -> Calibration:
        if space.name not in self._spaces:
            raise nearest_space(space.name, self._spaces, f"{self.path}")
        return CALIBRATIONS[space.name]

    def _predict(self, space: Space, genomes: Genomes) -> tuple[ArrayLike, ArrayLike, ArrayLike]:
        line = self._calibration(space)
        encode: Callable[[Space, Genomes], NDArray[np.float64]]
        encode = encode_resnet50 if space.name == "ofa_resnet50" else encode_mbv3
        raw = self.raw(encode(space, genomes))
        bad = ~((raw >= 0.0) & (raw <= 100.0))
        if bad.any():
            at = int(bad.argmax())
            raise AccuracyError(
                f"{self.path}: predicts {raw[at]:.4g} % for {space.decode(genomes[at])}, which is no "
                f"accuracy (0 to 100); its weights are not those of a trained predictor"
            )
        error = np.full(len(raw), line.error)
        if space.name == "ofa_resnet50":
            error[raw >= CAP] = CAP_ERROR
        return np.clip(line.slope * raw + line.intercept, 0.0, 100.0), error, "predicted"

    def raw(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """[n] uncalibrated output in per cent for encoded subnets [n, inputs]."""
        x = features
        with np.errstate(all="ignore"):  # what overflows is refused by its result
            for weight, bias in self._layers[:-1]:
                x = np.maximum(x @ weight.T + bias, 0.0)
            weight, bias = self._layers[-1]
            return np.asarray(100.0 * ((x @ weight.T + bias)[:, 0] + self._base))


def _network(tensors: dict[str, NDArray[Any]], path: Path) -> tuple[list[_Linear], float]:
    """Weight [outputs, inputs] and bias [outputs] of each layer, and the accuracy that the last adds to."""

    def fault(text: str) -> AccelsimError:
        return AccelsimError(f"{path}: not one of OFA's accuracy predictors: {text}")

    names = sorted((k for k in tensors if k.endswith("weight")), key=_order)
    known = {*names, *(f"{k.removesuffix('weight')}bias" for k in names), "base_acc"}
    arrays: dict[str, NDArray[np.float64]] = {}
    for name, array in tensors.items():
        if name not in known:
            raise fault(f"{name!r:.80} is neither base_acc nor a layer's weight or bias")
        if array.dtype.kind != "f":
            raise fault(f"{name} must hold real floats, but its type is {array.dtype}")
        with np.errstate(over="ignore"):
            arrays[name] = array.astype(np.float64)
        if not np.isfinite(arrays[name]).all():
            raise fault(f"{name} holds values that are not finite")
    shapes = [arrays[k].shape for k in names]
    fits = all(len(s) == 2 for s in shapes) and all(a[0] == b[1] for a, b in pairwise(shapes))
    if not shapes or not fits or shapes[-1][0] != 1 or shapes[0][1] not in (128, 82):
        raise fault(
            f"they have 128 (MobileNetV3) or 82 (ResNet50) inputs, one output, and layers that take what the "
            f"one before makes, but the weights have shapes {shapes}"
        )
    layers = []
    for name, shape in zip(names, shapes):
        at = f"{name.removesuffix('weight')}bias"
        bias = arrays.get(at, np.zeros(shape[0]))
        if bias.shape != shape[:1]:
            raise fault(
                f"{at} must have one value for each of {shape[0]} outputs, but its shape is {bias.shape}"
            )
        layers.append((arrays[name], bias))
    base = arrays.get("base_acc", np.zeros(1))
    if base.shape not in ((), (1,)):
        raise fault(f"base_acc must be one number, but its shape is {base.shape}")
    return layers, float(base.sum())


def _order(name: str) -> tuple[int, ...]:
    return tuple(int(x) for x in name.split(".") if x.isdigit())


def _npz(path: Path) -> dict[str, NDArray[Any]]:
    try:
        return unpack(read_bytes(path, LARGEST))
    except ValueError as fault:
        raise AccelsimError(f"{path}: {fault}") from None


def _choices(space: Space, genomes: Genomes, prefix: str) -> NDArray[np.float64]:
    """One-hot of the genes whose names start with `prefix`, zero where not active: [n, genes x 3]."""
    active = space.active(genomes)
    columns = [i for i, gene in enumerate(space.genes) if gene.name.startswith(prefix)]
    hot = np.eye(len(space.genes[columns[0]].values))[genomes[:, columns]] * active[:, columns, None]
    return np.asarray(hot.reshape(len(genomes), hot.shape[1] * hot.shape[2]))


def _resolution(space: Space, genomes: Genomes, slots: tuple[int, ...]) -> NDArray[np.float64]:
    at = np.array(space.resolutions)[genomes[:, 0]]
    return np.asarray((at[:, None] == np.array(slots)).astype(float))


def encode_mbv3(space: Space, genomes: Genomes) -> NDArray[np.float64]:
    """[n, 128]: kernel per slot, expansion per slot, resolution."""
    sizes = _resolution(space, genomes, tuple(range(112, 225, 16)))
    return np.hstack([_choices(space, genomes, "kernel"), _choices(space, genomes, "expand"), sizes])


def encode_resnet50(space: Space, genomes: Genomes) -> NDArray[np.float64]:
    """[n, 82]: resolution, stem block, widths, expansion per slot."""
    sizes = _resolution(space, genomes, CALIBRATIONS["ofa_resnet50"].resolutions)
    block, inner = (
        next(i for i, g in enumerate(space.genes) if g.name == n) for n in ("stem_block", "stem_inner")
    )
    first = np.eye(3)[np.where(genomes[:, inner] == 0, 0, 2)]  # 0.65 and 0.8 are one choice here, as 0.65
    widths = np.hstack([first, _choices(space, genomes, "stem_width"), _choices(space, genomes, "width")])
    return np.hstack([sizes, np.eye(2)[genomes[:, block]], widths, _choices(space, genomes, "expand")])
