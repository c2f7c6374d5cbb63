"""`Graph`: what the ONNX importer knows while it walks the operators, and the network so far."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import replace
from math import prod
from typing import Any, NamedTuple

import onnx

from accelsim.errors import AccelsimError
from accelsim.workloads.bits import LayerBits
from accelsim.workloads.layer import Layer
from accelsim.workloads.network import ALL, INPUT, OUTSIDE, Edge, Network, Selection
from accelsim.workloads.onnx import parts as P
from accelsim.workloads.onnx import place
from accelsim.workloads.onnx.parts import WEIGHT, Origin, Parts
from accelsim.workloads.onnx.sizes import channels_last
from accelsim.workloads.onnx.values import Shape, Values
from accelsim.workloads.onnx.widths import quantised_bits, width
from accelsim.workloads.reach import FACTOR, Reads, View, Whole, seen
from accelsim.workloads.region import whole


class Attributes(dict[str, Any]):
    """Of an operator, which must have what is asked for without a default."""

    def __missing__(self, key: str) -> Any:
        raise AccelsimError(f"attribute {key} is missing")


class Operand(NamedTuple):
    """What a layer reads: parts of a tensor of `shape`, None where that is not known."""

    parts: Parts
    shape: Shape | None = None


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
        self.sequences: dict[str, list[str]] = {}
        self.views: Counter[str] = Counter()
        self.bits: Counter[int] = Counter()
        self.unknown: dict[str, tuple[int, int]] = {}
        self.layers: list[Layer] = []
        self._edges: list[Edge] = []
        self._windows: list[Reads] = []
        self._selected: list[Selection] = []
        self._windowed: set[int] = set()
        self._bases: dict[Origin, View | Whole] = {}
        self._last: set[Origin] = set()
        self._weights: list[int] = []
        self._params: list[int] = []
        self._held: list[tuple[Selection, ...]] = []
        self._names: set[str] = {OUTSIDE}
        self._numbers: Counter[str] = Counter()
        self._roots: dict[str, frozenset[str]] = {}
        self._counted: set[str] = set()
        self._loose_params = 0
        self._read_at: list[tuple[int, int]] = []
        self.depth = 0
        first = values.shape(inputs[0]) if inputs else (1,)
        self.batch = first[0] if first else 1
        self.input_shape = (first[3], first[1], first[2]) if channels_last(first) else nest(first)[1:]
        for name in inputs:
            self.outside(name)

    # -- tensors -------------------------------------------------------------------------------------

    def shape(self, name: str) -> Shape:
        """Sizes of a tensor. Raises AccelsimError if nothing could tell."""
        return self.values.shape(name)

    def agree(self, name: str, shape: Shape) -> None:
        """State a shape that an operator's layers make. Raises AccelsimError if inference says another."""
        found = self.values.find(name)
        if found is None:
            self.values.define(name, shape, self.values.kind(name))
        elif found != shape:
            raise AccelsimError(f"its layer makes {list(shape)}, but the graph says {list(found)}")

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
        source = Origin(INPUT, "" if self.inputs == (name,) else name, self.shape(name))
        self.parts[name] = P.made(source, quantised_bits(self.values.kind(name)))
        if channels_last(source.shape):
            self._last.add(source)
        rows, cols = source.shape[1:3] if source in self._last else place.plane(source.shape)
        same = (rows, cols) == self.input_shape[1:]
        self._bases[source] = View() if same else Whole("this input has another shape than the first")

    def weight(self, name: str) -> None:
        """The tensor stands in the model file."""
        self.constants.add(name)
        self._roots[name] = frozenset([name])
        self.parts[name] = P.made(
            Origin(WEIGHT, name, self.shape(name)), quantised_bits(self.values.kind(name))
        )

    def constant(self, node: Any, parameters: Sequence[str]) -> None:
        """The node's results do not depend on activations; they come from `parameters`."""
        roots = frozenset().union(*(self._roots.get(x, frozenset()) for x in parameters if x))
        for name in node.output:
            if name:
                self.constants.add(name)
                self._roots[name] = roots
                shape = self.values.find(name)
                if name not in self.parts and shape is not None:
                    self.parts[name] = P.made(Origin(WEIGHT, name, shape))

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
        """Attributes by name; one that is asked for and not there raises AccelsimError."""
        return Attributes((a.name, onnx.helper.get_attribute_value(a)) for a in node.attribute)

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
        self, layer: Layer, inputs: Iterable[str | Operand], *, factors: Iterable[str | Operand] = (),
        params: int = 0, weights: Sequence[Selection] | None = None, weight_elements: int = 0,
        weight_bits: int = 0, reads: Reads | None = None, before: Parts = (),
    ) -> int:  # fmt: skip
        """Add a layer that reads `inputs`, and `factors` in the place of weights; gives its index.

        Constants among the factors are its weights, unless `weights` states them. `reads` is the window on
        the first input; others are read position by position where they have the layer's rows and columns.
        `weight_bits` is the width of the stated weights; `before` is there already and not read again.
        """
        i = len(self.layers)
        held: list[Selection] = list(weights or ())
        several: list[tuple[str, Operand, Reads]] = []
        for operand, tensors in (("I", inputs), ("W", factors)):
            for k, x in enumerate(tensors):
                one = Operand(self.read(x), self.shape(x)) if isinstance(x, str) else x
                window = FACTOR if operand == "W" else place.default(layer, one.shape)
                several.append((operand, one, reads if reads is not None and not (k or several) else window))
        done: dict[str, Parts] = {"I": before, "W": ()}
        widths: dict[str, set[int]] = {"I": set(), "W": {weight_bits} if weight_bits else set()}
        for operand, (parts, shape), window in several:
            for part, source, region, elements in P.reads(parts, done[operand]):
                if source.producer != WEIGHT:
                    widths[operand].add(part.bits)
                    self._read_at.append((source.producer, part.bits))
                    self._edges.append(Edge(source.producer, i, elements, operand))
                    self._selected.append(Selection(source.tensor, region))
                    base = self._bases.get(source, Whole("pieces of it lie between each other"))
                    view = place.view(part.shown or part, shape, base, source in self._last)
                    self._windows.append(seen(window, view))
                    if part.shown is not None and part.shown.elements == prod(source.shape):
                        self._windowed.add(len(self._edges) - 1)
                elif operand == "W":
                    widths[operand].add(part.bits)
                    self.bits[width(self.values.kind(source.tensor))] += elements
                    held.append(Selection(source.tensor, region or whole(prod(source.shape))))
                    weight_elements += elements
            done[operand] += parts
        bits = LayerBits(_one(widths["W"]) if layer.has_weights else None, _one(widths["I"]))
        self.layers.append(replace(layer, bits=bits) if any(bits) else layer)
        self._names.add(layer.name)
        self._weights.append(weight_elements)
        self._params.append(params + self._loose_params)
        self._held.append(tuple(held))
        self._loose_params = 0
        return i

    def make(
        self, name: str, *layers: int, part: int = 0, base: View | Whole | None = None, gaps: bool = False
    ) -> None:
        """The tensor is the result of one layer, or of several in pieces; `part` tells several apart.

        `base` says where its rows and columns lie in the layer's, where the sizes do not. With `gaps` the
        layers make not all of it. Raises AccelsimError where they should and do not.
        """
        if not name:
            return
        shape = self.shape(name)
        tensor = str(part) if part else ""
        bits = quantised_bits(self.values.kind(name))
        made = sum(self.layers[i].output_elements for i in layers)
        if made < prod(shape) and not gaps:
            raise AccelsimError(f"its layers make {made} elements, but {name!r} has shape {list(shape)}")
        if len(layers) == 1 and not gaps:
            source = Origin(layers[0], tensor, shape)
            self.parts[name] = P.made(source, bits)
            self._bases[source] = base or place.own(self.layers[layers[0]], shape)
            return
        pieces = [P.made(Origin(i, tensor, (self.layers[i].output_elements,)), bits) for i in layers]
        self.parts[name] = P.loose(tuple(p for piece in pieces for p in piece))

    def join(self, names: Iterable[str], *layers: int) -> None:
        """The tensors, one after the other in row-major order, are the results of layers, likewise."""
        sources = [Origin(i, "", (self.layers[i].output_elements,)) for i in layers]
        start = 0
        for name in names:
            shape, parts, at = self.shape(name), list[P.Part](), 0
            size, bits = prod(shape), quantised_bits(self.values.kind(name))
            for source in sources:
                first, end = max(at, start), min(at + source.shape[0], start + size)
                if first < end:
                    parts += P.stretch(source, first - at, shape or (1,), first - start, end - first, bits)
                at += source.shape[0]
            self.parts[name] = tuple(parts) if shape else P.reshape(tuple(parts), (1,), ())
            start += size

    def fuse(self, node: Any, name: str, params: int = 0) -> None:
        """The node costs nothing: its output is `name`; parameters go to the layer that made that."""
        parts = self.read(name)
        if self.values.find(node.output[0]) is None:  # old versions of operators have no shape inference
            self.values.define(node.output[0], self.shape(name), self.values.kind(name))
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

    def mark(self) -> dict[str, Any]:
        """All that was found so far, for `restore`."""
        return {key: copy(value) for key, value in vars(self).items() if key != "values"}

    def restore(self, before: dict[str, Any]) -> None:
        """Forget layers and tensors since `mark`; shapes and values by name stay known."""
        vars(self).update(before)

    def build(self, outputs: Sequence[str]) -> Network:
        """The network, with its notes."""
        for name in outputs:
            if name in self.parts and not self.elements(name):
                raise AccelsimError(f"output {name!r} has shape {list(self.shape(name))}: it holds no data")
        if not self.layers and all(x in self.constants for x in outputs):
            raise AccelsimError("no output depends on an input: all are constants")
        if not self.layers:
            raise AccelsimError(
                "the model has no operators that compute or move data: views and functions of single values "
                "are done on the way by the layer before, and there is none"
            )
        taken: dict[int, set[int]] = {}
        ends = ((p.source.producer, p.bits) for x in outputs for p in self.parts.get(x, ()))
        for i, bits in (*self._read_at, *ends):
            taken.setdefault(i, set()).add(bits)
        for i, layer in enumerate(self.layers):  # quantised by all who take it: that is how it is written
            output = _one(taken.get(i, set()))
            if output is not None:
                self.layers[i] = replace(layer, bits=layer.bits._replace(output=output))
        once = Counter(s.tensor for e, s in zip(self._edges, self._selected) if e.producer == INPUT)
        for k in self._windowed:  # its window says what it reads
            if self._edges[k].producer != INPUT or once[self._selected[k].tensor] == 1:
                self._selected[k] = self._selected[k]._replace(region=None)
        leaving = {p.source.producer for x in outputs for p in self.parts.get(x, ())} - {INPUT, WEIGHT}
        if not leaving:
            read = {e.producer for e in self._edges}
            leaving = {i for i in range(len(self.layers)) if i not in read}
        for name in outputs:
            if not any(p.source.producer >= 0 for p in self.parts.get(name, ())):
                self.note(
                    f"output {name!r} is made by no layer: it is an input, a constant, or a view of them"
                )
        self.notes += [f"{n} {op} taken as views, moving no data" for op, n in sorted(self.views.items())]
        if len(self.bits) > 1 or (self.bits and min(self.bits) < 16):
            stored = ", ".join(f"{n:,} in {bits} bits" for bits, n in sorted(self.bits.items()))
            self.notes.append(f"weights are stored so: {stored}; quantised ones are priced so")
        uses = Counter(tensor for held in self._held for tensor in {h.tensor for h in held})
        counted = ((x.N if x.op == "conv" else x.output_elements) for x in self.layers)
        batch = self.batch if all(n % self.batch == 0 for n in counted) else 1  # the first axis was another
        shared = tuple(tuple(h for h in held if uses[h.tensor] > 1) for held in self._held)
        return Network(
            self.title, tuple(self.layers), tuple(self._edges), tuple(sorted(leaving)), tuple(self._weights),
            tuple(self._params), self.input_shape, batch, tuple(self.notes),
            tuple(self._windows), tuple(self._selected) if any(s != ALL for s in self._selected) else (),
            shared if any(shared) else (),
        )  # fmt: skip


def _one(widths: set[int]) -> int | None:
    """The width that all have, None for the machine's."""
    return next(iter(widths)) or None if len(widths) == 1 else None


def nest(shape: Shape) -> tuple[int, int, int, int]:
    """Batch, channels, rows, columns. Three axes are tokens: batch, rows, channels."""
    if len(shape) == 3:
        return shape[0], shape[2], shape[1], 1
    if len(shape) < 2:
        return 1, prod(shape), 1, 1
    return shape[0], shape[1], prod(shape[2:3]), prod(shape[3:])
