"""Tensors with identity, read from ONNX: what is shared, broadcast, cut or repeated is read once."""

import numpy as np
import pytest

pytest.importorskip("onnx")

import onnx
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

import accelsim
from accelsim.errors import AccelsimError
from accelsim.workloads import Layer, Network
from tests.workloads.test_onnx_ops import Model


def compulsory(net, i):
    """Elements that the edges of layer `i` carry, by operand."""
    out = {"I": 0, "W": net.weights_of[i]}
    for edge in net.inputs_of[i]:
        out[edge.operand] += edge.elements
    return out


def chain_of_products(tied):
    m = Model(x=[1, 16, 1448])
    y = "x"
    for i in range(6):
        w = "w" if tied and i else m.weight("w" if tied else f"w{i}", 1448, 1448)
        y = m.node("Relu", [m.node("MatMul", [y, w], f"h{i}")], f"r{i}")
    return m


def test_a_weight_that_six_layers_share_is_loaded_and_kept_once(tmp_path):
    tied, apart = (chain_of_products(t).read(tmp_path) for t in (True, False))
    assert tied.layers == apart.layers
    assert (tied.weights, apart.weights) == (1448 * 1448, 6 * 1448 * 1448)
    assert tied.params == tied.weights
    assert tied.weights_of == apart.weights_of
    once = accelsim.evaluate("edgetpu", tied, mapper="template").latency_cycles
    assert once == pytest.approx(1_082_606, rel=1e-4)
    assert accelsim.evaluate("edgetpu", apart, mapper="template").latency_cycles > 5 * once
    assert Network.from_dict(tied.to_dict()) == tied
    assert tied != apart


def test_parts_of_one_weight_count_what_they_cover(tmp_path):
    m = Model(x=[4, 8])
    m.weight("w", 8, 12)
    m.node("Split", ["w", m.value("sizes", 4, 8)], "parts", outputs=["first", "second"], axis=1)
    m.node("MatMul", ["x", "first"], "a")
    m.node("MatMul", ["x", "second"], "b")
    m.node("MatMul", ["x", "w"], "c")
    net = m.read(tmp_path, "a", "b", "c")
    assert net.weights_of == (32, 64, 96)
    assert net.weights == net.params == 96
    assert net.distinct_weights([0, 1]) == 96
    assert net.distinct_weights([0]) == 32


def test_tied_embedding_is_one_parameter(tmp_path):
    m = Model(ids=[1, 9])
    y = m.node("Gather", [m.weight("table", 50, 16), "ids"], "words", axis=0)
    m.node("Transpose", ["table"], "turned", perm=[1, 0])
    m.node("MatMul", [y, "turned"], "logits")
    net = m.read(tmp_path)
    assert (net.params, net.weights, net.macs) == (800, 800, 9 * 16 * 50)
    assert net.notes == ()


@pytest.mark.parametrize("five", [False, True])
def test_grouped_query_attention_reads_each_key_once(five, tmp_path):
    m = Model(q=[1, 8, 4, 1, 128] if five else [1, 32, 1, 128], k=[1, 8, 1024, 128])
    m.node("Unsqueeze", ["k", m.value("axis", 2)], "k5")
    if five:
        m.node("Transpose", ["k5"], "kt", perm=[0, 1, 2, 4, 3])
    else:
        m.node("Expand", ["k5", m.value("wide", 1, 8, 4, 1024, 128)], "ke")
        m.node("Reshape", ["ke", m.value("flat", 1, 32, 1024, 128)], "kk")
        m.node("Transpose", ["kk"], "kt", perm=[0, 1, 3, 2])
    m.node("MatMul", ["q", "kt"], "y")
    net = m.read(tmp_path)
    assert net.layers == (Layer(G=8, P=4, K=1024, C=128, op="gemm"),)
    assert net.layers[0].weight_elements == 1_048_576
    assert compulsory(net, 0) == {"I": 4096, "W": 1_048_576}


def test_repeated_key_heads_by_concatenation_of_slices_are_read_once(tmp_path):
    # torch's repeat_interleave of the heads, written as a Tile of an inserted axis
    m = Model(q=[1, 4, 3, 8], k=[1, 2, 8, 5])
    y = m.node("Unsqueeze", ["k", m.value("axis", 2)], "k5")
    y = m.node("Tile", [y, m.value("times", 1, 1, 2, 1, 1)], "tiled")
    y = m.node("Reshape", [y, m.value("flat", 1, 4, 8, 5)], "kk")
    m.node("MatMul", ["q", y], "y")
    net = m.read(tmp_path)
    assert net.layers == (Layer(G=2, P=6, K=5, C=8, op="gemm"),)
    assert compulsory(net, 0) == {"I": 96, "W": 80}


BATCH = st.lists(st.tuples(st.integers(1, 3), st.booleans(), st.booleans()), max_size=3)


@given(BATCH, st.integers(1, 4), st.integers(1, 4), st.integers(1, 4), st.booleans(), st.booleans())
@settings(max_examples=80, deadline=None)
def test_matrix_products_read_distinct_elements(tmp_path_factory, batch, rows, inner, cols, constant, turned):
    """NumPy's rule decides which factor a batch axis selects; compulsory reads are the factors' elements."""
    a = [1 if flat else n for n, flat, _ in batch] + ([rows, inner] if not turned else [inner, rows])
    b = [1 if flat else n for n, _, flat in batch] + [inner, cols]
    m = Model(x=a) if constant else Model(x=a, w=b)
    if constant:
        m.weight("w", *b)
    y = (
        m.node("Transpose", ["x"], "t", perm=[*range(len(batch)), len(batch) + 1, len(batch)])
        if turned
        else "x"
    )
    m.node("MatMul", [y, "w"], "y")
    net = m.read(tmp_path_factory.mktemp("product"))
    (layer,) = net.layers
    shape = np.broadcast_shapes(a[:-2], b[:-2])
    assert layer.macs == np.prod(shape, dtype=int) * rows * inner * cols
    assert layer.output_elements == np.prod(shape, dtype=int) * rows * cols
    assert layer.input_elements == np.prod(a) == compulsory(net, 0)["I"]
    assert layer.weight_elements == np.prod(b) == compulsory(net, 0)["W"]


def test_weights_broadcast_over_a_leading_axis(tmp_path):
    m = Model(x=[4, 16, 64, 32])
    m.node("MatMul", ["x", m.weight("w", 16, 32, 48)], "y")
    net = m.read(tmp_path)
    assert net.layers == (Layer(N=4, G=16, P=64, K=48, C=32, op="gemm"),)
    assert net.weights == net.layers[0].weight_elements == 24_576


def test_cache_and_new_keys_are_read_from_where_they_lie(tmp_path):
    m = Model(q=["b", 8, "s", 64], past=["b", 8, "p", 64], new=["b", 8, "s", 64])
    y = m.node("Concat", ["past", "new"], "keys", axis=2)
    m.node("MatMul", ["q", m.node("Transpose", [y], "kt", perm=[0, 1, 3, 2])], "y")
    net = m.read(tmp_path, dims={"s": 1, "p": 1023})
    assert net.layers == (Layer(G=8, K=1024, C=64, op="gemm"),)
    assert [(e.elements, e.operand) for e in net.edges] == [(512, "I"), (8 * 1023 * 64, "W"), (512, "W")]
    assert [s.tensor for s in net.selected] == ["q", "past", "new"]
    assert net.input_elements == 512 + 8 * 1024 * 64
    with pytest.raises(AccelsimError, match=r"axis 2 is symbolic \(s\); .*--dim s=\.\.\. --dim p="):
        m.read(tmp_path)


def test_gated_linear_unit_by_split_and_by_slices(tmp_path):
    m = Model(x=[1, 128, 64])
    y = m.node("MatMul", ["x", m.weight("w", 64, 512)], "a")
    m.node("Split", [y], "s", outputs=["b", "c"], axis=-1, num_outputs=2)
    m.node("Mul", [m.node("Sigmoid", ["b"], "gate"), "c"], "glu")
    net = m.read(tmp_path, opset=18)
    assert net.layers[1] == Layer.eltwise(C=256, P=128, Q=1)
    assert (net.layers[1].input_elements, net.layers[1].output_elements) == (65_536, 32_768)
    assert compulsory(net, 1)["I"] == 65_536
    assert [s.region.offset for s in net.selected[1:]] == [0, 256]


@pytest.mark.parametrize("mode", ["nearest", "linear"])
@pytest.mark.parametrize(("height", "width"), [(26, 26), (26, 39), (20, 26), (20, 31), (13, 40)])
def test_resizing_up_reads_each_element_once(mode, height, width, tmp_path):
    m = Model(x=[2, 8, 13, 13])
    m.node("Resize", ["x", "", "", m.value("sizes", 2, 8, height, width)], "y", mode=mode)
    net = m.read(tmp_path)
    assert sum(x.input_elements for x in net.layers) == sum(e.elements for e in net.edges) == 2 * 8 * 169
    assert sum(x.output_elements for x in net.layers) == 2 * 8 * height * width


def test_resizing_down_reads_what_it_needs(tmp_path):
    m = Model(x=[1, 8, 12, 12])
    m.node("Resize", ["x", "", "", m.value("sizes", 1, 8, 4, 6)], "near", mode="nearest")
    m.node("Resize", ["x", "", "", m.value("small", 1, 8, 4, 10)], "linear", mode="linear")
    near, linear = m.read(tmp_path, "near", "linear").layers
    assert (near.input_elements, near.output_elements) == (8 * 24, 8 * 24)
    assert (linear.input_elements, linear.output_elements) == (8 * (2 * 4) * 12, 8 * 40)


def test_dcgans_first_layer(tmp_path):
    m = Model(x=[1, 100, 1, 1])
    m.node("ConvTranspose", ["x", m.weight("w", 100, 512, 4, 4)], "up")
    net = m.read(tmp_path)
    (layer,) = net.layers
    assert (layer.input_elements, layer.output_elements, layer.macs) == (100, 8192, 819_200)
    assert net.weights == 819_200


def test_transposed_convolutions_of_the_table(tmp_path):
    m = Model(x=[1, 8, 8, 8])
    m.node("ConvTranspose", ["x", m.weight("w", 8, 8, 3, 3)], "up", strides=[2, 2], dilations=[2, 2])
    net = m.read(tmp_path)
    assert (net.macs, net.weights) == (36_864, 576)
    m = Model(x=[1, 256, 8, 8])
    w = m.weight("w", 256, 128, 5, 5)
    m.node("ConvTranspose", ["x", w], "up", strides=[2, 2], pads=[2] * 4, output_padding=[1, 1])
    net = m.read(tmp_path)
    assert net.macs == 64 * 25 * 256 * 128
    assert [(x.R, x.S) for x in net.layers] == [(3, 3), (3, 2), (2, 3), (2, 2)]
    assert net.weights == 256 * 128 * 25
    assert sum(x.output_elements for x in net.layers) == 128 * 256


def test_local_functions_are_inlined(tmp_path):
    body = [helper.make_node("MatMul", ["a", "b"], ["t"]), helper.make_node("Relu", ["t"], ["y"])]
    opset = [helper.make_opsetid("", 17)]
    function = helper.make_function("mine", "Dense", ["a", "b"], ["y"], body, opset)
    graph = helper.make_graph(
        [helper.make_node("Dense", ["x", "w"], ["y"], domain="mine", name="dense")],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 48, 64])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[64, 32])],
    )
    model = helper.make_model(
        graph, opset_imports=[*opset, helper.make_opsetid("mine", 1)], functions=[function]
    )
    onnx.save(model, tmp_path / "m.onnx")
    assert accelsim.load_network(tmp_path / "m.onnx").macs == 98_304


# -- what is said and what is refused ------------------------------------------------------------------


def test_shapes_in_the_file_must_be_those_that_operators_make(tmp_path):
    m = Model(x=[1, 8, 10, 10])
    m.node("Conv", ["x", m.weight("w", 8, 8, 3, 3)], "conv")
    graph = helper.make_graph(
        m.nodes, "g", m.inputs, [helper.make_tensor_value_info("conv", 1, [1, 8, 10, 10])], m.constants
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), tmp_path / "m.onnx")
    with pytest.raises(AccelsimError, match=r"'conv' \(Conv\): it makes 'conv' of shape \[1, 8, 8, 8\], but"):
        accelsim.load_network(tmp_path / "m.onnx")


def test_dead_branches_are_left_out_and_said(tmp_path):
    m = Model(x=[1, 8, 4, 4])
    m.node("Conv", ["x", m.weight("v", 8, 8, 1, 1)], "unused")
    m.node("Relu", ["unused"], "unused_too")
    m.node("Conv", ["x", m.weight("w", 8, 8, 1, 1)], "used")
    net = m.read(tmp_path, "used")
    assert net.names == ("used",)
    assert net.params == 64
    assert net.notes == (
        "left out, as no output needs them: 1 Conv, 1 Relu; the first is node 'unused' (Conv)",
    )


def test_outputs_that_nothing_makes(tmp_path):
    m = Model(x=[1, 8, 4, 4])
    m.node("Conv", ["x", m.weight("w", 8, 8, 1, 1)], "conv")
    with pytest.raises(AccelsimError, match=r"nothing makes the outputs 'lost', 'gone'$"):
        m.read(tmp_path, "conv", "lost", "gone")


def test_operators_may_stand_in_any_order_but_not_in_a_circle(tmp_path):
    m = Model(x=[1, 8, 4, 4])
    m.node("Conv", ["a", m.weight("w", 8, 8, 1, 1)], "b")
    m.node("Conv", ["x", m.weight("v", 8, 8, 1, 1)], "a")
    assert m.read(tmp_path, "b").names == ("a", "b")
    m.node("Add", ["d", "b"], "c")
    m.node("Relu", ["c"], "d")
    with pytest.raises(AccelsimError, match=r"read each other's results in a circle: node '[cd]'"):
        m.read(tmp_path, "d")


@pytest.mark.parametrize(
    ("shape", "arguments", "message"),
    [
        ([1, 8, 0, 4], {}, r"input 'x': axis 2 has size 0, so it holds no data"),
        ([0, 8, 4, 4], {}, r"input 'x': axis 0 has size 0, so it holds no data"),
        ([-1, 8, 4, 4], {}, r"input 'x': axis 0 is symbolic \(\?\).*--input x=\.\.\.x8x4x4"),
        ([1, 8, "h", "w"], {"dims": {"hh": 4}}, r"no input has a size called 'hh'; did you mean 'h'\?"),
        ([1, 8, "h", "h"], {"inputs": {"": (8, 4, 6)}}, r"axis 3 \(h\) cannot be 6: h is 4 already"),
        (
            [1, 8, 4, 4],
            {"inputs": {"x": (8, 4, 5)}},
            "axis 3 is fixed at 4, so the given shape cannot make it 5",
        ),
        ([1, 8, 4, 4], {"inputs": {"y": (8, 4, 4)}}, "no input 'y'; known: x$"),
        ([1, 8, 4, 4], {"inputs": {"x": (8, 4)}}, "has 4 axes, but the shape 8x4 given for it has 2"),
        ([1, 8, "h", 4], {"dims": {"h": 0}}, "dim h must be a whole number from 1"),
    ],
)
def test_sizes_that_do_not_fit(shape, arguments, message, tmp_path):
    m = Model(x=shape)
    m.node("Conv", ["x", m.weight("w", 8, 8, 1, 1)], "conv")
    with pytest.raises(AccelsimError, match=message):
        m.read(tmp_path, **arguments)


@pytest.mark.parametrize(
    ("shape", "arguments", "wanted"),
    [
        ([-1, 8, 4, 4], {"batch": 2}, (2, 4, 4)),
        (["n", 8, "h", "w"], {"dims": {"n": 3, "h": 5, "w": 6}}, (3, 5, 6)),
        (["n", 8, "h", "w"], {"inputs": {"x": (8, 5, 6)}}, (1, 5, 6)),
        (["n", 8, "h", "w"], {"inputs": {"": (2, 8, 5, 6)}}, (2, 5, 6)),
        (["n", 8, "h", "w"], {"inputs": {"": (8, 5, 6)}, "batch": 4}, (4, 5, 6)),
        ([None, 8, None, None], {"resolution": (5, 6)}, (1, 5, 6)),
    ],
)
def test_sizes_by_symbol_and_by_input(shape, arguments, wanted, tmp_path):
    m = Model(x=shape)
    m.node("Conv", ["x", m.weight("w", 8, 8, 1, 1)], "conv")
    (layer,) = m.read(tmp_path, **arguments).layers
    assert wanted == (layer.N, layer.P, layer.Q)


def test_images_with_channels_last(tmp_path):
    m = Model(x=["n", "h", "w", 3])
    y = m.node("Transpose", ["x"], "t", perm=[0, 3, 1, 2])
    m.node("Conv", [y, m.weight("w", 16, 3, 3, 3)], "c", strides=[2, 2], auto_pad="SAME_UPPER")
    net = m.read(tmp_path, resolution=(64, 48))
    assert net.input_shape == (3, 64, 48)
    assert net.layers == (Layer.conv2d(K=16, C=3, P=32, Q=24, R=3, S=3, stride=2),)
    assert net.whole_edges == ()
    assert net.windows[0].rows.kernel == 3


def test_random_numbers_are_no_weights(tmp_path):
    m = Model(x=[4, 8])
    m.node("RandomNormal", [], "noise", shape=[8, 6])
    m.node("MatMul", ["x", "noise"], "y")
    net = m.read(tmp_path)
    assert (net.params, net.weights, net.macs) == (0, 0, 4 * 8 * 6)
    assert net.edges[1].operand == "W"
    assert net.notes == ("random numbers come from outside and are no weights",)


def test_sizes_that_the_graph_computes(tmp_path):
    # Range, Where, Expand and Reshape by computed shapes, as exporters write positions and flattening
    m = Model(x=["N", 3, 8, 8])
    y = m.node("Conv", ["x", m.weight("w", 4, 3, 3, 3)], "a", pads=[1, 1, 1, 1])
    m.node("Shape", [y], "s")
    zero, one, four, minus = (m.value(k, v) for k, v in (("z0", 0), ("z1", 1), ("z4", 4), ("m1", -1)))
    m.node("Slice", ["s", one, four, zero], "tail")
    m.node("ReduceProd", ["tail"], "flat", axes=[0], keepdims=1)
    m.node("Slice", ["s", zero, one, zero], "head")
    m.node("Concat", ["head", "flat"], "sizes", axis=0)
    m.node("Equal", ["sizes", minus], "bad")
    m.node("Where", ["bad", "sizes", "sizes"], "chosen")
    y = m.node("Reshape", [y, "chosen"], "f")
    m.node("Gemm", [y, m.weight("fc", 10, 256)], "y", transB=1)
    net = m.read(tmp_path, opset=12, batch=2)
    assert net.layers[1] == Layer(N=2, K=10, C=256, op="gemm")


def test_inputs_that_are_integers_keep_their_values_unknown(tmp_path):
    m = Model(ids=[1, 9], x=[1, 4, 9])
    m.node("Gather", ["x", "ids"], "picked", axis=2)
    net = m.read(tmp_path)
    assert net.layers[0].output_elements == 36
