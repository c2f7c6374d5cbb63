"""Operators beyond convolutions and products: recurrent, attention, control flow, quantised, estimates."""

import numpy as np
import pytest

pytest.importorskip("onnx")

import onnx
from onnx import TensorProto, helper, numpy_helper

from accelsim.errors import AccelsimError
from accelsim.workloads import Layer, Network, load_network
from accelsim.workloads.bits import LayerBits
from tests.workloads.test_onnx_ops import FLOAT, Model


def test_lstm_step_by_step(tmp_path):
    m = Model(x=[10, 1, 32])
    m.node("LSTM", ["x", m.weight("w", 1, 256, 32), m.weight("r", 1, 256, 64)], "y", hidden_size=64)
    net = m.read(tmp_path)
    assert net.macs == 10 * 256 * (32 + 64) == 245_760
    assert net.weights == net.params == 256 * 96
    assert len(net.layers) == 1 + 2 * 10
    assert net.layers[0] == Layer(P=10, K=256, C=32, op="gemm")
    assert net.layers[1] == net.layers[3] == Layer(K=256, C=64, op="gemm")
    # A step waits for the one before, and reads its own stretch of the inputs' product.
    assert [e.producer for e in net.inputs_of[3]] == [2]
    assert [(e.producer, e.elements) for e in net.inputs_of[4]] == [(0, 256), (3, 256), (2, 64)]
    assert Network.from_dict(net.to_dict()) == net


def test_gru_in_two_directions(tmp_path):
    m = Model(x=[10, 1, 32])
    w, r = m.weight("w", 2, 192, 32), m.weight("r", 2, 192, 64)
    m.node("GRU", ["x", w, r, m.weight("b", 2, 384)], "y", hidden_size=64, direction="bidirectional")
    y = m.node("Reshape", ["y", m.value("flat", 10, 128)], "f")
    m.node("MatMul", [y, m.weight("fc", 128, 5)], "out")
    net = m.read(tmp_path)
    assert net.macs == 2 * 10 * 192 * 96 + 10 * 128 * 5
    assert net.weights == 2 * 192 * 96 + 640
    assert net.params == net.weights + 2 * 384
    assert {e.producer for e in net.inputs_of[-1]} == {
        i for i, x in enumerate(net.layers) if x.op == "eltwise"
    }


def test_rnn_and_the_last_state(tmp_path):
    m = Model(x=[5, 2, 8])
    m.node("RNN", ["x", m.weight("w", 1, 4, 8), m.weight("r", 1, 4, 4)], "rnn", ["", "last"], hidden_size=4)
    net = m.read(tmp_path, "last")
    assert net.macs == 5 * 2 * 4 * (8 + 4)
    assert net.outputs == (len(net.layers) - 1,)


def test_bad_recurrent_weights(tmp_path):
    m = Model(x=[10, 1, 32])
    m.node("LSTM", ["x", m.weight("w", 1, 256, 31), m.weight("r", 1, 256, 64)], "y", hidden_size=64)
    with pytest.raises(AccelsimError, match="do not fit 4 gates of 64 and inputs of 32"):
        m.read(tmp_path)


def test_three_dimensional_convolution(tmp_path):
    m = Model(x=[1, 3, 16, 112, 112])
    m.node("Conv", ["x", m.weight("w", 64, 3, 3, 3, 3)], "conv", pads=[1] * 6)
    net = m.read(tmp_path)
    assert net.macs == 1_040_449_536
    assert net.layers == (Layer.conv2d(N=16, K=64, C=9, P=112, Q=112, R=3, S=3),)
    assert "slide along two" in net.notes[0]
    # Where one axis does not overlap, nothing is read twice: frames one by one, and patches.
    m = Model(x=[1, 3, 16, 8, 8])
    m.node("Conv", ["x", m.weight("w", 4, 3, 1, 3, 3)], "frames", pads=[0, 1, 1, 0, 1, 1])
    m.node("Conv", ["x", m.weight("v", 4, 3, 3, 1, 1)], "time", pads=[1, 0, 0, 1, 0, 0])
    m.node("Conv", ["x", m.weight("u", 4, 3, 2, 4, 4)], "patches", strides=[2, 4, 4])
    net = m.read(tmp_path, "frames", "time", "patches")
    assert net.layers[0] == Layer.conv2d(N=16, K=4, C=3, P=8, Q=8, R=3, S=3)
    assert net.layers[1].input_elements == 3 * 18 * 64
    assert net.layers[2].input_elements == net.inputs_of[2][0].elements == 3 * 16 * 64
    assert not net.notes


@pytest.mark.parametrize(
    ("equation", "shapes", "layer"),
    [
        ("bhid,bhjd->bhij", [(1, 8, 64, 32), (1, 8, 64, 32)], Layer.gemm(batch=8, M=64, N=64, K=32)),
        ("bhij,bhjd->bihd", [(2, 4, 6, 5), (2, 4, 5, 3)], Layer.gemm(batch=8, M=6, N=3, K=5)),
        ("...ij,jk", [(2, 3, 4, 5), (5, 6)], Layer(N=2, P=12, K=6, C=5, op="gemm")),
        ("ij,kj->ik", [(7, 5), (6, 5)], Layer(P=7, K=6, C=5, op="gemm")),
        ("i,j->ij", [(7,), (6,)], Layer(P=7, K=6, op="gemm")),
    ],
)
def test_einsum(equation, shapes, layer, tmp_path):
    m = Model(**{f"x{i}": list(s) for i, s in enumerate(shapes)})
    m.node("Einsum", [f"x{i}" for i in range(len(shapes))], "y", equation=equation)
    net = m.read(tmp_path)
    assert net.layers == (layer,)
    assert layer.input_elements == np.prod(shapes[0])
    assert layer.weight_elements == np.prod(shapes[1])


def test_einsum_of_one_and_of_three(tmp_path):
    m = Model(a=[3, 4], b=[4, 5], c=[5, 6])
    m.node("Einsum", ["a", "b", "c"], "chain", equation="ij,jk,kl->il")
    m.node("Einsum", ["a"], "turned", equation="ij->ji")
    m.node("MatMul", ["turned", m.weight("w", 3, 2)], "after")
    m.node("Einsum", ["a", "b"], "summed", equation="ij,kl->i")
    net = m.read(tmp_path, "chain", "after", "summed")
    assert net.macs == 3 * 4 * 5 + 3 * 5 * 6 + 4 * 3 * 2 + 3


def test_a_repeated_index_is_a_diagonal(tmp_path):
    m = Model(a=[2, 4, 4], b=[4, 5], c=[1, 3, 4], d=[5, 4, 6])
    m.node("Einsum", ["a", "b"], "mapped", equation="bii,ij->bj")
    m.node("Einsum", ["a"], "trace", equation="bii->b")
    m.node("Einsum", ["c", "d"], "wide", equation="...ij,...jk->...ik")  # a leading axis of size 1 repeats
    net = m.read(tmp_path, "mapped", "trace", "wide")
    assert net.macs == 2 * 4 * 5 + 5 * 3 * 4 * 6
    assert [x.input_elements for x in net.layers] == [2 * 4, 2 * 4, 12]
    assert net.input_elements == 2 * 4 + 20 + 12 + 120
    assert net.layers[2] == Layer(N=1, P=3, K=30, C=4, op="gemm")


def test_attention_in_one_operator(tmp_path):
    m = Model(q=[1, 64, 512], k=[1, 64, 512], v=[1, 64, 512])
    m.node("Attention", ["q", "k", "v"], "a", q_num_heads=8, kv_num_heads=8)
    net = m.read(tmp_path, opset=23)
    product = Layer.gemm(batch=8, M=64, N=64, K=64)
    assert net.layers == (product, Layer.eltwise(C=8, P=64, Q=64, operands=1), product)
    assert net.names == ("a.scores", "a.softmax", "a.context")
    assert net.macs == 2 * 8 * 64 * 64 * 64


def test_grouped_attention_with_a_cache(tmp_path):
    m = Model(
        q=[1, 32, 1, 128], k=[1, 8, 1, 128], v=[1, 8, 1, 128], pk=[1, 8, 1023, 128], pv=[1, 8, 1023, 128]
    )
    m.node("Attention", ["q", "k", "v", "", "pk", "pv"], "a", ["a", "nk", "nv"])
    net = m.read(tmp_path, "a", opset=23)
    assert net.layers[0] == Layer(G=8, P=4, K=1024, C=128, op="gemm")
    assert sum(e.elements for e in net.inputs_of[0] if e.operand == "W") == 1_048_576


def microsoft(tmp_path, m, *outputs, shape=None):
    graph = helper.make_graph(
        m.nodes, "g", m.inputs, [helper.make_tensor_value_info(x, FLOAT, shape) for x in outputs], m.constants
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets), tmp_path / "m.onnx")
    return load_network(tmp_path / "m.onnx")


def test_fused_operators_of_runtimes(tmp_path):
    m = Model(x=[1, 12, 64])
    own = {"domain": "com.microsoft"}
    y = m.node("Attention", ["x", m.weight("qkv", 64, 192), m.weight("b", 192)], "att", num_heads=4, **own)
    norm = [m.weight("gamma", 64), m.weight("beta", 64)]
    y = m.node("SkipLayerNormalization", [y, "x", *norm], "norm", **own)
    y = m.node("FusedMatMul", [y, m.weight("w", 128, 64)], "wide", transB=1, **own)
    y = m.node("BiasGelu", [y, m.weight("wb", 128)], "gelu", **own)
    net = microsoft(tmp_path, m, y)
    assert net.names == ("att.qkv", "att.scores", "att.softmax", "att.context", "norm", "wide")
    assert net.macs == 12 * 64 * 192 + 2 * 4 * 12 * 12 * 16 + 12 * 64 * 128
    assert net.params == 64 * 192 + 192 + 2 * 64 + 64 * 128 + 128
    assert net.layers[4] == Layer.eltwise(C=64, P=12, Q=1)


def test_group_query_attention_of_runtimes(tmp_path):
    m = Model(q=[1, 1, 256], k=[1, 1, 64], v=[1, 1, 64], pk=[1, 2, 31, 32], pv=[1, 2, 31, 32])
    m.node(
        "GroupQueryAttention", ["q", "k", "v", "pk", "pv"], "a", ["a", "nk", "nv"], num_heads=8,
        kv_num_heads=2, domain="com.microsoft",
    )  # fmt: skip
    net = microsoft(tmp_path, m, "a")
    assert net.layers[0] == Layer(G=2, P=4, K=32, C=32, op="gemm")
    assert net.layers[2] == Layer(G=2, P=4, K=32, C=32, op="gemm")


def test_weights_of_four_bits(tmp_path):
    m = Model(x=[1, 3, 64])
    m.constants.append(TensorProto(name="w", data_type=TensorProto.UINT8, dims=[96, 2, 16]))
    m.node(
        "MatMulNBits", ["x", "w", m.weight("s", 192)], "y", K=64, N=96, bits=4, block_size=32,
        domain="com.microsoft",
    )  # fmt: skip
    net = microsoft(tmp_path, m, "y")
    assert net.layers == (Layer(N=1, P=3, K=96, C=64, op="gemm", bits=LayerBits(weight=4)),)
    assert net.weights == 64 * 96
    assert net.notes == ()


def test_dynamic_quantisation(tmp_path):
    m = Model(x=[1, 16, 64])
    m.constants.append(TensorProto(name="w", data_type=TensorProto.INT8, dims=[64, 32]))
    m.node("DynamicQuantizeLinear", ["x"], "q", ["xq", "s", "z"])
    m.node("MatMulInteger", ["xq", "w", "z"], "yi")
    m.node("Cast", ["yi"], "yf", to=FLOAT)
    m.node("Mul", ["s", m.scalar("ws", 0.1)], "ss")
    m.node("Mul", ["yf", "ss"], "y")
    net = m.read(tmp_path)
    assert net.macs == 32_768
    assert net.names == ("q", "yi")  # scaling by one value is done on the way
    assert net.notes == ("weights are stored so: 2,048 in 8 bits; quantised ones are priced so",)
    assert net.weights == 2048


def test_if_with_a_constant_condition(tmp_path):
    m = Model(x=[1, 8, 16, 16])
    m.constants.append(numpy_helper.from_array(np.array(True), "c"))
    m.weight("w", 8, 8, 3, 3)
    m.weight("v", 8, 8, 1, 1)
    value = helper.make_tensor_value_info
    then = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["t"])], "then", [], [value("t", FLOAT, None)]
    )
    other = helper.make_graph(
        [helper.make_node("Conv", ["x", "v"], ["e"])], "else", [], [value("e", FLOAT, None)]
    )
    m.node("If", ["c"], "y", then_branch=then, else_branch=other)
    net = m.read(tmp_path)
    assert (net.macs, net.params) == (112_896, 576)
    m = Model(x=[1, 8, 16, 16], flag=[1])
    m.weight("w", 8, 8, 3, 3)
    m.weight("v", 8, 8, 1, 1)
    m.node("If", ["flag"], "y", then_branch=then, else_branch=other)
    m.node("Fancy", ["y"], "odd", domain="my.own")
    said = "operators not supported: 1 If whose condition depends on data, 1 my.own.Fancy"
    with pytest.raises(AccelsimError, match=said):
        m.read(tmp_path)
    net = m.read(tmp_path, allow_unknown=True)
    assert (net.macs, net.params) == (112_896, 576)  # the dearer branch
    assert net.layers[0].output_elements == net.layers[1].output_elements == 8 * 14 * 14
    assert [note.partition(",")[0] for note in net.notes] == [
        "1 If whose condition depends on data", "1 my.own.Fancy not known",
    ]  # fmt: skip
    assert all("50.0 % of all elements made" in note for note in net.notes)


@pytest.mark.parametrize("trips", [0, 1, 3])
def test_loop_with_constant_trips(trips, tmp_path):
    value = helper.make_tensor_value_info
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["go_on"]),
            helper.make_node("MatMul", ["h", "w"], ["next"], name="step"),
            helper.make_node("Identity", ["next"], ["out"]),
        ],
        "body",
        [value("i", TensorProto.INT64, []), value("go", TensorProto.BOOL, []), value("h", FLOAT, [2, 4])],
        [value("go_on", TensorProto.BOOL, []), value("next", FLOAT, [2, 4]), value("out", FLOAT, [2, 4])],
    )
    m = Model(x=[2, 4])
    m.weight("w", 4, 4)
    y = m.node("MatMul", ["x", "w"], "first")
    m.constants.append(numpy_helper.from_array(np.array(trips), "trips"))
    m.node("Loop", ["trips", "", y], "loop", ["end", "all"], body=body)
    net = m.read(tmp_path, "end")
    assert net.macs == (1 + trips) * 2 * 4 * 4
    assert net.weights == 16
    assert net.outputs == (trips,)


@pytest.mark.parametrize("inside", [False, True])
def test_loop_whose_trips_data_decides(inside, tmp_path):
    value = helper.make_tensor_value_info
    body = helper.make_graph(
        [
            helper.make_node("MatMul", ["h", "w"], ["next"], name="step"),
            helper.make_node("ReduceMax", ["next"], ["top"], name="top", keepdims=0),
            helper.make_node("Greater", ["top", "zero"], ["more"]),
            helper.make_node("Identity", ["more" if inside else "go"], ["go_on"]),
        ],
        "body",
        [value("i", TensorProto.INT64, []), value("go", TensorProto.BOOL, []), value("h", FLOAT, [2, 4])],
        [value("go_on", TensorProto.BOOL, []), value("next", FLOAT, [2, 4])],
    )
    m = Model(x=[2, 4], trips=[])
    m.weight("w", 4, 4)
    m.scalar("zero", 0.0)
    m.node("Loop", ["" if inside else "trips", "", "x"], "loop", ["end"], body=body)
    with pytest.raises(AccelsimError, match=r"1 Loop whose trips depend on data.*of the Loop one trip"):
        m.read(tmp_path)
    net = m.read(tmp_path, allow_unknown=True)
    assert net.macs == 2 * 4 * 4
    assert any("1 Loop whose trips depend on data, one trip is priced" in x for x in net.notes)


def test_scan_over_a_sequence(tmp_path):
    value = helper.make_tensor_value_info
    body = helper.make_graph(
        [
            helper.make_node("MatMul", ["h", "w"], ["hw"], name="step"),
            helper.make_node("Add", ["hw", "xt"], ["next"], name="sum"),
            helper.make_node("Identity", ["next"], ["out"]),
        ],
        "body",
        [value("h", FLOAT, [2, 4]), value("xt", FLOAT, [2, 4])],
        [value("next", FLOAT, [2, 4]), value("out", FLOAT, [2, 4])],
    )
    m = Model(h0=[2, 4], x=[5, 2, 4])
    m.weight("w", 4, 4)
    m.node("Scan", ["h0", "x"], "scan", ["end", "all"], body=body, num_scan_inputs=1)
    m.node("ReduceSum", ["all"], "total", keepdims=0)
    net = m.read(tmp_path, "total")
    assert net.macs == 5 * 2 * 4 * 4
    assert [x.op for x in net.layers] == ["gemm", "eltwise"] * 5 + ["pool"]
    assert sum(e.elements for e in net.inputs_of[-1]) == 40


def test_estimates_move_what_they_read_and_write(tmp_path):
    m = Model(x=[1, 8, 8, 8], g=[1, 16, 16, 2])
    y = m.node("Conv", ["x", m.weight("w", 10, 8, 1, 1)], "a")
    y = m.node("Reshape", [y, m.value("flat", 1, 640)], "f")
    m.node("TopK", [y, m.value("k", 100)], "top", ["v", "i"])
    m.node("GridSample", ["a", "g"], "grid")
    net = m.read(tmp_path, "v", "grid")
    assert net.macs == 5_120
    parts = [i for i, x in enumerate(net.layers) if x.name.startswith("top.part")]
    assert sum(net.layers[i].input_elements for i in parts) == 640
    assert sum(net.layers[i].output_elements for i in parts) == 200  # values and their positions
    assert sum(e.elements for i in parts for e in net.inputs_of[i]) == 640
    grid = [i for i, x in enumerate(net.layers) if x.name.startswith("grid.part")]
    assert sum(e.elements for i in grid for e in net.inputs_of[i]) == 640 + 512
    assert sum(net.layers[i].output_elements for i in grid) == 2560


def test_boxes_are_bounded_and_the_bound_is_said(tmp_path):
    m = Model(b=[1, 100, 4], s=[1, 3, 100])
    m.node("NonMaxSuppression", ["b", "s", m.value("most", 10)], "kept")
    m.node("Gather", ["kept", m.value("column", 2)], "at", axis=1)
    net = m.read(tmp_path, "at")
    kept = [x for x in net.layers if x.name.startswith("kept")]
    assert sum(x.output_elements for x in kept) == 30 * 3
    assert sum(x.input_elements for x in kept) == net.input_elements == 400 + 300
    assert any("upper bound" in x for x in net.notes)


def test_padding_before_a_convolution_brings_no_data(tmp_path):
    m = Model(x=[1, 4, 8, 8])
    y = m.node("Pad", ["x", m.value("pads", 0, 0, 1, 1, 0, 0, 1, 1)], "pad")
    m.node("Conv", [y, m.weight("w", 4, 4, 3, 3)], "conv")
    net = m.read(tmp_path)
    assert net.edges[0].elements == 256
    assert net.windows[0].rows.pad == 1
    assert net.layers[0].input_elements == 400


def test_squeezed_reductions_and_gathered_columns_are_views(tmp_path):
    m = Model(x=[1, 6, 16])
    y = m.node("MatMul", ["x", m.weight("w", 16, 16)], "a")
    y = m.node("Gather", [y, m.scalar("first", 0, TensorProto.INT64)], "token", axis=1)
    m.node("Gemm", [y, m.weight("fc", 3, 16)], "out", transB=1)
    net = m.read(tmp_path)
    assert net.names == ("a", "out")
    assert net.inputs_of[1][0].elements == 16
    assert net.selected[1].region.elements == 16


def test_an_operand_that_nothing_makes_is_named(tmp_path):
    m = Model(x=[1, 3, 8, 8])
    m.weight("weights", 4, 3, 3, 3)
    m.node("Conv", ["x", "weight"], "y")
    with pytest.raises(AccelsimError, match=r"'y' \(Conv\) reads 'weight', which nothing makes.*'weights'"):
        m.read(tmp_path)


def test_a_size_without_a_name_is_no_batch(tmp_path):
    m = Model(x=[-1, 3, 8, 8])
    m.node("Conv", ["x", m.weight("w", 4, 3, 3, 3)], "y")
    with pytest.raises(AccelsimError, match=r"axis 0 is symbolic .* give batch="):
        m.read(tmp_path)
    assert m.read(tmp_path, batch=2).batch == 2
