"""`Assembly`: a network that grows layer by layer, before it is frozen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from accelsim.errors import AccelsimError
from accelsim.workloads.layer import Layer
from accelsim.workloads.network import INPUT, OUTSIDE, Edge, Network, Selection
from accelsim.workloads.reach import FACTOR, UNKNOWN, Reads, seen
from accelsim.workloads.tensor import Sources


class Assembly:
    """Collects layers with the tensors that they read. Elements here cover the whole batch."""

    def __init__(self, name: str, input_shape: tuple[int, int, int], batch: int) -> None:
        self.name = name
        self.input_shape = input_shape
        self.batch = batch
        self.notes: list[str] = []
        self.layers: list[Layer] = []
        self.params: list[int] = []
        self._edges: list[Edge] = []
        self._windows: list[Reads] = []
        self._weights: list[int] = []
        self._held: list[tuple[Selection, ...]] = []
        self._taken: dict[str, int] = {}
        self._read: set[int] = set()
        self._counters: dict[str, int] = {}

    def append(
        self, layer: Layer, inputs: Iterable[Sources], weights: int = 0, params: int = 0,
        factors: Iterable[Sources] = (), windows: Sequence[Reads] = (), held: Sequence[Selection] = (),
    ) -> int:  # fmt: skip
        """Add a layer that reads `inputs`, and `factors` in the place of weights; gives its index.

        `windows` says what a piece reads of each input, the last one of all that follow; `held` the weights
        that other layers use too.
        """
        i = len(self.layers)
        edges, read = self._edges, self._read
        for j, sources in enumerate(inputs):
            window = windows[min(j, len(windows) - 1)] if windows else UNKNOWN
            for producer, elements, view in sources:
                edges.append(Edge(producer, i, elements))
                self._windows.append(seen(window, view))
                read.add(producer)
        for sources in factors:
            for producer, elements, _ in sources:
                edges.append(Edge(producer, i, elements, "W"))
                self._windows.append(FACTOR)
                read.add(producer)
        self.layers.append(layer)
        self._held.append(tuple(held))
        self._weights.append(weights)
        self.params.append(params)
        self._taken[layer.name] = i
        return i

    def new_name(self, name: str | None, kind: str) -> str:
        """The name, if no layer has it, or `kind` with the next free number."""
        if name is None:
            while True:
                n = self._counters[kind] = self._counters.get(kind, 0) + 1
                if f"{kind}{n}" not in self._taken:
                    return f"{kind}{n}"
        if name in self._taken:
            raise AccelsimError(
                f"network {self.name!r}: layer names must be unique, "
                f"but {name!r} is taken by layer {self._taken[name]}"
            )
        if not name or name == OUTSIDE:
            raise AccelsimError(
                f"network {self.name!r}: a layer cannot be called {name!r}; "
                f"{OUTSIDE!r} stands for the outside world"
            )
        return name

    def build(self, outputs: Iterable[Sources] = ()) -> Network:
        """The network. Without `outputs`, what no layer reads leaves the network."""
        chosen = sorted({i for sources in outputs for i, *_ in sources if i != INPUT})
        if not chosen:
            chosen = [i for i in range(len(self.layers)) if i not in self._read]
        shared = tuple(self._held) if any(self._held) else ()
        return Network(
            self.name, tuple(self.layers), tuple(self._edges), tuple(chosen), tuple(self._weights),
            tuple(self.params), self.input_shape, self.batch, tuple(self.notes),
            tuple(self._windows), held=shared,
        )  # fmt: skip
