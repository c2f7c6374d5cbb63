"""What the loop nest of an ONNX operator reads and writes: the distinct elements behind its operands."""

import numpy as np
import pytest

pytest.importorskip("onnx")

from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim import evaluate, load_network
from accelsim.workloads import Layer
from tests.workloads.test_onnx_ops import Model

SIZE = st.integers(1, 4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("nests")


def counts(net):
    """Elements of I, W and O over all nests, and what the edges and weights carry."""
    nests = [sum(getattr(x, f"{t}_elements") for x in net.layers) for t in ("input", "weight", "output")]
    edges = {t: sum(e.elements for e in net.edges if e.operand == t) for t in "IW"}
    return nests, (edges["I"], edges["W"] + sum(net.weights_of))


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_operands_that_lack_axes_are_read_once(folder, data):
    shape = data.draw(st.lists(st.integers(2, 4), min_size=1, max_size=5))
    lacks = [data.draw(st.lists(st.booleans(), min_size=len(shape), max_size=len(shape))) for _ in range(2)]
    lacks[1] = [b and not a for a, b in zip(*lacks)]  # what both lack is no axis of the result
    one, other = ([1 if gone else n for gone, n in zip(lack, shape)] for lack in lacks)
    first = min(data.draw(st.integers(0, len(shape))), next((i for i, n in enumerate(other) if n > 1), 0))
    other = other[first:] or [1]  # leading axes of size 1 may be left out
    constant = data.draw(st.booleans())
    m = Model(a=one) if constant else Model(a=one, b=other)
    right = m.weight("b", *other) if constant else "b"
    m.node(data.draw(st.sampled_from(["Add", "Mul", "Sub", "Max"])), ["a", right], "c")
    m.node("Softmax", ["c"], "y")
    net = m.read(folder)
    sizes = [int(np.prod(s)) for s in (one, other)]
    if len(net.layers) == 1:  # fused: one of them is a single value, or a constant value a channel
        assert min(sizes) == 1 or (constant and sum(n > 1 for n in other) == 1)
        return
    layer, i = net.layers[0], 0
    assert layer.output_elements == np.prod(shape)
    if constant and sum(n > 1 for n in other) < 2:
        assert layer.input_elements == sizes[0]
        return
    assert layer.input_elements + layer.weight_elements == sum(sizes)
    assert net.weights == constant * sizes[1]
    assert sum(e.elements for e in net.inputs_of[i]) == sum(sizes) - net.weights
    assert layer.macs == 0
    assert load_network(net.to_dict()) == net


@given(SIZE, SIZE, st.integers(1, 3), st.integers(1, 5), st.integers(0, 9), st.integers(1, 8))
@settings(max_examples=60, deadline=None)
def test_grouped_heads_read_each_key_once(folder, batch, heads, group, tokens, past, depth):
    query, kept, new = (
        [batch, n, t, depth] for n, t in ((heads * group, tokens), (heads, past), (heads, tokens))
    )
    m = Model(q=query, new=new, **({"past": kept} if past else {}))
    k = m.node("Concat", ["past", "new"], "k", axis=2) if past else "new"
    k = m.node("Unsqueeze", [k, m.value("axis", 2)], "k5")
    shape = [batch, heads, group, past + tokens, depth]
    k = m.node("Expand", [k, m.value("five", *shape)], "ke")
    k = m.node("Reshape", [k, m.value("four", batch, heads * group, past + tokens, depth)], "kr")
    m.node("MatMul", ["q", m.node("Transpose", [k], "kt", perm=[0, 1, 3, 2])], "y")
    net = m.read(folder)
    keys = batch * heads * (past + tokens) * depth
    nests, edges = counts(net)
    assert sorted(nests[:2]) == sorted([int(np.prod(query)), keys])
    assert sorted(edges) == sorted(nests[:2])
    assert nests[2] == batch * heads * group * tokens * (past + tokens)
    assert net.input_elements == sum(nests[:2])
    assert net.macs == nests[2] * depth


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_resizing_reads_each_element_once_and_makes_all_results(folder, data):
    old = data.draw(st.lists(st.integers(1, 6), min_size=4, max_size=4))
    grown = data.draw(st.lists(st.integers(0, 2), max_size=3, unique=True).map(sorted))
    new = [n + data.draw(st.integers(0, 9)) if i - 1 in grown else n for i, n in enumerate(old)]
    m = Model(x=old)
    x = m.node("Softmax", ["x"], "a")
    m.node("Resize", [x, "", "", m.value("sizes", *new)], "y")
    net = m.read(folder)
    parts = net.layers[1:]
    if old == new:
        assert not parts
        return
    assert sum(x.input_elements for x in parts) == np.prod(old)
    assert sum(x.output_elements for x in parts) == np.prod(new)
    assert sum(e.elements for e in net.edges if e.consumer > 0) == np.prod(old)
    assert net.output_elements == np.prod(new)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_windows_over_three_axes(folder, data):
    """Exact where one axis does not overlap; else what windows share along one is read again, and said."""
    channels, groups = data.draw(SIZE), data.draw(st.integers(1, 2))
    axes = [
        (data.draw(st.integers(k * d, k * d + 4)), k, s, d)
        for k, s, d in (tuple(data.draw(st.integers(1, 3)) for _ in range(3)) for _ in range(3))
    ]
    size, kernel, stride, dilation = ([x[i] for x in axes] for i in range(4))
    m = Model(x=[2, channels * groups, *size])
    w = m.weight("w", 3 * groups, channels, *kernel)
    m.node("Conv", ["x", w], "y", strides=stride, dilations=dilation, group=groups)
    net = m.read(folder)
    made = [(n - (k - 1) * d - 1) // s + 1 for n, k, s, d in axes]
    touched = [
        len({p * s + r * d for p in range(n) for r in range(k)}) for n, (_, k, s, d) in zip(made, axes)
    ]
    (layer,) = net.layers
    outputs = 2 * 3 * groups * np.prod(made)
    assert layer.output_elements == outputs
    assert net.macs == outputs * channels * np.prod(kernel)
    assert layer.weight_elements == net.weights == 3 * groups * channels * np.prod(kernel)
    needed = 2 * channels * groups * np.prod(touched)
    again = [n * k / t for n, k, t in zip(made, kernel, touched)]
    assert layer.input_elements == needed * min(again) or layer.input_elements > needed
    assert (layer.input_elements > needed) == any("read again" in x for x in net.notes)
    if min(again) == 1:
        assert layer.input_elements == needed


@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 30))
@settings(max_examples=60, deadline=None)
def test_estimates_are_what_is_read_and_written(folder, rows, cols, k):
    k = min(k, cols)
    m = Model(x=[rows, cols])
    m.node("TopK", ["x", m.value("k", k)], "top", ["values", "places"])
    net = m.read(folder, "values", "places")
    nests, edges = counts(net)
    assert nests == [rows * cols, 0, 2 * rows * k]
    assert edges == (rows * cols, 0)
    assert (net.input_elements, net.output_elements) == (rows * cols, 2 * rows * k)


@pytest.mark.parametrize("mask", [[5, 7], [2, 1, 1, 7], [1, 6, 5, 7], [2, 6, 5, 7], [1, 6, 1, 1], []])
@pytest.mark.parametrize("constant", [False, True])
def test_a_mask_on_attention_is_read_once(mask, constant, tmp_path):
    inputs = {"q": [2, 5, 24], "k": [2, 7, 12], "v": [2, 7, 12]}
    m = Model(**inputs) if constant else Model(**inputs, mask=mask)
    name = m.weight("mask", *mask) if constant else "mask"
    m.node("Attention", ["q", "k", "v", name], "y", q_num_heads=6, kv_num_heads=3)
    net = m.read(tmp_path, opset=23)
    layer, scores = net.layers[1], 2 * 6 * 5 * 7
    size = int(np.prod(mask)) if mask else 0
    assert layer.input_elements + layer.weight_elements == scores + size
    assert layer.output_elements == scores
    carried = sum(e.elements for e in net.inputs_of[1]) + net.weights_of[1]
    if not (constant and size in (0, scores)) and mask:
        assert carried == scores + size
    assert net.input_elements == sum(np.prod(x) for x in inputs.values()) + (not constant) * (size or 1)


@pytest.mark.parametrize("chip", ["example", "edgetpu"])
def test_a_mask_and_a_scale_cross_the_outer_port_once(chip, tmp_path):
    """With room on chip, what is priced is what is compulsory."""
    m = Model(x=[1, 8, 16, 16], mask=[1, 1, 16, 16], scale=[1, 8, 1, 1])
    y = m.node("Add", ["x", "mask"], "masked")
    y = m.node("Mul", [y, "scale"], "scaled")
    net = m.read(tmp_path)
    assert net.layers == (Layer(N=8, G=256, op="broadcast"), Layer.scale(C=8, P=16, Q=16))
    for layer in net.layers:
        rows = evaluate(chip, layer, mapper="optimal", objective="energy").traffic
        words = {x["tensor"]: x["parent_words"] for x in rows if x["parent"] in ("DRAM", "Host")}
        assert words == {"W": layer.weight_elements, "I": 2048, "O": 2048}


def test_padding_is_no_data_of_an_estimate(tmp_path):
    m = Model(x=[1, 3, 10])
    padded = m.node("Pad", ["x", m.value("pads", 0, 0, 2, 0, 0, 1)], "padded")
    m.node("TopK", [padded, m.value("k", 4)], "top", ["values", "places"])
    net = m.read(tmp_path, "values", "places")
    nests, edges = counts(net)
    assert (nests, edges) == ([30, 0, 24], (30, 0))
