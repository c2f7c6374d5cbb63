import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.errors import AccelsimError
from accelsim.workloads import Layer, Network, NetworkBuilder, load_network, network_names
from accelsim.workloads.network import INPUT, Edge

CHAIN = {
    "version": 1,
    "name": "tiny",
    "layers": [
        {"op": "conv", "dims": {"K": 8, "C": 3, "P": 8, "Q": 8, "R": 3, "S": 3}, "name": "a"},
        {"op": "pool", "dims": {"G": 8, "P": 4, "Q": 4, "R": 2, "S": 2}, "stride": [2, 2]},
        {"op": "gemm", "dims": {"K": 10, "C": 128}, "name": "fc"},
    ],
}


def changed(path, value):
    """CHAIN with one value replaced (or removed, for `del`)."""
    data = json.loads(json.dumps(CHAIN))
    place = data
    for key in path[:-1]:
        place = place[key]
    if value == "del":
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return data


def inputs(value, layer=2):
    return changed(["layers", layer, "inputs"], value)


def test_plain_chain():
    net = Network.from_dict(CHAIN)
    assert net.names == ("a", "layer_1", "fc")
    assert net.edges == (Edge(INPUT, 0, 300), Edge(0, 1, 512), Edge(1, 2, 128))
    assert (net.input_shape, net.batch, net.outputs) == ((3, 10, 10), 1, (2,))
    assert net.macs == 8 * 3 * 64 * 9 + 1280
    assert net.weights == net.params == 8 * 3 * 9 + 1280
    assert Network.from_layers("tiny", [Layer.from_dict(x) for x in CHAIN["layers"]]) == net


def test_chain_edges_carry_no_more_than_the_consumer_touches():
    net = Network.from_layers("n", [Layer(K=8, P=8, Q=8), Layer(K=8, C=8, P=4, Q=4)])
    assert net.edges[1].elements == 8 * 16


def test_from_layers_makes_names_unique():
    layers = [Layer(K=2, name="x"), Layer(K=2, name="x"), Layer(K=2), Layer(K=2, name="x_1")]
    assert Network.from_layers("n", layers).names == ("x", "x_1_", "layer_2", "x_1")


@pytest.mark.parametrize("name", network_names())
def test_json_form_reads_back(name):
    net = load_network(name, batch=2)
    data = json.loads(json.dumps(net.to_dict()))
    assert Network.from_dict(data) == net
    assert Network.from_dict(data).names == net.names
    assert load_network(data) == net


def test_branches_in_json():
    data = changed(
        ["layers", 2, "inputs"],
        [{"from": "a", "elements": 64}, {"from": "layer_1"}, {"from": "input", "elements": 5}],
    )
    data["layers"][1]["name"] = "layer_1"
    data |= {"outputs": ["a", "fc"], "batch": 1, "input_shape": [3, 8, 8], "notes": ["made by hand"]}
    net = Network.from_dict(data)
    assert net.inputs_of[2] == (Edge(0, 2, 64), Edge(1, 2, 128), Edge(INPUT, 2, 5))
    assert net.outputs == (0, 2)
    assert net.input_shape == (3, 8, 8)
    assert net.notes == ("made by hand",)
    assert Network.from_dict(net.to_dict()) == net


@pytest.mark.parametrize("shape", [[3, 6, 6], [3, 8, 8], [3, 10, 10]])
def test_input_shapes_that_padding_explains(shape):
    assert Network.from_dict(changed(["input_shape"], shape)).input_shape == tuple(shape)


def test_pooling_may_leave_rows_over():
    layers = [{"op": "pool", "dims": {"G": 8, "P": 4, "Q": 4, "R": 2, "S": 2}, "stride": [2, 2]}]
    assert Network.from_dict({"layers": layers, "input_shape": [8, 9, 8]}).input_shape == (8, 9, 8)
    with pytest.raises(AccelsimError, match=r"input_shape\[1\] is 10, .* span 8"):
        Network.from_dict({"layers": layers, "input_shape": [8, 10, 8]})


def test_matrix_products_hold_the_batch_elsewhere():
    first = {"op": "gemm", "dims": {"N": 4, "K": 8, "C": 8, "P": 5}, "name": "q"}
    for sizes in ({"G": 12, "P": 5}, {"P": 20}):
        net = Network.from_dict({"layers": [first, {"op": "gemm", "dims": {"K": 8, "C": 8, **sizes}}]})
        assert net.batch == 4
    with pytest.raises(AccelsimError, match=r"layers\[1\]\.dims\.N is 1, but the batch is 4"):
        Network.from_dict({"layers": [first, {"op": "gemm", "dims": {"K": 8, "C": 8, "P": 5}}]})


@pytest.mark.parametrize("shape", [[192, 1, 1], [3, 8, 8], [64, 3, 1], [12, 2, 2], [6, 9, 9]])
def test_matrix_products_flatten_or_unfold_the_input(shape):
    data = {"layers": [{"op": "gemm", "dims": {"K": 8, "C": 192}}], "input_shape": shape}
    assert Network.from_dict(data).input_shape == tuple(shape)
    data["input_shape"] = [5, 8, 8]
    with pytest.raises(AccelsimError, match=r"input_shape is \[5, 8, 8\], but layer 'layer_0' reads 192"):
        Network.from_dict(data)


def test_windows_counted_as_inputs():
    """What an importer writes of attention in windows: 49 a picture, each an input of its own."""
    conv = {"op": "conv", "dims": {"N": 98, "K": 8, "C": 3}, "inputs": [{"from": "input", "elements": 294}]}
    assert Network.from_dict({"batch": 2, "layers": [conv]}).layers[0].N == 98
    conv["dims"]["N"] = 97
    with pytest.raises(AccelsimError, match=r"layers\[0\]\.dims\.N is 97, but the batch is 2"):
        Network.from_dict({"batch": 2, "layers": [conv]})


def test_activations_in_the_place_of_weights_are_no_weights():
    inputs = [{"from": "a", "elements": 128}, {"from": "layer_1", "operand": "W"}]
    data = changed(["layers", 2, "inputs"], inputs)
    data["layers"][1]["name"] = "layer_1"
    net = Network.from_dict(data)
    assert net.weights_of == (216, 0, 0)
    assert net.params == 216


def test_distinct_layers_in_order_of_appearance():
    a, b = Layer(K=2), Layer(K=3)
    net = Network.from_layers("n", [b, a, replace(b, name="again")])
    assert list(net.distinct_layers().items()) == [(b, 2), (a, 1)]


BAD = [
    ([], "network must be an object"),
    ({"version": 1}, "network.layers must be a list of at least one layer, but got None"),
    ({"layers": []}, "network.layers must be a list of at least one layer, but got []"),
    ({"layer": []}, "network.layer: unknown key; did you mean 'layers'?"),
    (changed(["version"], 2), "network.version must be 1, but got 2"),
    (changed(["version"], True), "network.version must be 1, but got True"),
    (changed(["name"], 3), "network.name must be a string"),
    (changed(["batch"], 0), "network.batch must be a whole number from 1"),
    (changed(["batch"], 2**31), "network.batch must be a whole number from 1 to 2147483647"),
    (changed(["batch"], 2), "layers[0].dims.N is 1, but the batch is 2"),
    (changed(["layers", 1, "dims", "N"], 2), "layers[1].dims.N is 2, but the batch is 1"),
    (changed(["layers", 0, "dims", "N"], 4), "layers[1].dims.N is 1, but the batch is 4"),
    (changed(["input_shape"], [4, 8, 8]), "network.input_shape[0] is 4, but layer 'a' reads 3 channels"),
    (changed(["input_shape"], [3, 8, 11]), "network.input_shape[2] is 11, but the windows of layer 'a' span"),
    (changed(["input_shape"], [3, 5, 8]), "network.input_shape[1] is 5, but the windows of layer 'a' span"),
    (inputs([]), "layers[2].inputs must name at least one input, but is empty"),
    (inputs([], 0), "layers[0].inputs must name at least one input, but is empty"),
    (changed(["input_shape"], [3, 8]), "network.input_shape must be [channels, height, width]"),
    (changed(["input_shape"], [3, 8, 0]), "network.input_shape[2] must be a whole number"),
    (changed(["outputs"], ["fcc"]), "network.outputs[0]: no layer 'fcc'; did you mean 'fc'?"),
    (changed(["outputs"], []), "network.outputs must name at least one layer"),
    (changed(["outputs"], "fc"), "network.outputs must be a list"),
    (changed(["notes"], [1]), "network.notes[0] must be a string"),
    (changed(["layers", 0], 5), "layers[0] must be an object"),
    (changed(["layers", 0, "dims", "K"], 0), "layers[0]: K must be a whole number from 1 to 2147483647"),
    (changed(["layers", 0, "dims", "K"], 2**31), "layers[0]: K must be a whole number"),
    (changed(["layers", 0, "dims", "K"], float("nan")), "layers[0]: K must be a whole number"),
    (changed(["layers", 0, "dims", "X"], 1), "layers[0].dims.X: unknown dimension; known: N G K C P Q R S"),
    (changed(["layers", 1, "strides"], [2, 2]), "layers[1].strides: unknown key; did you mean 'stride'?"),
    (changed(["layers", 1, "op"], "maxpool"), "layers[1]: op must be one of"),
    (changed(["layers", 2, "name"], "a"), "layers[2].name: 'a' is taken by layers[0]"),
    (changed(["layers", 2, "name"], "input"), "layers[2].name: 'input' stands for the outside world"),
    (changed(["layers", 2, "weights"], -1), "layers[2].weights must be a whole number from 0"),
    (changed(["layers", 2, "params"], 1.5), "layers[2].params must be a whole number from 0"),
    (inputs({}), "layers[2].inputs must be a list"),
    (inputs(["a"]), "layers[2].inputs[0] must be an object"),
    (inputs([{}]), "layers[2].inputs[0].from must be a string"),
    (inputs([{"from": "b"}]), "layers[2].inputs[0].from: no layer 'b'"),
    (inputs([{"from": "fc"}], 0), "layer 0 ('a') cannot read layer 2 ('fc')"),
    (inputs([{"from": "fc"}]), "layer 2 ('fc') cannot read layer 2 ('fc')"),
    (inputs([{"from": "a", "elements": 513}]), "inputs[0].elements is 513, but 'a' makes only 512"),
    (inputs([{"from": "a", "elements": 0}]), "inputs[0].elements must be a whole number from 1"),
    (inputs([{"from": "a", "operand": "O"}]), 'inputs[0].operand must be "I" or "W", but got \'O\''),
    (inputs([{"from": "a", "operand": "W"}], 1), "a layer with op 'pool' has no weights"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "message"), BAD, ids=[m[:50] for _, m in BAD])
def test_bad_json_names_place_and_values(data, message):
    with pytest.raises(AccelsimError) as caught:
        Network.from_dict(data)
    assert message in str(caught.value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
PLACES = [
    ["version"], ["name"], ["layers"], ["batch"], ["input_shape"], ["outputs"], ["notes"], ["layers", 0],
    ["layers", 1, "op"], ["layers", 1, "dims"], ["layers", 1, "stride"], ["layers", 1, "dilation"],
    ["layers", 1, "name"], ["layers", 1, "inputs"], ["layers", 1, "weights"], ["layers", 1, "params"],
    ["layers", 1, "dims", "K"], ["layers", 1, "dims", "N"],
]  # fmt: skip


@given(json_values)
def test_anything_else_is_an_error_and_no_crash(data):
    with pytest.raises(AccelsimError):
        Network.from_dict(data)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(PLACES), json_values | st.integers(1, 4)), min_size=1, max_size=3))
def test_damaged_networks_read_or_are_an_error(damage):
    data = CHAIN
    for path, value in damage:
        try:
            data = changed(path, value) if data is CHAIN else {**data, path[0]: value}
        except (KeyError, TypeError):
            continue
    try:
        net = Network.from_dict(data)
    except AccelsimError:
        return
    assert Network.from_dict(net.to_dict()) == net
    assert net.graph.number_of_nodes() == len(net.layers)


def test_network_checks_what_code_hands_it():
    net = Network.from_dict(CHAIN)
    for change, message in (
        ({"layers": ()}, "has no layers"),
        ({"layers": (net.layers[0],) * 3}, "'a' comes twice"),
        ({"edges": (Edge(2, 1, 5),)}, "edge 2 -> 1 with 5 elements"),
        ({"edges": (Edge(0, 1, 0),)}, "carry data"),
        ({"edges": (Edge(0, 2, 5), Edge(0, 1, 5))}, "in the order of their consumers"),
        ({"outputs": ()}, "must be layers 0 to 2"),
        ({"outputs": (3,)}, "must be layers 0 to 2"),
        ({"weights_of": (1,)}, "one entry a layer"),
    ):
        with pytest.raises(AccelsimError) as caught:
            replace(net, **change)
        assert message in str(caught.value)


def test_a_tensor_has_one_width() -> None:
    """Refused by name, however it comes about; what only one layer says is no contradiction."""
    net = load_network("lenet5")
    data = net.to_dict()
    first, second = data["layers"][:2]
    first["bits"], second["bits"] = {"output": 4}, {"input": 8}
    rule = (
        f"network 'lenet5': a tensor has one width, but '{first['name']}' writes its result in 4 bits and "
        f"'{second['name']}' reads it in 8; say the same in both"
    )
    with pytest.raises(AccelsimError, match=rule):
        load_network(data)
    with pytest.raises(AccelsimError, match="writes its result in 8 bits and 'pool1' reads it in 4"):
        net.with_bits(4, 4, 8)
    second["bits"] = {"input": 4}
    assert load_network(data).layers[1].bits.input == 4
    del first["bits"]
    assert load_network(data).layers[1].bits.input == 4


def test_activations_as_weights_have_one_width_too() -> None:
    b = NetworkBuilder("n", 8, 4, 4)
    b.precision(output=4)
    x = b.conv(b.input, 8, 1, name="a")
    b.precision(weight=8)
    with pytest.raises(AccelsimError, match="'a' writes its result in 4 bits and 'b' reads it in 8"):
        b.build(b.matmul(x, x, groups=1, M=8, N=8, K=16, name="b"))
