"""Single operators and small patterns read from ONNX, against the layers that they must become."""

import pytest

pytest.importorskip("onnx")

from onnx import TensorProto, helper

from accelsim.errors import AccelsimError
from accelsim.workloads import Layer, NetworkBuilder, load_network
from accelsim.workloads.network import INPUT, Edge

FLOAT, INT = TensorProto.FLOAT, TensorProto.INT64
KINDS = {"ids": INT, "lengths": TensorProto.INT32, "flag": TensorProto.BOOL, "text": TensorProto.STRING}
"""Element types of inputs by name, where not FLOAT."""


class Model:
    """Writes a model node by node: every node's output carries its name."""

    def __init__(self, **inputs):
        self.inputs = [
            helper.make_tensor_value_info(name, KINDS.get(name, FLOAT), shape)
            for name, shape in inputs.items()
        ]
        self.nodes, self.constants = [], []

    def weight(self, name, *dims):
        self.constants.append(TensorProto(name=name, data_type=FLOAT, dims=dims))
        return name

    def value(self, name, *values):
        self.constants.append(helper.make_tensor(name, INT, [len(values)], values))
        return name

    def scalar(self, name, value, kind=FLOAT):
        self.constants.append(helper.make_tensor(name, kind, [], [value]))
        return name

    def node(self, op, inputs, name, outputs=None, **attributes):
        self.nodes.append(helper.make_node(op, inputs, outputs or [name], name=name, **attributes))
        return name

    def read(self, tmp_path, *outputs, opset=17, **arguments):
        import onnx

        graph = helper.make_graph(
            self.nodes,
            "g",
            self.inputs,
            [onnx.ValueInfoProto(name=x) for x in outputs or (self.nodes[-1].output[0],)],
            self.constants,
        )
        path = tmp_path / "m.onnx"
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)]), path)
        return load_network(path, **arguments)


@pytest.mark.parametrize(
    ("attributes", "weights", "layer"),
    [
        ({"strides": [2, 1], "pads": [1, 0, 2, 1]}, (16, 8, 3, 5),
         Layer.conv2d(K=16, C=8, P=6, Q=9, R=3, S=5, stride=(2, 1))),
        ({"auto_pad": "SAME_UPPER", "strides": [2, 2]}, (16, 8, 3, 3),
         Layer.conv2d(K=16, C=8, P=5, Q=6, R=3, S=3, stride=2)),
        ({"auto_pad": "VALID"}, (16, 8, 3, 3), Layer.conv2d(K=16, C=8, P=8, Q=10, R=3, S=3)),
        ({"dilations": [2, 3]}, (16, 8, 3, 3), Layer.conv2d(K=16, C=8, P=6, Q=6, R=3, S=3, dilation=(2, 3))),
        ({"group": 8}, (16, 1, 1, 1), Layer.conv2d(G=8, K=2, C=1, P=10, Q=12)),
        ({"group": 2}, (16, 4, 1, 1), Layer.conv2d(G=2, K=8, C=4, P=10, Q=12)),
    ],
    ids=["pads", "same_upper", "valid", "dilation", "depthwise", "groups"],
)  # fmt: skip
def test_convolution(attributes, weights, layer, tmp_path):
    m = Model(x=[1, 8, 10, 12])
    m.node("Conv", ["x", m.weight("w", *weights), m.weight("b", 16)], "conv", **attributes)
    net = m.read(tmp_path)
    assert net.layers == (layer,)
    assert net.edges == (Edge(INPUT, 0, 960),)
    assert net.weights == layer.weight_elements
    assert net.params == net.weights + 16


def test_one_dimensional_convolution(tmp_path):
    m = Model(x=[2, 8, 20])
    m.node("Conv", ["x", m.weight("w", 16, 8, 5)], "conv", strides=[2])
    assert m.read(tmp_path).layers == (Layer.conv2d(N=2, K=16, C=8, P=8, Q=1, R=5, stride=(2, 1)),)


def test_transposed_convolution(tmp_path):
    m = Model(x=[1, 8, 10, 12])
    m.node(
        "ConvTranspose", ["x", m.weight("w", 8, 2, 4, 4)], "up", strides=[2, 2], pads=[1, 1, 1, 1], group=2
    )
    net = m.read(tmp_path)
    assert net.layers == (Layer.transposed(K=2, C=4, P_in=10, Q_in=12, R=4, S=4, G=2),)
    assert net.weights == 8 * 2 * 16


def test_gemm_orders(tmp_path):
    m = Model(x=[5, 6], y=[6, 5])
    m.node("Gemm", ["x", m.weight("w", 6, 7)], "a")
    m.node("Gemm", ["y", m.weight("v", 7, 6)], "b", transA=1, transB=1)
    m.node("Gemm", [m.weight("u", 3, 5), "x"], "c")
    net = m.read(tmp_path, "a", "b", "c")
    assert net.layers[0] == net.layers[1] == Layer(N=5, K=7, C=6, op="gemm")
    assert net.layers[2].macs == 3 * 5 * 6
    assert net.weights == 42 + 42 + 15


def test_matrix_products(tmp_path):
    m = Model(x=[2, 10, 64], y=[2, 64, 10])
    m.node("MatMul", ["x", m.weight("w", 64, 32)], "weights")
    m.node("MatMul", ["x", "y"], "activations")
    m.node("MatMul", [m.weight("v", 7, 64), "y"], "left")
    m.node("MatMul", ["x", m.weight("u", 2, 64, 3)], "batched")
    net = m.read(tmp_path, "weights", "activations", "left", "batched")
    assert net.layers[0] == Layer(N=2, K=32, C=64, P=10, op="gemm")
    assert net.layers[1] == Layer.gemm(M=10, N=10, K=64, batch=2)
    assert net.inputs_of[1][1] == Edge(INPUT, 1, 1280, "W")
    assert net.layers[2].macs == 2 * 7 * 64 * 10
    assert net.layers[3] == Layer.gemm(M=10, N=3, K=64, batch=2)
    assert net.weights_of == (64 * 32, 0, 7 * 64, 2 * 64 * 3)


def test_attention_block_equals_the_builders(tmp_path):
    tokens, width, heads = 10, 64, 4
    m = Model(x=["N", tokens, width])
    m.value("split", 0, tokens, heads, width // heads)
    m.value("join", 0, tokens, width)
    for part in "qkv":
        y = m.node("MatMul", ["x", m.weight(f"w{part}", width, width)], part)
        y = m.node("Add", [y, m.weight(f"b{part}", width)], f"{part}_bias")
        y = m.node("Reshape", [y, "split"], f"{part}_heads")
        m.node("Transpose", [y], f"{part}_t", perm=[0, 2, 3, 1] if part == "k" else [0, 2, 1, 3])
    y = m.node("MatMul", ["q_t", "k_t"], "scores")
    y = m.node("Mul", [y, m.scalar("scale", 0.25)], "scaled")
    y = m.node("Softmax", [y], "softmax")
    y = m.node("MatMul", [y, "v_t"], "context")
    y = m.node("Reshape", [m.node("Transpose", [y], "c_t", perm=[0, 2, 1, 3]), "join"], "joined")
    y = m.node("MatMul", [y, m.weight("wo", width, width)], "out")
    y = m.node("Add", [m.weight("bo", width), y], "out_bias")
    y = m.node("Add", [y, "x"], "residual")
    m.node("LayerNormalization", [y, m.weight("gamma", width), m.weight("beta", width)], "norm")
    net = m.read(tmp_path, batch=3)

    b = NetworkBuilder("b", width, tokens, 1, batch=3)
    q, k, v = (b.linear(b.input, width, name=n) for n in "qkv")
    y = b.matmul(q, k, groups=heads, M=tokens, N=tokens, K=width // heads, name="scores")
    y = b.matmul(
        b.eltwise(y, name="softmax"), v, groups=heads, M=tokens, N=width // heads, K=tokens, name="context"
    )
    y = b.add(b.linear(y, width, name="out"), b.input, name="residual")
    b.eltwise(y, params=2 * width, name="norm")
    built = b.build()
    assert net.names == built.names
    assert net.edges == built.edges
    assert net.params_of == built.params_of
    softmax = net.names.index("softmax")
    assert net.layers[softmax].output_elements == built.layers[softmax].output_elements
    assert [x for i, x in enumerate(net.layers) if i != softmax] == [
        x for i, x in enumerate(built.layers) if i != softmax
    ]
    assert net.notes == ("4 Transpose taken as views, moving no data",)


def test_sizes_computed_in_the_graph(tmp_path):
    # What torch exports for x.view(x.size(0), -1)
    m = Model(x=["N", 8, 4, 4])
    y = m.node("Conv", ["x", m.weight("w", 8, 8, 1, 1)], "conv")
    m.node("Shape", [y], "shape")
    m.node("Gather", ["shape", m.scalar("zero", 0, INT)], "first", axis=0)
    m.node("Unsqueeze", ["first", m.value("axes", 0)], "first_1d")
    m.node("Concat", ["first_1d", m.value("rest", -1)], "target", axis=0)
    y = m.node("Reshape", [y, "target"], "flat")
    m.node("Gemm", [y, m.weight("fc", 10, 128)], "out", transB=1)
    net = m.read(tmp_path, batch=5)
    assert net.names == ("conv", "out")
    assert net.layers[1] == Layer(N=5, K=10, C=128, op="gemm")
    assert net.batch == 5


def test_what_is_fused_costs_nothing(tmp_path):
    m = Model(x=[1, 8, 4, 4])
    y = m.node("Conv", ["x", m.weight("w", 8, 8, 1, 1)], "conv")
    y = m.node("BatchNormalization", [y, *(m.weight(f"bn{i}", 8) for i in range(4))], "bn")
    y = m.node("Mul", [y, m.node("Sigmoid", [y], "gate")], "swish")
    y = m.node("Add", [y, m.weight("shift", 8, 1, 1)], "shifted")
    y = m.node("PRelu", [y, m.weight("slope", 8, 1, 1)], "prelu")
    y = m.node("Dropout", [y], "dropout")
    m.node("Clip", [y, m.scalar("low", 0.0), m.scalar("high", 6.0)], "clip")
    net = m.read(tmp_path)
    assert net.names == ("conv",)
    assert net.params == 64 + 16 + 8 + 8


def test_position_embedding_and_class_token(tmp_path):
    m = Model(ids=[2, 9])
    y = m.node("Gather", [m.weight("table", 100, 16), "ids"], "words", axis=0)
    m.node("Expand", [m.weight("class", 1, 1, 16), m.value("two", 2, 1, 16)], "token")
    y = m.node("Concat", ["token", y], "sequence", axis=1)
    m.node("Add", [y, m.weight("positions", 1, 10, 16)], "sum")
    net = m.read(tmp_path)
    assert net.names == ("words", "sum")
    assert net.edges == (Edge(INPUT, 0, 18), Edge(0, 1, 288))
    assert net.layers[1] == Layer(N=2, G=160, op="broadcast")  # each position once, whatever the batch
    assert net.params == 1600 + 16 + 160  # the token once, however often the batch repeats it
    assert net.weights == 160


def test_pools_reductions_and_resizing(tmp_path):
    m = Model(x=[1, 8, 9, 9])
    m.node("MaxPool", ["x"], "max", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)
    m.node("AveragePool", ["x"], "average", kernel_shape=[3, 3], auto_pad="SAME_UPPER", strides=[3, 3])
    m.node("ReduceMean", ["x"], "mean", axes=[2, 3], keepdims=0)
    m.node("ReduceMean", ["x"], "rows", axes=[3])
    y = m.node("Resize", ["x", "", "", m.value("sizes", 1, 8, 18, 18)], "resize")
    m.node("Slice", [y, m.value("s", 0), m.value("e", 6), m.value("a", 2)], "slice")
    m.node("LRN", ["slice"], "lrn", size=5)
    net = m.read(tmp_path, "max", "average", "mean", "rows", "lrn")
    assert net.layers == (
        Layer.pool(C=8, P=4, Q=4, R=3, S=3, stride=2),
        Layer.pool(C=8, P=3, Q=3, R=3, S=3, stride=3),
        Layer.pool(C=8, P=1, Q=1, R=9, S=9),
        Layer.pool(C=72, P=1, Q=1, R=9, S=1),
        Layer(G=8, K=4, P=9, Q=9, op="eltwise"),  # each element read once, four results of it
        Layer.eltwise(C=8, P=6, Q=18, operands=1),
    )
    assert net.edges[-1] == Edge(4, 5, 8 * 6 * 18)


def test_split_and_concatenate(tmp_path):
    m = Model(x=[1, 8, 4, 4])
    y = m.node("Conv", ["x", m.weight("w", 12, 8, 1, 1)], "conv")
    m.node("Split", [y, m.value("parts", 4, 8)], "split", outputs=["small", "large"], axis=1)
    m.node("Conv", ["small", m.weight("v", 3, 4, 1, 1)], "branch")
    y = m.node("Concat", ["branch", "large"], "joined", axis=1)
    m.node("Conv", [y, m.weight("u", 2, 11, 1, 1)], "last")
    net = m.read(tmp_path)
    assert net.edges == (Edge(INPUT, 0, 128), Edge(0, 1, 64), Edge(1, 2, 48), Edge(0, 2, 128))


def test_quantised_operators(tmp_path):
    m = Model(x=[1, 8, 4, 4])
    scale, zero = m.scalar("scale", 0.1), m.scalar("zero", 0, TensorProto.INT8)
    x = m.node("QuantizeLinear", ["x", scale, zero], "q")
    m.constants.append(TensorProto(name="w", data_type=TensorProto.INT8, dims=[16, 8, 1, 1]))
    m.constants.append(TensorProto(name="b", data_type=TensorProto.INT32, dims=[16]))
    y = m.node("QLinearConv", [x, scale, zero, "w", scale, zero, scale, zero, "b"], "conv")
    y = m.node("DequantizeLinear", [y, scale, zero], "dq")
    w = m.node("DequantizeLinear", ["w", scale, zero], "dqw")
    m.node("Conv", ["x", w], "simulated")
    net = m.read(tmp_path, "dq", "simulated")
    assert net.layers == (
        Layer.conv2d(K=16, C=8, P=4, Q=4, bits=(8, 8, 8)),
        Layer.conv2d(K=16, C=8, P=4, Q=4, bits=(8, None, None)),
    )
    assert net.params_of[0] == 128 + 16


def conv_model(shape):
    m = Model(x=shape)
    m.node("Conv", ["x", m.weight("w", 8, 8, 3, 3)], "conv")
    return m


BAD = [
    (conv_model([1, 8, "H", "W"]), {}, r"input 'x': axis 2 is symbolic \(H\); give resolution="),
    (conv_model(["N", 8, 9, 9]), {"resolution": 8}, "axis 2 is fixed at 9, so resolution cannot make it 8"),
    (conv_model([1, 8, 9, 9]), {"batch": 2}, "axis 0 is fixed at 1, so batch cannot make it 2"),
    (conv_model(["N", 8, 9, 9]), {"batch": 0}, "batch must be a whole number from 1"),
    (conv_model(["N", 8, "H", "W"]), {"resolution": 0}, "resolution must be a whole number from 1"),
    (conv_model([1, 8, "H", "W"]), {"resolution": 2}, r"node 'conv' \(Conv\)|shape inference failed"),
    (conv_model([1, 7, 9, 9]), {}, r"7 input channels do not fit weights for 8|shape inference failed"),
    (conv_model([1, 8, 9, 9, 9]), {}, r"node 'conv' .*: weights of shape \[8, 8, 3, 3\] do not fit"),
    (conv_model(None), {}, "input 'x' must be a tensor with a shape"),
]


@pytest.mark.parametrize(("model", "arguments", "message"), BAD, ids=[m[2][:40] for m in BAD])
def test_bad_sizes(model, arguments, message, tmp_path):
    with pytest.raises(AccelsimError, match=message) as caught:
        model.read(tmp_path, **arguments)
    assert str(caught.value).startswith(f"{tmp_path}")


@pytest.mark.parametrize(
    ("op", "weights", "attributes", "message"),
    [
        ("Conv", (16, 8, 3, 3), {"kernel_shape": [5, 5]}, "kernel_shape is [5, 5], but the weights of shape"),
        ("Conv", (16, 8, 3, 3), {"kernel_shape": [3]}, "kernel_shape is [3], but the weights of shape"),
        ("ConvTranspose", (8, 2, 4, 4), {"kernel_shape": [3, 3]}, "kernel_shape is [3, 3], but the weights"),
        ("Conv", (16, 8, 3, 3), {"auto_pad": "SAME_UPER"}, "auto_pad: unknown word 'SAME_UPER'; known: "
         "NOTSET, SAME_LOWER, SAME_UPPER, VALID"),
        ("ConvTranspose", (8, 2, 4, 4), {"auto_pad": "SAME"}, "auto_pad: unknown word"),
        ("MaxPool", None, {"kernel_shape": [3, 3], "auto_pad": "same_upper"}, "auto_pad: unknown word"),
        ("Conv", (16, 8, 3, 3), {"strides": [1, 1, 1]}, "strides must be 2 whole numbers of at least 1, but "
         "got [1, 1, 1]"),
        ("Conv", (16, 8, 3, 3), {"strides": [2]}, "strides must be 2 whole numbers of at least 1, but got"),
        ("Conv", (16, 8, 3, 3), {"strides": [0, 1]}, "strides must be 2 whole numbers of at least 1"),
        ("Conv", (16, 8, 3, 3), {"strides": 2}, "attribute strides must be of type INTS, but is INT"),
        ("Conv", (16, 8, 3, 3), {"dilations": [1, -1]}, "dilations must be 2 whole numbers of at least 1"),
        ("Conv", (16, 8, 3, 3), {"pads": [1, 1]}, "pads must be 4 whole numbers of at least 0, but got"),
        ("ConvTranspose", (8, 2, 4, 4), {"strides": [2, 2, 2]}, "strides must be 2 whole numbers"),
        ("Conv", (16, 8, 3), {}, "weights of shape [16, 8, 3] do not fit an input of shape [1, 8, 10, 12]"),
        ("MaxPool", None, {}, "Required attribute 'kernel_shape' is missing"),
        ("MaxPool", None, {"kernel_shape": [3]}, "kernel_shape must be 2 whole numbers of at least 1"),
        ("AveragePool", None, {"kernel_shape": [0, 3]}, "kernel_shape must be 2 whole numbers of at least 1"),
        ("MaxPool", None, {"kernel_shape": [3, 3], "strides": [0, 1]}, "strides must be 2 whole numbers"),
        ("MaxPool", None, {"kernel_shape": [3, 3], "dilations": [1]}, "dilations must be 2 whole numbers"),
        ("Conv", None, {}, "input 2, W, is missing"),
        ("ConvTranspose", None, {}, "input 2, W, is missing"),
        ("Gemm", None, {}, "input 2, B, is missing"),
    ],
)  # fmt: skip
def test_windows_that_contradict_themselves(op, weights, attributes, message, tmp_path):
    m = Model(x=[1, 8, 10, 12])
    m.node(op, ["x", m.weight("w", *weights)] if weights else ["x"], "odd", **attributes)
    with pytest.raises(AccelsimError) as caught:
        m.read(tmp_path)
    assert f"node 'odd' ({op}): {message}" in str(caught.value)


def test_weight_input_left_empty(tmp_path):
    m = Model(x=[1, 8, 10, 12])
    m.node("Conv", ["x", "", m.weight("b", 8)], "odd")
    with pytest.raises(AccelsimError, match=r"node 'odd' \(Conv\): input 2, W, is missing"):
        m.read(tmp_path)


@pytest.mark.parametrize("op", ["Add", "Mul", "Sum"])
@pytest.mark.parametrize("shape", [(1, 8, 10, 11), (7, 1, 1), (8,)])
def test_shapes_that_do_not_broadcast(op, shape, tmp_path):
    m = Model(x=[1, 8, 10, 12], y=list(shape))
    m.node(op, ["x", "y"], "activation")
    with pytest.raises(AccelsimError, match=r"'activation' .*: shapes \[1, 8, 10, 12\] and .* broadcast"):
        m.read(tmp_path)
    m = Model(x=[1, 8, 10, 12])
    m.node(op, ["x", m.weight("w", *shape)], "constant")
    with pytest.raises(AccelsimError, match=r"'constant' .*: shapes \[1, 8, 10, 12\] and .* broadcast"):
        m.read(tmp_path)


def test_old_broadcasting_at_an_axis(tmp_path):
    m = Model(x=[1, 8, 10, 12])
    y = m.node("Conv", ["x", m.weight("w", 8, 8, 1, 1)], "conv")
    m.node("Add", [y, m.weight("b", 8)], "bias", broadcast=1, axis=1)
    assert m.read(tmp_path, opset=6).params == 64 + 8


def test_resolution_of_a_sequence(tmp_path):
    m = Model(x=["N", "T", 16])
    m.node("MatMul", ["x", m.weight("w", 16, 4)], "y")
    assert m.read(tmp_path, resolution=7).layers == (Layer(K=4, C=16, P=7, op="gemm"),)
    with pytest.raises(AccelsimError, match="has 3 axes: resolution must be one number"):
        m.read(tmp_path, resolution=(7, 7))


@pytest.mark.parametrize(
    ("op", "inputs", "message"),
    [
        ("StringSplit", ["text"], "1 StringSplit"),
        ("Convv", ["x", "x"], r"1 Convv \(did you mean 'Conv'\?\); --allow-unknown prices"),
    ],
)
def test_unknown_operators_are_named(op, inputs, message, tmp_path):
    m = Model(x=[1, 8, 4, 4], text=[2])
    m.node(op, inputs, "odd", ["odd", "count"])
    with pytest.raises(AccelsimError, match=f"operators not supported: {message}"):
        m.read(tmp_path)


def test_all_unknown_operators_are_named_at_once(tmp_path):
    m = Model(x=[1, 8, 4, 4])
    y = m.node("Fancy", ["x"], "odd", domain="my.own")
    y = m.node("Convv", [m.node("Convv", [y], "one")], "two")
    m.node("MatMull", [y, y], "three", domain="com.microsoft")
    with pytest.raises(AccelsimError) as caught:
        m.read(tmp_path)
    assert (
        "operators not supported: 2 Convv (did you mean 'Conv'?), 1 com.microsoft.MatMull (did you mean "
        "'MatMulNBits'?), 1 my.own.Fancy; --allow-unknown prices them" in str(caught.value)
    )
    net = m.read(tmp_path, allow_unknown=True)
    assert [x.output_elements for x in net.layers] == [128] * 4
    assert net.notes[0] == "2 Convv not known, estimated as element-wise: 50.0 % of all elements made"


def test_models_without_content(tmp_path):
    with pytest.raises(AccelsimError, match="no operators"):
        Model(x=[1, 8]).read(tmp_path, "x")
    m = Model(x=[1, 8])
    m.node("Relu", ["x"], "y")
    with pytest.raises(AccelsimError, match="no operators that compute or move data"):
        m.read(tmp_path)
