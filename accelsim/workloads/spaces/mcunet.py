"""`mcunet`: MBConv networks for microcontrollers, of any width (MCUNet: Lin et al., NeurIPS 2020)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from accelsim.errors import AccelsimError
from accelsim.workloads.network import Network
from accelsim.workloads.spaces import genes as g
from accelsim.workloads.spaces.base import BlockGenes, Gene, Genomes, Space, check_resolution
from accelsim.workloads.spaces.channels import divisible
from accelsim.workloads.spaces.mbconv import MBConvSpace, MBConvSubnet, Plan, Stage
from accelsim.workloads.spaces.subnet import Subnet

WIDTHS = tuple(round(0.1 * i, 1) for i in range(2, 11))
"""Factors of all channel counts: 0.2 to 1.0."""

RESOLUTIONS = tuple(range(48, 225, 16))
"""48 to 224 in steps of 16: with the widths the 108 spaces of MCUNet, section 3.1."""

STAGES = ((24, 2), (40, 2), (80, 2), (96, 1), (192, 2))
"""Channels at width 1.0 and first stride, two to four blocks each; one block of 320 follows."""

EXAMPLE = "r144-w0.5-d2.2.2.2.2.1-k33.33.33.33.33.3-e33.33.33.33.33.3"


@dataclass(frozen=True)
class McuSubnet(MBConvSubnet):
    """And the width."""

    width: float

    @property
    def encoding(self) -> str:
        """As of any MBConv subnet, with the width: `r144-w0.5-d2.3...`."""
        head, _, rest = super().encoding.partition("-")
        return f"{head}-w{self.width}-{rest}"


class McuNet(Space):
    """Genes of `ofa_proxyless` and, last, a width that all parts share.

    Channels are those of ProxylessNAS as released for MCUNet (mit-han-lab/mcunet, `ofa_proxyless.py`) without
    the 1x1 convolution before the classifier, which its released networks leave out: at width 0.5 it would
    take 640 kB of Flash. No squeeze-excite, 1000 classes. MCUNetV2's text counts 3.3e25 networks in a space;
    this one has 2.0e20 at each width and resolution.
    """

    def __init__(self, resolutions: Sequence[int] = RESOLUTIONS) -> None:
        self._of = {w: MBConvSpace("mcunet", plan(w), resolutions) for w in WIDTHS}
        like = self._of[1.0]
        width = len(like.genes)
        parts = [BlockGenes(p.name, (*p.columns, width), p.depth) for p in like.parts]
        super().__init__("mcunet", [*like.genes, Gene("width", WIDTHS)], parts)

    def at(self, *resolutions: int) -> McuNet:
        """The same space with other input resolutions, any from 32 to 4096."""
        return McuNet(resolutions)

    def decode(self, genome: ArrayLike) -> McuSubnet:
        """The readable form of one genome."""
        row = self.check(genome)[0]
        found = self._of[1.0].decode(row[:-1])
        width = WIDTHS[int(row[-1])]
        return McuSubnet(self.name, found.resolution, found.kernels, found.expansions, width)

    def encode(self, subnet: Subnet) -> Genomes:
        """Canonical genome [genes] of a subnet; AccelsimError where a choice is not in this space."""
        where = f"{self.name}:{subnet.encoding}"
        if not isinstance(subnet, McuSubnet):
            raise AccelsimError(f"{where}: lacks a width; write it like {EXAMPLE}")
        width = g.choice(self.genes[-1], subnet.width, where)
        return np.append(self._of[1.0].encode(subnet), width)

    def _parse(self, text: str) -> McuSubnet:
        fields = text.split("-")
        widths = [f for f in fields if f[:1] == "w"]
        try:
            (width,) = (float(f[1:]) for f in widths)
        except ValueError:
            raise AccelsimError(
                f"{self.name}: {text!r} must name one width from {WIDTHS[0]} to {WIDTHS[-1]}; write it like "
                f"{EXAMPLE}"
            ) from None
        found = self._of[1.0].parse_fields("-".join(f for f in fields if f[:1] != "w"), EXAMPLE)
        check_resolution(found.resolution, self.name)
        return McuSubnet(self.name, found.resolution, found.kernels, found.expansions, width)

    def build_part(self, part: int, values: tuple[Any, ...], batch: int) -> Network:
        """One part as a network with a single output."""
        return self._of[values[-1]].build_part(part, values[:-1], batch)


def plan(width: float) -> Plan:
    """Channels at a width."""
    stages = (Stage(divisible(out * width), stride) for out, stride in STAGES)
    return Plan(
        stem=divisible(32 * width),
        first=divisible(16 * width),
        stages=(*stages, Stage(divisible(320 * width), 1, depths=(1,))),
        final=0,
    )
