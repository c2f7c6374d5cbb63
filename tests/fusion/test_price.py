"""A given schedule: its pieces priced by the kernel as they are, and what a stack adds to them."""

import json
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import accelsim
from accelsim.errors import AccelsimError
from accelsim.fusion import read_stacks, write_stacks
from accelsim.fusion.price import StackParts
from accelsim.fusion.schedule import Stack
from accelsim.hardware import load_hardware
from accelsim.mapping.cost import price_mapping
from accelsim.pack import pack_machine
from accelsim.workloads import Layer, Network, NetworkBuilder, load_network
from cost_models.loopnest import layout as L
from tests.command import run
from tests.stacks.nets import networks

price = partial(accelsim.evaluate, mapper="template")


def entry(net, first, last, tile, kept="both", weights=()):
    names = list(net.names)
    a, b = names.index(first), names.index(last)
    return {"layers": names[a : b + 1], "tile": dict(zip("PQ", tile)), "kept": kept, "weights": list(weights)}


def small(channels=8, side=16, name="small"):
    b = NetworkBuilder(name, channels, side, side)
    x = b.conv(b.input, 16, 1, name="expand")
    x = b.depthwise(x, 3, name="dw")
    x = b.conv(x, channels, 1, name="project")
    return b.build(b.conv(b.add(x, b.input, name="add"), 4, 1, name="after"))


@st.composite
def schedules(draw):
    net = draw(networks(most=4, side=8, whole=False))
    last = draw(st.integers(1, len(net.layers))) - 1
    first = draw(st.integers(0, last))
    sink = net.layers[last]
    tile = draw(st.tuples(st.integers(1, sink.P), st.integers(1, sink.Q)))
    return net, first, last, tile, draw(st.sampled_from(("none", "columns", "both")))


@pytest.mark.parametrize("chip", ["example", "eyeriss", "dpu_zcu102", "edgetpu", "shidiannao"])
@given(case=schedules())
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_stack_is_its_pieces_and_what_it_loads_and_stores(chip, case):
    net, first, last, tile, kept = case
    hw = load_hardware(chip)
    if first == last:
        return
    data = {"stacks": [entry(net, net.names[first], net.names[last], tile, kept)]}
    try:
        cost = price(hw, net, data)
    except AccelsimError:
        return  # too little room, or a result that the stack does not finish
    (stack,) = cost.stacks
    assert cost.latency_cycles == pytest.approx(
        stack.latency_cycles + sum(x.latency_cycles for x in cost.layers) + cost.overhead_cycles
    )
    assert stack.compute_cycles == sum(p.times * p.cost.latency_cycles for p in stack.pieces)
    assert stack.latency_cycles >= stack.compute_cycles
    assert stack.macs == sum(p.times * p.cost.macs for p in stack.pieces)
    # Every piece's inputs and outputs lie on chip: only weights and what is loaded and stored meet memory 0.
    outer = hw.memories[0].name
    for piece in stack.pieces:
        for row in piece.cost.accesses:
            if row["memory"] == outer:
                assert row["tensor"] == "W" or row["words"] == 0
    read = hw.resolved_energy(0)["I"][0] * sum(stack.loads.values()) * hw.precision_bits.input
    written = hw.resolved_energy(0)["O"][1] * sum(stack.stores.values()) * hw.precision_bits.output
    weights = sum(
        p.times * sum(p.cost.energy_split_pj[outer].get("W", {"": 0}).values()) for p in stack.pieces
    )
    assert stack.memory_energy_pj[outer] == pytest.approx(read + written + weights)
    # Priced again from its own schedule file, to the last bit.
    pieces = {(p.layer, p.cost.layer.P, p.cost.layer.Q): p.cost.mapping for p in stack.pieces}
    saved = write_stacks(net, (type(stack.stack)(first, last, tile, kept, (), pieces),))
    again = price(hw, net, json.loads(json.dumps({"stacks": saved})))
    assert again.stacks[0].latency_cycles == stack.latency_cycles
    assert again.stacks[0].energy_pj == stack.energy_pj
    assert again.to_dict() == cost.to_dict()


def test_latency_of_a_stack_by_hand():
    """Tiles of 4x16 on the example machine, whose buffer fills behind compute."""
    hw, net = load_hardware("example"), small()
    cost = price(hw, net, {"stacks": [entry(net, "expand", "project", (4, 16))]})
    (stack,) = cost.stacks
    assert stack.layers == ("expand", "dw", "project")
    assert stack.count == 4
    assert stack.regions["expand"] == [[3, 16, 1], [4, 16, 2], [5, 16, 1]]
    assert stack.regions["project"] == [[4, 16, 4]]
    assert stack.loads == {"input": 8 * 256}
    assert stack.stores == {"project": 8 * 256}
    assert stack.room["expand"] == {"window": 16 * 6 * 16, "cols": 0, "rows": 16 * 2 * 16}
    assert stack.macs == stack.macs_needed == sum(x.macs for x in net.layers[:3])
    dram, buffer = hw.memories[0], hw.memories[1]
    width = hw.precision_bits
    read = max(1 / (8 * _bandwidth(hw, 0, "I", "read")), 1 / (8 * _bandwidth(hw, 1, "I", "write")))
    write = max(1 / (8 * _bandwidth(hw, 0, "O", "write")), 1 / (8 * _bandwidth(hw, 1, "O", "read")))
    up, down = 8 * 5 * 16 * width.input * read, 8 * 4 * 16 * width.output * write
    busy = max(stack.port_cycles.values())
    assert any(name.startswith(dram.name) for name in stack.port_cycles)
    assert any(name.startswith(buffer.name) for name in stack.port_cycles)
    assert stack.latency_cycles == pytest.approx(up + max(stack.compute_cycles, busy) + down)


def _bandwidth(hw, m, tensor, way):
    """Bytes a cycle of the port that serves this access."""
    start = L.READ_CPB if way == "read" else L.WRITE_CPB
    per_bit = pack_machine(hw).memory[m, start + "WIO".index(tensor)]
    return 1 / (8 * per_bit) if per_bit else float("inf")


def test_pieces_leave_the_room_that_the_stack_needs():
    """A piece is priced with what the tensors of its stack leave, whoever made its mapping."""
    hw, net = load_hardware("eyeriss"), small(16, 32)
    cost = price(hw, net, {"stacks": [entry(net, "expand", "add", (8, 32))]})
    (stack,) = cost.stacks
    for piece in stack.pieces:
        alone = price_mapping(hw, piece.cost.layer, piece.cost.mapping, resident="IO")
        assert alone.latency_cycles == piece.cost.latency_cycles
    used = [max(c["used_bits"] for c in p.cost.capacity if c["memory"] == "GLB") for p in stack.pieces]
    assert max(used) <= 8 * 102400


def test_cuts_everywhere_are_todays_numbers():
    for chip in ("eyeriss", "edgetpu"):
        net = load_network("mobilenet_v2", resolution=64)
        plain = price(chip, net)
        single = [entry(net, name, name, (x.P, x.Q)) for name, x in zip(net.names, net.layers)]
        cut = price(chip, net, {"stacks": single})
        assert cut.latency_cycles == plain.latency_cycles
        assert cut.energy_pj == plain.energy_pj
        assert cut.stacks == ()


def test_weights_that_stay_are_loaded_once():
    net = small(32, 16)
    names = ("expand", "project")
    once = price("example", net, {"stacks": [entry(net, "expand", "project", (2, 16), weights=names)]})
    each = price("example", net, {"stacks": [entry(net, "expand", "project", (2, 16))]})
    stack = once.stacks[0]
    assert stack.weights_loaded == {"expand": 32 * 16, "project": 16 * 32}
    assert all(p.cost.resident == ("IO" if p.layer == 1 else "WIO") for p in stack.pieces)
    dram = "DRAM"
    assert stack.memory_energy_pj[dram] < each.stacks[0].memory_energy_pj[dram]


def test_a_block_of_mobilenet_is_worth_fusing():
    net = load_network("mobilenet_v2")
    plain = price("eyeriss", net)
    fused = price("eyeriss", net, {"stacks": [entry(net, "stage2.0.expand", "stage2.0.project", (8, 8))]})
    assert fused.edp_js < 0.85 * plain.edp_js
    assert len(fused.layers) == len(net.layers) - 3
    assert fused.macs == plain.macs


BAD = [
    ({"layers": ["expand", "project"]}, "after expand comes project, not dw"),
    ({"layers": ["expand", "dv"]}, "small has no layer 'dv'; known: add, after, dw, expand, project"),
    ({"layers": []}, "must name at least one layer"),
    (
        {"layers": ["expand", "dw"], "tile": {"P": 17}},
        "tile.P: must be a whole number from 1 to 16, the P of dw",
    ),
    ({"layers": ["expand", "dw"], "tile": {"R": 1}}, "tile.R: unknown key"),
    (
        {"layers": ["expand", "dw"], "kept": "rows"},
        "kept: must be one of none, columns, both, but got 'rows'",
    ),
    ({"layers": ["expand", "dw"], "weights": ["after"]}, "after is no layer of this stack"),
    (
        {"layers": ["expand", "dw"], "weights": ["dw"]},
        "GLB of Eyeriss does not hold W, but dw is to keep its weights",
    ),
    (
        {"layers": ["expand", "dw"], "pieces": {"dw": {"4by4": {}}}},
        "write a piece as rows x columns, like 8x56",
    ),
    ({"layers": ["expand", "dw"], "pieces": {"after": {}}}, "pieces.after: no layer of this stack"),
    ({"layer": ["expand", "dw"]}, "stacks[0].layer: unknown key; did you mean 'layers'?"),
]


@pytest.mark.parametrize(("stack", "message"), BAD, ids=[m[:24] for _, m in BAD])
def test_bad_stacks_get_one_message(stack, message):
    with pytest.raises(AccelsimError) as fault:
        price("eyeriss", small(), {"stacks": [stack]})
    assert message in str(fault.value)


def test_what_lacks_room_or_a_home_is_named():
    net = load_network("mobilenet_v2")
    data = {"stacks": [entry(net, "stage2.0.expand", "stage2.0.project", (56, 56))]}
    with pytest.raises(AccelsimError) as fault:
        price("eyeriss", net, data)
    text = str(fault.value)
    assert "stack stage2.0.expand to stage2.0.project: while stage2.0.dw runs, GLB lacks" in text
    assert "stage2.0.expand takes 2408448 of them" in text
    with pytest.raises(AccelsimError, match="NVDLA 64 has no memory on chip that holds both I and O"):
        price("nvdla_64", net, data)
    twice = {"stacks": [*data["stacks"], entry(net, "stage2.0.project", "stage2.1.dw", (4, 4))]}
    with pytest.raises(AccelsimError, match=r"stage2.0.project is in an earlier stack too"):
        price("eyeriss", net, twice)
    given = {"layers": {"stage2.0.dw": {"version": 1, "levels": [{"memory": "DRAM"}]}}, **data}
    with pytest.raises(AccelsimError, match=r"mapping.layers.stage2.0.dw: is in a stack"):
        price("eyeriss", net, given)


def test_results_that_a_stack_never_finishes():
    b = NetworkBuilder("m", 2, 8, 8)
    x = b.conv(b.input, 2, 3, name="a")
    y = b.conv(x, 2, 1, 2, name="b")
    net = b.build(b.add(y, b.conv(x, 2, 3, 2, name="c"), name="d"))
    with pytest.raises(AccelsimError, match="reads all of a, of which this stack computes only a part"):
        price("eyeriss", net, {"stacks": [entry(net, "a", "b", (4, 4))]})


def test_stacks_in_files_and_on_the_command_line(capsys, tmp_path):
    net = small()
    (tmp_path / "net.json").write_text(json.dumps(net.to_dict()))
    stacks = [entry(net, "expand", "project", (4, 8), "columns")]
    assert write_stacks(net, read_stacks(net, stacks)) == stacks
    (tmp_path / "mapping.json").write_text(json.dumps({"version": 1, "stacks": stacks}))
    arguments = (
        "evaluate",
        "eyeriss",
        str(tmp_path / "net.json"),
        "--mapping",
        str(tmp_path / "mapping.json"),
    )
    code, out, _ = run(capsys, *arguments, "--json")
    assert code == 0
    data = json.loads(out)
    (stack,) = data["stacks"]
    assert stack["layers"] == ["expand", "dw", "project"]
    assert {"tile", "kept", "steps", "regions", "loads", "stores", "room", "macs", "macs_needed"} < set(stack)
    assert {"latency_cycles", "energy_pj", "bound_by"} < set(stack)
    assert [x["name"] for x in data["layers"]] == ["add", "after"]
    code, out, _ = run(capsys, *arguments, "--explain")
    assert code == 0
    assert "expand .. project" in out
    assert Network.from_dict(net.to_dict()) == net


def test_a_figure_shows_stacks_beside_layers(capsys, tmp_path):
    net = small()
    (tmp_path / "net.json").write_text(json.dumps(net.to_dict()))
    all_of_it = [entry(net, "expand", "after", (4, 8))]
    (tmp_path / "mapping.json").write_text(json.dumps({"version": 1, "stacks": all_of_it}))
    out = tmp_path / "figure.svg"
    words = ("evaluate", "eyeriss", str(tmp_path / "net.json"), "--mapping", str(tmp_path / "mapping.json"))
    code, _, fault = run(capsys, *words, "--plot", str(out))
    assert code == 0, fault
    assert "expand .. after" in out.read_text()
    steps = tmp_path / "steps.svg"
    code, _, fault = run(capsys, *words, "--plot-stacks", str(steps), "--style", "grey")
    assert code == 0, fault
    assert "expand .. after: 8 steps of 4x8, kept both" in steps.read_text()
    code, _, fault = run(capsys, *words[:3], "--mapper", "template", "--plot-stacks", str(steps))
    assert code == 2
    assert "no layers are fused here" in fault
    code, _, fault = run(capsys, *words, "--plot-stacks", str(tmp_path / "steps.doc"))
    assert code == 2
    assert ".png, .svg, .pdf" in fault


def test_each_image_is_scaled_by_its_own_factors():
    """The batch of a squeeze-excite's scaling is in G; its pieces are one image's all the same."""
    hardware = load_hardware("edgetpu")
    one, three = (
        StackParts.of(hardware, load_network("mnasnet_a1", batch=n, resolution=64), Stack(13, 17, (4, 8)))
        for n in (1, 3)
    )
    assert [p.piece for p in one.all] == [p.piece for p in three.all]
    assert [3 * p.times for p in one.all] == [p.times for p in three.all]
    assert one.all[2].piece == Layer.scale(C=72, P=4, Q=8)
    assert one.all[2].resident == "WIO"  # factors stay on chip
