"""One grammar: the same words mean the same in every verb, and what is printed as JSON is JSON."""

from __future__ import annotations

import csv
import io
import json

import pytest
import typer.main

from accelsim.cli.app import app
from tests.command import run

VERBS = typer.main.get_command(app).commands  # type: ignore[attr-defined]
SHARED = {
    "--mapper": "mapper", "--budget": "budget", "--seed": "seed", "--workers": "workers",
    "--engine": "engine",
    "--style": "style", "--size": "size", "--font": "font",
    "--json": "as_json", "--csv": "as_csv", "--batch": "batch", "--wide": "wide", "--plot": "plot",
    "--dim": "dims", "--input": "shapes", "--allow-unknown": "allow_unknown",
}  # fmt: skip


def options() -> list[tuple[str, object]]:
    found = []
    for name, verb in VERBS.items():
        for one in getattr(verb, "commands", {"": verb}).values():
            found += [(f"{name} {one.name or ''}", parameter) for parameter in one.params]
    return found


@pytest.mark.parametrize("word", SHARED)
def test_a_shared_word_has_one_meaning(word) -> None:
    uses = [option for _, option in options() if word in option.opts]
    assert len(uses) >= 2
    assert {(option.name, option.is_flag) for option in uses} == {(SHARED[word], uses[0].is_flag)}


def test_what_is_written_goes_by_out() -> None:
    """Older words for it are still read, beside --out and -o."""
    for verb, option in options():
        if {"--save", "--output", "--export", "--write"} & set(option.opts):
            assert {"--out", "-o"} <= set(option.opts), verb


TABLES = [
    ("list",),
    ("check", "shidiannao"),
    ("check", "mcu_f412"),
    ("network", "lenet5"),
    (
        "lut",
        "eyeriss",
        "--space",
        "nasbench_macro",
        *["--mapper", "template", "--check", "0", "-o", "l.json"],
    ),
    ("space", "nasbench_macro", "--sample", "2"),
    ("map", "shidiannao", "lenet5", "--mapper", "template"),
    ("map", "shidiannao", "--layer", "K=4 C=4", "--mapper", "template"),
    ("evaluate", "shidiannao", "lenet5", "--mapper", "template"),
    ("sweep", "shidiannao", "lenet5", "--vary", "clock_mhz=500,1000", "--mapper", "template"),
    ("memory", "lenet5"),
    ("nacos", "query", "00000000", "nvdla_64"),
    ("nacos", "front", "--chip", "nvdla_64"),
    ("nacos", "verify", "--rows", "5", "--pairs", "0"),
    (
        "search",
        "shidiannao",
        "--network",
        "lenet5",
        "--mapper",
        "template",
        "--evaluations",
        "16",
        "--population",
        "16",
        "--finish",
        "0",
    ),
]


def named(words: tuple[str, ...]) -> str:
    return " ".join(words[:2])


@pytest.mark.parametrize("words", TABLES, ids=named)
def test_json_is_json_and_nothing_else(capsys, tmp_path, monkeypatch, words) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, _ = run(capsys, *words, "--json")
    assert code == 0
    assert json.loads(out)


@pytest.mark.parametrize(
    "words", [words for words in TABLES if not {*words} & {"list", "check", "verify"}], ids=named
)
def test_csv_is_csv_and_nothing_else(capsys, tmp_path, monkeypatch, words) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, _ = run(capsys, *words, "--csv")
    head, *rows = csv.reader(io.StringIO(out))
    assert code == 0
    assert rows
    assert {len(row) for row in rows} == {len(head)}
    assert len(set(head)) == len(head)


def with_option(word: str) -> set[str]:
    return {verb.split()[-1] for verb, option in options() if word in option.opts}


def test_what_prints_figures_prints_them_as_json() -> None:
    """All but those that write a file, print a page or compile."""
    every = {verb.split()[-1] for verb, _ in options()}
    assert every - with_option("--json") == {"new", "docs", "schema", "report", "export"}


def test_what_prints_a_table_prints_it_as_csv() -> None:
    """All that print JSON, but for facts of one machine and what a build or a check did."""
    assert with_option("--json") - with_option("--csv") == {"check", "build", "verify"}


def test_what_is_minimised_goes_by_one_word() -> None:
    """`--objectives`, of searches and of mappings alike; `--objective` is still read."""
    uses = [(verb, option) for verb, option in options() if {"--objective", "--objectives"} & {*option.opts}]
    assert len(uses) >= 8
    for verb, option in uses:
        assert option.opts[:2] == ["--objectives", "--objective"], verb


def test_what_draws_takes_a_look() -> None:
    assert with_option("--plot") == with_option("--style") == with_option("--size") == with_option("--font")


def test_a_table_that_leaves_columns_out_can_be_wide() -> None:
    wide = with_option("--wide")
    assert wide >= {"bench", "check", "compare", "evaluate", "map", "network", "search", "sweep", "validate"}
    assert wide >= {"list", "show", "resume", "front", "score"}


def test_check_says_the_same_as_json(capsys) -> None:
    facts = json.loads(run(capsys, "check", "shidiannao", "--json")[1])
    text = run(capsys, "check", "shidiannao")[1]
    assert f"peak    {facts['peak_macs_per_cycle']:.3g} MACs a cycle" in text
    assert f"area    {facts['area_mm2']:.3g} mm2" in text
    for one in facts["probes"]:
        assert f"{one['latency_cycles']:,.0f}" in text
    assert all(remark in text for remark in facts["remarks"])


def test_a_study_is_listed_as_json(capsys, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = ("--network", "lenet5", "--mapper", "template", "--evaluations", "8", "--population", "8")
    assert run(capsys, "search", "shidiannao", *words, "--finish", "0", "--study", "a.study")[0] == 0
    (tmp_path / "bad.study").write_text("no study")
    good, bad = json.loads(run(capsys, "study", "list", "--json")[1])
    assert (good["study"], good["hardware"], good["candidates"]) == ("a.study", "ShiDianNao", 8)
    assert bad["study"] == "bad.study"
    assert bad["fault"]


def test_keys_carry_units_in_lower_case(capsys) -> None:
    for words in (("map", "shidiannao", "lenet5"), ("evaluate", "shidiannao", "lenet5")):
        text = run(capsys, *words, "--mapper", "template", "--json")[1]
        assert '"edp_js"' in text
        assert '"energy_pj"' in text
        assert "_Js" not in text


def test_out_writes_what_save_wrote(capsys, tmp_path) -> None:
    first, second = tmp_path / "a.json", tmp_path / "b.json"
    words = ("map", "shidiannao", "lenet5", "--mapper", "template")
    assert run(capsys, *words, "-o", str(first))[0] == 0
    assert run(capsys, *words, "--save", str(second))[0] == 0
    assert first.read_bytes() == second.read_bytes()
