"""Precisions layer by layer: a tensor has one width, the best choice is found, costs are what they are."""

from __future__ import annotations

import itertools
import json
from io import StringIO
from typing import Any

import numpy as np
import pytest

import accelsim
from accelsim import AccelsimError, Layer, Network, load_hardware, load_network, search
from accelsim.accuracy.base import AccuracyError
from accelsim.accuracy.quantised import floor, floors
from accelsim.cosearch.configure import configure
from accelsim.cosearch.export import design_files, export
from accelsim.cosearch.mixed import MixedNets, MixedSubnets, PrecisionPairs, TensorWidths, used
from accelsim.cosearch.setup import Setup
from accelsim.hardware import Accelerator
from accelsim.pricing.models.loopnest import LoopNest
from accelsim.pricing.network import NetworkPricer
from accelsim.pricing.run import Run
from accelsim.pricing.way import Way
from accelsim.report.accuracies import accuracy_lines
from accelsim.report.search import search_report
from accelsim.workloads.network import INPUT
from accelsim.workloads.spaces import SPACES, load_space
from tests.command import run
from tests.cosearch.small import SUBNETS, TINY, same, tiny

PAIRS = [(4, 4), (2, 4), (4, 8)]


def fused(name: str = "nvdla_64", **section: Any) -> dict[str, Any]:
    """A shipped machine whose MACs are made of narrower ones."""
    data = load_hardware(name).to_dict()
    data["mac"] = data.get("mac", {}) | {"precision": "fused"}
    data["search"] |= section
    return data


def widths(chip: Accelerator, layer: Layer) -> tuple[int, int, int]:
    own = chip.precision_bits
    told = zip(layer.bits, (own.weight, own.input, own.output), strict=True)
    weight, read, written = (bits or machine for bits, machine in told)
    return weight, read, written


def check_agreement(chip: Accelerator, net: Network, pairs: PrecisionPairs) -> None:
    """A tensor has the width with which it is written wherever it is read; outside, the chip's."""
    own = chip.precision_bits
    for edge in net.edges:
        weight, read, _ = widths(chip, net.layers[edge.consumer])
        made = own.input if edge.producer == INPUT else widths(chip, net.layers[edge.producer])[2]
        assert made == (read if edge.operand == "I" else weight), (net.name, edge)
    assert {widths(chip, net.layers[i])[2] for i in net.outputs} == {own.output}
    assert set(used(net, chip)) <= set(pairs.all)


NETWORKS = ("lenet5", "resnet18", "squeezenet1_1", "mobilenet_v2", "mnasnet_a1", "unet", "vit_b16")


@pytest.mark.parametrize("name", NETWORKS)
def test_a_tensor_has_one_width(name: str) -> None:
    """Chains, sums, concatenations, squeeze-excite, attention: on random rows, and all precisions occur."""
    chip, net = load_hardware("nvdla_64"), load_network(name)
    nets = MixedNets([net], chip, PAIRS)
    rng = np.random.default_rng(1)
    rows = rng.integers(0, [gene.choices for gene in nets.genes], (20, len(nets.genes)))
    seen = set()
    for row, canonical in zip(rows, nets.canonical(rows), strict=True):
        (made,) = nets.networks(row)
        check_agreement(chip, made, nets.pairs)
        assert nets.networks(canonical) == (made,)
        seen |= set(used(made, chip))
    assert seen == set(nets.pairs.all)
    assert nets.networks(nets.own(rows[0])) == (net,)
    canon = np.unique(nets.canonical(rows), axis=0)
    assert len({nets.networks(row)[0].layers for row in canon}) == len(canon)


@pytest.mark.parametrize("name", SPACES.names())
def test_blocks_of_every_space(name: str) -> None:
    """Layers belong to the blocks that they come from, and tensors between blocks have one width."""
    chip, space = load_hardware("nvdla_64"), load_space(name)
    nets = MixedSubnets(space, chip, [(4, 4), (8, 8)])
    rng = np.random.default_rng(2)
    rows = rng.integers(0, [gene.choices for gene in nets.genes], (4, len(nets.genes)))
    for row in nets.canonical(rows):
        (net,) = nets.networks(row)
        check_agreement(chip, net, nets.pairs)
        inner = nets.subnets(row[None])[0]
        tensors, parts = nets._parted(inner)
        assert len(parts) == len(net.layers)
        blocks = space.block_ids(inner[None])[0]
        for part in set(parts):
            block = space.block(int(blocks[part]))
            assert [net.layers[i].dims for i, p in enumerate(parts) if p == part] == [
                layer.dims for layer in block.layers
            ]
        assert nets.networks(nets.own(row)) == nets.plain(row) == (tensors.network,)


def test_what_must_agree_is_one_gene() -> None:
    """A sum's terms and what reads them too; weights that layers share; what the file says stays."""
    chip = load_hardware("nvdla_64")
    build = accelsim.NetworkBuilder("sum", 3, 8, 8)
    x = build.conv(build.input, 8, 3)
    y = build.conv(x, 8, 3)
    net = build.build(build.conv(build.conv(build.add(x, y), 8, 1), 4, 1))
    nets = MixedNets([net], chip, [(4, 4)])
    assert [gene.name for gene in nets.genes] == [
        "bits.conv2.input", "bits.conv2.weight", "bits.conv3.input", "bits.conv3.weight", "bits.conv4.input",
        "bits.conv4.weight",
    ]  # fmt: skip
    assert nets.networks(np.zeros(6, int))[0].layers[2].bits == (None, 4, 4)  # the sum
    given = MixedNets([net.with_bits(weight=2, input=2, layers=["conv3"])], chip, [(4, 4)])
    assert [gene.name for gene in given.genes] == [
        "bits.conv2.input", "bits.conv2.weight", "bits.conv4.input", "bits.conv4.weight",
    ]  # fmt: skip
    (made,) = given.networks(np.zeros(4, int))
    assert [layer.bits for layer in made.layers] == [
        (None, None, 4), (4, 4, 4), (None, 4, None), (2, 2, 4), (4, 4, None),
    ]  # fmt: skip


def test_shared_weights_have_one_width() -> None:
    layers = [{"name": n, "op": "gemm", "dims": {"K": 16, "C": 16, "P": 4}} for n in "abcd"]
    for shared in (layers[1], layers[3]):
        shared["shares"] = [{"tensor": "w"}]  # type: ignore[assignment]
    net = Network.from_dict({"version": 1, "name": "tied", "layers": layers})
    nets = MixedNets([net], load_hardware("nvdla_64"), [(4, 4), (4, 8)])
    assert sum(gene.name.endswith("weight") for gene in nets.genes) == 3
    rows = np.array(list(itertools.product(*(range(gene.choices) for gene in nets.genes))))
    made = [nets.networks(row)[0].layers for row in rows]
    assert {(x[1].bits.weight, x[1].bits.input) for x in made} > {(4, 4)}
    assert all(x[1].bits.weight == x[3].bits.weight for x in made)
    assert all(x[1].bits.input == x[3].bits.input for x in made)


def chain() -> Network:
    """Three layers, of which each has another ratio of weights to activations."""
    return Network.from_layers(
        "chain",
        [
            Layer.conv2d(K=16, C=4, P=12, Q=12, R=3, S=3, name="a"),
            Layer.conv2d(K=16, C=16, P=12, Q=12, name="b"),
            Layer.gemm(M=1, N=40, K=2304, name="c"),
        ],
    )


@pytest.mark.parametrize(("metric", "least"), [("edp", 6.0), ("energy", 6.5), ("latency", 5.0)])
def test_the_best_choice_is_found(metric: str, least: float) -> None:
    """All choices priced one by one, by the verb that users have: the search's best is the least of them."""
    data, net, pairs = fused(), chain(), [(4, 4), (4, 8)]
    chip = load_hardware(data)
    costs = []
    for w in itertools.product((4, 8), repeat=3):
        for first, second in itertools.product((4, 8), repeat=2):
            inputs = (8, first, second)
            if any(pair not in [(8, 8), *pairs] for pair in zip(w, inputs, strict=True)):
                continue
            layers = [
                Layer(**x.dims, op=x.op, name=x.name, bits=(w[i], inputs[i], (first, second, 8)[i]))
                for i, x in enumerate(net.layers)
            ]
            bits = sum(x.macs * (w[i] + inputs[i]) for i, x in enumerate(layers)) / (2 * net.macs)
            if bits >= least:
                one = Network.from_layers("one", layers)
                cost = accelsim.evaluate(chip, one, mapper="template", objective=metric)
                costs.append({"edp": cost.edp_js, "energy": cost.energy_pj * 1e-12,
                              "latency": cost.latency_s}[metric])  # fmt: skip
    assert len(costs) > 5
    asked: dict[str, Any] = {
        "networks": net, "objectives": metric, "mapper": "template", "finish": 0, "fix": "hardware",
        "evaluations": 60, "population": 6, "min_bits": least,
    }  # fmt: skip
    found = search(data, layer_precision=pairs, **asked)
    assert found.best is not None
    assert found.best.metrics[metric] == pytest.approx(min(costs), rel=1e-12)
    plain = search(data, **asked | {"population": 2})  # whose only candidate is the chip's own precision
    assert plain.best is not None
    assert found.best.metrics[metric] < plain.best.metrics[metric]
    assert np.isclose(found.column(metric), plain.best.metrics[metric], rtol=1e-12).any()


def test_equal_questions_are_asked_once() -> None:
    """Of a chain of equal layers, as many as differ in bits."""
    net = Network.from_layers("equal", [Layer.gemm(M=8, N=64, K=64, name=f"g{i}") for i in range(6)])
    config = configure(fused(), networks=net, layer_precision=[(4, 4)], fix="hardware", mapper="template")
    setup = Setup(config)
    phase = setup.phase("nested", setup.nets, setup.chips)
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 2, (40, len(setup.nets.genes)))
    phase.evaluate(rows)
    networks = [setup.nets.networks(row)[0] for row in setup.nets.canonical(rows)]
    assert setup.tally.pairs == len({layer for one in networks for layer in one.layers}) < 10


@pytest.mark.parametrize("name", ["nvdla_64", "edgetpu", "shidiannao", "eyeriss", "dpu_zcu102"])
def test_bounds_hold_on_random_choices(name: str) -> None:
    """Residents, engines and fused MACs too: no mapping found is below the bound of its network."""
    data = load_hardware(name).to_dict()
    data["mac"] = data.get("mac", {}) | {"precision": "fused"}
    chip, rng = load_hardware(data), np.random.default_rng(4)
    for source in (tiny(), "lenet5"):
        nets = MixedNets([load_network(source)], chip, [(4, 4), (2, 8), (8, 8), (16, 16)])
        rows = rng.integers(0, [gene.choices for gene in nets.genes], (12, len(nets.genes)))
        runs = [Run(chip, nets.networks(row)[0]) for row in rows]
        for mapper in ("template", "optimal"):
            pricer = NetworkPricer(LoopNest(Way.of(mapper, budget=300)))
            least, found = pricer.bounds(runs), pricer.price(runs)
            fits = found.failed < 0  # a weight of 16 bits is too wide for NVDLA's cells
            assert fits.all() == (name != "nvdla_64")
            assert fits.any()
            assert (found.latency_cycles >= least[:, 0] * (1 - 1e-12)).all()
            assert (found.energy_pj >= least[:, 1] * (1 - 1e-12)).all()


@pytest.mark.parametrize("name", ["edgetpu", "shidiannao"])
def test_what_stays_on_chip_counts_its_own_width(name: str) -> None:
    """Residents and tiles fit together, element by element in the widths of their layers."""
    from accelsim.pricing.residency import plan

    chip, net = load_hardware(name), load_network("squeezenet1_1")
    nets = MixedNets([net], chip, [(4, 4), (8, 8)])
    rng = np.random.default_rng(5)
    kept = set()
    for row in rng.integers(0, [gene.choices for gene in nets.genes], (5, len(nets.genes))):
        (made,) = nets.networks(row)
        cost = accelsim.evaluate(chip, made, mapper="template")
        own = plan(chip, made)
        kept.add(len(own.kept))
        alive = np.zeros(len(made.layers))
        last = {i: max((e.consumer for e in made.consumers_of[i]), default=i) for i in own.kept}
        for i in own.kept:
            alive[i : last[i] + 1] += made.layers[i].output_elements * widths(chip, made.layers[i])[2]
        loaded = sum(made.weights_of[i] * widths(chip, made.layers[i])[0] for i in own.weights)
        for i, (one, (flags, taken)) in enumerate(zip(cost.layers, own.table(), strict=True)):
            assert one.layer == made.layers[i]
            mine = {e.producer for e in made.inputs_of[i]} & own.kept
            results = (
                alive[i]
                - sum(made.layers[j].output_elements * widths(chip, made.layers[j])[2] for j in mine)
                - (made.layers[i].output_elements * widths(chip, made.layers[i])[2] if i in own.kept else 0)
            )
            weights = loaded - made.weights_of[i] * widths(chip, made.layers[i])[0] * (i in own.weights)
            if taken is not None and "O" not in flags:
                assert taken.sum() == results + weights
    wide = plan(chip, net)
    narrow = plan(chip, nets.networks(np.zeros(len(nets.genes), int))[0])
    assert len(narrow.kept) + len(narrow.weights) >= len(wide.kept) + len(wide.weights)


def test_one_wide_layer_takes_no_room_from_the_others() -> None:
    """All weights at 4 bits but one layer's stay, where all at 8 bits would not."""
    data = load_hardware("edgetpu").to_dict()
    net = Network.from_layers("fc", [Layer.gemm(M=1, N=2500, K=2500, name=f"g{i}") for i in range(2)])
    from accelsim.pricing.residency import plan

    chip = load_hardware(data)
    room = sum(len(plan(chip, net.with_bits(weight=w)).weights) for w in (8,))
    mixed = net.with_bits(weight=4, layers=["g1"])
    assert len(plan(chip, mixed).weights) > room


@pytest.mark.parametrize("name", ["nvdla_64", "eyeriss", "edgetpu", "tpu_v1"])
@pytest.mark.parametrize("unit", ["fixed", "fused"])
def test_no_width_is_free(name: str, unit: str) -> None:
    """Each gene swept under the same mappings: wider takes no less time and more energy."""
    data = load_hardware(name).to_dict()
    data["mac"] = data.get("mac", {}) | {"precision": unit}
    chip, net = load_hardware(data), load_network("lenet5")
    own = chip.precision_bits.weight
    nets = MixedNets([net], chip, list(itertools.product((own // 4, own // 2, own), repeat=2)))
    plain = accelsim.evaluate(chip, net, mapper="template")
    mappings = {one.layer.name: one.mapping for one in plain.layers}
    base = nets.own(np.zeros(len(nets.genes), int))
    assert len(base) == 5 + 6  # weights of five layers, tensors between seven
    for c, gene in enumerate(nets.genes):
        rows = np.repeat(base[None], gene.choices, axis=0)
        rows[:, c] = range(gene.choices)
        costs = [accelsim.evaluate(chip, nets.networks(row)[0], mappings) for row in rows]
        energy, cycles = ([getattr(x, k) for x in costs] for k in ("energy_pj", "latency_cycles"))
        assert (np.diff(energy) > 0).all(), gene.name
        assert (np.diff(cycles) >= 0).all(), gene.name


def test_flash_counts_each_layer_in_its_width() -> None:
    from accelsim.liveness import memory_plan

    net = load_network("lenet5")
    half = net.with_bits(weight=4, layers=["fc1"])
    i = net.names.index("fc1")
    saved = memory_plan(net, "example").flash - memory_plan(half, "example").flash
    assert saved == net.weights_of[i] // 2
    assert memory_plan(net.with_bits(weight=8), "example").flash == memory_plan(net, "example").flash


def test_the_base_is_where_it_begins_and_narrower_is_no_worse() -> None:
    """The base chip in its own precision is among the first, so that the result is never worse."""
    data = fused()
    for options in ({"fix": "hardware"}, {}):
        asked = TINY | {"hardware": data, "objectives": "edp,bits", "evaluations": 8} | options
        found = search(**asked, layer_precision=PAIRS)
        plain = [found.design(found.found(i)) for i in range(8)]
        own = [one for one in plain if not any(any(x.bits) for x in one.networks[0].layers)]
        assert load_hardware(data).hash in [one.chip.hash for one in own]


def test_found_exported_and_evaluated_alike(tmp_path, capsys) -> None:
    """Mappings by the search and by finishing; the report and the sheet say which layer has which bits."""
    found = search(**TINY | {"hardware": fused(), "objectives": "edp,bits", "evaluations": 24, "finish": 50},
                   layer_precision=PAIRS)  # fmt: skip
    export(found, tmp_path)
    sheets = [path for path in sorted(tmp_path.glob("design_*.json")) if path.name.count(".") == 1]
    assert len(sheets) == len(found.front)
    mixtures = set()
    for path in sheets:
        sheet = json.loads(path.read_text())
        (names,) = sheet["networks"]
        chip, net, mapping = (tmp_path / x for x in (sheet["hardware"], names["network"], names["mapping"]))
        cost = accelsim.evaluate(str(chip), load_network(str(net)), json.loads(mapping.read_text()))
        assert cost.edp_js == sheet["metrics"]["edp"]
        own = load_network(str(net))
        mixtures.add(tuple(layer.bits for layer in own.layers))
        check_agreement(load_hardware(str(chip)), own, PrecisionPairs(load_hardware(fused()), PAIRS))
    assert len(mixtures) > 2
    code, _, fault = run(capsys, "evaluate", str(chip), str(net), "--mapping", str(mapping))
    assert code == 0, fault
    from rich.console import Console

    console = Console(width=200, file=StringIO())
    console.print(search_report(found))
    text = console.file.getvalue()
    assert "bits: conv1" in text
    assert "precisions" in text
    assert "stand in for what narrow ones lose" in text


def test_stacks_of_layers_in_precisions_of_their_own() -> None:
    """A fused candidate costs what its exported design does, and there are some."""
    build = accelsim.NetworkBuilder("fused", 3, 64, 64)
    x = build.conv(build.conv(build.input, 16, 3), 16, 3)
    net = build.build(build.conv(build.add(build.conv(x, 16, 3), x), 8, 3))
    found = search(
        "example", networks=net, layer_precision="4x4,4x8", fix="hardware", objectives="edp,bits",
        fuse="auto", evaluations=16, population=8, mapper="template", finish=50,
    )  # fmt: skip
    fused = 0
    for item in found.front:
        files = design_files(found, item)
        (names,) = next(data for name, data in files.items() if name.count(".") == 1)["networks"]
        chip = next(data for name, data in files.items() if name.endswith(".hardware.json"))
        mapping = json.loads(json.dumps(files[names["mapping"]]))
        cost = accelsim.evaluate(chip, Network.from_dict(files[names["network"]]), mapping)
        assert cost.edp_js == item.metrics["edp"]
        fused += bool(cost.stacks)
    assert fused > 3


def test_gains_name_the_step() -> None:
    from accelsim.cosearch.gains import gains

    found = search(**TINY | {"hardware": fused(), "evaluations": 16}, layer_precision=[(4, 4)], min_bits=5)
    steps = gains(found, found.best, found.mappings(found.best))
    assert [step.name for step in steps][:3] == ["start", "precisions", "mappings"]
    assert steps[1].gain == steps[1].alone > 1
    assert np.prod([step.gain for step in steps]) == pytest.approx(steps[0].edp_js / steps[-1].edp_js)
    assert steps[0].edp_js == accelsim.evaluate(fused(), tiny(), mapper="template").edp_js
    asked = SUBNETS | {"hardware": fused(), "objectives": "edp", "evaluations": 8}
    nets = search(**asked, layer_precision="4x4")
    assert [step.name for step in gains(nets, nets.best, nets.mappings(nets.best))][:4] == [
        "start", "network", "precisions", "mappings",
    ]  # fmt: skip


def test_top_1_of_a_mixture_is_a_bound() -> None:
    """Where all layers agree it is what is published; else that of the narrowest, error to the best."""
    resnet = load_network("resnet18")
    known = floors([resnet], [(4, 4), (8, 8)])
    assert floor(known, {(4, 4): 1}) == known[4, 4]
    assert floor(known, {(8, 8): 1}) == known[8, 8]
    for pairs in ({(4, 4), (8, 8)}, {(4, 8)}, {(8, 4), (16, 8)}):
        told = floor(known, pairs)
        assert told.value == 68.45
        assert told.error == pytest.approx(71.56 + 0.5 - 68.45)
        assert "an assumption" in told.source
    assert floor(known, {(8, 8), (16, 16)}).value == 71.56
    assert floor(known, {(8, 8), (16, 16)}).error == pytest.approx(0.5)
    with pytest.raises(AccuracyError, match="weights of 2 and activations of 4 bits in some layers"):
        floors([resnet], [(2, 4), (8, 8)])
    with pytest.raises(AccuracyError, match="not for lenet5"):
        search("nvdla_64", networks="lenet5", objectives="edp,accuracy", layer_precision="4x4")
    asked = {"networks": "resnet18", "mapper": "template", "population": 8, "finish": 0, "fix": "hardware",
             "layer_precision": [(4, 4), (8, 8)]}  # fmt: skip
    found = search(fused(), objectives="edp,accuracy", evaluations=24, **asked)
    assert {design.metrics["accuracy"] for design in found.front} == {68.45, 71.56}
    lines = accuracy_lines(found)
    assert "which is an assumption" in lines[0]
    assert "within 3.61 points" in lines[1]
    limited = search(fused(), objectives="edp", min_accuracy=70, evaluations=16, **asked)
    (made,) = limited.design(limited.best).networks
    assert made == resnet


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"layer_precision": "4"}, "layer_precision: must be bits of weights .* got '4'; write"),
        ({"layer_precision": [(4, 0)]}, r"whole numbers from 1 to 64, but got \(4, 0\)"),
        ({"layer_precision": [(4, 2.5)]}, r"but got \(4, 2.5\)"),
        ({"strategy": "single"}, "the strategy single does not choose precisions; use one of nested, joint"),
        ({"model": "maestro"}, "the model maestro knows no precisions of layers; use accelsim"),
        ({"networks": load_network(tiny()).with_bits(8, 8, 8).to_dict()}, "no layer has a choice"),
        ({"hardware": fused(precision=[{"weight": 4, "activation": 4}])}, "precision of NVDLA 64 varies"),
        ({"networks": None, "space": "ofa_mbv3", "objectives": "edp,accuracy"}, "layer_precision varies it"),
    ],
)
def test_what_does_not_go_together_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(AccelsimError, match=said):
        configure(**{"hardware": fused(), "networks": tiny(), "layer_precision": "4x4", "fix": ""} | options)


def test_file_and_option_say_the_same(tmp_path, capsys) -> None:
    listed = fused(layer_precision=[{"weight": 4, "activation": 4}, {"weight": 4, "activation": 8}])
    asked = {"networks": tiny(), "fix": "hardware"}
    by_file, by_text = configure(listed, **asked), configure(fused(), layer_precision="4x4 4x8", **asked)
    assert by_file.layer_precision == by_text.layer_precision == ((4, 4), (4, 8))
    assert configure(fused(), **asked).layer_precision == ()
    assert "layer_precision" not in configure(fused(), **asked).to_dict()
    options = TINY | {"hardware": fused(), "layer_precision": "4x4", "evaluations": 16}
    study = tmp_path / "a.study"
    begun = search(**options | {"evaluations": 8}, study=study)
    assert len(begun) == 8
    assert same(search(**options, study=study, workers=2), search(**options))
    assert accelsim.load_study(study).design(accelsim.load_study(study).best).networks
    with pytest.raises(AccelsimError, match=r"other layer_precision"):
        search(**options | {"layer_precision": "4x8"}, study=study)
    bad = fused(layer_precision=[{"weight": 4, "activation": 4}] * 2)
    with pytest.raises(AccelsimError, match=r"search.layer_precision\[1\]: is there already"):
        load_hardware(bad)
    (tmp_path / "hw.json").write_text(json.dumps(fused(layer_precision=[{"weight": 4, "activation": 65}])))
    code, _, fault = run(capsys, "search", str(tmp_path / "hw.json"), "--network", "lenet5")
    assert code == 2
    assert "search.layer_precision[0].activation: must be" in fault
    code, _, fault = run(capsys, "search", "nvdla_64", "--network", "lenet5", "--layer-precision", "4y4")
    assert code == 2
    assert "layer_precision: must be bits of weights and activations" in fault


def test_tensors_of_attention_must_have_a_pair() -> None:
    """Both factors of a product of activations have one width: only those for which there is a pair."""
    chip, net = load_hardware("nvdla_64"), load_network("vit_b16", resolution=32)
    able = TensorWidths(net, PrecisionPairs(chip, [(4, 8)]))
    assert not able.free
    assert able.chosen
    assert TensorWidths(net, PrecisionPairs(chip, [(4, 4)])).free
