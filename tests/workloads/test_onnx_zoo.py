"""Every shipped convolutional network, written as ONNX and read back, is the same network."""

from dataclasses import replace

import pytest

from accelsim.workloads import load_network
from accelsim.workloads.zoo import MODELS
from tests.workloads.onnx_writer import OnnxWriter

pytest.importorskip("onnx")

CNNS = [n for n, m in MODELS.items() if n not in ("vit_b16", "bert_base")]


def export(name, path, batch=1, height=None, **symbolic):
    model = MODELS[name]
    size = (height, height) if height else (model.height, model.width)
    writer = OnnxWriter(name, model.channels, *size, batch)
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
