"""A base with the freedoms of another chip: what is granted, what it costs, and what it is worth."""

from __future__ import annotations

import math

import pytest

from accelsim import Layer, evaluate, load_hardware
from accelsim.cosearch.chips import ChipSpace
from accelsim.hardware import Accelerator
from accelsim.hardware.freedom import Freedom, freedoms, with_freedoms

DEPTHWISE = Layer.depthwise(C=96, P=28, Q=28, R=3, S=3)


def carrying(base: Accelerator, memory: str, **dims: str) -> Accelerator:
    """The base with its axes below a memory called and carrying something else."""
    data = base.to_dict()
    fan = data["memories"][base.memory_index(memory)]["fanout"]
    for axis, name in zip(fan, dims, strict=True):
        axis["axis"] = name
    data["dataflow"]["axes"][memory] = {name: list(value) for name, value in dims.items()}
    return load_hardware(data)


def test_groups_on_both_axes() -> None:
    base = load_hardware("nvdla_256")
    found = carrying(base, "CACC", x="CG", y="KG")
    (groups,) = freedoms(base, found)
    assert groups == Freedom("G", (("CACC", "kernels"), ("CACC", "channels")))
    assert str(groups) == "G on kernels and channels"
    freed = with_freedoms(base, [groups])
    assert freed.axis_dims("CACC", "kernels") == ("K", "G")
    assert freed.axis_dims("CACC", "channels") == ("C", "G")
    assert [a.size for a in freed.memories[2].fanout] == [a.size for a in base.memories[2].fanout]
    assert freed.name == "NVDLA 256 with G on kernels and channels"
    # It takes multiplexers, and a depthwise layer is much faster.
    assert freed.area_mm2 > base.area_mm2
    assert min(freed.costs.hop_pj_per_bit[2]) > min(base.costs.hop_pj_per_bit[2])
    slow, fast = (evaluate(hw, DEPTHWISE, mapper="template") for hw in (base, freed))
    assert fast.latency_cycles < slow.latency_cycles / 4


def test_what_mappings_do_not_use_is_no_freedom() -> None:
    base = load_hardware("nvdla_256")
    found = carrying(base, "CACC", x="KGP", y="CGR")
    assert [f.dim for f in freedoms(base, found)] == ["G", "P", "R"]
    assert [f.dim for f in freedoms(base, found, used="KCG")] == ["G"]
    assert freedoms(base, base) == ()
    assert with_freedoms(base, ()) == base


def test_wires_can_do_what_a_dimension_needs() -> None:
    base = load_hardware("nvdla_256")
    freed = with_freedoms(base, [Freedom("R", (("CACC", "kernels"),)), Freedom("P", (("CACC", "channels"),))])
    kernels, channels = freed.memories[2].fanout
    assert kernels.reduction
    assert channels.multicast


def test_loops_in_any_order() -> None:
    base = load_hardware("nvdla_256")
    data = base.to_dict()
    del data["dataflow"]["orders"]
    loose = load_hardware(data)
    (order,) = freedoms(base, loose)
    assert (order.dim, str(order)) == (None, "any loop order")
    assert with_freedoms(base, [order]).dataflow == loose.dataflow
    assert freedoms(loose, base) == ()


def test_engines_of_a_found_chip() -> None:
    """The host stays; the ALU is made of the array, so that its layers run on the found one, as a freedom."""
    import numpy as np

    space = ChipSpace(load_hardware("dpu_zcu102"))
    rng = np.random.default_rng(2)
    rows = np.stack([rng.integers(0, gene.choices, 60) for gene in space.genes], axis=1)
    row = next(row for row in rows if not space.faults(row[None])[0])
    chip = space.accelerators(row[None])[0]
    assert [engine.name for engine in chip.engines] == ["Arm"]
    assert [engine.name for engine in space.documented(row).engines] == ["Arm"]
    pool = Layer.pool(C=32, P=1, Q=1, R=112, S=112)
    base, found = (evaluate(hw, pool, mapper="template") for hw in (space.base, chip))
    assert found.compute_cycles == base.compute_cycles == math.ceil(32 * 112**2 / 1200 * space.base.clock_mhz)
    *_, alu = freedoms(space.base, chip)
    assert str(alu) == "layers of ALU on the array"
    freed = with_freedoms(space.base, [alu])
    assert [engine.name for engine in freed.engines] == ["Arm"]
    assert freed.for_layer(Layer.depthwise(C=96, P=28, Q=28, R=3, S=3)).num_pes == space.base.num_pes
    assert freedoms(freed, chip)[-1:] != (alu,)


@pytest.mark.parametrize("name", ["nvdla_256", "eyeriss", "edgetpu", "shidiannao", "dpu_zcu102"])
def test_a_found_chip_has_no_freedom_that_its_freed_base_has_not(name: str) -> None:
    import numpy as np

    space = ChipSpace(load_hardware(name))
    rng = np.random.default_rng(5)
    rows = np.stack([rng.integers(0, gene.choices, 40) for gene in space.genes], axis=1)
    for chip in space.accelerators(rows[space.faults(rows) == ""][:5]):
        granted = freedoms(space.base, chip)
        freed = with_freedoms(space.base, granted)
        assert {f.dim for f in freedoms(freed, chip)} == set()
        assert freed.num_pes == space.base.num_pes
        assert freed.area_mm2 >= space.base.area_mm2
