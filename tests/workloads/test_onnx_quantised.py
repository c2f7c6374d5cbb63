"""Precisions of quantised ONNX files, as QuantizeLinear and DequantizeLinear state them."""

import re

import pytest

pytest.importorskip("onnx")

from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto

from accelsim import evaluate, load_network
from accelsim.errors import AccelsimError
from accelsim.workloads.bits import LayerBits
from accelsim.workloads.onnx.values import _check_size
from accelsim.workloads.onnx.widths import QUANTISED, quantised_bits, width
from tests.workloads.test_onnx_ops import Model

TYPES = {
    TensorProto.INT4: 4, TensorProto.UINT4: 4, TensorProto.INT8: 8, TensorProto.UINT8: 8,
    TensorProto.INT16: 16, TensorProto.UINT16: 16,
}  # fmt: skip


def pair(m, x, kind):
    """Quantised and back; None leaves the tensor as it is."""
    if kind is None:
        return x
    scale, zero = m.scalar(f"{x}_s", 0.1), m.scalar(f"{x}_z", 0, kind)
    return m.node(
        "DequantizeLinear", [m.node("QuantizeLinear", [x, scale, zero], f"{x}_q"), scale, zero], f"{x}_d"
    )


def stored(m, name, kind, *dims):
    if kind is None:
        return m.weight(name, *dims)
    m.constants.append(TensorProto(name=name, data_type=kind, dims=dims))
    scale, zero = m.scalar(f"{name}_s", 0.1), m.scalar(f"{name}_z", 0, kind)
    return m.node("DequantizeLinear", [name, scale, zero], f"{name}_d")


def test_every_type_has_the_width_in_its_name() -> None:
    for name, kind in TensorProto.DataType.items():
        digits = re.fullmatch(r"B?(?:FLOAT|U?INT)(\d+).*", name)
        named = {"FLOAT": 32, "DOUBLE": 64, "BOOL": 8}
        if digits or name in named:
            assert width(kind) == (int(digits[1]) if digits else named[name]), name
        narrow = bool(digits) and (int(digits[1]) <= 8 or name in ("INT16", "UINT16"))
        assert (kind in QUANTISED) == narrow, name
        assert quantised_bits(kind) == (width(kind) if narrow else 0)


def test_stored_data_has_the_size_of_its_type() -> None:
    """Seven elements, as bytes and as numbers; two and four bits share a number, six do not."""
    for name, kind in TensorProto.DataType.items():
        if kind not in QUANTISED:
            continue
        size = -(-7 * width(kind) // 8)
        entries = size if width(kind) in (2, 4) else 7
        for right, wrong in (
            ({"raw_data": bytes(size)}, {"raw_data": bytes(size - 1)}),
            ({"int32_data": [0] * entries}, {"int32_data": [0] * (entries + 1)}),
        ):
            _check_size(TensorProto(name=name, data_type=kind, dims=[7], **right))
            with pytest.raises(AccelsimError, match="does not fit its type and shape"):
                _check_size(TensorProto(name=name, data_type=kind, dims=[7], **wrong))


@pytest.mark.parametrize("kind", ["FLOAT8E4M3FN", "FLOAT8E8M0", "FLOAT4E2M1"])
def test_weights_of_small_floats_have_their_width(tmp_path, kind) -> None:
    m = Model(x=[1, 6, 6])
    m.constants.append(TensorProto(name="w", data_type=TensorProto.DataType.Value(kind), dims=[6, 6]))
    m.node("MatMul", ["x", m.node("Cast", ["w"], "wide", to=TensorProto.FLOAT)], "y")
    net = m.read(tmp_path, opset=24)
    bits = 4 if kind == "FLOAT4E2M1" else 8
    assert any(f"36 in {bits} bits" in note for note in net.notes)
    assert net.layers[0].bits.weight == bits


KINDS = st.sampled_from([None, *TYPES])


@given(
    st.lists(
        st.tuples(KINDS, KINDS, st.sampled_from(["", "Relu", "Transpose", "Slice"])), min_size=1, max_size=5
    )
)
@settings(max_examples=60, deadline=None)
def test_widths_follow_the_pairs(tmp_path_factory, steps):
    m = Model(x=[1, 6, 6])
    x, wanted, rows = "x", [], 6
    for i, (kind, weight, between) in enumerate(steps):
        x = pair(m, x, kind)
        if between == "Relu":
            x = m.node("Relu", [x], f"r{i}")
        elif between == "Transpose" and rows == 6:
            x = m.node("Transpose", [x], f"t{i}", perm=[0, 2, 1])
        elif between == "Slice":
            x = m.node("Slice", [x, m.value(f"a{i}", 0), m.value(f"e{i}", 3), m.value(f"x{i}", 1)], f"c{i}")
            rows = 3
        x = m.node("MatMul", [x, stored(m, f"w{i}", weight, 6, 6)], f"y{i}")
        if wanted:
            wanted[-1] = wanted[-1]._replace(output=TYPES.get(kind))
        wanted.append(LayerBits(TYPES.get(weight), TYPES.get(kind)))
    net = m.read(tmp_path_factory.mktemp("qdq"), x, opset=21)
    assert [layer.bits for layer in net.layers] == wanted
    assert load_network(net.to_dict()) == net


def test_a_result_that_some_read_as_it_is_has_the_machine_s_width(tmp_path):
    m = Model(x=[4, 6])
    y = m.node("MatMul", ["x", m.weight("w", 6, 6)], "y")
    m.node("MatMul", [pair(m, y, TensorProto.INT8), m.weight("v", 6, 6)], "z")
    net = m.read(tmp_path, "y", "z", opset=21)
    assert [layer.bits for layer in net.layers] == [LayerBits(), LayerBits(input=8)]


def test_both_operands_of_a_product_and_transposed_convolutions(tmp_path):
    m = Model(a=[4, 6], b=[6, 4], x=[1, 4, 5, 5])
    m.node("MatMul", [pair(m, "a", TensorProto.INT16), pair(m, "b", TensorProto.INT8)], "y")
    w = stored(m, "w", TensorProto.INT4, 4, 3, 3, 3)
    m.node("ConvTranspose", [pair(m, "x", TensorProto.UINT8), w], "up", strides=[2, 2])
    net = m.read(tmp_path, "y", "up", opset=21)
    assert net.layers[0].bits == LayerBits(8, 16)
    assert {layer.bits for layer in net.layers[1:]} == {LayerBits(4, 8)}


def test_widths_change_the_price_and_can_be_taken_back(tmp_path):
    def product(kind):
        m = Model(x=[1, 64])
        m.node("MatMul", ["x", stored(m, "w", kind, 64, 64)], "y")
        return m.read(tmp_path, opset=21)

    plain, narrow = product(None), product(TensorProto.INT4)
    costs = [
        evaluate("eyeriss", net, mapper="template").energy_pj for net in (plain, narrow, narrow.with_bits())
    ]
    assert costs[1] < costs[0] == costs[2]


def test_layers_at_the_machine_s_own_width_fuse_as_others(tmp_path):
    def chain(kind):
        m = Model(x=[1, 8, 56, 56])
        x = "x"
        for i in range(3):
            x = m.node(
                "Conv", [pair(m, x, kind), stored(m, f"w{i}", kind, 8, 8, 3, 3)], f"y{i}", pads=[1] * 4
            )
        pair(m, x, kind)
        return m.read(tmp_path, opset=21)

    plain, quantised = chain(None), chain(TensorProto.INT8)
    assert {layer.bits for layer in quantised.layers} == {LayerBits(8, 8, 8)}
    costs = [evaluate("edgetpu", net, mapper="template", fuse="auto") for net in (plain, quantised)]
    assert costs[0].stacks
    assert len(costs[0].stacks) == len(costs[1].stacks)
    assert costs[0].energy_pj == costs[1].energy_pj


def test_fused_integer_operators_keep_their_type(tmp_path):
    m = Model(x=[1, 8, 6, 6])
    scale, zero = m.scalar("s", 0.1), m.scalar("z", 0, TensorProto.UINT8)
    q = m.node("QuantizeLinear", ["x", scale, zero], "q")
    m.constants.append(TensorProto(name="w", data_type=TensorProto.UINT8, dims=[8, 8, 1, 1]))
    pair = [scale, zero]
    y = m.node("QLinearConv", [q, *pair, "w", *pair, *pair], "conv")
    y = m.node("QLinearAdd", [y, *pair, q, *pair, *pair], "sum", domain="com.microsoft")
    y = m.node("QLinearGlobalAveragePool", [y, *pair, *pair], "pool", domain="com.microsoft")
    m.node("QLinearMul", [y, *pair, "sum", *pair, *pair], "scaled", domain="com.microsoft")
    net = m.read(tmp_path, "scaled", opset=21)
    assert [layer.bits for layer in net.layers] == [
        LayerBits(8, 8, 8), *[LayerBits(None, 8, 8)] * 2, LayerBits(8, 8, 8),
    ]  # fmt: skip
