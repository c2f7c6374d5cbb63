"""MAESTRO's notation: read, written, and turned into loop nests and back."""

from __future__ import annotations

import json

import pytest

from accelsim import AccelsimError, Layer, load_hardware, load_network
from accelsim.mapping.cost import price_mapping
from accelsim.mapping.maestro import (
    MaestroError,
    MaestroLayer,
    MaestroMachine,
    NoEquivalent,
    dataflow_names,
    from_mapping,
    load_dataflow,
    parse_dataflow,
    parse_machine,
    parse_network,
    read_network,
    to_mapping,
    with_dataflow,
)
from accelsim.mapping.maestro.levels import resolve
from accelsim.mapping.maestro.model import LayerPricer, evaluate_layer, price_layers, price_mappings
from accelsim.mapping.mapping import Mapping
from tests.command import run
from tests.cost_models.maestro_facts import FACTS, layer, machine

NETWORK = """// A comment
Constant Tile 16;
Network small-net.v1 {
  Layer conv-1 {
    Type: CONV
    Stride { X: 2, Y: 2 }
    Dimensions { K: 64, C: 32, R: 3, S: 3, Y: 30, X: 30 }
    Dataflow {
      TemporalMap(Tile,Tile) K; // tiles of 16
      SpatialMap(8+Sz(R)-1, 8) Y;
      TemporalMap(Sz(R),Sz(R)) R;
      Cluster(4, P);
      SpatialMap(1,1) C;
    }
  }
  Layer mm {
    Type: GEMM
    Dimensions { M: 8, N: 16, K: 32 }
    Dataflow { SpatialMap(1,1) M; TemporalMap(4,4) K; }
  }
}
"""


def test_reads_and_writes_a_network() -> None:
    network = parse_network(NETWORK)
    assert network.name == "small-net.v1"
    conv, gemm = network.layers
    assert (conv.name, conv.type, conv.stride) == ("conv-1", "CONV", (2, 2))
    assert conv.to_layer() == Layer.conv2d(K=64, C=32, P=14, Q=14, R=3, S=3, stride=2)
    assert gemm.to_layer() == Layer.gemm(M=8, N=16, K=32)
    assert conv.dataflow is not None
    assert str(conv.dataflow.levels[0][1]) == "SpatialMap(Sz(R)+7,8) Y"
    assert conv.dataflow.levels[0][1].size.value({"R": 3}) == 10
    assert str(conv.dataflow.clusters[0]) == "Cluster(4,P)"
    again = parse_network(network.text())
    assert again == network
    assert again.text() == network.text()


def test_output_dimensions_and_inherited_dataflows() -> None:
    network = parse_network(
        "Network n { Layer a { Type: CONV Dimensions { K 4, C 4, R 3, S 3, Y' 5, X' 6 }"
        " Dataflow { SpatialMap(1,1) K; } }"
        " Layer b { Type: DSCONV Dimensions { C: 4, R: 1, S: 1, Y: 2, X: 2 } } }"
    )
    assert (network.layers[0].dims["Y"], network.layers[0].dims["X"]) == (7, 8)
    assert network.layers[1].dataflow is network.layers[0].dataflow
    with pytest.raises(
        MaestroError, match=r"text:1:91: SpatialMap\(1,1\) K: a DSCONV layer has no dimension K"
    ):
        resolve(network.layers[1])


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("SpatialMap(1,1) C;", "SpatialMap(1,1) Q;", r"n\.m:13:23: unknown word 'Q'; known: C, "),
        ("SpatialMap(1,1) C;", "SpatialMap(1 1) C;", r"n\.m:13:20: expected ',' between .* got '1'"),
        ("SpatialMap(1,1) C;", "SpatialMap(0,1) C;", r"n\.m:13:18: a size must be a whole number from 1"),
        ("SpatialMap(1,1) C;", "SpatialMap(Sz(G),1) C;", r"n\.m:13:21: unknown word 'G'"),
        ("SpatialMap(1,1) C;", "SpatialMap(1,2-Sz(K)) C;", r"n\.m:13:20: a size must be at least .* -62"),
        ("SpatialMap(1,1) C;", "SpacialMap(1,1) C;", r"n\.m:13:7: .* did you mean 'SpatialMap'"),
        ("Type: CONV", "Type: POOL", r"n\.m:5:11: unknown word 'POOL'; known: CONV, DSCONV"),
        ("Type: CONV", "", r"n\.m:7:5: Type must stand before Dimensions"),
        ("K: 64, C: 32", "K: 64", r"n\.m:7:5: a CONV needs the dimensions K, C, .*; C missing"),
        ("K: 64, C: 32", "K: 64, K: 32", r"n\.m:7:25: Dimensions gives K twice"),
        ("Y: 30", "Y: 2", r"n\.m:7:5: Y = 2 inputs are fewer than the kernel's R = 3"),
        ("Stride { X: 2, Y: 2 }", "Stride { Z: 2 }", r"n\.m:6:14: unknown word 'Z'"),
        ("Constant Tile 16;", "Constant Tile x;", r"n\.m:2:15: Constant Tile must be a whole number"),
        ("\n}\n", "\n", r"n\.m:21:1: expected a Layer or the closing '}' of Network, but got the end"),
        ("Network small-net.v1 {", "Net {", r"n\.m:3:1: unknown word 'Net'; did you mean 'Network'"),
    ],
)  # fmt: skip
def test_faults_name_line_and_column(before: str, after: str, message: str, tmp_path) -> None:
    assert before in NETWORK
    with pytest.raises(MaestroError, match=message):
        parse_network(NETWORK.replace(before, after, 1) if before != "\n}\n" else NETWORK[:-2], "n.m")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("TemporalMap(1,1) K;", "level 0 has no SpatialMap"),
        ("SpatialMap(1,1) K; TemporalMap(1,1) K;", "1:31: dimension K is mapped twice at level 0"),
        ("SpatialMap(1,1) K; SpatialMap(1,1) C; SpatialMap(1,1) X;", "3 SpatialMaps; at most two"),
        ("SpatialMap(1,1) Y';", "Y' counts output elements; map R at the same level"),
        ("SpatialMap(1,1) K; TemporalMap(1,1) R;", r"must cover the whole kernel, \(3,3\), but got \(1,1\)"),
        ("SpatialMap(1,1) G;", "a CONV layer has no dimension G; it has K, C, "),
        ("SpatialMap(1,1) K;" + " Cluster(1,P); SpatialMap(1,1) K;" * 4, "at most 4 cluster levels"),
    ],
)
def test_dataflows_that_do_not_fit_the_layer(text: str, message: str) -> None:
    flow = parse_dataflow(f"Dataflow {{ {text} }}")
    dims = {"K": 4, "C": 4, "R": 3, "S": 3, "Y": 8, "X": 8}
    with pytest.raises(MaestroError, match=message):
        resolve(MaestroLayer("CONV", dims, dataflow=flow))


def test_hardware_file() -> None:
    text = "num_pes: 168\nnoc_bw_cstr: 14 // elements\noffchip_bw_cstr: 16\n"
    chip = parse_machine(text)
    assert chip == MaestroMachine(168, 14, 1, 16)
    assert parse_machine(chip.text()) == chip
    assert parse_machine("NumPEs: 256\nL1Size: 64\nNoC_NumHops: 2") == MaestroMachine(
        256, noc_latency=2, l1_size=64
    )
    for bad, message in (
        ("num_pes: 0", "pes must be a whole number from 1"),
        ("noc_bw_cstr: 3", "num_pes is missing"),
        ("num_pes: 4\n  nocbw: 3", r"hw\.m:2:3: unknown word 'nocbw'"),
        ("num_pes: 4\nnum_pes: 4", r"hw\.m:2:1: num_pes comes twice"),
        ("num_pes: many", r"hw\.m:1:10: num_pes must be a whole number"),
    ):
        with pytest.raises(MaestroError, match=message):
            parse_machine(bad, "hw.m")


def test_what_maestro_sees_of_an_accelerator() -> None:
    chip = MaestroMachine.from_accelerator(load_hardware("eyeriss"))
    # 168 PEs; the buffer reads 1 input and 4 partial sums a cycle; 2.4 bytes a cycle off chip, 16 bits each.
    assert (chip.pes, chip.noc_bw, chip.offchip_bw, chip.mac_pj) == (168, 5, 1, 2.0)
    # Operands come from the convolution buffer, outputs from the accumulators, a share of which is a PE's.
    chip = MaestroMachine.from_accelerator(load_hardware("nvdla_256"))
    assert (chip.l1_size, chip.l2_size, chip.noc_bw) == (2 + 2048 // 256, 256 * 1024 + 2048, 32 + 32 + 32)


# -- loop nests --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["kcp_ws", "ykp_os", "yxp_os", "rs", "xp_ws", "dpt"])
def test_classic_dataflows_are_loop_nests(name: str) -> None:
    assert name in dataflow_names()
    flow = load_dataflow(name)
    for shape in dict.fromkeys(load_network("mobilenet_v2").layers):
        if not shape.has_weights:
            continue
        item = with_dataflow(shape, flow)
        mapping = to_mapping(item, 256)
        hardware = MaestroMachine(256).accelerator(resolve(item).units(256))
        cost = price_mapping(hardware, item.to_layer(), mapping)
        assert cost.macs == shape.macs
        back = from_mapping(item.to_layer(), mapping, hardware)
        again = MaestroMachine(256).accelerator(resolve(back).units(256))
        same = price_mapping(again, item.to_layer(), to_mapping(back, 256))
        assert same.compute_steps == cost.compute_steps
        assert [r["parent_words"] for r in same.traffic if r["parent"] == "L2"] == [
            r["parent_words"] for r in cost.traffic if r["parent"] == "L2"
        ]


@pytest.mark.parametrize("number", range(len(FACTS)))
def test_dataflows_of_the_tool_convert_both_ways(number: int) -> None:
    fact = FACTS[number]
    item, chip = layer(fact.type, fact.sizes, fact.stride, fact.flow), machine(fact.machine)
    mapping = to_mapping(item, chip.pes)
    hardware = chip.accelerator(resolve(item).units(chip.pes))
    cost = price_mapping(hardware, item.to_layer(), mapping)
    assert cost.macs == item.to_layer().macs
    back = from_mapping(item.to_layer(), mapping, hardware)
    again = chip.accelerator(resolve(back).units(chip.pes))
    assert (
        price_mapping(again, item.to_layer(), to_mapping(back, chip.pes)).compute_steps == cost.compute_steps
    )


def test_weight_stationary_by_hand() -> None:
    item = layer("CONV", (8, 8, 3, 3, 6, 6), 1, "S K 1/1;T C 4/4;T R 3/3;T S 3/3;T Y 3/1;T X 3/1|4|S C 1/1")
    mapping = to_mapping(item, 16)
    names = [level.memory for level in mapping.levels]
    assert names == ["DRAM", "L2", "C1", "L1"]
    l2, c1 = mapping.levels[1], mapping.levels[2]
    assert l2.order == ("K", "C", "P", "Q")
    assert (l2.tile, l2.spatial) == ({"K": 4, "C": 4, "P": 1, "Q": 1}, {"a0": ("K", 4)})
    assert c1.spatial == {"a1": ("C", 4)}


@pytest.mark.parametrize(
    ("flow", "message"),
    [
        ("S K 1/2", r"SpatialMap\(1,2\) K skips part of K"),
        ("S K 2/1", r"SpatialMap\(2,1\) K repeats part of K"),
        ("S K 1/1;T Y 4/1;T R 3/3", r"makes 2 outputs but moves by 1, which repeats outputs"),
        ("S K 1/1;T Y 2/1;T R 3/3", "holds less than the kernel's 3"),
        ("S K 1/1;S C 1/1", "i-th tile of both"),
        ("S Y 1/1;S R 1/1", "only with one size and step for both and one output row"),
        ("S K 4/4", "leaves the last one short"),
        ("S R 1/1", "splits the kernel and leaves the input tile whole"),
    ],
)
def test_what_no_loop_nest_equals(flow: str, message: str) -> None:
    item = layer("CONV", (9, 8, 3, 3, 8, 8), 1, flow)
    with pytest.raises(AccelsimError, match=message):
        to_mapping(item, 64)


def test_placed_on_a_chip_and_back() -> None:
    hw = load_hardware("example")
    item = layer(
        "CONV", (32, 16, 3, 3, 9, 9), 1, "S K 1/1;T C 16/16;T Y 3/1;T R 3/3;T X 3/1;T S 3/3|16|S C 1/1"
    )
    mapping = to_mapping(item, 256, hw)
    assert [level.memory for level in mapping.levels] == [memory.name for memory in hw.memories]
    assert set(mapping.levels[1].spatial.values()) == {("K", 16), ("C", 16)}
    back = from_mapping(item.to_layer(), mapping, hw)
    assert to_mapping(back, 256, hw) == mapping
    latency, energy = price_mappings(item.to_layer(), hw, [mapping])
    assert latency[0] > 0
    assert energy[0] > 0


def test_a_layer_in_one_tile_has_a_dataflow() -> None:
    item = layer("CONV", (2, 2, 3, 3, 4, 4), 1, "S K 2/2")
    hardware = MaestroMachine(4).accelerator((4,))
    back = from_mapping(item.to_layer(), to_mapping(item, 4), hardware)
    assert to_mapping(back, 4) == to_mapping(item, 4)


def test_what_no_dataflow_equals() -> None:
    hw = load_hardware("example")
    shape = Layer.conv2d(K=16, C=16, P=4, Q=4, R=3, S=3)

    def mapping(memory: str, **level: object) -> Mapping:
        names = [m.name for m in hw.memories]
        levels = [{"memory": name} | (level if name == memory else {}) for name in names]
        levels[-1]["tile"] = dict.fromkeys("KCPQRS", 1)
        return Mapping.from_dict({"version": 1, "levels": levels})

    for item, message in (
        (mapping("DRAM", tile={"K": 4}), "MAESTRO keeps the whole layer in L2"),
        (mapping("buffer", tile={"R": 1}), "MAESTRO keeps the whole kernel in a tile"),
        (mapping("buffer", spatial={"rows": {"dim": "R", "factor": 3}}), "one output row is worked on"),
    ):
        with pytest.raises(NoEquivalent, match=message):
            from_mapping(shape, item, hw)
        assert price_mappings(shape, hw, [item])[0] == float("inf")
    for odd, message in (
        (Layer.pool(C=4, P=2, Q=2, R=2, S=2), "multiply-accumulates only"),
        (Layer.conv2d(K=4, C=4, P=4, Q=4, R=3, S=3, dilation=2), "no dilation"),
        (Layer.gemm(M=4, N=4, K=4, batch=2), "no batch"),
    ):
        with pytest.raises(MaestroError, match=message):
            MaestroLayer.from_layer(odd)


# -- the model for a search, and the command line ----------------------------------------------------------


def test_price_layers_keeps_the_best_dataflow() -> None:
    shapes = load_network("mobilenet_v2").layers[:6]
    chips = [MaestroMachine(64, 16), MaestroMachine(256, 32), MaestroMachine(256, 32, l1_size=4)]
    best = price_layers(shapes, chips, objective="latency")
    assert best.latency_cycles.shape == (3, 6)
    for name in best.names:
        one = price_layers(shapes, chips, [name], objective="latency")
        assert (best.latency_cycles <= one.latency_cycles).all()
    # Nothing fits four elements of L1; the tool would only warn.
    with_weights = [i for i, shape in enumerate(shapes) if shape.has_weights]
    assert (best.latency_cycles[2, with_weights] == float("inf")).all()
    loose = price_layers(shapes, chips, objective="latency", fit=False)
    assert (loose.latency_cycles[2] == loose.latency_cycles[1]).all()
    with pytest.raises(AccelsimError, match="objective must be one of"):
        price_layers(shapes, chips, objective="speed")


def test_price_layers_sums_what_it_knows() -> None:
    dilated = Layer.conv2d(K=4, C=4, P=4, Q=4, R=3, S=3, dilation=2)
    plain, pool = Layer.conv2d(K=4, C=4, P=4, Q=4), Layer.pool(C=4, P=2, Q=2, R=2, S=2)
    heads = Layer.gemm(M=8, N=8, K=8, batch=4)
    found = LayerPricer([dilated, plain, pool, heads, plain]).price([MaestroMachine(4)])
    cycles = found.latency_cycles[0]
    assert cycles[0] == float("inf")
    assert (
        cycles[1]
        == cycles[4]
        == evaluate_layer(
            with_dataflow(plain, load_dataflow(found.names[found.dataflow[0, 1]])), MaestroMachine(4)
        ).latency_cycles
    )
    assert cycles[2] == 0
    assert cycles[3] >= heads.macs / 4


def test_evaluate_side_by_side(capsys, tmp_path) -> None:
    shape = "K=16 C=16 P=8 Q=8 R=3 S=3"
    code, out, _ = run(
        capsys, "evaluate", "example", "--layer", shape, "--model", "maestro", "--dataflow", "rs"
    )
    assert code == 0
    assert "why they differ" in out
    code, out, _ = run(capsys, "evaluate", "example", "--layer", shape, "--model", "maestro", "--json")
    found = json.loads(out)["layers"][0]
    assert found["maestro"]["macs"] == found["accelsim"]["macs"] == 16 * 16 * 64 * 9
    (tmp_path / "net.m").write_text(NETWORK)
    (tmp_path / "hw.m").write_text("num_pes: 64\nnoc_bw_cstr: 8\n")
    files = [str(tmp_path / "hw.m"), str(tmp_path / "net.m")]
    code, out, _ = run(capsys, "evaluate", *files, "--model", "maestro", "--compat", "--csv")
    assert code == 0
    assert [line.split(",")[0] for line in out.splitlines()] == ["layer", "conv-1", "mm"]
    assert read_network(tmp_path / "net.m").layers[0].name == "conv-1"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model", "timeloop"], "--model must be accelsim or maestro"),
        (["--dataflow", "rs"], "need --model maestro"),
        (["--model", "maestro", "--dataflow", "sr"], "no shipped dataflow or file is called 'sr'"),
        (["--model", "maestro", "--dataflow", "none.m"], "none.m: cannot be read"),
        (["--model", "maestro", "--explain"], "takes --dataflow, and no --explain"),
    ],
)
def test_faults_of_the_command_line(capsys, words: list[str], message: str) -> None:
    code, _, err = run(capsys, "evaluate", "example", "--layer", "K=4 C=4", *words)
    assert code == 2
    assert message in err
