"""Layer by layer: what is easily got wrong."""

from __future__ import annotations

import pytest

from accelsim.workloads.layer import Layer
from accelsim.workloads.load import load_network
from accelsim.workloads.spaces import load, load_space

MBV3 = "r224-d2.2.3.2.4-k35.77.353.33.5735-e34.66.346.33.6436"


def layer(network, name: str) -> Layer:
    return network.layers[network.names.index(name)]


def test_mbv3_block_dimensions() -> None:
    """Dimensions by hand from the layer table of OFA's ofa_mbv3.py."""
    net = load("ofa_mbv3", MBV3)
    assert layer(net, "stem.conv") == Layer.conv2d(K=16, C=3, P=112, Q=112, R=3, S=3, stride=2)
    assert layer(net, "first.depthwise") == Layer.depthwise(C=16, P=112, Q=112)
    assert layer(net, "first.add") == Layer.eltwise(C=16, P=112, Q=112)
    assert "first.expand" not in net.names
    # stage 1: 16 -> 24, expansion 3 of the previous stage's width, no squeeze-excite
    assert layer(net, "stage1.1.expand") == Layer.conv2d(K=48, C=16, P=112, Q=112)
    assert layer(net, "stage1.1.depthwise") == Layer.depthwise(C=48, P=56, Q=56, stride=2)
    assert layer(net, "stage1.1.project") == Layer.conv2d(K=24, C=48, P=56, Q=56)
    assert "stage1.1.add" not in net.names
    assert layer(net, "stage1.2.add") == Layer.eltwise(C=24, P=56, Q=56)
    # stage 2: squeeze-excite over 24 x 6 = 144 channels, reduced to div8(36) = 40
    assert layer(net, "stage2.1.depthwise") == Layer.depthwise(C=144, P=28, Q=28, R=7, S=7, stride=2)
    assert layer(net, "stage2.1.se.pool") == Layer.pool(C=144, P=1, Q=1, R=28, S=28)
    assert layer(net, "stage2.1.se.reduce") == Layer.conv2d(K=40, C=144, P=1, Q=1)
    assert layer(net, "stage2.1.se.expand") == Layer.conv2d(K=144, C=40, P=1, Q=1)
    assert layer(net, "stage2.1.se.scale") == Layer.scale(C=144, P=28, Q=28)
    # stage 4 keeps the size of stage 3; 112 differs from 80, so its first block has no residual
    assert layer(net, "stage4.1.project") == Layer.conv2d(K=112, C=240, P=14, Q=14)
    assert "stage4.1.add" not in net.names
    assert layer(net, "stage5.4.project") == Layer.conv2d(K=160, C=960, P=7, Q=7)
    assert layer(net, "head.conv") == Layer.conv2d(K=960, C=160, P=7, Q=7)
    assert layer(net, "head.pool") == Layer.pool(C=960, P=1, Q=1, R=7, S=7)
    assert layer(net, "head.mix") == Layer.conv2d(K=1280, C=960, P=1, Q=1)
    assert layer(net, "head.classifier") == Layer(K=1000, C=1280, op="gemm")
    assert {n.split(".")[0] for n in net.names if ".se." in n} == {"stage2", "stage4", "stage5"}


def test_squeeze_excite_is_wired() -> None:
    """The depthwise result goes to the pool and, beside the factors, to the scaling."""
    net = load("ofa_mbv3", MBV3)
    at = net.names.index
    readers = {net.names[e.consumer] for e in net.consumers_of[at("stage2.1.depthwise")]}
    assert readers == {"stage2.1.se.pool", "stage2.1.se.scale"}
    sources = {net.names[e.producer] for e in net.inputs_of[at("stage2.1.se.scale")]}
    assert sources == {"stage2.1.depthwise", "stage2.1.se.expand"}


def test_residuals_are_wired() -> None:
    net = load("ofa_mbv3", MBV3)
    at = net.names.index
    sources = {net.names[e.producer] for e in net.inputs_of[at("stage5.2.add")]}
    assert sources == {"stage5.1.project", "stage5.2.project"}
    sources = {net.names[e.producer] for e in net.inputs_of[at("stage5.3.add")]}
    assert sources == {"stage5.2.add", "stage5.3.project"}


def test_widths() -> None:
    """Channels that the published nets' configurations show for width 1.2 and for Proxyless at 1.3."""
    wide = load("ofa_mbv3_w1.2", MBV3)
    names = [
        "stem.conv",
        "first.project",
        *(f"stage{s}.1.project" for s in range(1, 6)),
        "head.conv",
        "head.mix",
    ]
    assert [layer(wide, n).K for n in names] == [24, 24, 32, 48, 96, 136, 192, 1152, 1536]
    slim = load("ofa_proxyless", "r128-d2.2.2.2.2.1-k33.33.33.33.33.3-e33.33.33.33.33.3")
    names = ["stem.conv", "first.project", *(f"stage{s}.1.project" for s in range(1, 7)), "head.conv"]
    assert [layer(slim, n).K for n in names] == [40, 24, 32, 56, 104, 128, 248, 416, 1664]
    assert "first.add" not in slim.names
    assert not [n for n in slim.names if ".se." in n]


def test_resnet_stem_and_shortcuts() -> None:
    text = "r144-d{}.0.0.0.0-w100.65.65.80.100.80-e20.25_25.20_20.25.35.20_35.20"
    net, bare = (load("ofa_resnet50", text.format(d)) for d in (2, 0))
    assert layer(net, "stem.conv1") == Layer.conv2d(K=32, C=3, P=72, Q=72, R=3, S=3, stride=2)
    assert layer(net, "stem.conv2") == Layer.conv2d(K=32, C=32, P=72, Q=72, R=3, S=3)
    assert layer(net, "stem.conv3") == Layer.conv2d(K=40, C=32, P=72, Q=72, R=3, S=3)
    assert layer(net, "stem.pool") == Layer.pool(C=40, P=36, Q=36, R=3, S=3, stride=2)
    assert set(net.names) - set(bare.names) == {"stem.conv2", "stem.add"}
    # stage 1: 40 -> 168 without a stride, so no pool in the shortcut; middle div8(round(0.2 x 168)) = 32
    assert layer(net, "stage1.1.conv1") == Layer.conv2d(K=32, C=40, P=36, Q=36)
    assert layer(net, "stage1.1.shortcut") == Layer.conv2d(K=168, C=40, P=36, Q=36)
    assert "stage1.1.shortcut_pool" not in net.names
    assert "stage1.2.shortcut" not in net.names
    # stage 2: the stride sits in the 3x3; the shortcut averages 2x2 first
    assert layer(net, "stage2.1.conv2") == Layer.conv2d(K=104, C=104, P=18, Q=18, R=3, S=3, stride=2)
    assert layer(net, "stage2.1.shortcut_pool") == Layer.pool(C=168, P=18, Q=18, R=2, S=2, stride=2)
    assert layer(net, "stage2.1.shortcut") == Layer.conv2d(K=408, C=168, P=18, Q=18)
    # stage 4: 9 rows become 5 in both branches, because the average pool rounds up
    assert layer(net, "stage4.1.conv2").P == 5
    assert layer(net, "stage4.1.shortcut_pool").P == 5
    assert layer(net, "head.pool") == Layer.pool(C=1640, P=1, Q=1, R=5, S=5)


def test_macro_identity() -> None:
    """An identity is a strided 1x1 convolution in a stage's first slot and nothing elsewhere."""
    net = load("nasbench_macro", "00100000")
    assert layer(net, "slot1.1.downsample") == Layer.conv2d(K=64, C=32, P=16, Q=16, stride=2)
    assert [n for n in net.names if n.startswith("slot1.2")] == []
    assert layer(net, "slot2.1.depthwise") == Layer.depthwise(C=192, P=8, Q=8, stride=2)
    assert "slot2.1.add" not in net.names
    assert load("nasbench_macro", "00010000").layers == load("nasbench_macro", "00001000").layers


def test_fashion_block_dimensions() -> None:
    """By hand: one grey channel, ten classes, maps of 14, 7, 4 and 4 at 28 pixels."""
    net = load("fashion", "r28-d1.2.1-k5.35.3-e2.43.4")
    assert net.input_shape == (1, 28, 28)
    assert layer(net, "stem.conv") == Layer.conv2d(K=8, C=1, P=14, Q=14, R=3, S=3, stride=2)
    assert layer(net, "stage1.1.expand") == Layer.conv2d(K=16, C=8, P=14, Q=14)
    assert layer(net, "stage1.1.depthwise") == Layer.depthwise(C=16, P=7, Q=7, R=5, S=5, stride=2)
    assert layer(net, "stage2.1.depthwise") == Layer.depthwise(C=48, P=4, Q=4, stride=2)
    assert layer(net, "stage2.2.depthwise") == Layer.depthwise(C=48, P=4, Q=4, R=5, S=5)
    assert layer(net, "stage2.2.project") == Layer.conv2d(K=16, C=48, P=4, Q=4)
    assert layer(net, "stage3.1.depthwise") == Layer.depthwise(C=64, P=4, Q=4)
    assert layer(net, "head.classifier") == Layer(K=10, C=24, op="gemm")
    assert load("fashion", "largest").params == 37_218
    assert load_space("fashion").size == 5 * (6 + 6**2 + 6**3) ** 3


@pytest.mark.parametrize("resolution", [33, 63, 224, 225])
def test_odd_resolutions_round_up(resolution: int) -> None:
    net = load("ofa_mbv3", MBV3, resolution=resolution)
    size = resolution
    for name in (
        "stem.conv",
        "stage1.1.depthwise",
        "stage2.1.depthwise",
        "stage3.1.depthwise",
        "stage5.1.depthwise",
    ):
        size = -(-size // 2)
        assert layer(net, name).P == layer(net, name).Q == size


def test_wdsr_parameters_are_published() -> None:
    """Weights, biases and scales of the released networks of 16 and 8 blocks (Wu et al., ECCV 2022)."""
    for depth, params in ((16, 180_748), (8, 92_492)):
        wide, narrow = ".".join(["144"] * depth), ".".join(["20"] * depth)
        net = load("wdsr_x2", f"r360-c24-d{depth}-e{wide}-l{narrow}")
        assert net.params == params
        assert net.input_shape == (3, 360, 640)
        shortcut = net.inputs_of[net.names.index("tail.skip")]
        assert [(edge.producer, edge.elements) for edge in shortcut] == [(-1, 3 * 360 * 640)]


def test_wdsr_shuffle_is_a_pass_or_none() -> None:
    from accelsim.workloads.spaces.wdsr import WdsrSpace

    row = WdsrSpace().largest()
    fused, apart = (WdsrSpace(fused=fused).to_network(row) for fused in (True, False))
    assert apart.layers[:-1] == fused.layers
    assert apart.layers[-1].op == "eltwise"
    assert apart.params == fused.params


def test_vit_is_vit_b16_but_for_its_ends() -> None:
    """Twelve blocks of width 768, twelve heads and ratio 4: the zoo's ViT-B/16 has one token more."""
    heads, ratios = ".".join(["12"] * 12), ".".join(["4"] * 12)
    ours = load("vit", f"r224-w768-d12-h{heads}-m{ratios}")
    zoo = load_network("vit_b16")
    tokens, width = 196, 768

    def blocks(n: int) -> int:
        return 12 * (n * (4 * width * width + 2 * 4 * width * width) + 2 * n * n * width)

    ends = tokens * width * 3 * 256 + width * 1000
    assert ours.macs == blocks(tokens) + ends
    assert zoo.macs == blocks(tokens + 1) + ends
