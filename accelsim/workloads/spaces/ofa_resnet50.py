"""`ofa_resnet50`: the Once-for-All ResNet50 space that NAAS searches.

ResNet-D (He et al., CVPR 2019: three 3x3 convolutions as stem, average pooling in the shortcuts) with elastic
stem, widths, depths and expansion ratios. Source: mit-han-lab/once-for-all, `ofa_resnets.py`; resolutions
from NAAS (Lin et al., DAC 2021, section III-C).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from accelsim.errors import AccelsimError
from accelsim.workloads.builder import NetworkBuilder
from accelsim.workloads.network import Network
from accelsim.workloads.spaces import genes as g
from accelsim.workloads.spaces.base import BlockGenes, Depth, Gene, Genomes, Space, check_resolution
from accelsim.workloads.spaces.channels import divisible
from accelsim.workloads.spaces.subnet import Subnet, fields, number, numbers
from accelsim.workloads.tensor import Tensor

RESOLUTIONS = tuple(range(128, 257, 16))
WIDTHS = (65, 80, 100)
EXPANSIONS = (20, 25, 35)
BASE_DEPTHS = (2, 2, 4, 2)
EXTRA_DEPTHS = (0, 1, 2)
STAGE_OUT = (256, 512, 1024, 2048)
STEM_OUT = 64
CLASSES = 1000

STEM_INNER_WIDTHS = (65, 100)
"""Widths 0.65 and 0.8 both give the first stem convolution 24 channels, so they are one choice here."""

DEPTH, STEM_INNER, WIDTH = 2, 6, 7
"""Columns: resolution, stem_block, depth x 4, stem_inner, stem_width, width x 4, expand x 18."""

EXPAND = 12
EXAMPLE = "r224-d2.1.2.2.1-w100.100.100.100.100.100-e" + "_".join(".".join(["25"] * n) for n in (3, 4, 6, 3))


@dataclass(frozen=True)
class ResNetSubnet(Subnet):
    """Choices in per cent of the standard ResNet50.

    stem_block  whether the stem has its residual 3x3 convolution
    widths      inner stem, stem, and the outputs of the four stages
    expansions  middle channels of each active block over its stage's output, one tuple a stage
    """

    stem_block: bool
    widths: tuple[int, ...]
    expansions: tuple[tuple[int, ...], ...]

    @property
    def depths(self) -> tuple[int, ...]:
        """Blocks of each stage."""
        return tuple(map(len, self.expansions))

    @property
    def encoding(self) -> str:
        """`r224-d2.1.2.2.1-w100...-e25.25_25...`: d is 2 for the stem block, then the extra blocks."""
        depths = (2 * self.stem_block, *(n - base for n, base in zip(self.depths, BASE_DEPTHS)))
        d, w = (".".join(map(str, x)) for x in (depths, self.widths))
        return f"r{self.resolution}-d{d}-w{w}-e{'_'.join('.'.join(map(str, x)) for x in self.expansions)}"


class OfaResNet50(Space):
    """1.6e12 distinct subnets at each of 9 resolutions."""

    def __init__(self, resolutions: Sequence[int] = RESOLUTIONS) -> None:
        genes = [Gene("resolution", tuple(resolutions)), Gene("stem_block", (False, True))]
        genes += [Gene(f"depth{s + 1}", EXTRA_DEPTHS) for s in range(4)]
        genes += [Gene("stem_inner", STEM_INNER_WIDTHS)]
        genes += [Gene("stem_width" if s == 0 else f"width{s}", WIDTHS) for s in range(5)]
        parts = [BlockGenes("stem", (0, 1, STEM_INNER, WIDTH))]
        self._slots: list[tuple[int, int]] = []
        for s, base in enumerate(BASE_DEPTHS):
            for b in range(base + EXTRA_DEPTHS[-1]):
                widths = (WIDTH + s, WIDTH + s + 1) if b == 0 else (WIDTH + s + 1,)
                depth = Depth(DEPTH + s, b - base + 1) if b >= base else None
                parts.append(BlockGenes(f"stage{s + 1}.{b + 1}", (0, *widths, len(genes)), depth))
                genes.append(Gene(f"expand{s + 1}.{b + 1}", EXPANSIONS))
                self._slots.append((s, b))
        parts.append(BlockGenes("head", (0, WIDTH + 4)))
        super().__init__("ofa_resnet50", genes, parts)

    def at(self, *resolutions: int) -> OfaResNet50:
        """The same space with other input resolutions, any from 32 to 4096."""
        return OfaResNet50(resolutions)

    # -- genome and subnet ---------------------------------------------------------------------------

    def decode(self, genome: ArrayLike) -> ResNetSubnet:
        """The readable form of one genome."""
        row = self.check(genome)[0].tolist()
        expansions: list[list[int]] = [[] for _ in BASE_DEPTHS]
        for column, (s, b) in enumerate(self._slots, EXPAND):
            if b < BASE_DEPTHS[s] + row[DEPTH + s]:
                expansions[s].append(EXPANSIONS[row[column]])
        widths = (STEM_INNER_WIDTHS[row[STEM_INNER]], *(WIDTHS[row[WIDTH + s]] for s in range(5)))
        return ResNetSubnet(
            self.name, self.resolutions[row[0]], bool(row[1]), widths, tuple(map(tuple, expansions))
        )

    def encode(self, subnet: Subnet) -> Genomes:
        """Canonical genome [genes] of a subnet; AccelsimError where a choice is not in this space."""
        where = f"{self.name}:{subnet.encoding}"
        if not isinstance(subnet, ResNetSubnet) or len(subnet.expansions) != 4 or len(subnet.widths) != 6:
            raise AccelsimError(f"{where}: {self.name} has 6 widths and 4 stages; write it like {EXAMPLE}")
        row = np.zeros(len(self.genes), np.int64)
        row[0] = g.choice(self.genes[0], subnet.resolution, where)
        row[1] = subnet.stem_block
        for s, depth in enumerate(subnet.depths):
            extra = g.choice(self.genes[DEPTH + s], depth - BASE_DEPTHS[s], where)
            row[DEPTH + s] = extra
        for s, width in enumerate(subnet.widths):
            merged = 65 if s == 0 and width == 80 else width
            row[STEM_INNER + s] = g.choice(self.genes[STEM_INNER + s], merged, where)
        for column, (s, b) in enumerate(self._slots, EXPAND):
            if b < subnet.depths[s]:
                row[column] = g.choice(self.genes[column], subnet.expansions[s][b], where)
        return row

    def _parse(self, text: str) -> ResNetSubnet:
        found = fields(text, "rdwe", EXAMPLE, self.name)
        depths = numbers(found["d"], "depth", self.name)
        widths = numbers(found["w"], "width", self.name)
        expansions = tuple(numbers(x, "expansion", self.name) for x in found["e"].split("_"))
        blocks = tuple(a + b for a, b in zip(depths[1:], BASE_DEPTHS))
        if len(depths) != 5 or depths[0] not in (0, 2) or blocks != tuple(map(len, expansions)):
            raise AccelsimError(
                f"{self.name}: in {text!r}, d must be 0 or 2 for the stem block and then the blocks beyond "
                f"2, 2, 4, 2 in each of the four groups of e; write it like {EXAMPLE}"
            )
        resolution = check_resolution(number(found["r"], "resolution", self.name), self.name)
        return ResNetSubnet(self.name, resolution, depths[0] == 2, widths, expansions)

    # -- layers --------------------------------------------------------------------------------------

    def build_part(self, part: int, values: tuple[Any, ...], batch: int) -> Network:
        """One part as a network with a single output."""
        name = self.parts[part].name
        if name == "stem":
            resolution, block, inner, stem = values
            return _stem(resolution, block, inner, stem, batch)
        size = halved(halved(values[0]))
        if name == "head":
            for _ in range(3):
                size = halved(size)
            net = NetworkBuilder(name, channels(3, values[1]), size, size, batch)
            x = net.global_pool(net.input, name="head.pool")
            return net.build(net.linear(x, CLASSES, name="head.classifier"))
        s, b = self._slots[part - 1]
        out = channels(s, values[-2])
        for _ in range(s if b else s - 1):
            size = halved(size)
        width = out
        if b == 0:
            width = divisible(STEM_OUT * values[1] / 100) if s == 0 else channels(s - 1, values[1])
        net = NetworkBuilder(name, width, size, size, batch)
        middle = divisible(round(out * values[-1] / 100))
        return net.build(bottleneck(net, net.input, name, middle, out, 2 if s and not b else 1))


def _stem(resolution: int, block: bool, inner_width: int, width: int, batch: int) -> Network:
    inner, out = divisible(divisible(STEM_OUT * inner_width / 100) // 2), divisible(STEM_OUT * width / 100)
    net = NetworkBuilder("stem", 3, resolution, resolution, batch)
    x = net.conv(net.input, inner, 3, 2, name="stem.conv1")
    if block:
        x = net.add(net.conv(x, inner, 3, name="stem.conv2"), x, name="stem.add")
    x = net.conv(x, out, 3, name="stem.conv3")
    return net.build(net.pool(x, 3, 2, 1, name="stem.pool"))


def bottleneck(net: NetworkBuilder, x: Tensor, name: str, middle: int, out: int, stride: int) -> Tensor:
    """1x1, 3x3 with the stride, 1x1, and a shortcut that averages 2x2 before its 1x1 where it shrinks."""
    y = net.conv(x, middle, 1, name=f"{name}.conv1")
    y = net.conv(y, middle, 3, stride, name=f"{name}.conv2")
    y = net.conv(y, out, 1, name=f"{name}.conv3")
    if stride > 1:
        x = net.pool(x, stride, ceil_mode=True, name=f"{name}.shortcut_pool")
    if x.channels != out:
        x = net.conv(x, out, 1, name=f"{name}.shortcut")
    return net.add(y, x, name=f"{name}.add")


def channels(stage: int, width: int) -> int:
    """Output channels of a stage at a width in per cent."""
    return divisible(STAGE_OUT[stage] * width / 100)


def halved(size: int) -> int:
    """Output of a "same"-padded stride-2 convolution."""
    return (size + 1) // 2
