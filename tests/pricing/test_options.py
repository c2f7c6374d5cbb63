"""Every option of `map`, `sweep` and `search`: there is an input on which it changes the answer."""

from __future__ import annotations

import json
from typing import Any

import pytest
import typer.main

import accelsim
from accelsim.cli.app import app
from accelsim.cosearch.metrics import METRICS, load_metric
from accelsim.workloads.spaces import load_space
from tests.command import run
from tests.cosearch.small import short_local_search, tiny
from tests.mapping.invented import INVENTED
from tests.workloads.test_cli_network import cache_file

__all__ = ["cache_file"]

Words = tuple[str, ...]
NESTED = ("NESTED", "lenet5")  # an invented machine, on which mappers are not all the same
SIZES = ("--dim", "s=2", "--input", "past=2x5x8", "--allow-unknown", "--mapper", "template")
SEARCH = ("eyeriss", "--network", "TINY", "--evaluations", "16", "--population", "8", "--finish", "0")
ONNX = ("edgetpu", "--network", "ONNX", "--evaluations", "4", "--population", "4", "--finish", "0", *SIZES)
SUBNETS = (
    "nvdla_64", "--space", "ofa_mbv3", "--resolution", "128", "--mapper", "template", "--evaluations", "8",
    "--population", "8", "--finish", "0",
)  # fmt: skip
MACRO = ("eyeriss", "--space", "nasbench_macro", *SUBNETS[5:], "--fix", "hardware", "--accuracy")
LENET = (*SEARCH[:2], "lenet5", *SEARCH[3:])
TWO = (*SEARCH, "--network", "lenet5", "--mapper", "template")
TWICE = ("--vary", "clock_mhz=500,1000")
LAYER = ("NESTED", "--layer", "K=7 C=5 P=7 Q=7 R=3 S=3", "--mapper", "optimal", "--objective", "energy")

CASES: dict[str, dict[str, tuple[Words, Words]]] = {
    "map": {
        "--layer": (LAYER, (*LAYER[:2], "K=8 C=5 P=7 Q=7 R=3 S=3", *LAYER[3:])),
        "--mapper": ((*NESTED, "--mapper", "template"), NESTED),
        "--objectives": (NESTED, (*NESTED, "--objective", "energy")),
        "--budget": (NESTED, (*NESTED, "--budget", "0")),
        "--seconds": (LAYER, (*LAYER, "--seconds", "0")),
        "--tiles": (LAYER, (*LAYER, "--tiles", "divisors")),
        "--seed": (NESTED, (*NESTED, "--seed", "1")),
        "--batch": (NESTED, (*NESTED, "--batch", "3")),
        "--resolution": (("eyeriss", "resnet18", "--mapper", "template"),
                         ("eyeriss", "resnet18", "--mapper", "template", "--resolution", "64")),
        "--dim": (("edgetpu", "ONNX", *SIZES), ("edgetpu", "ONNX", "--dim", "s=4", *SIZES[2:])),
        "--input": (("edgetpu", "ONNX", *SIZES),
                    ("edgetpu", "ONNX", *SIZES[:2], "--input", "past=2x7x8", *SIZES[4:])),
        "--allow-unknown": (("edgetpu", "ONNX", *SIZES),
                            ("edgetpu", "ONNX", *(word for word in SIZES if word != "--allow-unknown"))),
        "--fuse": (("example", "TINY"), ("example", "TINY", "--fuse", "auto")),
    },
    "sweep": {
        "--vary": ((*NESTED, *TWICE), (*NESTED, "--vary", "clock_mhz=500,800")),
        "--mapper": ((*NESTED, *TWICE, "--mapper", "template"), (*NESTED, *TWICE)),
        "--objectives": ((*NESTED, *TWICE), (*NESTED, *TWICE, "--objective", "energy")),
        "--budget": ((*NESTED, *TWICE), (*NESTED, *TWICE, "--budget", "0")),
        "--seed": ((*NESTED, *TWICE), (*NESTED, *TWICE, "--seed", "1")),
        "--batch": ((*NESTED, *TWICE), (*NESTED, *TWICE, "--batch", "3")),
        "--model": (("eyeriss", "lenet5", *TWICE), ("eyeriss", "lenet5", *TWICE, "--model", "maestro")),
        "--fuse": (("example", "TINY", *TWICE), ("example", "TINY", *TWICE, "--fuse", "auto")),
        "--resolution": (("eyeriss", "resnet18", "--mapper", "template", *TWICE),
                         ("eyeriss", "resnet18", "--mapper", "template", *TWICE, "--resolution", "64")),
        "--dim": (("edgetpu", "ONNX", *TWICE, *SIZES),
                  ("edgetpu", "ONNX", *TWICE, "--dim", "s=4", *SIZES[2:])),
        "--input": (("edgetpu", "ONNX", *TWICE, *SIZES),
                    ("edgetpu", "ONNX", *TWICE, *SIZES[:2], "--input", "past=2x7x8", *SIZES[4:])),
        "--allow-unknown": (("edgetpu", "ONNX", *TWICE, *SIZES),
                            ("edgetpu", "ONNX", *TWICE, *(w for w in SIZES if w != "--allow-unknown"))),
    },
    "search": {
        "--space": (SUBNETS, (*SUBNETS[:2], "ofa_proxyless", *SUBNETS[3:])),
        "--network": (SEARCH, LENET),
        "--weights": (TWO, (*TWO, "--weights", "3,1")),
        "--objectives": (SEARCH, (*SEARCH, "--objectives", "latency")),
        "--strategy": (SEARCH, (*SEARCH, "--strategy", "joint")),
        "--optimiser": (SEARCH, (*SEARCH, "--optimiser", "random")),
        "--evaluations": (SEARCH, (*SEARCH, "--evaluations", "24")),
        "--population": (SEARCH, (*SEARCH, "--population", "16")),
        "--mapper": ((*SEARCH, "--mapper", "template"), SEARCH),
        "--budget": ((*SEARCH, "--no-screen", "--budget", "1200"), (*SEARCH, "--no-screen")),
        "--seed": (SEARCH, (*SEARCH, "--seed", "1")),
        "--fix": (SEARCH, (*SEARCH, "--fix", "hardware")),
        "--accuracy": ((*MACRO, "table:one.csv"), (*MACRO, "table:other.csv")),
        "--model": (SEARCH, (*SEARCH[:-2], "--model", "maestro")),
        "--fuse": (SEARCH, (*SEARCH, "--fuse", "auto")),
        "--screen": (SEARCH, (*SEARCH, "--no-screen")),
        "--layer-precision": (SEARCH, (*SEARCH, "--layer-precision", "4x4,8x8")),
        "--batch": (LENET, (*LENET, "--batch", "3")),
        "--resolution": (SUBNETS, (*SUBNETS[:4], "160", *SUBNETS[5:])),
        "--dim": (ONNX, tuple("s=4" if word == "s=2" else word for word in ONNX)),
        "--input": (ONNX, tuple(word.replace("2x5x8", "2x7x8") for word in ONNX)),
        "--allow-unknown": (ONNX, tuple(word for word in ONNX if word != "--allow-unknown")),
        "--finish": (SEARCH, (*SEARCH, "--finish", "2000")),
        "--limit": (SEARCH, (*SEARCH, "--limit", "dram_words=1")),
    } | {
        f"--{metric.bound.replace('_', '-')}": (base, (*base, f"--{metric.bound.replace('_', '-')}",
                                                       "1e30" if metric.maximise else "1e-30"))
        for metric in map(load_metric, METRICS.home)
        for base in [SUBNETS if "accuracy" in metric.bound else (*SEARCH, "--mapper", "template")]
    },
}  # fmt: skip

SHOWN = {"--json", "--csv", "--wide", "--plot", "--style", "--size", "--font", "--out", "--help"}
"""How an answer is written, drawn or shown."""
ELSEWHERE = {
    "map": {"--emit", "--nests"},  # what is shown: tests/emit, tests/mapping/test_cli_map.py
    "sweep": {"--value", "--fresh"},  # the column drawn, and a journal: tests/sweeps
    "search": {"--study", "--apart"},  # a file, and what is shown of a front: tests/cosearch
}
NEVER = {"--engine", "--workers", "--scheduler"}
"""What no answer may depend on: see `tests/mapping/test_cli_map.py` and others."""

KNOWN: dict[tuple[str, Words], Any] = {}
"""Answers of the tests before: many begin at the same words."""


def test_no_option_is_left_out() -> None:
    """A new option is to be tried here, or said to change no answer."""
    commands: Any = typer.main.get_command(app)
    for verb, cases in CASES.items():
        options = {one.opts[0] for one in commands.commands[verb].params if one.opts[0].startswith("-")}
        assert options - SHOWN - NEVER == set(cases) | ELSEWHERE[verb], verb


FILES = {"TINY": tiny(), "NESTED": INVENTED["nested"]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Files that the words name."""
    made = tmp_path_factory.mktemp("options")
    for name, data in FILES.items():
        (made / f"{name}.json").write_text(json.dumps(data))

    macro = load_space("nasbench_macro")
    codes = [str(macro.decode(row).encoding) for row in macro.enumerate()]
    for name, weight in (("one", 1), ("other", 2)):
        rows = [f"{code},{60 + weight * code.count('2')}" for code in codes]
        (made / f"{name}.csv").write_text("\n".join(["arch,top1", *rows]))
    return made


@pytest.fixture
def answer(capsys, folder, monkeypatch, cache_file):
    """Figures that a command prints, of a search also those that its study keeps."""
    monkeypatch.chdir(folder)

    def ask(verb: str, words: Words) -> Any:
        given = [
            f"{word}.json" if word in FILES else cache_file if word == "ONNX" else word for word in words
        ]
        path = f"{len(KNOWN)}.study"
        study = ("--study", path) if verb == "search" else ()
        code, out, err = run(capsys, verb, *given, *study, "--json")
        if code == 2:
            return err
        assert code in (0, 3), err  # 3: nothing keeps to the limits
        if verb != "search":
            return list(figures(json.loads(out)))
        found = accelsim.load_study(path)
        front = json.loads(out)["front"]
        return found.values.tolist(), found.feasible.tolist(), found.levels.tolist(), front

    def known(verb: str, words: Words) -> Any:
        if (verb, words) not in KNOWN:
            KNOWN[verb, words] = ask(verb, words)
        return KNOWN[verb, words]

    return known


def figures(data: Any) -> Any:
    """What a mapping costs, and what is proved of it, of JSON of any shape."""
    if isinstance(data, list):
        for item in data:
            yield from figures(item)
    elif isinstance(data, dict):
        for key, value in data.items():
            if key in ("latency_cycles", "energy_pj", "space_size", "status"):
                yield key, value
            yield from figures(value)


@pytest.mark.parametrize(
    ("verb", "option"), [(verb, option) for verb, cases in CASES.items() for option in cases]
)
def test_every_option_changes_an_answer(verb, option, answer) -> None:
    with short_local_search():  # which finishing ends with
        one, other = (answer(verb, words) for words in CASES[verb][option])
    assert repr(one) != repr(other)
    if option != "--allow-unknown":
        assert not isinstance(one, str), one
        assert not isinstance(other, str), other
