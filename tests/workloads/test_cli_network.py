"""`accelsim network`, and the sizes of ONNX files on the command line."""

import json

import pytest

from accelsim import load_network
from tests.command import run


@pytest.fixture(scope="module")
def cache_file(tmp_path_factory):
    pytest.importorskip("onnx")
    from tests.workloads.test_onnx_ops import Model

    folder = tmp_path_factory.mktemp("cli")
    m = Model(q=["b", 2, "s", 8], past=["b", 2, "p", 8])
    m.node("MatMul", ["q", m.node("Transpose", ["past"], "t", perm=[0, 1, 3, 2])], "y")
    m.node("Fancy", ["y"], "odd", domain="my.own")
    m.read(folder, dims={"s": 1, "p": 3}, allow_unknown=True)
    return str(folder / "m.onnx")


def test_network_shows_and_saves(cache_file, tmp_path, capsys):
    saved = tmp_path / "net.json"
    sizes = ("--dim", "s=2", "--input", "past=2x5x8", "--allow-unknown", "--batch", "3")
    code, out, _ = run(capsys, "network", cache_file, *sizes, "--save", str(saved))
    assert code == 0
    assert "batch 3, 480 MACs, 0 weights, 0 parameters" in out
    assert "336 elements come in, 60 leave from odd" in out
    assert "note: 1 my.own.Fancy not known, estimated as element-wise: 50.0 % of all elements made" in out
    assert load_network(saved).macs == json.loads(saved.read_text())["batch"] * 160


def test_evaluate_and_map_take_the_same_sizes(cache_file, capsys):
    sizes = ("--dim", "s=2", "--dim", "p=5", "--allow-unknown", "--mapper", "template")
    code, out, _ = run(capsys, "evaluate", "edgetpu", cache_file, *sizes, "--json")
    assert code == 0
    assert json.loads(out)["macs"] == 160
    assert run(capsys, "map", "edgetpu", cache_file, *sizes)[0] == 0


@pytest.mark.parametrize(
    ("words", "key", "made"),
    [
        (("compare", "edgetpu", "shidiannao", "FILE", "lenet5", "--mapper", "template"), "network", '"m"'),
        (("memory", "FILE"), "network", '"m"'),
        (("sweep", "edgetpu", "FILE", "--vary", "clock_mhz=500,1000", "--mapper", "template"), "macs", 160),
        (("evaluate", "edgetpu", "FILE", "--model", "maestro"), "macs", 160),
        (
            ("search", "edgetpu", "--network", "FILE", "--mapper", "template", "--evaluations", "4",
             "--population", "4", "--finish", "0", "--study", "STUDY"), "macs_count", 160.0,
        ),
    ],
    ids=lambda x: x[0] if isinstance(x, tuple) else "",
)  # fmt: skip
def test_every_verb_takes_the_same_sizes(words, key, made, cache_file, tmp_path, capsys):
    words = [{"FILE": cache_file, "STUDY": str(tmp_path / "a.study")}.get(w, w) for w in words]
    code, out, err = run(capsys, *words, "--dim", "s=2", "--input", "past=2x5x8", "--allow-unknown", "--json")
    assert code == 0, err
    assert f'"{key}": {made}' in out
    json.loads(out)
    code, _, err = run(capsys, *words, "--json")
    assert code == 2
    assert "'past'" in err or "'q'" in err


def test_a_sweep_takes_batch_and_resolution(capsys):
    words = (
        "sweep",
        "shidiannao",
        "squeezenet1_1",
        "--vary",
        "clock_mhz=500,1000",
        "--mapper",
        "template",
        "--json",
    )
    code, out, _ = run(capsys, *words, "--batch", "2", "--resolution", "64")
    assert code == 0
    assert f'"macs": {load_network("squeezenet1_1", batch=2, resolution=64).macs}' in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--dim", "s"), "--dim s: write a symbol and its size, as in --dim seq=128"),
        (("--dim", "s=two"), "--dim s=two: write a symbol"),
        (("--input", "2by3"), "--input 2by3: write a shape, as in 3x48x320 or mask=1x128"),
        (("--input", "=2x3"), "--input =2x3: write a shape"),
        (("--dim", "s=2"), "input 'past': axis 2 is symbolic (p); give resolution=, as in --dim p=..."),
        (("--dim", "s=2", "--dim", "p=5"), "operators not supported: 1 my.own.Fancy; --allow-unknown"),
    ],
)
def test_sizes_that_cannot_be_read(words, message, cache_file, capsys):
    code, _, err = run(capsys, "network", cache_file, *words)
    assert code == 2
    assert message in err


def test_sizes_are_for_onnx_files(capsys):
    code, _, err = run(capsys, "evaluate", "edgetpu", "lenet5", "--dim", "n=1")
    assert code == 2
    assert "lenet5: sizes by name, shapes of inputs and unknown operators are for .onnx files" in err
    code, _, err = run(capsys, "map", "edgetpu", "--layer", "K=4 C=4", "--dim", "n=1")
    assert code == 2
    assert "are for networks" in err


def test_network_says_what_is_read_whole_and_why(capsys):
    code, out, _ = run(capsys, "network", "bert_base", "--resolution", "16")
    assert code == 0
    assert (
        "no windows: the second factor of a product is read by every row: block0.scores reads all of "
        "block0.key, block0.context reads all of block0.value and 22 more"
    ) in out
