"""Timeloop's YAML says the same loops: held against cases that Timeloop ran, and its own rule of factors."""

from __future__ import annotations

import contextlib
import json
import math
from dataclasses import replace
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import accelsim
from accelsim import AccelsimError, Layer
from accelsim.emit import emit
from accelsim.emit.timeloop import _levels
from accelsim.mapping.mapping import Mapping
from accelsim.validation.facts import facts
from accelsim.validation.timeloop import DIMS as THEIRS
from accelsim.validation.timeloop import TENSORS, translate
from accelsim.workloads.layer import DIMS
from tests.command import run
from tests.emit.direct import cases


def emitted(layer: Layer, mapping: Mapping, hardware: Any) -> dict[str, Any]:
    return yaml.safe_load(emit("timeloop", [(layer, mapping)], "a test", hardware))


def directives(document: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    return {one["target"]: one for one in document["mapping"] if one["type"] == kind}


def loops(directive: dict[str, Any]) -> list[tuple[str, int, int]]:
    """(dimension, steps, steps of the last), outermost first, as Timeloop reads them."""
    factors = {}
    for word in directive["factors"].split():
        dim, _, value = word.partition("=")
        end, _, rest = value.partition(",")
        factors[dim] = (int(end), int(rest or end))
    assert sorted(factors) == sorted(directive["permutation"]) == sorted(DIMS)
    return [(d, *factors[d]) for d in reversed(directive["permutation"])]


def nest(document: dict[str, Any]) -> list[tuple[str, str, int, int]]:
    """All loops, outermost first: temporal, then spatial, memory by memory."""
    over = directives(document, "spatial")
    out = []
    for target, one in directives(document, "temporal").items():
        out += [("time", *loop) for loop in loops(one)]
        out += [("space", *loop) for loop in loops(over[target])] if target in over else []
    return out


def bounds(document: dict[str, Any]) -> dict[str, int]:
    """What timeloop-model demands to be the sizes: (((r3 - 1) f2 + r2 - 1) f1 + r1 - 1) .. + 1."""
    total = dict.fromkeys(DIMS, 0)
    for _, d, end, rest in nest(document):
        assert 1 <= rest <= end
        total[d] = total[d] * end + rest - 1
    return {d: n + 1 for d, n in total.items()}


def machine(case: dict[str, Any], memories: list[dict[str, Any]]) -> dict[str, Any]:
    rows = []
    for memory in memories:
        axes = [
            {"axis": a["axis"], "size": a["size"], "multicast": True, "reduction": True}
            for a in memory["fanout"]
        ]
        size = {} if memory["name"] == "DRAM" else {"size_bytes": 2**30}
        rows.append({"name": memory["name"], "holds": memory["holds"], "fanout": axes, **size})
    rows[0]["size_bytes"] = None
    return {
        "version": 1, "name": case["name"], "source": "a test", "technology_nm": 28, "clock_mhz": 1000,
        "precision_bits": {"weight": 8, "input": 8, "output": 8, "psum": 8}, "memories": rows,
    }  # fmt: skip


def test_loops_of_cases_that_timeloop_ran(request) -> None:
    """From their loops to our mapping and back: the same factors, order and bypasses, and their cycles."""
    found = facts("timeloop")["cases"]
    with contextlib.suppress(pytest.skip.Exception):
        found = json.loads(
            (request.getfixturevalue("shared_dir") / "reference/timeloop/cases.json").read_text()
        )
    for case in found:
        shape, memories, mapping = translate(case)
        if len(memories) > 3:
            continue  # more axes than one of our levels has: they stand above a level that holds nothing
        layer = Layer(**shape["dims"], stride=tuple(shape["stride"]), dilation=tuple(shape["dilation"]))
        text = emitted(layer, Mapping.from_dict(mapping), machine(case, memories))
        names, theirs = THEIRS[case["layer"]["type"]], case["mapping"]
        for target in ("DRAM", "GlobalBuffer", "PE"):
            want = [(names[d], f, f) for d, f in theirs[f"{target}_temporal"] if f > 1]
            got = [one for one in loops(directives(text, "temporal")[target]) if one[1] > 1]
            assert got == want, (case["name"], target)
            kept = directives(text, "bypass")[target]["keep"]
            assert set(kept) == set(TENSORS.values()) - set(theirs["bypass"].get(target, [])), case["name"]
        lanes = dict.fromkeys(names.values(), 1)
        for d, f, _ in theirs["spatial"]:
            lanes[names[d]] *= f
        if case["expect"]["pes_used"] > 1:
            spatial = {d: end for d, end, _ in loops(directives(text, "spatial")["GlobalBuffer"])}
            assert {d: n for d, n in lanes.items() if n > 1} == {d: n for d, n in spatial.items() if n > 1}
        cycles = math.prod(end for kind, _, end, _ in nest(text) if kind == "time")
        assert cycles == case["expect"]["cycles"]
        assert bounds(text) == layer.dims


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_factors_make_the_sizes(seed) -> None:
    """Whatever the tiles, also those that divide nothing."""
    for layer, mapping in cases(seed, 2):
        last = mapping.levels[-1]
        whole = replace(last, tile=dict.fromkeys(DIMS, 1), spatial={})  # as evaluate demands
        steps, _ = _levels(Mapping((*mapping.levels[:-1], whole)), layer)
        total = dict.fromkeys(DIMS, 0)
        for times, over in steps:
            for part in (times, over):
                for d, (end, rest) in part.items():
                    assert 1 <= rest <= end
                    total[d] = total[d] * end + rest - 1
        assert {d: n + 1 for d, n in total.items()} == layer.dims


@pytest.mark.parametrize("hardware", ["eyeriss", "shidiannao", "edgetpu", "gemmini", "example"])
def test_shipped_machines(hardware) -> None:
    hw = accelsim.load_hardware(hardware)
    layer = Layer.conv2d(K=24, C=10, P=13, Q=13, R=3, S=3, stride=2)
    text = emitted(layer, accelsim.map_layer(hw, layer, "template").mapping, hw)
    assert bounds(text) == layer.dims
    assert text["problem"]["instance"] == {
        **layer.dims,
        "Pstride": 2,
        "Qstride": 2,
        "Rdilation": 1,
        "Sdilation": 1,
    }
    count, names, tree = 1, [], text["architecture"]["subtree"][0]
    while True:
        for part in tree["local"]:
            names.append(part["name"])
            assert part["attributes"]["meshX"] == count
        if "subtree" not in tree:
            break
        tree = tree["subtree"][0]
        count *= int(tree["name"].split("..")[1].rstrip("]")) + 1
    assert len(names) == len(hw.memories) + 1
    assert count == hw.num_pes
    over = {
        target: math.prod(end for _, end, _ in loops(one))
        for target, one in directives(text, "spatial").items()
    }
    assert math.prod(over.values()) <= hw.num_pes


def test_a_tile_that_does_not_nest_is_said() -> None:
    """Timeloop cuts the last tile only: 7 by 2 in the middle becomes 8 by 2."""
    level = {"DRAM": {"tile": {"K": 7}}, "buffer": {"tile": {"K": 2}}, "PE": {"tile": {"K": 1}}}
    mapping = Mapping.from_dict(
        {"levels": [{"memory": name, "order": ["K"], **one} for name, one in level.items()]}
    )
    text = emit("timeloop", [(Layer(K=20), mapping)], "", "example")
    assert "# K: a tile of 7 in DRAM becomes 8, as it nests there" in text
    document = yaml.safe_load(text)
    assert [one for one in nest(document) if one[1] == "K" and one[2] > 1] == [
        ("time", "K", 3, 3), ("time", "K", 4, 2), ("time", "K", 2, 2)
    ]  # fmt: skip
    assert bounds(document)["K"] == 20


def test_command(capsys) -> None:
    code, out, _ = run(capsys, "map", "shidiannao", "lenet5", "--mapper", "template", "--emit", "timeloop")
    assert code == 0
    documents = list(yaml.safe_load_all(out))
    assert len(documents) == 7
    assert all({"architecture", "problem", "mapping"} == set(document) for document in documents)
    pool = documents[1]
    assert [one["name"] for one in pool["problem"]["shape"]["data-spaces"]] == ["Inputs", "Outputs"]
    with pytest.raises(AccelsimError, match="needs the hardware"):
        emit("timeloop", [(Layer(K=2), Mapping.from_dict({"levels": [{"memory": "a", "tile": {"K": 1}}]}))])
