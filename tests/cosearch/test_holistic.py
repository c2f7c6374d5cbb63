"""Networks and their schedules on microcontrollers: memory that a schedule frees is handed back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import accelsim
from accelsim import AccelsimError
from accelsim.cosearch.run import load_study, resume, search
from accelsim.cosearch.strategies import holistic
from accelsim.cosearch.strategies.holistic import SCHEDULES, Schedule, figures
from accelsim.liveness import memory_plan, rules_of
from accelsim.workloads.spaces import load_space
from tests.command import run
from tests.cosearch.small import same

SEARCH = {
    "hardware": "mcu_f746", "space": "mcunet", "resolution": 160, "strategy": "holistic", "population": 9,
    "finish": 0,
}  # fmt: skip


@pytest.fixture(autouse=True)
def fewer(monkeypatch) -> None:
    monkeypatch.setattr(holistic, "DRAWN", 20)
    monkeypatch.setattr(holistic, "DRAWN_AGAIN", 5)
    monkeypatch.setattr(holistic, "GENERATIONS", 2)
    monkeypatch.setattr(holistic, "MOST", 2)


@pytest.fixture(scope="module")
def found():
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("DRAWN", 20), ("DRAWN_AGAIN", 5), ("GENERATIONS", 2), ("MOST", 2)):
            patch.setattr(holistic, name, value)
        return search(**SEARCH, evaluations=108)


def test_phases_follow_one_another(found) -> None:
    names = list(dict.fromkeys(g.phase for g in found.generations))
    assert names[:5] == ["spaces", "network", "schedule", "spaces2", "network2"]
    first, *_ = found.notes
    assert "of 9 spaces hold networks that fit" in first
    # The best space is that of the largest mean, and only its networks are searched.
    macs = found.values[:9, found.setup.goals.column["macs"]]
    label = found.generations[0].networks[int(np.nanargmax(macs))]
    width = label.split("width ")[1].split(":")[0]
    assert f"width {width} is best" in first
    assert all(f"-w{width}-" in n for g in found.generations if g.phase == "network" for n in g.networks)
    assert not found.feasible[:9].any()


def test_a_schedule_frees_memory_and_latency_pays_for_patches(found) -> None:
    """Every candidate under a schedule is what the memory plan says of it."""
    space = load_space("mcunet")
    hw = accelsim.load_hardware("mcu_f746")
    seen = set()
    for item in map(found.found, range(len(found))):
        if item.phase != "schedule":
            continue
        name, _, words = item.network.partition(" (")
        net = accelsim.load_network(name)
        schedule = next(s for s in SCHEDULES[1:] if str(s) == words.rstrip(")"))
        seen.add(schedule)
        row = space.encode(space.parse(name.split(":")[1]))
        patches = None
        if schedule.blocks:
            end = {2: "stage1.2", 4: "stage2.2"}[schedule.blocks]
            layer = [n for n in net.names if n.startswith(end)][-1]
            patches = (layer, schedule.grid)
        plan = memory_plan(net, hw, replace(rules_of(hw), in_place_add=schedule.sums), patches=patches)
        assert item.metrics["peak_memory"] == plan.peak
        assert item.metrics["latency"] == pytest.approx(plan.macs / 0.479 / 216e6)
        assert figures(hw, space, row, schedule)[0] == plan.peak
        if schedule.blocks:
            assert item.metrics["latency"] > net.macs / 0.479 / 216e6
    assert seen == set(SCHEDULES[1:])


def test_freed_memory_lets_more_in(found) -> None:
    """The second round's network phase holds networks that fit under a schedule only."""
    under = [n for g in found.generations if g.phase == "network2" for n in g.networks if "(" in n]
    plain = found.values[[f.index for f in map(found.found, range(len(found))) if f.phase == "network"]]
    assert under or "100%" in " ".join(found.notes)
    assert np.isfinite(plain[:, found.setup.goals.column["peak_memory"]]).all()
    spaces = [g for g in found.generations if g.phase in ("spaces", "spaces2")]
    assert len(spaces) == 2


def test_limits_of_the_device_hold(found) -> None:
    column = found.setup.goals.column
    values = found.values[found.feasible]
    assert (values[:, column["peak_memory"]] <= 320 * 1024).all()
    assert (values[:, column["flash"]] <= 1024 * 1024).all()
    cut = float(np.median(values[:, column["latency"]]))
    tighter = search(**SEARCH, evaluations=27, max_latency=cut)
    assert (tighter.values[tighter.feasible][:, column["latency"]] <= cut).all()


def test_resumed_and_read_back(found, tmp_path) -> None:
    path = tmp_path / "a.study"
    search(**SEARCH, evaluations=18, study=path)
    assert same(resume(path, 45, finish=0), search(**SEARCH, evaluations=45))
    again = resume(path, 108, finish=0)
    assert same(again, found)
    assert load_study(path).notes == found.notes


def test_a_device_on_which_nothing_fits() -> None:
    small = accelsim.load_hardware("mcu_f746").to_dict()
    small["memories"][1]["size_bytes"] = 4096
    result = search(**SEARCH | {"hardware": small}, evaluations=18)
    assert result.best is None
    assert result.notes == ("no space has networks that fit",)


def test_schedules_say_what_they_are() -> None:
    assert str(Schedule()) == ""
    assert str(Schedule(True, 4, 3)) == "3x3 patches of 4 blocks, sums in place"
    assert len(set(map(str, SCHEDULES))) == len(SCHEDULES)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hardware": "nvdla_64", "fix": "hardware"}, "is no microcontroller"),
        ({"hardware": "nvdla_64"}, "add --fix hardware"),
        ({"space": None, "resolution": None, "networks": "lenet5"}, "name one"),
        ({"strategy": "joint"}, "is a microcontroller"),
        ({"model": "maestro", "strategy": "nested"}, "is a microcontroller"),
    ],
)
def test_what_does_not_go_together(change, message) -> None:
    with pytest.raises(AccelsimError, match=message):
        search(**SEARCH | {"objectives": "latency"} | change, evaluations=9)


def test_command_line(capsys, tmp_path) -> None:
    words = ("search", "mcu_f746", "--space", "mcunet", "--resolution", "96", "--strategy", "holistic")
    rest = ("--population", "9", "--evaluations", "27", "--study", str(tmp_path / "a.study"))
    code, out, _ = run(capsys, *words, *rest, "--export", str(tmp_path / "out"))
    assert code == 0
    assert "spaces hold networks that fit" in out
    assert list((tmp_path / "out").glob("design_*.network.json"))
