"""Regions, words, MACs and room of stacks against a walk that tracks every element."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.errors import AccelsimError
from accelsim.stacks import KEPT, StackGraph, pieces, steps, timeline
from accelsim.workloads import Layer, Network, NetworkBuilder, load_network
from tests.stacks.nets import networks
from tests.stacks.walk import walk


@st.composite
def stacks(draw):
    net = draw(networks())
    last = draw(st.integers(0, len(net.layers) - 1))
    first = draw(st.integers(0, last))
    sink = net.layers[last]
    tile = draw(st.tuples(st.integers(1, sink.P), st.integers(1, sink.Q)))
    return net, first, last, tile


def waits(made, read):
    """Most elements that wait between two steps for a later one, and most that are there in one step."""
    between, during = Counter(), Counter()
    for element, times in made.items():
        for start, again in zip(times, [*times[1:], 10**9]):
            end = max((t for t in read.get(element, ()) if start <= t < again), default=start)
            between.update(range(start, end))
            during.update(range(start, end + 1))
    return max(between.values(), default=0), max(during.values(), default=0)


@given(stacks())
@settings(max_examples=300, deadline=None)
def test_regions_are_those_of_the_walk_and_all_that_is_read_is_there(case):
    net, first, last, tile = case
    graph = StackGraph(net, first, last)
    done = {}
    for word, kept in KEPT.items():
        told = walk(net, first, last, tile, kept)
        counted = steps(graph, [tile], [word])
        found = pieces(graph, tile, word)
        for node, (i, shapes) in enumerate(zip(graph.nodes, found)):
            wanted = Counter((r[1] - r[0], c[1] - c[0]) for r, c in told["regions"][i])
            assert {(r, c): n for r, c, n in shapes} == wanted
            elements = told["computed"][i]
            assert counted.words[0, node] == sum(elements.values()) * graph.channels[node]
            assert counted.rows[0, node, 6] * counted.cols[0, node, 6] == len(elements)
            if word == "both":
                assert set(elements.values()) <= {1}
            waiting, present = waits(told["made"][i], told["read"][i])
            kept_words = counted.kept_cols[0, node] + counted.kept_rows[0, node]
            assert waiting * graph.channels[node] <= kept_words
            assert present * graph.channels[node] <= kept_words + counted.window[0, node]
        assert counted.count[0] == len(told["regions"][last])
        assert sum(told["computed"][last].values()) == net.layers[last].P * net.layers[last].Q
        done[word] = counted
    macs = [int(done[word].macs[0]) for word in ("none", "columns", "both")]
    assert macs[0] >= macs[1] >= macs[2] == done["both"].macs_needed[0]
    # A hull over the gaps of a stride is wider where it spans more rows: what is needed depends on the mode.
    assert all(x.macs[0] >= x.macs_needed[0] >= macs[2] for x in done.values())


@given(stacks())
@settings(max_examples=200, deadline=None)
def test_room_holds_what_the_steps_read(case):
    """Windows and kept stores are at least what any step needs, and no more than the tensor is long."""
    net, first, last, tile = case
    graph = StackGraph(net, first, last)
    found = steps(graph, [tile] * 3, list(KEPT))
    size = graph.sizes[0] * graph.sizes[1] * graph.channels
    assert (found.window <= size).all()
    assert (found.kept_rows <= size).all()
    assert (found.kept_cols[0] == 0).all()
    assert (found.kept_rows[:2] == 0).all()
    sink = found.window[:, -1]
    assert (sink == tile[0] * tile[1] * graph.channels[-1]).all()
    one = steps(graph, [(graph.layers[-1].P, graph.layers[-1].Q)], ["both"])
    assert (one.kept_rows == 0).all()
    assert (one.kept_cols == 0).all()
    assert (one.window >= found.window).all()


@given(stacks())
@settings(max_examples=100, deadline=None)
def test_the_timeline_is_that_of_the_walk(case):
    net, first, last, tile = case
    graph = StackGraph(net, first, last)
    for word, kept in KEPT.items():
        need, new = timeline(graph, tile, word)
        counted = steps(graph, [tile], [word])
        assert len(need) == counted.count[0] // graph.images
        assert (new.sum(axis=0) * graph.channels * graph.images == counted.words[0]).all()
        assert (need.max(axis=0) * graph.channels == counted.window[0]).all()
        assert (new <= need).all()
        told = walk(net, first, last, tile, kept)
        for node, i in enumerate(graph.nodes):
            areas = [(r[1] - r[0]) * (c[1] - c[0]) for r, c in told["regions"][i]]
            assert [x for x in new[:, node].tolist() if x] == areas


def test_batches_of_choices_are_what_each_is_alone():
    net = load_network("mobilenet_v2", resolution=64)
    graph = StackGraph(net, 0, 9)
    sink = graph.layers[-1]
    tiles = [(p, q) for p in (1, 3, sink.P) for q in (2, sink.Q)]
    choices = [(t, k) for t in tiles for k in KEPT]
    together = steps(graph, [t for t, _ in choices], [k for _, k in choices])
    for i, (tile, kept) in enumerate(choices):
        alone = steps(graph, [tile], [kept])
        assert (together.rows[i] == alone.rows[0]).all()
        assert (together.cols[i] == alone.cols[0]).all()


def fsrcnn():
    """FSRCNN as DeFiNES runs it: eight layers without padding, 960 x 540 out."""
    b = NetworkBuilder("fsrcnn", 1, 554, 974)
    x = b.input
    for i, (k, r) in enumerate(((56, 5), (12, 1), (12, 3), (12, 3), (12, 3), (12, 3), (56, 1), (16, 3))):
        x = b.conv(x, k, r, padding=0, bn=False, name=f"l{i}")
    return b.build(x)


@pytest.mark.parametrize(
    ("tile", "kept", "macs"),
    [  # DeFiNES (Mei et al., HPCA 2023) at 7097d60: multiply-accumulates that it reports for these schedules
        *(((540, 960), kept, 8362594208) for kept in KEPT),
        ((72, 60), "none", 9120123904), ((72, 60), "columns", 8687604544), ((72, 60), "both", 8362594208),
        ((4, 960), "none", 14584220640), ((4, 960), "columns", 14584220640), ((4, 960), "both", 8362594208),
    ],
)  # fmt: skip
def test_macs_of_fsrcnn_are_those_of_defines(tile, kept, macs):
    net = fsrcnn()
    found = steps(StackGraph(net, 0, 7), [tile], [kept])
    assert found.macs[0] == macs
    assert found.macs_needed[0] == net.macs


def test_a_residual_block_by_hand():
    """8x8, 1x1 then 3x3 then a sum with the input, tiles of 2x4, everything kept."""
    b = NetworkBuilder("r", 4, 8, 8)
    x = b.conv(b.input, 6, 1, name="a")
    x = b.conv(x, 4, 3, name="b")
    net = b.build(b.add(x, b.input, name="c"))
    graph = StackGraph(net, 0, 2)
    assert graph.names == ("input", "a", "b", "c")
    found = steps(graph, [(2, 4)], ["both"])
    assert found.count[0] == 8
    assert found.words[0].tolist() == [256, 384, 256, 256]
    # Columns of `a` in the first step: 0 to 4, in the second the rest; rows 3, 2, 2, 1.
    assert sorted(pieces(graph, (2, 4), "both")[1]) == [
        (1, 3, 1), (1, 5, 1), (2, 3, 2), (2, 5, 2), (3, 3, 1), (3, 5, 1),
    ]  # fmt: skip
    # Largest need of `a`: 4 rows, 5 columns. A step takes two columns and two rows of it from earlier ones.
    assert found.window[0, 1] == 4 * 5 * 6
    assert found.kept_cols[0, 1] == 4 * 2 * 6
    assert found.kept_rows[0, 1] == 2 * 8 * 6
    # The sum needs two rows of the input, `a` the two after the first of them.
    assert found.window[0, 0] == 3 * 5 * 4
    room = found.room(graph.channels * 0 + 8.0)
    kept = 8 * (found.kept_cols[0] + found.kept_rows[0])
    window = 8 * found.window[0]
    assert (room[0, 0] == kept + window * [1, 1, 0, 0]).all()  # `a` runs: input, a
    assert (room[0, 1] == kept + window * [1, 1, 1, 0]).all()
    assert (room[0, 2] == kept + window * [1, 0, 1, 1]).all()
    twice = found.room(graph.channels * 0 + 8.0, 2.0)
    assert twice[0, 2].sum() - room[0, 2].sum() == window[0] + window[3]  # loaded and stored ones


@pytest.mark.parametrize(("name", "first", "last"), [("mobilenet_v2", 1, 4), ("mnasnet_a1", 13, 17)])
def test_images_go_one_by_one(name, first, last):
    net, one = (load_network(name, batch=n, resolution=64) for n in (3, 1))
    graphs = [StackGraph(x, first, last) for x in (net, one)]
    assert graphs[0].images == 3
    assert graphs[0].one_image == graphs[1].layers
    many, few = (steps(x, [(4, 8)], ["columns"]) for x in graphs)
    assert many.macs[0] == 3 * few.macs[0]
    assert (many.words == 3 * few.words).all()
    assert (many.window == few.window).all()
    assert many.count[0] == 3 * few.count[0]


@given(stacks())
@settings(max_examples=100, deadline=None)
def test_names_decide_nothing(case):
    net, first, last, tile = case
    other = replace(net, layers=tuple(replace(x, name=f"other_{x.name}") for x in net.layers))
    a, b = (steps(StackGraph(x, first, last), [tile], ["both"]) for x in (net, other))
    assert (a.rows == b.rows).all()
    assert (a.cols == b.cols).all()


def test_rows_that_only_others_read_are_found_missing():
    """A stride of two skips the last row of an even map; what reads it outside the stack lacks it."""
    b = NetworkBuilder("m", 2, 8, 8)
    x = b.conv(b.input, 2, 3, name="a")
    y = b.conv(x, 2, 1, 2, name="b")
    z = b.conv(x, 2, 3, 2, name="c")
    net = b.build(b.add(y, z, name="d"))
    lone = steps(StackGraph(net, 0, 1), [(4, 4)], ["both"])
    assert lone.missing[0].tolist() == [False, True, False]
    assert not steps(StackGraph(net, 0, 3), [(4, 4)], ["both"]).missing.any()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda net: StackGraph(net, 1, 9), "layers 1 to 9 are no interval of the 2 layers of two"),
        (lambda net: StackGraph(net, 1, 0), "layers 1 to 0 are no interval"),
        (lambda net: steps(StackGraph(net, 0, 1), [(9, 1)], ["both"]),
         "stack a to b: tile P must be a whole number from 1 to 8, the P of b, but got 9"),
        (lambda net: steps(StackGraph(net, 0, 1), [(1, 0)], ["both"]), "tile Q must be a whole number"),
        (lambda net: steps(StackGraph(net, 0, 1), [(1, 1)], ["colums"]), "did you mean 'columns'"),
    ],
)  # fmt: skip
def test_bad_choices_are_refused(call, message):
    layers = [Layer.conv2d(K=2, C=2, P=8, Q=8, name="a"), Layer.conv2d(K=2, C=2, P=8, Q=8, name="b")]
    with pytest.raises(AccelsimError, match="stack") as fault:
        call(Network.from_layers("two", layers))
    assert message in str(fault.value)
