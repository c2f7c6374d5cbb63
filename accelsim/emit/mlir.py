"""A mapping as MLIR: the layer as a `linalg.generic`, the schedule as a transform-dialect sequence.

Each memory's loops are one `tile_using_for` with their interchange; an axis of the array is a
`tile_using_forall`, but one that adds partial sums up is a `tile_using_for`: its lanes are no independent
threads. Tiles that do not divide are cut by the transform itself.
"""

from __future__ import annotations

from collections.abc import Sequence

from accelsim.emit.base import Item, title
from accelsim.emit.nest import REDUCED, Block, ForLoop, blocks, span, words
from accelsim.workloads.layer import DIMS, Layer

_OP = "!transform.any_op"


def write(items: Sequence[Item], about: str) -> str:
    """A module with a function a layer, and the sequence `__transform_main` that tiles them all."""
    lines = [f"// {about or 'accelsim'}", "module attributes {transform.with_named_sequence} {"]
    for item in items:
        lines += [f"  {line}" for line in _function(item)]
    lines.append(f"  transform.named_sequence @__transform_main(%root: {_OP} {{transform.readonly}}) {{")
    for i, item in enumerate(items):
        lines += [f"    {line}" for line in _schedule(item, i)]
    return "\n".join([*lines, "    transform.yield", "  }", "}", ""])


def _function(item: Item) -> list[str]:
    layer = item.layer
    loops = ", ".join(d.lower() for d in DIMS)
    row = f"p * {layer.stride[0]} + r * {layer.dilation[0]}"
    column = f"q * {layer.stride[1]} + s * {layer.dilation[1]}"
    second = "g, k, c, r, s" if layer.has_weights else "r, s"
    maps = [f"n, g, c, {row}, {column}", second, "n, g, k, p, q"]
    kinds = ", ".join(f'"{"reduction" if d in REDUCED else "parallel"}"' for d in DIMS)
    shape = _tensor([layer.N, layer.G, layer.C, span(layer, 0), span(layer, 1)])
    other = _tensor([layer.dims[d] for d in ("GKCRS" if layer.has_weights else "RS")])
    out = _tensor([layer.dims[d] for d in "NGKPQ"])
    start, body = _body(layer)
    argument = f", %weights: {other}" if layer.has_weights else ""
    window = [] if layer.has_weights else [f"%weights = tensor.empty() : {other}"]
    return [
        f"// {title(item)}",
        f"func.func @{item.name}(%in: {shape}{argument}) -> {out} {{",
        *(f"  {line}" for line in window),
        f"  %start = arith.constant {start} : f32",
        f"  %empty = tensor.empty() : {out}",
        f"  %filled = linalg.fill ins(%start : f32) outs(%empty : {out}) -> {out}",
        "  %made = linalg.generic {",
        f"    indexing_maps = [{', '.join(f'affine_map<({loops}) -> ({x})>' for x in maps)}],",
        f"    iterator_types = [{kinds}]",
        f"  }} ins(%in, %weights : {shape}, {other}) outs(%filled : {out}) attrs = {{{item.name}}} {{",
        "  ^bb0(%x: f32, %w: f32, %sum: f32):",
        *(f"    {line}" for line in body),
        f"  }} -> {out}",
        f"  return %made : {out}",
        "}",
    ]


def _body(layer: Layer) -> tuple[str, list[str]]:
    """What the output begins with, and the operations of one point."""
    if layer.has_weights:
        made = ["%product = arith.mulf %x, %w : f32", "%next = arith.addf %sum, %product : f32"]
    elif layer.op == "pool":
        made = ["%next = arith.maximumf %sum, %x : f32"]
    else:
        made = ["%next = arith.addf %sum, %x : f32"]
    return "0xFF800000" if layer.op == "pool" else "0.0", [*made, "linalg.yield %next : f32"]


def _schedule(item: Item, number: int) -> list[str]:
    op = f"%op{number}"
    lines = [
        f'{op} = transform.structured.match ops{{["linalg.generic"]}} attributes {{{item.name}}} in %root '
        f": ({_OP}) -> {_OP}"
    ]
    made = 0
    for block in blocks(item.mapping, item.layer):
        lines.append(f"// {block.memory}: {words(block.holds)}" if block.memory else "// the innermost tile")
        for loops in _together(block):
            made += 1
            tiled = f"%op{number}_{made}"
            lines.append(_tile(op, tiled, loops))
            op = tiled
    return lines


def _together(block: Block) -> list[tuple[ForLoop, ...]]:
    """The loops that one operation makes: those in time together, each axis alone."""
    in_time = tuple(loop for loop in block.loops if not loop.lanes)
    return [*([in_time] if in_time else []), *((loop,) for loop in block.loops if loop.lanes)]


def _tile(op: str, tiled: str, loops: Sequence[ForLoop]) -> str:
    steps = {loop.dim: loop.step for loop in loops}
    sizes = ", ".join(str(steps.get(d, 0)) for d in DIMS)
    many = len(loops)
    head = f"{tiled}, {tiled}_loops{f':{many}' if many > 1 else ''} = transform.structured"
    if loops[0].lanes and loops[0].dim not in REDUCED:
        return f"{head}.tile_using_forall {op} tile_sizes [{sizes}] : ({_OP}) -> ({_OP}, {_OP})"
    order = [*(loop.dim for loop in loops), *(d for d in DIMS if d not in steps)]
    places = ", ".join(str(DIMS.index(d)) for d in order)
    results = ", ".join([_OP] * (1 + many))
    return (
        f"{head}.tile_using_for {op} tile_sizes [{sizes}] interchange = [{places}] : ({_OP}) -> ({results})"
    )


def _tensor(sizes: Sequence[int]) -> str:
    return f"tensor<{'x'.join(map(str, sizes))}xf32>"
