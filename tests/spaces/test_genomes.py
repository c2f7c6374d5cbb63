"""Every space keeps the contract of `Space`."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.errors import AccelsimError
from accelsim.workloads.spaces import Limits, MacroPlan, MacroSpace, Space, load, load_space, space_names

NAMES = space_names()
SPACES = {name: load_space(name) for name in NAMES}
every_space = pytest.mark.parametrize("name", NAMES)


def drawn(name: str, n: int = 100, seed: int = 0) -> tuple[Space, np.ndarray]:
    space = SPACES[name]
    return space, space.sample(np.random.default_rng(seed), n)


@every_space
def test_sample_is_canonical_and_repeatable(name: str) -> None:
    space, genomes = drawn(name)
    assert genomes.shape == (100, len(space.genes))
    assert genomes.dtype == np.int64
    assert (genomes >= space.lower).all()
    assert (genomes <= space.upper).all()
    assert (space.canonical(genomes) == genomes).all()
    assert (drawn(name)[1] == genomes).all()
    assert (drawn(name, seed=1)[1] != genomes).any()


@every_space
def test_sample_reaches_every_choice(name: str) -> None:
    space, genomes = drawn(name, 3000)
    for column, gene in enumerate(space.genes):
        assert set(genomes[:, column]) == set(range(len(gene.values))), gene.name


@every_space
def test_unused_genes_do_not_count(name: str) -> None:
    """Scrambling the genes that decide nothing leaves the subnet, its counts and its layers alone."""
    space, genomes = drawn(name, 50)
    noise = np.random.default_rng(1).integers(0, space.upper + 1, genomes.shape)
    other = np.where(space.active(genomes), genomes, noise)
    assert (space.canonical(other) == genomes).all()
    assert (space.macs(other) == space.macs(genomes)).all()
    assert (space.params(other) == space.params(genomes)).all()
    for a, b in zip(other[:10], genomes[:10]):
        assert space.layers(a) == space.layers(b)
        assert str(space.decode(a)) == str(space.decode(b))


@every_space
def test_active_genes_count(name: str) -> None:
    """Changing any used gene gives another canonical genome and other layers."""
    space, genomes = drawn(name, 10)
    for genome in genomes:
        for other in space.neighbours(genome):
            assert (space.canonical(other)[0] == other).all()
            assert space.layers(other) != space.layers(genome)


@every_space
def test_encode_decode(name: str) -> None:
    space, genomes = drawn(name)
    for genome in genomes:
        subnet = space.decode(genome)
        assert (space.encode(subnet) == genome).all()
        assert space.parse(subnet.encoding) == subnet
        assert str(subnet) == f"{name}:{subnet.encoding}"
        assert re.fullmatch(r"[A-Za-z0-9._:-]+", str(subnet))


@every_space
def test_layers_and_network_agree(name: str) -> None:
    space, genomes = drawn(name, 20)
    for genome, macs, params in zip(genomes, space.macs(genomes), space.params(genomes)):
        network = space.to_network(genome)
        assert network.layers == space.layers(genome)
        assert (network.macs, network.params) == (macs, params)
        assert network.input_shape == space.input_shape(space.decode(genome).resolution)


@every_space
def test_edges_carry_whole_results(name: str) -> None:
    """Every edge carries its producer's whole output but what a stride skips; all but the end is read."""
    space, genomes = drawn(name, 10)
    for genome in genomes:
        for batch in (1, 3):
            network = space.to_network(genome, batch)
            for edge, window in zip(network.edges, network.windows):
                layer = network.layers[edge.consumer]
                if edge.producer >= 0:
                    assert network.reads_all(edge, window)
                else:
                    assert edge.elements * prod(network.input_shape[1:]) == (
                        batch * prod(network.input_shape) * network.area_read(edge, window)
                    )
                skips = any(k < s for k, s in zip((layer.R, layer.S), layer.stride))
                if not skips and edge.producer >= 0:
                    assert edge.elements == network.layers[edge.producer].output_elements
            assert network.outputs == (len(network.layers) - 1,)
            assert all(network.consumers_of[:-1])


@every_space
def test_batch(name: str) -> None:
    space, genomes = drawn(name, 3)
    for genome in genomes:
        four = space.to_network(genome, batch=4)
        assert four.macs == 4 * space.macs(genome)[0]
        assert four.params == space.params(genome)[0]
        assert all(x.N == 4 or (x.op in ("gemm", "broadcast") and x.G % 4 == 0) for x in four.layers)


@every_space
def test_equal_blocks_are_equal_layers(name: str) -> None:
    """Distinct layers are far fewer than layers, and equal block numbers give the same objects."""
    space, genomes = drawn(name, 200)
    layers = [x for genome in genomes for x in space.layers(genome)]
    assert len(set(layers)) < len(layers) / 2
    ids = space.block_ids(genomes)
    assert space.block(int(ids[0, 0])) is space.block(int(ids[0, 0]))
    assert ids.shape == (200, len(space.parts))
    total = [sum(space.block(i).macs for i in row if i >= 0) for row in ids[:20].tolist()]
    assert total == space.macs(genomes[:20]).tolist()


@every_space
def test_neighbours(name: str) -> None:
    """Symmetric where no block disappears; distinct; never the genome itself."""
    space, genomes = drawn(name, 3)
    for genome in genomes:
        near = space.neighbours(genome)
        assert len(np.unique(near, axis=0)) == len(near)
        assert not (near == genome).all(axis=1).any()
        active = space.active(genome)[0]
        expected = sum(len(g.values) - 1 for g, used in zip(space.genes, active) if used)
        assert len(near) == expected or isinstance(space, MacroSpace)


@every_space
def test_any_resolution(name: str) -> None:
    space = SPACES[name]
    subnet = space.decode(space.largest())
    for resolution in (32, 57, 131, 224, 300):
        network = space.to_network(replace(subnet, resolution=resolution))
        assert network.input_shape == space.input_shape(resolution)
        assert network.params == space.params(space.largest())[0]
        assert load(space, subnet.encoding, resolution=resolution) == network


def test_a_resolution_is_given_once() -> None:
    """Two choices that are one have no block numbers of their own, which tables of blocks need."""
    with pytest.raises(AccelsimError, match="fashion: resolution 12 is given twice; name each once"):
        load_space("fashion", (12, 20, 12))


@every_space
def test_layers_are_quick(name: str) -> None:
    """Below 1 ms of processor time a subnet once its blocks, which are shared, are built; best of three."""
    space, genomes = drawn(name, 200)
    for make, limit in ((space.layers, 1e-3), (space.to_network, 3e-3)):
        rounds = []
        for _ in range(4):
            start = time.process_time()
            for genome in genomes:
                make(genome)
            rounds.append((time.process_time() - start) / len(genomes))
        assert min(rounds[1:]) < limit


@every_space
@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (lambda s: np.zeros(3, int), "genes"),
        (lambda s: s.smallest() - 1, "row 0 must be 0 to"),
        (lambda s: np.stack([s.largest(), s.upper + 1]), "row 1 must be 0 to"),
        (lambda s: s.smallest() * 0.5, "whole numbers"),
    ],
)
def test_bad_genomes(name: str, bad, words: str) -> None:
    space = SPACES[name]
    for call in (space.macs, space.canonical, space.layers, space.decode):
        with pytest.raises(AccelsimError, match=words):
            call(bad(space))


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("ofa_mbv4:smallest", "did you mean 'ofa_mbv3"),
        ("ofa_mbv3:", "write it like r224"),
        ("fashion:r20", "write it like r28-d1.1.1-k3.3.3-e2.2.2"),
        ("ofa_mbv3:r224", "lacks d, k, e"),
        ("ofa_mbv3:r224-d2.2.2.2.2-k33.33.33.33.33-e33.33.33.33", "must have one digit a block"),
        ("ofa_mbv3:r224-d2.2.2.2.2-k33.33.33.33.34-e33.33.33.33.33", "kernel5.2 must be one of 3, 5, 7"),
        ("ofa_mbv3:r224-d2.2.2.2.2-k33.33.33.33.33-e33.33.33.33.35", "expand5.2 must be one of 3, 4, 6"),
        ("ofa_mbv3:r224-d2.2.2.2.1-k33.33.33.33.3-e33.33.33.33.3", "depth5 must be one of 2, 3, 4"),
        ("ofa_mbv3:r8-d2.2.2.2.2-k33.33.33.33.33-e33.33.33.33.33", "from 32 to 4096, but got 8"),
        ("fashion:r7-d1.1.1-k3.3.3-e2.2.2", "from 8 to 4096, but got 7"),
        ("fashion:r28-d1.1.1-k3.3.7-e2.2.2", "kernel3.1 must be one of 3, 5, but"),
        ("fashion:r28-d1.1.1-k3.3.3-e2.2.6", "expand3.1 must be one of 2, 3, 4, but"),
        ("ofa_mbv3:r224-r224-d2.2.2.2.2-k33.33.33.33.33-e33.33.33.33.33", "comes twice"),
        ("ofa_mbv3:r224-x2-d2.2.2.2.2-k33.33.33.33.33-e33.33.33.33.33", "not a field"),
        ("ofa_mbv3:r22４-d2.2.2.2.2-k33.33.33.33.33-e33.33.33.33.33", "whole number"),
        ("ofa_proxyless:r224-d2.2.2.2.2.2-k33.33.33.33.33.33-e33.33.33.33.33.33", "depth6 must be one of 1"),
        ("ofa_resnet50:r224-d1.0.0.0.0-w65.65.65.65.65.65-e20.20_20.20_20.20.20.20_20.20", "0 or 2"),
        ("ofa_resnet50:r224-d2.0.0.0.0-w65.65.65.65.65-e20.20_20.20_20.20.20.20_20.20", "6 widths"),
        ("ofa_resnet50:r224-d2.0.0.0.0-w65.65.65.65.65.90-e20.20_20.20_20.20.20.20_20.20", "65, 80, 100"),
        ("ofa_resnet50:r224-d2.0.0.0.0-w65.65.65.65.65.65-e20.20_20.20_20.20.20.20_20.30", "20, 25, 35"),
        ("ofa_resnet50:r64-d2.3.0.0.0-w65.65.65.65.65.65-e20.20.20.20.20_20.20_20.20.20.20_20.20", "0, 1, 2"),
        ("nasbench_macro:0120", "8 digits"),
        ("nasbench_macro:00000003", "0, 1, 2"),
        ("nasbench_macro:0000000x", "whole number"),
        ("nasbench_macro:00000000-rx", "whole number"),
    ],
)  # fmt: skip
def test_bad_encodings(spec: str, words: str) -> None:
    with pytest.raises(AccelsimError, match=words):
        load(*spec.split(":"))


@given(st.text(alphabet="rdkew0123456789.-_", max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_text_is_read_or_refused(text: str) -> None:
    for name in NAMES:
        try:
            subnet = SPACES[name].parse(text)
        except AccelsimError:
            continue
        assert SPACES[name].parse(subnet.encoding) == subnet


def test_words_for_the_extremes() -> None:
    assert load("ofa_mbv3", "smallest").macs == 41_476_224
    assert load("ofa_mbv3", "largest").macs == 566_170_656


def test_ofa_configuration() -> None:
    """The form of once-for-all's own code, there and back."""
    space, genomes = drawn("ofa_mbv3", 20)
    for genome in genomes:
        subnet = space.decode(genome)
        config = space.to_ofa(subnet)
        assert len(config["ks"]) == len(config["e"]) == 20
        assert space.from_ofa(config["ks"], config["e"], config["d"], config["r"][0]) == subnet
    with pytest.raises(AccelsimError, match="needs 20 kernels"):
        space.from_ofa([3], [3], [2, 2, 2, 2, 2])


def test_macro_enumeration() -> None:
    """All 3969 networks differ; all 6561 codes fall on them."""
    space = SPACES["nasbench_macro"]
    rows = space.enumerate()
    assert len(rows) == space.size == 3969
    assert len({space.layers(row) for row in rows}) == 3969
    codes = np.stack(np.unravel_index(np.arange(6561), [1] + [3] * 8), axis=1)
    assert len(np.unique(space.canonical(codes), axis=0)) == 3969


def test_macro_plan() -> None:
    space = MacroSpace(MacroPlan(slots=(1, 2), operators=((3, 2),), stem=16, final=64, resolution=64), "tiny")
    assert space.size == len(space.enumerate()) == 2 * 1 * 2 * 2
    network = space.to_network(space.parse("110"))
    assert network.layers[0].K == 16
    assert network.layers[-1].C == 64
    assert network.input_shape == (3, 64, 64)
    with pytest.raises(AccelsimError, match="at most 9 operators"):
        MacroSpace(MacroPlan(operators=((3, 2),) * 10))


def test_limits() -> None:
    space = SPACES["ofa_mbv3"]
    limits = Limits(min_macs=2e8, max_macs=3e8, max_params=6e6)
    genomes = limits.sample(space, np.random.default_rng(0), 300)
    assert genomes.shape == (300, len(space.genes))
    assert (space.macs(genomes) >= 2e8).all()
    assert (space.macs(genomes) <= 3e8).all()
    assert (space.params(genomes) <= 6e6).all()
    assert limits.allows(space, genomes).all()
    far = limits.violations(space, [space.smallest(), space.largest()])
    assert far.shape == (2, 3)
    assert far[0] == pytest.approx([1 - 41_476_224 / 2e8, 41_476_224 / 3e8 - 1, far[0, 2]])
    assert far[1, 1] > 0 > far[1, 0]
    assert Limits().violations(space, genomes).shape == (300, 0)
    assert Limits().allows(space, genomes).all()


@pytest.mark.parametrize(
    ("bounds", "words"),
    [
        ({"min_macs": 3e8, "max_macs": 2e8}, "min_macs <= max_macs"),
        ({"max_params": 0}, "must be a positive number"),
        ({"max_macs": float("nan")}, "must be a positive number"),
    ],
)
def test_bad_limits(bounds: dict[str, float], words: str) -> None:
    with pytest.raises(AccelsimError, match=words):
        Limits(**bounds)


def test_impossible_limits() -> None:
    with pytest.raises(AccelsimError, match="MACs range from 41476224"):
        Limits(max_macs=1e6).sample(SPACES["ofa_mbv3"], np.random.default_rng(0), 5, tries=2)
