"""Faulty hardware files: every message names the place and the rule; no input ends in a traceback."""

from __future__ import annotations

import copy
import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.errors import AccelsimError
from accelsim.hardware import HardwareError, hardware_names, load_hardware

CONFIGS = Path(__file__).parents[2] / "hw_configs"
SHIPPED = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in CONFIGS.glob("*.json")}
ABSENT = object()


def put(data: dict[str, Any], path: str, value: Any) -> None:
    """Set `memories.1.name`; ABSENT removes it."""
    *steps, last = [int(s) if s.isdigit() else s for s in path.split(".")]
    place: Any = data
    for step in steps:
        place = place[step]
    if value is ABSENT:
        del place[last]
    else:
        place[last] = value


# Eyeriss with one thing put wrong -> how the messages start: those for that place, or "@path: message" for
# another one, separated by "|"; None = no fault.
RENAMED = (
    "@dataflow.axes.GLB: no|@dataflow.orders.GLB: no|@search.array.memory: no|@search.buffers.GLB: no"
    "|@search.bandwidths.GLB: no"
)
SIZE = "must be a whole number of bytes, null, or an object with one for each of W, I, O"
ONE_FAULT: list[tuple[str, Any, str | None]] = [
    # keys
    ("clock", 5, "unknown key; did you mean 'clock_mhz'?"),
    ("memories.1.sise_bytes", 5, "unknown key; did you mean 'size_bytes'?"),
    ("memories.1.fanout.0.multi_cast", True, "unknown key; did you mean"),
    ("memories.1.bandwidth.ports.I.raed", 2, "unknown key; did you mean 'read'?"),
    ("memories.2.size_bytes.X", 2, "unknown key; known: I, O, W"),
    ("memories.1.energy.leakage", 2, "unknown key; did you mean 'leakage_mw'?"),
    ("search.strides.pe", 2, "unknown key; did you mean 'pes'?"),
    ("a b", 2, "unknown key; known: "),
    ("clock_mhz", ABSENT, "@sources.clock_mhz: names no key of this object|is missing"),
    ("memories.1.name", ABSENT, "is missing|" + RENAMED),
    ("version", 2, "must be 1, but got 2"),
    ("version", True, "must be 1, but got true"),
    ("version", 1.0, "must be 1, but got 1.0"),
    ("version", "1", 'must be 1, but got "1"'),
    ("version", None, "must be 1, but got null"),
    # numbers
    ("clock_mhz", 0, "must be a number from 0.001 to 1e+06, but got 0"),
    ("clock_mhz", "200", 'must be a number from 0.001 to 1e+06, but got "200"'),
    ("clock_mhz", True, "must be a number from 0.001 to 1e+06, but got true"),
    ("clock_mhz", math.nan, "must be a number from 0.001 to 1e+06, but got NaN"),
    ("clock_mhz", math.inf, "must be a number from 0.001 to 1e+06, but got Infinity"),
    ("clock_mhz", None, "must be a number from 0.001 to 1e+06, but got null"),
    ("technology_nm", -16, "must be a number from 3 to 250, but got -16"),
    ("precision_bits.psum", 15, "must be at least 16, the bits of a finished output, but got 15"),
    ("precision_bits.output", 17, "@precision_bits.psum: must be at least 17, the bits of a finished"),
    ("precision_bits.output", 8, None),
    ("precision_bits.psum", 65, "must be a whole number <= 64, but got 65"),
    ("precision_bits.input", 16.0, "must be a whole number >= 1, but got 16.0"),
    ("memories.1.fanout.0.size", 0, "must be a whole number >= 1, but got 0"),
    ("memories.1.fanout.0.size", -3, "must be a whole number >= 1, but got -3"),
    ("memories.1.size_bytes", 0, "must be a whole number >= 1, but got 0"),
    ("memories.1.size_bytes", 2**53, "must be a whole number <= 9007199254740991 (2^53 - 1)"),
    ("memories.1.size_bytes", 10**400, "must be a whole number <= 9007199254740991"),
    ("memories.1.size_bytes", "1 kB", "must be a whole number of bytes, null, or an object"),
    ("memories.1.size_bytes", "512KiB", f'{SIZE}, but got "512KiB", which is 524288'),
    ("memories.1.size_bytes", "2 MB", f'{SIZE}, but got "2 MB", which is 2000000'),
    ("memories.2.size_bytes.W", 0.5, "must be a whole number >= 1, but got 0.5"),
    ("memories.0.bandwidth", 0, "must be a number from 1e-06 to 1e+12, but got 0"),
    ("memories.0.bandwidth", [], 'must be a number of bytes per cycle, null, an object {"read", "write"}'),
    ("memories.1.bandwidth.ports.O.read", 0, "must be a number from 1e-06"),
    ("memories.1.energy.leakage_mw", -1, "must be a number from 0 to"),
    ("mac.energy_pj", 1e+300, "must be a number from 0 to 1e+09, but got 1e+300"),
    # texts, lists, objects
    ("name", "", "must not be empty"),
    ("name", 3, "must be a text, but got 3"),
    ("memories.1.name", "a b", "must be a name|" + RENAMED),
    ("mac", 3, "must be an object, but got 3"),
    ("memories", {}, "must be a list, but got {}"),
    ("memories.1.holds", [], "must have at least 1 entries"),
    ("memories.1.holds", ["X"], "@memories[1].holds[0]: must be 'W', 'I' or 'O', but got"),
    ("memories.1.double_buffered", 1, "must be true or false, but got 1"),
    ("memories.1.kind", "flash", "must be 'dram', 'sram' or 'register', but got"),
    ("network.weights", "resident", "must be 'dram' or 'resident_if_fit', but got"),
    ("sources.clock_mhz", "JSSC", "must be a confidence letter A to E, a colon and the source"),
    # between fields
    ("memories.1.fanout.2.forwarding", True, None),
    ("memories.1.fanout.2.multicast", False, None),
    ("memories.1.name", "MAC", "must not be one of MAC|" + RENAMED),
    ("memories.1.name", "DRAM", 'must differ from the name of memories[0], but got "DRAM"|' + RENAMED),
    ("memories.0.holds", ["W", "I"], "the outermost memory must hold W, I and O, but O is missing"),
    ("memories.1.holds", ["I", "I", "O"], "must name each tensor once, but has I twice"),
    ("memories.1.precision_bits", {"output": 8}, None),
    ("memories.1.precision_bits", {"weights": 8}, "@memories[1].precision_bits.weights: unknown key"),
    ("memories.1.precision_bits", {"input": 65}, "@memories[1].precision_bits.input: must be a whole"),
    ("memories.1.precision_bits", {"psum": 8}, "@memories[1].precision_bits.psum: must be at least 16"),
    ("memories.1.precision_bits", {"output": 32}, "@memories[1].precision_bits.output: must be at most 16"),
    ("memories.1.precision_bits", 8, "must be an object, but got 8"),
    ("memories.1.holds_choice", ["I"], None),
    ("memories.1.holds_choice", ["W"], 'must name tensors of holds (I, O), but got "W"'),
    ("memories.1.holds_choice", ["I", "I"], "must name each tensor once, but has I twice"),
    ("memories.1.holds_choice", ["X"], "@memories[1].holds_choice[0]: must be 'W', 'I' or 'O', but got"),
    ("memories.1.holds_choice", True, "must be a list, but got true"),
    ("memories.0.holds_choice", ["W"], "the outermost memory must hold W, I and O, whatever the mapping"),
    ("memories.1.bandwidth.ports.W", {"read": 8}, "this memory holds only I, O"),
    ("memories.2.size_bytes.O", ABSENT, "is missing: this memory holds it"),
    ("memories.2.size_bytes.O", 1, "must have room for one element of O (16 bits), but has 8"),
    ("memories.1.size_bytes", 3, "must have room for one element of I and O (32 bits), but"),
    ("memories.1.size_bytes", None, 'is missing: kind "sram" needs a size'
     "|@search.buffers.GLB: memory 'GLB' has no size"),
    ("memories.2.overlap", ABSENT, None),
    ("memories.1.fanout.2.axis", "rows", "must differ from the name of fanout[0], but got"
     "|@dataflow.axes.GLB.cols: no such axis"),
    ("memories.1.fanout.1.shares", "row", "must name another axis of this fan-out"),
    ("memories.1.fanout.1.shares", "sets", "must name another axis of this fan-out"),
    ("memories.1.fanout.0.shares", "cols", "@memories[1].fanout[1].shares: axis 'rows' itself shares"),
    ("memories.1.fanout.1.size", 13, "must be at most 12, the size of axis 'rows', but got"),
    ("memories.1.fanout.2.size", 2**50, "@memories[1].fanout: instances down to here must be at most 9007"),
    ("memories.0.banks", 2, "has no effect on DRAM; leave it out"),
    ("memories.1.dram_type", "HBM2", 'has no effect on kind "sram"; leave it out'),
    ("memories.1.banks", {"I": 2}, "must be one number unless size_bytes has a part for each"),
    ("memories.1.energy.word_bits", ABSENT, "is missing: read_pj_per_word needs it"
     "|@memories[1].energy.sources.word_bits: names no key"),
    ("memories.1.energy.read_pj_per_bit", 1, "@memories[1].energy.read_pj_per_word: must not stand beside"),
    ("memories.1.sources.bank", "A: x", "names no key of this object; did you mean 'banks'?"),
    # dataflow, network, search
    ("dataflow.axes.GLUB", {}, "no memory is called 'GLUB'; "),
    ("dataflow.axes.GLB.row", ["R"], "no such axis below memory 'GLB'; did you mean 'rows'?"),
    ("dataflow.axes.spad", {"x": ["R"]}, "@dataflow.axes.spad.x: no such axis below memory 'spad'; it"),
    ("dataflow.axes.GLB.rows", ["X"], "@dataflow.axes.GLB.rows[0]: must be 'N', 'G', 'K', 'C'"),
    ("dataflow.axes.GLB.rows", [], "must name at least one dimension"),
    ("dataflow.axes.GLB.rows", ["R", "R"], "must name each dimension once, but has R twice"),
    ("dataflow.orders.DRAM", [["K", "C", "K"]], "@dataflow.orders.DRAM[0]: must name each dimension once"),
    ("dataflow.orders.PE", [["K"]], "no memory is called 'PE'; known: DRAM, GLB, spad"),
    ("network.weights", "resident_if_fit", None),
    ("search.buffers.L2", {"min": 1, "max": 2}, "no memory is called 'L2'; known"),
    ("search.buffers.DRAM", {"min": 1, "max": 2}, "memory 'DRAM' has no size to vary"),
    ("search.buffers.GLB.min", 200000, "@search.buffers.GLB: min <= max must hold, but got 200000 > 102400"),
    ("search.array.memory", "L2", "no memory is called 'L2'; known"),
    ("search.array.min_axes", 7, "must be a whole number <= 6, but got 7"
     "|@search.array: min_axes <= max_axes must hold, but got 7 > 3"),
    ("search.array.min_size", 99, "@search.array: min_size <= max_size must hold, but got 99 > 84"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "value", "expect"), ONE_FAULT, ids=[f"{p}={v!r:.20}" for p, v, _ in ONE_FAULT]
)
def test_one_fault_is_named_exactly(path: str, value: Any, expect: str | None) -> None:
    data = copy.deepcopy(SHIPPED["eyeriss"])
    put(data, path, value)
    if expect is None:  # not a fault
        load_hardware(data)
        return
    with pytest.raises(HardwareError) as caught:
        load_hardware(data)
    lines = str(caught.value).splitlines()
    here = '["a b"]' if " " in path else re.sub(r"\.(\d+)", r"[\1]", path)
    wanted = [text[1:] if text[0] == "@" else f"{here}: {text}" for text in expect.split("|")]
    assert lines[0] == f"hardware: {len(wanted)} fault{'s' if len(wanted) > 1 else ''}"
    found = [line.strip() for line in lines[1:]]
    assert len(found) == len(wanted)
    for text in wanted:
        assert any(line.startswith(text) for line in found), (text, found)
    assert [str(fault) for fault in caught.value.faults] == found


def test_forwarding_needs_multicast() -> None:
    data = copy.deepcopy(SHIPPED["eyeriss"])
    data["memories"][1]["fanout"][2] |= {"forwarding": True, "multicast": False}
    with pytest.raises(HardwareError, match=r"memories\[1\]\.fanout\[2\]\.forwarding: needs multicast"):
        load_hardware(data)


def test_double_buffering_implies_overlap() -> None:
    data = copy.deepcopy(SHIPPED["eyeriss"])
    data["memories"][2] |= {"double_buffered": True, "overlap": False}
    with pytest.raises(HardwareError, match=r"memories\[2\]\.overlap: must not be false"):
        load_hardware(data)


def test_double_buffering_needs_room_for_two() -> None:
    data = copy.deepcopy(SHIPPED["nvdla_64"])
    data["memories"][3]["size_bytes"] = 1
    with pytest.raises(
        HardwareError, match=r"memories\[3\]\.size_bytes: .* W twice, .* \(16 bits\), but has 8"
    ):
        load_hardware(data)


def test_residency_needs_a_place() -> None:
    data = copy.deepcopy(SHIPPED["nvdla_64"])
    data["network"] = {"activations": "on_chip_if_fit", "weights": "resident_if_fit"}
    with pytest.raises(HardwareError, match=r"network\.activations: .* first to hold both I and O"):
        load_hardware(data)
    data["memories"][1]["holds"] = ["I"]
    data["memories"][1]["bandwidth"] = 64
    data["memories"][3]["holds"] = ["I"]
    with pytest.raises(HardwareError, match=r"network\.weights: .* holds W"):
        load_hardware(data)


def test_ways_to_hold_are_few_and_keep_folds() -> None:
    data = copy.deepcopy(SHIPPED["example"])
    more = [data["memories"][1] | {"name": f"buffer{n}", "fanout": []} for n in (2, 3)]
    data["memories"][1:1] = more
    for memory in data["memories"][1:]:
        memory["holds_choice"] = ["W", "I"]
    wanted = (
        r"memories\[4\]\.holds_choice: all choices together must leave at most 64 ways to hold, .* "
        r"8 tensors leave 256; name fewer"
    )
    with pytest.raises(HardwareError, match=wanted):
        load_hardware(data)
    data["memories"][4]["holds_choice"] = []
    assert len(load_hardware(data).ways) == 64
    data["memories"][3] |= {"serial_folds": "W"}
    with pytest.raises(HardwareError, match=r"memories\[3\]\.holds_choice: W cannot pass by"):
        load_hardware(data)


def test_all_faults_come_at_once() -> None:
    data = copy.deepcopy(SHIPPED["eyeriss"])
    data["clok_mhz"] = data.pop("clock_mhz")
    data["sources"].pop("clock_mhz")
    data["technology_nm"] = -1
    data["memories"][0]["holds"] = ["W"]
    data["memories"][1]["fanout"][0]["size"] = 0
    data["memories"][1]["fanout"][2] |= {"forwarding": True, "multicast": False}
    data["memories"][2]["sise_bytes"] = 3
    data["dataflow"]["axes"]["GLB"]["diag"] = ["Z"]
    with pytest.raises(HardwareError) as caught:
        load_hardware(data)
    assert {fault.path for fault in caught.value.faults} == {
        "clock_mhz",
        "clok_mhz",
        "technology_nm",
        "memories[0].holds",
        "memories[1].fanout[0].size",
        "memories[1].fanout[2].forwarding",
        "memories[2].sise_bytes",
        "dataflow.axes.GLB.diag",
        "dataflow.axes.GLB.diag[0]",
    }


@pytest.mark.parametrize(
    ("text", "expect"),
    [
        (b"", ":1:1: not JSON"),
        (b'{"name": "x",\n "version": 1,}', ":2:15: not JSON"),
        (b'{"name": \n\n  nope}', ":3:3: not JSON"),
        (b"[1, 2]", "must be an object, but got [1, 2]"),
        (b"null", "must be an object, but got null"),
        (b"\xff\xfe", "not UTF-8 text (invalid start byte at byte 0)"),
        (b'{"a": ' + b"1" * 5000 + b"}", "a number has too many digits"),
        (b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
        (b'{"version": 1, "version": 1}', "version: is given more than once"),
        (b'{"memories": [{"name": "a", "name": "b"}]}', "memories[0].name: is given more than once"),
        (b"{}", "memories: is missing"),
    ],
)
def test_malformed_text(tmp_path: Path, text: bytes, expect: str) -> None:
    path = tmp_path / "bad.json"
    path.write_bytes(text)
    with pytest.raises(AccelsimError) as caught:
        load_hardware(path)
    assert expect in str(caught.value)


def test_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "marked.json"
    path.write_bytes(b"\xef\xbb\xbf" + (CONFIGS / "example.json").read_bytes())
    assert load_hardware(str(path)) == load_hardware("example")


@pytest.mark.parametrize(
    ("source", "expect"),
    [
        ("eyeris", 'no shipped hardware or file is called "eyeris"; did you mean \'eyeriss\'?'),
        ("Eyeriss.jsn", "did you mean 'eyeriss'?"),
        ("", "known: dpu_zcu102"),
        ("quantum", "known: dpu_zcu102, edgetpu, example, eyeriss"),
        ("no/such.json", "hardware file \"no/such.json\": cannot be read: No such file"),
        (Path("nowhere.json"), "cannot be read: No such file"),
        (str(CONFIGS), "Is a directory"),
        ("a\0b/c", "cannot be read: embedded null byte"),
        (3, "must be a name, a path or an object, but got 3"),
        (None, "must be a name, a path or an object, but got null"),
        ([], "must be a name, a path or an object, but got []"),
    ],
)  # fmt: skip
def test_what_cannot_be_found(source: Any, expect: str) -> None:
    with pytest.raises(AccelsimError) as caught:
        load_hardware(source)
    assert expect in str(caught.value)


def test_a_file_beats_a_shipped_name_with_suffix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    mine = SHIPPED["example"] | {"name": "mine"}
    (tmp_path / "eyeriss.json").write_text(json.dumps(mine), encoding="utf-8")
    assert load_hardware("eyeriss.json").name == "mine"
    assert load_hardware("eyeriss").name == "Eyeriss"


# -- fuzzing -------------------------------------------------------------------------------------------------

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([0, 1, 2, -1, 2**31, 2**53, 2**63, 10**400]),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(
        ["W", "I", "O", "K", "GLB", "DRAM", "rows", "dram", "sram", "register", "A: x", "MAC", "~object"]
    ),
)
KEYS = ["name", "size_bytes", "ports", "read", "W", "shares", "sources", "fanout", "kind", "~number", "a b"]
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), inner, max_size=4),
    ),
    max_leaves=6,
)


def places(value: Any, found: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """Every (container, key) in a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        found.append((value, key))
        places(item, found)
    return found


@st.composite
def mutants(draw: Callable[..., Any]) -> dict[str, Any]:
    data = copy.deepcopy(SHIPPED[draw(st.sampled_from(sorted(SHIPPED)))])
    for _ in range(draw(st.integers(1, 4))):
        every = places(data, [])
        container, key = every[draw(st.integers(0, len(every) - 1))]
        action = draw(st.sampled_from(["replace", "replace", "remove", "copy", "rename", "transplant"]))
        if action == "replace":
            container[key] = draw(VALUES)
        elif action == "remove":
            del container[key]
        elif action == "copy" and isinstance(container, list):
            container.append(copy.deepcopy(container[key]))
        elif action == "rename" and isinstance(container, dict):
            container[draw(st.sampled_from(KEYS) | st.text(max_size=5))] = container.pop(key)
        else:
            other, at = every[draw(st.integers(0, len(every) - 1))]
            container[key] = copy.deepcopy(other[at])
        if not data:
            break
    return data


def use(source: Any) -> bool:
    """Load and ask for everything; whether it loaded. Only AccelsimError may come out."""
    try:
        hw = load_hardware(source)
    except AccelsimError:
        return False
    assert load_hardware(hw.to_dict()) == hw
    assert len(hw.hash) == 64
    assert math.isnan(hw.area_mm2) == (hw.microcontroller is not None)  # most of one is something else
    known = () if hw.microcontroller is not None else (hw.area_mm2,)
    for number in (*known, hw.leakage_mw, *hw.area_breakdown_mm2().values()):
        assert math.isfinite(number)
        assert number >= 0
    for m in range(len(hw.memories)):
        assert all(math.isfinite(x) and x >= 0 for pair in hw.resolved_energy(m).values() for x in pair)
        assert set(hw.resolved_energy(m)) == set(hw.memories[m].holds)
    assert 1 <= hw.num_pes < 2**53
    assert hw.provenance()
    return True


LOADED = {True: 0, False: 0}


@settings(max_examples=400, deadline=None)
@given(mutants())
def test_mutants_load_or_fail_with_a_message(data: dict[str, Any]) -> None:
    LOADED[use(data)] += 1


def test_both_outcomes_were_fuzzed() -> None:
    if not sum(LOADED.values()):
        pytest.skip("needs the test before it")
    assert LOADED[True] > 20
    assert LOADED[False] > 100


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(hardware_names()), st.data())
def test_damaged_text_loads_or_fails_with_a_message(
    tmp_path_factory: pytest.TempPathFactory, name: str, data: Any
) -> None:
    text = bytearray((CONFIGS / f"{name}.json").read_bytes())
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(text) - 1))
        text[at : at + data.draw(st.integers(0, 30))] = data.draw(st.binary(max_size=6))
    path = tmp_path_factory.getbasetemp() / "damaged.json"
    path.write_bytes(bytes(text))
    use(path)


@settings(max_examples=100, deadline=None)
@given(VALUES)
def test_arbitrary_values_fail_with_a_message(value: Any) -> None:
    assert not use(value) or value in hardware_names()
