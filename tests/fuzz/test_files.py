"""Damaged files of every kind end in one message, or load; never in anything else.

ACCELSIM_FUZZ_INPUTS=100000 tries as many of each kind; the seed is fixed, so that a finding comes again.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

import accelsim
from accelsim import AccelsimError
from accelsim.accuracy.torch_file import load_tensors
from accelsim.mapping.maestro import parse
from accelsim.mapping.maestro.parse import read_dataflow, read_network
from accelsim.sweeps.axes import parse_axis
from accelsim.sweeps.journal import Journal
from accelsim.text_file import MOST_BYTES
from accelsim.workloads.layer_text import parse_layer
from tests.fuzz.damage import INPUTS, damaged_bytes, damaged_json, damaged_text, text_of, try_all

FIXTURES = Path(__file__).parents[1]
TORCH = [FIXTURES / "accuracy" / "data" / name for name in ("views_legacy.pth", "mbv3_legacy.pth")]
STUDY = FIXTURES / "formats" / "files" / "study_1.study"
JOURNAL = FIXTURES / "sweeps" / "fixtures" / "format1.csv.part"


def hardware(path: Path, random: Random) -> None:
    path.write_text(damaged_json(accelsim.load_hardware("eyeriss").to_dict(), random))
    accelsim.load_hardware(str(path))


def network(path: Path, random: Random) -> None:
    path.write_text(damaged_json(accelsim.load_network("lenet5").to_dict(), random))
    accelsim.load_network(str(path))


def json_bytes(path: Path, random: Random) -> None:
    path.write_bytes(damaged_bytes(json.dumps(accelsim.load_network("lenet5").to_dict()).encode(), random))
    accelsim.load_network(str(path))


def checkpoint(path: Path, random: Random) -> None:
    path.write_bytes(damaged_bytes(random.choice(TORCH).read_bytes(), random))
    load_tensors(path)


def study(path: Path, random: Random) -> None:
    path.write_bytes(damaged_bytes(STUDY.read_bytes(), random))
    accelsim.load_study(path)


def journal(path: Path, random: Random) -> None:
    path.write_bytes(damaged_bytes(JOURNAL.read_bytes(), random))
    question = {"version": "0.1.0", "mapper": "template"}
    Journal(path, question).close()


def axis(_path: Path, random: Random) -> None:
    parse_axis(text_of(random, "memories.GLB.size_bytes=16KiB:512KiB:x2"))


def layer(_path: Path, random: Random) -> None:
    parse_layer(text_of(random, "K=64 C=3 P=112 Q=112 R=7 S=7 stride=2 dilation=1"))


CONVOLUTIONS = """Layer, IFMAP H, IFMAP W, Filter Height, Filter Width, Channels, Num Filter, Strides,
conv, 224, 224, 7, 7, 3, 64, 2,
fc, 1, 1, 1, 1, 512, 1000, 1,
"""
TABLES = (
    CONVOLUTIONS,
    "Layer,M,N,K\na,10,20,30\n",
    "K,C,Y,X,R,S,T\n32,3,226,226,3,3,1\n32,32,114,114,3,3,2\n",
)
MAESTRO = """Constant Tile 16
Network n { Layer a {
Type: CONV
Stride { X: 2, Y: 2 }
Dimensions { K: 64, C: 3, R: 7, S: 7, Y: 224, X: 224 }
Dataflow { SpatialMap(1,1) K; TemporalMap(Tile,Tile) C; TemporalMap(Sz(R),Sz(R)) R;
TemporalMap(Sz(S),Sz(S)) S; TemporalMap(Sz(R),1) Y; TemporalMap(Sz(S),1) X; Cluster(64, P);
SpatialMap(1,1) C; }
} }
"""
TIMELOOP = "problem: {instance: {C: 3, K: 64, P: 112, Q: 112, R: 7, S: 7, N: 1, Wstride: 2, Hstride: 2}}\n"
ZIGZAG = """- id: 0
  operator_type: Conv
  equation: O[b][g][k][oy][ox]+=W[g][k][c][fy][fx]*I[b][g][c][iy][ix]
  dimension_relations: [ix=1*ox+1*fx, iy=1*oy+1*fy]
  loop_dims: [B, K, G, OX, OY, C, FX, FY]
  loop_sizes: [1, 16, 1, 14, 14, 16, 3, 3]
"""


def layer_table(path: Path, random: Random) -> None:
    path = path.with_suffix(".csv")
    path.write_bytes(damaged_text(random.choice(TABLES), random))
    accelsim.load_network(path)


def layer_yaml(path: Path, random: Random) -> None:
    path = path.with_suffix(".yaml")
    path.write_bytes(damaged_text(random.choice((TIMELOOP, ZIGZAG)), random))
    accelsim.load_network(path)


def maestro_layers(path: Path, random: Random) -> None:
    path = path.with_suffix(".m")
    path.write_bytes(damaged_text(MAESTRO, random))
    accelsim.load_network(path)


def maestro_network(path: Path, random: Random) -> None:
    path.write_bytes(damaged_text(MAESTRO, random))
    read_network(path)


ALIASES = "a: &a0 [x]\n" + "".join(f"b{i}: &a{i + 1} [{', '.join([f'*a{i}'] * 10)}]\n" for i in range(12))


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.csv", "K,C,Y,X,R,S,T\n" + "1" * 200_000 + ",1,1,1,1,1,1\n", "line 2: not CSV: field larger"),
        ("a.m", "Constant A " + "9" * 5000 + "\nNetwork n { }", "A must be a number or a Constant"),
        ("a.m", "Network n {" + "Layer a {" * 20_000, "closing brace is missing"),
        ("a.yaml", "[" * 5000, "nested too deeply"),
        ("a.yaml", ALIASES + "problem: {instance: *a12}", "its aliases stand for more than 1,000,000 values"),
        ("a.yaml", "&a [*a]", "or hold themselves"),
        ("a.yaml", "problem: {instance: {C: !!bool 7}}", "not YAML"),
        ("a.yaml", "#" * 2_000_001, "at most 2,000,000 characters"),
        ("a.json", "[" * 200_000, "nested too deeply"),
        ("a.json", "9" * 5000, "too many digits"),
    ],
)
def test_bombs(name, text, words, tmp_path) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(AccelsimError, match=words):
        accelsim.load_network(path)


def test_size_of_text_is_bounded_before_it_is_read(tmp_path) -> None:
    for name in ("a.csv", "a.m", "a.yaml", "a.json"):
        with (tmp_path / name).open("wb") as file:
            file.truncate(MOST_BYTES + 1)
        with pytest.raises(AccelsimError, match="may have at most 64 MiB"):
            accelsim.load_network(tmp_path / name)
    for read in (read_network, read_dataflow, accelsim.load_hardware):
        with pytest.raises(AccelsimError, match="may have at most 64 MiB"):
            read(str(tmp_path / "a.json"))


def test_words_of_maestro_are_bounded(tmp_path, monkeypatch) -> None:
    assert parse.MOST_WORDS == 1_000_000
    monkeypatch.setattr(parse, "MOST_WORDS", 10_000)
    path = tmp_path / "a.m"
    path.write_text("Network n {" + "; " * 10_000)
    for read in (read_network, read_dataflow):
        with pytest.raises(AccelsimError, match="at most 10,000 words"):
            read(path)


READERS = (
    hardware, network, json_bytes, checkpoint, study, journal, axis, layer,
    layer_table, layer_yaml, maestro_layers, maestro_network,
)  # fmt: skip


@pytest.mark.parametrize("read", READERS, ids=lambda f: f.__name__)
def test_one_message_or_it_loads(read: Callable[[Path, Random], None], tmp_path) -> None:
    assert try_all(read, tmp_path / "file.json") > INPUTS // 20
