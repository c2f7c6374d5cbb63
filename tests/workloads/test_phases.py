"""Transposed convolutions in pieces, against a walk over every input and tap."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from accelsim.workloads import load_network
from accelsim.workloads.phases import pieces

CASE = st.tuples(
    st.integers(1, 8), st.integers(1, 6), st.integers(1, 5), st.integers(1, 4), st.integers(0, 4),
    st.integers(0, 4), st.integers(0, 3),
)  # fmt: skip
"""Inputs, kernel, stride, dilation, padding before and after, output padding."""


def walk(size, kernel, stride, dilation, pad, outputs):
    """Every (output, input, tap) that meets."""
    return [
        (y, x, t)
        for x in range(size)
        for t in range(kernel)
        if 0 <= (y := x * stride - pad + t * dilation) < outputs
    ]


@given(CASE)
@settings(max_examples=1000, deadline=None)
def test_pieces_do_every_product_and_no_more_than_scattering(case):
    size, kernel, stride, dilation, before, after, extra = case
    outputs = (size - 1) * stride + (kernel - 1) * dilation + 1 - before - after + extra
    assume(outputs >= 1 and extra < max(stride, dilation))
    met = walk(size, kernel, stride, dilation, before, outputs)
    found = pieces(size, kernel, stride, dilation, before, outputs)
    done = sum(p.outputs * p.taps * len(p.members) for p in found)
    assert len(met) <= done <= size * kernel
    if not before and not after:
        assert done == len(met) == size * kernel
    assert set().union(*(p.rows for p in found)) == {x for _, x, _ in met}
    taps = {t.first + i * t.step for p in found for t in p.members for i in range(t.number)}
    assert {t for *_, t in met} <= taps <= set(range(kernel))
    # Each output that anything reaches belongs to one piece.
    assert sum(p.outputs * len(p.members) for p in found) >= len({y for y, *_ in met})
    for p in found:
        assert all(t.number == p.taps for t in p.members)


@given(CASE)
@settings(max_examples=500, deadline=None)
def test_zeros_count_only_where_outputs_do_not_outnumber_inputs(case):
    """As for any convolution: a phase of at most as many outputs as inputs has taps x outputs products."""
    size, kernel, stride, dilation, before, after, extra = case
    outputs = (size - 1) * stride + (kernel - 1) * dilation + 1 - before - after + extra
    assume(outputs >= 1 and extra < max(stride, dilation))
    met = walk(size, kernel, stride, dilation, before, outputs)
    wanted = 0
    for phase in range(stride):
        rows = [y for y in range(outputs) if (y + before) % stride == phase]
        taps = [t for t in range(kernel) if t * dilation % stride == phase]
        mine = sum((y + before) % stride == phase for y, *_ in met)
        wanted += len(rows) * len(taps) if mine and len(rows) <= size else mine
    assert sum(p.outputs * p.taps * len(p.members) for p in pieces(*case[:4], before, outputs)) == wanted


SPATIAL = st.tuples(
    st.integers(1, 4), st.integers(1, 4), st.integers(1, 3), st.integers(1, 3), st.integers(0, 1)
)
"""Inputs, kernel, stride, dilation, padding."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    pytest.importorskip("onnx")
    return tmp_path_factory.mktemp("transposed")


@given(SPATIAL, SPATIAL, st.sampled_from([(1, 3, 2), (2, 2, 1)]))
@settings(max_examples=40, deadline=None)
def test_onnx_transposed_convolution_in_two_axes(folder, rows, cols, channels):
    from tests.workloads.test_onnx_ops import Model

    groups, inside, per_group = channels
    (h, r, sh, dh, ph), (w, s, sw, dw, pw) = rows, cols
    made = [(n - 1) * st_ + (k - 1) * d + 1 - 2 * p for n, k, st_, d, p in (rows, cols)]
    assume(min(made) >= 1)
    met = [walk(n, k, st_, d, p, m) for (n, k, st_, d, p), m in zip((rows, cols), made)]
    assume(all(met))
    m = Model(x=[1, groups * inside, h, w])
    m.node(
        "ConvTranspose", ["x", m.weight("w", groups * inside, per_group, r, s)], "up", strides=[sh, sw],
        dilations=[dh, dw], pads=[ph, pw, ph, pw], group=groups,
    )  # fmt: skip
    net = m.read(folder)
    least = len(met[0]) * len(met[1]) * inside * per_group * groups
    most = h * r * w * s * inside * per_group * groups
    assert least <= net.macs <= most
    if not ph and not pw:
        assert net.macs == most
    assert net.input_elements == np.prod([len({x for _, x, _ in one}) for one in met]) * groups * inside
    if not ph and not pw:
        assert net.weights == groups * inside * per_group * r * s
    full = per_group * groups * np.prod(made)
    reached = per_group * groups * np.prod([len({y for y, *_ in one}) for one in met])
    assert reached <= net.output_elements <= full
    assert any("does not reach" in x for x in net.notes) == (net.output_elements < full)
    assert load_network(net) == net
    assert type(net).from_dict(net.to_dict()) == net
