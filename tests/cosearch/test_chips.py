"""Every genome decodes to a chip that is what its genes say, and the envelope is kept exactly."""

from __future__ import annotations

import json
from importlib import resources

import numpy as np
import pytest

from accelsim import AccelsimError
from accelsim.cosearch.chips import ChipSpace, FixedChip
from accelsim.cosearch.genes import Genome
from accelsim.hardware import HardwareError, hardware_names, load_hardware, technology
from accelsim.hardware.resize import resized

SHIPPED = [name for name in hardware_names() if load_hardware(name).search is not None]
DRAWN = 120
BUILT = 10


def raw(file: str, **changes) -> dict:
    data = json.loads(resources.files("hw_configs").joinpath(f"{file}.json").read_text())
    return data | changes


def one_part() -> dict:
    """The last memory has a single part, and genes follow its own."""
    data = raw("example")
    data["memories"][2] |= {"holds": ["W"], "size_bytes": {"W": 64}, "bandwidth": 1}
    span = {"min": 1, "max": 100}
    return data | {"search": {"buffers": {"PE": span}, "bandwidths": {"buffer": {"min": 1, "max": 9.5}}}}


def tight() -> dict:
    """Memories that may be too small for an element of each tensor, and a budget of area."""
    data = raw("example")
    return data | {
        "search": {
            "max_area_mm2": 0.75,
            "max_onchip_bytes": 80_000,
            "strides": {"buffer_bytes": 3, "array": 3, "pes": 5},
            "array": {"memory": "buffer", "max_size": 20, "max_axes": 2, "dims": ["P", "K", "G"]},
            "buffers": {"buffer": {"min": 1, "max": 90_000}, "PE": {"min": 1, "max": 100}},
        }
    }


def odd() -> dict:
    """Axes of any length from 3, all of two dimensions, ports with figures of their own."""
    data = raw("example")
    return data | {
        "search": {
            "max_pes": 60,
            "max_bandwidth": 40,
            "strides": {"pes": 1, "array": 1, "bandwidth": 0.3},
            "array": {
                "memory": "buffer",
                "min_size": 3,
                "max_size": 7,
                "min_axes": 2,
                "dims": ["K", "C", "N"],
            },
            "bandwidths": {"buffer": {"min": 1, "max": 50}, "DRAM": {"min": 0.5, "max": 2}},
        }
    }


def half_shared() -> dict:
    """A second axis on the lanes of the first, not as long."""
    data = raw("eyeriss")
    data["memories"][1]["fanout"][1]["size"] = 5
    data["search"]["array"]["max_axes"] = 2
    return data


def long_texts() -> dict:
    array = {"memory": "buffer", "max_size": 8}
    return raw("example", name="n" * 2000, source="s" * 2000, search={"array": array})


HAND_MADE = {f.__name__: f for f in (one_part, tight, odd, half_shared, long_texts)}


@pytest.fixture(scope="module", params=[*SHIPPED, *HAND_MADE])
def base(request):
    by_hand = HAND_MADE.get(request.param)
    return load_hardware(by_hand() if by_hand else request.param)


def drawn(space: ChipSpace, n: int = DRAWN) -> np.ndarray:
    return Genome([space]).sample(np.random.default_rng(7), n)


def breaks(chip, base) -> bool:
    """Whether a built chip breaks a budget of the base."""
    s = base.search
    rates = [chip.memories[base.memory_index(name)].bandwidth for name in s.bandwidths]
    figures = [(s.max_pes, chip.num_pes), (s.max_onchip_bytes, chip.onchip_bytes)]
    figures += [(s.max_area_mm2, chip.area_mm2), (s.max_bandwidth, sum(map(total, rates)))]
    if s.array is not None:
        axes = chip.memories[base.memory_index(s.array.memory)].fanout
        if any(not s.array.min_size <= axis.size <= s.array.max_size for axis in axes):
            return True
    return any(most is not None and value > most for most, value in figures)


def made(space: ChipSpace, row: np.ndarray):
    return space.accelerators(row[None, :])[0]


def total(bandwidth) -> float:
    """The sum of a bandwidth's numbers, however it is written."""
    if bandwidth is None or isinstance(bandwidth, str | tuple | list):
        return 0.0 if bandwidth is None or isinstance(bandwidth, str) else sum(map(total, bandwidth))
    if not isinstance(bandwidth, dict | float | int):
        bandwidth = bandwidth.model_dump(exclude_none=True)
    return sum(map(total, bandwidth.values())) if isinstance(bandwidth, dict) else bandwidth


class TestEverySpace:
    @pytest.mark.parametrize("sizes_only", [False, True])
    def test_the_envelope_is_kept_exactly(self, base, sizes_only) -> None:
        """faults() against a chip built and looked at."""
        space = ChipSpace(base, sizes_only)
        rows = drawn(space, 2 * BUILT)
        faults = space.faults(rows)
        assert (faults == "").any()
        for row, fault in zip(rows, faults):
            try:
                chip = space.documented(row)
            except HardwareError:
                assert fault, "a chip that cannot be built must break the envelope"
            else:
                assert breaks(chip, base) == bool(fault)

    @pytest.mark.parametrize("sizes_only", [False, True])
    def test_chips_load_back(self, base, sizes_only) -> None:
        space = ChipSpace(base, sizes_only)
        rows = drawn(space)
        for row in rows[space.faults(rows) == ""][:BUILT]:
            chip = made(space, row)
            full = space.documented(row)
            again = load_hardware(json.loads(json.dumps(full.to_dict())))
            assert again == load_hardware(full.to_dict())
            assert again.hash == full.hash == chip.hash
            assert again.name == full.name
            assert chip.hash[:8] in full.name
            assert again.costs == chip.costs == full.costs
            assert chip.search is None

    def test_equal_genomes_are_equal_chips(self, base) -> None:
        """And only they: canonical rows differ where the chips do, and nowhere else."""
        space = ChipSpace(base)
        rows = drawn(space)
        rows = rows[space.faults(rows) == ""]
        rng = np.random.default_rng(1)
        close = rows.copy()  # many of these are the same chip: one gene a step away
        at = rng.integers(0, rows.shape[1], len(rows))
        upper = Genome([space]).upper
        each = np.arange(len(rows))
        close[each, at] = np.clip(close[each, at] + rng.choice([-1, 1], len(rows)), 0, upper[at])
        close = close[space.faults(close) == ""]
        rows = np.concatenate([rows[:BUILT], close[: 2 * BUILT], rows[:2]])
        by_row = [row.tobytes() for row in space.canonical(rows)]
        by_chip = [space.documented(row).hash for row in rows]
        assert len(set(by_row)) == len(set(by_chip)) == len(set(zip(by_row, by_chip))) < len(rows)
        assert [chip.hash for chip in space.accelerators(rows)] == by_chip
        assert space.keys(rows) == by_row

    def test_steps(self, base) -> None:
        space = ChipSpace(base)
        rows = drawn(space)
        s, strides = base.search, base.search.strides
        for row in rows[space.faults(rows) == ""][:BUILT]:
            chip = made(space, row)
            if s.array is not None:
                m = base.memory_index(s.array.memory)
                axes = chip.memories[m].fanout
                assert s.array.min_axes <= len(axes) <= s.array.max_axes
                assert all(axis.size % strides.array == 0 for axis in axes)
                assert chip.num_pes % strides.pes == 0
                carried = []
                for axis in axes:
                    dims = chip.axis_dims(s.array.memory, axis.axis)
                    own = [d for d in dims if d in s.array.dims]
                    assert len(set(dims)) == len(dims)
                    assert 1 <= len(own) <= space.array.choices
                    assert "G" in s.array.dims or ("G" in dims) == bool({"K", "C"} & set(own))
                    assert axis.multicast
                    assert axis.reduction == bool(set("CRS") & set(own))
                    carried += own
                assert len(set(carried)) == len(carried)
                lanes = [base.lanes(i) for i in range(len(base.memories)) if i != m]
                assert [chip.lanes(i) for i in range(len(base.memories)) if i != m] == lanes
            for name, span in s.buffers.items():
                memory = chip.memories[base.memory_index(name)]
                size = int(memory.total_bytes)
                if memory.partitioned:  # each part a whole number of words, of at least one
                    words = {t: -(-base.precision_bits.of(t) // 8) for t in memory.parts()}
                    assert all(b > 0 and b % words[t] == 0 for t, b in memory.parts().items())
                    assert size <= max(span.max, sum(words.values()))
                    assert size > span.min - sum(words.values())
                else:
                    assert span.min <= size <= span.max
                    assert (size - span.min) % strides.buffer_bytes == 0
            for name, rate in s.bandwidths.items():
                value = total(chip.memories[base.memory_index(name)].bandwidth)
                steps = (value - rate.min) / strides.bandwidth
                assert steps == pytest.approx(round(steps), abs=1e-6)
                assert rate.min - 1e-9 <= value <= rate.max + 1e-9

    def test_figures_follow_the_sizes(self, base) -> None:
        """Energy and leakage are those of the base with the same sizes, by the technology fit."""
        space = ChipSpace(base)
        rows = drawn(space)
        for row in rows[space.faults(rows) == ""][:3]:
            chip = made(space, row)
            changes = {}
            for name in base.search.buffers:
                memory = chip.memories[base.memory_index(name)]
                for part, size in memory.parts().items():
                    tail = f".{part}" if memory.partitioned else ""
                    changes[f"memories.{name}.size_bytes{tail}"] = size
            for name in base.search.bandwidths:
                rate = total(chip.memories[base.memory_index(name)].bandwidth)
                changes[f"memories.{name}.bandwidth"] = rate
            expected = resized(base, changes) if changes else base
            for m in range(len(base.memories)):
                for tensor, pair in expected.resolved_energy(m).items():
                    assert chip.resolved_energy(m)[tensor] == pytest.approx(pair, rel=1e-9)
            assert chip.costs.memory_leakage_mw == pytest.approx(expected.costs.memory_leakage_mw, rel=1e-9)

    def test_sizes_only_keeps_the_dataflow(self, base) -> None:
        space = ChipSpace(base, sizes_only=True)
        rows = drawn(space)
        for row in rows[space.faults(rows) == ""][:4]:
            chip = made(space, row)
            assert chip.dataflow.axes == base.dataflow.axes
            assert chip.dataflow.orders == base.dataflow.orders
            for new, old in zip(chip.memories, base.memories):
                sized = {"size", "hop_pj_per_bit", "sources", "notes"}
                assert [axis.model_dump(exclude=sized) for axis in new.fanout] == [
                    axis.model_dump(exclude=sized) for axis in old.fanout
                ]

    def test_no_two_ends_are_missed(self, base) -> None:
        """The smallest and the largest choice of each size can be had."""
        space = ChipSpace(base)
        for gene, pick in (("bytes", -1), ("bandwidth", -1), ("bytes", 0), ("bandwidth", 0)):
            ends = [g.choices - 1 if pick else 0 for g in space.genes]
            row = np.array(ends)
            for name, span in (base.search.buffers if gene == "bytes" else base.search.bandwidths).items():
                column = [g.name for g in space.genes].index(f"{name}.{gene}")
                step = base.search.strides.buffer_bytes if gene == "bytes" else base.search.strides.bandwidth
                value = span.min + row[column] * step
                assert value <= span.max + 1e-9
                assert (value + step > span.max + 1e-9) if pick else (value == span.min)


def test_steps_scale_by_the_fit() -> None:
    """GLB of Eyeriss is 25 banks, 64 bits wide, at 65 nm."""
    base = load_hardware("eyeriss")
    space = ChipSpace(base)
    rows = drawn(space)
    chip = made(space, rows[space.faults(rows) == ""][0])
    size = chip.memories[1].total_bytes
    assert size != base.memories[1].total_bytes
    small, large = (technology.storage(n / 25, 64, 65) for n in (size, 102400))
    ratio = chip.resolved_energy(1)["I"][0] / base.resolved_energy(1)["I"][0]
    assert ratio == pytest.approx(small.read_pj_per_bit / large.read_pj_per_bit, rel=1e-9)


def test_lanes_that_are_shared_keep_within_their_host() -> None:
    space = ChipSpace(load_hardware(half_shared()), sizes_only=True)
    rows = drawn(space)
    rows = rows[space.faults(rows) == ""]
    pairs = {tuple(axis.size for axis in made(space, row).memories[1].fanout[:2]) for row in rows[:80]}
    assert all(own == min(host, 5) for host, own in pairs)
    assert len(pairs) > 2


def test_what_wires_cost_and_hand_on_is_the_base_s() -> None:
    """Bits pay by distance if they do along one axis, and neighbours hand on only if they do along all."""
    data = load_hardware("shidiannao").to_dict()
    fan = data["memories"][1]["fanout"]
    for forward, distance in (((True, True), False), ((True, False), True), ((False, False), False)):
        for axis, able, far in zip(fan, forward, (False, distance)):
            axis |= {"forwarding": able, "by_distance": far}
        space = ChipSpace(load_hardware(data))
        rows = drawn(space)
        for row in rows[space.faults(rows) == ""][:4]:
            axes = made(space, row).memories[1].fanout
            assert {axis.forwarding for axis in axes} == {all(forward)}
            assert {axis.by_distance for axis in axes} == {distance}


@pytest.mark.parametrize("sizes_only", [False, True])
def test_a_fold_takes_longer_on_a_longer_array(sizes_only: bool) -> None:
    """Half of the skew and loading of 12 x 14, as given, stays half of that of any other array."""
    data = load_hardware("eyeriss").to_dict()
    data["memories"][2] |= {"serial_folds": "W", "fold_cycles": 18}
    space = ChipSpace(load_hardware(data), sizes_only)
    rows = drawn(space)
    seen = set()
    for row in rows[space.faults(rows) == ""][:12]:
        chip = made(space, row)
        sizes = [axis.size for axis in chip.memories[1].fanout if axis.shares is None]
        assert chip.fold_cycles(2) == pytest.approx((sum(sizes) - len(sizes) + sizes[0]) / 2)
        seen.add(chip.fold_cycles(2))
    assert len(seen) > 3


def test_importances_deal_dimensions_to_the_axes() -> None:
    """The axes take turns, the most important dimension first; of equals the first in the file's order."""
    space = ChipSpace(load_hardware("eyeriss"))
    assert space.array.choices == 3  # as many as the base's freest axis has, groups aside
    names = [gene.name for gene in space.genes]
    row = np.zeros(len(names), np.int64)
    row[names.index("axes")] = 2
    row[names.index("pes")] = 20
    row[[names.index("share.x"), names.index("share.y")]] = 112, 144
    row[[names.index(f"rank.{d}") for d in "QKS"]] = 15, 9, 9
    chip = made(space, row)
    dims = [set(chip.axis_dims("GLB", axis.axis)) for axis in chip.memories[1].fanout]
    assert dims == [set("QCG"), set("KPG"), set("SR")]


def test_the_anchor_is_the_base(base) -> None:
    """Exactly, whatever steps and freedoms the space has; a base outside the budgets says so."""
    space = ChipSpace(base)
    row = space.anchor()
    assert (row >= 0).all()
    assert (row <= Genome([space]).upper).all()
    if not space.holds_base:
        return  # the base is no member of its own space, and this only says where to look first
    for chip in (made(space, row), space.documented(row)):
        assert chip.hash == base.hash
        assert chip.search is None


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("sizes_only", [False, True])
def test_every_shipped_chip_is_in_its_own_space(name, sizes_only) -> None:
    space = ChipSpace(load_hardware(name), sizes_only)
    assert space.faults(space.anchor()[None]).tolist() == [""]
    assert space.holds_base
    assert made(space, space.anchor()).hash == load_hardware(name).hash


def test_a_share_is_taken_on_a_log_scale() -> None:
    """168 MACs, half of their logarithm on the first axis: about 13 by 13, in steps."""
    space = ChipSpace(load_hardware("eyeriss"))
    names = [gene.name for gene in space.genes]
    row = np.zeros(len(names), np.int64)
    row[[names.index("axes"), names.index("pes"), names.index("share.x")]] = 1, 20, 120
    sizes = [axis.size for axis in made(space, row).memories[1].fanout]
    assert sizes == [12, 14]


def test_the_fixed_chip() -> None:
    base = load_hardware("example")
    fixed = FixedChip(base)
    rows = np.zeros((3, 0), np.int64)
    assert fixed.genes == ()
    assert (fixed.faults(rows) == "").all()
    assert all(chip is base for chip in [*fixed.accelerators(rows), fixed.documented(rows[0])])
    assert len(set(fixed.keys(rows))) == 1


@pytest.mark.parametrize(
    ("search", "words"),
    [
        (None, ["Example", "search", "accelsim docs hardware", "--fix hardware"]),
        ({}, ["names nothing to vary", "array, buffers, bandwidths or precision"]),
        ({"max_pes": 10}, ["names nothing to vary"]),
        ({"max_pes": 4, "array": {"memory": "buffer", "max_size": 8}}, ["search.max_pes", "8 MACs", "is 4"]),
        ({"array": {"memory": "buffer", "max_size": 2**53 - 1}}, ["search.max_pes", "at most"]),
    ],
)
def test_sections_that_span_nothing(search, words) -> None:
    data = raw("example") if search is None else raw("example", search=search)
    with pytest.raises(AccelsimError) as fault:
        ChipSpace(load_hardware(data))
    assert all(word in str(fault.value) for word in words)
    assert "\n" not in str(fault.value)


def test_sizes_that_no_whole_number_holds_are_outside_the_envelope() -> None:
    """Bytes of all instances beyond 2^63."""
    span = {"min": 1000, "max": 2**53 - 1}
    search = {"max_onchip_bytes": 10**6, "strides": {"buffer_bytes": 1}, "buffers": {"PE": span}}
    space = ChipSpace(load_hardware(raw("example", search=search)))
    assert (space.faults(drawn(space, 50)) == "on-chip bytes").all()


@pytest.mark.parametrize("name", SHIPPED)
def test_the_order_of_keys_means_nothing(name) -> None:
    """A file read back from sorted JSON spans the same genomes."""
    one = ChipSpace(load_hardware(name))
    two = ChipSpace(load_hardware(json.loads(json.dumps(load_hardware(name).to_dict(), sort_keys=True))))
    turned = raw(name)
    turned["search"]["buffers"] = dict(reversed(turned["search"]["buffers"].items()))
    three = ChipSpace(load_hardware(turned))
    assert one.genes == two.genes == three.genes
    rows = drawn(one)
    row = rows[one.faults(rows) == ""][0]
    assert len({made(space, row).hash for space in (one, two, three)}) == 1
