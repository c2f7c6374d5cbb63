"""What a search reports: finished by the exact mapper, never worse than before, nor than the base chip."""

from __future__ import annotations

import copy
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import accelsim
from accelsim import AccelsimError
from accelsim.cosearch.export import design_files, export
from accelsim.cosearch.finish import EXACT, LEAST, moved
from accelsim.cosearch.finished import Finished, Name
from accelsim.cosearch.freed import at_home, extended, spread_dims
from accelsim.cosearch.gains import gains
from accelsim.cosearch.run import resume
from accelsim.cosearch.screen import BOUNDED
from accelsim.cosearch.study import Study
from accelsim.explorer.study import study_page
from accelsim.hardware.freedom import Freedom, freedoms, with_freedoms
from accelsim.mapping.optimal import OptimalMapper
from accelsim.report.search import finished_lines, search_report
from tests.cosearch.small import MACRO, SUBNETS, TINY, same, short_local_search, tiny

FINISH = 2000
INVENTED = accelsim.load_hardware("nvdla_64").to_dict()
"""NVDLA's parts in an envelope of which most is worse."""
INVENTED |= {"name": "invented", "search": INVENTED["search"] | {"max_pes": 64}}
INVENTED["search"]["buffers"]["CBUF"]["min"] = 64
SEARCHED = [name for name in accelsim.hardware_names() if accelsim.load_hardware(name).search is not None]


def edp(chip: accelsim.Accelerator, network: Any, mapper: Any) -> float:
    return accelsim.map_network(chip, network, mapper).cost.edp_js


@pytest.fixture(scope="module", autouse=True)
def short() -> Iterator[None]:
    with short_local_search():
        yield


@pytest.fixture(scope="module")
def plain():
    return accelsim.search(**TINY, evaluations=24)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    path = tmp_path_factory.mktemp("finish") / "a.study"
    return accelsim.search(**TINY | {"finish": FINISH}, evaluations=24, study=path)


def test_the_search_itself_is_the_same(plain, done) -> None:
    assert same(plain, done)
    assert not any(made.mapper for made in plain.finished.values())
    assert len([name for name in done.finished if name == Name(name.candidate)]) >= LEAST


def test_no_design_gets_worse_and_some_get_better(plain, done) -> None:
    column = plain.setup.goals.column["edp"]
    for name, made in done.finished.items():
        assert made.values[column] <= made.before[column]
        candidate = name.candidate
        if name == Name(candidate):
            assert made.before[column] == plain.values[candidate, column]
    assert done.best.metrics["edp"] <= plain.best.metrics["edp"]
    assert max(moved(done).gains) > 1.0


def test_mappings_and_exports_price_to_what_is_reported(done) -> None:
    best = done.best
    assert best.mapper == EXACT
    files = json.loads(json.dumps(design_files(done, best)))
    (stem,) = (name.removesuffix(".hardware.json") for name in files if name.endswith(".hardware.json"))
    assert stem.startswith(f"design_{best.index:05d}")
    assert files[f"{stem}.json"]["mapper"] == EXACT
    network = accelsim.Network.from_dict(files[f"{stem}.network.json"])
    cost = accelsim.evaluate(files[f"{stem}.hardware.json"], network, files[f"{stem}.mapping.json"])
    assert cost.edp_js == best.metrics["edp"]


@pytest.mark.parametrize("name", SEARCHED)
@pytest.mark.parametrize("seed", [0, 1])
def test_never_worse_than_the_base_chip(name, seed, monkeypatch) -> None:
    """Whatever came of a few candidates, and with the exact mapper's care on both sides; also where no local
    search over chips mends what finishing left.
    """
    if seed:
        monkeypatch.setattr("accelsim.cosearch.near.PRICED", 0)
    base = accelsim.load_hardware(name)
    options = {"networks": tiny("net", 4 + 4 * seed), "budget": 20, "population": 4, "seed": seed}
    found = accelsim.search(base, **options, optimiser="random", evaluations=4, finish=FINISH)
    network = accelsim.Network.from_dict(options["networks"])
    for mapper in ("template", "genetic", OptimalMapper(FINISH)):
        assert found.best.metrics["edp"] <= edp(base, network, mapper) * (1 + 1e-12), mapper
    assert_nothing_named_is_better(found)


def assert_nothing_named_is_better(found) -> None:
    """No step of the gains that a report tells of a design of the front."""
    base = found.setup.base
    for item in found.front:
        mapped = found.mappings(item)
        for step in gains(found, item, mapped):
            assert item.metrics["edp"] <= step.edp_js * (1 + 1e-12), (item.where, step)
        chip, (network,), _ = found.design(item)
        free = with_freedoms(base, freedoms(base, chip, tuple(spread_dims(mapped))))
        assert item.metrics["edp"] <= edp(free, network, OptimalMapper(FINISH)) * (1 + 1e-12), item.where


@pytest.mark.parametrize("seed", range(4))
def test_never_worse_than_the_base_chip_with_a_designs_freedoms(seed) -> None:
    """On an invented machine whose own sizes are better than most of its envelope."""
    found = accelsim.search(
        INVENTED, networks=tiny(), budget=20, population=3, evaluations=6, seed=seed, optimiser="random",
        finish=FINISH,
    )  # fmt: skip
    assert_nothing_named_is_better(found)


@pytest.fixture(scope="module")
def freed(tmp_path_factory):
    """A search whose best design is the base chip with freedoms of one that it came by."""
    path = tmp_path_factory.mktemp("freed") / "a.study"
    found = accelsim.search(
        INVENTED, networks=tiny(), budget=20, population=3, evaluations=6, optimiser="random", finish=FINISH,
        seed=1, study=path,
    )  # fmt: skip
    assert found.best.granted
    return found


def test_a_base_with_freedoms_is_a_design_like_any(freed, tmp_path) -> None:
    """In the study, in JSON, as files that price to the same figures, and on the page."""
    best = freed.best
    again = accelsim.load_study(freed.path)
    assert again.front == freed.front
    assert again.finished == freed.finished
    (row,) = [row for row in again.to_dict()["front"] if row["freedoms"]][:1]
    assert row["base"]
    assert row["edp_js"] == best.metrics["edp"]
    assert not [row for row in again.to_rows() if row["edp_js"] == best.metrics["edp"]]  # no candidate has it
    folder = tmp_path / "designs"
    written = export(again, folder)
    assert len(written) == len(set(written))
    (file,) = [
        p for p in written if p.name.startswith(f"design_{best.index:05d}_base_") and p.name.count(".") == 1
    ]
    stem = file.name.removesuffix(".json")
    told = json.loads(file.read_text())
    assert told["freedoms"] == [str(freedom) for freedom in best.granted]
    chip = accelsim.load_hardware(folder / f"{stem}.hardware.json")
    assert chip.hash == told["hardware_hash"]
    assert freedoms(freed.setup.base, chip) == best.granted
    assert told["sizes"] == row["sizes"] == bool(best.sizes)
    network = accelsim.load_network(folder / f"{stem}.network.json")
    cost = accelsim.evaluate(chip, network, json.loads((folder / f"{stem}.mapping.json").read_text()))
    assert cost.edp_js == best.metrics["edp"]
    page = study_page(again)
    at = page["front"][0]
    assert at >= page["candidates"]
    assert page["names"][at] == best.called
    assert page["designs"][at]["figures"]["edp_js"] == best.metrics["edp"]


def test_no_freedom_more_or_fewer_is_better(freed) -> None:
    best = freed.best
    (network,) = freed.design(best).networks
    more = extended(freed.genome(best.index)[0], best.granted)
    assert len(more) > 3
    for granted in more:
        assert set(best.granted) < set(granted)
    fewer = [tuple(one for one in best.granted if one is not left) for left in best.granted]
    for granted in more + fewer:
        chip = with_freedoms(freed.setup.base, granted)
        assert best.metrics["edp"] <= edp(chip, network, OptimalMapper(FINISH)) * (1 + 1e-12), granted


def test_what_it_is_told(freed) -> None:
    from rich.console import Console

    console = Console(width=160, record=True)
    console.print(search_report(freed))
    text = console.export_text()
    assert f"{freed.best.index}bf{'s' if freed.best.sizes else ''}" in text
    assert ("with other sizes or ports (s)" in text) == bool(freed.best.sizes)
    assert str(freed.best.granted[0]) in text


def test_freedoms_that_the_base_chip_cannot_have_are_refused(freed, tmp_path) -> None:
    """Whoever wrote the file sealed it, too."""
    made = freed.finished[freed.best.name]
    for place in (("none", "x"), (made.granted[0].places[0][0], "none")):
        path = tmp_path / f"{place[0]}.study"
        accelsim.search(
            INVENTED, networks=tiny(), budget=20, population=3, evaluations=3, finish=0, study=path
        )
        with Study.open(path, write=True) as study:
            study.keep(replace(made, candidate=0, granted=(Freedom("K", (place,)),)))
        with pytest.raises(AccelsimError, match="no candidate or chip"):
            accelsim.load_study(path)


def test_a_tight_area_keeps_freedoms_out(freed) -> None:
    """Where multiplexers take area, which a base at its limit has none left for."""
    best = freed.best
    chip = with_freedoms(freed.setup.base, best.granted)
    room = (freed.setup.base.area_mm2 + chip.area_mm2) / 2
    assert freed.setup.base.area_mm2 < room < chip.area_mm2
    data = copy.deepcopy(INVENTED)
    data["search"]["max_area_mm2"] = room
    found = accelsim.search(
        data, networks=tiny(), budget=20, population=3, evaluations=6, optimiser="random", finish=FINISH,
        seed=1,
    )  # fmt: skip
    assert all(found.design(item).chip.area_mm2 <= room for item in found.front)


def test_never_worse_on_an_invented_chip() -> None:
    """One whose own sizes are better than most of its envelope."""
    data = accelsim.load_hardware("nvdla_64").to_dict()
    data["search"]["buffers"]["CBUF"]["min"] = 64
    found = accelsim.search(
        data, networks=tiny(), budget=20, population=2, optimiser="random", evaluations=2, finish=FINISH
    )
    chip = accelsim.load_hardware(data)
    assert found.best.metrics["edp"] <= edp(chip, accelsim.Network.from_dict(tiny()), OptimalMapper(FINISH))
    if found.best.base and not found.best.sizes:
        assert found.design(found.best).chip.memories == chip.memories


def test_every_network_of_a_front_is_set_against_the_base(tmp_path) -> None:
    options = MACRO | {
        "hardware": "nvdla_64",
        "fix": "",
        "finish": 100,
        "optimiser": "random",
        "population": 4,
    }
    found = accelsim.search(**options, evaluations=4, study=tmp_path / "a.study")
    base = found.setup.base
    for item in found.front[:2]:
        (network,) = found.design(item).networks
        assert item.metrics["edp"] <= edp(base, network, OptimalMapper(100)) * (1 + 1e-12)
        free = with_freedoms(base, found.best.granted)
        assert item.metrics["edp"] <= edp(free, network, OptimalMapper(100)) * (1 + 1e-12)
        assert item.feasible
    again = accelsim.load_study(tmp_path / "a.study")
    assert again.front == found.front
    assert again.finished == found.finished


def test_an_interrupted_finish_goes_on(tmp_path, done) -> None:
    path = tmp_path / "a.study"
    searched = accelsim.search(**TINY, evaluations=24, study=path)
    calls = []

    def stop() -> bool:
        calls.append(None)
        return len(accelsim.load_study(path).finished) >= 2

    first = resume(path, finish=FINISH, cancel=stop)
    assert first.interrupted
    assert len(first.finished) == 2
    last = resume(path, finish=FINISH, workers=2)
    assert not last.interrupted
    assert last.finished == done.finished
    assert last.front == done.front
    assert same(last, searched)
    assert calls


def test_a_longer_search_is_not_changed_by_what_was_finished(tmp_path) -> None:
    path = tmp_path / "a.study"
    accelsim.search(**TINY | {"finish": FINISH}, evaluations=8, study=path)
    longer = resume(path, 24, finish=FINISH)
    assert same(longer, accelsim.search(**TINY, evaluations=24))
    assert longer.best.metrics["edp"] <= longer.values[:, longer.setup.goals.column["edp"]].min()


def test_what_was_sketched_is_mapped_without_finishing_and_finished_later(tmp_path) -> None:
    path = tmp_path / "a.study"
    plain = accelsim.search(**TINY, evaluations=24, study=path)
    assert {made.mapper for made in plain.finished.values()} == {""}
    assert all(item.level == "mapped" for item in plain.front)
    assert moved(plain) is None
    assert same(accelsim.load_study(path), plain)
    late = resume(path, 24, finish=FINISH)
    assert late.finished == accelsim.search(**TINY | {"finish": FINISH}, evaluations=24).finished
    assert all(made.patience for made in accelsim.load_study(path).finished.values())


def test_the_front_of_an_interrupted_search_is_of_sketches() -> None:
    seen: list[Any] = []
    stopped = accelsim.search(**TINY, evaluations=24, watch=seen.append, cancel=lambda: bool(seen))
    assert stopped.interrupted
    assert {item.level for item in stopped.front} == {"sketched"}
    assert f"{len(stopped.front)} of the front are sketched" in finished_lines(stopped)[0]


def test_so_is_what_an_interrupted_finish_has_left(tmp_path) -> None:
    path = tmp_path / "a.study"
    options = SUBNETS | {"finish": FINISH, "evaluations": 16, "objectives": "edp,accuracy"}
    seen: list[Any] = []

    def stop() -> bool:
        return len(seen) == 2 and len(accelsim.load_study(path).finished) == 1

    stopped = accelsim.search(**options, study=path, watch=seen.append, cancel=stop)
    assert stopped.interrupted
    left = [item for item in stopped.front if item.level == "sketched"]
    assert 0 < len(left) < len(stopped.front)
    assert f"{len(left)} of the front are sketched" in finished_lines(stopped)[-1]


@pytest.mark.parametrize(
    "options", [{"fix": "mapping"}, {"model": "maestro"}, {"finish": 0, "screen": False}]
)
def test_where_there_is_nothing_to_finish(options) -> None:
    found = accelsim.search(**TINY | {"finish": FINISH} | options, evaluations=8)
    assert not found.finished
    assert moved(found) is None


def test_the_report_says_what_it_did(done) -> None:
    from rich.console import Console

    console = Console(width=160, record=True)
    console.print(search_report(done))
    text = console.export_text()
    assert "mapped anew by the exact mapper" in text
    assert "changed their order by edp" in text


def test_forged_designs_are_refused(tmp_path) -> None:
    path = tmp_path / "a.study"
    accelsim.search(**TINY | {"finish": FINISH}, evaluations=8, study=path)
    with closing(sqlite3.connect(path)) as db, db:
        text = db.execute("SELECT value FROM meta WHERE key = 'finished'").fetchone()[0]
        forged = json.loads(text)
        forged[0]["values"][0] *= 0.5
        db.execute("UPDATE meta SET value = ? WHERE key = 'finished'", (json.dumps(forged),))
    with pytest.raises(AccelsimError, match="damaged"):
        accelsim.load_study(path)


@pytest.mark.parametrize("finish", [-1, 1.5, True, "much"])
def test_bad_settings(finish) -> None:
    with pytest.raises(AccelsimError, match="finish: must be a whole number"):
        accelsim.search(**TINY | {"finish": finish}, evaluations=8)


def test_floors_are_below_what_is_found(plain) -> None:
    for made, phase in zip(plain.generations, plain._phases):
        costs, excess = phase.floors(made.rows)
        assert (costs <= plain.setup.goals.costs(made.values) * (1 + 1e-12)).all()
        assert (excess <= made.excess + 1e-12).all()
    found = accelsim.search(**SUBNETS, evaluations=8, max_power=1e9, max_latency=1e-9)
    (made,), (phase,) = found.generations, found._phases
    costs, excess = phase.floors(made.rows)
    names = list(found.setup.goals.limits)
    assert np.isneginf(excess[:, names.index("power")]).all()  # nothing is known of power
    assert (excess[:, names.index("latency")] > 0).all()
    assert (excess <= made.excess + 1e-12).all()


@pytest.mark.parametrize("options", [{"fuse": "auto"}, {"strategy": "joint"}])
def test_the_base_chip_keeps_the_searchs_mappings_where_these_are_better(options) -> None:
    """Then stacks and mapping genes of the search are what its figures are of."""
    found = accelsim.search(**TINY | options, evaluations=8)
    index = int(np.flatnonzero(found.levels != BOUNDED)[0])
    phase, row = found.genome(index)
    home = at_home(phase, row)
    assert home is not None
    values = tuple(None if v != v else v for v in phase.evaluate(home[None])[0].tolist())
    found.finish(Finished(index, True, values, values, "", 3))
    item = found._shown(found.finished[Name(index, True)])
    (mapped,) = found.mappings(item)
    assert mapped.cost.latency_s == pytest.approx(item.metrics["latency"], rel=1e-12)
    assert mapped.cost.energy_pj * 1e-12 == pytest.approx(item.metrics["energy"], rel=1e-12)
