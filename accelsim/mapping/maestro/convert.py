"""Between MAESTRO's dataflows and loop-nest mappings, where the two say the same.

A cluster level is a memory with one array axis below it: its temporal maps are the memory's loops, its
spatial map the loop that hands one tile to each sub-unit per step. What one PE does with its tile is left
open by MAESTRO; in the mapping the PE goes through it element by element.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from accelsim.mapping.maestro.levels import MapLoop, resolve
from accelsim.mapping.maestro.notation import (
    KERNEL_OF,
    MAX_LEVELS,
    Cluster,
    MaestroDataflow,
    MaestroError,
    MaestroLayer,
    Map,
    Size,
)
from accelsim.mapping.mapping import Level, Mapping
from accelsim.workloads.layer import DIMS, Layer

if TYPE_CHECKING:
    from accelsim.hardware import Accelerator

_OUTPUT_OF = {"Y": "P", "X": "Q"}


class NoEquivalent(MaestroError):
    """A dataflow that no loop nest equals, or a mapping that no dataflow equals; says why."""


@dataclass(frozen=True)
class _Step:
    """What a cluster level does: loops outermost first, the tile handed down, and the split."""

    order: tuple[str, ...]
    union: dict[str, int]
    dim: str
    factor: int


def names(layer: MaestroLayer) -> dict[str, str]:
    """accelsim's dimension for each of MAESTRO's in a layer of this type (Y and X become P and Q)."""
    if layer.type == "GEMM":
        return {"M": "P", "N": "K", "K": "C"}
    channels = {"C": "G"} if layer.type == "DSCONV" else {d: d for d in "GKC"}
    return {"N": "N", **channels, "R": "R", "S": "S", **_OUTPUT_OF}


def to_mapping(layer: MaestroLayer, pes: int, hardware: Accelerator | None = None) -> Mapping:
    """The loop nest that equals the layer's dataflow on an array of `pes`.

    hardware  where to place it; by default the machine that `MaestroMachine.accelerator` makes, whose
              memories are DRAM, L2, C1, ..., L1 with the axes a0, a1, ... below L2, C1, ...

    Raises NoEquivalent with the reason where there is none, MaestroError for a faulty dataflow.
    """
    steps = _steps(layer, resolve(layer).units(pes), resolve(layer).loops)
    if hardware is None:
        memories = ["DRAM", "L2", *(f"C{i}" for i in range(1, len(steps))), "L1"]
        axes = [[(i, f"a{i}")] for i in range(len(steps))]
        return _build(memories, [[], *axes, []], steps, layer)
    return _build([m.name for m in hardware.memories], _place(hardware, steps), steps, layer)


def _steps(
    layer: MaestroLayer, units: tuple[int, ...], loops: tuple[tuple[MapLoop, ...], ...]
) -> list[_Step]:
    shape, letters = layer.to_layer(), names(layer)
    tile = dict(shape.dims)
    out = []
    for number, level in enumerate(loops):
        union, order = dict(tile), []
        spatial = [loop for loop in level if loop.spatial]
        diagonal = _diagonal(spatial, layer, tile)
        dim, factor = "", 1
        for loop in level:
            d = letters[loop.dim]
            if diagonal and loop in diagonal:
                if loop.dim in KERNEL_OF.values():
                    size = loop.size
                else:
                    continue
            else:
                size = _outputs(loop, layer, tile, diagonal)
            size = min(size, tile[d])
            if loop.spatial:
                swept = min(size * units[number], tile[d])
                factor, dim = -(-swept // size), d
                if -(-swept // factor) != size:
                    raise NoEquivalent(
                        f"level {number}: {tile[d]} of {d} over {factor} sub-units in tiles of {size} leaves "
                        f"the last one short; a mapping splits evenly, into tiles of {-(-swept // factor)}"
                    )
                size = swept
            if size < tile[d]:
                order.append(d)
            union[d] = size
        out.append(_Step(tuple(order), union, dim, factor))
        tile = dict(union)
        if factor > 1:
            tile[dim] = -(-union[dim] // factor)
    return out


def _diagonal(spatial: list[MapLoop], layer: MaestroLayer, tile: dict[str, int]) -> tuple[MapLoop, ...]:
    """Two spatial maps that together split the kernel of one output row: Y and R, or X and S."""
    if len(spatial) < 2:
        return ()
    by_dim = {loop.dim: loop for loop in spatial}
    for dim, kernel in KERNEL_OF.items():
        if dim in by_dim and kernel in by_dim:
            sizes = {x for loop in spatial for x in (loop.size, loop.step)}
            if len(sizes) == 1 and tile[_OUTPUT_OF[dim]] == 1:
                return tuple(spatial)
            raise spatial[1].place.fault(
                f"SpatialMaps of {dim} and {kernel} equal a split of {kernel} only with one size and step "
                f"for both and one output row to work on, but there are {tile[_OUTPUT_OF[dim]]}"
            )
    raise NoEquivalent(
        f"SpatialMaps of {spatial[0].dim} and {spatial[1].dim} at one level give sub-unit i the i-th tile of "
        "both: not all pairs of tiles meet, so no loop nest does the same"
    )


def _outputs(loop: MapLoop, layer: MaestroLayer, tile: dict[str, int], diagonal: tuple[MapLoop, ...]) -> int:
    """Size of the map's tile, in outputs for Y and X. Raises NoEquivalent for gaps and overlaps."""
    what = f"{'SpatialMap' if loop.spatial else 'TemporalMap'}({loop.size},{loop.step}) {loop.dim}"
    if loop.dim not in KERNEL_OF or layer.type == "GEMM":
        whole = tile[names(layer)[loop.dim]]
        if layer.type != "GEMM" and loop.dim in KERNEL_OF.values() and loop.size < whole:
            raise NoEquivalent(
                f"{what} splits the kernel and leaves the input tile whole, so that its sub-units make "
                "outputs of different places; map the input dimension with it"
            )
        if loop.size != loop.step and loop.size < whole:
            how = "skips" if loop.size < loop.step else "repeats"
            raise NoEquivalent(f"{what} {how} part of {loop.dim}; a loop nest takes each element once")
        return loop.size
    kernel = layer.dims[KERNEL_OF[loop.dim]]
    inside = tile[KERNEL_OF[loop.dim]]
    stride = layer.stride[loop.dim == "X"]
    if loop.size < kernel:
        if tile[_OUTPUT_OF[loop.dim]] == 1 and loop.size >= inside:
            return 1
        raise NoEquivalent(f"{what} holds less than the kernel's {kernel}, so it makes no whole output")
    outputs = (loop.size + stride - kernel) // stride
    if stride == 1 and loop.step != outputs and outputs < tile[_OUTPUT_OF[loop.dim]]:
        how = "skips" if outputs < loop.step else "repeats"
        raise NoEquivalent(
            f"{what} makes {outputs} outputs but moves by {loop.step}, which {how} outputs; a loop nest "
            "takes each once"
        )
    return outputs


def _place(hardware: Accelerator, steps: list[_Step]) -> list[list[tuple[int, str]]]:
    """Per memory the levels it carries, each with its axis; levels with no loops between share a fan-out."""
    out: list[list[tuple[int, str]]] = [[] for _ in hardware.memories]
    m = 1
    for number, step in enumerate(steps):
        if step.factor == 1 and not step.order:
            continue
        while m < len(out):
            used = [axis for _, axis in out[m]]
            free = [x for x in hardware.memories[m].fanout if x.axis not in used and x.size >= step.factor]
            lies_between = bool(out[m]) and bool(step.order)
            if step.factor == 1 and not out[m] and m < len(out) - 1:
                out[m].append((number, ""))
                break
            if free and not lies_between:
                out[m].append((number, free[0].axis))
                break
            m += 1
        else:
            raise NoEquivalent(
                f"level {number} spreads {step.dim} over {step.factor} sub-units, but {hardware.name} has no "
                "array axis left for it, or none below a memory that could run the level's loops"
            )
    return out


def _build(
    memories: list[str], carried: list[list[tuple[int, str]]], steps: list[_Step], layer: MaestroLayer
) -> Mapping:
    inside = dict(layer.to_layer().dims)
    levels = []
    for m, name in enumerate(memories):
        tile: dict[str, int] = {}
        order: tuple[str, ...] = ()
        spatial: dict[str, tuple[str, int]] = {}
        union = dict(inside)
        for i, (number, axis) in enumerate(carried[m]):
            step = steps[number]
            if i == 0:
                union, order = dict(step.union), step.order
            if step.factor > 1:
                spatial[axis] = (step.dim, step.factor)
        if m == len(memories) - 1:
            # The PE goes through its tile; the reduction inside, as in an output-stationary PE.
            order = tuple(d for d in ("N", "G", "K", "P", "Q", "C", "R", "S") if union[d] > 1)
            union = dict.fromkeys(DIMS, 1)
        for d in DIMS:
            if union[d] != inside[d]:
                tile[d] = inside[d] = union[d]
        for d, factor in spatial.values():
            inside[d] = -(-inside[d] // factor)
        levels.append(Level(name, order, tile, spatial))
    return Mapping(tuple(levels))


def from_mapping(layer: Layer, mapping: Mapping, hardware: Accelerator) -> MaestroLayer:
    """The layer with the dataflow that equals `mapping`; the loops of the last memory, inside a PE, are left
    to MAESTRO. Raises NoEquivalent with the reason where there is none.
    """
    bare = MaestroLayer.from_layer(layer)
    letters = {ours: theirs for theirs, ours in names(bare).items() if theirs in bare.dims}
    inside = dict(layer.dims)
    levels: list[tuple[Map, ...]] = []
    clusters: list[int] = []
    swept = 0  # sub-units that the top level uses in every step, where it takes several
    last = len(mapping.levels) - 1
    for m, level in enumerate(mapping.levels):
        if m == last and not level.spatial:
            continue
        union = {d: level.tile.get(d, inside[d]) for d in DIMS}
        order = [d for d in DIMS if d not in level.order] + list(level.order)
        loops = [d for d in order if union[d] < inside[d]]
        if m == 0 and loops:
            raise NoEquivalent(
                f"{level.memory} loops over {', '.join(loops)}: MAESTRO keeps the whole layer in L2"
            )
        sizes = {axis.axis: axis.size for axis in hardware.memories[m].fanout}
        axes = [(axis, *level.spatial[axis]) for axis in sizes if axis in level.spatial]
        if not axes and not loops:
            continue
        if not axes or (loops and axes[0][1] in KERNEL_OF.values()):
            # A level must split something: best a dimension that is one tile, so that one sub-unit works.
            whole = [d for d in letters if d not in loops and d not in ("R", "S")]
            axes.insert(0, ("", (whole or loops[-1:])[0], 1))
        for i, (axis, dim, factor) in enumerate(axes):
            part = -(-union[dim] // factor)
            here = loops if i == 0 else []
            several = dim in here
            if i or levels:
                clusters.append(factor if several else max(factor, sizes.get(axis, 1)))
            elif several:
                swept = factor
            maps = [_map(d, union[d], False, bare, letters, inside) for d in here if d != dim]
            at = here.index(dim) if dim in here else len(maps)
            maps[at:at] = _split(dim, part, bare, letters, union)
            if not levels:
                mapped = {item.dim for item in maps}
                maps += [
                    Map(False, Size(0, ((1, d),)), Size(0, ((1, d),)), d)
                    for d in ("R", "S") if d in bare.dims and d not in mapped
                ]  # fmt: skip
            levels.append(tuple(maps))
            union[dim] = part
        inside = union
    if len(levels) > MAX_LEVELS:
        raise NoEquivalent(
            f"the mapping makes {len(levels)} cluster levels; MAESTRO has at most {MAX_LEVELS}"
        )
    if not levels:
        dim = next(d for d in letters if d not in ("R", "S"))
        levels.append(tuple(_split(dim, layer.dims[dim], bare, letters, inside)))
    units = hardware.num_pes // prod(clusters)
    if swept and units != swept:
        raise NoEquivalent(
            f"each step uses {swept} sub-units of the outermost level; MAESTRO uses all {units} there are"
        )
    flow = MaestroDataflow(tuple(levels), tuple(Cluster(Size(size)) for size in clusters))
    return MaestroLayer.from_layer(layer, flow)


def _map(
    dim: str, size: int, spatial: bool, bare: MaestroLayer, letters: dict[str, str], tile: dict[str, int]
) -> Map:
    """One map with a tile of `size`; Y and X in outputs where the kernel is whole."""
    if dim not in letters:
        raise NoEquivalent(f"a {bare.type} of MAESTRO has no dimension {dim}")
    name = letters[dim]
    if name in KERNEL_OF.values():
        raise NoEquivalent(f"a loop over {name}: MAESTRO keeps the whole kernel in a tile")
    if name in KERNEL_OF and bare.type != "GEMM":
        kernel, stride = bare.dims[KERNEL_OF[name]], bare.stride[name == "X"]
        tall = Size((size - 1) * stride, ((1, KERNEL_OF[name]),))
        if tile[KERNEL_OF[name]] != kernel:
            raise NoEquivalent(f"a loop over {dim} inside a split of {KERNEL_OF[name]} has no equal")
        return Map(spatial, tall, Size(size * stride), name)
    return Map(spatial, Size(size), Size(size), name)


def _split(
    dim: str, part: int, bare: MaestroLayer, letters: dict[str, str], tile: dict[str, int]
) -> list[Map]:
    """The spatial map of one axis; a split of the kernel needs the diagonal of two."""
    if dim in KERNEL_OF.values():
        rows = next(d for d, kernel in KERNEL_OF.items() if kernel == dim)
        if tile[_OUTPUT_OF[rows]] != 1:
            raise NoEquivalent(
                f"a split of {dim} over an axis equals SpatialMaps of {rows} and {dim} only where one output "
                f"row is worked on, but the tile has {tile[_OUTPUT_OF[rows]]}"
            )
        return [Map(True, Size(part), Size(part), d) for d in (rows, dim)]
    return [_map(dim, part, True, bare, letters, tile)]
