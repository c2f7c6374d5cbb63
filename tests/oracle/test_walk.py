"""The oracle itself: against cases small enough to count by hand, and against the worked reference cases."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.oracle.generate import seeded
from tests.oracle.walk import walk


def axis(name: str, able: str = "") -> dict[str, Any]:
    """Make an axis; `able` has an m for multicast, an r for reduction, an f for forwarding."""
    able_to = {"multicast": "m" in able, "reduction": "r" in able, "forwarding": "f" in able}
    return {"axis": name, "size": 8, **able_to}


def run(
    dims: dict[str, int],
    *levels: tuple[str, list[str], dict[str, int], dict[str, tuple[str, int, str]]],
    stride: int = 1,
    dilation: int = 1,
) -> tuple[dict[str, Any], dict[tuple[str, int], tuple[int, ...]]]:
    """Walk levels given as (holds, order, tile, {axis: (dim, factor, able)}).

    Returns the result and, per (tensor, number of the parent): fills, parent and child words, psum reads.
    """
    memories = [
        {"name": str(m), "holds": list(holds), "fanout": [axis(a, able) for a, (_, _, able) in axes.items()]}
        for m, (holds, _, _, axes) in enumerate(levels)
    ]
    steps = [
        {
            "memory": str(m), "order": order, "tile": tile,
            "spatial": {a: {"dim": d, "factor": f} for a, (d, f, _) in axes.items()},
        }
        for m, (_, order, tile, axes) in enumerate(levels)
    ]  # fmt: skip
    layer = {"dims": dims, "stride": [stride, stride], "dilation": [dilation, dilation]}
    result = walk(layer, memories, {"version": 1, "levels": steps})
    rows = {}
    for row in result["traffic"]:
        names = ("fills", "parent_words", "child_words", "parent_psum_reads")
        rows[row["tensor"], int(row["parent"])] = tuple(row[n] for n in names if n in row)
    return result, rows


ONES = dict.fromkeys("NGKCPQRS", 1)


def test_every_step_is_a_fill_event_of_the_macs_and_first_touches_need_no_partial_sum() -> None:
    # O[2] += W[2,3] I[3] from one memory: 6 steps, each with one word of each tensor. Every step drains one
    # output, the two outputs are each touched for the first time once: 6 - 2 come back first.
    result, rows = run({"K": 2, "C": 3}, ("WIO", [], ONES, {}))
    assert (result["compute_steps"], result["macs"]) == (6, 6)
    assert rows == {("W", 0): (6, 6, 6), ("I", 0): (6, 6, 6), ("O", 0): (6, 6, 6, 4)}


def test_loops_inside_the_innermost_relevant_one_leave_a_tile_alone() -> None:
    # Three batches of K=2, one (n, k) pair to the buffer at a time. With N innermost, weights come once per k
    # (2 fills); with K innermost, once per (n, k) (6). Inputs the other way round. Outputs have both loops.
    buffer = ("WIO", [], ONES, {})
    _, rows = run({"N": 3, "K": 2}, ("WIO", ["K", "N"], {"K": 1, "N": 1}, {}), buffer)
    assert (rows["W", 0], rows["I", 0], rows["O", 0]) == ((2, 2, 2), (6, 6, 6), (6, 6, 6, 0))
    _, rows = run({"N": 3, "K": 2}, ("WIO", ["N", "K"], {"K": 1, "N": 1}, {}), buffer)
    assert (rows["W", 0], rows["I", 0], rows["O", 0]) == ((6, 6, 6), (3, 3, 3), (6, 6, 6, 0))


def test_edge_tiles_in_time_are_smaller() -> None:
    # K=5 in tiles of 3 and then 2, each again in tiles of 2: (2,1) and (2). 3 fills of the inner buffer, 5
    # words. 5 steps. The one input has no relevant loop: brought once.
    result, rows = run(
        {"K": 5}, ("WIO", [], {"K": 3}, {}), ("WIO", [], {"K": 2}, {}), ("WIO", [], ONES, {})
    )  # fmt: skip
    assert result["compute_steps"] == 5
    assert (rows["W", 0], rows["W", 1], rows["W", 2]) == ((2, 5, 5), (3, 5, 5), (5, 5, 5))
    assert (rows["I", 0], rows["I", 1], rows["I", 2]) == ((1, 1, 1), (1, 1, 1), (5, 5, 5))


def test_edge_tiles_in_space_are_smaller_and_idle_instances_wait() -> None:
    # K=5 on two buffers: 3 and 2 (T = ceil(5/2)). Lockstep follows the first: 3 steps, 5 MACs. Multicast
    # serves the one input to both at once; each buffer reads it for its MAC at every step in which it works:
    # 3 + 2.
    result, rows = run({"K": 5}, ("WIO", [], {}, {"x": ("K", 2, "m")}), ("WIO", [], ONES, {}))
    assert (result["compute_steps"], result["macs"]) == (3, 5)
    assert (rows["W", 0], rows["I", 0], rows["I", 1]) == ((1, 5, 5), (1, 1, 2), (3, 5, 5))


def test_a_loop_with_a_nominal_trip_count_above_one_counts_even_where_an_edge_runs_it_once() -> None:
    # P=3 in tiles of 2 and 1. Below, the loop over P has nominally two steps, so it is `j` of the inputs of
    # the last buffer: 2 + 1 fills, K inside it. W has K as `j` with P outside: 3 x 2 fills of one word.
    _, rows = run(
        {"P": 3, "K": 2},
        ("WIO", [], {"P": 2}, {}),
        ("WIO", ["P", "K"], {"P": 1, "K": 1}, {}),
        ("WIO", [], ONES, {}),
    )
    assert (rows["I", 1], rows["W", 1], rows["O", 1]) == ((3, 3, 3), (6, 6, 6), (6, 6, 6, 0))


@pytest.mark.parametrize(
    ("stride", "dilation", "words"),
    [
        (1, 1, 4 + 2),  # rows 0..3, then 2..5: two are new
        (2, 1, 5 + 4),  # 0..4, then 4..8: row 4 is there already
        (3, 1, 6 + 6),  # 0..5, then 6..11
        (1, 2, 6 + 2),  # {0,2,4} and {1,3,5}, then 2..7: 6 and 7 are new
        (2, 2, 4 + 2),  # even rows only, like stride 1
        (1, 3, 6 + 4),  # {0,1,3,4,6,7}, then {2,3,5,6,8,9}: 3 and 6 are there already
    ],
)
def test_a_sliding_window_brings_only_new_rows(stride: int, dilation: int, words: int) -> None:
    # Four output rows, two at a time, three kernel rows.
    _, rows = run(
        {"P": 4, "R": 3},
        ("WIO", [], {"P": 2}, {}),
        ("WIO", [], ONES, {}),
        stride=stride,
        dilation=dilation,
    )
    assert rows["I", 0] == (2, words, words)


def test_rows_between_strides_are_not_brought() -> None:
    # Two output rows, two kernel rows, stride 3: rows 0, 1, 3, 4; row 2 is a gap.
    _, rows = run({"P": 2, "R": 2}, ("WIO", [], {}, {}), ("WIO", [], ONES, {}), stride=3)
    assert rows["I", 0] == (1, 4, 4)


def test_the_window_starts_anew_when_a_loop_outside_advances() -> None:
    # As with stride 1 above (4 + 2 rows), once for each of two groups; K outside brings the same again.
    for dim in "GK":
        _, rows = run(
            {"P": 4, "R": 3, dim: 2},
            ("WIO", [dim, "P"], {"P": 2, dim: 1}, {}),
            ("WIO", [], ONES, {}),
        )
        assert rows["I", 0] == (4, 12, 12)


def test_multicast_reads_once_and_shares_halo_right_above_the_child() -> None:
    # P=4, R=3 on two buffers with two output rows each: rows 0..3 and 2..5, 8 words into the buffers.
    # Multicast reads the 6 different ones. K=2 on the same fan-out: both k want the same; without multicast
    # each asks.
    x, y = {"x": ("P", 2, "m")}, {"y": ("K", 2, "m")}
    last = ("WIO", [], ONES, {})
    assert run({"P": 4, "R": 3}, ("WIO", [], {}, x), last)[1]["I", 0] == (1, 6, 8)
    assert run({"P": 4, "R": 3}, ("WIO", [], {}, {"x": ("P", 2, "")}), last)[1]["I", 0] == (1, 8, 8)
    assert run({"P": 4, "R": 3, "K": 2}, ("WIO", [], {}, x | y), last)[1]["I", 0] == (1, 6, 16)
    assert run({"P": 4, "R": 3, "K": 2}, ("WIO", [], {}, x | {"y": ("K", 2, "")}), last)[1]["I", 0] == (
        1,
        12,
        16,
    )


def test_halo_is_not_shared_through_a_memory_that_the_input_passes_by() -> None:
    # The same, but the split over P lies above a memory without inputs: 8 reads. The split over K, which is
    # no halo, is shared through it all the same.
    passing, last = ("WO", [], {}, {}), ("WIO", [], ONES, {})
    _, rows = run({"P": 4, "R": 3}, ("WIO", [], {}, {"x": ("P", 2, "m")}), passing, last)
    assert rows["I", 0] == (1, 8, 8)
    _, rows = run({"P": 4, "R": 3, "K": 2}, ("WIO", [], {}, {"x": ("K", 2, "m")}), passing, last)
    assert rows["I", 0] == (1, 6, 12)


def test_one_axis_without_multicast_is_enough_to_lose_it_for_its_dimension() -> None:
    # K=4 on 2 x 2 instances, the one input wanted by all four: one axis alone cannot serve its two.
    for able, reads in (("m", 1), ("", 4)):
        axes = {"x": ("K", 2, "m"), "y": ("K", 2, able)}
        assert run({"K": 4}, ("WIO", [], {}, axes), ("WIO", [], ONES, {}))[1]["I", 0] == (1, reads, 4)


@pytest.mark.parametrize(("able", "reads"), [("mf", 6 + 4), ("m", 6 + 6), ("", 8 + 8)])
def test_forwarding_keeps_the_window_of_the_whole_array(able: str, reads: int) -> None:
    # P=8, R=3, four rows of outputs at a time on two instances: rows {0..3, 2..5}, then {4..7, 6..9}. The
    # array holds rows 0..5, then 4..9: with forwarding four are new. An instance finds none of its rows in
    # its own tile before, and by the contract writes all: 2 x (4 + 4).
    _, rows = run({"P": 8, "R": 3}, ("WIO", [], {"P": 4}, {"x": ("P", 2, able)}), ("WIO", [], ONES, {}))
    assert rows["I", 0] == (2, reads, 16)


def test_all_axes_of_the_pair_have_to_forward() -> None:
    # P as above, R=4 on two more instances, two kernel rows each: the array holds rows 0..6, then 4..10, of
    # which four are new. If the axis of R does not forward, it reads all seven again.
    for able, reads in (("mf", 7 + 4), ("m", 7 + 7)):
        axes = {"x": ("P", 2, "mf"), "y": ("R", 2, able)}
        _, rows = run({"P": 8, "R": 4}, ("WIO", [], {"P": 4}, axes), ("WIO", [], ONES, {}))
        assert rows["I", 0][1] == reads


def test_forwarding_does_not_reach_through_a_memory_that_the_input_passes_by() -> None:
    # P=8, R=3 again, the split one memory further up: whole tiles, halo unshared, 2 x (4 + 4).
    top = ("WIO", [], {"P": 4}, {"x": ("P", 2, "mf")})
    _, rows = run({"P": 8, "R": 3}, top, ("WO", [], {}, {}), ("WIO", [], ONES, {}))
    assert rows["I", 0] == (2, 16, 16)


def test_a_split_above_the_parent_ends_sliding_and_forwarding_does_not_help() -> None:
    # P=2, R=4 with P one at a time, R on two middle buffers {r 0,1} and {r 2,3}. The middle hands its tile
    # on whole: rows {0,1}, then {1,2}, and {2,3}, then {3,4}. Each of the lower buffers has one row already,
    # but the fan-out of `j`'s own memory splits the pair: 2 words, twice, in both. The reads of the top
    # slide: 4 + 1.
    top = ("WIO", [], {"P": 1}, {"x": ("R", 2, "mf")})
    _, rows = run({"P": 2, "R": 4}, top, ("WIO", [], {}, {}), ("WIO", [], ONES, {}))
    assert rows["I", 0] == (2, 4 + 1, 8)
    assert rows["I", 1] == (2, 8, 8)


def test_nothing_slides_into_the_macs() -> None:
    # P=4, R=2 on two MACs with forwarding over R: each step wants two rows, and two are read, at all four.
    _, rows = run({"P": 4, "R": 2}, ("WIO", [], ONES | {"R": 2}, {"x": ("R", 2, "mf")}))
    assert rows["I", 0] == (4, 8, 8)


def test_reduction_adds_up_before_the_parent_also_through_bypassed_memories() -> None:
    # C=4 on two instances, K=3 outputs at a time, C one at a time within an instance: every event drains 2 x
    # 3 partial sums. Reduction halves what reaches the top.
    last = ("WIO", [], ONES, {})
    for able, drains, reads in (("r", 3, 0), ("", 6, 3)):
        _, rows = run({"K": 3, "C": 4}, ("WIO", [], {}, {"x": ("C", 2, able)}), last)
        assert rows["O", 0] == (1, drains, 6, reads)
        _, rows = run({"K": 3, "C": 4}, ("WIO", [], {}, {"x": ("C", 2, able)}), ("WI", [], {}, {}), last)
        assert rows["O", 0] == (1, drains, 6, reads)


def test_partial_sums_are_told_apart_per_parent_instance() -> None:
    # C=4 on two buffers with two steps each, K=1: each buffer sees its own sum twice and reads it back once.
    # Only then the two go up, unreduced: two drains of one element.
    _, rows = run({"C": 4}, ("WIO", [], {}, {"x": ("C", 2, "")}), ("WIO", [], ONES, {}))
    assert rows["O", 1] == (2, 4, 4, 2)
    assert rows["O", 0] == (1, 2, 2, 1)


def test_a_mapping_that_leaves_work_below_the_last_memory_is_refused() -> None:
    with pytest.raises(ValueError, match="below the last memory"):
        run({"K": 2}, ("WIO", [], {}, {}))


def test_the_worked_reference_cases_come_out_the_same(shared_dir: Path) -> None:
    path = shared_dir / "reference" / "contract" / "cases.json"
    if not path.is_file():
        pytest.skip(f"no worked cases at {path}")
    cases = json.loads(path.read_text())
    assert len(cases) >= 320
    for case in cases:
        assert walk(case["layer"], case["memories"], case["mapping"]) == case["expect"], case["name"]


def test_the_same_seed_makes_the_same_cases_and_they_stay_small() -> None:
    cases = list(seeded(7, 50))
    assert cases == list(seeded(7, 50))
    assert cases != list(seeded(8, 50))
    for case in cases:
        sizes = {d: case["layer"]["dims"].get(d, 1) for d in "NGKCPQRS"}
        points = 1
        for size in sizes.values():
            points *= size
        assert points <= 4000
        result = walk(**case)
        # whatever the mapping, each point of the nest is visited once, and each output reaches the top
        # complete
        assert result["macs"] == points
        outputs = sizes["N"] * sizes["G"] * sizes["K"] * sizes["P"] * sizes["Q"]
        top = next(r for r in result["traffic"] if r["tensor"] == "O")
        assert top["parent_words"] - top["parent_psum_reads"] == outputs
