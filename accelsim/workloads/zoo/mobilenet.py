"""MobileNet V1 (Howard et al., 2017) and V2 (Sandler et al., 2018), width 1.0."""

from __future__ import annotations

from accelsim.workloads.builder import NetworkBuilder
from accelsim.workloads.tensor import Tensor
from accelsim.workloads.zoo.model import Model

V1 = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1))
"""Output channels and stride of each separable block."""

V2 = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
"""Expansion, output channels, blocks, first stride of each stage: Table 2 of the paper."""


def mobilenet_v1(b: NetworkBuilder) -> Tensor:
    """Depthwise separable blocks."""
    x = b.conv(b.input, 32, 3, 2, name="conv1")
    for i, (out, stride) in enumerate(V1, 2):
        x = b.depthwise(x, 3, stride, name=f"conv{i}.dw")
        x = b.conv(x, out, 1, name=f"conv{i}.pw")
    return b.linear(b.global_pool(x, name="avgpool"), 1000, name="fc")


def mobilenet_v2(b: NetworkBuilder) -> Tensor:
    """Inverted residuals."""
    x = b.conv(b.input, 32, 3, 2, name="conv1")
    for stage, (expand, out, blocks, first) in enumerate(V2, 1):
        for i in range(blocks):
            x = inverted_residual(b, x, out, 3, first if i == 0 else 1, expand, name=f"stage{stage}.{i}")
    x = b.conv(x, 1280, 1, name="conv_last")
    return b.linear(b.global_pool(x, name="avgpool"), 1000, name="fc")


def inverted_residual(
    b: NetworkBuilder, x: Tensor, out: int, kernel: int, stride: int, expand: int,
    squeezed: int = 0, name: str = "",
) -> Tensor:  # fmt: skip
    """1x1 to `expand` times the channels (none for 1), depthwise, squeeze-excite to `squeezed` channels
    (none for 0), 1x1 to `out` channels; a residual sum where the shape stays.
    """  # fmt: skip
    y = b.conv(x, x.channels * expand, 1, name=f"{name}.expand") if expand > 1 else x
    y = b.depthwise(y, kernel, stride, name=f"{name}.dw")
    if squeezed:
        y = b.squeeze_excite(y, squeezed, name=f"{name}.se")
    y = b.conv(y, out, 1, name=f"{name}.project")
    return b.add(x, y, name=f"{name}.add") if stride == 1 and x.channels == out else y


MODELS = (
    Model("mobilenet_v1", mobilenet_v1, "Howard et al. 2017; timm mobilenetv1_100",
          aliases=("mobilenetv1", "mobilenet")),
    Model("mobilenet_v2", mobilenet_v2, "torchvision mobilenet_v2", aliases=("mobilenetv2",)),
)  # fmt: skip
