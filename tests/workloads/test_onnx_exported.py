"""Graphs as exporters write them; MACs, and words of inputs, weights and results, counted by hand.

The onnx package's reference evaluator runs each, where it can, so that none is a graph that nobody could run.
"""

import numpy as np
import pytest

pytest.importorskip("onnx")

import onnx
import onnx.inliner
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from accelsim import load_network

INT, INT8, BIG = np.int64, np.int8, 2**62
CASES = {}


def node(op, inputs, outputs, **attributes):
    return helper.make_node(op, inputs.split(" "), outputs.split(" "), **attributes)


def case(name, nodes, inputs, outputs, constants, counts, opset=17, **more):
    CASES[name] = (nodes, inputs, outputs, constants, counts, opset, more)


def tensor(name, value):
    if isinstance(value, tuple):  # sizes, and perhaps a type
        kind = value[-1] if isinstance(value[-1], type) else np.float32
        value = np.ones([n for n in value if isinstance(n, int)], kind)
    elif isinstance(value, (list, int)):
        value = np.array(value, INT)
    elif isinstance(value, float):
        value = np.array(value, np.float32)
    return numpy_helper.from_array(np.asarray(value), name)


def build(nodes, inputs, outputs, constants, opset, more):
    known = [
        helper.make_tensor_value_info(x, TensorProto.INT64 if x.startswith("ids") else 1, shape)
        for x, shape in inputs.items()
    ]
    results = [onnx.ValueInfoProto(name=x) for x in outputs.split()]
    weights = [tensor(*x) for x in constants.items()]
    imports = [
        helper.make_opsetid("", opset),
        *(helper.make_opsetid(x.domain, 1) for x in more.get("functions", ())),
    ]
    graph = helper.make_graph(nodes, "g", known, results, weights)
    return helper.make_model(graph, opset_imports=imports, functions=more.get("functions", ()))


# counts: MACs, words of inputs, of weights, of results; `given` are words of results that are inputs
case("a residual block with a projection", [
    node("Conv", "x w1 b", "a", strides=[2, 2], pads=[1] * 4), node("Relu", "a", "ar"),
    node("Conv", "ar w2 b", "c", pads=[1] * 4), node("Conv", "x wd b", "d", strides=[2, 2]),
    node("Add", "c d", "s"), node("Relu", "s", "y"),
], {"x": ["batch", 16, 20, 20]}, "y", {"w1": (32, 16, 3, 3), "b": (32,), "w2": (32, 32, 3, 3),
    "wd": (32, 16, 1, 1)},
    (2 * 100 * (32 * 16 * 9 + 32 * 32 * 9 + 32 * 16), 2 * 16 * 400, 32 * 16 * 10 + 32 * 32 * 9, 2 * 32 * 100),
    dims={"batch": 2})  # fmt: skip
case("channels last, as Keras has them", [
    node("Transpose", "x", "t", perm=[0, 3, 1, 2]),
    node("Conv", "t w", "c", auto_pad="SAME_UPPER", strides=[2, 2]),
    node("Conv", "c dw", "e", auto_pad="SAME_UPPER", group=8), node("Transpose", "e", "u", perm=[0, 2, 3, 1]),
    node("MatMul", "u pw", "y"),
], {"x": ["n", 33, 33, 3]}, "y", {"w": (8, 3, 3, 3), "dw": (8, 1, 3, 3), "pw": (8, 5)},
    (289 * (8 * 27 + 8 * 9 + 40), 33 * 33 * 3, 8 * 27 + 72 + 40, 289 * 5))  # fmt: skip
case("quantised with a residual", [
    node("QuantizeLinear", "x s z", "q"), node("DequantizeLinear", "q s z", "d"),
    node("DequantizeLinear", "w ws", "wd", axis=0), node("Conv", "d wd", "c", pads=[1] * 4),
    node("QuantizeLinear", "c s z", "cq"), node("DequantizeLinear", "cq s z", "cd"), node("Add", "cd d", "y"),
], {"x": [1, 8, 9, 9]}, "y", {"w": (8, 8, 3, 3, INT8), "ws": (8,), "s": 0.1, "z": np.uint8(0)},
    (81 * 8 * 72, 8 * 81, 8 * 72, 8 * 81), opset=19)  # fmt: skip
case("a bidirectional LSTM and its projection", [
    node("LSTM", "x w r b", "a h c", hidden_size=10, direction="bidirectional"),
    node("Transpose", "a", "t", perm=[0, 2, 1, 3]), node("Reshape", "t s", "p"), node("MatMul", "p fc", "y"),
], {"x": [7, 3, 12]}, "y", {"w": (2, 40, 12), "r": (2, 40, 10), "b": (2, 80), "s": [0, 0, -1], "fc": (20, 6)},
    (2 * 7 * 3 * 40 * 22 + 21 * 120, 7 * 36, 2 * 40 * 22 + 120, 7 * 18))  # fmt: skip
case("shuffled groups", [
    node("Conv", "x w1", "a", group=3), node("Reshape", "a s1", "b"),
    node("Transpose", "b", "c", perm=[0, 2, 1, 3, 4]),
    node("Reshape", "c s2", "d"), node("Conv", "d w2", "e", group=24, pads=[1] * 4),
    node("Conv", "e w3", "f", group=3),
    node("Concat", "f x", "y", axis=1),
], {"x": [1, 12, 8, 8]}, "y", {"w1": (24, 4, 1, 1), "s1": [1, 3, 8, 8, 8], "s2": [1, 24, 8, 8],
    "w2": (24, 1, 3, 3),
                              "w3": (12, 8, 1, 1)},
    (64 * (96 + 216 + 96), 12 * 64, 96 + 216 + 96, 12 * 64), given=12 * 64)  # fmt: skip
case("a transposed convolution with output padding", [
    node("ConvTranspose", "x w", "a", strides=[2, 2], pads=[1] * 4, output_padding=[1, 1]),
    node("Conv", "a v", "y"),
], {"x": [1, 6, 7, 5]}, "y", {"w": (6, 4, 3, 3), "v": (2, 4, 1, 1)},
    (6 * 4 * (7 + 14) * (5 + 10) + 140 * 8, 210, 6 * 36 + 8, 280))  # fmt: skip
case("grouped heads with a cache", [
    node("MatMul", "x wq", "q0"), node("Reshape", "q0 sq", "q1"),
    node("Transpose", "q1", "q", perm=[0, 2, 1, 3]),
    node("MatMul", "x wk", "k0"), node("Reshape", "k0 sk", "k1"),
    node("Transpose", "k1", "k2", perm=[0, 2, 1, 3]),
    node("Concat", "past k2", "k", axis=2), node("Unsqueeze", "k two", "k5"), node("Expand", "k5 wide", "ke"),
    node("Reshape", "ke all", "kr"), node("Transpose", "kr", "kt", perm=[0, 1, 3, 2]),
    node("MatMul", "q kt", "s"),
    node("Add", "s mask", "m"), node("Softmax", "m", "p", axis=-1), node("MatMul", "p kr", "y"),
], {"x": [1, 1, 32], "past": [1, 2, 15, 8], "mask": [1, 1, 1, 16]}, "y k",
    {"wq": (32, 32), "wk": (32, 16), "sq": [0, 0, 4, 8], "sk": [0, 0, 2, 8], "two": [2],
    "wide": [1, 2, 2, 16, 8],
     "all": [1, 4, 16, 8]},
    (32 * 48 + 2 * 4 * 16 * 8, 32 + 240 + 16, 32 * 48, 32 + 16), given=240)  # fmt: skip
case("attention by Einsum", [
    node("Einsum", "x wq", "q", equation="bid,dhk->bhik"),
    node("Einsum", "x wk", "k", equation="bjd,dhk->bhjk"),
    node("Einsum", "q k", "s", equation="bhik,bhjk->bhij"), node("Softmax", "s", "p"),
    node("Einsum", "p x", "y", equation="bhij,bjd->bihd"),
], {"x": [2, 5, 12]}, "y", {"wq": (12, 3, 4), "wk": (12, 3, 4)},
    (2 * 2 * 5 * 144 + 2 * 3 * 25 * 4 + 2 * 3 * 25 * 12, 120, 288, 360))  # fmt: skip
case("two of eight experts", [
    node("MatMul", "x wg", "g"), node("TopK", "g k", "v i"), node("Softmax", "v", "p"),
    node("Gather", "we i", "w"),
    node("Unsqueeze", "x one", "x3"), node("Unsqueeze", "x3 one", "x4"), node("MatMul", "x4 w", "e"),
    node("Squeeze", "e two", "e2"), node("Unsqueeze", "p last", "p3"), node("Mul", "e2 p3", "m"),
    node("ReduceSum", "m one", "y", keepdims=0),
], {"x": [1, 16]}, "y", {"wg": (16, 8), "k": [2], "we": (8, 16, 24), "one": [1], "two": [2], "last": [-1]},
    (16 * 8 + 2 * 16 * 24, 16, 128, 24))  # fmt: skip
case("rotary positions", [
    node("MatMul", "x w", "q"), node("Slice", "q zero half last", "q1"),
    node("Slice", "q half end last", "q2"),
    node("Neg", "q2", "n"), node("Concat", "n q1", "r", axis=-1), node("Mul", "q cos", "a"),
    node("Mul", "r sin", "b"),
    node("Add", "a b", "y"),
], {"x": [1, 6, 8], "cos": [6, 8], "sin": [6, 8]}, "y",
    {"w": (8, 8), "zero": [0], "half": [4], "end": [BIG], "last": [-1]}, (384, 144, 64, 48))  # fmt: skip
case("a norm in its parts", [
    node("ReduceMean", "x", "m", axes=[-1]), node("Sub", "x m", "d"), node("Pow", "d two", "d2"),
    node("ReduceMean", "d2", "v", axes=[-1]), node("Add", "v eps", "ve"), node("Sqrt", "ve", "s"),
    node("Div", "d s", "n"), node("Mul", "n g", "ng"), node("Add", "ng g", "l"), node("MatMul", "l w", "y"),
], {"x": [2, 5, 8]}, "y", {"two": 2.0, "eps": 1e-5, "g": (8,), "w": (8, 4)}, (320, 80, 32, 40))  # fmt: skip
case("a mask from lengths", [
    node("Range", "zero n one", "r"), node("Unsqueeze", "ids_len first", "l"), node("Less", "r l", "b"),
    node("Cast", "b", "m", to=1), node("Unsqueeze", "m last", "m3"), node("Mul", "x m3", "xm"),
    node("MatMul", "xm w", "y"),
], {"x": [3, 7, 8], "ids_len": [3]}, "y", {"zero": 0, "n": 7, "one": 1, "first": [1], "last": [-1],
    "w": (8, 4)},
    (672, 171, 32, 84))  # fmt: skip
case("dilation by batches, as TensorFlow has it", [
    node("Pad", "x p", "xp"), node("Reshape", "xp s1", "a"),
    node("Transpose", "a", "b", perm=[3, 5, 0, 1, 2, 4]),
    node("Reshape", "b s2", "c"), node("Conv", "c w", "d"), node("Reshape", "d s3", "f"),
    node("Transpose", "f", "g", perm=[2, 3, 4, 0, 5, 1]), node("Reshape", "g s4", "y"),
], {"x": [1, 2, 8, 8]}, "y",
    {"p": [0, 0, 2, 2, 0, 0, 2, 2], "s1": [1, 2, 6, 2, 6, 2], "s2": [4, 2, 6, 6], "w": (3, 2, 3, 3),
     "s3": [2, 2, 1, 3, 4, 4], "s4": [1, 3, 8, 8]}, (4 * 16 * 54, 128, 54, 192))  # fmt: skip
case("weights that another network makes", [
    node("Gemm", "z wz", "k0"), node("Reshape", "k0 s", "k"), node("Conv", "x k", "y", pads=[1] * 4),
], {"x": [1, 3, 8, 8], "z": [1, 5]}, "y", {"wz": (5, 108), "s": [4, 3, 3, 3]},
    (540 + 64 * 108, 197, 540, 256))  # fmt: skip
case("a pyramid", [
    node("Conv", "x a", "c3", strides=[2, 2], pads=[1] * 4),
    node("Conv", "c3 b", "c4", strides=[2, 2], pads=[1] * 4),
    node("Resize", "c4  s", "u", coordinate_transformation_mode="asymmetric", nearest_mode="floor"),
    node("Concat", "u c3", "k", axis=1), node("Conv", "k d", "y"),
], {"x": [1, 3, 16, 16]}, "y", {"a": (8, 3, 3, 3), "b": (8, 8, 3, 3), "s": np.float32([1, 1, 2, 2]),
    "d": (5, 16, 1, 1)},
    (64 * 216 + 16 * 576 + 64 * 80, 768, 216 + 576 + 80, 320))  # fmt: skip
case("windows of a rolled map", [
    node("Slice", "x one end one", "a"), node("Slice", "x zero one one", "b"),
    node("Concat", "a b", "r", axis=1),
    node("Reshape", "r s1", "p"), node("Transpose", "p", "t", perm=[0, 1, 3, 2, 4, 5]),
    node("Reshape", "t s2", "w"),
    node("MatMul", "w wq", "q"), node("Transpose", "w", "wt", perm=[0, 2, 1]), node("MatMul", "q wt", "y"),
], {"x": [1, 4, 4, 8]}, "y", {"one": [1], "zero": [0], "end": [BIG], "s1": [1, 2, 2, 2, 2, 8],
    "s2": [4, 4, 8], "wq": (8, 8)},
    (1024 + 512, 128, 64, 64))  # fmt: skip
case("frames and mel bands", [
    node("Unsqueeze", "x one", "u"), node("Conv", "u re", "r", strides=[8]),
    node("Conv", "u im", "i", strides=[8]),
    node("Mul", "r r", "r2"), node("Mul", "i i", "i2"), node("Add", "r2 i2", "p"),
    node("MatMul", "fb p", "y"),
], {"x": [1, 64]}, "y", {"one": [1], "re": (9, 1, 16), "im": (9, 1, 16), "fb": (5, 9)},
    (2 * 7 * 144 + 7 * 45, 64, 333, 35))  # fmt: skip
case("embeddings that the output shares", [
    node("Gather", "tok ids", "a"), node("MatMul", "a w", "h"), node("Transpose", "tok", "t"),
    node("MatMul", "h t", "y"),
], {"ids": [1, 3]}, "y", {"tok": (40, 8), "w": (8, 8)}, (3 * 64 + 3 * 320, 3, 384, 120))  # fmt: skip
case("a recommender", [
    node("Gather", "e ids", "g"), node("ReduceSum", "g one", "b", keepdims=0),
    node("Gemm", "d w1", "m", transB=1),
    node("Concat", "b m", "k", axis=1), node("Gemm", "k w2", "y", transB=1),
], {"ids": [4, 3], "d": [4, 5]}, "y", {"e": (50, 8), "one": [1], "w1": (8, 5), "w2": (2, 16)},
    (4 * 72, 32, 72, 8))  # fmt: skip
case("weights normalised in the graph", [
    node("Mul", "v v", "v2"), node("ReduceSum", "v2 axes", "n2"), node("Sqrt", "n2", "n"),
    node("Div", "v n", "vn"),
    node("Mul", "vn g", "w"), node("Conv", "x w", "y"),
], {"x": [1, 4, 10]}, "y", {"v": (6, 4, 3), "axes": [1, 2], "g": (6, 1, 1)}, (576, 40, 72, 48))  # fmt: skip
case("a map whose positions become time", [
    node("Conv", "x w", "c", strides=[2, 2]), node("Shape", "c", "s"), node("Slice", "s zero two", "nc"),
    node("Concat", "nc rest", "t", axis=0), node("Reshape", "c t", "r"),
    node("Transpose", "r", "p", perm=[2, 0, 1]),
    node("LSTM", "p lw lr", "l", hidden_size=3), node("Squeeze", "l one", "q"), node("MatMul", "q fc", "y"),
], {"x": ["n", 1, "h", "w"]}, "y",
    {"w": (4, 1, 2, 2), "zero": [0], "two": [2], "rest": [-1], "lw": (1, 12, 4), "lr": (1, 12, 3),
    "one": [1], "fc": (3, 5)},
    (2 * 6 * 16 + 12 * 12 * 7 + 12 * 15, 48, 16 + 84 + 15, 60), dims={"n": 2, "h": 4, "w": 6})  # fmt: skip
case("functions within functions", [
    node("Lin", "x a", "h", domain="own"), node("Lin", "h b", "y", domain="own"),
], {"x": [3, 8]}, "y", {"a": (8, 6), "b": (6, 4)}, (3 * 72, 24, 72, 12), functions=[
    helper.make_function("own", "Lin", ["x", "w"], ["y"], [node("MatMul", "x w", "m"),
    node("Act", "m", "y", domain="own")],
                         [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]),
    helper.make_function("own", "Act", ["x"], ["y"], [node("Erf", "x", "e"), node("Mul", "x e", "y")],
                         [helper.make_opsetid("", 17)]),
])  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_as_counted_by_hand(name, tmp_path):
    nodes, inputs, outputs, constants, counts, opset, more = CASES[name]
    model = build(nodes, inputs, outputs, constants, opset, more)
    path = tmp_path / "m.onnx"
    onnx.save(model, path)
    dims = more.get("dims", {})
    net = load_network(path, dims=dims)
    assert (net.macs, net.input_elements, net.weights, net.output_elements) == counts
    assert load_network(net.to_dict()) == net
    sizes = {k: [dims.get(n, 1) if isinstance(n, str) else n for n in s] for k, s in inputs.items()}
    feed = {k: np.ones(s, INT if k.startswith("ids") else np.float32) for k, s in sizes.items()}
    try:
        results = ReferenceEvaluator(onnx.inliner.inline_local_functions(model)).run(None, feed)
    except NotImplementedError:  # LSTMs in two directions, before onnx 1.21
        return
    assert sum(x.size for x in results) - more.get("given", 0) == net.output_elements
