"""`nasbench_macro`: a chain of slots, each nothing or an MBConv, so few that every accuracy can be measured.

The default is NAS-Bench-Macro (Su et al., "Prioritized Architecture Sampling with Monto-Carlo Tree Search",
CVPR 2021), whose 6561 codes were all trained on CIFAR-10. Other plans make smaller or larger spaces.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from accelsim.errors import AccelsimError
from accelsim.workloads.builder import NetworkBuilder
from accelsim.workloads.network import Network
from accelsim.workloads.spaces import genes as g
from accelsim.workloads.spaces.base import BlockGenes, Depth, Gene, Genomes, Space, check_resolution
from accelsim.workloads.spaces.mbconv import halved, mbconv
from accelsim.workloads.spaces.subnet import Subnet, number


@dataclass(frozen=True)
class MacroPlan:
    """Stages of `slots` blocks; the first block of a stage doubles the channels and halves the map.

    operators  (kernel, expansion) of codes 1, 2, ...; code 0 is the identity (a 1x1 convolution with stride
               2 in the first slot of a stage, nothing elsewhere)
    """

    slots: tuple[int, ...] = (2, 3, 3)
    operators: tuple[tuple[int, int], ...] = ((3, 3), (5, 6))
    stem: int = 32
    final: int = 1280
    classes: int = 10
    resolution: int = 32


@dataclass(frozen=True)
class MacroSubnet(Subnet):
    """One digit a slot; `native` is the resolution that needs no mention in the encoding."""

    code: str
    native: int = field(default=32, repr=False)

    @property
    def encoding(self) -> str:
        """The digits, then `-r` and the resolution where it is not the plan's own."""
        return self.code + (f"-r{self.resolution}" if self.resolution != self.native else "")


class MacroSpace(Space):
    """Genes: resolution, then a code per slot.

    An identity beyond a stage's first slot does nothing, so the places of identities within a stage do not
    count: the canonical genome has them last (3969 of NAS-Bench-Macro's 6561 codes differ as networks).
    """

    def __init__(
        self, plan: MacroPlan | None = None, name: str = "nasbench_macro",
        resolutions: Sequence[int] | None = None,
    ) -> None:  # fmt: skip
        self.plan = plan = plan or MacroPlan()
        codes = tuple(range(len(plan.operators) + 1))
        if len(codes) > 10:
            raise AccelsimError(f"{name}: at most 9 operators, one digit each, but got {len(codes) - 1}")
        self._slots = [(s, b) for s, n in enumerate(plan.slots) for b in range(n)]
        names = [f"slot{s + 1}.{b + 1}" for s, b in self._slots]
        genes = [Gene("resolution", tuple(resolutions or (plan.resolution,)))]
        genes += [Gene(n, codes) for n in names]
        parts = [
            BlockGenes(n, (0, i), Depth(i, 1) if b else None)
            for i, (n, (_, b)) in enumerate(zip(names, self._slots), 1)
        ]
        super().__init__(name, genes, [BlockGenes("stem", (0,)), *parts, BlockGenes("head", (0,))])

    def at(self, *resolutions: int) -> MacroSpace:
        """The same space with other input resolutions, any from 32 to 4096."""
        return MacroSpace(self.plan, self.name, resolutions)

    @cached_property
    def size(self) -> int:
        """Number of distinct subnets, resolutions included."""
        operators = len(self.plan.operators)
        size = len(self.resolutions)
        for slots in self.plan.slots:
            size *= (operators + 1) * sum(operators**n for n in range(slots))
        return size

    def canonical(self, genomes: ArrayLike) -> Genomes:
        """Genomes with the identities that do nothing moved to the end of their stage."""
        rows = self.check(genomes).copy()
        start = 1
        for slots in self.plan.slots:
            rest = rows[:, start + 1 : start + slots]
            order = np.argsort(rest == 0, axis=1, kind="stable")
            rows[:, start + 1 : start + slots] = np.take_along_axis(rest, order, 1)
            start += slots
        return rows

    # -- genome and subnet ---------------------------------------------------------------------------

    def decode(self, genome: ArrayLike) -> MacroSubnet:
        """The readable form of one genome."""
        row = self.check(genome)[0].tolist()
        code = "".join(map(str, row[1:]))
        return MacroSubnet(self.name, self.resolutions[row[0]], code, self.plan.resolution)

    def encode(self, subnet: Subnet) -> Genomes:
        """Canonical genome [genes] of a subnet; AccelsimError where a choice is not in this space."""
        where = f"{self.name}:{subnet.encoding}"
        if not isinstance(subnet, MacroSubnet) or len(subnet.code) != len(self._slots):
            raise AccelsimError(f"{where}: a code of {self.name} has {len(self._slots)} digits")
        row = [g.choice(self.genes[0], subnet.resolution, where)]
        row += [
            g.choice(gene, number(x, gene.name, where), where) for gene, x in zip(self.genes[1:], subnet.code)
        ]
        return np.asarray(self.canonical(row)[0])

    def _parse(self, text: str) -> MacroSubnet:
        code, _, resolution = text.partition("-r")
        r = number(resolution, "resolution", self.name) if resolution else self.plan.resolution
        return MacroSubnet(self.name, check_resolution(r, self.name), code, self.plan.resolution)

    # -- layers --------------------------------------------------------------------------------------

    def build_part(self, part: int, values: tuple[Any, ...], batch: int) -> Network:
        """One part as a network with a single output."""
        plan, name, size = self.plan, self.parts[part].name, values[0]
        if name == "stem":
            net = NetworkBuilder(name, 3, size, size, batch)
            return net.build(net.conv(net.input, plan.stem, 3, name="stem.conv"))
        s, b = self._slots[part - 1] if name != "head" else (len(plan.slots), 0)
        width = plan.stem * 2 ** (s + (b > 0))
        for _ in range(s + (b > 0)):
            size = halved(size)
        net = NetworkBuilder(name, width, size, size, batch)
        if name == "head":
            x = net.conv(net.input, plan.final, 1, name="head.conv")
            x = net.global_pool(x, name="head.pool")
            return net.build(net.linear(x, plan.classes, name="head.classifier"))
        out, stride = (width, 1) if b else (2 * width, 2)
        if values[1] == 0:
            return net.build(net.conv(net.input, out, 1, stride, 0, name=f"{name}.downsample"))
        kernel, expand = plan.operators[values[1] - 1]
        return net.build(mbconv(net, net.input, name, out, kernel, expand, stride, False))
