"""Rewritten convolutions compute what their steps declare, and cost exactly that."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

import accelsim
from accelsim import AccelsimError
from accelsim.workloads.transform import (
    FACTORS,
    NEURAL,
    Conv,
    ConvPiece,
    Illegal,
    Rewriting,
    Transformation,
    applied,
)
from accelsim.workloads.transform.pieces import released

SIZE, K = 8, 3


def convolved(x: NDArray, weights: NDArray) -> NDArray:
    """[outs, rows, columns] of x [ins, rows, columns], 3x3, padded by zeros."""
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
    out = np.zeros((len(weights), *x.shape[1:]), x.dtype)
    for r in range(K):
        for s in range(K):
            part = padded[:, r : r + x.shape[1], s : s + x.shape[2]]
            out += np.tensordot(weights[:, :, r, s], part, 1)
    return out


def run(piece: ConvPiece, x: NDArray, weights: NDArray) -> NDArray:
    """A piece on its own inputs and rows, its groups one by one, its weights cut from those of the whole."""
    rows = x[piece.ins[0] : piece.ins[1], piece.rows[0] : piece.rows[1]]
    own = weights[piece.outs[0] : piece.outs[1], piece.ins[0] : piece.ins[1]]
    outs, ins = len(own) // piece.groups, len(rows) // piece.groups
    assert (outs * piece.groups, ins * piece.groups) == (len(own), len(rows))
    return np.concatenate(
        [
            convolved(rows[g * ins : (g + 1) * ins], own[g * outs : (g + 1) * outs, g * ins : (g + 1) * ins])
            for g in range(piece.groups)
        ]
    )


def together(pieces: list[ConvPiece], x: NDArray, weights: NDArray) -> NDArray:
    """All pieces side by side; every output once."""
    outs = max(piece.outs[1] for piece in pieces)
    out = np.zeros((outs, *x.shape[1:]), x.dtype)
    times = np.zeros(out.shape, int)
    for piece in pieces:
        place = slice(*piece.outs), slice(*piece.rows)
        out[place] = run(piece, x, weights)
        times[place] += 1
    assert (times == 1).all()
    return out


class Declared:
    """What steps say they do, on the weights of one dense convolution: which stay, and where rows are cut.

    slices  each a list of dense parts: (outputs, inputs), as lists of channels
    first   the dense slice that `unroll_out` made, if it was done
    skip    inputs that are left out once the slices are grouped
    """

    def __init__(self, conv: Conv) -> None:
        self.conv = conv
        self.outs = conv.outs
        self.slices = [[(np.arange(conv.outs), np.arange(conv.ins))]]
        self.first: list[tuple[NDArray, NDArray]] = []
        self.skip = 0
        self.cuts = 1

    def do(self, step: Transformation) -> None:
        factor = step.factors[0]
        if step.kind == "bottleneck":
            self.outs //= factor
            self.slices = [[(np.arange(self.outs), np.arange(self.conv.ins))]]
        elif step.kind == "split_rows":
            self.cuts *= factor
        elif step.kind == "unroll_out":
            ((rows, columns),) = self.slices[0]
            self.first, self.skip = [(rows[:factor], columns)], factor
            self.slices = [[(rows[factor:], columns)]]
        elif step.kind == "split_out":
            self.slices = [new for parts in self.slices for new in split(parts, factor)]
        else:
            for parts in self.slices:
                old, parts[:] = list(parts), []
                for rows, columns in old:
                    columns = columns[self.skip :]
                    n = len(columns) if step.kind == "depthwise" else factor
                    parts += zip(np.split(rows, n), np.split(columns, n))
            self.skip = 0

    def mask(self) -> NDArray:
        out = np.zeros((self.outs, self.conv.ins), int)
        for rows, columns in (*self.first, *(part for parts in self.slices for part in parts)):
            out[np.ix_(rows, columns)] = 1
        return out

    def result(self, x: NDArray, weights: NDArray) -> NDArray:
        kept = weights[: self.outs] * self.mask()[:, :, None, None]
        return np.concatenate([convolved(part, kept) for part in np.split(x, self.cuts, axis=1)], axis=1)


def split(parts: list, factor: int) -> list:
    if len(parts) == 1:
        return [[(rows, parts[0][1])] for rows in np.split(parts[0][0], factor)]
    each = len(parts) // factor
    return [parts[i * each : (i + 1) * each] for i in range(factor)]


def sequences(rng: np.random.Generator, n: int) -> list[tuple[Conv, list[Transformation]]]:
    """Random sequences of up to three steps that are possible."""
    out = []
    while len(out) < n:
        conv = Conv(int(rng.choice([4, 6, 8, 12])), int(rng.choice([4, 8, 12, 16])), SIZE, True, True)
        steps = []
        for _ in range(int(rng.integers(1, 4))):
            kind = str(rng.choice(list(FACTORS)))
            steps.append(Transformation(kind, (int(rng.choice(FACTORS[kind])),)))
        try:
            applied(conv, steps)
        except Illegal:
            continue
        out.append((conv, steps))
    return out


def test_pieces_do_what_steps_declare() -> None:
    rng = np.random.default_rng(0)
    changed = kept = 0
    for conv, steps in sequences(rng, 150):
        x = rng.integers(-5, 6, (conv.ins, SIZE, SIZE))
        weights = rng.integers(-5, 6, (conv.outs, conv.ins, K, K))
        pieces = applied(conv, steps)
        declared = Declared(conv)
        for step in steps:
            declared.do(step)
        got = together(pieces, x, weights)
        assert np.array_equal(got, declared.result(x, weights)), steps
        count = sum((p.outs[1] - p.outs[0]) * (p.ins[1] - p.ins[0]) // p.groups for p in pieces)
        assert count == declared.mask().sum() * declared.cuts
        if all(step.kind not in NEURAL for step in steps):
            kept += 1
            assert np.array_equal(got, convolved(x, weights)), steps
        elif got.shape != (conv.outs, SIZE, SIZE) or not np.array_equal(got, convolved(x, weights)):
            changed += 1
    assert kept > 15
    assert changed > 60


def test_slices_have_groups_of_their_own() -> None:
    conv = Conv(8, 8, SIZE, True, True)
    rng = np.random.default_rng(0)
    x, weights = rng.integers(-5, 6, (8, SIZE, SIZE)), rng.integers(-5, 6, (8, 8, K, K))
    pieces = applied(conv, [Transformation("split_out", (2,)), Transformation("group", (1, 4))])
    assert [piece.groups for piece in pieces] == [1, 4]
    mask = np.ones((8, 8), int)
    mask[4:] = np.kron(np.eye(4, dtype=int), np.ones((1, 2), int))
    assert np.array_equal(together(pieces, x, weights), convolved(x, weights * mask[:, :, None, None]))


def test_cut_rows_differ_at_the_cut_alone() -> None:
    conv = Conv(4, 4, SIZE, True, True)
    rng = np.random.default_rng(0)
    x, weights = rng.integers(1, 6, (4, SIZE, SIZE)), rng.integers(1, 6, (4, 4, K, K))
    got, whole = (together(applied(conv, s), x, weights) for s in ([Transformation("split_rows", (2,))], []))
    same = (got == whole).all(axis=(0, 2))
    assert same.tolist() == [True, True, True, False, False, True, True, True]


def test_the_released_space_is_counted() -> None:
    """65 837 sequences a block; 16 blocks of ResNet-34 make 1e77 networks."""
    every = list(released())
    assert len(set(every)) == len(every) == 65_837 == 1 + 4 + 16 + 256 + 65_536 + 20 + 4
    assert 1e77 < len(every) ** 16 < 2e77
    blocks = sum(name.endswith("add") for name in accelsim.load_network("resnet34").names)
    assert blocks == 16


@pytest.mark.parametrize(
    ("conv", "steps", "why"),
    [
        (Conv(6, 8, 8, True, True), [Transformation("group", (4,))], "indivisible"),
        (Conv(8, 6, 8, True, True), [Transformation("depthwise", (1,))], "indivisible"),
        (Conv(8, 8, 8, True, False), [Transformation("bottleneck", (2,))], "more than convolutions"),
        (
            Conv(8, 8, 8, True, True),
            [Transformation("group", (2,)), Transformation("bottleneck", (2,))],
            "after a cut",
        ),
        (Conv(8, 8, 8, False, True), [Transformation("split_rows", (2,))], "rows"),
        (Conv(8, 8, 8, True, True), [Transformation("unroll_out", (8,))], "fewer channels"),
        (
            Conv(8, 8, 8, True, True),
            [Transformation("split_out", (8,)), Transformation("split_rows", (8,))],
            "too many",
        ),
    ],
)
def test_illegal_steps_say_why(conv, steps, why) -> None:
    with pytest.raises(Illegal, match=why):
        applied(conv, steps)


# -- whole networks --------------------------------------------------------------------------------------


def residual() -> accelsim.Network:
    net = accelsim.NetworkBuilder("residual", 4, 16, 16, batch=2)
    x = net.conv(net.input, 16, 3, name="stem")
    y = net.conv(x, 16, 3, name="one")
    y = net.conv(y, 16, 3, name="two")
    x = net.add(x, y, name="sum")
    x = net.conv(x, 32, 3, 2, name="down")
    x = net.depthwise(x, 3, name="deep")
    return net.build(net.linear(net.global_pool(x), 10, name="head"))


def test_nothing_done_is_the_network() -> None:
    base = residual()
    made = Rewriting(base).rewrite({})
    assert made.to_dict() == base.to_dict()
    assert [base.layers[i].name for i in Rewriting(base).able] == ["stem", "one", "two", "down"]


def test_counts_and_tensors_of_random_rewritings() -> None:
    """Every piece reads its channels and rows once, and weights and MACs are those of its pieces."""
    base = residual()
    work = Rewriting(base)
    rng = np.random.default_rng(1)
    done = 0
    while done < 60:
        steps = {
            i: [
                Transformation(k, (int(rng.choice(FACTORS[k])),))
                for k in rng.choice(list(FACTORS), int(rng.integers(0, 3))).tolist()
            ]
            for i in work.able
        }
        try:
            made = work.rewrite(steps)
        except Illegal:
            continue
        done += 1
        read = accelsim.Network.from_dict(made.to_dict())
        assert (read.macs, read.params) == (made.macs, made.params)
        macs = params = 0
        for i, layer in enumerate(base.layers):
            pieces = made.pieces.get(i)
            if pieces is None:
                macs, params = macs + layer.macs, params + base.params_of[i]
                continue
            outs = max(piece.outs[1] for piece in pieces)
            params += (base.params_of[i] - layer.weight_elements) * outs // layer.K
            for p in pieces:
                weights = (p.outs[1] - p.outs[0]) * (p.ins[1] - p.ins[0]) // p.groups * layer.R * layer.S
                macs += weights * (p.rows[1] - p.rows[0]) * layer.Q * layer.N
                params += weights
        assert (made.macs, made.params) == (macs, params)
        for i, layer in enumerate(made.layers):
            if layer.op == "conv":
                (stem, *piece) = layer.name.split(".")
                old = base.layers[base.names.index(stem)]
                height, width = base.size_of(base.inputs_of[base.names.index(stem)][0].producer)
                rows = height if not piece else height * layer.P // old.P
                elements = layer.N * layer.G * layer.C * rows * width
                assert sum(edge.elements for edge in made.inputs_of[i]) == elements, layer.name


def test_a_bottleneck_narrows_its_reader() -> None:
    base = residual()
    work = Rewriting(base)
    made = work.rewrite({base.names.index("one"): [Transformation("bottleneck", (4,))]})
    one, two = (made.layers[base.names.index(name)] for name in ("one", "two"))
    assert (one.K, two.C, two.K) == (4, 4, 16)
    with pytest.raises(Illegal, match="more than convolutions"):
        work.rewrite({base.names.index("two"): [Transformation("bottleneck", (4,))]})


def test_other_layers_are_refused() -> None:
    base = residual()
    with pytest.raises(AccelsimError, match="no convolution"):
        Rewriting(base).rewrite({base.names.index("deep"): [Transformation("group", (2,))]})
