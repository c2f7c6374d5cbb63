"""Every experiment that needs no data of its own runs with --quick and leaves its files."""

from __future__ import annotations

import csv
import importlib
import json
import runpy
import sys
from pathlib import Path
from typing import Any

import pytest

import accelsim
from tests.cosearch.small import short_local_search

EXPERIMENTS = Path(__file__).parents[2] / "experiments"

CHIP = {"networks.csv", "front.csv", "networks.md", "front.md", "front.png", "roofline.png", "energy.png"}
FILES = {
    "eyeriss": CHIP,
    "nvdla": CHIP,
    "shidiannao": CHIP,
    "edgetpu": CHIP,
    "naas_envelopes": {"over_own_dataflow.csv", "over_searched_mappings.csv"},
    "naas_sizing_vs_full": {"sizing_vs_full.csv"},
    "naas_encoding": {"encoding.csv"},
    "naas_ofa": {"ofa.csv", "front.png"},
    "schedules_vs_networks": {"latency.csv"},
    "fusion_evidence": {"fusion.csv", "grid.csv"},
    "interstellar_claim": {"sizing.csv", "sizing.png"},
    "schedules_on_this_cpu": {"layers.csv", "times.csv", "networks.csv"},
    "nacos_flows": {"listed.csv", "device.csv", "chip.csv"},
    "optimisers": {"listed.csv"},
    "optimisers_at_work": {"optimisers_at_work.csv"},
    "screening": {"screening.csv"},
    "near_optimum": {"near_optimum.csv"},
    "search_evidence": {"optimisers.csv", "strategies.csv", "small_space.csv"},
}


def quick(name: str, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(EXPERIMENTS)
    monkeypatch.setattr("accelsim.cosearch.finish.LEAST", 1)
    monkeypatch.setattr("common.PATIENCE", 1)
    monkeypatch.setattr(sys, "argv", [f"{name}.py", "--quick", "--out", str(out)])
    runpy.run_path(str(EXPERIMENTS / f"{name}.py"), run_name="__main__")


def test_naas_under_maestro_leaves_its_files(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.syspath_prepend(EXPERIMENTS)
    words = ["naas_envelopes.py", "--quick", "--model", "maestro", "--chips", "shidiannao,eyeriss"]
    words += ["--out", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", words)
    runpy.run_path(str(EXPERIMENTS / "naas_envelopes.py"), run_name="__main__")
    assert "12 chips, 40 dataflows a layer" in capsys.readouterr().out
    for file in ("under_maestro.csv", "the_same_under_accelsim.csv"):
        rows = table(tmp_path / file)
        assert [row["envelope"] for row in rows] == ["shidiannao", "eyeriss"]
        assert all(float(row["EDP gain"]) > 0 for row in rows)


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("evaluations", [None, 96])
@pytest.mark.parametrize("quick", [[], ["--quick"]])
def test_options_of_scripts_that_search_and_of_those_that_do_not(
    tmp_path, monkeypatch, evaluations, quick
) -> None:
    monkeypatch.setattr(sys, "argv", ["script.py", "--out", str(tmp_path / "made"), *quick])
    monkeypatch.syspath_prepend(str(EXPERIMENTS))
    chosen = importlib.import_module("common").options("What it does.", "name", evaluations)
    assert chosen.out.is_dir()
    assert (chosen.finish == 0) == bool(quick)
    if evaluations is not None:
        assert chosen.settings["evaluations"] == (8 if quick else 96)


@pytest.mark.parametrize("name", FILES)
def test_leaves_its_files(name, tmp_path, monkeypatch, capsys) -> None:
    with short_local_search():
        quick(name, tmp_path, monkeypatch)
    assert capsys.readouterr().out.strip()
    for file in FILES[name]:
        path = tmp_path / file
        assert path.stat().st_size > 50, file
        if path.suffix == ".csv":
            rows = table(path)
            assert rows, file
            assert all(any(row.values()) for row in rows), file
        elif path.suffix == ".png":
            assert path.read_bytes().startswith(b"\x89PNG"), file
    if FILES[name] is CHIP:
        check_designs(tmp_path)
    if name == "naas_envelopes":
        check_envelopes(tmp_path)
    if name == "nacos_flows":
        check_goes_on(tmp_path, monkeypatch)


def check_designs(folder: Path) -> None:
    """A design that was written prices to the figures that its table shows."""
    files = sorted((folder / "designs").glob("design_*.hardware.json"))
    assert files
    shown = {row["EDP, Js"] for row in table(folder / "front.csv")}
    for path in files:
        chip, net, mapping = (
            path.with_name(path.name.replace("hardware", kind)) for kind in ("hardware", "network", "mapping")
        )
        found = accelsim.evaluate(str(chip), str(net), json.loads(mapping.read_text()))
        assert f"{found.edp_js:.3g}" in shown


def check_envelopes(folder: Path) -> None:
    """Gains multiply: EDP is speed-up times saving, and both tables tell of the same chips."""
    own, honest = table(folder / "over_own_dataflow.csv"), table(folder / "over_searched_mappings.csv")
    assert len(own) == len(honest) == 5
    for a, b in zip(own, honest):
        assert a["envelope"] == b["envelope"]
        for row in (a, b):
            gain = float(row["speed-up"]) * float(row["energy saving"])
            assert float(row["EDP gain"]) == pytest.approx(gain, rel=0.03, abs=0.02)
        alone = float(a["EDP gain"]) / float(b["EDP gain"])
        assert float(b["by mapping alone"]) == pytest.approx(alone, rel=0.03)
        assert float(b["by mapping alone"]) >= 0.99  # searched mappings are never worse than the chip's own


def check_goes_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Called again, it searches only what is missing, and the tables are the same to the letter."""
    searched: list[str] = []
    search = accelsim.search

    def counting(**options: Any) -> Any:
        searched.append(options["space"])
        return search(**options)

    monkeypatch.setattr(accelsim, "search", counting)
    before = [(folder / file).read_text() for file in FILES["nacos_flows"]]
    quick("nacos_flows", folder, monkeypatch)
    assert not searched
    (lost,) = folder.glob("runs/listed-nested-0-*")
    lost.unlink()
    quick("nacos_flows", folder, monkeypatch)
    assert searched == ["nasbench_macro"]
    after = [(folder / file).read_text() for file in FILES["nacos_flows"]]
    assert timeless(before) == timeless(after)


def timeless(tables: list[str]) -> list[list[str]]:
    """Rows without their last column, seconds."""
    return [[row.rpartition(",")[0] for row in text.splitlines()] for text in tables]


def test_invented_machines_are_never_mapped_below_the_proof(monkeypatch, capsys) -> None:
    """A row for each machine; no mapper is below the bound, genetic no worse than the template."""
    from experiments import mapper_invented
    from tests.mapping.invented import INVENTED

    monkeypatch.setattr(sys, "argv", ["mapper_invented", "--every", "40"])
    mapper_invented.main()
    rows = [line.strip("| ").split(" | ") for line in capsys.readouterr().out.splitlines()[2:]]
    assert [row[0] for row in rows] == [*INVENTED, "all"]
    for row in rows:
        mean, worst, genetic_mean, genetic_worst = (float(cell.rstrip("%")) for cell in row[3:])
        assert 0 <= genetic_mean <= mean <= worst
        assert genetic_mean <= genetic_worst <= worst


def test_fresh_machines_are_never_mapped_below_the_proof(monkeypatch, capsys) -> None:
    """A row for each machine; genetic no worse than the template where the proof is whole."""
    from experiments import mapper_fresh

    some = dict([*mapper_fresh.machines(1).items()][5:8])
    monkeypatch.setattr(mapper_fresh, "machines", lambda _: some)
    monkeypatch.setattr(
        sys, "argv", ["mapper_fresh", "--layers", "2", "--seconds", "1", "--objectives", "edp"]
    )
    mapper_fresh.main()
    rows = [line.strip("| ").split(" | ") for line in capsys.readouterr().out.splitlines()[2:]]
    assert [row[0] for row in rows] == [*some, "all"]
    assert int(rows[-1][3]) > 0
    for row in rows:
        figures = [float(cell.rstrip("%")) for cell in row[4:]]
        assert all(0 <= genetic <= template for template, genetic in zip(figures[:3], figures[3:]))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("eyeriss --evaluations 0", "--evaluations: must be a whole number from 1, but got '0'"),
        ("naas_ofa --seeds -1", "--seeds: must be a whole number from 1, but got '-1'"),
        ("naas_envelopes --chips gemmini", "--chips: must be some of edgetpu,"),
        ("screening --chips nosuch", '--chips: no shipped hardware or file is called "nosuch"'),
        ("near_optimum --chips eyeriss,", "--chips: no shipped hardware or file is called"),
        ("search_evidence --hardware mcu_f412", "--hardware: mcu_f412 has no `search` section"),
        ("optimisers --seeds 0", "--seeds: must be a whole number from 1"),
        ("nacos_flows --tasks listed,nosuch", "--tasks: must be of listed, ofa,"),
        ("nacos_flows --workers 0", "--workers: must be a whole number from 1"),
        ("nacos_tables --accuracy nosuch", "accuracy: must be one of surrogate,"),
        ("mapper_table TABLE --every 0", "--every: must be a whole number from 1"),
        ("mapper_table TABLE --print", "holds no results yet"),
        ("mapper_fresh --networks nosuch", "--networks: no network 'nosuch'"),
        ("mapper_invented --every 0", "--every: must be a whole number from 1"),
        *(
            (f"{name} --quick --out FILE/there", "--out: ")
            for name in (
                "eyeriss", "fusion_evidence", "interstellar_claim", "nacos_flows", "schedules_vs_networks"
            )
        ),
    ],
)  # fmt: skip
def test_bad_arguments_end_in_one_message(words, said, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.syspath_prepend(EXPERIMENTS)
    monkeypatch.chdir(tmp_path)
    Path("FILE").touch()
    name, *rest = words.split()
    monkeypatch.setattr(sys, "argv", [f"{name}.py", *rest])
    with pytest.raises(SystemExit) as stop:
        runpy.run_path(str(EXPERIMENTS / f"{name}.py"), run_name="__main__")
    assert stop.value.code == 2
    assert said in capsys.readouterr().err.splitlines()[-1]
