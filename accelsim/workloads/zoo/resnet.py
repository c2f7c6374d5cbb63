"""ResNet (He et al., 2016)."""

from __future__ import annotations

from functools import partial

from accelsim.workloads.builder import NetworkBuilder
from accelsim.workloads.tensor import Tensor
from accelsim.workloads.zoo.model import Model


def resnet(
    b: NetworkBuilder, depths: tuple[int, ...], bottleneck: bool = True, stride_in_first: bool = False
) -> Tensor:
    """Four stages of residual blocks, named as in torchvision.

    `stride_in_first` puts a bottleneck's stride into its first 1x1 convolution, as published (v1);
    otherwise the 3x3 one carries it (v1.5).
    """
    x = b.conv(b.input, 64, 7, 2, name="conv1")
    x = b.pool(x, 3, 2, 1, name="maxpool")
    for stage, depth in enumerate(depths):
        for i in range(depth):
            name, stride = f"layer{stage + 1}.{i}", 2 if stage and not i else 1
            if bottleneck:
                x = _bottleneck(b, x, 64 << stage, stride, stride_in_first, name)
            else:
                x = _basic(b, x, 64 << stage, stride, name)
    return b.linear(b.global_pool(x, name="avgpool"), 1000, name="fc")


def _basic(b: NetworkBuilder, x: Tensor, out: int, stride: int, name: str) -> Tensor:
    y = b.conv(x, out, 3, stride, name=f"{name}.conv1")
    y = b.conv(y, out, 3, name=f"{name}.conv2")
    return b.add(y, _shortcut(b, x, out, stride, name), name=f"{name}.add")


def _bottleneck(b: NetworkBuilder, x: Tensor, width: int, stride: int, in_first: bool, name: str) -> Tensor:
    y = b.conv(x, width, 1, stride if in_first else 1, name=f"{name}.conv1")
    y = b.conv(y, width, 3, 1 if in_first else stride, name=f"{name}.conv2")
    y = b.conv(y, 4 * width, 1, name=f"{name}.conv3")
    return b.add(y, _shortcut(b, x, 4 * width, stride, name), name=f"{name}.add")


def _shortcut(b: NetworkBuilder, x: Tensor, out: int, stride: int, name: str) -> Tensor:
    if x.channels == out and stride == 1:
        return x
    return b.conv(x, out, 1, stride, name=f"{name}.downsample")


MODELS = (
    Model("resnet18", partial(resnet, depths=(2, 2, 2, 2), bottleneck=False), "torchvision resnet18"),
    Model("resnet34", partial(resnet, depths=(3, 4, 6, 3), bottleneck=False), "torchvision resnet34"),
    Model("resnet50", partial(resnet, depths=(3, 4, 6, 3)), "torchvision resnet50",
          aliases=("resnet50_v1_5", "resnet")),
    Model("resnet50_v1", partial(resnet, depths=(3, 4, 6, 3), stride_in_first=True),
          "He et al. 2016 (Caffe ResNet-50)"),
)  # fmt: skip
