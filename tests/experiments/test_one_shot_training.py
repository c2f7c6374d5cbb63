"""Where PyTorch is there: shared weights train as they are tested; training goes on where it was stopped."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from accelsim.accuracy.fashion_mnist import Labelled, resized
from accelsim.accuracy.forward import forward
from accelsim.accuracy.supernet import at
from accelsim.workloads.spaces import load_space

torch = pytest.importorskip("torch")

SPACE = load_space("fashion")


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any, Any]:
    """The shared module and both scripts, on 32 images in batches of four, nine steps an epoch at most."""
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "experiments")
    shared, train, rank = map(importlib.import_module, ("shared_weights", "train_one_shot", "rank_one_shot"))
    monkeypatch.setattr(shared, "BATCH", 4)
    monkeypatch.setattr(train, "KEPT_EVERY", 3)
    draw = np.random.default_rng(0)
    data = Labelled(draw.integers(0, 16, (32, 28, 28), np.uint8), draw.integers(0, 10, 32, np.uint8))
    monkeypatch.setattr(train, "read_folder", lambda folder, part: data)
    return shared, train, rank


def test_what_is_trained_is_what_is_tested(scripts: tuple[Any, Any, Any]) -> None:
    shared, _, _ = scripts
    images = np.random.default_rng(0).integers(0, 16, (6, 28, 28), np.uint8)
    weights = shared.fresh(SPACE.to_network(SPACE.largest()), 0, len(SPACE.resolutions))
    with torch.no_grad():
        for name, w in weights.items():
            if not name.endswith("weight"):
                w += 0.3 * torch.randn(w.shape, generator=torch.Generator().manual_seed(1))
    for row in (SPACE.smallest(), *SPACE.sample(np.random.default_rng(2), 3)):
        net, place = SPACE.to_network(row), int(row[0])
        x = resized(images, net.input_shape[1])
        with torch.no_grad():
            said = shared.forward(net, at(weights, place), torch.from_numpy(x)[:, None]).numpy()
        found = forward(net, at(shared.arrays(weights), place), x, {}, calibrate=True)
        assert found == pytest.approx(said, abs=1e-3)


def test_training_goes_on_where_it_was_stopped(
    scripts: tuple[Any, Any, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared, train, _ = scripts
    shared.prepare()
    for name in ("whole", "half"):
        (tmp_path / name).mkdir()
    whole = train.train(Path(), tmp_path / "whole", 0, 1)
    step = shared.Optimiser.step

    def killed(self: Any, number: int, nets: int = 1) -> None:
        if number == 4:
            raise KeyboardInterrupt
        step(self, number, nets)

    with monkeypatch.context() as patch:
        patch.setattr(shared.Optimiser, "step", killed)
        with pytest.raises(KeyboardInterrupt):
            train.train(Path(), tmp_path / "half", 0, 1)
    rest = train.train(Path(), tmp_path / "half", 0, 1)
    for name, array in shared.arrays(whole).items():
        assert array.tobytes() == shared.arrays(rest)[name].tobytes(), name
    other = train.train(Path(), tmp_path / "half", 1, 1)
    assert any((a != b).any() for a, b in zip(shared.arrays(whole).values(), shared.arrays(other).values()))


def test_thirty_networks_are_spread_over_the_range(scripts: tuple[Any, Any, Any]) -> None:
    _, _, rank = scripts
    rows = rank.spread(SPACE, 6)
    assert len(np.unique(rows, axis=0)) == 30
    for place in range(5):
        steps = np.diff(np.log(SPACE.macs(rows[rows[:, 0] == place])))
        assert steps.min() > 0.9 * steps.mean()
    assert rank.interval(np.arange(10.0), np.arange(10.0) ** 3) == [1.0, 1.0, 1.0]
    assert rank.spearman(np.array([1.0, 2, 3]), np.array([9.0, 4, 5])) == pytest.approx(-0.5)
