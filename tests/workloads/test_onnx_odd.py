"""Operators with operands that most models leave out: reads, writes and MACs worked out by hand."""

import numpy as np
import pytest

pytest.importorskip("onnx")

from onnx import numpy_helper

from accelsim import AccelsimError, evaluate, load_network
from accelsim.workloads import Layer
from tests.workloads.test_onnx_more import microsoft
from tests.workloads.test_onnx_ops import Model

MS = {"domain": "com.microsoft"}


def counts(net):
    """(MACs, elements that nests read as I and as W, that they write, that come in)."""
    reads = (sum(getattr(x, f"{t}_elements") for x in net.layers) for t in ("input", "weight", "output"))
    return net.macs, *reads, net.input_elements


@pytest.mark.parametrize(
    ("op", "shapes", "read"),
    [
        ("Where", [(1, 1, 5, 6), (2, 3, 5, 6), (2, 3, 5, 6)], 30 + 2 * 180),
        ("Sum", [(2, 3, 5, 6), (2, 3, 5, 6), (3, 1, 1)], 2 * 180 + 3),
        ("Max", [(5, 6), (6,), (5, 1)], 30 + 6 + 5),
        ("Sum", [(5, 1), (1, 6), (5, 1)], 5 + 6 + 5),
    ],
)
def test_a_third_operand_is_read_once(op, shapes, read, tmp_path):
    m = Model(**{f"x{i}": list(s) for i, s in enumerate(shapes)})
    names = [f"x{i}" for i in range(len(shapes))]
    if op == "Where":
        names[0] = m.node("Cast", ["x0"], "c", to=9)
    m.node(op, names, "y")
    net = m.read(tmp_path)
    made = 180 if len(shapes[0]) == 4 else 30
    assert counts(net)[1] + counts(net)[2] == net.input_elements == read
    assert sum(e.elements for e in net.edges) == read
    assert net.output_elements == made
    assert load_network(net.to_dict()) == net


def test_differences_of_neighbours_read_a_signal_once(tmp_path):
    m = Model(x=[2, 50])
    one, last = m.value("one", 1), m.value("last", -1)
    m.node("Slice", ["x", m.value("zero", 0), last, one], "left")
    m.node("Slice", ["x", one, m.value("end", 1000), one], "right")
    m.node("Sub", ["right", "left"], "y")
    assert counts(m.read(tmp_path)) == (0, 100, 0, 98, 100)


def test_rows_that_are_gathered_twice_are_read_once(tmp_path):
    m = Model(x=[2, 10])
    m.node("Gather", ["x", m.value("at", 0, 3, 4, 9, 3)], "y", axis=1)
    assert counts(m.read(tmp_path)) == (0, 8, 0, 10, 8)


@pytest.mark.parametrize("shape", [(1, 4, 9, 9), (2, 3, 8, 7)])
def test_a_slice_of_a_resized_map_reads_what_lies_there(shape, tmp_path):
    m = Model(x=list(shape))
    sizes = m.value("sizes", *shape[:2], shape[2] + 5, 2 * shape[3])
    y = m.node("Resize", ["x", "", "", sizes], "wide")
    y = m.node("Slice", [y, m.value("s", 1), m.value("e", 4), m.value("a", 2)], "rows")
    m.node("Softmax", [y], "y")
    net = m.read(tmp_path)
    assert sum(e.elements for e in net.inputs_of[-1]) == net.layers[-1].input_elements
    assert net.layers[-1].output_elements == shape[0] * shape[1] * 3 * 2 * shape[3]


@pytest.mark.parametrize("shape", [(4,), (5, 4), (1, 4)])
def test_a_bias_that_is_data_is_added(shape, tmp_path):
    m = Model(x=[5, 8], c=list(shape))
    m.node("Gemm", ["x", m.weight("w", 8, 4), "c"], "y")
    net = m.read(tmp_path)
    size = 4 if len(shape) == 1 or shape[0] == 1 else 20
    assert net.names == ("y", "y.bias")
    assert net.macs == 160
    assert net.layers[1].input_elements + net.layers[1].weight_elements == 20 + size
    assert net.input_elements == 40 + size
    m = Model(x=[1, 8, 6, 6], b=[4])
    m.node("Conv", ["x", m.weight("w", 4, 8, 1, 1), "b"], "y")
    assert m.read(tmp_path).layers[1] == Layer.scale(C=4, P=6, Q=6)


def test_a_fused_residual_is_read(tmp_path):
    m = Model(x=[1, 4, 6, 6], z=[1, 8, 6, 6])
    m.node("FusedConv", ["x", m.weight("w", 8, 4, 1, 1), m.weight("b", 8), "z"], "y", activation="Relu", **MS)
    net = microsoft(tmp_path, m, "y", shape=[1, 8, 6, 6])
    assert counts(net) == (8 * 4 * 36, 144 + 2 * 288, 32, 2 * 288, 144 + 288)
    assert net.params == 40


def test_strides_skip_what_they_do_not_read(tmp_path):
    m = Model(x=[1, 8, 14, 14])
    y = m.node("Conv", ["x", m.weight("w", 16, 8, 1, 1)], "a", strides=[2, 2])
    m.node("MaxPool", [y], "y", kernel_shape=[2, 2], strides=[3, 3])
    net = m.read(tmp_path)
    assert [e.elements for e in net.edges] == [x.input_elements for x in net.layers] == [8 * 49, 16 * 16]
    assert net.input_elements == 8 * 49
    assert net.selected == ()  # their windows say it
    assert [w.rows.stride for w in net.windows] == [2, 3]
    assert [net.area_read(*x) for x in zip(net.edges, net.windows)] == [49, 16]
    assert net.reads_all(net.edges[1], net.windows[1])


def test_positions_of_a_pooling_and_statistics_are_written(tmp_path):
    m = Model(x=[1, 4, 6, 6], t=[2, 5, 8])
    m.node("MaxPool", ["x"], "pool", ["values", "places"], kernel_shape=[2, 2], strides=[2, 2])
    m.node("LayerNormalization", ["t", m.weight("g", 8)], "norm", ["n", "mean", "deviation"])
    net = m.read(tmp_path, "values", "places", "n", "mean", "deviation")
    assert net.output_elements == 2 * 36 + 80 + 2 * 10
    assert counts(net)[1] == net.input_elements == 144 + 80
    assert net.params == 8


def test_factors_of_a_normalisation_that_are_data_are_read(tmp_path):
    m = Model(x=[1, 4, 6, 6], s=[4], b=[4])
    m.node("GroupNormalization", ["x", "s", "b"], "y", num_groups=2)
    assert counts(m.read(tmp_path, opset=21)) == (0, 152, 0, 144, 152)


def test_deformable_convolution_samples_first(tmp_path):
    m = Model(x=[1, 8, 16, 16], o=[1, 18, 16, 16])
    m.node("DeformConv", ["x", m.weight("w", 4, 8, 3, 3), "o"], "y", pads=[1] * 4)
    net = m.read(tmp_path, opset=19)
    columns = 8 * 9 * 256
    assert counts(net) == (4 * columns, 8 * 256 + 18 * 256 + columns, 4 * 72, columns + 4 * 256, 26 * 256)
    assert net.layers[-1] == Layer.conv2d(K=4, C=72, P=16, Q=16)


@pytest.mark.parametrize("last", [0, 1])
@pytest.mark.parametrize("way", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize(("op", "gates"), [("LSTM", 4), ("GRU", 3), ("RNN", 1)])
def test_recurrent_layers_with_and_without_states(op, gates, way, last, tmp_path):
    steps, batch, width, hidden, ways = 5, 2, 3, 4, 1 + (way == "bidirectional")
    state = [batch, ways, hidden] if last else [ways, batch, hidden]
    weights = steps * batch * width + batch  # inputs and lengths
    for given in (False, True):
        m = Model(
            x=[batch, steps, width] if last else [steps, batch, width], lengths=[batch], h=state, c=state
        )
        names = ["x", m.weight("w", ways, gates * hidden, width), m.weight("r", ways, gates * hidden, hidden)]
        names += ["", "lengths", *(["h", *(["c"] if op == "LSTM" else [])] if given else [])]
        m.node(op, names, op, ["y"], hidden_size=hidden, direction=way, layout=last)
        first = m.node("Gather", ["y", m.value("at", 0)], "first", axis=last)
        m.node("MatMul", [first, m.weight("v", hidden, 2)], "out")
        net = m.read(tmp_path)
        states = ways * batch * hidden * (1 + (op == "LSTM")) * given
        assert net.input_elements == weights + states
        assert (
            net.macs == ways * steps * batch * gates * hidden * (width + hidden) + ways * batch * hidden * 2
        )
        assert load_network(net.to_dict()) == net
        makers = {net.names[e.producer] for e in net.inputs_of[-1]}
        base = f"{op}.way0" if ways > 1 else op
        ends = {f"{base}.gates{0 if way != 'reverse' else steps - 1}"}
        assert makers == ends | ({f"{op}.way1.gates{steps - 1}"} if ways > 1 else set())
    step = net.names.index(f"{base}.step0")
    assert [e.elements for e in net.inputs_of[step]] == [batch * hidden]
    assert evaluate("example", net, mapper="template").latency_cycles > 0


def test_a_first_step_reads_nothing(tmp_path):
    m = Model(x=[2, 1, 3])
    m.node("RNN", ["x", m.weight("w", 1, 4, 3), m.weight("r", 1, 4, 4)], "y", hidden_size=4)
    net = m.read(tmp_path)
    step = net.names.index("y.step0")
    assert net.inputs_of[step] == ()
    assert net.to_dict()["layers"][step]["inputs"] == "nothing"
    assert evaluate("edgetpu", net, mapper="template").latency_cycles > 0


def test_fused_attention_reads_its_past(tmp_path):
    m = Model(x=[1, 2, 32], past=[2, 1, 4, 10, 8])
    m.node(
        "Attention",
        ["x", m.weight("w", 32, 96), m.weight("b", 96), "", "past"],
        "a",
        ["y", "present"],
        num_heads=4,
        **MS,
    )
    m.node("Slice", ["present", m.value("s", 1), m.value("e", 2)], "values")
    m.node("Softmax", ["values"], "z")
    net = microsoft(tmp_path, m, "y", "z")
    assert net.macs == 2 * 32 * 96 + 2 * 4 * 2 * 12 * 8
    assert net.input_elements == 64 + 640
    assert net.layers[-1].input_elements == 4 * 12 * 8


def test_packed_factors_of_attention(tmp_path):
    m = Model(q=[1, 5, 4, 3, 8], r=[1, 6, 32], kv=[1, 7, 4, 2, 8])
    m.node("MultiHeadAttention", ["q"], "packed", num_heads=4, **MS)
    m.node("MultiHeadAttention", ["r", "kv", "", m.weight("b", 96)], "pair", num_heads=4, **MS)
    net = microsoft(tmp_path, m, "packed", "pair")
    assert net.macs == 2 * 4 * 5 * 5 * 8 + 2 * 4 * 6 * 7 * 8
    assert net.input_elements == 480 + 192 + 448
    assert net.params == 96
    assert [(x.P, x.K, x.C) for x in net.layers if x.op == "gemm"] == [
        (5, 5, 8),
        (5, 8, 5),
        (6, 7, 8),
        (6, 8, 7),
    ]


def test_quantised_gemm_of_runtimes(tmp_path):
    m = Model(x=[5, 8])
    w, s = m.weight("w", 4, 8), m.scalar("s", 0.1)
    m.node("QGemm", ["x", s, "", w, s, "", m.weight("b", 4), s], "y", transB=1, **MS)
    net = microsoft(tmp_path, m, "y", shape=[5, 4])
    assert net.layers == (Layer(N=5, K=4, C=8, op="gemm"),)
    assert net.params == 36


def test_operators_of_the_first_opset(tmp_path):
    m = Model(x=[1, 3, 6, 6])
    y = m.node("Conv", ["x", m.weight("w", 4, 3, 3, 3)], "a")
    y = m.node("Add", [y, m.weight("b", 4)], "c", broadcast=1, axis=1)
    y = m.node("Reshape", [m.node("Dropout", [y], "d", ratio=0.5)], "e", shape=[0, -1])
    m.node("Gemm", [y, m.weight("g", 64, 10), m.weight("gb", 10)], "y", broadcast=1)
    net = m.read(tmp_path, opset=1)
    assert net.layers == (Layer.conv2d(K=4, C=3, P=4, Q=4, R=3, S=3), Layer(N=1, K=10, C=64, op="gemm"))


def test_phases_of_a_dilated_transposed_convolution_read_the_image_once(tmp_path):
    """Those at the borders read rows that do not lie at even distances."""
    m = Model(x=[1, 1, 3, 5])
    window = {"strides": [1, 1], "dilations": [1, 3], "pads": [0, 0, 0, 1]}
    m.node("ConvTranspose", ["x", m.weight("w", 1, 2, 1, 2)], "y", **window)
    assert m.read(tmp_path).input_elements == 15


def test_a_known_condition_says_what_a_compress_keeps(tmp_path):
    m = Model(x=[4, 8])
    m.constants.append(numpy_helper.from_array(np.array([True, False, True]), "c"))
    m.node("Compress", ["x", "c"], "y", axis=0)
    assert m.read(tmp_path).output_elements == 2 * 8


def test_a_norm_that_onnxruntime_writes_into_the_standards_domain(tmp_path):
    m = Model(x=[4, 8])
    m.node("SimplifiedLayerNormalization", ["x", m.weight("s", 8)], "y", axis=-1, epsilon=1e-6)
    net = m.read(tmp_path)
    assert (net.params, net.output_elements) == (8, 32)


def test_a_fused_sum_and_group_norm_reads_both_summands(tmp_path):
    m = Model(x=[1, 6, 6, 8], z=[1, 6, 6, 8])
    names = ["x", m.weight("g", 8), m.weight("b", 8), "z"]
    m.node("SkipGroupNorm", names, "n", ["y", "sum"], groups=2, channels_last=1, **MS)
    net = microsoft(tmp_path, m, "y", "sum", shape=[1, 6, 6, 8])
    assert counts(net) == (0, 2 * 288, 0, 2 * 288, 2 * 288)
    assert net.params == 16


def test_phases_that_no_tap_reaches_cost_no_time(tmp_path):
    m = Model(x=[1, 1, 4, 4])
    m.node("ConvTranspose", ["x", m.weight("w", 1, 1, 2, 2)], "y", strides=[100_000, 100_000])
    net = m.read(tmp_path)
    assert net.macs == 16 * 4


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"hidden_size": 5}, "hidden_size is 5, but R has states of 4"),
        ({"direction": "sideways"}, "direction must be forward or reverse"),
        ({"direction": "bidirectional"}, "but is 'bidirectional' with 1"),
    ],
)
def test_recurrent_layers_that_contradict_themselves(attributes, message, tmp_path):
    m = Model(x=[3, 1, 2])
    m.node("GRU", ["x", m.weight("w", 1, 12, 2), m.weight("r", 1, 12, 4)], "y", **attributes)
    with pytest.raises(AccelsimError, match=message):
        m.read(tmp_path)


def test_a_strange_name_of_an_operator_stays_on_one_line(tmp_path):
    m = Model(x=[2, 3])
    m.node("Ma\nde", ["x"], "y")
    with pytest.raises(AccelsimError, match=r"1 Ma\\nde"):
        m.read(tmp_path)
