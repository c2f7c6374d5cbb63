"""`Graph`: what the ONNX importer knows while it walks the operators, and the network so far."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from math import prod
from typing import Any

import onnx

from accelsim.errors import AccelsimError
from accelsim.workloads.layer import Layer
from accelsim.workloads.network import INPUT, OUTSIDE, Edge, Held, Network
from accelsim.workloads.onnx import parts as P
from accelsim.workloads.onnx.parts import WEIGHT, Parts, Source
from accelsim.workloads.onnx.values import Shape, Values
from accelsim.workloads.region import Region


class Graph:
    """Tensors by name and the layers that they became.

    A tensor is constant (weights, and arithmetic on weights and shapes) or an activation; either has parts.
    """

    def __init__(self, values: Values, title: str, inputs: Sequence[str]) -> None:
        self.values = values
        self.title = title
        self.inputs = tuple(inputs)
        self.constants: set[str] = set()
        self.parts: dict[str, Parts] = {}
        self.notes: list[str] = []
        self.views: Counter[str] = Counter()
        self.bits: Counter[str] = Counter()
        self.unknown: dict[str, tuple[int, int]] = {}
        self.layers: list[Layer] = []
        self._edges: list[Edge] = []
        self._weights: list[int] = []
        self._params: list[int] = []
        self._held: list[tuple[Held, ...]] = []
        self._names: set[str] = {OUTSIDE}
        self._numbers: Counter[str] = Counter()
        self._roots: dict[str, frozenset[str]] = {}
        self._counted: set[str] = set()
        self._loose_params = 0
        first = values.shape(inputs[0]) if inputs else (1,)
        self.batch = first[0] if first else 1
        self.input_shape = nest(first)[1:]
        for name in inputs:
            self.outside(name)

    # -- tensors -------------------------------------------------------------------------------------

    def shape(self, name: str) -> Shape:
        """Sizes of a tensor. Raises AccelsimError if nothing could tell."""
        return self.values.shape(name)

    def elements(self, name: str) -> int:
        """Number of elements of its shape."""
        return prod(self.shape(name))

    def activation(self, name: str) -> bool:
        """Whether the tensor is data (and not a constant, nor an input left out)."""
        return bool(name) and name not in self.constants

    def data(self, names: Iterable[str]) -> list[str]:
        """The activations among them."""
        return [x for x in names if self.activation(x)]

    def read(self, name: str) -> Parts:
        """Where the tensor's elements lie."""
        if name not in self.parts:
            raise AccelsimError(f"tensor {name!r} is read, but nothing before makes it")
        return self.parts[name]

    def outside(self, name: str) -> None:
        """The tensor comes from outside the network."""
        self.parts[name] = P.made(Source(INPUT, name if len(self.inputs) > 1 else "", self.shape(name)))

    def weight(self, name: str) -> None:
        """The tensor stands in the model file."""
        self.constants.add(name)
        self._roots[name] = frozenset([name])
        self.parts[name] = P.made(Source(WEIGHT, name, self.shape(name)))

    def constant(self, node: Any, parameters: Sequence[str]) -> None:
        """The node's results do not depend on activations; they come from `parameters`."""
        roots = frozenset().union(*(self._roots.get(x, frozenset()) for x in parameters if x))
        for name in node.output:
            if name:
                self.constants.add(name)
                self._roots[name] = roots
                shape = self.values.find(name)
                if name not in self.parts and shape is not None:
                    self.parts[name] = P.made(Source(WEIGHT, name, shape))

    def params(self, names: Iterable[str]) -> int:
        """Elements of the parameters behind constants, each counted once; single values do not count."""
        total = 0
        for name in names:
            for root in self._roots.get(name, ()):
                if root not in self._counted and self.elements(root) > 1:
                    self._counted.add(root)
                    total += self.elements(root)
        return total

    def attributes(self, node: Any) -> dict[str, Any]:
        """Attributes by name."""
        return {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}

    # -- results -------------------------------------------------------------------------------------

    def name(self, node: Any, suffix: str = "") -> str:
        """A new name for a layer of the node: its own, else its output's."""
        base = str(node.name or next((x for x in node.output if x), "layer")) + suffix
        if base and base not in self._names:
            return base
        while True:
            self._numbers[base] += 1
            name = f"{base or 'layer'}_{self._numbers[base]}"
            if name not in self._names:
                return name

    def emit(
        self, layer: Layer, inputs: Iterable[str | Parts], *, factors: Iterable[str | Parts] = (),
        params: int = 0, weights: Sequence[Held] | None = None, weight_elements: int = 0,
    ) -> int:  # fmt: skip
        """Add a layer that reads `inputs`, and `factors` in the place of weights; gives its index.

        Constants among the factors are its weights, unless `weights` states them.
        """
        i = len(self.layers)
        edges: list[Edge] = []
        held: list[Held] = list(weights or ())
        for operand, tensors in (("I", inputs), ("W", factors)):
            several = [self.read(x) if isinstance(x, str) else x for x in tensors]
            for source, region, elements in P.reads(tuple(p for parts in several for p in parts)):
                if source.producer != WEIGHT:
                    edges.append(Edge(source.producer, i, elements, operand, source.tensor, region))
                elif operand == "W":
                    held.append(Held(source.tensor, region or _all(source)))
                    weight_elements += elements
        self.layers.append(layer)
        self._names.add(layer.name)
        self._edges += edges
        self._weights.append(weight_elements)
        self._params.append(params + self._loose_params)
        self._held.append(tuple(held))
        self._loose_params = 0
        return i

    def make(self, name: str, *layers: int, part: int = 0) -> None:
        """The tensor is the result of one layer, or of several in pieces; `part` tells several apart."""
        if not name:
            return
        shape = self.shape(name)
        tensor = str(part) if part else ""
        if len(layers) == 1:
            self.parts[name] = P.made(Source(layers[0], tensor, shape))
            return
        pieces = [P.made(Source(i, tensor, (self.layers[i].output_elements,))) for i in layers]
        self.parts[name] = P.loose(tuple(p for piece in pieces for p in piece))

    def fuse(self, node: Any, name: str, params: int = 0) -> None:
        """The node costs nothing: its output is `name`; parameters go to the layer that made that."""
        parts = self.read(name)
        self.parts[node.output[0]] = parts
        if params:
            makers = [p.source.producer for p in parts if p.source.producer >= 0]
            if makers:
                self._params[makers[-1]] += params
            else:
                i = self.emit(self.elementwise(node, 1), [name], params=params)
                self.make(node.output[0], i)

    def add_params(self, parts: Parts, params: int) -> None:
        """Parameters of the layer that made `parts`, or of the next one."""
        makers = [p.source.producer for p in parts if p.source.producer >= 0]
        if makers:
            self._params[makers[-1]] += params
        else:
            self._loose_params += params

    def elementwise(self, node: Any, operands: int, name: str = "", suffix: str = "") -> Layer:
        """Element-wise layer of the size of the output, or of tensor `name`."""
        n, c, h, w = nest(self.shape(name or node.output[0]))
        return Layer(n, c, 1, operands, h, w, op="eltwise", name=self.name(node, suffix))

    def note(self, text: str) -> None:
        """Say something about the network, once."""
        if text not in self.notes:
            self.notes.append(text)

    def build(self, outputs: Iterable[str]) -> Network:
        """The network, with its notes."""
        if not self.layers:
            raise AccelsimError("the model has no operators that compute or move data")
        leaving = {p.source.producer for x in outputs for p in self.parts.get(x, ())} - {INPUT, WEIGHT}
        if not leaving:
            read = {e.producer for e in self._edges}
            leaving = {i for i in range(len(self.layers)) if i not in read}
        self.notes += [f"{n} {op} taken as views, moving no data" for op, n in sorted(self.views.items())]
        uses = Counter(tensor for held in self._held for tensor in {h.tensor for h in held})
        shared = tuple(tuple(h for h in held if uses[h.tensor] > 1) for held in self._held)
        return Network(
            self.title, tuple(self.layers), tuple(self._edges), tuple(sorted(leaving)), tuple(self._weights),
            tuple(self._params), self.input_shape, self.batch, tuple(self.notes),
            shared if any(shared) else (),
        )  # fmt: skip


def _all(source: Source) -> Region:
    return P.whole_region(prod(source.shape))


def nest(shape: Shape) -> tuple[int, int, int, int]:
    """Batch, channels, rows, columns. Three axes are tokens: batch, rows, channels."""
    if len(shape) == 3:
        return shape[0], shape[2], shape[1], 1
    if len(shape) < 2:
        return 1, prod(shape), 1, 1
    return shape[0], shape[1], prod(shape[2:3]), prod(shape[3:])
