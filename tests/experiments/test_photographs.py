"""Photographs: PSNR is the textbook's, sides come out even, what is missing is named with its package."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from accelsim.errors import AccelsimError


@pytest.fixture
def photographs(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "experiments")
    return importlib.import_module("photographs")


def test_psnr_is_of_the_luminance_without_the_border(photographs: Any) -> None:
    true = np.full((12, 14, 3), 100, np.uint8)
    lighter = true + np.uint8(1)  # luminance spans 219 levels of 255
    assert photographs.psnr(lighter, true) == pytest.approx(20 * np.log10(255 / (219 / 255)))
    border = true.copy()
    border[:2] = border[:, -2:] = 0
    assert photographs.psnr(border, true) == np.inf
    border[2, 5, 2] = 90
    assert photographs.psnr(border, true) == pytest.approx(
        10 * np.log10(255**2 / ((10 * 24.966 / 255) ** 2 / 80))
    )


def test_halving_and_doubling_keep_what_is_smooth(photographs: Any) -> None:
    smooth = np.tile(np.arange(40, 200, 4, dtype=np.uint8)[:, None, None], (1, 32, 3))
    half = photographs.halved(smooth)
    assert half.shape == (20, 16, 3)
    again = photographs.bicubic(half)
    assert again.shape == smooth.shape
    assert photographs.psnr(again, smooth) > 45


def test_training_photographs_are_reduced_and_a_missing_one_is_named(
    photographs: Any, tmp_path: Path
) -> None:
    sizes = iter([(2562, 401), (400, 301), *[(64, 64)] * 25])
    for folder, names in photographs.TRAINING.items():
        (tmp_path / folder).mkdir(exist_ok=True, parents=True)
        for name in names:
            Image.new("RGB", next(sizes), (9, 99, 9)).save(tmp_path / folder / f"{name}.jpg")
    found = photographs.training(tmp_path)
    assert [image.shape for image in found[:3]] == [(132, 854, 3), (150, 200, 3), (32, 32, 3)]
    assert len(found) == 27
    (tmp_path / "mate/nature/Wood.jpg").unlink()
    with pytest.raises(AccelsimError, match=r"Wood\.jpg.*mate-backgrounds"):
        photographs.training(tmp_path)


def test_a_package_that_is_missing_is_named(photographs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photographs, "HELD_OUT", {"no_such_package": ("a.png",)})
    with pytest.raises(AccelsimError, match="no_such_package: is not installed"):
        photographs.held_out()
