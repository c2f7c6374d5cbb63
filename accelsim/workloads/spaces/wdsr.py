"""`wdsr_x2`: super-resolution networks of WDSR-B blocks, twice the height and width, to 720p by default.

Source: Yu et al., "Wide Activation for Efficient and Accurate Image Super-Resolution", 2018, and the space of
Wu et al., "Compiler-Aware Neural Architecture Search for On-Mobile Real-time Super-Resolution" (ECCV 2022):
blocks kept or skipped, and the widths of their layers. Which of the 16 blocks are kept does not matter to a
network whose blocks are all of one family, so that a depth says how many.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from accelsim.errors import AccelsimError
from accelsim.workloads.builder import NetworkBuilder
from accelsim.workloads.network import INPUT, Network
from accelsim.workloads.spaces import genes as g
from accelsim.workloads.spaces.base import BlockGenes, Depth, Gene, Genomes, Space, check_resolution
from accelsim.workloads.spaces.subnet import Subnet, fields, number, numbers

BLOCKS, SCALE = 16, 2
CHANNELS = (8, 12, 16, 20, 24)
WIDE = tuple(range(8, 145, 8))
NARROW = (8, 12, 16, 20)
EXAMPLE = "r360-c24-d2-e144.72-l20.12"


@dataclass(frozen=True)
class WdsrSubnet(Subnet):
    """Channels between blocks, and the two widths inside each block. `resolution` is the input's height."""

    channels: int
    wide: tuple[int, ...]
    narrow: tuple[int, ...]

    @property
    def encoding(self) -> str:
        """Height, channels, depth, widths: `r360-c24-d2-e144.72-l20.12`."""
        e, l = (".".join(map(str, widths)) for widths in (self.wide, self.narrow))
        return f"r{self.resolution}-c{self.channels}-d{len(self.wide)}-e{e}-l{l}"


class WdsrSpace(Space):
    """Genes: input height, channels, depth, then two widths a block.

    The rearrangement of channels into pixels at the end is a way of writing the last sum, without a layer of
    its own; with `fused` false it is one more pass over the map.
    """

    def __init__(self, resolutions: Sequence[int] = (360,), fused: bool = True) -> None:
        self.fused = fused
        genes = [Gene("resolution", tuple(resolutions)), Gene("channels", CHANNELS)]
        genes.append(Gene("depth", tuple(range(1, BLOCKS + 1))))
        parts = [BlockGenes("head", (0, 1))]
        for b in range(BLOCKS):
            columns = (0, 1, len(genes), len(genes) + 1)
            parts.append(BlockGenes(f"block{b + 1}", columns, Depth(2, b) if b else None))
            genes += [Gene(f"wide{b + 1}", WIDE), Gene(f"narrow{b + 1}", NARROW)]
        parts.append(BlockGenes("tail", (0, 1)))
        super().__init__("wdsr_x2", genes, parts)

    def at(self, *resolutions: int) -> WdsrSpace:
        """The same space with other input heights, any from 32 to 4096."""
        return WdsrSpace(resolutions, self.fused)

    def input_shape(self, resolution: int) -> tuple[int, int, int]:
        """Three channels, 16 columns for 9 rows."""
        return 3, resolution, resolution * 16 // 9

    def decode(self, genome: ArrayLike) -> WdsrSubnet:
        """The readable form of one genome."""
        row = self.check(genome)[0].tolist()
        depth = self.genes[2].values[row[2]]
        wide, narrow = (
            tuple(values[row[3 + 2 * b + i]] for b in range(depth)) for i, values in enumerate((WIDE, NARROW))
        )
        return WdsrSubnet(self.name, self.resolutions[row[0]], CHANNELS[row[1]], wide, narrow)

    def encode(self, subnet: Subnet) -> Genomes:
        """Canonical genome [genes] of a subnet; AccelsimError where a choice is not in this space."""
        where = f"{self.name}:{subnet.encoding}"
        if not isinstance(subnet, WdsrSubnet) or len(subnet.wide) != len(subnet.narrow):
            raise AccelsimError(f"{where}: has two widths a block; write it like {EXAMPLE}")
        row = np.zeros(len(self.genes), np.int64)
        given = (subnet.resolution, subnet.channels, len(subnet.wide))
        row[:3] = [g.choice(gene, value, where) for gene, value in zip(self.genes, given)]
        widths = [width for pair in zip(subnet.wide, subnet.narrow) for width in pair]
        row[3 : 3 + len(widths)] = [
            g.choice(gene, width, where) for gene, width in zip(self.genes[3:], widths)
        ]
        return row

    def _parse(self, text: str) -> WdsrSubnet:
        found = fields(text, "rcdel", EXAMPLE, self.name)
        wide, narrow = (numbers(found[x], "width", self.name) for x in "el")
        if not len(wide) == len(narrow) == number(found["d"], "depth", self.name):
            raise AccelsimError(f"{self.name}: {text!r} needs d widths in e and l; write it like {EXAMPLE}")
        resolution = check_resolution(number(found["r"], "resolution", self.name), self.name)
        return WdsrSubnet(self.name, resolution, number(found["c"], "channels", self.name), wide, narrow)

    def to_network(self, genome: ArrayLike | Subnet, batch: int = 1) -> Network:
        """As of any space, with the shortcut of the tail read from the input."""
        net = super().to_network(genome, batch)
        at = net.names.index("tail.skip")
        edges = tuple(edge._replace(producer=INPUT) if edge.consumer == at else edge for edge in net.edges)
        return replace(net, edges=edges)

    def build_part(self, part: int, values: tuple[Any, ...], batch: int) -> Network:
        """One part as a network with a single output; convolutions have biases and scales of weight norm."""
        name, (_, height, width) = self.parts[part].name, self.input_shape(values[0])
        channels = values[1]
        if name == "head":
            net = NetworkBuilder(name, 3, height, width, batch)
            return net.build(net.conv(net.input, channels, 3, name="head.conv"))
        net = NetworkBuilder(name, channels, height, width, batch)
        x = net.input
        if name == "tail":
            out = 3 * SCALE**2
            y = net.conv(x, out, 3, name="tail.conv")
            shortcut = net.conv(net.split(x, [3, channels - 3])[0], out, 5, name="tail.skip")
            y = net.add(y, shortcut, name="tail.add")
            return net.build(y if self.fused else net.eltwise(y, name="tail.shuffle"))
        y = net.conv(x, values[2], 1, name=f"{name}.wide")
        y = net.conv(y, values[3], 1, name=f"{name}.narrow")
        y = net.conv(y, channels, 3, name=f"{name}.conv")
        return net.build(net.add(y, x, name=f"{name}.add"))
