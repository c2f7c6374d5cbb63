"""What every cost model promises: see `CostModel`."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import accelsim
from accelsim.lut import build_table
from accelsim.pricing.ask import Answers, Ask
from accelsim.pricing.models import CostModel, load_model, model_names
from accelsim.pricing.way import Way
from tests.pricing.nets import every_kind, machine

WAYS = [Way.of(mapper, budget=300) for mapper in ("template", "genetic", "random", "genetic_index")]
CASES = [
    pytest.param(load_model(name, way), id=f"{name}-{way.mapper.name}")
    for name in model_names()
    for way in WAYS
]


def asks(model: CostModel | None = None) -> list[Ask]:
    name = "mcu_f746" if model is not None and model.name == "microcontroller" else "eyeriss"
    chips = [machine(name), accelsim.load_hardware(name).model_copy(update={"clock_mhz": 400.0})]
    taken = np.zeros((len(chips[0].memories), 4))
    taken[1, 3] = 8 * 2000.0
    out = [Ask(chip, layer) for chip in chips for layer in every_kind().layers]
    return [*out, out[0]._replace(resident="I"), out[0]._replace(reserved_bits=taken)]


@pytest.mark.parametrize("model", CASES)
class TestCostModel:
    def test_answers_do_not_depend_on_their_neighbours(self, model: CostModel) -> None:
        all_ = model.price(asks(model))
        order = np.random.default_rng(0).permutation(len(asks(model)))
        shuffled = model.price([asks(model)[i] for i in order])
        for together, other in zip(all_, shuffled, strict=True):
            assert np.array_equal(together[order], other, equal_nan=True)
        for i, ask in enumerate(asks(model)):
            for together, one in zip(all_, model.price([ask]), strict=True):
                assert np.array_equal(one, together[i : i + 1], equal_nan=True)

    def test_after_a_stop_the_first_mapping_is_the_answer(self, model: CostModel) -> None:
        """A kernel that maps many layers at once hears of no stop on its way, so it is not to search."""
        template = load_model(model.name, Way.of("template"))
        stopped, first = (one.price(asks(model), cancelled=lambda: True) for one in (model, template))
        if model.name == "accelsim" and model.way.mapper.name in ("genetic", "random", "template"):
            assert np.array_equal(stopped.latency_cycles, first.latency_cycles)
            assert np.array_equal(stopped.evaluations, first.evaluations)
        assert np.isfinite(stopped.latency_cycles).all()

    def test_mappings_cost_what_was_priced(self, model: CostModel) -> None:
        found = model.price(asks(model))
        if type(model).mapping is CostModel.mapping:
            with pytest.raises(accelsim.AccelsimError, match="has no mappings"):
                model.mapping(asks(model)[0])
            return
        for i, ask in enumerate(asks(model)):
            result = model.mapping(ask)
            assert result is not None
            assert result.cost.latency_cycles == found.latency_cycles[i]
            assert result.cost.energy_pj == found.energy_pj[i]
            assert result.evaluations + result.start_evaluations == found.evaluations[i]
            # A given schedule is priced as it is.
            again = model.price([ask._replace(schedule=result.mapping)])
            assert (again.latency_cycles[0], again.energy_pj[0]) == (
                found.latency_cycles[i], found.energy_pj[i]
            )  # fmt: skip

    def test_it_can_be_pickled(self, model: CostModel) -> None:
        again = pickle.loads(pickle.dumps(model))
        for one, two in zip(again.price(asks(model)[:3]), model.price(asks(model)[:3]), strict=True):
            assert np.array_equal(one, two, equal_nan=True)


@pytest.mark.parametrize("way", WAYS)
def test_nothing_fits(way) -> None:
    """Not even the smallest tiles, since others keep all of a memory."""
    ask = asks()[0]
    taken = np.full((len(ask.chip.memories), 4), 1e12)
    model = load_model("accelsim", way)
    found = model.price([ask, ask._replace(reserved_bits=taken)])
    assert np.isfinite(found.latency_cycles).tolist() == [True, False]
    assert np.isinf(found.energy_pj[1])
    assert model.mapping(ask._replace(reserved_bits=taken)) is None


def test_a_model_of_ones_own_is_used_in_every_verb() -> None:
    """By object and by class; sums over layers are the pricer's."""

    class PerMac(CostModel):
        name = "per_mac"

        @classmethod
        def of(cls, way):
            return cls()

        def price(self, asks, cancelled=lambda: False):
            macs = np.array([float(ask.layer.macs) for ask in asks])
            return Answers(macs, 2 * macs, np.zeros(len(asks)))

    net = accelsim.load_network("lenet5")
    (row,) = accelsim.sweep("eyeriss", net, [], model=PerMac).rows
    assert (row["latency_cycles"], row["energy_pj"]) == (net.macs, 2 * net.macs)
    found = accelsim.search("eyeriss", networks=net, evaluations=4, population=4, model=PerMac())
    assert found.values[:, 2].tolist() == pytest.approx([2 * net.macs * 1e-12] * 4)
    table = build_table("example", "nasbench_macro", subnets=3, model=PerMac)
    genome = table.space.largest()
    assert table.price(genome)[1][0] == pytest.approx(2 * table.space.to_network(genome).macs)
