"""Where PyTorch is there: super-resolution networks start as bicubic interpolation, have the weights that
they are priced with, learn, and go on where they were stopped."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from accelsim.workloads.spaces import load_space

torch = pytest.importorskip("torch")

SPACE = load_space("wdsr_x2")
NETS = (SPACE.smallest(), SPACE.largest(), *SPACE.sample(np.random.default_rng(0), 2))


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "experiments")
    wdsr = importlib.import_module("train_wdsr")
    monkeypatch.setattr(wdsr, "PATCH", 8)
    return wdsr


def picture(seed: int, height: int = 48, width: int = 64) -> np.ndarray:
    """Forty rectangles of random colours over each other, [height, width, 3]."""
    draw = np.random.default_rng(seed)
    found = np.full((height, width, 3), 128, np.uint8)
    for _ in range(40):
        y, x = draw.integers(height), draw.integers(width)
        high, wide = draw.integers(3, 16, 2)
        found[y : y + high, x : x + wide] = draw.integers(0, 256, 3)
    return found


@pytest.mark.parametrize("row", NETS)
def test_weights_are_those_that_are_priced(script: Any, row: np.ndarray) -> None:
    weights = script.fresh(SPACE.to_network(row), 0)
    assert sum(w.numel() for w in weights.values()) == SPACE.params(row[None])[0]


@pytest.mark.parametrize("row", NETS)
def test_training_starts_with_bicubic_interpolation(script: Any, row: np.ndarray) -> None:
    net, small = SPACE.to_network(row), np.random.default_rng(1).integers(80, 176, (11, 13, 3), np.uint8)
    with torch.no_grad():
        made = script.forward(net, script.fresh(net, 0), script._tensor(small)[None])[0]
    levels = (255 * (made + 0.5)).clamp(0, 255).permute(1, 2, 0).numpy()
    inner = slice(4, -4)  # at the border an image is continued by grey here, by nothing there
    true = script.photographs.bicubic(small)
    assert np.abs(levels - true)[inner, inner].max() < 2  # rounded after each direction there


def test_every_layer_of_a_network_decides(script: Any) -> None:
    net = SPACE.to_network(SPACE.sample(np.random.default_rng(3), 1)[0])
    x = torch.from_numpy(np.random.default_rng(2).random((1, 3, 8, 10), np.float32)) - 0.5
    weights = script.fresh(net, 0)
    with torch.no_grad():
        weights["tail.conv.length"] += 1.0
        before = script.forward(net, weights, x)
        assert before.shape == (1, 3, 16, 20)
        for name, w in weights.items():
            kept = w.clone()
            w += torch.randn(w.shape, generator=torch.Generator().manual_seed(0))
            assert not torch.equal(script.forward(net, weights, x), before), name
            w.copy_(kept)


def test_a_network_learns_what_it_has_not_seen(script: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error that is trained falls on another picture, and a seed gives one result."""
    monkeypatch.setattr(script, "PATCH", 16)
    script.shared.prepare()
    net, pairs = SPACE.to_network(SPACE.smallest()), script.Pairs([picture(0), picture(1)])
    small, large = script.Pairs([picture(2)]).pick(0, 0)

    def error(weights: Any) -> float:
        with torch.no_grad():
            return (script.forward(net, weights, small) - large).abs().mean().item()

    trained = script.trained(net, pairs, 0, 100)
    assert error(trained) < 0.93 * error(script.fresh(net, 0))
    first, again, other = (script.trained(net, pairs, seed, 5) for seed in (0, 0, 1))
    assert all(torch.equal(a, b) for a, b in zip(first.values(), again.values()))
    assert not torch.equal(first["head.conv.direction"], other["head.conv.direction"])


def test_networks_are_spread_by_size(script: Any) -> None:
    sizes = SPACE.params(script.spread(SPACE, 8))
    steps = np.diff(np.log(sizes))
    assert sizes[0] == 2796
    assert abs(sizes[-1] - 45_000) < 200
    assert steps.min() > 0.9 * steps.mean()


def test_it_goes_on_and_reports(
    script: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(script.photographs, "training", lambda root: [picture(0), picture(1)])
    monkeypatch.setattr(script.photographs, "held_out", lambda: {"one": picture(2), "two": picture(3)})
    monkeypatch.setattr(script, "LARGEST", 6000)
    words = ["train_wdsr.py", "--networks", "3", "--steps", "3", "--out", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", words)
    script.main()
    path = tmp_path / "psnr-3.json"
    first = json.loads(path.read_text())
    assert [sorted(found) for found in first.values()] == [["one", "two"]] * 3
    table = (tmp_path / "networks.csv").read_text()
    assert len(table.splitlines()) == 4
    assert len((tmp_path / "ranks.csv").read_text().splitlines()) == 4
    assert "bicubic" in capsys.readouterr().out
    lost = next(iter(first))
    path.write_text(json.dumps({name: found for name, found in first.items() if name != lost}))
    script.main()
    assert json.loads(path.read_text()) == first
    assert capsys.readouterr().out.count(" seed 0:") == 1
    assert (tmp_path / "networks.csv").read_text() == table
