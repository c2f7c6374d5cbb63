"""Fisher potential: gradients against differences, its definition, and that it is no accuracy."""

from __future__ import annotations

import numpy as np
import pytest

import accelsim
from accelsim import AccelsimError
from accelsim.workloads.capacity import Pass, fisher
from accelsim.workloads.transform import Rewriting, Transformation

IMAGES = 3


def network(channels: int = 8) -> accelsim.Network:
    """A residual block, a strided dilated convolution, a depthwise one, pooling, a concatenation."""
    net = accelsim.NetworkBuilder("small", 3, 9, 9)
    x = net.conv(net.input, channels, 3, name="stem")
    y = net.conv(x, channels, 3, name="one")
    x = net.add(x, net.conv(y, channels, 3, name="two"), name="sum")
    x = net.pool(x, 3, 2, 1, name="pool")
    a, b = net.conv(x, 4, 1, name="left"), net.conv(x, 4, 3, dilation=2, padding=2, name="right")
    x = net.depthwise(net.concat([a, b]), 3, 2, name="deep")
    return net.build(net.linear(net.global_pool(x), 5, name="head"))


def rewritten() -> accelsim.Network:
    base = network()
    steps = {
        "one": [("bottleneck", 2), ("split_out", 2), ("group", 2)],
        "two": [("unroll_out", 2), ("group", 2)],
    }
    at = {base.names.index(n): [Transformation(k, (f,)) for k, f in some] for n, some in steps.items()}
    return Rewriting(base).rewrite(at)


def loss(net: accelsim.Network, nudge=None) -> float:
    return Pass(net, np.random.default_rng(5), IMAGES, nudge).loss


@pytest.mark.parametrize("net", [network(), rewritten()], ids=["plain", "rewritten"])
def test_activation_times_gradient_is_the_slope_along_each_channel(net) -> None:
    """Each channel of each image scaled up and down a little, the whole pass again."""
    run = Pass(net, np.random.default_rng(5), IMAGES)
    gradients = run.gradients()
    rng = np.random.default_rng(0)
    for i, made in run.activations.items():
        for _ in range(3):
            n, c = int(rng.integers(IMAGES)), int(rng.integers(made.shape[1]))
            slopes = []
            for by in (1e-5, -1e-5):
                nudge = np.ones((*made.shape[:2], 1, 1))
                nudge[n, c] += by
                slopes.append(loss(net, {i: nudge}))
            found = float((made[n, c] * gradients[i][n, c]).sum())
            assert found == pytest.approx((slopes[0] - slopes[1]) / 2e-5, rel=1e-4, abs=1e-8)


def test_it_is_the_definition() -> None:
    net = network()
    total = 0.0
    run = Pass(net, np.random.default_rng(0), IMAGES)
    gradients = run.gradients()
    for i, layer in enumerate(net.layers):
        if layer.op == "conv":
            a = run.results[i]
            for c in range(a.shape[1]):
                total += sum(float((a[n, c] * gradients[i][n, c]).sum()) ** 2 for n in range(IMAGES)) / (
                    2 * IMAGES
                )
    assert fisher(net, seeds=1, images=IMAGES).mean == pytest.approx(total, rel=1e-12)


def test_seeds_differ_and_repeat() -> None:
    one, two = fisher(network()), fisher(network())
    assert one.seeds.tobytes() == two.seeds.tobytes()
    assert len(set(one.seeds.tolist())) == len(one.seeds) == 8
    assert one.spread > 0


def test_pieces_of_the_same_layer_are_run_as_cut() -> None:
    """A network that is only cut in its schedule has the same spread of values, not the same draw."""
    base = network()
    cut = Rewriting(base).rewrite({base.names.index("one"): [Transformation("split_out", (2,))]})
    assert (
        Pass(cut, np.random.default_rng(0), IMAGES).results[1].shape
        == Pass(base, np.random.default_rng(0), IMAGES).results[1].shape
    )
    rows = Rewriting(base).rewrite({base.names.index("one"): [Transformation("split_rows", (3,))]})
    assert Pass(rows, np.random.default_rng(0), IMAGES).results[1].shape == (IMAGES, 8, 9, 9)


def test_what_it_cannot_run_it_refuses() -> None:
    with pytest.raises(AccelsimError, match=r"multiplies activations|one tensor|sum of equal"):
        fisher(accelsim.load_network("bert_base"), 1)
    with pytest.raises(AccelsimError, match=r"se\.scale"):
        fisher(accelsim.load_network("ofa_mbv3:r128-d2.2.2.2.2-k33.33.33.33.33-e33.33.33.33.33"), 1, 2)
