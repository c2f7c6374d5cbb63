"""What figures show agrees with the costs, and each is written in every format."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest

import accelsim
from accelsim import report
from accelsim.bench import Speed
from accelsim.report.array import lane_shares
from accelsim.report.fronts import front_of, knee_of
from accelsim.report.roofline import points, roof
from accelsim.report.stacks import latency_stack
from accelsim.workloads.layer import DIMS, Layer
from accelsim.workloads.network import Network
from tests.hardware.test_limits import deep

LAYERS = [
    Layer.conv2d(K=10, C=7, P=9, Q=11, R=3, S=3, name="odd"),
    Layer.conv2d(K=40, C=12, P=13, Q=13, stride=2, name="wide"),
    Layer.depthwise(C=20, P=14, Q=14, name="dw"),
    Layer.gemm(M=5, N=70, K=33, name="fc"),
]


@pytest.fixture(scope="module")
def network():
    return accelsim.evaluate("eyeriss", "lenet5")


@pytest.mark.parametrize("hardware", accelsim.hardware_names())
@pytest.mark.parametrize("layer", LAYERS, ids=lambda x: x.name)
def test_stacks_lanes_and_roofs_agree_with_the_cost(hardware, layer) -> None:
    cost = accelsim.evaluate(hardware, layer)
    assert sum(latency_stack(cost).values()) == pytest.approx(cost.latency_cycles, rel=1e-12)
    assert min(latency_stack(cost).values()) >= 0
    lanes = lane_shares(cost).share
    assert lanes.size == cost.hardware.num_pes
    assert lanes.mean() == pytest.approx(cost.utilisation_spatial, rel=1e-12)
    assert 0 <= lanes.min() <= lanes.max() <= 1 + 1e-12
    for memory in cost.hardware.memories:
        over = roof(cost.hardware, memory.name)
        ((x, y),) = points([cost], over)
        assert y <= min(over.peak, x * over.bandwidth) * (1 + 1e-9)


def test_layers_that_move_nothing_stand_at_the_right_edge() -> None:
    """The Edge TPU keeps activations and weights of small networks on chip."""
    cost = accelsim.evaluate("edgetpu", "mobilenet_v2")
    spots = points([x for x in cost.layers if x.macs], roof(cost.hardware))
    assert np.isinf(spots[:, 0]).any()
    (axis,) = report.roofline_figure(cost).axes
    shown = np.concatenate([np.asarray(group.get_offsets()) for group in axis.collections])
    assert len(shown) == len(spots)
    assert np.isfinite(shown).all()
    assert shown[:, 0].max() < axis.get_xlim()[1]


@pytest.mark.parametrize("net", ["lenet5", "bert_base", "mobilenet_v2"])
@pytest.mark.parametrize("hardware", ["eyeriss", "edgetpu"])
def test_names_on_a_roofline_are_legible(hardware, net) -> None:
    figure = report.roofline_figure(accelsim.evaluate(hardware, net, mapper="template"))
    figure.draw_without_rendering()
    (axis,) = figure.axes
    boxes = [text.get_window_extent() for text in axis.texts]
    assert len(boxes) > 3, "the roof, the ridge and at least two layers are named"
    for i, one in enumerate(boxes):
        assert not any(one.overlaps(other) for other in boxes[i + 1 :])
    roof_line = axis.lines[0]
    corners = roof_line.get_transform().transform(roof_line.get_xydata())
    names = [t.get_window_extent() for t in axis.texts if t.get_fontsize() == 7]
    for a, b in pairwise(corners):
        for share in np.linspace(0, 1, 500):
            x, y = a + share * (b - a)
            assert not any(box.x0 + 1 < x < box.x1 - 1 and box.y0 + 1 < y < box.y1 - 1 for box in names)


def walked(cost):
    """Steps in which each lane works, by running every loop of the nest."""
    busy: dict[tuple[int, ...], int] = {}

    def level(
        m: int, spans: dict[str, tuple[int, int]], nominal: dict[str, int], lane: tuple[int, ...]
    ) -> None:
        if m == len(cost.mapping.levels):
            busy[lane] = busy.get(lane, 0) + 1
            return
        one = cost.mapping.levels[m]
        union = {d: one.tile.get(d, nominal[d]) for d in DIMS}
        for at in product(*(range(spans[d][0], spans[d][1], union[d]) for d in DIMS)):
            tile = {d: (i, min(i + union[d], spans[d][1])) for d, i in zip(DIMS, at)}
            parts = [(lane, tile, dict(union))]
            for axis in cost.hardware.memories[m].fanout:
                if axis.axis not in one.spatial:
                    continue
                d, factor = one.spatial[axis.axis]
                split = []
                for lane_, tile_, nominal_ in parts:
                    each = -(-nominal_[d] // factor)
                    for k in range(factor):
                        start = tile_[d][0] + k * each
                        end = min(start + each, tile_[d][1])
                        if start < end:
                            split.append(((*lane_, k), {**tile_, d: (start, end)}, {**nominal_, d: each}))
                parts = split
            for lane_, tile_, nominal_ in parts:
                level(m + 1, tile_, nominal_, lane_)

    sizes = dict(cost.layer.dims)
    level(0, {d: (0, n) for d, n in sizes.items()}, sizes, ())
    return busy


@pytest.mark.parametrize("hardware", ["example", "nvdla_64", "shidiannao"])
def test_lanes_against_a_walk(hardware) -> None:
    cost = accelsim.evaluate(hardware, Layer.conv2d(K=5, C=6, P=5, Q=5, R=2, S=2))
    busy = walked(cost)
    assert sum(busy.values()) == cost.macs
    shares = np.sort([n / cost.compute_steps for n in busy.values()])
    drawn = np.sort(lane_shares(cost).share.ravel())
    assert drawn[-len(shares) :] == pytest.approx(shares, rel=1e-12)
    assert not drawn[: -len(shares)].any()


def test_axes_that_share_lanes_are_one() -> None:
    lanes = lane_shares(accelsim.evaluate("eyeriss", LAYERS[0]))
    assert lanes.names == ("rows", "cols")
    assert lanes.share.shape == (12, 14)


def dominated(points, i) -> bool:
    others = [p for j, p in enumerate(points) if j != i]
    return any(all(p <= points[i]) and any(p < points[i]) for p in others)


def test_front_and_knee() -> None:
    rng = np.random.default_rng(0)
    for k in (2, 3):
        points = rng.random((60, k)).round(2)
        front = front_of(points)
        for i in range(len(points)):
            first = next(j for j in range(len(points)) if all(points[j] == points[i]))
            assert front[i] == (not dominated(points, i) and (i == first or not front[first]))
    assert knee_of(np.array([[0.0, 10.0], [1.0, 1.0], [10.0, 0.0]])) == 1
    assert knee_of(np.array([[3.0, 5.0]])) == 0


def figures(network):
    hw = network.hardware
    layer = network.layers[0]
    x = np.arange(5)
    table = accelsim.sweep(hw, "lenet5", ["memories.GLB.size_bytes=2KiB:32KiB:x4"], mapper="template")
    grid = accelsim.sweep(
        "eyeriss", ["lenet5", Network.from_layers("one", LAYERS[:1])],
        ["memories.GLB.size_bytes=64,8KiB,64KiB", "memories.GLB.fanout.cols.size=4,14"], mapper="template",
    )  # fmt: skip
    return {
        "network": report.network_figure(network),
        "roofline": report.roofline_figure(network),
        "roofline of one": report.roofline_figure(layer, "GLB"),
        "roofline without limit": report.roofline_figure(layer, "spad"),
        "latency": report.latency_figure(network),
        "latency of one": report.latency_figure(layer),
        "energy": report.energy_figure(network),
        "array": report.array_figure(layer),
        "hierarchy": report.hierarchy_figure(hw),
        "nest": report.nest_figure(layer),
        "search": report.search_figure(x, x + 1.0, 1e-3 / (x + 1.0)),
        "seeds": report.search_figure(x, [x + 1.0, x + 2.0], [1 / (x + 1.0), 1 / (x + 2.0)]),
        "searches": report.search_figure(x, [x, x], [x + 1, x + 1], labels=["a", "b"]),
        "front": report.front_figure(
            [3e9, 2e9, 1e9], [1e-3, 2e-3, 3e-3], [70, 75, 73], baseline=(4e9, 1e-2, 70)
        ),
        "plain front": report.front_figure([3e9, 2e9], [1e-3, 2e-3], baseline=(4e9, 1e-2)),
        "lines": report.sweep_figure(table),
        "heat": report.sweep_figure(grid, "latency_s"),
        "bench": report.bench_figure(Speed({("3x3", 3, "any"): 1e6, ("3x3", 3, "dividing"): 2e6}, {1: 1e5})),
        "sweep front": report.sweep_front_figure(grid),
    }


def test_latency_of_six_memories_stays_readable() -> None:
    """A marker a layer, on its busiest port, and the whole legend inside the figure."""
    cost = accelsim.evaluate(deep(), "lenet5", mapper="template")
    figure = report.latency_figure(cost)
    figure.draw_without_rendering()
    box, whole = figure.legends[0].get_window_extent(), figure.bbox
    assert whole.x0 <= box.x0 < box.x1 <= whole.x1
    marks = dict(tuple(point) for dots in figure.axes[0].collections for point in dots.get_offsets())
    assert marks == pytest.approx(
        {i: max(one.port_cycles.values()) / 1e3 for i, one in enumerate(cost.layers)}
    )


@pytest.mark.parametrize("first", ["a", "b"], ids=["all layers fused", "one outside"])
def test_latency_and_energy_hold_what_stacks_take(first) -> None:
    """And the overhead of an inference, as of energy."""
    net = accelsim.NetworkBuilder("three", 3, 16, 16)
    x = net.input
    for name in "abc":
        x = net.conv(x, 8, 3, name=name)
    stack = {"layers": list("abc"["abc".index(first) :]), "tile": {"P": 4, "Q": 8}}
    hw = accelsim.load_hardware("shidiannao").to_dict() | {"network": {"overhead_us": 1}}
    cost = accelsim.evaluate(hw, net.build(x), mapper="template", fuse={"stacks": [stack]})
    assert len(cost.layers) == "abc".index(first)
    latency, energy = (make(cost).axes[0] for make in (report.latency_figure, report.energy_figure))
    drawn = sum(bar.get_height() for bar in latency.patches) * 1e3
    assert drawn == pytest.approx(cost.latency_cycles - cost.overhead_cycles)
    assert latency.get_xticklabels()[-1].get_text() == f"{first} .. c"
    assert sum(bar.get_height() for bar in energy.patches) == pytest.approx(cost.energy_pj)


def test_every_figure_in_every_format(network, tmp_path) -> None:
    drawn = figures(network)
    assert len(drawn) > len(report.__all__)
    for i, (name, figure) in enumerate(drawn.items()):
        for suffix in ("png", "svg", "pdf")[i % 3 : i % 3 + 1] if i > 2 else ("png", "svg", "pdf"):
            path = tmp_path / f"{name}.{suffix}"
            report.save(figure, path)
            assert path.stat().st_size > 2000


def test_a_figure_gives_the_same_bytes_again(network, tmp_path) -> None:
    for suffix in ("svg", "pdf", "png"):
        paths = [tmp_path / f"{i}.{suffix}" for i in range(2)]
        for path in paths:
            report.save(report.energy_figure(network), path)
        assert paths[0].read_bytes() == paths[1].read_bytes()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda n: report.save(report.energy_figure(n), "x.gif"), "suffix must be one of .png, .svg, .pdf"),
        (lambda n: report.save(report.energy_figure(n), "nowhere/x.png"), "there is no folder nowhere"),
        (lambda n: report.roofline_figure(n, "GBL"), "has no memory 'GBL'"),
        (lambda n: report.front_figure([1.0], [1.0, 2.0]), "as many figures of each kind"),
        (lambda n: report.search_figure([1, 2], [1.0], [1.0, 2.0]), "one value a generation"),
    ],
)
def test_faults(network, call, message) -> None:
    with pytest.raises(accelsim.AccelsimError, match=message):
        call(network)
