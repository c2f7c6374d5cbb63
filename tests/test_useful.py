"""Options that would change nothing are refused in one message that names them and says why."""

from __future__ import annotations

import json
import shlex

import pytest

import accelsim
from accelsim.cli.useful import FOR_PEOPLE
from tests.command import run
from tests.test_grammar import options

LAYER = "map eyeriss --layer 'K=4 C=4'"
NET = "search eyeriss --network lenet5"
MACRO = "search eyeriss --space nasbench_macro --objectives edp,macs --fix hardware"
SWEEP = "sweep eyeriss lenet5 --vary clock_mhz=100,200"

USELESS = [
    ("evaluate eyeriss lenet5 --explain --csv", "evaluate: --explain: shapes the report"),
    ("evaluate eyeriss lenet5 --json --wide", "evaluate: --wide: shapes the report"),
    ("evaluate eyeriss lenet5 --json --csv", "evaluate: give either --json or --csv"),
    ("evaluate eyeriss lenet5 --mapper template --seed 1", "--seed: the mapper template draws nothing"),
    ("evaluate eyeriss lenet5 --engine dask --scheduler tcp://a:1 --workers 2", "--workers: the cluster"),
    ("evaluate eyeriss --layer 'K=4 C=4' --plot a.png", "--plot: draws networks"),
    ("evaluate eyeriss --layer 'K=4 C=4' --batch 2", "--batch: for networks"),
    ("evaluate eyeriss --layer 'K=4 C=4' --fuse none", "--fuse: for networks"),
    ("evaluate eyeriss --layer 'K=4 C=4' --mapping one.json --budget 9", "--budget: says how mappings are"),
    ("evaluate eyeriss lenet5 --mapping all.json --mapper random", "--mapper: says how mappings are"),
    ("evaluate mcu_f412 lenet5 --mapper random", "--mapper: for machines with mappings"),
    ("evaluate eyeriss net.m --model maestro --dataflow kcp_ws", "--dataflow: MAESTRO's files bring"),
    (f"{LAYER} --layer 'K=8 C=8'", "--layer: takes one layer, but got 2"),
    (f"{LAYER} --nests", "--nests: for networks"),
    (f"{LAYER} --seconds 3", "--seconds: for --mapper optimal"),
    (f"{LAYER} --mapper genetic_index --tiles legal", "--tiles: for --mapper optimal, but the mapper is g"),
    (f"{LAYER} --emit c --csv", "--csv: --emit prints its text alone"),
    (f"{LAYER} --emit c --wide", "--wide: --emit prints its text alone"),
    ("map eyeriss lenet5 --nests --json", "--nests: shapes the report, which --json leaves out"),
    ("map eyeriss lenet5 --mapper template --seed 3", "map: --seed: the mapper template draws nothing"),
    (f"{SWEEP} --model maestro --mapper random", "--mapper: maestro prices dataflows"),
    (f"{SWEEP} --model maestro --seed 1", "--seed: maestro prices dataflows"),
    (f"{SWEEP} --mapper template --fresh", "--fresh: forgets an unfinished sweep of --out"),
    (f"{SWEEP} --mapper template --value energy_pj --csv", "--value: a column of the report"),
    ("lut eyeriss --space fashion -o a.json --model maestro --budget 3", "--budget: maestro prices"),
    ("lut eyeriss --space fashion -o a.json --mapper template --check 0 --seed 1", "--seed: the mapper"),
    ("compare eyeriss nvdla_64 lenet5 --mapper template --seed 2", "compare: --seed: the mapper template"),
    ("compare eyeriss mcu_f412 lenet5", "STM32F412: is a microcontroller"),
    ("compare eyeriss mcu.json lenet5", "STM32F412: is a microcontroller"),
    (f"{NET} --strategy joint --mapper random", "--mapper: the strategy joint maps by its genes"),
    (f"{NET} --strategy single --budget 3", "--budget: the strategy single maps by its genes"),
    (f"{NET} --strategy joint --no-screen", "--screen: the strategy joint maps by its genes"),
    (f"{NET} --fix mapping --mapper random", "--mapper: --fix mapping takes the template's"),
    (f"{NET} --fix mapping --finish 3", "--finish: for mappings of accelsim's own model"),
    (f"{NET} --model maestro --finish 3", "--finish: for mappings of accelsim's own model"),
    (f"{NET} --mapper template --screen", "--screen: what the template maps"),
    (f"{NET} --accuracy published", "--accuracy: no objective or limit"),
    (f"{NET} --apart", "--apart: accuracy is no objective"),
    (f"{MACRO} --strategy gradient --optimiser random", "--optimiser: the strategy gradient asks none"),
    (f"{MACRO} --strategy blockwise_exact --optimiser random", "--optimiser: the strategy blockwise_exact"),
    (
        "search mcu_f412 --space ofa_proxyless --strategy holistic --budget 3",
        "--budget: for machines with mappings",
    ),
    ("memory lenet5 --style paper", "give --plot FILE too"),
    ("memory lenet5 --csv --json", "memory: give either --json or --csv"),
    ("validate eyeriss --all --json", "--all: shapes the report"),
    ("report a.study --live --designs 3", "--designs: a page that follows a search"),
    ("report a.study --port 3", "--port: of the server of --live"),
    ("report a.csv --designs 3", "--designs: of a study's front"),
]


@pytest.mark.parametrize(("words", "message"), USELESS, ids=[words for words, _ in USELESS])
def test_a_useless_option_is_refused(words, message, capsys, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    mapped = accelsim.map_network("eyeriss", "lenet5", "template")
    (tmp_path / "all.json").write_text(json.dumps(mapped.to_dict()))
    (tmp_path / "one.json").write_text(json.dumps(mapped.results[0].mapping.to_dict()))
    (tmp_path / "mcu.json").write_text(json.dumps(accelsim.load_hardware("mcu_f412").to_dict()))
    code, out, err = run(capsys, *shlex.split(words))
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
    assert not list(tmp_path.glob("*.study"))


def test_a_part_of_the_layers_may_be_mapped_by_a_file(capsys, tmp_path) -> None:
    mapped = accelsim.map_network("eyeriss", "lenet5", "template").to_dict()
    mapped["layers"] = {"fc3": mapped["layers"]["fc3"]}
    file = tmp_path / "some.json"
    file.write_text(json.dumps(mapped))
    words = ("evaluate", "eyeriss", "lenet5", "--mapping", str(file), "--json")
    costs = {run(capsys, *words, "--mapper", mapper)[1] for mapper in ("template", "genetic")}
    assert len(costs) == 2


def test_all_that_shapes_a_report_is_asked() -> None:
    """Each such option has the callback that refuses it beside --json and --csv."""
    from accelsim.cli.app import _show_all
    from accelsim.cli.useful import check_form

    asked = (check_form.__name__, _show_all.__name__)
    seen = set()
    for verb, option in options():
        if option.name in (*FOR_PEOPLE, "as_json", "as_csv"):
            callback = option.callback
            assert callback is not None, (verb, option.name)
            assert callback.__name__ in asked or callback.__wrapped__.__name__ in asked, verb
            seen.add(option.name)
    assert seen == {*FOR_PEOPLE, "as_json", "as_csv"}
