"""`Stack`: one entry of a network's schedule, and its JSON form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from accelsim.errors import nearest, not_one_of
from accelsim.mapping.mapping import Mapping, MappingError, check_keys
from accelsim.stacks import KEPT
from accelsim.workloads.network import Network

_KEYS = {"layers", "tile", "kept", "weights", "pieces"}


@dataclass(frozen=True)
class Stack:
    """Layers `first` to `last` done together in tiles of the last one's output.

    tile     rows and columns of a tile
    kept     what stays between tiles: none, columns or both
    weights  indices of the layers whose weights stay for the whole stack
    pieces   mappings by (layer, rows, columns of the piece); others get the template mapping
    """

    first: int
    last: int
    tile: tuple[int, int]
    kept: str = "both"
    weights: tuple[int, ...] = ()
    pieces: dict[tuple[int, int, int], Mapping] = field(default_factory=dict, compare=False)


def read_stacks(network: Network, data: Any) -> tuple[Stack, ...]:
    """The section `stacks` of a mapping file. Raises MappingError with the place and what would do."""
    if not isinstance(data, list):
        raise MappingError(f"mapping.stacks: must be a list of stacks, but got {data!r:.60}")
    out: list[Stack] = []
    for i, entry in enumerate(data):
        stack = _stack(network, entry, f"mapping.stacks[{i}]")
        for other in out:
            if stack.first <= other.last and other.first <= stack.last:
                shared = network.names[max(stack.first, other.first)]
                raise MappingError(f"mapping.stacks[{i}].layers: {shared} is in an earlier stack too")
        out.append(stack)
    return tuple(sorted(out, key=lambda s: s.first))


def write_stacks(network: Network, stacks: Sequence[Stack]) -> list[dict[str, Any]]:
    """JSON form; `read_stacks` reads it back."""
    out = []
    for stack in stacks:
        pieces: dict[str, dict[str, Any]] = {}
        for (i, rows, cols), mapping in sorted(stack.pieces.items()):
            pieces.setdefault(network.names[i], {})[f"{rows}x{cols}"] = mapping.to_dict()
        entry: dict[str, Any] = {
            "layers": list(network.names[stack.first : stack.last + 1]),
            "tile": {"P": stack.tile[0], "Q": stack.tile[1]},
            "kept": stack.kept,
            "weights": [network.names[i] for i in stack.weights],
        }
        out.append(entry | ({"pieces": pieces} if pieces else {}))
    return out


def _stack(network: Network, entry: Any, at: str) -> Stack:
    check_keys(entry, _KEYS, at)
    layers = _layers(network, entry.get("layers"), f"{at}.layers")
    if not layers:
        raise MappingError(f"{at}.layers: must name at least one layer")
    first, last = layers[0], layers[-1]
    for n, i in enumerate(layers):
        if i in layers[:n]:
            raise MappingError(f"{at}.layers: names {network.names[i]} twice")
    if layers != list(range(first, last + 1)):
        gap = next(i for n, i in enumerate(layers) if i != first + n)
        wanted = first + layers.index(gap)
        hint = network.names[wanted] if wanted < len(network.names) else "the end"
        raise MappingError(
            f"{at}.layers: a stack is an interval of the layers in execution order, but after "
            f"{network.names[layers[layers.index(gap) - 1]]} comes {network.names[gap]}, not {hint}"
        )
    sink = network.layers[last]
    tile = entry.get("tile", {})
    check_keys(tile, {"P", "Q"}, f"{at}.tile")
    sizes = []
    for dim, whole in (("P", sink.P), ("Q", sink.Q)):
        size = tile.get(dim, whole)
        if type(size) is not int or not 1 <= size <= whole:
            raise MappingError(
                f"{at}.tile.{dim}: must be a whole number from 1 to {whole}, the {dim} of {sink.name}, but "
                f"got {size!r}"
            )
        sizes.append(size)
    kept = entry.get("kept", "both")
    if not isinstance(kept, str) or kept not in KEPT:
        raise MappingError(f"{at}.kept: {not_one_of(kept, KEPT)}")
    weights = _layers(network, entry.get("weights", []), f"{at}.weights")
    for i in weights:
        if not first <= i <= last:
            raise MappingError(f"{at}.weights: {network.names[i]} is no layer of this stack")
    pieces = _pieces(network, entry.get("pieces", {}), (first, last), f"{at}.pieces")
    return Stack(first, last, (sizes[0], sizes[1]), kept, tuple(sorted(set(weights))), pieces)


def _layers(network: Network, names: Any, at: str) -> list[int]:
    if not isinstance(names, list):
        raise MappingError(f"{at}: must be a list of layer names, but got {names!r:.60}")
    out = []
    for i, name in enumerate(names):
        if name not in network.names:
            raise MappingError(
                f"{at}[{i}]: {network.name} has no layer {name!r}{nearest(str(name), network.names)}"
            )
        out.append(network.names.index(name))
    return out


def _pieces(
    network: Network, table: Any, span: tuple[int, int], at: str
) -> dict[tuple[int, int, int], Mapping]:
    if not isinstance(table, dict):
        raise MappingError(
            f'{at}: must be an object like {{"conv1": {{"8x56": ...}}}}, but got {table!r:.60}'
        )
    out = {}
    names = network.names[span[0] : span[1] + 1]
    for name, shapes in table.items():
        if name not in names:
            raise MappingError(f"{at}.{name}: no layer of this stack{nearest(str(name), names)}")
        if not isinstance(shapes, dict):
            raise MappingError(f"{at}.{name}: must be an object from rows x columns to mapping")
        for shape, item in shapes.items():
            rows, _, cols = str(shape).partition("x")
            if not (rows.isascii() and rows.isdigit() and cols.isascii() and cols.isdigit()):
                raise MappingError(f"{at}.{name}.{shape}: write a piece as rows x columns, like 8x56")
            try:
                mapping = item if isinstance(item, Mapping) else Mapping.from_dict(item)
            except MappingError as fault:
                raise MappingError(f"{at}.{name}.{shape}: {fault}") from None
            out[network.names.index(name), int(rows), int(cols)] = mapping
    return out
