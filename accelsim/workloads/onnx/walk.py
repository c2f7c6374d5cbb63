"""The walk over a model's operators, in an order in which each finds its inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from typing import Any

import networkx as nx
from onnx import TensorProto

from accelsim.errors import AccelsimError, nearest
from accelsim.workloads.onnx import control, move, rules
from accelsim.workloads.onnx.graph import Graph
from accelsim.workloads.onnx.table import CONSTANT_VIEWS, HANDLERS, MICROSOFT, REFUSED, SEQUENCES, handler
from accelsim.workloads.onnx.values import RANDOM, STANDARD, Shape, inner_graphs

UNDECIDED = {
    "If": ("whose condition depends on data", "the dearer branch"),
    "Loop": ("whose trips depend on data", "one trip"),
}
"""What is not known of an inner graph, and what stands for it."""

CONTROL = {
    "If": control.branch,
    "Loop": control.loop,
    "Scan": control.scan,
    "SequenceMap": control.sequence_map,
}

MEASURES = frozenset({"Shape", "Size"})
"""Their results are constants whatever they read."""


Said = tuple[int, Shape | None]
"""Element type and sizes that a file states for a tensor; 0 for what it does not, None without any sizes."""


class Walk:
    """Adds operators to a graph; unknown ones are counted, and estimated so that the walk goes on."""

    def __init__(
        self, graph: Graph, declared: dict[str, Said], check: Callable[[Any], None], fixed: bool
    ) -> None:
        self.graph = graph
        self.declared = declared
        self.check = check
        self.fixed = fixed
        self.others: list[str] = []
        """Results of other sizes than the file says, where its inputs' sizes are not fixed."""

    def __call__(self, nodes: Iterable[Any]) -> None:
        """Each operator in turn. Raises AccelsimError naming the node."""
        for node in nodes:
            try:
                self._node(node)
            except AccelsimError as fault:
                if str(fault).startswith("node "):
                    raise
                raise AccelsimError(f"{place(node)}: {fault}") from None
            except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as fault:
                text = " ".join(f"{type(fault).__name__}: {fault}".split())
                raise AccelsimError(f"{place(node)}: malformed operator: {text:.300}") from None

    def _node(self, node: Any) -> None:
        graph = self.graph
        standard = node.domain in STANDARD
        self.check(node)
        if standard and node.op_type in CONTROL and any(inner_graphs(node)):
            first = len(graph.layers)
            if not CONTROL[node.op_type](graph, node, self):
                n, elements = graph.unknown.get(node.op_type, (0, 0))
                elements += sum(layer.output_elements for layer in graph.layers[first:])
                graph.unknown[node.op_type] = (n + 1, elements)
            return
        sequence = standard and node.op_type in SEQUENCES
        constant = (
            standard
            and not sequence
            and (node.op_type in MEASURES or all(not graph.activation(x) for x in node.input))
        )
        if standard and node.op_type in RANDOM:
            graph.values.infer(node, False)
            for name in node.output:
                graph.outside(name)
            graph.note("random numbers come from outside and are no weights")
            return
        for name in node.output:
            graph.constants.discard(name)
            graph.parts.pop(name, None)
        wrong = "" if sequence else graph.values.infer(node, constant)
        if standard and not wrong:
            rules.check(graph.values, node, graph.attributes(node))
        try:
            self._known(node, constant)
        except AccelsimError as fault:
            if wrong and wrong in str(fault):
                raise AccelsimError(wrong) from None
            raise
        except Exception:
            if not wrong:
                raise
        if wrong:
            raise AccelsimError(wrong)
        self._agree(node)

    def _known(self, node: Any, constant: bool) -> None:
        graph = self.graph
        if constant:
            self._constant(node)
        else:
            found = handler(node.domain, node.op_type)
            if found is None:
                self._unknown(node)
            else:
                found(graph, node)

    def _constant(self, node: Any) -> None:
        graph = self.graph
        if (
            node.op_type in CONSTANT_VIEWS
            and all(x in graph.parts for x in node.input[:1])
            and graph.values.find(node.output[0]) is not None
        ):
            CONSTANT_VIEWS[node.op_type](graph, node)
        own = 1 if node.op_type in CONSTANT_VIEWS and node.op_type != "Concat" else len(node.input)
        parameters = [] if node.op_type in MEASURES else node.input[:own]
        graph.constant(node, parameters)
        if node.op_type in ("Constant", "ConstantOfShape"):  # some files write their weights so
            for name in node.output:
                if graph.values.find(name) is not None:
                    graph.weight(name)

    def _unknown(self, node: Any) -> None:
        key = node.op_type if node.domain in STANDARD else f"{node.domain}.{node.op_type}"
        try:
            move.estimate(self.graph, node)
        except AccelsimError:
            self.graph.unknown[key] = self.graph.unknown.get(key, (1, 0))
            raise AccelsimError(refusal(self.graph, f", and nothing tells what shape {key} makes")) from None

    def _agree(self, node: Any) -> None:
        """What the file says of a result must be what the operator makes."""
        for name in node.output:
            kind, shape = self.declared.get(name, (0, None))
            type_made, made = self.graph.values.kind(name), self.graph.values.find(name)
            if kind and type_made and kind != type_made:
                found, said = (TensorProto.DataType.Name(k) for k in (type_made, kind))
                raise AccelsimError(f"it makes {name!r} of type {found}, but the file says {said}")
            if shape is None or made is None or _same(made, shape):
                continue
            said_shape = f"[{', '.join(str(n or '?') for n in shape)}]"
            if self.fixed:
                raise AccelsimError(
                    f"it makes {name!r} of shape {list(made)}, but the file says {said_shape}"
                )
            self.others.append(f"{name!r} is {list(made)}, not {said_shape}")


def _same(made: Shape, said: Shape) -> bool:
    return len(made) == len(said) and all(b in (0, a) for a, b in zip(made, said))


def refusal(graph: Graph, more: str = "") -> str:
    """All unknown operators with their counts."""
    parts = []
    instead = ""
    for key, (n, _) in sorted(graph.unknown.items()):
        if key in UNDECIDED:
            parts.append(f"{n} {key} {UNDECIDED[key][0]}")
            instead += f", of the {key} {UNDECIDED[key][1]}"
            continue
        if key in REFUSED:
            parts.append(f"{n} {key} ({REFUSED[key]})")
            continue
        names = MICROSOFT if key.startswith("com.microsoft.") else HANDLERS
        close = get_close_matches(key.rpartition(".")[2], names, n=1)
        parts.append(f"{n} {repr(key)[1:-1]}" + (f" (did you mean {close[0]!r}?)" if close else ""))
    return (
        f"operators not supported: {', '.join(parts)}{more}; --allow-unknown prices them as element-wise "
        f"estimates{instead}"
    )


def place(node: Any) -> str:
    """The node, for messages."""
    return f"node {node.name or (node.output[0] if node.output else '?')!r} ({node.op_type})"


def ordered(graph: Any, outputs: Sequence[str]) -> tuple[list[Any], list[Any]]:
    """(operators that lead to an output, in an order that works; those that lead to none).

    Raises AccelsimError for a cycle, and for outputs and operands that nothing makes.
    """
    flow: nx.DiGraph[int] = nx.DiGraph()
    flow.add_nodes_from(range(len(graph.node)))
    maker = {name: i for i, node in enumerate(graph.node) for name in node.output if name}
    for i, node in enumerate(graph.node):
        for name in _reads(node):
            if name in maker:
                flow.add_edge(maker[name], i)
    given = {x.name for x in (*graph.input, *graph.initializer)} | {
        x.values.name for x in graph.sparse_initializer
    }
    lost = [name for name in outputs if name not in maker and name not in given]
    if lost:
        raise AccelsimError(f"nothing makes the output{'s' * (len(lost) > 1)} {', '.join(map(repr, lost))}")
    ends = {maker[name] for name in outputs if name in maker}
    alive = ends.union(*(nx.ancestors(flow, i) for i in ends))
    try:
        order = list(nx.lexicographical_topological_sort(flow))
    except nx.NetworkXUnfeasible:
        loop = nx.find_cycle(flow)
        names = ", ".join(place(graph.node[i]) for i, *_ in loop[:3])
        raise AccelsimError(f"operators read each other's results in a circle: {names}") from None
    live = [graph.node[i] for i in order if i in alive]
    for node in live:
        for name in sorted(_reads(node) - maker.keys() - given, key=str):
            close = nearest(str(name), sorted(str(x) for x in {*maker, *given} - set(node.output)))
            raise AccelsimError(f"{place(node)} reads {name!r}, which nothing makes{close}")
    dead = [graph.node[i] for i in order if i not in alive]
    return live, dead


def _reads(node: Any) -> set[str]:
    """Names that a node reads, inner graphs included."""
    found = {x for x in node.input if x}
    for inner in inner_graphs(node):
        own = {x.name for x in (*inner.input, *inner.initializer)} | {x for n in inner.node for x in n.output}
        found |= set().union(*(_reads(n) for n in inner.node), {x.name for x in inner.output}) - own
    return found


def declared(graph: Any) -> dict[str, Said]:
    """Types and sizes that the file states for results."""
    out = {}
    for value in (*graph.value_info, *graph.output):
        if value.type.WhichOneof("value") == "tensor_type":
            kind = value.type.tensor_type
            dims = kind.shape.dim if kind.HasField("shape") else ()
            stale = any(d.WhichOneof("value") == "dim_value" and not d.dim_value for d in dims)
            known = kind.HasField("shape") and not stale  # some write 0 for what they do not know
            out[value.name] = (kind.elem_type, tuple(max(d.dim_value, 0) for d in dims) if known else None)
    return out
