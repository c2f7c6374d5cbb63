"""Sequences, operators with a state, and that every standard operator is read or refused with a reason."""

import pytest

pytest.importorskip("onnx")

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

from accelsim.errors import AccelsimError
from accelsim.workloads import Layer
from accelsim.workloads.bits import LayerBits
from accelsim.workloads.onnx.table import HANDLERS, REFUSED
from accelsim.workloads.onnx.values import RANDOM
from accelsim.workloads.onnx.walk import CONTROL, MEASURES
from tests.workloads.test_onnx_ops import INT, Model

CONSTANTS = {
    "Constant", "ConstantOfShape", "BlackmanWindow", "HammingWindow", "HannWindow", "MelWeightMatrix",
}  # fmt: skip
"""Of sizes that must be known, so that they are constants."""


def test_every_standard_operator_is_read_or_refused_with_a_reason():
    standard = {x.name for x in onnx.defs.get_all_schemas() if x.domain == ""}
    read = {*HANDLERS, *CONTROL, *MEASURES, *RANDOM, *CONSTANTS}
    assert standard - read == set(REFUSED)
    assert not read & set(REFUSED)


def test_what_is_refused_says_why(tmp_path):
    m = Model(x=[4])
    m.node("ImageDecoder", ["x"], "image")
    with pytest.raises(AccelsimError, match=r"1 ImageDecoder \(the size of the image stands in its data\)"):
        m.read(tmp_path, opset=20)


def sequence(m, steps):
    """A sequence of the columns' pairs of x, then changed step by step."""
    m.node("Identity", ["x"], "same")
    name = m.node("SplitToSequence", ["same", m.scalar("two", 2, INT)], "pieces", axis=1)
    for i, (op, k) in enumerate(steps):
        at = m.scalar(f"k{i}", k, INT)
        if op == "SequenceInsert":
            one = m.node("SequenceAt", [name, at], f"one{i}")
            name = m.node(op, [name, one, at], f"s{i}")
        elif op == "SequenceErase":
            name = m.node(op, [name, at], f"s{i}")
        else:
            several = [
                m.node("SequenceAt", [name, at], f"one{i}"),
                m.node("SequenceAt", [name, at], f"two{i}"),
            ]
            name = m.node("SequenceConstruct", several, f"s{i}")
    return name


@pytest.mark.parametrize("new_axis", [0, 1])
@pytest.mark.parametrize(
    "steps",
    [
        [],
        [("SequenceErase", 1)],
        [("SequenceErase", -1), ("SequenceErase", 0)],
        [("SequenceInsert", 1), ("SequenceErase", 3)],
        [("SequenceErase", 0), ("SequenceConstruct", 1)],
    ],
)
def test_sequences_are_views(steps, new_axis, tmp_path):
    m = Model(x=[4, 8])
    name = sequence(m, steps)
    m.node("ConcatFromSequence", [name], "joined", axis=0, new_axis=new_axis)
    m.node("ReduceMax", ["joined"], "y", keepdims=0)
    net = m.read(tmp_path)
    model = onnx.load(tmp_path / "m.onnx")
    model.graph.output.append(onnx.ValueInfoProto(name="joined"))
    found = ReferenceEvaluator(model).run(["joined"], {"x": np.arange(32, dtype=np.float32).reshape(4, 8)})[0]
    assert len(net.layers) == 1
    assert net.layers[0].input_elements == found.size
    assert net.input_elements == sum(e.elements for e in net.edges) == len(np.unique(found))


def test_a_map_over_a_sequence_is_its_body_for_each_member(tmp_path):
    m = Model(x=[4, 8])
    name = sequence(m, [("SequenceErase", 1)])
    value = onnx.helper.make_tensor_value_info
    body = onnx.helper.make_graph(
        [onnx.helper.make_node("MatMul", ["member", "factor"], ["result"])],
        "body",
        [value("member", 1, [4, 2]), value("factor", 1, [2, 5])],
        [value("result", 1, [4, 5])],
    )
    m.node("SequenceMap", [name, m.weight("w", 2, 5)], "mapped", body=body)
    m.node("ConcatFromSequence", ["mapped"], "joined", axis=0)
    m.node("ReduceMax", ["joined"], "y", keepdims=0)
    net = m.read(tmp_path)
    assert net.macs == 3 * 4 * 2 * 5
    assert (net.weights, net.input_elements) == (10, 24)
    assert net.layers[-1].input_elements == 3 * 20
    m.node("SequenceMap", ["x"], "bad", body=body)
    with pytest.raises(AccelsimError, match="'x' is no sequence whose members are known"):
        m.read(tmp_path, "bad")


def test_lengths_of_sequences_are_constants(tmp_path):
    m = Model(x=[4, 8])
    name = sequence(m, [("SequenceErase", 0)])
    m.node("SequenceLength", [name], "count")
    m.node("Unsqueeze", ["count", m.value("first", 0)], "size")
    m.node("Expand", ["x", m.node("Concat", ["size", "tail"], "shape", axis=0)], "wide")
    m.value("tail", 4, 8)
    m.node("ReduceMax", ["wide"], "y", keepdims=0)
    assert m.read(tmp_path).layers[0].input_elements == 3 * 32


@pytest.mark.parametrize("past", [False, True])
def test_causal_convolution(past, tmp_path):
    m = Model(x=[2, 6, 10], s=[2, 6, 3])
    inputs = ["x", m.weight("w", 6, 1, 4), m.weight("b", 6), *(["s"] if past else [])]
    m.node("CausalConvWithState", inputs, "y", ["y", "kept"])
    m.node("Softmax", ["kept"], "end")
    net = m.read(tmp_path, "y", "end", opset=27)
    assert net.layers[0] == Layer(N=2, G=6, K=1, C=1, P=10, R=4)
    assert (net.weights, net.params) == (24, 30)
    reads = [sum(e.elements for e in edges) for edges in net.inputs_of]
    assert reads == [2 * 6 * (10 + 3 * past), 2 * 6 * 3]


def counted(rule, batch, tokens, heads, groups, key, value, past):
    """MACs of the recurrence as the standard states it, head by head; an outer product counts as one each."""
    macs = 0
    for _ in range(batch * groups):
        state = past
        for _ in range(tokens):
            macs += key * value * (state and "delta" in rule)  # S^T k
            macs += key * value  # k outer u
            state = True
            macs += key * value * (heads // groups)  # S^T q of each query head
    return macs


@pytest.mark.parametrize("past", [False, True])
@pytest.mark.parametrize("rule", ["linear", "gated", "delta", "gated_delta"])
def test_linear_attention(rule, past, tmp_path):
    heads, groups, key, value, tokens = 4, 2, 8, 6, 3
    m = Model(
        q=[2, tokens, heads * key], k=[2, tokens, groups * key], v=[2, tokens, groups * value],
        s=[2, groups, key, value], g=[2, tokens, groups], beta=[2, tokens, groups],
    )  # fmt: skip
    inputs = [
        "q",
        "k",
        "v",
        "s" if past else "",
        "g" if "gated" in rule else "",
        "beta" if "delta" in rule else "",
    ]
    m.node(
        "LinearAttention", inputs, "y", ["y", "kept"],
        update_rule=rule, q_num_heads=heads, kv_num_heads=groups,
    )  # fmt: skip
    net = m.read(tmp_path, "y", "kept", opset=27)
    assert net.macs == counted(rule, 2, tokens, heads, groups, key, value, past)
    used = {"q", "k", "v"} | {x for x in inputs if x}
    sizes = {
        "q": 192,
        "k": 96,
        "v": 72,
        "s": 192,
        "g": 12 if past else 8,
        "beta": 12,
    }  # nothing decays before the first token
    assert net.input_elements == sum(sizes[x] for x in used)
    last = net.layers[-1]
    assert last.macs == 2 * heads * key * value
    assert last.bits == LayerBits()


def test_gates_read_both_operands(tmp_path):
    m = Model(a=[4, 8], b=[4, 8])
    m.node("SwiGLU", ["a", "b"], "y")
    net = m.read(tmp_path, opset=28)
    assert net.layers == (Layer(N=4, G=8, C=2, op="eltwise"),)
