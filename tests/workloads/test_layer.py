from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import accelsim
from accelsim.errors import AccelsimError
from accelsim.workloads import Layer
from accelsim.workloads.layer import DIMS, MAX_SIZE, touched
from accelsim.workloads.layer_text import parse_layer

sizes = st.integers(1, 5)


@given(st.builds(Layer, *[sizes] * 8, st.tuples(sizes, sizes), st.tuples(sizes, sizes)))
def test_counts_equal_enumerated_coordinates(layer):
    rows = {p * layer.stride[0] + r * layer.dilation[0] for p in range(layer.P) for r in range(layer.R)}
    cols = {q * layer.stride[1] + s * layer.dilation[1] for q in range(layer.Q) for s in range(layer.S)}
    assert layer.input_elements == layer.N * layer.G * layer.C * len(rows) * len(cols)
    assert layer.macs == layer.output_elements * layer.C * layer.R * layer.S
    assert layer.weight_elements * layer.N * layer.P * layer.Q == layer.macs


@given(st.builds(Layer, *[sizes] * 8, st.tuples(sizes, sizes), name=st.text()))
def test_json_form_reads_back(layer):
    again = Layer.from_dict(layer.to_dict())
    assert again == layer
    assert again.name == layer.name


@given(p=st.integers(1, 12), r=st.integers(1, 12), stride=sizes, dilation=sizes)
def test_touched_rows(p, r, stride, dilation):
    assert touched(p, r, stride, dilation) == len(
        {i * stride + j * dilation for i in range(p) for j in range(r)}
    )


def test_usual_ways_to_make_one():
    assert Layer.depthwise(C=32, P=8, Q=8).macs == 32 * 64 * 9
    assert Layer.gemm(M=2, N=3, K=5, batch=7).macs == 2 * 3 * 5 * 7
    assert Layer.gemm(M=2, N=3, K=5, batch=7).input_elements == 2 * 5 * 7
    assert Layer.pool(C=8, P=4, Q=4, R=2, S=2, stride=2).input_elements == 8 * 64
    assert Layer.pool(C=8, P=4, Q=4, R=2, S=2).macs == 0
    assert Layer.eltwise(C=8, P=4, Q=4, operands=3).input_elements == 3 * 8 * 16
    assert not Layer.eltwise(C=8, P=4, Q=4).has_weights


def test_transposed_convolution_scatters_each_input_to_every_tap():
    # 2x2 kernel, stride 2: every input element meets every weight once
    up = Layer.transposed(K=64, C=128, P_in=7, Q_in=5, R=2, S=2)
    assert up.macs == 7 * 5 * 128 * 64 * 4
    assert (up.output_elements, up.input_elements) == (64 * 14 * 10, 128 * 35)
    # 3x3, stride 2 has taps of 2, 1 rows in its phases; the nest rounds them up to 2
    assert Layer.transposed(K=1, C=1, P_in=4, Q_in=4, R=3, S=3).macs == 16 * 4 * 4
    grouped = Layer.transposed(K=4, C=8, P_in=4, Q_in=4, R=2, S=4, G=2, stride=(2, 4))
    assert (grouped.G, grouped.K, grouped.C, grouped.R, grouped.S) == (2, 32, 8, 1, 1)


def test_name_takes_no_part_in_equality():
    assert Layer(K=3, name="a") == Layer(K=3, name="b")
    assert len({Layer(K=3, name="a"), Layer(K=3, name="b"), Layer(K=4)}) == 2


def test_numpy_integers_are_whole_numbers():
    layer = Layer(K=np.int64(3), stride=np.int32(2), dilation=(np.uint8(1), 1))
    assert layer == Layer(K=3, stride=2)
    assert type(layer.K) is type(layer.stride[0]) is type(layer.dilation[0]) is int


@pytest.mark.parametrize(
    "bad", [0, -1, 1.0, True, None, "3", np.True_, np.float64(2), MAX_SIZE + 1, [3]], ids=repr
)
@pytest.mark.parametrize("dim", DIMS)
def test_sizes_must_be_whole_and_positive(dim, bad):
    with pytest.raises(AccelsimError, match=f"{dim} must be a whole number from 1 to"):
        Layer(**{dim: bad})


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "layer must be an object"),
        ({"dim": {}}, "layer.dim: unknown key; did you mean 'dims'?"),
        ({"dims": [3]}, "layer.dims must be an object"),
        ({"dims": {"k": 3}}, "layer.dims.k: unknown dimension; known: N G K C P Q R S"),
        ({"dims": {"K": 0}}, "layer: K must be a whole number from 1 to 2147483647, but got 0"),
        ({"stride": [1]}, "layer: stride must be one whole number or two"),
        ({"stride": [1, 0]}, "layer: stride must be a whole number"),
        ({"dilation": "2"}, "layer: dilation must be one whole number or two"),
        ({"op": "convolution"}, "layer: op must be one of conv, gemm, pool, eltwise"),
        ({"op": ["conv"]}, "layer: op must be one of"),
        ({"name": 3}, "layer.name must be a string"),
    ],
)
def test_bad_json_names_the_place(data, message):
    with pytest.raises(AccelsimError) as caught:
        Layer.from_dict(data)
    assert message in str(caught.value)


LIMIT = 2**53
TOO_MANY = r"may be at most 2\^53, so that every count is exact, but come to "


def test_iterations_end_where_counts_stop_being_exact():
    assert Layer(K=2**30, C=2**23).points == LIMIT
    fits = Layer(N=2**23, K=2**15, C=2**15, name="a")
    for make in (
        lambda: Layer(K=2**30, C=2**23 + 1),
        lambda: Layer.gemm(M=2**30, N=2**30, K=81),
        lambda: Layer.conv2d(K=2**20, C=2**20, P=2**10, Q=2**10),
        lambda: Layer.depthwise(C=2**20, P=2**20, Q=2**20),
        lambda: Layer.pool(C=2**20, P=2**20, Q=2**20, R=1, S=1),
        lambda: Layer.eltwise(C=2**20, P=2**20, Q=2**20),
        lambda: Layer.transposed(K=2**28, C=2**24, P_in=1, Q_in=1, R=2, S=2),
        lambda: replace(fits, N=2**25),
        lambda: parse_layer("op=gemm P=1073741824 K=1073741824 C=81"),
        lambda: Layer.from_dict({"dims": {"K": 2**30, "C": 2**24}}),
        lambda: accelsim.Network.from_layers("n", [fits, Layer(K=2)]),
        lambda: accelsim.load_network("resnet18", batch=2**30),
        lambda: accelsim.load_network("resnet18", batch=2**23),
        lambda: accelsim.load_network("bert_base", batch=2**20),
    ):
        with pytest.raises(AccelsimError, match=TOO_MANY):
            make()
    with pytest.raises(AccelsimError, match=r"^resnet18 does not admit batch 8388608: ") as caught:
        accelsim.load_network("resnet18", batch=2**23)
    assert "resolution" not in str(caught.value)
