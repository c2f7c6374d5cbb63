"""`Tensors`: operators of a network as readers and makers of tensors, and what is live while each runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from accelsim.liveness.rules import Rules, depthwise
from accelsim.workloads.network import OUTSIDE, Network


@dataclass(frozen=True)
class Operator:
    """One step of the schedule: a layer, or two of which the first adds to the second's other operand.

    reads     tensors by number: 0 is the input, i + 1 the result of layer i
    makes     the tensor that it leaves
    over      the tensors that it may write over, if it is the last one to read them, best first
    parts     writing over one takes this part of the result more: one of its channels, for depthwise layers
    """

    layers: tuple[int, ...]
    reads: tuple[int, ...]
    makes: int
    over: tuple[int, ...]
    parts: int


@dataclass(frozen=True)
class Moment:
    """What is live while an operator runs: bytes by tensor, its result among them, less what `over` gives."""

    operator: int
    tensors: dict[int, int]
    over: int | None
    extra: int

    @property
    def total(self) -> int:
        """Bytes."""
        return sum(self.tensors.values()) + self.extra


class Tensors:
    """Sizes in bytes and operators of a network under some rules; `sizes` are bytes before alignment."""

    def __init__(self, network: Network, rules: Rules, sizes: Sequence[int]) -> None:
        self.network, self.rules = network, rules
        self.size = [rules.aligned(x) for x in sizes]
        self.outputs = {i + 1 for i in network.outputs}
        self.operators = self._operators()
        self.readers: list[set[int]] = [set() for _ in self.size]
        for n, operator in enumerate(self.operators):
            for tensor in operator.reads:
                self.readers[tensor].add(n)

    def name(self, tensor: int) -> str:
        """`input`, or the layer that makes it."""
        return OUTSIDE if tensor == 0 else self.network.names[tensor - 1]

    def moments(self, order: Sequence[int] | None = None) -> list[Moment]:
        """What is live while each operator runs, in the order given, by default the network's."""
        live, done, out = self.start(), 0, []
        for n in order if order is not None else range(len(self.operators)):
            moment, live = self.run(n, live, done)
            done |= 1 << n
            out.append(moment)
        return out

    def start(self) -> dict[int, int]:
        """Live before anything runs: the input."""
        return {0: self.size[0]} if self.readers[0] else {}

    def run(self, n: int, live: dict[int, int], done: int) -> tuple[Moment, dict[int, int]]:
        """Run operator `n` after those in the bit set `done`: the moment, and what is live afterwards."""
        operator = self.operators[n]
        done |= 1 << n
        ended = {t for t in operator.reads if t not in self.outputs and self._ended(t, done)}
        over = next((t for t in operator.over if t in ended), None)
        here = dict(live)
        extra = 0
        if over is None:
            here[operator.makes] = self.size[operator.makes]
        else:
            here[operator.makes] = max(0, self.size[operator.makes] - self.size[over])
            if operator.parts:
                extra = self.rules.aligned(-(-self.size[operator.makes] // operator.parts))
        after = {t: size for t, size in live.items() if t not in ended}
        if self.readers[operator.makes] or operator.makes in self.outputs:
            after[operator.makes] = self.size[operator.makes]
        return Moment(n, here, over, extra), after

    def _ended(self, tensor: int, done: int) -> bool:
        return all(done >> reader & 1 for reader in self.readers[tensor])

    def _operators(self) -> list[Operator]:
        net, merged, out = self.network, self._merged(), []
        for i, layer in enumerate(net.layers):
            if i in merged:
                continue
            reads = [e.producer + 1 for e in net.inputs_of[i]]
            over: list[int] = []
            parts = 0
            layers: tuple[int, ...] = (i,)
            if (
                self.rules.in_place_depthwise
                and depthwise(layer)
                and len(reads) == 1
                and self._fits(i, reads[0])
            ):
                over = reads
                parts = layer.G if self.rules.workspace == "none" else 0
            if self.rules.in_place_add and layer.elementwise:
                over = [t for t in reads if self.size[t] == self.size[i + 1]]
            if i - 1 in merged:
                kept = [t for t in reads if t != i]
                reads, over, layers = [e.producer + 1 for e in net.inputs_of[i - 1]] + kept, kept, (i - 1, i)
            out.append(Operator(layers, tuple(dict.fromkeys(reads)), i + 1, tuple(over), parts))
        return out

    def _merged(self) -> set[int]:
        """Layers that add their result to what is already there, for the element-wise layer right after."""
        net = self.network
        out: set[int] = set()
        if not self.rules.in_place_add:
            return out
        for j, layer in enumerate(net.layers):
            i, edges = j - 1, net.inputs_of[j]
            others = {e.producer for e in edges} - {i}
            if layer.op != "eltwise" or i < 0 or len(others) != 1 or len(edges) != 2 or i in net.outputs:
                continue
            other = others.pop()
            alone = all(e.consumer == j for e in net.consumers_of[i])
            reads_other = any(e.producer == other for e in net.inputs_of[i])
            if (
                alone
                and not reads_other
                and i not in out
                and self.size[other + 1] == self.size[j + 1]
                and not net.layers[i].elementwise
            ):
                out.add(i)
        return out

    def _fits(self, i: int, tensor: int) -> bool:
        whole = tensor == 0 or self.network.reads_all(*self.network.reads_of[i][0])
        return whole and self.size[i + 1] <= self.size[tensor]


def sizes_of(network: Network, input_bits: int, output_bits: int) -> list[int]:
    """Bytes of the input and of each layer's result, the whole batch."""
    channels, rows, cols = network.input_shape
    given = channels * rows * cols * network.batch * input_bits
    return [
        -(-bits // 8)
        for bits in (given, *(x.output_elements * (x.bits.output or output_bits) for x in network.layers))
    ]
