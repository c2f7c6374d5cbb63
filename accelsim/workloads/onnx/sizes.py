"""Sizes of a model's inputs: what the file fixes, and what the caller gives for its symbols."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from accelsim.errors import AccelsimError, nearest
from accelsim.workloads.layer import check_size
from accelsim.workloads.zoo.model import Resolution

Shape = tuple[int, ...]

_SEQUENCE = re.compile(r"seq|len|time|tok|frame|past|^t$", re.IGNORECASE)


@dataclass(frozen=True)
class Sizes:
    """What the caller asks for.

    batch       size of the first axis of each input
    resolution  height and width, or the length of a sequence
    dims        sizes of symbols by name
    inputs      shapes of inputs by name, "" for the only or first one; the batch may be left out. Of an input
                without axes, one number: its value
    """

    batch: int | None = None
    resolution: Resolution | None = None
    dims: Mapping[str, int] = field(default_factory=dict)
    inputs: Mapping[str, Shape] = field(default_factory=dict)


def bind(values: Sequence[Any], sizes: Sizes) -> tuple[dict[str, Shape], bool]:
    """Shape of each input, and whether any differs from what the file fixes.

    Raises AccelsimError for sizes that contradict the file and for symbols without a size, all at once.
    """
    _known(values, sizes)
    symbols = dict(sizes.dims)
    found: dict[str, list[int | None]] = {}
    for k, value in enumerate(values):
        found[value.name] = _first(k, value, sizes, symbols)
    missing = []
    for value in values:
        out = found[value.name]
        for axis, dim in enumerate(_dims(value)):
            if out[axis] is None:
                out[axis] = symbols.get(_symbol(dim))
            if out[axis] is None:
                missing.append((value.name, axis, _symbol(dim)))
    if missing:
        raise AccelsimError(_ask(missing, values))
    shapes = {name: tuple(n for n in out if n is not None) for name, out in found.items()}
    return shapes, any(d.WhichOneof("value") != "dim_value" for v in values for d in _dims(v))


def _first(k: int, value: Any, sizes: Sizes, symbols: dict[str, int]) -> list[int | None]:
    dims = _dims(value)
    out: list[int | None] = [None] * len(dims)
    stated = sizes.inputs.get(value.name, sizes.inputs.get("") if k == 0 else None)
    if stated is not None and not dims and len(stated) == 1:
        return out  # a value
    if stated is not None and len(stated) == len(dims) - 1:
        stated = (sizes.batch or 1, *stated)
    if stated is not None and len(stated) != len(dims):
        raise AccelsimError(
            f"input {value.name!r} has {len(dims)} axes, but the shape {'x'.join(map(str, stated))} "
            f"given for it has {len(stated)}"
        )
    wanted = _wanted(value, sizes)
    for axis, dim in enumerate(dims):
        argument = "batch" if axis == 0 else "resolution"
        fixed = dim.dim_value if dim.WhichOneof("value") == "dim_value" else None
        size = wanted[axis]
        if stated is not None:
            argument, size = "the given shape", stated[axis]
        if fixed is not None and fixed >= 1:
            if size is not None and size != fixed:
                raise AccelsimError(
                    f"input {value.name!r}: axis {axis} is fixed at {fixed}, so {argument} cannot "
                    f"make it {size}; export the model with a symbolic axis"
                )
            out[axis] = fixed
            continue
        if fixed is not None and fixed < -1:  # -1 is some exporters' symbol
            raise AccelsimError(
                f"input {value.name!r}: axis {axis} has size {fixed}, but a size is at least 1"
            )
        if fixed == 0:
            raise AccelsimError(f"input {value.name!r}: axis {axis} has size 0, so it holds no data")
        symbol = _symbol(dim)
        if size is None and symbol in symbols:
            size = symbols[symbol]
        if size is None and axis == 0 and fixed is None and not _SEQUENCE.search(symbol):
            size = 1 if sizes.batch is None else sizes.batch
        if size is not None and symbol and symbols.setdefault(symbol, size) != size:
            raise AccelsimError(
                f"input {value.name!r}: axis {axis} ({symbol}) cannot be {size}: {symbol} is "
                f"{symbols[symbol]} already"
            )
        out[axis] = size
    return out


def _dims(value: Any) -> Any:
    if value.type.WhichOneof("value") != "tensor_type" or not value.type.tensor_type.HasField("shape"):
        raise AccelsimError(f"input {value.name!r} must be a tensor with a shape")
    return value.type.tensor_type.shape.dim


def _symbol(dim: Any) -> str:
    """The name of a symbolic size; "?" and the like are no names."""
    symbol = str(dim.dim_param)  # bytes, where it is no text
    return symbol if any(c.isalnum() for c in symbol) else ""


def _wanted(value: Any, sizes: Sizes) -> list[int | None]:  # one size an axis, None where nothing is asked
    dims = _dims(value)
    rank = len(dims)
    out: list[int | None] = [None] * rank
    if sizes.batch is not None and rank:
        out[0] = check_size(sizes.batch, "batch", 1)
    resolution = sizes.resolution
    if resolution is None or rank < 2:
        return out
    if rank == 4:
        first = 1 if _channels_last(dims) else 2
        height, width = (resolution, resolution) if isinstance(resolution, int) else resolution
        out[first] = check_size(height, "resolution", 1)
        out[first + 1] = check_size(width, "resolution", 1)
    elif isinstance(resolution, int):
        out[1] = check_size(resolution, "resolution", 1)
    else:
        raise AccelsimError(
            f"input {value.name!r} has {rank} axes: resolution must be one number, its length"
        )
    return out


def _channels_last(dims: Any) -> bool:
    """Whether four axes are batch, height, width, channels: few channels stand last, and none second."""
    sizes = [d.dim_value if d.WhichOneof("value") == "dim_value" else 0 for d in dims]
    return sizes[3] in (1, 2, 3, 4) and sizes[1] not in (1, 2, 3, 4)


def channels_last(shape: Shape) -> bool:
    """The same of a shape whose sizes are known."""
    return len(shape) == 4 and shape[3] in (1, 2, 3, 4) and shape[1] not in (1, 2, 3, 4)


def _known(values: Sequence[Any], sizes: Sizes) -> None:
    symbols = sorted({_symbol(d) for v in values for d in _dims(v)} - {""})
    for name, size in sizes.dims.items():
        check_size(size, f"dim {name}", 1)
        if name not in symbols:
            said = f"; its symbols are {', '.join(symbols)}" if symbols else "; it has no symbols"
            raise AccelsimError(f"no input has a size called {name!r}{nearest(name, symbols)}{said}")
    names = [v.name for v in values]
    for name, shape in sizes.inputs.items():
        for size in shape:
            check_size(size, f"input {name or names[0]}", 1)
        if name and name not in names:
            raise AccelsimError(f"no input {name!r:.80}{nearest(name, names)}")


def _ask(missing: list[tuple[str, int, str]], values: Sequence[Any]) -> str:
    named = list(dict.fromkeys(s for _, _, s in missing if s))
    name, axis, symbol = missing[0]
    argument = "batch" if axis == 0 and not symbol else "resolution"
    said = f"input {name!r}: axis {axis} is symbolic ({symbol or '?'}); give {argument}="
    if len(missing) > 1:
        said += " or all of " + ", ".join(f"{n!r} axis {a} ({s or '?'})" for n, a, s in missing[:12])
    if named:
        said += ", as in " + " ".join(f"--dim {s}=..." for s in named[:6])
    else:
        first = next(v for v in values if v.name == name)
        said += f", as in --input {name}=" + "x".join(
            str(d.dim_value) if d.dim_value > 0 else "..." for d in _dims(first)
        )
    return said
