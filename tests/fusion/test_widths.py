"""Stacks of layers in precisions of their own, and of memories that keep elements in widths of theirs."""

import copy
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import accelsim
from accelsim.errors import AccelsimError
from accelsim.fusion import Room, Stack, price_stack
from accelsim.fusion.widths import StackBits, widths_of
from accelsim.hardware import load_hardware
from accelsim.mapping.mapping import MappingError
from accelsim.stacks import StackGraph, steps
from accelsim.workloads import NetworkBuilder
from accelsim.workloads.bits import LayerBits
from tests.fusion.enumeration import Solver, compare
from tests.mapping.invented import INVENTED
from tests.stacks.nets import networks

price = partial(accelsim.evaluate, mapper="template")
SIZES = (None, 2, 4, 8, 16)
ALONE = ("eyeriss", "example", "edgetpu", "shidiannao")
"""Chips without engines, whose machines are made anew from figures that a derived machine lacks."""


def layer_bits():
    return st.builds(LayerBits, *[st.sampled_from(SIZES)] * 3)


@st.composite
def quantised(draw, **sizes):
    """A network whose layers have precisions of their own, or not."""
    net = draw(networks(**sizes))
    bits = [draw(layer_bits()) for _ in net.layers]
    for producer, consumer, _, operand in net.edges:  # what is written in one width is not read in another
        key = "weight" if operand == "W" else "input"
        if producer >= 0 and getattr(bits[consumer], key) not in (None, bits[producer].output):
            bits[producer] = bits[producer]._replace(output=None)
    return replace(net, layers=tuple(replace(x, bits=b) for x, b in zip(net.layers, bits, strict=True)))


@st.composite
def machines(draw, chips=("eyeriss", "example", "edgetpu", "dpu_zcu102", "shidiannao")):
    """A machine, some of whose memories keep elements in widths of their own."""
    name = draw(st.sampled_from(chips))
    data = copy.deepcopy(INVENTED[name] if name in INVENTED else load_hardware(name).to_dict())
    for memory in data["memories"]:
        kinds = {"W": "weight", "I": "input", "O": "output"}
        for tensor in memory["holds"]:
            if draw(st.integers(0, 3)) == 0:
                memory.setdefault("precision_bits", {})[kinds[tensor]] = draw(st.sampled_from((4, 8, 16)))
    try:
        return load_hardware(data)
    except AccelsimError:  # too small for one element of these widths
        return load_hardware(INVENTED.get(name, name))


@st.composite
def choices(draw, net):
    last = draw(st.integers(1, len(net.layers) - 1))
    first = draw(st.integers(0, last - 1))
    sink = net.layers[last]
    tile = draw(st.tuples(st.integers(1, sink.P), st.integers(1, sink.Q)))
    return Stack(first, last, tile, draw(st.sampled_from(("none", "columns", "both"))))


def width(hw, net, stack, producer, memory):
    """Bits of an element of a tensor in a memory: as it is made, or as the widest reader reads."""
    if producer >= stack.first:
        return hw.at_bits(net.layers[producer].bits).kept_bits(memory).output
    found = []
    for i in range(stack.first, stack.last + 1):
        for edge in net.inputs_of[i]:
            if edge.producer == producer:
                kept = hw.at_bits(net.layers[i].bits).kept_bits(memory)
                found.append(kept.weight if edge.operand == "W" else kept.input)
    return max(found)


@given(quantised(most=4, side=7, least=2), machines(), st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_room_and_energy_count_each_tensor_in_its_own_width(net, hw, data):
    stack = data.draw(choices(net))
    graph = StackGraph(net, stack.first, stack.last)
    counted = steps(graph, [stack.tile], [stack.kept])
    room = Room(hw, counted, (), StackBits.of(graph, widths_of(hw, net)))
    memory = hw.memories[room.home]
    buffers = 2 if memory.double_buffered else 1
    for layer in range(len(graph.layers)):
        total = {"I": 0, "O": 0}
        for node, producer in enumerate(graph.nodes):
            loaded, window = producer < stack.first, int(counted.window[0, node])
            window *= buffers if loaded or graph.stored[node] else 1
            kept = int(counted.kept_cols[0, node] + counted.kept_rows[0, node])
            bits = (window * bool(graph.live[layer, node]) + kept) * width(
                hw, net, stack, producer, room.home
            )
            assert room.tensors[layer, node] == bits
            total["I"] += bits if loaded or graph.read[node] else 0
            total["O"] += 0 if loaded else bits
            total["all"] = total.get("all", 0) + bits
        parts = room.used[layer].tolist()
        assert parts == ([0, 0, 0, total["all"]] if room.shared else [0, total["I"], total["O"], 0])
    try:
        cost = price_stack(hw, net, stack, Solver(hw, "edp"))
    except MappingError:
        return
    made = dict(zip(graph.names, graph.nodes))
    for end, ways in ((0, (0, 1)), (room.home, (1, 0))):
        energy = hw.resolved_energy(end)
        moved = sum(
            words * width(hw, net, stack, made[name], end) * energy[tensor][way]
            for way, tensor, table in zip(ways, "IO", (cost.loads, cost.stores))
            for name, words in table.items()
        )
        alone = sum(p.times * p.cost.memory_energy_pj()[hw.memories[end].name] for p in cost.pieces)
        assert cost.memory_energy_pj[hw.memories[end].name] == pytest.approx(alone + moved, rel=1e-9)


@given(
    networks(most=4, side=7, least=2),
    machines(ALONE),
    st.builds(lambda w, a: LayerBits(w, a, a), st.sampled_from(SIZES), st.sampled_from(SIZES)),
    st.data(),
)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_layers_of_one_width_are_as_on_a_machine_of_that_width(net, hw, bits, data):
    stack = data.draw(choices(net))
    same = replace(net, layers=tuple(replace(x, bits=bits) for x in net.layers))
    other = hw.at_bits(bits)
    found = []
    for chip, network in ((hw, same), (other, net)):
        try:
            cost = price_stack(chip, network, stack, Solver(chip, "edp"))
            found.append((cost.latency_cycles, cost.energy_pj, cost.room, cost.port_cycles))
        except MappingError as fault:
            found.append(type(fault))
    assert found[0] == found[1]


@given(
    quantised(most=5, side=4, least=2),
    machines(sorted(INVENTED)),
    st.sampled_from(("edp", "latency", "energy")),
)
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_search_agrees_with_enumeration(net, hw, objective):
    found = compare(hw, net, objective)
    if found is not None:
        proof, best = found
        assert proof.proved
        assert proof.value == best


def test_narrower_layers_leave_room_and_move_less():
    b = NetworkBuilder("n", 16, 32, 32)
    x = b.conv(b.conv(b.input, 32, 1, name="a"), 32, 3, name="b")
    net = b.build(b.conv(x, 16, 1, name="c"))
    half = replace(net, layers=tuple(replace(x, bits=LayerBits(8, 8, 8)) for x in net.layers))
    schedule = {"stacks": [{"layers": ["a", "b", "c"], "tile": {"P": 8, "Q": 8}}]}
    wide, narrow = (price("eyeriss", x, schedule).stacks[0] for x in (net, half))
    assert wide.loads == narrow.loads
    assert narrow.port_cycles["DRAM read+write"] < 0.6 * wide.port_cycles["DRAM read+write"]
    assert narrow.memory_energy_pj["DRAM"] < 0.6 * wide.memory_energy_pj["DRAM"]
    whole = {"stacks": [{"layers": ["a", "b", "c"], "tile": {"P": 32, "Q": 32}}]}
    with pytest.raises(AccelsimError, match="GLB lacks"):
        price("eyeriss", net, whole)
    assert price("eyeriss", half, whole).stacks
    auto = accelsim.evaluate("eyeriss", half, mapper="template", fuse="auto")
    assert auto.stacks
    assert auto.fusion.proved


def test_a_memory_of_wider_elements_holds_fewer():
    data = load_hardware("example").to_dict()
    home = data["memories"][1]
    home["precision_bits"] = {"output": 32}
    b = NetworkBuilder("n", 8, 16, 16)
    net = b.build(b.conv(b.conv(b.input, 8, 1, name="a"), 8, 3, name="b"))
    schedule = {"stacks": [{"layers": ["a", "b"], "tile": {"P": 4, "Q": 4}}]}
    wide, plain = (price(hw, net, schedule).stacks[0] for hw in (data, "example"))
    assert wide.memory_energy_pj[home["name"]] > plain.memory_energy_pj[home["name"]]
    assert wide.room == plain.room  # in elements
    data["network"] = {"stacks": "auto"}
    assert accelsim.evaluate(data, net, mapper="template").fusion.proved
    bits = StackBits.of(StackGraph(net, 0, 1), widths_of(load_hardware(data), net))
    assert bits.tensors.tolist() == [[8, 8, 8], [8, 32, 32]]
    assert np.array_equal(bits.weights, [[8, 8], [8, 8]])
