"""Photographs that Debian's and Python's packages ship, and how well half of their pixels give back the rest.

Nothing is downloaded and none is copied here: a script reads them where the packages put them.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
from PIL import Image

from accelsim.errors import AccelsimError

TRAINING = {
    "mate/nature": (  # mate-backgrounds, GPL-2+
        "Aqua", "Blinds", "Dune", "FreshFlower", "Garden", "GreenMeadow", "LadyBird", "RainDrops", "Storm",
        "TwoWings", "Wood", "YellowFlower",
    ),
    ".": (  # lomiri-wallpapers-16.04, CC BY 4.0, CC BY-SA 4.0 and CC0
        "Bridge_by_Sander_Klootwijk", "Dragonfly_by_Bolly", "Picture_0B_by_freespace",
        "Picture_1A_by_freespace", "Wine_by_Jakkub_Mede", "aitzgorri_by_Aitzol_Berasategi",
        "analogpattern_by_Peter_Nerlich", "free_by_Peter_Nerlich", "friends_by_Aitzol_Berasategi",
        "greentock_by_Peter_Nerlich", "life_by_Aitzol_Berasategi", "picosdeeuropa_by_Aitzol_Berasategi",
        "seeding_by_Clements_Engelhardt", "sunset_by_Aitzol_Berasategi", "umang_by_Abhishek_Mudgal",
    ),
}  # fmt: skip
"""JPEG files below /usr/share/backgrounds."""

HELD_OUT = {
    "skimage": ("data/astronaut.png", "data/chelsea.png", "data/coffee.png", "data/rocket.jpg"),
    "sklearn": ("datasets/images/china.jpg", "datasets/images/flower.jpg"),
}
"""Files of Python packages, public domain, CC0 and CC BY 2.0: their colour photographs of everyday scenes."""

SIDE = 1280
"""Longest side of a training photograph, in pixels; each is halved at least, which leaves no JPEG blocks."""

SHAVED = 2


def training(root: Path) -> list[np.ndarray]:
    """[height, width, 3] of uint8 each, both sides even."""
    found = []
    for folder, names in TRAINING.items():
        for name in names:
            image = _read(root / folder / f"{name}.jpg", "Debian's mate-backgrounds, lomiri-wallpapers-16.04")
            factor = max(2, -(-max(image.size) // SIDE))
            small = (image.width // factor, image.height // factor)
            found.append(_even(image.resize(small, Image.Resampling.LANCZOS)))
    return found


def held_out() -> dict[str, np.ndarray]:
    """Name -> [height, width, 3] of uint8, both sides even. The packages are not imported."""
    found = {}
    for package, names in HELD_OUT.items():
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            raise AccelsimError(f"{package}: is not installed; pip install scikit-image scikit-learn")
        for name in names:
            path = Path(spec.origin).parent / name
            found[path.stem] = _even(_read(path, f"the package {package}"))
    return found


def halved(image: np.ndarray) -> np.ndarray:
    """Half of the height and width, by bicubic interpolation that averages."""
    return _resized(image, image.shape[0] // 2, image.shape[1] // 2)


def bicubic(image: np.ndarray) -> np.ndarray:
    """Twice the height and width: what a network has to beat."""
    return _resized(image, 2 * image.shape[0], 2 * image.shape[1])


def psnr(found: np.ndarray, true: np.ndarray) -> float:
    """Peak signal-to-noise ratio, dB, of the luminance (BT.601, 16 to 235) of two uint8 images.

    Two pixels at each border are left out, as is usual for twice the size. Infinite where nothing differs.
    """
    inner = slice(SHAVED, -SHAVED)
    a, b = (image[inner, inner] @ np.array([65.481, 128.553, 24.966]) / 255 for image in (found, true))
    error = np.mean((a - b) ** 2)
    return float(10 * np.log10(255**2 / error)) if error else np.inf


def _read(path: Path, package: str) -> Image.Image:
    try:
        return Image.open(path).convert("RGB")
    except OSError:
        raise AccelsimError(f"{path}: is no image that can be read; {package} has it") from None


def _even(image: Image.Image) -> np.ndarray:
    pixels = np.asarray(image)
    return pixels[: pixels.shape[0] // 2 * 2, : pixels.shape[1] // 2 * 2]


def _resized(image: np.ndarray, height: int, width: int) -> np.ndarray:
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC))
