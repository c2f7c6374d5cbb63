"""GoogLeNet (Szegedy et al., 2015) without its auxiliary classifiers."""

from __future__ import annotations

from functools import partial

from accelsim.workloads.builder import NetworkBuilder
from accelsim.workloads.tensor import Tensor
from accelsim.workloads.zoo.model import Model

# 1x1, 3x3 reduce, 3x3, 5x5 reduce, 5x5, pool projection: Table 1 of the paper
MODULES = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}


def googlenet(b: NetworkBuilder, original: bool = False) -> Tensor:
    """As in torchvision: BatchNorm, and 3x3 kernels in the branch called 5x5.

    `original` has 5x5 kernels, biases, local response normalisation (element-wise layers) and a larger last
    pooling window. The published 7x7 average over the whole map at 224 is global pooling here.
    """
    bn = {"bias": original, "bn": not original}
    x = b.conv(b.input, 64, 7, 2, name="conv1", **bn)
    x = b.pool(x, 3, 2, ceil_mode=True, name="pool1")
    x = b.eltwise(x, name="norm1") if original else x
    x = b.conv(x, 64, 1, name="conv2_reduce", **bn)
    x = b.conv(x, 192, 3, name="conv2", **bn)
    x = b.eltwise(x, name="norm2") if original else x
    x = b.pool(x, 3, 2, ceil_mode=True, name="pool2")
    for name, widths in MODULES.items():
        x = _inception(b, x, widths, 5 if original else 3, bn, f"inception{name}")
        if name == "3b":
            x = b.pool(x, 3, 2, ceil_mode=True, name="pool3")
        if name == "4e":
            x = b.pool(x, 3 if original else 2, 2, ceil_mode=True, name="pool4")
    return b.linear(b.global_pool(x, name="avgpool"), 1000, name="fc")


def _inception(
    b: NetworkBuilder, x: Tensor, widths: tuple[int, ...], large: int, bn: dict[str, bool], name: str
) -> Tensor:
    one, reduce3, three, reduce5, five, projection = widths
    branches = [b.conv(x, one, 1, name=f"{name}.1x1", **bn)]
    y = b.conv(x, reduce3, 1, name=f"{name}.3x3_reduce", **bn)
    branches.append(b.conv(y, three, 3, name=f"{name}.3x3", **bn))
    y = b.conv(x, reduce5, 1, name=f"{name}.5x5_reduce", **bn)
    branches.append(b.conv(y, five, large, name=f"{name}.5x5", **bn))
    y = b.pool(x, 3, 1, 1, ceil_mode=True, name=f"{name}.pool")
    branches.append(b.conv(y, projection, 1, name=f"{name}.pool_proj", **bn))
    return b.concat(branches)


MODELS = (
    Model("googlenet", googlenet, "torchvision googlenet", aliases=("googlenet_torchvision",)),
    Model("googlenet_v1", partial(googlenet, original=True), "Szegedy et al. 2015 (Caffe bvlc_googlenet)",
          aliases=("googlenet_original", "googlenet_caffe", "inception_v1")),
)  # fmt: skip
