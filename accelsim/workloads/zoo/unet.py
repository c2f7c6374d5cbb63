"""U-Net (Ronneberger et al., 2015) with unpadded convolutions."""

from __future__ import annotations

from accelsim.errors import AccelsimError
from accelsim.workloads.builder import NetworkBuilder
from accelsim.workloads.tensor import Tensor
from accelsim.workloads.zoo.model import Model


def unet(b: NetworkBuilder) -> Tensor:
    """Four levels down, four up with cropped skips; 572x572x1 becomes 388x388x2, Figure 1 of the paper."""
    x, skips = b.input, []
    for level in range(4):
        x = _pair(b, x, 64 << level, f"down{level}")
        if x.height % 2 or x.width % 2:
            raise AccelsimError(
                f"pooling {level} needs an even map (section 2 of the paper), but gets {x.height}x{x.width}"
            )
        skips.append(x)
        x = b.pool(x, 2, name=f"pool{level}")
    x = _pair(b, x, 1024, "bottom")
    for level in reversed(range(4)):
        x = b.upconv(x, 64 << level, name=f"up{level}.upconv")
        x = b.concat([b.crop(skips[level], x.height, x.width), x])
        x = _pair(b, x, 64 << level, f"up{level}")
    return b.conv(x, 2, 1, bias=True, bn=False, name="classifier")


def _pair(b: NetworkBuilder, x: Tensor, out: int, name: str) -> Tensor:
    x = b.conv(x, out, 3, padding=0, bias=True, bn=False, name=f"{name}.conv1")
    return b.conv(x, out, 3, padding=0, bias=True, bn=False, name=f"{name}.conv2")


MODELS = (Model("unet", unet, "Ronneberger et al. 2015", channels=1, height=572, width=572),)
