"""MnasNet (Tan et al., 2019), width 1.0: B1 without and A1 with squeeze-excite."""

from __future__ import annotations

from functools import partial

from accelsim.workloads.builder import NetworkBuilder
from accelsim.workloads.tensor import Tensor
from accelsim.workloads.zoo.mobilenet import inverted_residual
from accelsim.workloads.zoo.model import Model

# kernel, expansion, output channels, blocks, first stride, squeeze-excite
B1 = (
    (3, 3, 24, 3, 2, False), (5, 3, 40, 3, 2, False), (5, 6, 80, 3, 2, False),
    (3, 6, 96, 2, 1, False), (5, 6, 192, 4, 2, False), (3, 6, 320, 1, 1, False),
)  # fmt: skip
A1 = (
    (3, 6, 24, 2, 2, False), (5, 3, 40, 3, 2, True), (3, 6, 80, 4, 2, False),
    (3, 6, 112, 2, 1, True), (5, 6, 160, 3, 2, True), (3, 6, 320, 1, 1, False),
)  # fmt: skip


def mnasnet(b: NetworkBuilder, stages: tuple[tuple[int, int, int, int, int, bool], ...]) -> Tensor:
    """Inverted residuals; squeeze-excite narrows to a quarter of the block's input channels."""
    x = b.conv(b.input, 32, 3, 2, name="conv1")
    x = b.depthwise(x, 3, name="stage1.dw")
    x = b.conv(x, 16, 1, name="stage1.project")
    for stage, (kernel, expand, out, blocks, first, se) in enumerate(stages, 2):
        for i in range(blocks):
            squeezed = x.channels // 4 if se else 0
            stride = first if i == 0 else 1
            x = inverted_residual(b, x, out, kernel, stride, expand, squeezed, name=f"stage{stage}.{i}")
    x = b.conv(x, 1280, 1, name="conv_last")
    return b.linear(b.global_pool(x, name="avgpool"), 1000, name="fc")


MODELS = (
    Model("mnasnet_a1", partial(mnasnet, stages=A1), "Tan et al. 2019, Figure 7; timm semnasnet_100",
          aliases=("mnasnet", "semnasnet_100")),
    Model("mnasnet_b1", partial(mnasnet, stages=B1), "torchvision mnasnet1_0",
          aliases=("mnasnet1_0", "mnasnet_100")),
)  # fmt: skip
