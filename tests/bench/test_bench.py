"""`accelsim bench` reports every kind of layer, and draws."""

from __future__ import annotations

import json

from accelsim.bench import LAYERS, MACHINES, bench
from tests.command import run


def test_every_kind_is_measured() -> None:
    ticks = []
    speed = bench(0.1, lambda done, total: ticks.append((done, total)))
    assert len(speed.kinds) == 2 * len(LAYERS) * len(MACHINES)
    assert min(*speed.kinds.values(), *speed.batches.values()) > 0
    assert speed.batches[1000] > speed.batches[1]  # a call costs something before its first mapping
    assert ticks[-1][0] == ticks[-1][1] == len(ticks)


def test_command(capsys, tmp_path) -> None:
    code, out, _ = run(capsys, "bench", "--seconds", "0.1", "--plot", str(tmp_path / "x.png"))
    assert code == 0
    assert "depthwise" in out
    assert (tmp_path / "x.png").stat().st_size > 2000
    code, out, _ = run(capsys, "bench", "--seconds", "0.1", "--json")
    assert code == 0
    assert len(json.loads(out)["kinds"]) == 30
    assert run(capsys, "bench", "--plot", "x.gif")[0] == 2


def test_what_a_user_waits_for(capsys, monkeypatch) -> None:
    """The search runs; the processes, which compile, are only asked for."""
    import accelsim.bench.waits as timed

    asked = []
    monkeypatch.setattr(timed, "CANDIDATES", 4)
    monkeypatch.setattr(timed, "_child", lambda folder: asked.append(folder) or float(9 - len(asked)))
    code, out, _ = run(capsys, "bench", "--seconds", "0.1", "--full", "--json")
    assert code == 0
    whole = json.loads(out)["whole"]
    assert (whole["cold_s"], whole["warm_s"]) == (8.0, 5.0)
    assert len(set(asked)) == 1
    assert whole["candidates_per_second"] > 0
    code, out, _ = run(capsys, "bench", "--seconds", "0.1", "--full")
    assert "first result" in out
