"""What a sequence of steps makes of one convolution: pieces, each a convolution of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import NamedTuple

FACTORS: dict[str, tuple[int, ...]] = {
    "group": (1, 2, 3, 4, 8),
    "bottleneck": (2, 4, 8),
    "depthwise": (1,),
    "split_out": (2, 4, 8),
    "split_rows": (2, 4, 8),
    "unroll_out": (1, 2, 4, 8, 16),
}
"""Steps, and the factors that a search chooses from.

group       cut inputs and outputs into groups that do not see one another; after `split_out` each slice by
            a factor of its own, after `unroll_out` only the rest, which then leaves out the first inputs
bottleneck  keep one in so many output channels, the first ones
depthwise   as many groups as input channels
split_out   slices of output channels, a convolution each
split_rows  parts of rows, each with weights of its own and padded at its cuts
unroll_out  the first so many output channels, a convolution of their own
"""

NEURAL = frozenset({"group", "bottleneck", "depthwise", "split_rows"})
"""Steps that change results: `split_out` and `unroll_out` alone only change the schedule."""

MOST_PIECES = 32


class Conv(NamedTuple):
    """A dense convolution as far as steps must know it.

    cuts     whether its rows may be cut: it makes one row of every `stride` rows, all rows used
    narrows  whether all that read its result can read fewer channels
    """

    ins: int
    outs: int
    rows: int
    cuts: bool
    narrows: bool


class Transformation(NamedTuple):
    """A kind of `FACTORS` and its factor; `group` may have one a slice, used in turn."""

    kind: str
    factors: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.kind} {'/'.join(map(str, self.factors))}" if self.kind != "depthwise" else self.kind


Span = tuple[int, int]


@dataclass(frozen=True)
class ConvPiece:
    """A convolution from input channels `ins` to output channels `outs` of output rows `rows`, [first, end).

    groups  its groups
    peeled  whether an `unroll_out` made it, which later steps leave alone
    skips   inputs that it leaves out as soon as it is grouped
    """

    ins: Span
    outs: Span
    rows: Span
    groups: int = 1
    peeled: bool = False
    skips: int = 0


class Illegal(Exception):
    """A step that the convolution does not allow; its text is the reason, in a word or two."""


def applied(conv: Conv, steps: Sequence[Transformation]) -> list[ConvPiece]:
    """The pieces, in the order of their outputs. Raises `Illegal`."""
    pieces = [ConvPiece((0, conv.ins), (0, conv.outs), (0, conv.rows))]
    for step in steps:
        pieces = _apply(conv, pieces, step)
        if len(pieces) > MOST_PIECES:
            raise Illegal("too many pieces")
    return pieces


def released() -> Iterator[tuple[Transformation, ...]]:
    """The sequences of the paper's released code for one block: 65 837, many illegal for most sizes.

    The convolution as it is; slices with groups of their own; a dense part beside a grouped one; parts.
    """
    yield ()
    for slices in (1, 2, 4, 8):
        for each in product((1, 2, 4, 8), repeat=slices):
            yield Transformation("split_out", (slices,)), Transformation("group", each)
    for first, groups in product((1, 2, 4, 8, 16), (1, 2, 3, 4)):
        yield Transformation("unroll_out", (first,)), Transformation("group", (groups,))
    for parts in (1, 2, 4, 8):
        yield (Transformation("split_rows", (parts,)),)


def _apply(conv: Conv, pieces: list[ConvPiece], step: Transformation) -> list[ConvPiece]:
    factor = step.factors[0]
    if step.kind == "bottleneck":
        if not conv.narrows:
            raise Illegal("result read by more than convolutions")
        if len(pieces) > 1 or pieces[0].groups > 1:
            raise Illegal("bottleneck after a cut")
        return [replace(pieces[0], outs=(0, _divided(pieces[0].outs[1], factor)))]
    if step.kind in ("group", "depthwise"):
        turn = iter(step.factors * len(pieces))
        return [
            piece if piece.peeled else _grouped(piece, None if step.kind == "depthwise" else next(turn))
            for piece in pieces
        ]
    if step.kind == "split_out":
        return [part for piece in pieces for part in ([piece] if piece.peeled else _sliced(piece, factor))]
    if step.kind == "split_rows":
        if factor > 1 and not conv.cuts:
            raise Illegal("rows that parts would share")
        return [replace(piece, rows=rows) for piece in pieces for rows in _spans(piece.rows, factor)]
    if len(pieces) > 1 or pieces[0].groups > 1:
        raise Illegal("unroll_out after a cut")
    if factor >= min(pieces[0].outs[1], conv.ins):
        raise Illegal("fewer channels than the factor")
    whole = pieces[0]
    return [
        replace(whole, outs=(0, factor), peeled=True),
        replace(whole, outs=(factor, whole.outs[1]), skips=factor),
    ]


def _grouped(piece: ConvPiece, factor: int | None) -> ConvPiece:
    first = piece.ins[0] + piece.skips
    ins = _divided(piece.ins[1] - first, piece.groups)
    outs = _divided(piece.outs[1] - piece.outs[0], piece.groups)
    factor = ins if factor is None else factor
    _divided(ins, factor), _divided(outs, factor)
    return replace(piece, ins=(first, piece.ins[1]), groups=piece.groups * factor, skips=0)


def _sliced(piece: ConvPiece, factor: int) -> list[ConvPiece]:
    outs = _spans(piece.outs, factor)
    if piece.groups == 1:
        return [replace(piece, outs=span) for span in outs]
    groups = _divided(piece.groups, factor)
    ins = _spans(piece.ins, factor)
    return [replace(piece, ins=i, outs=o, groups=groups) for i, o in zip(ins, outs, strict=True)]


def _spans(span: Span, parts: int) -> list[Span]:
    size = _divided(span[1] - span[0], parts)
    return [(span[0] + i * size, span[0] + (i + 1) * size) for i in range(parts)]


def _divided(size: int, factor: int) -> int:
    if size % factor:
        raise Illegal("indivisible")
    return size // factor
