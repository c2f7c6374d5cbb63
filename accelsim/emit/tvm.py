"""A mapping as a TVM script: the layer as a tensor expression, the schedule as splits and one reorder.

The script needs TVM 0.20 or newer (`tvm.s_tir`, or `tvm.tir` before it got that name). Run, it prints the
loop nests; imported, it gives `MODULES`, a module for each function.
"""

from __future__ import annotations

from collections.abc import Sequence

from accelsim.emit.base import Item, title
from accelsim.emit.nest import REDUCED, blocks, span, words
from accelsim.workloads.layer import Layer

_HEAD = '''\
"""{about}

Each function takes in[N, G, C, rows, columns] (padding included), weights[G, K, C, R, S] where there are any,
and out[N, G, K, P, Q].
"""

import tvm
from tvm import te

try:
    from tvm.s_tir import Schedule
except ImportError:
    from tvm.tir import Schedule


def scheduled(name, tensors):
    """A schedule of one function, its block and the loop of each dimension."""
    function = te.create_prim_func(tensors).with_attr("global_symbol", name)
    schedule = Schedule(tvm.IRModule({{name: function}}))
    get = getattr(schedule, "get_sblock", None) or schedule.get_block
    block = get("out", func_name=name)
    return schedule, block, dict(zip({loops!r}, schedule.get_loops(block)))


MODULES = {{}}
'''

_TAIL = """
if __name__ == "__main__":
    for module in MODULES.values():
        print(module.script())
"""

_LOOPS = "NGKPQCRS"
"""Loops of a tensor expression: those of the output, then those that are summed over."""


def write(items: Sequence[Item], about: str) -> str:
    """A Python script with a scheduled module a function."""
    plain = (about or "accelsim").replace("\\", "/").replace('"', "'")
    return "\n\n".join([_HEAD.format(about=plain, loops=_LOOPS), *map(_function, items)]) + "\n" + _TAIL


def _function(item: Item) -> str:
    layer = item.layer
    shape = (layer.N, layer.G, layer.C, span(layer, 0), span(layer, 1))
    lines = [f"# {title(item)}", f'x = te.placeholder({shape}, name="in")']
    tensors = "x"
    if layer.has_weights:
        lines.append(f'w = te.placeholder({tuple(layer.dims[d] for d in "GKCRS")}, name="weights")')
        tensors += ", w"
    for d in REDUCED:
        lines.append(f'{d.lower()} = te.reduce_axis((0, {layer.dims[d]}), name="{d.lower()}")')
    lines += [
        "y = te.compute(",
        f"    {tuple(layer.dims[d] for d in 'NGKPQ')},",
        f"    lambda n, g, k, p, q: {_point(layer)},",
        '    name="out",',
        ")",
        f'schedule, block, loop = scheduled("{item.name}", [{tensors}, y])',
        "order = []",
    ]
    for part in blocks(item.mapping, layer):
        lines.append(
            f"# {part.memory}: {words(part.holds)}" if part.memory else "# within the innermost tile"
        )
        for one in part.loops:
            if one.step > 1:
                step = f'outer, loop["{one.dim}"] = schedule.split(loop["{one.dim}"], [None, {one.step}])'
            else:
                step = f'outer = loop.pop("{one.dim}")'
            lines.append(step)
            lines.append("order.append(outer)" + (f"  # {one.place}, {one.lanes} lanes" if one.lanes else ""))
    lines += ["schedule.reorder(*order, *loop.values())", f'MODULES["{item.name}"] = schedule.mod']
    return "\n".join(lines)


def _point(layer: Layer) -> str:
    row = f"p * {layer.stride[0]} + r * {layer.dilation[0]}"
    column = f"q * {layer.stride[1]} + s * {layer.dilation[1]}"
    value = f"x[n, g, c, {row}, {column}]"
    if layer.has_weights:
        value += " * w[g, k, c, r, s]"
    return f"te.{'max' if layer.op == 'pool' else 'sum'}({value}, axis=[c, r, s])"
