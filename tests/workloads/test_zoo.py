"""Shipped networks against published counts, and the resolutions and batches that they admit."""

import csv

import networkx as nx
import pytest

from accelsim.errors import AccelsimError
from accelsim.workloads import load_network, network_names
from accelsim.workloads.zoo import ALIASES, MODELS

# Name and resolution: layers with weights, MACs, MACs of convolutions, weights, parameters.
# Parameters are the `num_params` of torchvision's weights (alexnet, vgg, resnet18 to 50, googlenet,
# squeezenet, mobilenet_v2, mnasnet1_0), Caffe's bvlc_alexnet and bvlc_googlenet, Keras' MobileNet 1.0
# (4,231,976), timm's semnasnet_100 (3.89 M) and the usual 61,706 of LeNet-5; U-Net's are quoted as 31.0 M.
# AlexNet's 666 M convolution MACs: Chen et al., JSSC 2017. MobileNetV1's 569 M: Howard et al. 2017. See OPS
# for torchvision's own MACs; the last digits follow from the layers' sizes.
COUNTS = {
    ("alexnet", None): (8, 714188480, 655566528, 61090496, 61100840),
    ("alexnet_grouped", None): (8, 724406816, 665784864, 60954656, 60965224),
    ("vgg16", None): (16, 15470264320, 15346630656, 138344128, 138357544),
    ("vgg19", None): (19, 19632062464, 19508428800, 143652544, 143667240),
    ("resnet18", None): (21, 1814073344, 1813561344, 11678912, 11689512),
    ("resnet34", None): (37, 3663761408, 3663249408, 21779648, 21797672),
    ("resnet50", None): (54, 4089184256, 4087136256, 25502912, 25557032),
    ("resnet50_v1", None): (54, 3857973248, 3855925248, 25502912, 25557032),
    ("resnet50", 299): (54, 7627668224, 7625620224, 25502912, 25557032),
    ("resnet50_v1", 299): (54, 7211875072, 7209827072, 25502912, 25557032),
    ("googlenet", None): (58, 1498376192, 1497352192, 6609344, 6624904),
    ("googlenet_v1", None): (58, 1582671872, 1581647872, 6990272, 6998552),
    ("squeezenet1_0", None): (26, 818924576, 818924576, 1244448, 1248424),
    ("squeezenet1_1", None): (26, 349151936, 349151936, 1231552, 1235496),
    ("mobilenet_v1", None): (28, 568740352, 567716352, 4209088, 4231976),
    ("mobilenet_v2", None): (53, 300774272, 299494272, 3469760, 3504872),
    ("mnasnet_a1", None): (66, 311579072, 310299072, 3848312, 3887038),
    ("mnasnet_b1", None): (53, 314415872, 313135872, 4344392, 4383312),
    ("unet", None): (23, 150428424448, 150428424448, 31023808, 31030658),
    ("lenet5", None): (5, 416520, 357600, 61470, 61706),
}

# torchvision's weights metadata: GMACs (`_ops`) and the smallest input (`min_size`)
OPS = {
    "alexnet": 0.714, "vgg16": 15.47, "vgg19": 19.632, "resnet18": 1.814, "resnet34": 3.664,
    "resnet50": 4.089, "googlenet": 1.498, "squeezenet1_0": 0.819, "squeezenet1_1": 0.349,
    "mobilenet_v2": 0.301, "mnasnet_b1": 0.314, "vit_b16": 17.564,
}  # fmt: skip
SMALLEST = {
    "alexnet": 63, "googlenet": 15, "vgg16": 32, "vgg19": 32, "squeezenet1_0": 21, "squeezenet1_1": 17,
    "resnet18": 1, "resnet34": 1, "resnet50": 1, "mobilenet_v2": 1, "mnasnet_b1": 1,
}  # fmt: skip

REFERENCE = {
    "AlexNet (Caffe, groups=2, 227x227)": ("alexnet_grouped", None),
    "AlexNet (torchvision, no groups, 224x224)": ("alexnet", None),
    "VGG16": ("vgg16", None),
    "VGG19": ("vgg19", None),
    "ResNet50 v1.5 (torchvision, stride in 3x3)": ("resnet50", None),
    "ResNet50 v1 (original, stride in 1x1)": ("resnet50_v1", None),
    "ResNet50 v1 @299x299 (Coral benchmark input)": ("resnet50_v1", 299),
    "ResNet50 v1.5 @299x299": ("resnet50", 299),
    'GoogLeNet (torchvision: "5x5" branch uses 3x3, BN)': ("googlenet", None),
    "GoogLeNet / Inception v1 (original 5x5, no BN)": ("googlenet_v1", None),
    "SqueezeNet 1.0": ("squeezenet1_0", None),
    "SqueezeNet 1.1": ("squeezenet1_1", None),
    "MobileNetV1 1.0 224": ("mobilenet_v1", None),
    "MobileNetV2 1.0 224": ("mobilenet_v2", None),
    "MnasNet-B1 1.0 (torchvision mnasnet1_0)": ("mnasnet_b1", None),
    "MnasNet-A1 1.0 (timm semnasnet_100)": ("mnasnet_a1", None),
    "U-Net original (572x572x1 -> 388x388x2, valid conv)": ("unet", None),
}


def counts(network):
    products = [x for x in network.layers if x.multiplies]
    conv = sum(x.macs for x in products if x.op == "conv")
    return len(products), network.macs, conv, network.weights, network.params


@pytest.mark.parametrize(("name", "resolution"), COUNTS, ids=lambda x: str(x or ""))
def test_counts_equal_published_ones(name, resolution):
    assert counts(load_network(name, resolution=resolution)) == COUNTS[name, resolution]


def test_counts_equal_reference_file(shared_dir):
    with (shared_dir / "reference/silicon/networks_checksums.csv").open() as file:
        rows = {row["network"]: row for row in csv.DictReader(file) if row["macs_total"]}
    assert set(rows) == set(REFERENCE)
    for title, row in rows.items():
        name, resolution = REFERENCE[title]
        layers, macs, conv, weights, params = counts(load_network(name, resolution=resolution))
        assert [layers, macs, conv, weights] == [
            int(row[k]) for k in ("layers_conv_fc", "macs_total", "macs_conv_only", "weights_no_bias_bn")
        ], title
        if row["params_total"]:
            assert params == int(row["params_total"]), title


def test_vit_counts():
    # torchvision vit_b_16: 86,567,656 parameters. MACs by hand: patches, 12 blocks on 197 tokens, head.
    tokens, width = 14 * 14 + 1, 768
    block = tokens * width * (3 * width + width + 4 * width + 4 * width) + 2 * 12 * tokens * tokens * 64
    net = load_network("vit_b16")
    assert net.params == 86567656
    assert net.macs == 196 * (16 * 16 * 3) * width + 12 * block + width * 1000
    assert net.weights == (16 * 16 * 3) * width + 12 * width * 12 * width + width * 1000


@pytest.mark.parametrize("tokens", [1, 128, 512])
def test_bert_counts(tokens):
    # 109,482,240 parameters of bert-base-uncased: embeddings, 12 blocks, pooler.
    width = 768
    block = tokens * width * 12 * width + 2 * 12 * tokens * tokens * 64
    net = load_network("bert_base", resolution=tokens)
    assert net.params == 109482240
    assert net.macs == 12 * block + width * width
    assert load_network("bert_base").input_shape == (768, 128, 1)


@pytest.mark.parametrize("name", OPS)
def test_macs_equal_torchvision(name):
    assert round(load_network(name).macs / 1e9, 3) == OPS[name]


@pytest.mark.parametrize("name", SMALLEST)
def test_smallest_resolution_equals_torchvision(name):
    smallest = SMALLEST[name]
    assert load_network(name, resolution=smallest).input_shape == (3, smallest, smallest)
    if smallest > 1:
        hint = f"{name} does not admit.*the smallest resolution that works is {smallest}$"
        with pytest.raises(AccelsimError, match=hint):
            load_network(name, resolution=smallest - 1)


def test_unet_sizes_of_the_paper():
    net = load_network("unet")
    last = net.layers[net.outputs[0]]
    assert (last.K, last.P, last.Q) == (2, 388, 388)
    lowest = net.layers[net.names.index("bottom.conv2")]
    assert (lowest.K, lowest.P) == (1024, 28)
    with pytest.raises(AccelsimError, match="the nearest 572 and 588"):
        load_network("unet", resolution=580)


def test_adaptive_pooling_keeps_the_classifier():
    at_224, at_320 = load_network("vgg16"), load_network("vgg16", resolution=320)
    assert "avgpool" not in at_224.names
    pool = at_320.layers[at_320.names.index("avgpool")]
    assert (pool.P, pool.Q, pool.R, pool.S, pool.stride) == (7, 7, 4, 4, (1, 1))
    assert at_320.params == at_224.params


@pytest.mark.parametrize("name", network_names())
def test_batch_multiplies_work_and_traffic_but_not_weights(name):
    one, four = load_network(name), load_network(name, batch=4)
    assert four.macs == 4 * one.macs
    assert (four.weights, four.params, four.batch) == (one.weights, one.params, 4)
    assert [e.elements for e in four.edges] == [4 * e.elements for e in one.edges]


@pytest.mark.parametrize("name", network_names())
def test_is_one_connected_dag_whose_tensors_fit(name):
    net = load_network(name)
    assert nx.is_directed_acyclic_graph(net.graph)
    assert nx.is_weakly_connected(net.graph)
    assert list(nx.lexicographical_topological_sort(net.graph, key=net.names.index)) == list(net.names)
    assert len(net.outputs) == 1
    for edge in net.edges:
        if edge.producer >= 0:
            assert edge.elements <= net.layers[edge.producer].output_elements
    for i, layer in enumerate(net.layers):
        read = sum(e.elements for e in net.inputs_of[i] if e.operand == "I")
        if layer.op == "conv" and layer.stride == (
            1,
            1,
        ):  # the nest's inputs are the tensors and their padding
            assert layer.input_elements >= read
        if layer.op == "gemm":
            assert layer.input_elements == read
        assert read, layer.name
    assert sum(layer.macs * count for layer, count in net.distinct_layers().items()) == net.macs


def test_non_square_input():
    wide, tall = (load_network("mobilenet_v2", resolution=r) for r in ((128, 256), (256, 128)))
    assert wide.macs == tall.macs
    assert (wide.layers[0].P, wide.layers[0].Q) == (64, 128)


def test_names():
    assert network_names() == tuple(MODELS)
    assert not set(ALIASES) & set(MODELS)
    for spelled, name in (
        ("ResNet-50", "resnet50"),
        ("squeezenet1.1", "squeezenet1_1"),
        ("squeezenet", "squeezenet1_0"),
        ("mobilenetv2", "mobilenet_v2"),
        ("mnasnet", "mnasnet_a1"),
        ("googlenet_original", "googlenet_v1"),
    ):
        assert load_network(spelled).name == name


def test_residual_and_concatenation_edges():
    net = load_network("resnet18")
    add = net.inputs_of[net.names.index("layer1.0.add")]
    assert [(net.names[e.producer], e.elements) for e in add] == [
        ("layer1.0.conv2", 64 * 56 * 56),
        ("maxpool", 64 * 56 * 56),
    ]
    net = load_network("googlenet")
    reads = net.inputs_of[net.names.index("inception3b.1x1")]
    assert [(net.names[e.producer], e.elements // 784) for e in reads] == [
        ("inception3a.1x1", 64),
        ("inception3a.3x3", 128),
        ("inception3a.5x5", 32),
        ("inception3a.pool_proj", 32),
    ]


def test_attention_reads_activations_as_weights():
    net = load_network("bert_base")
    scores = net.names.index("block0.scores")
    assert [(net.names[e.producer], e.operand) for e in net.inputs_of[scores]] == [
        ("block0.query", "I"),
        ("block0.key", "W"),
    ]
    assert net.weights_of[scores] == 0 < net.layers[scores].weight_elements
