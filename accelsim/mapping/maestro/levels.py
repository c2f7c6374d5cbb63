"""What a dataflow says for one layer: sizes filled in, missing maps added, every rule checked.

The rules are the tool's: output-centric maps become input-centric, a level inherits the maps that it leaves
out as temporal ones, and a dimension that no level maps is not tiled.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod

from accelsim.mapping.maestro.notation import (
    KERNEL_OF,
    MAX_LEVELS,
    FilePlace,
    MaestroError,
    MaestroLayer,
    Map,
    Size,
)


@dataclass(frozen=True)
class MapLoop:
    """One map with numbers: a tile of `size` that moves by `step`, in elements of `dim`."""

    spatial: bool
    dim: str
    size: int
    step: int
    place: FilePlace = field(default=FilePlace(), compare=False)


@dataclass(frozen=True)
class Levels:
    """Loops per cluster level, outermost level and loop first, and the sizes of the clusters between."""

    loops: tuple[tuple[MapLoop, ...], ...]
    clusters: tuple[int, ...]

    def units(self, pes: int) -> tuple[int, ...]:
        """Sub-units of each level on an array of `pes`; MaestroError where the clusters need more."""
        group = prod(self.clusters)
        if group > pes:
            raise MaestroError(f"the clusters group {group} PEs, but there are {pes}")
        return (pes // group, *self.clusters)


def resolve(layer: MaestroLayer) -> Levels:
    """The loops of the layer's dataflow. Raises MaestroError with the place of what does not fit."""
    flow = layer.dataflow
    if flow is None:
        raise MaestroError(f"layer {layer.name!r} has no dataflow")
    if len(flow.levels) > MAX_LEVELS:
        place = flow.clusters[MAX_LEVELS - 1].place
        raise place.fault(
            f"at most {MAX_LEVELS} cluster levels, but this Cluster opens level {MAX_LEVELS + 1}"
        )
    dims = dict(layer.dims)
    out: list[tuple[MapLoop, ...]] = []
    for number, maps in enumerate(flow.levels):
        loops = [_loop(item, layer) for item in maps]
        loops = _input_centric(loops)
        place = maps[0].place if maps else FilePlace()
        seen: set[str] = set()
        for loop in loops:
            if loop.dim in seen:
                raise loop.place.fault(f"dimension {loop.dim} is mapped twice at level {number}")
            seen.add(loop.dim)
            _check_kernel(loop, layer)
        spatial = [loop for loop in loops if loop.spatial]
        if not spatial:
            raise place.fault(f"level {number} has no SpatialMap; give one dimension to its sub-units")
        if len(spatial) > 2:
            raise spatial[2].place.fault(f"level {number} has {len(spatial)} SpatialMaps; at most two")
        if out:
            for upper in out[-1]:
                if upper.dim not in seen:
                    loops.insert(0, MapLoop(False, upper.dim, upper.size, upper.step))
        else:
            loops += [MapLoop(False, d, size, size) for d, size in dims.items() if d not in seen]
        out.append(tuple(loops))
    return Levels(tuple(out), tuple(_number(c.size, layer, c.place) for c in flow.clusters))


def _number(size: Size, layer: MaestroLayer, place: FilePlace) -> int:
    try:
        value = size.value(layer.dims)
    except KeyError as fault:
        raise place.fault(f"Sz({fault.args[0]}): a {layer.type} has no dimension {fault.args[0]}") from None
    if value < 1:
        raise place.fault(f"a size must be at least 1, but {size} is {value} for layer {layer.name!r}")
    return value


def _loop(item: Map, layer: MaestroLayer) -> MapLoop:
    if item.dim.rstrip("'") not in layer.dims:
        raise item.place.fault(
            f"{item}: a {layer.type} layer has no dimension {item.dim}; it has {', '.join(layer.dims)}"
        )
    size, step = (_number(x, layer, item.place) for x in (item.size, item.step))
    return MapLoop(item.spatial, item.dim, size, step, item.place)


def _input_centric(loops: list[MapLoop]) -> list[MapLoop]:
    """Rows of output become the rows of input under them; the kernel must be mapped at the same level."""
    kernel = {loop.dim: loop.size for loop in loops if loop.dim in KERNEL_OF.values()}
    out = []
    for loop in loops:
        if loop.dim.endswith("'"):
            dim = loop.dim[0]
            if KERNEL_OF[dim] not in kernel:
                raise loop.place.fault(
                    f"{loop.dim} counts output elements; map {KERNEL_OF[dim]} at the same level, so that "
                    "its input elements follow"
                )
            loop = MapLoop(loop.spatial, dim, loop.size + kernel[KERNEL_OF[dim]] - 1, loop.step, loop.place)
        out.append(loop)
    return out


def _check_kernel(loop: MapLoop, layer: MaestroLayer) -> None:
    if loop.dim in KERNEL_OF.values() and not loop.spatial:
        whole = layer.dims[loop.dim]
        if loop.size != loop.step or loop.size != whole:
            raise loop.place.fault(
                f"a temporal map of {loop.dim} must cover the whole kernel, ({whole},{whole}), "
                f"but got ({loop.size},{loop.step})"
            )
