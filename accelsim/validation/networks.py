"""Networks that only the measurements need: published definitions, checked against published parameters."""

from __future__ import annotations

from functools import partial

from accelsim.workloads.builder import NetworkBuilder
from accelsim.workloads.spaces.channels import divisible
from accelsim.workloads.tensor import Tensor
from accelsim.workloads.zoo.model import Model
from accelsim.workloads.zoo.resnet import resnet


def densenet121(b: NetworkBuilder) -> Tensor:
    """Blocks of 6, 12, 24, 16 layers, 32 channels more each; BatchNorm before convolutions is free here."""
    x = b.pool(b.conv(b.input, 64, 7, 2), 3, 2, 1)
    for stage, layers in enumerate((6, 12, 24, 16)):
        for _ in range(layers):
            y = b.conv(b.conv(x, 128, 1), 32, 3)
            x = b.concat([x, y])
        if stage < 3:
            x = b.pool(b.conv(x, x.channels // 2, 1), 2)
    return b.linear(b.global_pool(x), 1000)


def inception_v4(b: NetworkBuilder) -> Tensor:
    """Szegedy et al. 2017, Figures 3 to 9."""
    x = b.conv(b.conv(b.conv(b.input, 32, 3, 2, 0), 32, 3, 1, 0), 64, 3)
    x = b.concat([b.pool(x, 3, 2), b.conv(x, 96, 3, 2, 0)])
    y = b.conv(b.conv(x, 64, 1), 96, 3, 1, 0)
    z = b.conv(b.conv(b.conv(x, 64, 1), 64, (1, 7)), 64, (7, 1))
    x = b.concat([y, b.conv(z, 96, 3, 1, 0)])
    x = b.concat([b.conv(x, 192, 3, 2, 0), b.pool(x, 3, 2)])
    for _ in range(4):
        x = _branches(b, x, 96, ((96, 1),), ((64, 1), (96, 3)), ((64, 1), (96, 3), (96, 3)))
    x = b.concat([b.pool(x, 3, 2), b.conv(x, 384, 3, 2, 0), _reduced(b, x, ((192, 1), (224, 3)), 256)])
    for _ in range(7):
        long = ((192, 1), (192, (1, 7)), (224, (7, 1)), (224, (1, 7)), (256, (7, 1)))
        x = _branches(b, x, 128, ((384, 1),), ((192, 1), (224, (1, 7)), (256, (7, 1))), long)
    y = b.conv(b.conv(x, 192, 1), 192, 3, 2, 0)
    x = b.concat([b.pool(x, 3, 2), y, _reduced(b, x, ((256, 1), (256, (1, 7)), (320, (7, 1))), 320)])
    for _ in range(3):
        y, z = b.conv(x, 384, 1), b.conv(b.conv(b.conv(x, 384, 1), 448, (1, 3)), 512, (3, 1))
        forks = [b.conv(t, 256, k) for t in (y, z) for k in ((1, 3), (3, 1))]
        x = b.concat([b.conv(b.pool(x, 3, 1, 1), 256, 1), b.conv(x, 256, 1), *forks])
    return b.linear(b.global_pool(x), 1000)


def _chain(b: NetworkBuilder, x: Tensor, chain: tuple[tuple[int, int | tuple[int, int]], ...]) -> Tensor:
    for out, kernel in chain:
        x = b.conv(x, out, kernel)
    return x


def _branches(
    b: NetworkBuilder, x: Tensor, pooled: int, *chains: tuple[tuple[int, int | tuple[int, int]], ...]
) -> Tensor:
    """An Inception block: pooling with a 1x1 convolution beside chains of convolutions."""
    return b.concat([b.conv(b.pool(x, 3, 1, 1), pooled, 1), *(_chain(b, x, chain) for chain in chains)])


def _reduced(
    b: NetworkBuilder, x: Tensor, chain: tuple[tuple[int, int | tuple[int, int]], ...], out: int
) -> Tensor:
    """A chain that ends in a 3x3 convolution of stride 2 without padding."""
    return b.conv(_chain(b, x, chain), out, 3, 2, 0)


# Fused or not, blocks, kernel, stride, expansion, output channels: tensorflow/tpu, EfficientNet-EdgeTPU.
_EDGE = (
    (True, 1, 3, 1, 4, 24), (True, 2, 3, 2, 8, 32), (True, 4, 3, 2, 8, 48),
    (False, 5, 5, 2, 8, 96), (False, 4, 5, 1, 8, 144), (False, 2, 5, 2, 8, 192),
)  # fmt: skip


def efficientnet_edgetpu(b: NetworkBuilder, width: float = 1.0, depth: float = 1.0) -> Tensor:
    """Inverted residuals without squeeze-excite, first stages with a full 3x3 for the depthwise one."""

    def wide(channels: int) -> int:
        return divisible(channels * width)

    x = b.conv(b.input, wide(32), 3, 2)
    for fused, blocks, kernel, stride, expand, out in _EDGE:
        for i in range(-int(-blocks * depth // 1)):
            step, middle = stride if i == 0 else 1, x.channels * expand
            if fused:
                y = b.conv(x, middle, kernel, step)
            else:
                y = b.depthwise(b.conv(x, middle, 1), kernel, step)
            y = b.conv(y, wide(out), 1)
            skip = step == 1 and y.channels == x.channels and out != 24
            x = b.add(y, x) if skip else y
    return b.linear(b.global_pool(b.conv(x, wide(1280), 1)), 1001)


MODELS = {
    model.name: model
    for model in (
        Model("resnet152", partial(resnet, depths=(3, 8, 36, 3)), "He et al. 2016"),
        Model("densenet121", densenet121, "Huang et al. 2017, Table 1"),
        Model("inception_v4", inception_v4, "Szegedy et al. 2017", height=299, width=299),
        Model("efficientnet_edgetpu_s", efficientnet_edgetpu, "tensorflow/tpu"),
        Model("efficientnet_edgetpu_m", partial(efficientnet_edgetpu, depth=1.1), "tensorflow/tpu"),
        Model(
            "efficientnet_edgetpu_l", partial(efficientnet_edgetpu, width=1.2, depth=1.4), "tensorflow/tpu"
        ),
    )
}
