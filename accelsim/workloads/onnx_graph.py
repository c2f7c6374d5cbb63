"""`Graph`: what the ONNX importer knows about tensors while it walks the operators."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from math import prod
from typing import Any

from accelsim.errors import AccelsimError
from accelsim.workloads.assembly import Assembly
from accelsim.workloads.layer import Layer
from accelsim.workloads.network import INPUT, Network
from accelsim.workloads.reach import SAME, Reads, Shift, View, Whole
from accelsim.workloads.tensor import Source, Sources, scattered

Shape = tuple[int, ...]


VIEWS_IN_PLACE = ("Flatten", "Reshape", "Squeeze", "Unsqueeze", "Split", "Slice", "Gather")
"""Views that leave rows and columns where they are if the map keeps its size."""


class Graph:
    """Shapes, constants and sources of the model's tensors, and the network so far.

    A tensor is either constant (weights, and all arithmetic on shapes) or an activation with sources.
    """

    def __init__(self, onnx: Any, graph: Any, name: str, inputs: list[str], constants: set[str]) -> None:
        self._attribute = onnx.helper.get_attribute_value
        self._shapes: dict[str, Shape] = {}
        for value in (*graph.input, *graph.value_info, *graph.output):
            shape = _static(value)
            if shape is not None:
                self._shapes[value.name] = shape
        for tensor in graph.initializer:
            self._shapes[tensor.name] = tuple(tensor.dims)
        for tensor in graph.sparse_initializer:
            self._shapes[tensor.values.name] = tuple(tensor.dims)
        self.constants = constants
        self.sources: dict[str, Sources] = {
            i: (Source(INPUT, self.elements(i), self._outside(i, inputs[0])),) for i in inputs
        }
        first = self.shape(inputs[0])
        self.net = Assembly(name or "onnx", input_shape(first), first[0] if first else 1)
        self.views: Counter[str] = Counter()
        self._counted: set[str] = set()

    # -- tensors -------------------------------------------------------------------------------------

    def shape(self, tensor: str) -> Shape:
        """Sizes of a tensor, or AccelsimError if shape inference could not tell."""
        if tensor not in self._shapes:
            raise AccelsimError(
                f"the shape of tensor {tensor!r} is unknown after shape inference; export with fixed sizes"
            )
        return self._shapes[tensor]

    def elements(self, tensor: str) -> int:
        """Number of elements."""
        return prod(self.shape(tensor))

    def activation(self, tensor: str) -> bool:
        """Whether the tensor is data (and not a constant, nor an input left out)."""
        return bool(tensor) and tensor not in self.constants

    def read(self, tensor: str) -> Sources:
        """Where an activation comes from."""
        if tensor not in self.sources:
            raise AccelsimError(f"tensor {tensor!r} is read, but nothing before makes it")
        return self.sources[tensor]

    def params(self, tensors: Iterable[str]) -> int:
        """Elements of the constants among them, each counted once a model; single values do not count."""
        total = 0
        for tensor in tensors:
            if tensor in self.constants and tensor not in self._counted and self.elements(tensor) > 1:
                self._counted.add(tensor)
                total += self.elements(tensor)
        return total

    def attributes(self, node: Any) -> dict[str, Any]:
        """Attributes by name."""
        return {a.name: self._attribute(a) for a in node.attribute}

    # -- results -------------------------------------------------------------------------------------

    def name(self, node: Any) -> str:
        """A name for the node's layer: its own, else its output's."""
        return self.net.free_name(str(node.name or node.output[0]))

    def emit(
        self, node: Any, layer: Layer, inputs: Iterable[str], weights: int = 0, params: int = 0,
        factors: Iterable[str] = (), reads: Reads | None = None,
    ) -> None:  # fmt: skip
        """The node is a layer that reads activations `inputs` and `factors` and makes its first output.

        `reads` is the window on the first input; every other one is read position by position where it has
        the layer's rows and columns.
        """
        inputs = list(inputs)
        windows = [self._same(layer, x) for x in inputs]
        if reads is not None:
            windows[0] = reads
        i = self.net.append(
            layer, [self.read(x) for x in inputs], weights, params, [self.read(x) for x in factors], windows
        )
        made = node.output[0]
        scaled = self._plane(made) == (layer.P, layer.Q)
        view = View() if scaled else Whole(f"{node.op_type} gives its result other axes than its nest")
        self.sources[made] = (Source(i, self.elements(made), view),)

    def _plane(self, tensor: str) -> tuple[int, int]:
        return nest(self.shape(tensor))[2:]

    def _same(self, layer: Layer, tensor: str) -> Reads:
        plane = self._plane(tensor)
        if plane == (layer.P, layer.Q):
            return SAME
        one = (
            "one value a channel" if plane == (1, 1) else f"a map of {plane[0]}x{plane[1]} is read by others"
        )
        return Whole(one)

    def _outside(self, tensor: str, first: str) -> View | Whole:
        same = self._plane(tensor) == self._plane(first)
        return View() if same else Whole("this input has another shape than the first")

    def fuse(self, node: Any, tensor: str, params: int = 0) -> None:
        """The node costs nothing: its output comes from where `tensor` comes; parameters go to that layer."""
        sources = self.read(tensor)
        layers = [i for i, *_ in sources if i != INPUT]
        if params and layers:
            self.net.params[layers[-1]] += params
        if params and not layers:
            self.emit(node, self.elementwise(node, 1), [tensor], params=params)
        else:
            self.sources[node.output[0]] = sources

    def view(self, node: Any, tensor: str, output: str) -> None:
        """The output is (part of) `tensor` in another shape."""
        before, after = nest(self.shape(tensor)), nest(self.shape(output))
        taken = portion(self.read(tensor), self.elements(output))
        moved = node.op_type not in VIEWS_IN_PLACE or before[2:] != after[2:]
        if moved and before[2:] != (1, 1):
            up = int(self.attributes(node).get("blocksize", 0)) if node.op_type == "DepthToSpace" else 0
            taken = _spread(taken, up) if up else scattered(taken, f"{node.op_type} moves rows or columns")
        self.sources[output] = taken

    def elementwise(self, node: Any, operands: int) -> Layer:
        """Element-wise layer of the output's size."""
        n, c, h, w = nest(self.shape(node.output[0]))
        return Layer(n, c, 1, operands, h, w, op="eltwise", name=self.name(node))

    def build(self, outputs: list[str]) -> Network:
        """The network, with its notes."""
        if not self.net.layers:
            raise AccelsimError("the model has no operators that compute or move data")
        self.net.notes += [f"{n} {op} taken as views, moving no data" for op, n in sorted(self.views.items())]
        return self.net.build(self.read(x) for x in outputs if x in self.sources)


def _static(value: Any) -> Shape | None:
    if not value.type.HasField("tensor_type") or not value.type.tensor_type.HasField("shape"):
        return None
    dims = value.type.tensor_type.shape.dim
    if not all(d.WhichOneof("value") == "dim_value" for d in dims):
        return None
    return tuple(d.dim_value for d in dims)


def nest(shape: Shape) -> tuple[int, int, int, int]:
    """Batch, channels, rows, columns. Three axes are tokens: batch, rows, channels."""
    if len(shape) == 3:
        return shape[0], shape[2], shape[1], 1
    if len(shape) < 2:
        return 1, prod(shape), 1, 1
    return shape[0], shape[1], prod(shape[2:3]), prod(shape[3:])


def input_shape(shape: Shape) -> tuple[int, int, int]:
    """Channels, height, width of one input."""
    return nest(shape)[1:]


def portion(sources: Sources, elements: int) -> Sources:
    """Sources of a part of a tensor: each gives its share, at least one; a larger one repeats them."""
    whole = sum(n for _, n, _ in sources)
    if elements >= whole:
        return sources
    return tuple(Source(i, max(n * elements // whole, 1), view) for i, n, view in sources)


def _spread(sources: Sources, up: int) -> Sources:
    out = []
    for i, n, view in sources:
        if isinstance(view, View):  # row v of the result is row v // up of the tensor before
            view = View(*(Shift(s.upsample * up, s.offset * up) for s in view))
        out.append(Source(i, n, view))
    return tuple(out)
