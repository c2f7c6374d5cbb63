"""SqueezeNet (Iandola et al., 2016), versions 1.0 and 1.1, as in torchvision."""

from __future__ import annotations

from functools import partial

from accelsim.workloads.builder import NetworkBuilder
from accelsim.workloads.tensor import Tensor
from accelsim.workloads.zoo.model import Model

SQUEEZE = (16, 16, 32, 32, 48, 48, 64, 64)  # of fire2 to fire9; each expands to 4 x 1x1 and 4 x 3x3


def squeezenet(b: NetworkBuilder, stem: tuple[int, int], pool_before: tuple[int, ...]) -> Tensor:
    """`stem` is the first convolution's (channels, kernel); pooling stands before the fire modules named."""
    x = b.conv(b.input, stem[0], stem[1], 2, 0, bias=True, bn=False, name="conv1")
    for i, squeeze in enumerate(SQUEEZE, 2):
        if i in pool_before:
            x = b.pool(x, 3, 2, ceil_mode=True, name=f"pool{i - 1}")
        y = b.conv(x, squeeze, 1, bias=True, bn=False, name=f"fire{i}.squeeze")
        one = b.conv(y, 4 * squeeze, 1, bias=True, bn=False, name=f"fire{i}.expand1x1")
        three = b.conv(y, 4 * squeeze, 3, bias=True, bn=False, name=f"fire{i}.expand3x3")
        x = b.concat([one, three])
    x = b.conv(x, 1000, 1, bias=True, bn=False, name="classifier")
    return b.global_pool(x, name="avgpool")


MODELS = (
    Model("squeezenet1_0", partial(squeezenet, stem=(96, 7), pool_before=(2, 5, 9)),
          "torchvision squeezenet1_0", aliases=("squeezenet",)),
    Model("squeezenet1_1", partial(squeezenet, stem=(64, 3), pool_before=(2, 4, 6)),
          "torchvision squeezenet1_1"),
)  # fmt: skip
