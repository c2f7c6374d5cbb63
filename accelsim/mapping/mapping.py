"""`Mapping`: a loop nest over the memories of an accelerator, and its JSON form."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping as Dict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from accelsim.errors import AccelsimError, nearest
from accelsim.hardware.holding import first_holder, options
from accelsim.pack import TENSORS, Batch
from accelsim.workloads.layer import DIMS, MAX_SIZE, Layer
from cost_models.loopnest.layout import MAX_AXES

if TYPE_CHECKING:
    from accelsim.hardware import Accelerator
    from accelsim.hardware.fields import Tensor


class MappingError(AccelsimError):
    """A mapping that cannot be read, does not belong to the hardware, or does not fit."""


@dataclass(frozen=True)
class Level:
    """What one memory does with its tile.

    order    dimensions of the temporal loops, outermost first; those left out stand outside, in the order
             N G K C P Q R S
    tile     size of the union tile handed to the children, per dimension; left out = not split here
    spatial  per array axis below the memory, (dimension, factor)
    holds    tensors that stay in the memory, of those that the hardware lets it hold; None: all of them
    """

    memory: str
    order: tuple[str, ...] = ()
    tile: Dict[str, int] = field(default_factory=dict)
    spatial: Dict[str, tuple[str, int]] = field(default_factory=dict)
    holds: tuple[Tensor, ...] | None = None


@dataclass(frozen=True)
class Mapping:
    """One `Level` per memory, outermost first. Raises MappingError for what no mapping can mean."""

    levels: tuple[Level, ...]

    def __post_init__(self) -> None:
        for i, level in enumerate(self.levels):
            _check(level, f"mapping.levels[{i}]")

    @property
    def spread(self) -> set[str]:
        """Dimensions of which axes run several steps at once."""
        return {dim for level in self.levels for dim, factor in level.spatial.values() if factor > 1}

    @classmethod
    def from_dict(cls, data: Any) -> Mapping:
        """Read the JSON form, version 1. Raises MappingError with the JSON path of the fault."""
        check_keys(data, {"version", "levels", "notes"}, "mapping")
        check_version(data, "mapping")
        levels = data.get("levels")
        if not isinstance(levels, list) or not levels:
            raise MappingError("mapping.levels: must be a list with one level a memory, outermost first")
        return cls(tuple(_level(item, f"mapping.levels[{i}]") for i, item in enumerate(levels)))

    def to_dict(self) -> dict[str, Any]:
        """JSON form, version 1; `from_dict` reads it back."""
        return {
            "version": 1,
            "levels": [
                {
                    "memory": level.memory,
                    **({} if level.holds is None else {"holds": list(level.holds)}),
                    "order": list(level.order),
                    "tile": dict(level.tile),
                    "spatial": {a: {"dim": d, "factor": f} for a, (d, f) in level.spatial.items()},
                }
                for level in self.levels
            ],
        }

    def machine(self, hardware: Accelerator, resident: str = "") -> Accelerator:
        """The hardware, its memories holding what the mapping says; `resident` tensors must stay put.

        Raises MappingError where that is not left to the mapping.
        """
        self._belongs(hardware)
        if not hardware.leaves_choice and all(level.holds is None for level in self.levels):
            return hardware
        held = []
        for m, (level, memory) in enumerate(zip(self.levels, hardware.memories, strict=True)):
            ways = options(memory) if hardware.leaves_choice else (_in_order(memory.holds),)
            wanted = ways[0] if level.holds is None else level.holds
            if wanted not in ways:
                free = " ".join(memory.holds_choice) or "none"
                raise MappingError(
                    f"mapping.levels[{m}].holds: {memory.name} holds {' '.join(ways[0])}, of which a mapping "
                    f"may leave out {free} (holds_choice in the hardware), but got {' '.join(wanted) or '[]'}"
                )
            held.append(wanted)
        if not hardware.leaves_choice:
            return hardware
        made = next(way for way in hardware.ways if [_in_order(x.holds) for x in way.memories] == held)
        for tensor in resident:
            m = first_holder(hardware, tensor)
            if first_holder(made, tensor) != m:
                raise MappingError(
                    f"mapping.levels[{m}].holds: must name {tensor}, which lies on chip there between layers"
                )
        return made

    def _belongs(self, hardware: Accelerator) -> None:
        names = [memory.name for memory in hardware.memories]
        given = [level.memory for level in self.levels]
        if given != names:
            raise MappingError(
                f"mapping.levels: must name the memories of {hardware.name} in order, "
                f"{', '.join(names)}, but got {', '.join(given)}"
            )

    def arrays(self, hardware: Accelerator, layer: Layer) -> Batch:
        """Kernel arrays with one row. Raises MappingError where names do not belong to the hardware."""
        self._belongs(hardware)
        M = len(hardware.memories)
        batch = Batch.empty(1, M)
        inside = [layer.dims[d] for d in DIMS]
        for m, level in enumerate(self.levels):
            for d, dim in enumerate(DIMS):
                inside[d] = batch.tile[0, m, d] = level.tile.get(dim, inside[d])
            outer = [d for d in DIMS if d not in level.order]
            batch.order[0, m] = [DIMS.index(d) for d in (*outer, *level.order)]
            axes = [axis.axis for axis in hardware.memories[m].fanout]
            for name in level.spatial:
                if name not in axes:
                    hint = nearest(name, axes) if axes else "; it has none"
                    raise MappingError(
                        f"mapping.levels[{m}].spatial.{name}: {level.memory} has no such axis{hint}"
                    )
            for a, name in enumerate(axes):
                if name not in level.spatial:
                    continue
                dim, factor = level.spatial[name]
                d = DIMS.index(dim)
                batch.axis_dim[0, m, a] = d
                batch.axis_factor[0, m, a] = factor
                inside[d] = -(-inside[d] // factor)
        return batch

    @classmethod
    def from_arrays(cls, hardware: Accelerator, layer: Layer, batch: Batch, row: int = 0) -> Mapping:
        """The mapping in row `row` of kernel arrays; loops that run once are left out."""
        inside = [layer.dims[d] for d in DIMS]
        levels = []
        for m, memory in enumerate(hardware.memories):
            tile: dict[str, int] = {}
            for d, dim in enumerate(DIMS):
                union = int(batch.tile[row, m, d])
                if union != inside[d]:
                    tile[dim] = inside[d] = union
            order = tuple(DIMS[d] for d in batch.order[row, m] if DIMS[d] in tile)
            spatial: dict[str, tuple[str, int]] = {}
            for a, axis in enumerate(memory.fanout):
                factor = int(batch.axis_factor[row, m, a])
                if factor >= 2:
                    d = int(batch.axis_dim[row, m, a])
                    spatial[axis.axis] = (DIMS[d], factor)
                    inside[d] = -(-inside[d] // factor)
            chosen = _in_order(memory.holds) if hardware.decided and memory.holds_choice else None
            levels.append(Level(memory.name, order, tile, spatial, chosen))
        return cls(tuple(levels))

    def nest(self, layer: Layer) -> str:
        """The loop nest as text, a block a memory, outermost first."""
        inside = layer.dims
        lines: list[str] = []
        indent = 0
        for level in self.levels:
            held = " ".join(f"{d}{n}" for d, n in inside.items() if n > 1)
            kept = "" if level.holds is None else f", holds {' '.join(level.holds) or 'nothing'}"
            lines.append(f"{'  ' * indent}{level.memory}: tile {held or '1'}{kept}")
            indent += 1
            outer = [d for d in DIMS if d not in level.order]
            for dim in (*outer, *level.order):
                union = level.tile.get(dim, inside[dim])
                if union < inside[dim]:
                    trips = -(-inside[dim] // union)
                    lines.append(f"{'  ' * indent}for {dim} in 0:{inside[dim]}:{union}  # {trips} steps")
                    indent += 1
                inside[dim] = union
            for axis, (dim, factor) in level.spatial.items():
                lines.append(f"{'  ' * indent}parallel {dim} over {axis} x{factor}")
                inside[dim] = -(-inside[dim] // factor)
                indent += 1
        lines.append(f"{'  ' * indent}{'multiply-accumulate' if layer.multiplies else layer.op}")
        return "\n".join(lines)


def check_version(data: dict[str, Any], path: str) -> None:
    """Raise MappingError unless the version is 1 or left out."""
    version = data.get("version", 1)
    if isinstance(version, bool) or not isinstance(version, int) or version != 1:
        raise MappingError(f"{path}.version: must be 1, but got {_short(version)}")


def check_keys(data: Any, keys: set[str], path: str) -> None:
    """Raise MappingError unless `data` is an object with no key beyond `keys`."""
    if not isinstance(data, dict):
        raise MappingError(f"{path}: must be an object, but got {_short(data)}")
    for key in data:
        if key not in keys:
            raise MappingError(f"{path}.{key}: unknown key{nearest(str(key), keys)}")


def _level(data: Any, path: str) -> Level:
    check_keys(data, {"memory", "holds", "order", "tile", "spatial"}, path)
    memory = data.get("memory")
    if not isinstance(memory, str):
        raise MappingError(f"{path}.memory: must be the name of a memory, but got {_short(memory)}")
    order = data.get("order", [])
    if not isinstance(order, list):
        raise MappingError(f"{path}.order: must be a list of dimensions, but got {_short(order)}")
    tile = data.get("tile", {})
    if not isinstance(tile, dict):
        raise MappingError(f'{path}.tile: must be an object like {{"K": 16}}, but got {_short(tile)}')
    spatial = data.get("spatial", {})
    if not isinstance(spatial, dict):
        raise MappingError(f"{path}.spatial: must be an object, but got {_short(spatial)}")
    axes: dict[str, tuple[Any, Any]] = {}
    for axis, use in spatial.items():
        check_keys(use, {"dim", "factor"}, f"{path}.spatial.{axis}")
        axes[axis] = (use.get("dim"), use.get("factor"))
    holds = data.get("holds")
    if holds is None:
        return Level(memory, tuple(order), dict(tile), axes)
    if not isinstance(holds, list) or any(t not in TENSORS for t in holds) or len({*holds}) < len(holds):
        raise MappingError(
            f'{path}.holds: must be a list of tensors, each of W, I, O once, like ["W", "O"], but got '
            f"{_short(holds)}"
        )
    return Level(memory, tuple(order), dict(tile), axes, _in_order(holds))


def _in_order(tensors: Iterable[Any]) -> tuple[Tensor, ...]:
    return tuple(t for t in TENSORS if t in tensors)


def _check(level: Level, path: str) -> None:
    """Raise MappingError where `level` holds what no mapping can mean; `path` is its place."""
    for i, dim in enumerate(level.order):
        _dimension(dim, f"{path}.order[{i}]")
    if len(set(level.order)) != len(level.order):
        raise MappingError(f"{path}.order: every dimension may come once, but got {', '.join(level.order)}")
    for dim, size in level.tile.items():
        _dimension(dim, f"{path}.tile.{dim}")
        _size(size, f"{path}.tile.{dim}")
    for axis, (dim, factor) in level.spatial.items():
        _dimension(dim, f"{path}.spatial.{axis}.dim")
        _size(factor, f"{path}.spatial.{axis}.factor")
    if len(level.spatial) > MAX_AXES:
        raise MappingError(f"{path}.spatial: at most {MAX_AXES} axes, but got {len(level.spatial)}")


def _dimension(value: Any, path: str) -> None:
    if not isinstance(value, str) or value not in DIMS:
        raise MappingError(f"{path}: must be one of {' '.join(DIMS)}, but got {_short(value)}")


def _size(value: Any, path: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_SIZE:
        raise MappingError(f"{path}: must be a whole number from 1 to {MAX_SIZE}, but got {_short(value)}")
    return value


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
