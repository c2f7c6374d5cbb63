"""AlexNet, in torchvision's form and as first published, and LeNet-5."""

from __future__ import annotations

from accelsim.errors import AccelsimError
from accelsim.workloads.builder import NetworkBuilder
from accelsim.workloads.tensor import Tensor
from accelsim.workloads.zoo.model import Model


def alexnet(b: NetworkBuilder) -> Tensor:
    """The single-column network of Krizhevsky (2014), as in torchvision."""
    x = b.conv(b.input, 64, 11, 4, 2, bias=True, bn=False, name="conv1")
    x = b.pool(x, 3, 2, name="pool1")
    x = b.conv(x, 192, 5, bias=True, bn=False, name="conv2")
    x = b.pool(x, 3, 2, name="pool2")
    for i, out in ((3, 384), (4, 256), (5, 256)):
        x = b.conv(x, out, 3, bias=True, bn=False, name=f"conv{i}")
    x = b.pool(x, 3, 2, name="pool5")
    return _classifier(b, b.adaptive_pool(x, 6, 6, name="avgpool"), (4096, 4096, 1000), 6)


def alexnet_grouped(b: NetworkBuilder) -> Tensor:
    """The two-column network of Krizhevsky et al. (2012): conv2, conv4 and conv5 in two groups, as in Caffe.

    Local response normalisation is an element-wise layer.
    """
    x = b.conv(b.input, 96, 11, 4, 0, bias=True, bn=False, name="conv1")
    x = b.pool(b.eltwise(x, name="norm1"), 3, 2, ceil_mode=True, name="pool1")
    x = b.conv(x, 256, 5, groups=2, bias=True, bn=False, name="conv2")
    x = b.pool(b.eltwise(x, name="norm2"), 3, 2, ceil_mode=True, name="pool2")
    for i, out, groups in ((3, 384, 1), (4, 384, 2), (5, 256, 2)):
        x = b.conv(x, out, 3, groups=groups, bias=True, bn=False, name=f"conv{i}")
    x = b.pool(x, 3, 2, ceil_mode=True, name="pool5")
    return _classifier(b, x, (4096, 4096, 1000), 6)


def lenet5(b: NetworkBuilder) -> Tensor:
    """LeCun et al. (1998) as usually rebuilt: C3 sees all six maps, the classifier is a plain product."""
    x = b.conv(b.input, 6, 5, padding=0, bias=True, bn=False, name="conv1")
    x = b.pool(x, 2, name="pool1")
    x = b.conv(x, 16, 5, padding=0, bias=True, bn=False, name="conv2")
    x = b.pool(x, 2, name="pool2")
    return _classifier(b, x, (120, 84, 10), 5)


def _classifier(b: NetworkBuilder, x: Tensor, widths: tuple[int, ...], side: int) -> Tensor:
    if (x.height, x.width) != (side, side):
        raise AccelsimError(f"the classifier needs a {side}x{side} map, but gets {x.height}x{x.width}")
    x = b.flatten(x)
    for i, out in enumerate(widths, 1):
        x = b.linear(x, out, name=f"fc{i}")
    return x


MODELS = (
    Model("alexnet", alexnet, "torchvision alexnet"),
    Model("alexnet_grouped", alexnet_grouped, "Caffe bvlc_alexnet", height=227, width=227,
          aliases=("alexnet_caffe", "alexnet_original")),
    Model("lenet5", lenet5, "LeCun et al. 1998", channels=1, height=32, width=32, aliases=("lenet",)),
)  # fmt: skip
