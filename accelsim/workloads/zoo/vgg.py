"""VGG (Simonyan and Zisserman, 2015), configurations D and E without BatchNorm, as in torchvision."""

from __future__ import annotations

from functools import partial

from accelsim.workloads.builder import NetworkBuilder
from accelsim.workloads.tensor import Tensor
from accelsim.workloads.zoo.model import Model


def vgg(b: NetworkBuilder, depths: tuple[int, ...]) -> Tensor:
    """Five stages of 3x3 convolutions, each closed by a 2x2 pooling; the classifier sees a 7x7 map."""
    x = b.input
    for stage, (depth, out) in enumerate(zip(depths, (64, 128, 256, 512, 512)), 1):
        for i in range(1, depth + 1):
            x = b.conv(x, out, 3, bias=True, bn=False, name=f"conv{stage}_{i}")
        x = b.pool(x, 2, name=f"pool{stage}")
    x = b.flatten(b.adaptive_pool(x, 7, 7, name="avgpool"))
    for i, out in enumerate((4096, 4096, 1000), 6):
        x = b.linear(x, out, name=f"fc{i}")
    return x


MODELS = (
    Model("vgg16", partial(vgg, depths=(2, 2, 3, 3, 3)), "torchvision vgg16", aliases=("vgg",)),
    Model("vgg19", partial(vgg, depths=(2, 2, 4, 4, 4)), "torchvision vgg19"),
)
