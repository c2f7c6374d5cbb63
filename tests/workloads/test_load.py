import builtins
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.errors import AccelsimError
from accelsim.workloads import Layer, Network, load_network
from accelsim.workloads.load import read_onnx

TINY = {"name": "tiny", "layers": [{"dims": {"K": 8, "C": 3, "P": 4, "Q": 4}}]}


@pytest.fixture(scope="module")
def onnx_bytes(tmp_path_factory):
    pytest.importorskip("onnx")
    from tests.workloads.onnx_writer import OnnxWriter

    path = tmp_path_factory.mktemp("onnx") / "small.onnx"
    b = OnnxWriter("small", 3, 16, 16)
    x = b.conv(b.input, 8, 3, 2, name="stem")
    y = b.squeeze_excite(b.depthwise(x, 3, name="dw"), 2, name="se")
    x = b.add(x, b.conv(y, 8, 1, name="pw"), name="add")
    x = b.linear(b.global_pool(x, name="pool"), 10, name="fc")
    b.save(path, x, batch="N", size=("H", "W"))
    load_network(path, resolution=16)
    return path.read_bytes()


def test_an_onnx_file_beyond_protobufs_limit_is_not_read(tmp_path) -> None:
    pytest.importorskip("onnx")
    path = tmp_path / "huge.onnx"
    with path.open("wb") as file:
        file.truncate(3 * 2**30)  # sparse: takes no space
    with pytest.raises(AccelsimError, match="at most 2 GiB"):
        load_network(path)


def test_every_kind_of_source(tmp_path, onnx_bytes):
    network = Network.from_dict(TINY)
    (tmp_path / "a.json").write_text(json.dumps(TINY))
    (tmp_path / "b.ONNX").write_bytes(onnx_bytes)
    assert load_network(network) is network
    assert load_network(TINY) == network
    assert load_network(tmp_path / "a.json") == network
    assert load_network(str(tmp_path / "a.json")) == network
    assert load_network(tmp_path / "b.ONNX", resolution=16).names[0] == "stem"
    assert load_network("resnet50").name == "resnet50"


def test_subnets_of_a_space():
    from accelsim.workloads.spaces import load

    encoding = "r128-d2.2.2.2.2-k33.33.33.33.33-e33.33.33.33.33"
    network = load_network(f"ofa_mbv3:{encoding}", batch=2)
    assert network == load("ofa_mbv3", encoding, 2)
    assert network.batch == 2
    with pytest.raises(AccelsimError, match="the resolution of a subnet is one whole number"):
        load_network(f"ofa_mbv3:{encoding}", resolution=(128, 160))


def test_batch_and_resolution_of_a_standing_network_can_only_be_confirmed():
    network = load_network("mobilenet_v2", batch=2, resolution=(96, 128))
    assert load_network(network, batch=2, resolution=(96, 128)) is network
    with pytest.raises(
        AccelsimError, match="'mobilenet_v2' stands already with batch 2; it cannot get batch 4"
    ):
        load_network(network, batch=4)
    with pytest.raises(
        AccelsimError, match="stands already with inputs of 96x128; it cannot get resolution 96"
    ):
        load_network(network, resolution=96)
    sequence = load_network("bert_base", resolution=64)
    assert load_network(sequence, resolution=64) is sequence


BAD = [
    ("resnet5", "no network 'resnet5'; did you mean 'resnet50'?"),
    ("", "no network ''; known: alexnet"),
    ("mobilnet_v2", "did you mean 'mobilenet_v2'?"),
    ("ofa_mbv4:x", "space: must be one of"),
    ("nets/tiny.txt", "a network file ends in .json, .onnx, .csv, .yaml, .yml, .m, but got .txt"),
    (Path("tiny"), "a network file ends in .json, .onnx, .csv, .yaml, .yml, .m, but got no suffix"),
    ("absent.json", "absent.json: cannot be read: No such file or directory"),
    (3, "a network is a name, a path, a dict or a Network, but got 3"),
    (None, "a network is a name, a path, a dict or a Network, but got None"),
    (Layer(), "a network is a name, a path, a dict or a Network, but got Layer("),
    ([Layer()], "a network is a name, a path, a dict or a Network"),
]


@pytest.mark.parametrize(("source", "message"), BAD, ids=[m[:40] for _, m in BAD])
def test_bad_sources(source, message):
    with pytest.raises(AccelsimError) as caught:
        load_network(source)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch": 0}, "resnet18: batch must be a whole number from 1 to 2147483647, but got 0"),
        ({"batch": 1.5}, "resnet18: batch must be a whole number"),
        ({"batch": True}, "resnet18: batch must be a whole number"),
        ({"batch": 2**31}, "resnet18: batch must be a whole number"),
        ({"resolution": 0}, "resnet18: resolution must be a whole number from 1"),
        ({"resolution": -5}, "resnet18: resolution must be a whole number from 1"),
        ({"resolution": "big"}, "resnet18: resolution must be a whole number from 1"),
        ({"resolution": (224,)}, "resnet18: resolution must be one whole number or (height, width)"),
        ({"resolution": (224, 0)}, "resnet18: resolution must be a whole number from 1"),
    ],
)
def test_bad_batch_and_resolution(arguments, message):
    with pytest.raises(AccelsimError) as caught:
        load_network("resnet18", **arguments)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"resolution": 224.0}, "resolution must be a whole number from 1 to 2147483647, but got 224.0"),
        ({"resolution": (224, 224.0)}, "resolution must be a whole number from 1"),
        ({"resolution": (224,)}, "resolution must be one whole number or (height, width), but got (224,)"),
        ({"batch": "4"}, "batch must be a whole number from 1 to 2147483647, but got '4'"),
        ({"batch": True}, "batch must be a whole number from 1 to 2147483647, but got True"),
    ],
)
def test_every_source_checks_batch_and_resolution(arguments, message, tmp_path, onnx_bytes):
    net = load_network("alexnet")
    (tmp_path / "net.json").write_text(json.dumps(net.to_dict()))
    (tmp_path / "net.onnx").write_bytes(onnx_bytes)
    sources = [
        "ofa_mbv3:smallest",
        "alexnet",
        net,
        net.to_dict(),
        tmp_path / "net.json",
        tmp_path / "net.onnx",
    ]
    for source in sources:
        with pytest.raises(AccelsimError) as caught:
            load_network(source, **arguments)
        assert message in str(caught.value)


def test_numpy_numbers_are_numbers():
    np = pytest.importorskip("numpy")
    small = load_network("ofa_mbv3:smallest", batch=np.int64(2), resolution=np.int64(160))
    assert small == load_network("ofa_mbv3:smallest", batch=2, resolution=160)
    assert load_network(small, batch=np.int64(2), resolution=np.int64(160)) is small


def test_byte_order_mark_is_no_fault(tmp_path):
    net = load_network("alexnet")
    path = tmp_path / "net.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(net.to_dict()).encode())
    assert load_network(path) == net


@pytest.mark.parametrize(
    ("name", "resolution", "message"),
    [
        ("alexnet", 62, "alexnet does not admit resolution 62x62: layer 'pool5': input 2x2 is too small"),
        ("alexnet_grouped", 300, "needs a 6x6 map, but gets 9x9; the smallest resolution that works is 199"),
        ("vit_b16", 100, "but got 100x100; the smallest resolution that works is 16, the nearest 96 and 112"),
        ("bert_base", 600, "bert_base does not admit sequence length 600: the position table has 512 rows"),
        ("bert_base", (8, 8), "bert_base: sequence length must be one whole number"),
        ("unet", (572, 571), "pooling 0 needs an even map (section 2 of the paper), but gets 568x567"),
    ],
)
def test_resolutions_that_a_network_does_not_admit(name, resolution, message):
    with pytest.raises(AccelsimError) as caught:
        load_network(name, resolution=resolution)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe", "not UTF-8 text"),
        (b"[1]", "network must be an object"),
        (b'{"layers": [], "layers": []}', "key 'layers' comes twice in one object"),
        (b"[" * 100000, "nested too deeply"),
        (b'{"version": ' + b"1" * 5000 + b"}", "a number has too many digits"),
        (b'{"layers": [{"dims": {"K": NaN}}]}', "layers[0]: K must be a whole number"),
        (b'{"layers": [{"dims": {"K": 1e3}}]}', "layers[0]: K must be a whole number"),
    ],
    ids=lambda x: repr(x[:20]),
)
def test_bad_json_files(text, message, tmp_path):
    path = tmp_path / "net.json"
    path.write_bytes(text)
    with pytest.raises(AccelsimError) as caught:
        load_network(path)
    assert str(caught.value).startswith(f"{path}:")
    assert message in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"not a model", bytes(200)], ids=["empty", "text", "zeros"])
def test_files_that_are_no_onnx(data, tmp_path):
    pytest.importorskip("onnx")
    path = tmp_path / "m.onnx"
    path.write_bytes(data)
    with pytest.raises(AccelsimError, match="damaged"):
        load_network(path)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_onnx_reads_or_is_an_error(onnx_bytes, tmp_path_factory, data):
    damaged = bytearray(onnx_bytes)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    del damaged[data.draw(st.integers(1, 2 * len(damaged))) :]
    path = tmp_path_factory.getbasetemp() / "damaged.onnx"
    path.write_bytes(damaged)
    try:
        network = load_network(path, resolution=16)
    except AccelsimError as fault:
        message = str(fault)
    else:
        message = f"{path}: {network.layers[0]}"
    assert message.startswith(f"{path}: ")
    assert "\n" not in message


def test_absent_onnx_file():
    pytest.importorskip("onnx")
    with pytest.raises(AccelsimError, match=r"absent\.onnx: cannot be read: No such file or directory"):
        load_network("absent.onnx")


def test_without_the_onnx_package(monkeypatch, tmp_path):
    real = builtins.__import__

    def fail(name, *args, **kwargs):
        if name == "onnx":
            raise ModuleNotFoundError("No module named 'onnx'")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", fail)
    with pytest.raises(
        AccelsimError, match=r"m\.onnx: reading ONNX needs .*: pip install 'accelsim\[onnx\]'"
    ):
        read_onnx(tmp_path / "m.onnx")


def test_import_stays_light():
    code = (
        "import sys, accelsim.workloads as w; w.load_network('resnet50').macs;"
        "print(sorted({'networkx', 'onnx', 'numpy', 'numba', 'pydantic', 'matplotlib'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_functions_that_double_themselves_are_counted_before_they_are_inlined(tmp_path):
    onnx = pytest.importorskip("onnx")
    make = onnx.helper
    sets = [make.make_opsetid("", 17), make.make_opsetid("f", 1)]

    def model(depth: int, last: str) -> Path:
        bodies = [[make.make_node(last, ["x"], ["y"], domain="" if last == "Relu" else "f")]]
        for i in range(1, depth):
            call = f"F{i - 1}"
            bodies.append(
                [make.make_node(call, [a], [b], domain="f") for a, b in (("x", "a"), ("a", "b"), ("b", "y"))]
            )
        functions = [
            make.make_function("f", f"F{i}", ["x"], ["y"], body, sets) for i, body in enumerate(bodies)
        ]
        values = [make.make_tensor_value_info(n, onnx.TensorProto.FLOAT, [1, 3, 8, 8]) for n in ("in", "out")]
        call = make.make_node(f"F{depth - 1}", ["in"], ["out"], domain="f")
        graph = make.make_graph([call], "g", values[:1], values[1:])
        path = tmp_path / "a.onnx"
        path.write_bytes(make.make_model(graph, functions=functions, opset_imports=sets).SerializeToString())
        return path

    for depth, last, message in ((40, "Relu", "more than"), (3, "F2", "calls itself"), (150, "Relu", "deep")):
        with pytest.raises(AccelsimError, match=message):
            load_network(model(depth, last))


def test_weight_whose_data_does_not_fit_its_shape(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    make = onnx.helper
    weight = make.make_tensor("shape", onnx.TensorProto.INT64, [2], [1, -1])
    weight.int64_data.append(5)
    node = make.make_node("Reshape", ["x", "shape"], ["y"])
    x, y = (make.make_tensor_value_info(name, 1, shape) for name, shape in (("x", [1, 3, 8, 8]), ("y", None)))
    onnx.save(make.make_model(make.make_graph([node], "g", [x], [y], [weight])), tmp_path / "a.onnx")
    with pytest.raises(AccelsimError, match="weight 'shape': its data does not fit"):
        load_network(tmp_path / "a.onnx")
