"""Memory plans against brute force, and against figures that others measured."""

import json
from dataclasses import replace
from itertools import pairwise, permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import accelsim
from accelsim.errors import AccelsimError
from accelsim.liveness import Rules, memory_plan
from accelsim.liveness.offsets import offsets
from accelsim.liveness.order import best_order
from accelsim.liveness.tensors import Tensors, sizes_of
from accelsim.workloads import NetworkBuilder, load_network
from accelsim.workloads.zoo.mobilenet import V2
from tests.command import run

KIB = 1024
PLAIN = Rules(in_place_depthwise=False)


@st.composite
def branchy(draw):
    """Small networks with branches of several sizes, sums and concatenations."""
    b = NetworkBuilder("drawn", draw(st.integers(1, 6)), 4, 4)
    pool = [b.input]
    for _ in range(draw(st.integers(2, 7))):
        x = draw(st.sampled_from(pool))
        kind = draw(st.sampled_from(("conv", "depthwise", "down", "add", "concat")))
        twins = [y for y in pool if y[:3] == x[:3] and y is not x]
        flat = [y for y in pool if y[1:3] == x[1:3] and y is not x]
        if kind == "add" and twins:
            pool.append(b.add(x, draw(st.sampled_from(twins))))
        elif kind == "concat" and flat:
            pool.append(b.conv(b.concat([x, draw(st.sampled_from(flat))]), draw(st.integers(1, 9)), 1))
        elif kind == "depthwise" and x.channels > 1:
            pool.append(b.depthwise(x, 3, draw(st.sampled_from((1, 2)))))
        else:
            pool.append(b.conv(x, draw(st.integers(1, 9)), 3, 2 if kind == "down" and x.height > 1 else 1))
    return b.build()


RULES = st.builds(
    Rules, st.booleans(), st.booleans(), st.sampled_from(("none", "tinyengine")), st.sampled_from((1, 4))
)


def tensors_of(net, rules):
    return Tensors(net, rules, sizes_of(net, 8, 8))


def live_by_definition(tensors, order):
    """Per operator: bytes of what was made or given before and is read now or later, and of the result."""
    out, made = [], {0}
    for at, n in enumerate(order):
        operator = tensors.operators[n]
        later = {t for m in order[at:] for t in tensors.operators[m].reads} | tensors.outputs
        rest = {t for m in order[at + 1 :] for t in tensors.operators[m].reads} | tensors.outputs
        live = sum(tensors.size[t] for t in made & later)
        dying = [t for t in operator.over if t not in rest]
        size = tensors.size[operator.makes]
        if dying:
            extra = -(-size // operator.parts) if operator.parts else 0
            live += max(0, size - tensors.size[dying[0]]) + tensors.rules.aligned(extra)
        else:
            live += size
        out.append(live)
        made.add(operator.makes)
    return out


@given(branchy(), RULES)
@settings(max_examples=150, deadline=None)
def test_live_bytes_and_the_best_order_are_those_of_brute_force(net, rules):
    tensors = tensors_of(net, rules)
    count = len(tensors.operators)
    given = list(range(count))
    assert [m.total for m in tensors.moments()] == live_by_definition(tensors, given)
    makers = {o.makes: n for n, o in enumerate(tensors.operators)}
    best = min(
        max(live_by_definition(tensors, order))
        for order in permutations(given)
        if all(
            makers.get(t, -1) in (-1, *order[: order.index(n)])
            for n in order
            for t in tensors.operators[n].reads
        )
    )
    order, lowest, _ = best_order(tensors)
    assert max(m.total for m in tensors.moments(order)) == lowest == best
    plan = memory_plan(net, rules=rules)
    assert plan.live == best
    assert plan.given_peak - plan.workspace == max(live_by_definition(tensors, given))


@given(branchy(), RULES)
@settings(max_examples=200, deadline=None)
def test_addresses_keep_what_is_live_apart(net, rules):
    tensors = tensors_of(net, rules)
    moments = tensors.moments()
    at, total = offsets(tensors, moments)
    assert total >= max(m.total for m in moments)
    for moment in moments:
        made = tensors.operators[moment.operator].makes
        places = []
        for t in moment.tensors:
            if t == moment.over and at[t] == at[made]:
                continue  # the result's place is inside
            size = tensors.size[t]
            if t == made and moment.over is not None and at[moment.over] == at[t]:
                size = max(size, tensors.size[moment.over])
            places.append((at[t], at[t] + size))
        places.sort()
        assert all(a[1] <= b[0] for a, b in pairwise(places)), (moment, at)
        assert all(end <= total for _, end in places)


def divisible(value):
    """Channels as MobileNetV2's width multiplier rounds them: to eights, at most a tenth less."""
    rounded = max(8, int(value + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * value else rounded


def mobilenet(width, resolution):
    """MobileNetV2 with a width multiplier on every layer."""
    b = NetworkBuilder(f"mbv2-w{width}", 3, resolution, resolution)
    x = b.conv(b.input, divisible(32 * width), 3, 2)
    for expand, out, blocks, first in V2:
        for i in range(blocks):
            stride = first if i == 0 else 1
            y = b.conv(x, x.channels * expand, 1) if expand > 1 else x
            y = b.conv(b.depthwise(y, 3, stride), divisible(out * width), 1)
            x = b.add(y, x) if y[:3] == x[:3] else y
    x = b.conv(x, divisible(1280 * width), 1)
    return b.build(b.linear(b.global_pool(x), 1000))


def mcunet_vww1():
    """The network of the person detection demonstration of mit-han-lab/tinyengine: 80x80, two classes."""
    b = NetworkBuilder("mcunet-vww1", 3, 80, 80)
    x = b.conv(b.depthwise(b.conv(b.input, 16, 3, 2), 3), 8, 1)
    for middle, kernel, stride, out in (
        (48, 3, 2, 16), (48, 3, 1, 16), (48, 3, 1, 16), (48, 7, 2, 24), (144, 3, 1, 24), (120, 5, 1, 24),
        (144, 7, 2, 40), (240, 7, 1, 40), (240, 3, 1, 48), (192, 3, 1, 48), (240, 5, 2, 96), (480, 3, 1, 96),
        (384, 3, 1, 96), (288, 7, 1, 160),
    ):  # fmt: skip
        y = b.conv(b.depthwise(b.conv(x, middle, 1), kernel, stride), out, 1)
        x = b.add(y, x) if y[:3] == x[:3] else y
    return b.build(b.conv(b.global_pool(x), 2, 1))


TINYENGINE = Rules(workspace="tinyengine", alignment=4)


def test_mobilenet_v2_in_place_needs_what_was_published():
    """MCUNet's 1372 kB for int8 MobileNetV2 at 224 with in-place depthwise layers, and 1470 without."""
    net = load_network("mobilenet_v2")
    plan = accelsim.memory_plan("mobilenet_v2")
    assert plan.peak == 1372 * KIB
    assert (plan.layer, plan.tensors) == (
        "stage2.0.expand", {"stage1.0.project": 200704, "stage2.0.expand": 1204224}
    )  # fmt: skip
    assert plan.given_peak == plan.lowest_peak == plan.arena == plan.peak
    without = memory_plan(net, rules=PLAIN)
    assert (without.peak, without.layer) == (1470 * KIB, "stage2.0.dw")


def test_networks_of_tinyengine_take_what_it_reports():
    """Its generated code reserves 93 992 bytes for vww1; its table says 92, 61 and 308 kB."""
    vww1 = mcunet_vww1()
    plan = memory_plan(vww1, rules=TINYENGINE)
    assert vww1.macs == 11_578_816
    assert (plan.live, plan.workspace, plan.peak) == (89_600, 2 * 42 * 42 + 2 * 9 * 3 * 16, 93_992)
    assert plan.flash / KIB == pytest.approx(458.4, abs=0.05)
    small = memory_plan(mobilenet(0.3, 64), rules=TINYENGINE)
    assert small.peak / KIB == pytest.approx(59.1, abs=0.05)
    larger = mobilenet(0.35, 144)
    assert larger.macs == 23_499_152
    assert memory_plan(larger, rules=TINYENGINE).peak / KIB == pytest.approx(295.0, abs=0.05)


def test_patches_of_mobilenet_v2_need_what_mcunet_v2_says():
    """172 kB and 10 % more MACs in the paper: the stem and four blocks in 4x4 patches, sums in place."""
    net = load_network("mobilenet_v2")
    plan = memory_plan(net, rules=Rules(in_place_add=True), patches=("stage3.0.project", 4))
    stage = plan.patches
    assert plan.peak / KIB == pytest.approx(172.3, abs=0.05)
    assert plan.layer == "stage3.1.dw"
    assert plan.macs / net.macs == pytest.approx(1.093, abs=0.0005)
    assert stage.macs / stage.macs_layers == pytest.approx(1.306, abs=0.0005)
    assert stage.macs_unclipped / stage.macs_layers == pytest.approx(1.419, abs=0.0005)
    loose = net.macs + stage.macs_unclipped - stage.macs_layers
    assert loose / net.macs == pytest.approx(1.127, abs=0.0005)
    apart = memory_plan(net, patches=("stage3.0.project", 4))
    assert apart.peak / KIB == pytest.approx(196.0, abs=0.05)
    five = memory_plan(net, rules=Rules(in_place_add=True), patches=("stage3.1.add", 4))
    assert five.peak / KIB == pytest.approx(226.7, abs=0.05)


def test_one_patch_is_the_network_itself():
    net = load_network("mobilenet_v2", resolution=96)
    plan, whole = memory_plan(net, patches=("stage3.0.project", 1)), memory_plan(net)
    assert plan.macs == net.macs
    assert plan.patches.macs_unclipped > net.macs * 0  # counted too
    # The output of the stage is there from the start.
    last = net.layers[net.names.index("stage3.0.project")].output_elements
    assert whole.peak <= plan.peak <= whole.peak + last


def test_every_lever_changes_the_answer():
    net = load_network("mobilenet_v2", resolution=96)
    plain = memory_plan(net, rules=PLAIN).peak
    assert memory_plan(net).peak < plain
    assert memory_plan(net, rules=replace(PLAIN, workspace="tinyengine")).peak > plain
    assert memory_plan(net, rules=replace(PLAIN, alignment=4096)).peak > plain
    assert memory_plan(net, patches=("stage2.0.project", 3)).peak < plain
    b = NetworkBuilder("sum", 8, 8, 8)
    x = b.conv(b.input, 8, 3)
    net = b.build(b.add(b.conv(x, 8, 3), x))
    assert memory_plan(net, rules=Rules(in_place_add=True)).peak == 2 * 512
    assert memory_plan(net).peak == 3 * 512
    wide = memory_plan(net, "eyeriss")
    assert wide.peak == 2 * memory_plan(net).peak  # 16 bit


def test_a_better_order_is_found_and_named():
    """Two branches shrink their input; done one after the other, only one of them is wide at a time."""
    b = NetworkBuilder("branches", 1, 8, 8)
    wide = [b.conv(b.input, 16, 1, name=f"wide{i}") for i in range(3)]
    narrow = [b.conv(x, 1, 1, name=f"narrow{i}") for i, x in enumerate(wide)]
    net = b.build(b.conv(b.concat(narrow), 1, 1, name="out"))
    plan = memory_plan(net)
    assert plan.given_peak == (1 + 3 * 16) * 64
    assert plan.peak == plan.lowest_peak == (1 + 2 + 16) * 64
    assert [n[:-1] for n in plan.order[:6]] == ["wide", "narrow"] * 3
    assert memory_plan(net, reorder=False).peak == plan.given_peak


def test_networks_of_the_zoo_keep_their_order():
    for name in ("mobilenet_v2", "mnasnet_a1", "resnet50", "googlenet", "unet", "squeezenet1_1"):
        plan = memory_plan(name)
        assert plan.peak <= plan.given_peak
        assert plan.lowest_peak == plan.peak


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"patches": ("stage3.0.projet", 4)}, "did you mean 'stage3.0.project'"),
        ({"patches": ("stage3.0.project", 99)}, "the grid must be a whole number from 1 to 28"),
        ({"patches": ("stage3.1.project", 2)}, "read stage3.0.project, which only its patches see"),
        ({"patches": ("fc", 1)}, "avgpool needs all of what it reads"),
    ],
)
def test_patches_that_cannot_be_cut(options, message):
    with pytest.raises(AccelsimError) as fault:
        memory_plan("mobilenet_v2", **options)
    assert message in str(fault.value)


def test_rules_are_checked():
    with pytest.raises(AccelsimError, match="did you mean 'tinyengine'"):
        Rules(workspace="tinyengin")
    with pytest.raises(AccelsimError, match="alignment"):
        Rules(alignment=0)


def test_command_line(capsys, tmp_path):
    code, text, _ = run(capsys, "memory", "mobilenet_v2", "--hardware", "edgetpu")
    assert code == 0
    assert "peak 1,372.0 KiB" in text
    assert "SRAM of Edge TPU (Coral) has 11,264.0 KiB" in text
    out = tmp_path / "memory.svg"
    stage = ("--in-place-add", "--patches", "stage3.0.project:4")
    code, text, _ = run(capsys, "memory", "mobilenet_v2", *stage, "--json", "--figure", str(out))
    assert code == 0
    assert json.loads(text)["peak_bytes"] == 176400
    assert "live activations" in out.read_text()
    code, _, fault = run(capsys, "memory", "mobilenet_v2", "--patches", "stage3.0.project")
    assert code == 2
    assert "write it like stage3.0.project:4" in fault
