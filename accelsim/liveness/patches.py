"""A network's first layers done patch by patch (MCUNetV2), each with what it needs of the layers before."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from accelsim.errors import AccelsimError, nearest
from accelsim.liveness.tensors import Tensors
from accelsim.stacks import StackGraph, steps
from accelsim.workloads.network import INPUT, Network
from accelsim.workloads.reach import Whole


@dataclass(frozen=True)
class PatchStage:
    """Layers up to `last`, their output cut into `grid` x `grid` patches.

    peak              bytes while the patches run, with the output that they fill
    layer             where that is
    macs              done by the stage, patches clipped at the borders of the maps
    macs_unclipped    and if they were not
    macs_layers       of its layers done once
    """

    last: str
    grid: int
    peak: int
    layer: str
    tensors: dict[str, int]
    macs: int
    macs_unclipped: int
    macs_layers: int


def stage_end(network: Network, name: str) -> int:
    """Index of the layer that ends the stage. Raises AccelsimError for one that cannot."""
    if name not in network.names:
        raise AccelsimError(f"patches: {network.name} has no layer {name!r}{nearest(name, network.names)}")
    last = network.names.index(name)
    graph = StackGraph(network, 0, last)
    inner = [n for n, out in zip(graph.names, graph.stored) if out and n != name]
    if inner:
        raise AccelsimError(f"patches: layers after {name} read {inner[0]}, which only its patches see")
    whole = [e for e, w in zip(network.edges, network.windows) if e.consumer <= last and isinstance(w, Whole)]
    if whole:
        raise AccelsimError(f"patches: {network.names[whole[0].consumer]} needs all of what it reads")
    return last


def patch_stage(tensors: Tensors, last: int, grid: int) -> PatchStage:
    """Price the stage. Raises AccelsimError for a grid finer than the output."""
    net = tensors.network
    sink = net.layers[last]
    if type(grid) is not int or not 1 <= grid <= min(sink.P, sink.Q):
        raise AccelsimError(
            f"patches: the grid must be a whole number from 1 to {min(sink.P, sink.Q)}, the smaller side of "
            f"{sink.name}, but got {grid!r}"
        )
    cut = -(-sink.P // grid), -(-sink.Q // grid)
    graph = StackGraph(net, 0, last)
    counted = steps(graph, [cut], ["none"])
    best: tuple[int, str, dict[str, int]] = (-1, "", {})
    stage = _stage(net, last)
    for top, left in product(range(0, sink.P, cut[0]), range(0, sink.Q, cut[1])):
        need = _needs(net, last, ((top, min(top + cut[0], sink.P)), (left, min(left + cut[1], sink.Q))))
        best = max(best, _peak(tensors, stage, need), key=lambda x: x[0])
    tiles = -(-sink.P // cut[0]) * -(-sink.Q // cut[1])
    spread = sum(
        tiles * x.macs // (x.P * x.Q) * rows * cols
        for x, (rows, cols) in zip(net.layers, _unclipped(net, last, cut))
    )
    own = sum(x.macs for x in net.layers[: last + 1])
    return PatchStage(sink.name, grid, best[0], best[1], best[2], int(counted.macs[0]), spread, own)


def _needs(net: Network, last: int, tile: tuple[tuple[int, int], ...]) -> dict[int, list[tuple[int, int]]]:
    """Per producer the rows and columns that one patch needs of it."""
    need = {last: list(tile)}
    for i in range(last, -1, -1):
        if i not in need:
            continue
        for edge, window in net.reads_of[i]:
            assert not isinstance(window, Whole)
            spans = [a.reads(*part, n) for a, part, n in zip(window, need[i], net.size_of(edge.producer))]
            old = need.get(edge.producer)
            need[edge.producer] = [_hull(a, b) for a, b in zip(old, spans)] if old else spans
    return need


def _hull(a: tuple[int, int], b: tuple[int, int]) -> tuple[int, int]:
    if a[0] >= a[1] or b[0] >= b[1]:
        return b if a[0] >= a[1] else a
    return min(a[0], b[0]), max(a[1], b[1])


def _unclipped(net: Network, last: int, tile: tuple[int, int]) -> list[tuple[int, int]]:
    """Per layer rows and columns of a patch in the middle of an endless map."""
    need: dict[int, tuple[int, int]] = {last: tile}
    for i in range(last, -1, -1):
        if i not in need:
            continue
        for edge, window in net.reads_of[i]:
            assert not isinstance(window, Whole)
            spans = [
                ((n - 1) * a.stride + (a.kernel - 1) * a.dilation) // a.upsample + 1
                for a, n in zip(window, need[i])
            ]
            old = need.get(edge.producer, (0, 0))
            need[edge.producer] = max(old[0], spans[0]), max(old[1], spans[1])
    return [need.get(i, (0, 0)) for i in range(last + 1)]


def _peak(
    tensors: Tensors, stage: Network, need: dict[int, list[tuple[int, int]]]
) -> tuple[int, str, dict[str, int]]:
    """The most that is live in one patch: (bytes, layer, bytes by tensor), the stage's output whole."""
    last = len(stage.layers) - 1
    sizes = []
    for i in range(INPUT, last + 1):
        (top, bottom), (left, right) = need.get(i, [(0, 0), (0, 0)])
        rows, cols = stage.size_of(i)
        sizes.append(-(-tensors.size[i + 1] * (bottom - top) * (right - left) // (rows * cols)))
    patch = Tensors(stage, tensors.rules, sizes)
    best: tuple[int, str, dict[str, int]] = (-1, "", {})
    for moment in patch.moments():
        live = {**moment.tensors, last + 1: tensors.size[last + 1]}
        total = sum(live.values()) + moment.extra
        if total > best[0]:
            layer = stage.names[patch.operators[moment.operator].layers[-1]]
            best = (total, layer, {patch.name(t): size for t, size in live.items() if size})
    return best


def _stage(net: Network, last: int) -> Network:
    """The layers up to `last` as a network of their own."""
    kept = [(e, w) for e, w in zip(net.edges, net.windows) if e.consumer <= last]
    upto = slice(0, last + 1)
    return Network(
        net.name, net.layers[upto], tuple(e for e, _ in kept), (last,), net.weights_of[upto],
        net.params_of[upto], net.input_shape, net.batch, windows=tuple(w for _, w in kept),
    )  # fmt: skip
