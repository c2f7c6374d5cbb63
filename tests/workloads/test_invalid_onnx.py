"""Models that break the standard are refused with its rule: a word and the place, nothing read in silence."""

import numpy as np
import pytest

pytest.importorskip("onnx")

import onnx
from onnx import TensorProto, helper, numpy_helper

from accelsim import AccelsimError, load_network
from tests.command import run

MAP, ROWS = (1, 8, 10, 12), (4, 8)
FILTERS = {"w": (16, 8, 3, 3)}
NAN, INF = float("nan"), float("inf")


def constant(name, value):
    """A weight: of ones where a tuple of sizes is given, else the values themselves."""
    if isinstance(value, TensorProto):
        value.name = name
        return value
    if isinstance(value, tuple):
        value = np.ones(value, np.float32)
    value = np.array(value)
    return numpy_helper.from_array(value.astype(np.float32) if value.dtype == np.float64 else value, name)


def model(nodes, shapes, constants=(), opset=17, kind=TensorProto.FLOAT):
    """A model whose outputs are those of its last node."""
    inputs = [helper.make_tensor_value_info(x, kind, s) for x, s in shapes.items()]
    weights = [constant(*x) for x in dict(constants).items()]
    outputs = [onnx.ValueInfoProto(name=x) for x in nodes[-1].output]
    graph = helper.make_graph(nodes, "g", inputs, outputs, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])


def refusal(made, tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(made.SerializeToString())
    with pytest.raises(AccelsimError) as caught:
        load_network(path)
    said = str(caught.value)
    assert said.startswith(f"{path}: ")
    assert "\n" not in said
    return said.removeprefix(f"{path}: ")


OPERATORS = [
    # operator, its operands, sizes of inputs, constants, attributes, what is said; opset 17
    ("TopK", "x k", ROWS, {"k": [-3]}, {}, "K must be at least 0, but is -3"),
    ("TopK", "x k", ROWS, {"k": [30]}, {}, "Axis has less than the requested k elements"),
    ("Softmax", "x", MAP, {}, {"axis": 7}, "'axis' must be in [-4 , 3]"),
    ("LayerNormalization", "x s", MAP, {"s": (12,)}, {"axis": 4}, "axis is 4, but its input has 4 axes"),
    ("LayerNormalization", "x s", MAP, {"s": (13,)}, {}, "the scale of shape [13] does not broadcast"),
    ("LpNormalization", "x", MAP, {}, {"axis": -5}, "axis is -5, but its input has 4 axes: from -4 to 3"),
    ("CumSum", "x a", MAP, {"a": 9}, {}, "axis is 9, but its input has 4 axes"),
    ("Conv", "x w", MAP, {"w": np.ones((16, 8, 3, 3), np.int64)}, {}, "W cannot be a tensor(int64)"),
    ("Conv", "x w", MAP, {"w": np.ones((16, 8, 3, 3))}, {"pads": [-1, 0, 0, 0]}, "pads must be 4 whole"),
    ("Conv", "x w b", MAP, {**FILTERS, "b": (15,)}, {}, "the bias has shape [15], but must have [16]"),
    ("Conv", "x w b", MAP, {**FILTERS, "b": (1, 16)}, {}, "the bias has shape [1, 16], but must have [16]"),
    ("Conv", "x w w w", MAP, FILTERS, {}, "it has 4 inputs, but at most 3"),
    ("Conv", " w", MAP, FILTERS, {}, "input 1, X, is missing"),
    ("Conv", "x w", MAP, FILTERS, {"stride": [2, 2]}, "no attribute 'stride' in opset 17; did you mean"),
    ("Conv", "x w", MAP, FILTERS, {"group": "two"}, "attribute group must be of type INT, but is STRING"),
    ("Conv", "x w", MAP, FILTERS, {"group": 0}, "in 0 groups"),
    ("Conv", "x w", MAP, FILTERS, {"auto_pad": "SAME_UPPER", "pads": [2] * 4}, "contradict each other"),
    ("ConvTranspose", "x w", MAP, {"w": (8, 4, 3, 3)}, {"output_padding": [1, 0]},
     "output_padding must be less than stride or dilation, at most [0, 0], but is [1, 0]"),
    ("ConvTranspose", "x w", MAP, {"w": (8, 4, 3, 3)}, {"output_shape": [50, 50]},
     "output_shape [50, 50] means output_padding, which must be less"),
    ("ConvTranspose", "x w b", MAP, {"w": (8, 4, 3, 3), "b": (3,)}, {}, "the bias has shape [3]"),
    ("MatMul", "x w", ROWS, {"w": np.ones((8, 8), np.int32)}, {}, "B is a tensor(int32), but other"),
    ("Gemm", "x w b", ROWS, {"w": (8, 6), "b": (4, 7)}, {}, "the bias of shape [4, 7] does not"),
    ("QuantizeLinear", "x s", MAP, {"s": (99,)}, {}, "scale along axis 1 of [1, 8, 10, 12] has shape [99]"),
    ("DequantizeLinear", "w s", MAP, {"w": np.ones((4, 8), np.int8), "s": (99,)}, {"axis": 0},
     "the scale along axis 0 of [4, 8] has shape [99], but must have [4]"),
    ("DequantizeLinear", "w s z", MAP, {"w": np.ones((4, 8), np.int8), "s": (8,), "z": np.ones(7, np.int8)},
     {}, "the zero point has shape [7], but must have [8]"),
    ("DequantizeLinear", "x s", MAP, {"s": (8,)}, {}, "x cannot be a tensor(float)"),
    ("Gather", "x i", MAP, {"i": [1, 9]}, {"axis": 1}, "index 9 is out of range: axis 1 of [1, 8, 10, 12]"),
    ("Gather", "w i", MAP, {"w": (10, 8), "i": -11}, {}, "index -11 is out of range: axis 0 of [10, 8]"),
    ("GatherND", "x i", MAP, {"i": [[0, 9]]}, {}, "index 9 is out of range: axis 1"),
    ("GatherElements", "x i", ROWS, {"i": [1, 2]}, {}, "indices of shape [2] must have as many axes"),
    ("ScatterElements", "x i u", ROWS, {"i": [[1]], "u": (1, 2)}, {}, "updates has shape [1, 2], but must"),
    ("ScatterElements", "x i u", ROWS, {"i": [[1]], "u": (1, 1)}, {"reduction": "sum"}, "unknown word 'sum'"),
    ("ScatterND", "x i u", ROWS, {"i": [[1]], "u": (8,)}, {}, "updates has shape [8], but must have [1, 8]"),
    ("ReverseSequence", "x l", ROWS, {"l": [1, 2]}, {}, "sequence_lens has shape [2], but must have [8]"),
    ("DeformConv", "x w o", MAP, {"w": (4, 8, 3, 3), "o": (1, 17, 8, 10)}, {}, "offset without its map has"),
    ("MaxUnpool", "x i", MAP, {"i": [[[[1]]]]}, {"kernel_shape": [2, 2]}, "I, the positions, has shape"),
    ("STFT", "x t  l", (1, 32, 1), {"t": 0, "l": 8}, {}, "frames of 8 in steps of 0 do not fit 32 samples"),
    ("GatherElements", "x i", ROWS, {"i": [[8]]}, {"axis": 1}, "index 8 is out of range"),
    ("Range", "a b d", MAP, {"a": 0.0, "b": 9.0, "d": 0.0}, {}, "delta is 0, so it would never reach its"),
    *[("Resize", "x  s", MAP, {"s": [1.0, 1.0, v, 2.0]}, {}, "scales must be finite and more than 0")
      for v in (NAN, INF, -2.0, 0.0)],
    ("Resize", "x   s", MAP, {"s": [1, 8, -3, 5]}, {}, "sizes must be at least 1, but got [1, 8, -3, 5]"),
    ("Resize", "x  s", MAP, {"s": [1.0, 1.0, 2.0, 2.0]}, {"mode": "best"}, "mode: unknown word 'best'"),
    ("Split", "x s", MAP, {"s": [9, -1]}, {"axis": 1}, "split must have sizes of at least 0, but got"),
    ("Expand", "x s", (1, 8), {"s": [-1, 8]}, {}, "shape must have sizes of at least 0"),
    ("Reshape", "x s", ROWS, {"s": [2.0, 16.0]}, {}, "a value must be int64, but is float"),
    ("Concat", "x w", ROWS, {"w": (4, 7)}, {"axis": 0}, "sizes 7 and 8 of axis 1 should be the same"),
    ("Softmax", "x", ROWS, {}, {"num_outputs": 2}, "no attribute 'num_outputs' in opset 17; known: axis"),
    ("Reshape", "x s", ROWS, {"s": [[2, 16]]}, {}, "input 2 must have one axis, but has shape [1, 2]"),
    ("Reshape", "x s", ROWS, {"s": [-2, 16]}, {}, "Invalid dimension value: -2"),
    ("Pad", "x p", ROWS, {"p": [0, -5, 0, -5]}, {}, "leave less than nothing of 8 positions"),
    ("Pad", "x p", ROWS, {"p": [0, 8, 0, 0]}, {"mode": "reflect"}, "cannot reflect an axis of 8 positions"),
    ("Pad", "x p", ROWS, {"p": [0, 1, 0, 0]}, {"mode": "mirror"}, "mode: unknown word 'mirror'"),
    ("DepthToSpace", "x", MAP, {}, {"blocksize": 3}, "8 channels do not make blocks of 3x3"),
    ("DepthToSpace", "x", MAP, {}, {"blocksize": 2, "mode": "XYZ"}, "mode: unknown word 'XYZ'"),
    ("SpaceToDepth", "x", MAP, {}, {"blocksize": 4}, "10x12 positions do not split into blocks of 4x4"),
    ("InstanceNormalization", "x s s", MAP, {"s": (7,)}, {}, "the scale has shape [7], but must have [8]"),
    ("PRelu", "x s", MAP, {"s": (7,)}, {}, "the slope of shape [7] does not broadcast"),
    ("LRN", "x", MAP, {}, {"size": 0}, "size must be at least 1, but is 0"),
    ("GlobalMaxPool", "x", (8,), {}, {}, "it pools a map of at least three axes"),
    ("LSTM", "x w r b", (3, 1, 2), {"w": (1, 16, 2), "r": (1, 16, 4), "b": (1, 31)}, {"hidden_size": 4},
     "the bias has shape [1, 31], but must have [1, 32]"),
    ("GRU", "x w r   h", (3, 1, 2), {"w": (1, 12, 2), "r": (1, 12, 4), "h": (1, 2, 4)}, {"hidden_size": 4},
     "initial_h has shape [1, 2, 4], but must have [1, 1, 4]"),
    ("NonMaxSuppression", "x s", (1, 6, 5), {"s": (1, 2, 6)}, {}, "boxes must have shape [batches, boxes"),
    ("NonMaxSuppression", "x s", (1, 6, 4), {"s": (1, 2, 7)}, {}, "scores must have shape [1, classes, 6]"),
    ("Einsum", "x w", ROWS, {"w": (8, 3)}, {"equation": "ij,jk->iq"}, "'q' of the result is in no operand"),
    ("Einsum", "x w", ROWS, {"w": (8, 3)}, {"equation": "ij,jk->ii"}, "index 'i' of the result stands twice"),
    ("Einsum", "x w", ROWS, {"w": (8, 3)}, {"equation": "i.,.k->ik"}, "is not of letters and one '...'"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("op", "operands", "shape", "constants", "attributes", "message"),
    OPERATORS,
    ids=[f"{i}-{x[0]}" for i, x in enumerate(OPERATORS)],
)
def test_an_operator_that_breaks_a_rule(op, operands, shape, constants, attributes, message, tmp_path):
    outputs = {"TopK": ["y", "i"], "Split": ["y", "z"]}.get(op, ["y"])
    node = helper.make_node(op, operands.split(" "), outputs, name="odd", **attributes)
    nodes = [node]
    if "x" not in operands:  # of constants alone, which something reads
        nodes.append(helper.make_node("Concat", ["y", "y"], ["twice"], axis=0))
    said = refusal(model(nodes, {"x": shape}, constants), tmp_path)
    assert said.startswith(f"node 'odd' ({op}): ")
    assert message in said


def conv(*outputs, x="x", w="w"):
    return helper.make_node("Conv", [x, w], list(outputs) or ["y"], name="conv")


def changed(change, **arguments):
    made = model([conv()], {"x": MAP}, FILTERS, **arguments)
    change(made)
    return made


def twice(made):
    made.graph.node.insert(0, helper.make_node("Relu", ["x"], ["y"]))


def branch(name, op="Relu", **attributes):
    node = helper.make_node(op, ["x"], [name], **attributes)
    return helper.make_graph([node], name, [], [onnx.ValueInfoProto(name=name)])


def decide(then, condition=True):
    node = helper.make_node("If", ["c"], ["y"], name="if", then_branch=then, else_branch=branch("e"))
    return model([node], {"x": MAP}, {"c": condition})


def short(made):
    made.graph.initializer[0].raw_data = b"1234"


def with_function(opset, op="Softmax"):
    body = [helper.make_node("Relu", ["a"], ["b"]), helper.make_node(op, ["b"], ["c"])]
    own = helper.make_function("own", "Fn", ["a"], ["c"], body, [helper.make_opsetid("", opset)])
    made = model([helper.make_node("Fn", ["x"], ["y"], domain="own")], {"x": ROWS})
    made.opset_import.add(domain="own", version=1)
    made.functions.append(own)
    return made


def microsoft(op, operands, constants, **attributes):
    node = helper.make_node(op, operands.split(), ["y"], name="odd", domain="com.microsoft", **attributes)
    made = model([node], {"x": (1, 6, 32)}, constants)
    made.opset_import.add(domain="com.microsoft", version=1)
    return made


def large(made):
    """A weight that is not looked into, of another size than its data."""
    made.graph.initializer[0].CopyFrom(constant("w", (600, 8, 4, 4)))
    made.graph.initializer[0].dims[0] = 500


BYTES = np.ones((16, 1, 16), np.uint8)
NBITS = {"K": 32, "N": 16, "bits": 4, "block_size": 32}

MODELS = {
    "opset 0": (model([conv()], {"x": MAP}, FILTERS, opset=0), "(opset), but the onnx package here"),
    "opset 999": (model([conv()], {"x": MAP}, FILTERS, opset=999), "a newer one may: pip install -U onnx"),
    "no opset": (changed(lambda m: m.ClearField("opset_import")), "it does not say which version"),
    "two opsets": (
        changed(lambda m: m.opset_import.add(domain="ai.onnx", version=13)),
        "it imports operators of 'the standard' in versions 17 and 13",
    ),
    "strings": (
        model([conv()], {"x": MAP}, FILTERS, kind=TensorProto.STRING),
        "node 'conv' (Conv): X cannot be a tensor(string)",
    ),
    "no type": (
        changed(lambda m: m.graph.input[0].type.tensor_type.ClearField("elem_type")),
        "input 'x' has the element type 0",
    ),
    "two makers": (changed(twice), "two places make the tensor 'y': node 0 (Relu) and node 1 (Conv)"),
    "a weight made": (
        model([helper.make_node("Relu", ["x"], ["w"]), conv()], {"x": MAP}, FILTERS),
        "two places make the tensor 'w': weight 0 and node 0 (Relu)",
    ),
    "no outputs": (changed(lambda m: m.graph.ClearField("output")), "it has no outputs"),
    "another type": (
        changed(lambda m: m.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", 7, None))),
        "it makes 'y' of type FLOAT, but the file says INT64",
    ),
    "a negative size": (
        changed(lambda m: m.graph.input[0].CopyFrom(helper.make_tensor_value_info("x", 1, [1, 8, -5, 12]))),
        "input 'x': axis 2 has size -5, but a size is at least 1",
    ),
    "short data": (changed(short), "its data does not fit its type and shape"),
    "a number decides": (decide(branch("t"), 1.0), "its condition 'c' must be of type BOOL"),
    "in a branch": (decide(branch("t", "Softmax", axis=8)), "node 't' (Softmax): 'axis' must be in [-4 , 3]"),
    "a branch hides": (decide(branch("x")), "two places make the tensor 'x': the graph around it and node 0"),
    "long data": (changed(large), "its data does not fit its type and shape [500, 8, 4, 4]"),
    "a default": (
        changed(lambda m: m.graph.input.append(helper.make_tensor_value_info("w", 1, [16, 8, 5, 5]))),
        "input 'w' of shape [16, 8, 5, 5] has a default of another type or shape, [16, 8, 3, 3]",
    ),
    "a function's opset": (with_function(12), "but the file of 17, where Relu has another version"),
    "no such opset": (with_function(999), "it uses version 999 of the standard's operators"),
    "no weights": (microsoft("FusedConv", "x", {}, activation="Relu"), "the weight input is missing"),
    "no heads": (microsoft("MultiHeadAttention", "x x x", {}), "attribute num_heads is missing"),
    "few weights": (
        microsoft("MatMulNBits", "x w s", {"w": BYTES, "s": (16,)}, **{**NBITS, "N": 99}),
        "weights of shape [16, 1, 16] do not hold 99 x 32 elements of 4 bits",
    ),
    "no bits": (
        microsoft("MatMulNBits", "x w s", {"w": BYTES, "s": (16,)}, **{**NBITS, "bits": 0}),
        "bits must be 2 to 8",
    ),
    "another sum": (
        microsoft("SkipLayerNormalization", "x k g", {"k": (1, 7, 32), "g": (32,)}),
        "shapes [1, 6, 32] and [1, 7, 32] do not add up",
    ),
    "other factors": (
        microsoft("SkipLayerNormalization", "x x g", {"g": (31,)}), "'g' has shape [31], but must have [32]"
    ),
    "nothing to do": (model([helper.make_node("Identity", ["w"], ["y"])], {"x": MAP}, FILTERS), "constants"),
    "no data": (
        model([helper.make_node("Slice", ["x", "s", "e"], ["y"])], {"x": MAP}, {"s": [1], "e": [1]}),
        "output 'y' has shape [0, 8, 10, 12]: it holds no data",
    ),
    "a shape elsewhere": (
        model([helper.make_node("Reshape", ["x", "s"], ["y"], name="to")], {"x": MAP}, {"s": TensorProto(
            data_type=TensorProto.INT64, dims=[2], data_location=TensorProto.EXTERNAL,
            external_data=[onnx.StringStringEntryProto(key="location", value="w.bin")],
        )}),
        "it follows from the value of 's', in the file 'w.bin', not opened",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_a_model_that_breaks_a_rule(name, tmp_path):
    made, message = MODELS[name]
    assert message in refusal(made, tmp_path)


def test_what_reads_though_the_checker_of_models_refuses_it(tmp_path):
    """Operators in another order, weights without data, results without types, a newer IR."""
    made = model([conv("y", x="z"), helper.make_node("Softmax", ["x"], ["z"])], {"x": MAP}, FILTERS)
    made.graph.output[0].name = "y"
    made.graph.initializer[0].ClearField("raw_data")
    made.ir_version = 999
    with pytest.raises(onnx.checker.ValidationError):
        onnx.checker.check_model(made)
    path = tmp_path / "m.onnx"
    path.write_bytes(made.SerializeToString())
    net = load_network(path)
    assert [x.op for x in net.layers] == ["eltwise", "conv"]
    assert "the file is of IR version 999" in net.notes[-1]


def test_a_function_of_another_opset_whose_operators_are_the_same(tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(with_function(15).SerializeToString())
    assert [x.op for x in load_network(path).layers] == ["eltwise"]


@pytest.mark.parametrize(
    ("inputs", "said", "note"),
    [
        (MAP, [1, 16, "h", "w"], None), (MAP, [1, 16, -1, 10], None), (MAP, [0, 1], None),
        (("n", 8, 10, 12), [1, 16, 8, 10], None),
        (("n", 8, 10, 12), ["n", 16, 8, 11], "1 results have other sizes than the file says: 'y' is"),
        (("n", 8, 10, 12), ["n", 16], "'y' is [1, 16, 8, 10], not [?, 16]"),
    ],
)  # fmt: skip
def test_sizes_of_results_with_symbols(inputs, said, note, tmp_path):
    made = model([conv()], {"x": inputs}, FILTERS)
    made.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", 1, said))
    path = tmp_path / "m.onnx"
    path.write_bytes(made.SerializeToString())
    notes = load_network(path).notes
    assert notes == () if note is None else note in notes[0]
    made = model([conv()], {"x": MAP}, FILTERS)
    made.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", 1, [1, 16, "h", 11]))
    assert "it makes 'y' of shape [1, 16, 8, 10], but the file says [1, 16, ?, 11]" in refusal(made, tmp_path)


def test_an_operator_whose_name_is_no_text(tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(changed(lambda m: None).SerializeToString().replace(b"\x04Conv", b"\x04Co\xffv"))
    with pytest.raises(AccelsimError) as caught:
        load_network(path)
    assert "\n" not in str(caught.value)


def test_an_operator_before_its_time_is_read_as_it_came_and_said(tmp_path):
    """Runtimes write LayerNormalization into files of opset 13; what its own rule forbids stays forbidden."""
    norm = helper.make_node("LayerNormalization", ["x", "s"], ["y"], name="norm")
    path = tmp_path / "m.onnx"
    path.write_bytes(model([norm], {"x": ROWS}, {"s": (8,)}, opset=13).SerializeToString())
    net = load_network(path)
    assert net.layers[0].output_elements == 32
    assert "LayerNormalization came with opset 17, but the file is of 13" in net.notes[0]
    said = refusal(model([norm], {"x": ROWS}, {"s": (7,)}, opset=13), tmp_path)
    assert "the scale of shape [7] does not broadcast to [8]" in said


def test_the_command_says_it_in_a_line(tmp_path, capsys):
    path = tmp_path / "m.onnx"
    path.write_bytes(MODELS["opset 0"][0].SerializeToString())
    code, out, err = run(capsys, "network", str(path))
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert "version 0 of the standard's operators" in err
