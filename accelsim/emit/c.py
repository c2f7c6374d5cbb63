"""A mapping as a plain C loop nest."""

from __future__ import annotations

from collections.abc import Sequence

from accelsim.emit.base import Item, title
from accelsim.emit.nest import Block, blocks, span, words
from accelsim.workloads.layer import DIMS, Layer

_HEAD = """\
/* {about}

   in[N][G][C][rows][columns], padding included; weights[G][K][C][R][S]; out[N][G][K][P][Q], overwritten.
   The axes of an array are loops here: run them as you like, those over C, R and S with care. */
#ifndef ELEMENT
#define ELEMENT float
#endif
#define LEAST(a, b) ((a) < (b) ? (a) : (b))
"""


def write(items: Sequence[Item], about: str) -> str:
    """C99 of all functions; `ELEMENT` is the type, float unless defined otherwise."""
    return "\n".join([_HEAD.format(about=_plain(about or "accelsim")), *map(_function, items)])


def _function(item: Item) -> str:
    layer = item.layer
    weights = "const ELEMENT *restrict weights, " if layer.has_weights else ""
    head = f"void {item.name}(const ELEMENT *restrict in, {weights}ELEMENT *restrict out)"
    body, depth = _nest(blocks(item.mapping, layer))
    index = {d: depth.get(d, "0") for d in DIMS}
    inner = "    " * (1 + sum(line.endswith("{") for line in body))
    value, target = _read(layer, index), _out(layer, index)
    if layer.op == "pool":
        step = [f"const ELEMENT x = {value};", f"if (x > {target})", f"    {target} = x;"]
    else:
        factor = f" * {_weight(layer, index)}" if layer.has_weights else ""
        step = [f"{target} += {value}{factor};"]
    ends = [f"{'    ' * i}}}" for i in range(len(inner) // 4 - 1, 0, -1)]
    lines = [
        f"/* {_plain(title(item))} */",
        head,
        "{",
        *_start(layer),
        *body,
        *(inner + line for line in step),
        *ends,
        "}",
        "",
    ]
    return "\n".join(lines)


def _nest(tree: Sequence[Block]) -> tuple[list[str], dict[str, str]]:
    """The loops' lines, each loop opening a brace, and the variable that is the place in each dimension."""
    lines: list[str] = []
    first: dict[str, str] = {}
    end: dict[str, str] = {}
    whole = dict.fromkeys(DIMS, True)
    count = dict.fromkeys(DIMS, 0)
    depth = 1
    for block in tree:
        name = f"{block.memory}: {words(block.holds)}" if block.memory else "within the innermost tile"
        lines.append(f"{'    ' * depth}/* {_plain(name)} */")
        for loop in block.loops:
            d = loop.dim
            var = f"{d.lower()}{count[d]}"
            count[d] += 1
            stop = end.get(d, str(loop.size))
            note = f" /* {_plain(loop.place)}, {loop.lanes} lanes */" if loop.lanes else ""
            lines.append(
                f"{'    ' * depth}for (long {var} = {first.get(d, '0')}; {var} < {stop}; "
                f"{var} += {loop.step}){note} {{"
            )
            depth += 1
            whole[d] = whole[d] and loop.size % loop.step == 0
            end[d] = f"{var} + {loop.step}"
            if not whole[d] and loop.step > 1:
                lines.append(f"{'    ' * depth}const long {var}_end = LEAST({var} + {loop.step}, {stop});")
                end[d] = f"{var}_end"
            first[d] = var
    return lines, first


def _start(layer: Layer) -> list[str]:
    """What the output begins with: zeros, and for a pool the first element of each window."""
    if layer.op != "pool":
        return [f"    for (long i = 0; i < {layer.output_elements}; i++)", "        out[i] = 0;"]
    lines, index = [], dict.fromkeys(DIMS, "0")
    for depth, d in enumerate(("N", "G", "K", "P", "Q"), 1):
        index[d] = d.lower()
        lines.append(
            f"{'    ' * depth}for (long {d.lower()} = 0; {d.lower()} < {layer.dims[d]}; {d.lower()}++)"
        )
    return [*lines, f"{'    ' * 6}{_out(layer, index)} = {_read(layer, index)};"]


def _read(layer: Layer, at: dict[str, str]) -> str:
    row = _place(at["P"], layer.stride[0], at["R"], layer.dilation[0])
    column = _place(at["Q"], layer.stride[1], at["S"], layer.dilation[1])
    sizes = (layer.G, layer.C, span(layer, 0), span(layer, 1))
    return f"in[{_flat((at['N'], at['G'], at['C'], row, column), sizes)}]"


def _weight(layer: Layer, at: dict[str, str]) -> str:
    return f"weights[{_flat([at[d] for d in 'GKCRS'], [layer.dims[d] for d in 'KCRS'])}]"


def _out(layer: Layer, at: dict[str, str]) -> str:
    return f"out[{_flat([at[d] for d in 'NGKPQ'], [layer.dims[d] for d in 'GKPQ'])}]"


def _place(output: str, stride: int, tap: str, dilation: int) -> str:
    terms = [t if by == 1 else f"{t} * {by}" for t, by in ((output, stride), (tap, dilation)) if t != "0"]
    return " + ".join(terms) or "0"


def _flat(index: Sequence[str], sizes: Sequence[int]) -> str:
    """Row-major place; `sizes` are those of all dimensions but the first."""
    out = index[0]
    for term, size in zip(index[1:], sizes, strict=True):
        if out != "0" and size != 1:
            out = f"({out}) * {size}" if " " in out else f"{out} * {size}"
        out = term if out == "0" else out if term == "0" else f"{out} + {term}"
    return out


def _plain(text: str) -> str:
    """Text that ends no comment."""
    return text.replace("*/", "* /").replace("/*", "/ *").replace("\\", "/")
