"""Every shipped convolutional network, written as ONNX and read back, is the same network."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from accelsim.workloads import load_network
from accelsim.workloads.zoo import MODELS

onnx = pytest.importorskip("onnx")

CNNS = [n for n, m in MODELS.items() if n not in ("vit_b16", "bert_base")]


def export(name, path, batch=1, **symbolic):
    from tests.workloads.onnx_writer import OnnxWriter

    model = MODELS[name]
    writer = OnnxWriter(name, model.channels, model.height, model.width, batch)
    writer.save(path, model.body(writer), **symbolic)


@pytest.mark.parametrize("name", CNNS)
def test_reads_back_the_same_layers_edges_and_parameters(name, tmp_path):
    path = tmp_path / f"{name}.onnx"
    export(name, path)
    read, built = load_network(path), load_network(name)
    assert read.layers == built.layers
    assert read.names == built.names
    assert read.edges == built.edges
    assert read.outputs == built.outputs
    assert read.weights_of == built.weights_of
    assert read.params_of == built.params_of
    assert (read.input_shape, read.batch) == (built.input_shape, built.batch)


@pytest.mark.parametrize("name", ["resnet18", "googlenet", "mnasnet_a1"])
def test_symbolic_batch_and_resolution_take_the_arguments(name, tmp_path):
    path = tmp_path / "net.onnx"
    export(name, path, batch="N", size=("H", "W"))
    read = load_network(path, batch=3, resolution=(160, 192))
    assert read == replace(load_network(name, batch=3, resolution=(160, 192)), name="net")


def own_models():
    """The networks that the onnx package carries for its tests, exported by others from other frameworks."""
    folder = Path(onnx.__file__).parent / "backend/test/data/light"
    if not folder.is_dir():
        pytest.skip("this onnx package carries no test models")
    return folder


@pytest.mark.parametrize(
    ("file", "name"),
    [("resnet50", "resnet50"), ("squeezenet", "squeezenet1_1"), ("vgg19", "vgg19")],
)
def test_models_of_the_onnx_package_equal_the_shipped_ones(file, name):
    read, built = load_network(own_models() / f"light_{file}.onnx"), load_network(name)
    assert (read.macs, read.weights, read.params) == (built.macs, built.weights, built.params)
    assert Counter(x for x in read.layers if x.has_weights) == Counter(
        x for x in built.layers if x.has_weights
    )


# Parameters: Caffe's bvlc_alexnet and bvlc_googlenet. GMACs: torchvision's densenet121 (2.834).
@pytest.mark.parametrize(
    ("file", "count", "value"),
    [
        ("bvlc_alexnet", lambda n: n.params, 60965224),
        ("inception_v1", lambda n: n.params, 6998552),
        ("densenet121", lambda n: round(n.macs / 1e9, 3), 2.834),
    ],
)
def test_models_of_the_onnx_package_have_published_counts(file, count, value):
    assert count(load_network(own_models() / f"light_{file}.onnx")) == value
