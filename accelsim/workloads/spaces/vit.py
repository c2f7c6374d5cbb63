"""`vit`: vision transformers of elastic depth, width, heads and perceptrons; the image sets the tokens.

Choices in the manner of AutoFormer (Chen et al., ICCV 2021): heads of 64 channels each, a ratio of the
perceptron a block, one width for all. Positions are fixed sines and the end is a mean over tokens, so that
parameters do not depend on the image. No accuracies ship with it: bring a table or a predictor.
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
from accelsim.workloads.spaces.subnet import Subnet, fields, number, numbers
from accelsim.workloads.zoo.transformer import norm

PATCH, HEAD = 16, 64
WIDTHS = (192, 256, 384, 576, 768)
DEPTHS = (4, 6, 8, 10, 12)
HEADS = (3, 4, 6, 9, 12)
RATIOS = (2, 3, 4)
RESOLUTIONS = (128, 160, 192, 224)
EXAMPLE = "r224-w384-d4-h6.6.6.6-m4.4.4.4"


@dataclass(frozen=True)
class VitSubnet(Subnet):
    """Width of all tokens; heads and ratio of the perceptron of each block."""

    width: int
    heads: tuple[int, ...]
    ratios: tuple[int, ...]

    @property
    def encoding(self) -> str:
        """Resolution, width, depth, heads, ratios: `r224-w384-d4-h6.6.6.6-m4.4.4.4`."""
        h, m = (".".join(map(str, choices)) for choices in (self.heads, self.ratios))
        return f"r{self.resolution}-w{self.width}-d{len(self.heads)}-h{h}-m{m}"


class VitSpace(Space):
    """Genes: resolution, width, depth, then heads and ratio a block."""

    def __init__(self, resolutions: Sequence[int] = RESOLUTIONS) -> None:
        genes = [Gene("resolution", tuple(resolutions)), Gene("width", WIDTHS), Gene("depth", DEPTHS)]
        parts = [BlockGenes("patches", (0, 1))]
        for b in range(DEPTHS[-1]):
            least = sum(depth <= b for depth in DEPTHS)
            columns = (0, 1, len(genes), len(genes) + 1)
            parts.append(BlockGenes(f"block{b + 1}", columns, Depth(2, least) if least else None))
            genes += [Gene(f"heads{b + 1}", HEADS), Gene(f"ratio{b + 1}", RATIOS)]
        parts.append(BlockGenes("head", (0, 1)))
        super().__init__("vit", genes, parts)

    def at(self, *resolutions: int) -> VitSpace:
        """The same space with other input resolutions, any from 32 to 4096; whole patches count."""
        return VitSpace(resolutions)

    def decode(self, genome: ArrayLike) -> VitSubnet:
        """The readable form of one genome."""
        row = self.check(genome)[0].tolist()
        depth = DEPTHS[row[2]]
        heads, ratios = (
            tuple(values[row[3 + 2 * b + i]] for b in range(depth))
            for i, values in enumerate((HEADS, RATIOS))
        )
        return VitSubnet(self.name, self.resolutions[row[0]], WIDTHS[row[1]], heads, ratios)

    def encode(self, subnet: Subnet) -> Genomes:
        """Canonical genome [genes] of a subnet; AccelsimError where a choice is not in this space."""
        where = f"{self.name}:{subnet.encoding}"
        if not isinstance(subnet, VitSubnet) or len(subnet.heads) != len(subnet.ratios):
            raise AccelsimError(f"{where}: has heads and a ratio a block; write it like {EXAMPLE}")
        row = np.zeros(len(self.genes), np.int64)
        given = (subnet.resolution, subnet.width, len(subnet.heads))
        row[:3] = [g.choice(gene, value, where) for gene, value in zip(self.genes, given)]
        each = [value for pair in zip(subnet.heads, subnet.ratios) for value in pair]
        row[3 : 3 + len(each)] = [g.choice(gene, value, where) for gene, value in zip(self.genes[3:], each)]
        return row

    def _parse(self, text: str) -> VitSubnet:
        found = fields(text, "rwdhm", EXAMPLE, self.name)
        heads, ratios = (numbers(found[x], what, self.name) for x, what in (("h", "heads"), ("m", "ratio")))
        if not len(heads) == len(ratios) == number(found["d"], "depth", self.name):
            raise AccelsimError(f"{self.name}: {text!r} needs d values in h and m; write it like {EXAMPLE}")
        resolution = check_resolution(number(found["r"], "resolution", self.name), self.name)
        return VitSubnet(self.name, resolution, number(found["w"], "width", self.name), heads, ratios)

    def build_part(self, part: int, values: tuple[Any, ...], batch: int) -> Network:
        """One part as a network with a single output."""
        name, side, width = self.parts[part].name, values[0] // PATCH, values[1]
        if name == "patches":
            net = NetworkBuilder(name, 3, values[0], values[0], batch)
            x = net.conv(net.input, width, PATCH, PATCH, 0, bias=True, bn=False, name="patches.conv")
            return net.build(net.eltwise(net.reshape(x, width, side * side, 1), 2, name="patches.positions"))
        net = NetworkBuilder(name, width, side * side, 1, batch)
        x = net.input
        if name == "head":
            x = net.global_pool(norm(net, x, "head.norm"), name="head.pool")
            return net.build(net.linear(x, 1000, name="head.classifier"))
        heads, inner, tokens = values[2], HEAD * values[2], side * side
        y = norm(net, x, f"{name}.norm1")
        q, k, v = (net.linear(y, inner, name=f"{name}.{which}") for which in ("query", "key", "value"))
        y = net.matmul(q, k, groups=heads, M=tokens, N=tokens, K=HEAD, name=f"{name}.scores")
        y = net.eltwise(y, name=f"{name}.softmax")
        y = net.matmul(y, v, groups=heads, M=tokens, N=HEAD, K=tokens, name=f"{name}.context")
        x = net.add(x, net.linear(y, width, name=f"{name}.projection"), name=f"{name}.add1")
        y = net.linear(norm(net, x, f"{name}.norm2"), values[3] * width, name=f"{name}.fc1")
        return net.build(net.add(x, net.linear(y, width, name=f"{name}.fc2"), name=f"{name}.add2"))
