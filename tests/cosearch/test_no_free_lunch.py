"""Nothing that a search may give a chip is free: what offers more, with all else equal, costs more."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from accelsim.cosearch.chips import ChipSpace
from accelsim.hardware import Accelerator, hardware_names, load_hardware
from accelsim.hardware.banks import banks

SHIPPED = tuple(name for name in hardware_names() if load_hardware(name).search is not None)


def offers(chip: Accelerator) -> dict[str, float]:
    """What mappings can use, as numbers of which more is more; what is absent is 0."""
    bits = chip.precision_bits
    out: dict[str, float] = {"weight bits": bits.weight, "activation bits": bits.input}
    for m, memory in enumerate(chip.memories):
        out |= {f"{memory.name} bytes {part}": size for part, size in memory.parts().items()}
        out |= {f"{memory.name} {user}": port.rate for port in chip.ports(m) for user in port.users}
        for axis in memory.fanout:
            here = f"{memory.name} {axis.axis}"
            out[f"{here} size"] = axis.size
            out |= {f"{here} {dim}": 1 for dim in chip.axis_dims(memory.name, axis.axis)}
    return out


def charges(chip: Accelerator) -> dict[str, float]:
    """What a chip costs whatever it does, or for each thing that it does; of all, less is better."""
    costs = chip.costs
    out = {"area": chip.area_mm2, "mac": costs.mac.energy_pj}
    out |= {f"static {name}": power for name, power in chip.static_mw.items()}
    for m, memory in enumerate(chip.memories):
        out |= {
            f"{memory.name} {t} {i}": x for t, both in costs.access[m].items() for i, x in enumerate(both)
        }
        out |= {f"{memory.name} {a.axis} hop": x for a, x in zip(memory.fanout, costs.hop_pj_per_bit[m])}
    return out


def more(one: dict[str, float], other: dict[str, float]) -> bool:
    """Whether `one` has at least as much of everything as `other`, and more of something."""
    keys = one.keys() | other.keys()
    pairs = [(one.get(key, 0), other.get(key, 0)) for key in keys]
    return all(a >= b for a, b in pairs) and any(a > b for a, b in pairs)


def dearer(one: dict[str, float], other: dict[str, float]) -> bool:
    """Whether something costs more."""
    return any(one.get(key, 0.0) > value * (1 + 1e-12) for key, value in other.items())


def made_of(space: ChipSpace, rows: np.ndarray) -> list[Accelerator]:
    """The chips of rows that make one, within the budgets or not."""
    return space.accelerators(rows[~np.isin(space.faults(rows), ["array", "memory too small"])])


@pytest.mark.parametrize("name", SHIPPED)
def test_each_gene_has_its_price(name: str) -> None:
    """Each gene swept from the base chip, and from a few others, one step or many at a time.

    A share, a rank or the weight of a part gives to one what it takes from another; the others only give.
    """
    data = load_hardware(name).to_dict()
    widths = ((4, 8), (8, 8), (8, 16), (16, 16))
    data["search"]["precision"] = [{"weight": w, "activation": a} for w, a in widths]
    space = ChipSpace(load_hardware(data))
    rng = np.random.default_rng(3)
    starts = [space.anchor()]
    while len(starts) < 3:
        row = np.array([rng.integers(0, gene.choices) for gene in space.genes])
        if made_of(space, row[None, :]):
            starts.append(row)
    grew = dict.fromkeys((gene.name for gene in space.genes), 0)
    for start in starts:
        for i, gene in enumerate(space.genes):
            steps = np.unique([*np.linspace(0, gene.choices - 1, 5).round().astype(np.int64), start[i]])
            rows = np.repeat(start[None, :], len(steps), axis=0)
            rows[:, i] = steps
            for smaller, larger in pairwise(made_of(space, rows)):
                if more(offers(larger), offers(smaller)):
                    grew[gene.name] += 1
                    assert dearer(charges(larger), charges(smaller)), (gene.name, smaller.hash, larger.hash)
                if more(offers(smaller), offers(larger)):
                    assert dearer(charges(smaller), charges(larger)), (gene.name, smaller.hash, larger.hash)
    only_give = [x for x in grew if x.endswith((".bytes", ".bandwidth")) or x in ("pes", "precision")]
    assert {x: grew[x] for x in only_give if not grew[x]} == {}


@pytest.mark.parametrize("name", SHIPPED)
def test_wider_ports_take_energy_where_wires_are_named(name: str) -> None:
    """Banks are no gene: they stay the base's, and ports keep as many busy as they are wide."""
    data = load_hardware(name).to_dict()
    data.setdefault("components", []).append({"name": "bank_wires", "per": "routing"})
    space = ChipSpace(load_hardware(data))
    for i, gene in enumerate(space.genes):
        memory, _, what = gene.name.partition(".")
        if what != "bandwidth":
            continue
        m = space.base.memory_index(memory)
        row = space.anchor()
        row[i] = gene.choices - 1
        wide, base = space._make(row[None, :], space.base), space.base
        if base.memories[m].technology == "sram" and sum(
            banks(wide, m, part) > banks(base, m, part) for part in base.memories[m].parts()
        ):
            now, before = wide.costs.access[m], base.costs.access[m]
            assert all(now[t][i] >= before[t][i] for t in now for i in (0, 1))
            assert any(now[t][0] > before[t][0] for t in now)


@pytest.mark.parametrize("name", SHIPPED)
def test_leave_for_an_axis_has_its_price(name: str) -> None:
    """Each dimension that the base's axes may not carry yet."""
    from accelsim.hardware.fields import DIMENSIONS
    from accelsim.hardware.freedom import Freedom, with_freedoms

    base = load_hardware(name)
    for memory in base.memories:
        for axis in memory.fanout:
            for dim in set(DIMENSIONS) - set(base.axis_dims(memory.name, axis.axis)):
                freed = with_freedoms(base, [Freedom(dim, ((memory.name, axis.axis),))])
                assert more(offers(freed), offers(base))
                assert freed.area_mm2 > base.area_mm2
