"""Windows on edges, against a walk that asks of every output element which inputs it depends on."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.errors import AccelsimError
from accelsim.workloads import Layer, Network, NetworkBuilder, load_network, network_names
from accelsim.workloads.network import INPUT
from accelsim.workloads.reach import SAME, RowWindow, Whole, Window, rows_read, upsampled
from accelsim.workloads.spaces import load_space, space_names


def walk_conv(out, size, kernel, stride, dilation, pad):
    """Per output row the set of input rows, by the definition of a convolution."""
    return [
        {y for i in range(kernel) if 0 <= (y := row * stride - pad + i * dilation) < size}
        for row in range(out)
    ]


def walk_transposed(out, size, kernel, stride, pad):
    """Per output row the set of input rows: row i adds its kernel to output rows from i * stride - pad."""
    return [
        {i for i in range(size) for k in range(kernel) if i * stride - pad + k == row} for row in range(out)
    ]


def hull(rows):
    return (min(rows), max(rows) + 1) if rows else (0, 0)


SMALL = st.integers(1, 3)


@given(st.integers(1, 12), st.integers(1, 5), SMALL, SMALL, st.integers(0, 3), st.data())
@settings(max_examples=400, deadline=None)
def test_an_axis_reads_the_hull_of_what_its_rows_read(size, kernel, stride, dilation, pad, data):
    span = (kernel - 1) * dilation + 1
    if size + 2 * pad < span:
        return
    out = (size + 2 * pad - span) // stride + 1
    wanted = walk_conv(out, size, kernel, stride, dilation, pad)
    first, end = sorted(data.draw(st.tuples(st.integers(0, out), st.integers(0, out))))
    got = RowWindow(stride, dilation, kernel, pad).reads(first, end, size)
    lo, hi = hull(set().union(*wanted[first:end]))
    # With gaps (stride or dilation above the kernel) the hull may begin or end in one at the border.
    assert got[0] <= lo and got[1] >= hi if lo < hi else True
    if dilation == 1 and kernel >= stride and lo < hi:
        assert got == (lo, hi)
    if first == end:
        assert got == (0, 0)


@given(st.integers(1, 12), st.integers(1, 5), st.integers(1, 5), SMALL, st.integers(-2, 3), SMALL)
@settings(max_examples=400, deadline=None)
def test_rows_that_strides_skip_are_not_read(size, kernel, stride, dilation, pad, upsample):
    out = (size * upsample + 2 * pad - (kernel - 1) * dilation - 1) // stride + 1
    if out < 1:
        return
    shown = walk_conv(out, size * upsample, kernel, stride, dilation, pad)
    read = {row // upsample for row in set().union(*shown)}
    assert rows_read(RowWindow(stride, dilation, kernel, pad, upsample), out, size) == len(read)


def test_builders_edges_leave_out_what_strides_skip():
    net = NetworkBuilder("skips", 3, 9, 11)
    x = net.pool(net.conv(net.input, 4, 1, stride=2), 2, 3)
    built = net.build(x)
    assert [e.elements for e in built.edges] == [3 * 5 * 6, 4 * 4 * 4]
    assert [e.elements for e in built.edges] == [x.input_elements for x in built.layers]
    assert built.input_elements == 90
    assert [built.area_read(*pair) for pair in zip(built.edges, built.windows)] == [30, 16]
    assert built.reads_all(built.edges[1], built.windows[1])
    assert not built.reads_all(built.edges[1]._replace(elements=32), built.windows[1])


@given(st.integers(1, 7), st.integers(1, 5), SMALL, st.integers(0, 2))
@settings(max_examples=300, deadline=None)
def test_a_transposed_convolution_reads_what_its_subpixels_need(size, kernel, stride, pad):
    out = (size - 1) * stride + kernel - 2 * pad
    if out < 1 or pad >= kernel:
        return
    wanted = walk_transposed(out, size, kernel, stride, pad)
    axis = upsampled(kernel, stride, pad)
    for row in range(size):
        needed = set().union(*wanted[row * stride : (row + 1) * stride])
        lo, hi = axis.reads(row, row + 1, size)
        assert needed <= set(range(lo, hi))
        if kernel >= stride and needed:
            assert (lo, hi) == hull(needed)


def dependencies(network):
    """Per layer a boolean array: which input elements (rows x columns) each output position depends on."""
    height, width = network.input_shape[1:]
    eye = np.eye(height * width, dtype=bool).reshape(height, width, height, width)
    maps = {INPUT: eye}
    for i, layer in enumerate(network.layers):
        seen = np.zeros((layer.P, layer.Q, height, width), bool)
        for edge, window in network.reads_of[i]:
            source = maps[edge.producer]
            for p in range(layer.P):
                for q in range(layer.Q):
                    rows, cols = (0, source.shape[0]), (0, source.shape[1])
                    if isinstance(window, Window):
                        rows = window.rows.reads(p, p + 1, source.shape[0])
                        cols = window.cols.reads(q, q + 1, source.shape[1])
                    seen[p, q] |= source[slice(*rows), slice(*cols)].any(axis=(0, 1))
        maps[i] = seen
    return maps


def numbers(height, width, crop, up):
    """The same network as plain arithmetic on one channel, to see what each output really depends on."""
    b = NetworkBuilder("n", 1, height, width)
    x = b.conv(b.input, 1, 3, 2, name="a")
    y = b.conv(x, 1, (3, 1), dilation=(2, 1), name="b")
    x = b.add(x, y, name="c")
    if up:
        x = b.upconv(x, 1, 2, 2, name="u")
    if crop:
        x = b.crop(x, max(x.height - 2, 1), max(x.width - 1, 1))
    x = b.conv(x, 1, 3, 1, 0, name="d")
    return b.build(b.pool(x, 2, 1, name="e"))


def arithmetic(image, crop, up):
    def conv(x, r, s, stride, pad, dilation):
        x = np.pad(x, ((pad[0], pad[0]), (pad[1], pad[1])))
        rows = (x.shape[0] - (r - 1) * dilation[0] - 1) // stride + 1
        cols = (x.shape[1] - (s - 1) * dilation[1] - 1) // stride + 1
        out = np.zeros((rows, cols))
        for i in range(r):
            for j in range(s):
                y0, x0 = i * dilation[0], j * dilation[1]
                out += x[
                    y0 : y0 + (rows - 1) * stride + 1 : stride, x0 : x0 + (cols - 1) * stride + 1 : stride
                ]
        return out

    x = conv(image, 3, 3, 2, (1, 1), (1, 1))
    x = x + conv(x, 3, 1, 1, (2, 0), (2, 1))
    if up:
        x = np.repeat(np.repeat(x, 2, 0), 2, 1)
    if crop:
        h, w = max(x.shape[0] - 2, 1), max(x.shape[1] - 1, 1)
        top, left = (x.shape[0] - h) // 2, (x.shape[1] - w) // 2
        x = x[top : top + h, left : left + w]
    return conv(conv(x, 3, 3, 1, (0, 0), (1, 1)), 2, 2, 1, (0, 0), (1, 1))


@pytest.mark.parametrize("crop", [False, True])
@pytest.mark.parametrize("up", [False, True])
def test_windows_of_a_network_reach_exactly_what_its_arithmetic_touches(crop, up):
    height, width = 17, 13
    net = numbers(height, width, crop, up)
    assert not net.whole_edges
    reach = dependencies(net)[len(net.layers) - 1]
    for y in range(height):
        for x in range(width):
            image = np.zeros((height, width))
            image[y, x] = 1
            touched = arithmetic(image, crop, up) > 0
            assert touched.shape == reach.shape[:2]
            # A window is a hull: it never misses an element, and here it has a gap only from the dilation.
            assert (reach[:, :, y, x] | ~touched).all()
            if touched.any():
                assert reach[:, :, y, x].sum() <= 2 * touched.sum()


@pytest.mark.parametrize("name", network_names())
def test_every_network_states_its_windows(name):
    net = load_network(name)
    assert len(net.windows) == len(net.edges)
    for edge, window in zip(net.edges, net.windows):
        if isinstance(window, Whole):
            assert window.why
            continue
        layer, size = net.layers[edge.consumer], net.size_of(edge.producer)
        # The first row and the last one read something, and nothing lies outside.
        for axis, out, rows in zip(window, (layer.P, layer.Q), size):
            lo, hi = axis.reads(0, out, rows)
            assert 0 <= lo < hi <= rows
            assert axis.kernel >= 1
    again = Network.from_dict(net.to_dict())
    assert again == net
    assert again.whole_edges == net.whole_edges


def test_what_is_whole_in_the_zoo_and_why():
    whole = load_network("mobilenet_v2").whole_edges
    assert whole == ("avgpool reads all of conv_last: pooling over the whole map",)
    bert = load_network("bert_base").whole_edges
    assert (
        "block0.scores reads all of block0.key: the second factor of a product is read by every row" in bert
    )
    assert not any("softmax" in x.split(" reads ")[0] for x in bert)
    assert load_network("unet").whole_edges == ()
    assert list(load_network("vgg16").whole_edges) == ["fc6 reads all of pool5: the map is flattened"]


@pytest.mark.parametrize("name", space_names())
def test_subnets_have_the_windows_of_their_parts(name):
    space = load_space(name)
    net = space.to_network(space.largest())
    convs = [
        window
        for edge, window in zip(net.edges, net.windows)
        if net.layers[edge.consumer].op == "conv" and net.layers[edge.consumer].R > 1
    ]
    assert convs
    for window in convs:
        assert isinstance(window, Window)
        patches = window.rows.kernel == window.rows.stride
        assert window.rows.pad == (0 if patches else window.rows.kernel // 2)


def chain_of(*inputs):
    """A stem of 9x9 and what reads it."""
    layers = [
        {"name": "l0", "op": "conv", "dims": {"K": 2, "C": 1, "P": 9, "Q": 9, "R": 3, "S": 3}},
        {"name": "l1", "op": "conv", "dims": {"C": 2, "P": 4, "Q": 9}, "inputs": list(inputs)},
    ]
    return {"version": 1, "name": "n", "input_shape": [1, 9, 9], "layers": layers}


def test_json_states_windows_or_they_follow_from_the_sizes():
    stated = {"stride": 2, "kernel": 2, "pad": 0}
    net = Network.from_dict(chain_of({"from": "l0", "rows": stated}))
    assert net.windows == (
        Window(RowWindow(kernel=3, pad=1), RowWindow(kernel=3, pad=1)),
        Window(RowWindow(2, 1, 2), RowWindow()),
    )
    whole = Network.from_dict(chain_of({"from": "l0", "window": "whole"}))
    assert whole.whole_edges == ("l1 reads all of l0: the network file says so",)
    unknown = Network.from_dict(chain_of({"from": "l0"}))
    assert unknown.whole_edges == ("l1 reads all of l0: no even padding makes 4x9 results of a map of 9x9",)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"rows": {"strid": 1}}, "layers[1].inputs[0].rows.strid: unknown key; did you mean 'stride'?"),
        ({"rows": {"kernel": 0}}, "layers[1].inputs[0].rows.kernel must be a whole number from 1"),
        ({"cols": {"pad": 1.5}}, "layers[1].inputs[0].cols.pad must be a whole number"),
        ({"cols": 3}, "layers[1].inputs[0].cols must be an object"),
        ({"window": "all"}, "layers[1].inputs[0].window must be \"whole\", but got 'all'"),
        (
            {"window": "whole", "rows": {}},
            'layers[1].inputs[0].rows: an input whose window is "whole" has no',
        ),
    ],
)
def test_json_windows_are_checked(entry, message):
    with pytest.raises(AccelsimError) as fault:
        Network.from_dict(chain_of({"from": "l0", **entry}))
    assert message in str(fault.value)


def test_lists_of_layers_take_even_padding():
    layers = [
        Layer.conv2d(K=4, C=1, P=8, Q=8, R=3, S=3),
        Layer.conv2d(K=4, C=4, P=4, Q=8, R=3, S=1, stride=(2, 1)),
    ]
    net = Network.from_layers("n", [*layers, Layer.eltwise(C=4, P=4, Q=8)])
    assert net.windows[0] == Window(
        RowWindow(kernel=3), RowWindow(kernel=3)
    )  # the input is what the windows span
    assert net.windows[1] == Window(RowWindow(2, 1, 3, 1), RowWindow())
    assert net.windows[2] == SAME


def test_windows_read_from_onnx(tmp_path):
    pytest.importorskip("onnx")
    from tests.workloads.test_onnx_ops import Model

    m = Model(x=(1, 4, 9, 8))
    m.node("Conv", ["x", m.weight("w", 8, 4, 3, 3)], "even", auto_pad="SAME_UPPER", strides=[2, 2])
    m.node("Conv", ["even", m.weight("v", 8, 8, 4, 2)], "odd", auto_pad="SAME_LOWER")
    m.node("DepthToSpace", ["odd"], "shuffled", blocksize=2)
    m.node("MaxPool", ["shuffled"], "pool", kernel_shape=[3, 1], pads=[1, 0, 1, 0], dilations=[1, 1])
    m.node("Softmax", ["pool"], "soft", axis=1)
    m.node("Softmax", ["soft"], "across", axis=3)
    m.node("InstanceNormalization", ["across", m.weight("s", 2), m.weight("b", 2)], "norm")
    m.node("Transpose", ["norm"], "turned", perm=[0, 1, 3, 2])
    m.node("Conv", ["turned", m.weight("u", 3, 2, 1, 1)], "last")
    net = m.read(tmp_path)
    plane = Window(RowWindow(), RowWindow(kernel=15, pad=7))
    assert net.windows[:6] == (
        Window(
            RowWindow(2, 1, 3, 1), RowWindow(2, 1, 3, 0)
        ),  # 9 rows of 3 are even; 8 columns leave the odd one behind
        Window(RowWindow(1, 1, 4, 2), RowWindow(1, 1, 2, 1)),
        Window(RowWindow(1, 1, 3, 1, 2), RowWindow(1, 1, 1, 0, 2)),
        SAME,
        plane,
        Whole("InstanceNormalization"),
    )
    assert plane.cols.reads(3, 4, 8) == (0, 8)
    assert net.whole_edges == (
        "norm reads all of across: InstanceNormalization takes its statistics over the whole map",
        "last reads all of norm: rows and columns lie in another order",
    )


def test_resizing_by_whole_factors_from_onnx(tmp_path):
    pytest.importorskip("onnx")
    from onnx import TensorProto, helper

    from tests.workloads.test_onnx_ops import Model

    # The layer reads each element once; what reads its result sees each of its rows three times.
    for mode, wanted in (("nearest", SAME), ("cubic", Whole("mode"))):
        m = Model(x=(1, 4, 5, 4))
        m.node("Conv", ["x", m.weight("w", 4, 4, 1, 1)], "a")
        m.constants.append(helper.make_tensor("scales", TensorProto.FLOAT, [4], [1, 1, 3, 2]))
        m.node("Resize", ["a", "", "scales"], "b", mode=mode)
        m.node("Conv", ["b", m.weight("v", 4, 4, 3, 3)], "c", pads=[1, 1, 1, 1])
        net = m.read(tmp_path)
        assert net.windows[1] == wanted
        assert net.windows[2] == Window(
            RowWindow(kernel=3, pad=1, upsample=3), RowWindow(kernel=3, pad=1, upsample=2)
        )
