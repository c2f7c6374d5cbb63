"""Once-for-All spaces of inverted-bottleneck (MBConv) blocks: elastic depth, kernel size and expansion.

Source: Cai et al., "Once-for-All", ICLR 2020 (arXiv 1908.09791), and mit-han-lab/once-for-all at f03b267.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from accelsim.errors import AccelsimError
from accelsim.workloads.builder import NetworkBuilder
from accelsim.workloads.network import Network
from accelsim.workloads.spaces import genes as g
from accelsim.workloads.spaces.base import (
    SMALLEST_RESOLUTION,
    BlockGenes,
    Depth,
    Gene,
    Genomes,
    Space,
    check_resolution,
)
from accelsim.workloads.spaces.channels import divisible
from accelsim.workloads.spaces.subnet import Subnet, fields, number, numbers
from accelsim.workloads.tensor import Tensor

KERNELS = (3, 5, 7)
EXPANSIONS = (3, 4, 6)
RESOLUTIONS = tuple(range(128, 225, 4))
"""Resolutions the supernets are trained with (OFA section 4.1): 128 to 224 in steps of 4."""

SQUEEZE = 4
"""Squeeze-excite reduces the expanded channels by this factor (MobileNetV3)."""


@dataclass(frozen=True)
class Stage:
    """Blocks of one width; the first has the stride. `depths` are the numbers of blocks to choose from."""

    out: int
    stride: int
    squeeze_excite: bool = False
    depths: tuple[int, ...] = (2, 3, 4)


@dataclass(frozen=True)
class Plan:
    """What the spaces of this family differ in, in channels.

    stem   output of the first 3x3 convolution, stride 2
    first  output of the block without expansion
    final  output of the 1x1 convolution before global pooling, 0 where there is none
    mix    output of the 1x1 convolution after it (without BatchNorm and bias), 0 where there is none

    `channels` are those of an input image; it is at least `least_resolution` high.
    """

    stem: int
    first: int
    stages: tuple[Stage, ...]
    final: int
    mix: int = 0
    classes: int = 1000
    kernels: tuple[int, ...] = KERNELS
    expansions: tuple[int, ...] = EXPANSIONS
    channels: int = 3
    least_resolution: int = SMALLEST_RESOLUTION


@dataclass(frozen=True)
class MBConvSubnet(Subnet):
    """Kernel sizes and expansion ratios of the active blocks, one tuple a stage."""

    kernels: tuple[tuple[int, ...], ...]
    expansions: tuple[tuple[int, ...], ...]

    @property
    def depths(self) -> tuple[int, ...]:
        """Active blocks of each stage."""
        return tuple(map(len, self.kernels))

    @property
    def encoding(self) -> str:
        """Resolution, depths, then one digit a block, stages apart by dots: `r224-d2.3-k35.357-e34.346`."""
        k, e = (".".join("".join(map(str, x)) for x in part) for part in (self.kernels, self.expansions))
        return f"r{self.resolution}-d{'.'.join(map(str, self.depths))}-k{k}-e{e}"


class MBConvSpace(Space):
    """Genes: resolution, a depth per stage with a choice, then kernel and expansion per block slot."""

    def __init__(self, name: str, plan: Plan, resolutions: Sequence[int] = RESOLUTIONS) -> None:
        self.plan = plan
        self.least_resolution = plan.least_resolution
        genes = [Gene("resolution", tuple(resolutions))]
        self._depth: list[int | None] = []
        for s, stage in enumerate(plan.stages):
            self._depth.append(len(genes) if len(stage.depths) > 1 else None)
            if len(stage.depths) > 1:
                genes.append(Gene(f"depth{s + 1}", stage.depths))
        parts = [BlockGenes("stem", (0,))]
        self._slots: list[tuple[int, int]] = []
        self._kernel: list[int] = []
        for s, stage in enumerate(plan.stages):
            for b in range(stage.depths[-1]):
                self._slots.append((s, b))
                self._kernel.append(len(genes))
                column, least = self._depth[s], sum(d <= b for d in stage.depths)
                parts.append(
                    BlockGenes(
                        f"stage{s + 1}.{b + 1}",
                        (0, len(genes), len(genes) + 1),
                        Depth(column, least) if column is not None and least else None,
                    )
                )
                genes.append(Gene(f"kernel{s + 1}.{b + 1}", plan.kernels))
                genes.append(Gene(f"expand{s + 1}.{b + 1}", plan.expansions))
        parts.append(BlockGenes("head", (0,)))
        super().__init__(name, genes, parts)

    def at(self, *resolutions: int) -> MBConvSpace:
        """The same space with other input resolutions, any from the plan's least to 4096."""
        return MBConvSpace(self.name, self.plan, resolutions)

    def input_shape(self, resolution: int) -> tuple[int, int, int]:
        """Channels, height and width of an input of a resolution."""
        return self.plan.channels, resolution, resolution

    # -- genome and subnet ---------------------------------------------------------------------------

    def decode(self, genome: ArrayLike) -> MBConvSubnet:
        """The readable form of one genome."""
        row = self.check(genome)[0].tolist()
        kernels: list[list[int]] = [[] for _ in self.plan.stages]
        expansions: list[list[int]] = [[] for _ in self.plan.stages]
        for (s, b), column in zip(self._slots, self._kernel):
            depth_column = self._depth[s]
            choice = row[depth_column] if depth_column is not None else 0
            if b < self.plan.stages[s].depths[choice]:
                kernels[s].append(self.plan.kernels[row[column]])
                expansions[s].append(self.plan.expansions[row[column + 1]])
        resolution = self.resolutions[row[0]]
        return MBConvSubnet(self.name, resolution, tuple(map(tuple, kernels)), tuple(map(tuple, expansions)))

    def encode(self, subnet: Subnet) -> Genomes:
        """Canonical genome [genes] of a subnet; AccelsimError where a choice is not in this space."""
        where = f"{self.name}:{subnet.encoding}"
        if not isinstance(subnet, MBConvSubnet) or len(subnet.kernels) != len(self.plan.stages):
            raise AccelsimError(f"{where}: {self.name} has {len(self.plan.stages)} stages of MBConv blocks")
        row = np.zeros(len(self.genes), np.int64)
        row[0] = g.choice(self.genes[0], subnet.resolution, where)
        for s, depth in enumerate(subnet.depths):
            column = self._depth[s]
            allowed = Gene(f"depth{s + 1}", self.plan.stages[s].depths)
            index = g.choice(allowed, depth, where)
            if column is not None:
                row[column] = index
            if len(subnet.expansions[s]) != depth:
                raise AccelsimError(
                    f"{where}: stage {s + 1} has {depth} kernels and {len(subnet.expansions[s])} expansions"
                )
        for (s, b), column in zip(self._slots, self._kernel):
            if b < subnet.depths[s]:
                row[column] = g.choice(self.genes[column], subnet.kernels[s][b], where)
                row[column + 1] = g.choice(self.genes[column + 1], subnet.expansions[s][b], where)
        return row

    @cached_property
    def _example(self) -> str:
        row = self.smallest()
        row[0] = len(self.resolutions) - 1
        return self.decode(row).encoding

    def _parse(self, text: str) -> MBConvSubnet:
        return self.parse_fields(text, self._example)

    def parse_fields(self, text: str, example: str) -> MBConvSubnet:
        """Read `MBConvSubnet.encoding`; messages show an example."""
        found = fields(text, "rdke", example, self.name)
        depths = numbers(found["d"], "depth", self.name)
        stages = []
        for letter, what in (("k", "kernel"), ("e", "expansion")):
            groups = found[letter].split(".")
            stages.append(tuple(tuple(number(x, what, self.name) for x in group) for group in groups))
            if tuple(map(len, groups)) != depths:
                raise AccelsimError(
                    f"{self.name}: field {letter} of {text!r} must have one digit a block, in stages of "
                    f"{'.'.join(map(str, depths))} blocks as d says; write it like {example}"
                )
        height = number(found["r"], "resolution", self.name)
        resolution = check_resolution(height, self.name, self.least_resolution)
        return MBConvSubnet(self.name, resolution, stages[0], stages[1])

    def from_ofa(
        self, ks: Sequence[int], e: Sequence[int], d: Sequence[int], resolution: int = 224
    ) -> MBConvSubnet:
        """A subnet from the configuration of the once-for-all code: with unused slots past `d`."""
        if len(ks) != len(self._slots) or len(e) != len(self._slots) or len(d) != len(self.plan.stages):
            raise AccelsimError(
                f"{self.name}: needs {len(self._slots)} kernels and expansions and {len(self.plan.stages)} "
                f"depths, but got {len(ks)}, {len(e)} and {len(d)}"
            )
        active = [
            [i for i, (s, b) in enumerate(self._slots) if s == stage and b < d[stage]]
            for stage in range(len(d))
        ]
        return MBConvSubnet(
            self.name,
            resolution,
            tuple(tuple(int(ks[i]) for i in slots) for slots in active),
            tuple(tuple(int(e[i]) for i in slots) for slots in active),
        )  # fmt: skip

    def to_ofa(self, subnet: MBConvSubnet) -> dict[str, list[int]]:
        """`{"ks", "e", "d", "r"}` for once-for-all's `set_active_subnet`; unused slots hold 3."""
        ks, e = ([3] * len(self._slots) for _ in range(2))
        for i, (s, b) in enumerate(self._slots):
            if b < subnet.depths[s]:
                ks[i], e[i] = subnet.kernels[s][b], subnet.expansions[s][b]
        return {"ks": ks, "e": e, "d": list(subnet.depths), "r": [subnet.resolution]}

    # -- layers --------------------------------------------------------------------------------------

    def build_part(self, part: int, values: tuple[Any, ...], batch: int) -> Network:
        """One part as a network with a single output."""
        plan, name = self.plan, self.parts[part].name
        size = halved(values[0])
        if name == "stem":
            net = NetworkBuilder(name, *self.input_shape(values[0]), batch)
            x = net.conv(net.input, plan.stem, 3, 2, name="stem.conv")
            return net.build(mbconv(net, x, "first", plan.first, 3, 1, 1, False))
        if name == "head":
            for stage in plan.stages:
                size = halved(size) if stage.stride == 2 else size
            return self._head(size, batch)
        s, b = self._slots[part - 1]
        width = plan.first
        for stage in plan.stages[:s]:
            width, size = stage.out, halved(size) if stage.stride == 2 else size
        stage = plan.stages[s]
        if b:
            width, size = stage.out, halved(size) if stage.stride == 2 else size
        net = NetworkBuilder(name, width, size, size, batch)
        _, kernel, expand = values
        stride = stage.stride if b == 0 else 1
        return net.build(
            mbconv(net, net.input, name, stage.out, kernel, expand, stride, stage.squeeze_excite)
        )

    def _head(self, size: int, batch: int) -> Network:
        plan = self.plan
        net = NetworkBuilder("head", plan.stages[-1].out, size, size, batch)
        x = net.conv(net.input, plan.final, 1, name="head.conv") if plan.final else net.input
        x = net.global_pool(x, name="head.pool")
        if plan.mix:
            x = net.conv(x, plan.mix, 1, bn=False, name="head.mix")
        return net.build(net.linear(x, plan.classes, name="head.classifier"))


def mbconv(
    net: NetworkBuilder, x: Tensor, name: str, out: int, kernel: int, expand: int, stride: int, se: bool
) -> Tensor:  # fmt: skip
    """Expand (unless `expand` is 1), depthwise, squeeze-excite, project; a residual where shapes agree."""
    mid = divisible(x.channels * expand)
    y = net.conv(x, mid, 1, name=f"{name}.expand") if expand > 1 else x
    y = net.depthwise(y, kernel, stride, name=f"{name}.depthwise")
    if se:
        y = net.squeeze_excite(y, divisible(mid // SQUEEZE), name=f"{name}.se")
    y = net.conv(y, out, 1, name=f"{name}.project")
    if stride == 1 and out == x.channels:
        y = net.add(y, x, name=f"{name}.add")
    return y


def halved(size: int) -> int:
    """Output of a "same"-padded stride-2 convolution."""
    return (size + 1) // 2
