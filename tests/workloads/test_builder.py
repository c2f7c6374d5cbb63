import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.errors import AccelsimError
from accelsim.workloads import Layer, Network, NetworkBuilder
from accelsim.workloads.network import INPUT, Edge
from accelsim.workloads.tensor import Tensor


def builder(channels=8, height=10, width=12, batch=1):
    return NetworkBuilder("net", channels, height, width, batch)


def test_small_residual_network_by_hand():
    b = builder(batch=2)
    x = b.conv(b.input, 16, 3, 2, name="conv")
    y = b.depthwise(x, 3, name="dw")
    y = b.conv(y, 16, 1, bias=True, bn=False, name="pw")
    x = b.add(x, y, name="add")
    b.linear(b.global_pool(x, name="pool"), 10, name="fc")
    net = b.build()
    assert net.layers == (
        Layer.conv2d(N=2, K=16, C=8, P=5, Q=6, R=3, S=3, stride=2),
        Layer.depthwise(N=2, C=16, P=5, Q=6),
        Layer.conv2d(N=2, K=16, C=16, P=5, Q=6),
        Layer.eltwise(N=2, C=16, P=5, Q=6, operands=2),
        Layer.pool(N=2, C=16, P=1, Q=1, R=5, S=6),
        Layer(N=2, K=10, C=16, op="gemm"),
    )
    assert net.names == ("conv", "dw", "pw", "add", "pool", "fc")
    size = 2 * 16 * 30
    assert net.edges == (
        Edge(INPUT, 0, 2 * 8 * 120),
        Edge(0, 1, size),
        Edge(1, 2, size),
        Edge(0, 3, size),
        Edge(2, 3, size),
        Edge(3, 4, size),
        Edge(4, 5, 32),
    )
    assert net.outputs == (5,)
    assert net.weights == 16 * 8 * 9 + 16 * 9 + 16 * 16 + 160
    assert net.params == net.weights + 32 + 32 + 16 + 10
    assert [e.consumer for e in net.consumers_of[0]] == [1, 3]
    assert list(net.graph.successors("conv")) == ["dw", "add"]
    assert net.graph.nodes["conv"]["input_elements"] == 1920
    assert net.graph.edges["pool", "fc"]["elements"] == 32


def test_views_cost_nothing_and_keep_the_producers():
    b = builder()
    left, right = b.conv(b.input, 4, 1, name="left"), b.conv(b.input, 12, 1, name="right")
    x = b.concat([left, right])
    first, second = b.split(x, [6, 10])
    b.conv(first, 1, 1, name="a")
    b.conv(b.crop(second, 5, 6), 1, 1, name="b")
    b.linear(b.flatten(x), 3, name="c")
    net = b.build()
    assert [
        (net.names[e.producer], net.names[e.consumer], e.elements) for e in net.edges if e.producer >= 0
    ] == [
        ("left", "a", 4 * 120),
        ("right", "a", 2 * 120),
        ("right", "b", 10 * 30),
        ("left", "c", 4 * 120),
        ("right", "c", 12 * 120),
    ]
    assert net.layers[-1].C == 16 * 120
    assert net.outputs == (2, 3, 4)


def test_squeeze_excite_reads_the_map_twice_and_its_factors_once():
    b = builder(channels=16, height=4, width=4)
    b.squeeze_excite(b.conv(b.input, 16, 1, name="conv"), 4, name="se")
    net = b.build()
    assert net.names == ("conv", "se.pool", "se.reduce", "se.expand", "se.scale")
    assert net.layers[4] == Layer.scale(C=16, P=4, Q=4)
    assert net.inputs_of[4] == (Edge(0, 4, 256, "I"), Edge(3, 4, 16, "W"))
    assert (net.layers[4].input_elements, net.layers[4].weight_elements) == (256, 16)
    assert net.params_of[2:4] == (16 * 4 + 4, 4 * 16 + 16)


def test_matrix_product_of_activations():
    b = NetworkBuilder("net", 64, 10, 1, batch=3)
    q, k = b.linear(b.input, 64), b.linear(b.input, 64)
    scores = b.matmul(q, k, groups=4, M=10, N=10, K=16)
    net = b.build()
    assert scores[:3] == (40, 10, 1)
    assert net.layers[2] == Layer.gemm(batch=12, M=10, N=10, K=16)
    assert net.inputs_of[2] == (Edge(0, 2, 3 * 640, "I"), Edge(1, 2, 3 * 640, "W"))
    assert net.weights == 2 * 64 * 64


def test_transposed_convolution():
    b = builder()
    x = b.upconv(b.input, 4, 2, 2)
    assert x[:3] == (4, 20, 24)
    x = b.upconv(b.input, 4, 3, 2, padding=1, output_padding=1)
    assert x[:3] == (4, 20, 24)
    net = b.build()
    assert net.names == ("upconv1", *(f"upconv2.phase{j}" for j in range(4)))
    assert net.weights_of == (8 * 4 * 4, *(8 * 4 * taps for taps in (4, 2, 2, 1)))
    assert net.weights == 8 * 4 * 4 + 8 * 4 * 9
    assert net.macs == 10 * 12 * 8 * 4 * (4 + 9)
    assert net.params_of[1] == 8 * 4 * 9 + 4
    assert Network.from_dict(net.to_dict()) == net


def test_an_unpadded_transposed_convolution_does_inputs_times_taps():
    b = builder()
    x = b.upconv(b.input, 4, 3, 2)
    assert x[:3] == (4, 21, 25)
    net = b.build(x)
    assert net.macs == 10 * 12 * 8 * 4 * 9
    assert net.weights == 8 * 4 * 9


@given(
    size=st.integers(1, 40), kernel=st.integers(1, 7), stride=st.integers(1, 4),
    pad=st.integers(0, 3), ceil=st.booleans(),
)  # fmt: skip
def test_pooling_windows_equal_enumeration(size, kernel, stride, pad, ceil):
    pad = min(pad, kernel // 2)  # as PyTorch demands
    # A window counts if it fits. With ceil_mode it counts if there is anything left for it, and it starts
    # within the input or its leading padding.
    whole = size + 2 * pad
    starts = range(0, whole, stride)
    if ceil:
        want = sum(i < size + pad and i - stride + kernel < whole for i in starts)
    else:
        want = sum(i + kernel <= whole for i in starts)
    b = builder(height=size, width=size)
    if want:
        assert b.pool(b.input, kernel, stride, pad, ceil).height == want
    else:
        with pytest.raises(AccelsimError, match="too small"):
            b.pool(b.input, kernel, stride, pad, ceil)


@given(size=st.integers(1, 40), kernel=st.integers(1, 7), pad=st.integers(0, 3), dilation=st.integers(1, 3))
def test_too_small_an_input_is_told_the_smallest_that_works(size, kernel, pad, dilation):
    b = builder(height=size, width=size)
    try:
        b.conv(b.input, 4, kernel, padding=pad, dilation=dilation)
    except AccelsimError as fault:
        least = int(str(fault).rsplit("x", 1)[1])
        assert least > size
        b = builder(height=least, width=least)
        assert b.conv(b.input, 4, kernel, padding=pad, dilation=dilation).height == 1


CASES = [
    (
        lambda b: b.conv(b.input, 4, 11, padding=0, name="c"),
        "layer 'c': input 10x12 is too small for kernel 11x11, stride 1x1, padding 0x0; "
        "the smallest input that works is 11x11",
    ),
    (lambda b: b.pool(b.input, 13, 2, name="p"), "layer 'p': input 10x12 is too small for kernel 13x13"),
    (lambda b: b.conv(b.input, 4, 3, groups=3), "groups must divide the channels, but got 3 groups, 8 input"),
    (lambda b: b.conv(b.input, 4, 0), "layer 'conv1': kernel must be a whole number from 1"),
    (lambda b: b.conv(b.input, 0, 1), "K must be a whole number from 1"),
    (lambda b: b.conv(b.input, 4, 3, padding=-1), "layer 'conv1': padding must be a whole number from 0"),
    (lambda b: b.upconv(b.input, 4, 2, 2, padding=12), "layer 'upconv1': input 10x12 is too small"),
    (lambda b: b.upconv(b.input, 4, 2, groups=3), "layer 'upconv1': groups must divide"),
    (lambda b: b.add(b.input, b.conv(b.input, 8, 1, 2)), "layer 'add1': cannot combine 8x10x12 and 8x5x6"),
    (lambda b: b.multiply(b.input, b.conv(b.input, 8, 1, 2)), "or one value for each of 8 channels"),
    (lambda b: b.concat([b.input, b.conv(b.input, 8, 1, 2)]), "cannot concatenate 8x10x12 and 8x5x6"),
    (lambda b: b.split(b.input, [3, 4]), "cannot split 8 channels into [3, 4]"),
    (lambda b: b.crop(b.input, 11, 1), "cannot crop 8x10x12 to 11x1"),
    (lambda b: b.reshape(b.input, 1, 1, 1), "cannot reshape 8x10x12 to 1x1x1: 960 and 1 elements"),
    (lambda b: b.matmul(b.input, b.input, groups=1, M=1, N=1, K=1), "left factor needs 1 elements"),
    (
        lambda b: [b.conv(b.input, 8, 1, name="x") for _ in "ab"],
        "must be unique, but 'x' is taken by layer 0",
    ),
    (lambda b: b.conv(b.input, 8, 1, name="input"), "'input' stands for the outside world"),
    (lambda b: b.build(), "has no layers"),
    (lambda b: NetworkBuilder("n", 3, 0, 4), "network 'n': height must be a whole number from 1"),
    (lambda b: NetworkBuilder("n", 3, 4, 4, batch=0), "network 'n': batch must be a whole number from 1"),
]


@pytest.mark.parametrize(("call", "message"), CASES, ids=[c[1][:40] for c in CASES])
def test_faults_name_the_layer_and_the_sizes(call, message):
    with pytest.raises(AccelsimError) as caught:
        call(builder())
    assert message in str(caught.value)


def test_automatic_names_avoid_given_ones():
    b = builder()
    b.conv(b.input, 8, 1, name="conv1")
    b.conv(b.input, 8, 1)
    b.conv(b.input, 8, 1)
    assert b.build().names == ("conv1", "conv2", "conv3")


def test_output_handles_choose_the_outputs():
    b = builder()
    x = b.conv(b.input, 8, 1)
    y = b.conv(x, 8, 1)
    assert b.build(x, y).outputs == (0, 1)
    assert b.build().outputs == (1,)
    assert isinstance(x, Tensor)


def test_building_is_quick():
    def sixty_layers():
        b = builder(channels=3, height=224, width=224)
        x = b.conv(b.input, 16, 3, 2)
        for _ in range(15):
            x = b.add(x, b.conv(b.depthwise(b.conv(x, 64, 1), 5), 16, 1))
        return b.build()

    def seconds():
        start = time.perf_counter()
        sixty_layers()
        return time.perf_counter() - start

    assert len(sixty_layers().layers) == 61
    assert min(seconds() for _ in range(20)) < 5e-3  # about 0.6 ms on an idle core
