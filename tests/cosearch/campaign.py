"""Kills searches of every registered strategy at random moments; each must end as one that nobody killed.

`ACCELSIM_KILLS=20 python -m tests.cosearch.campaign FOLDER`: so many kills a strategy. Exit code 1
after a finding.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import accelsim
from accelsim.cosearch import study
from accelsim.cosearch.strategies.base import strategy_names
from tests.campaign import folder
from tests.cosearch.killed import child, died
from tests.cosearch.small import same
from tests.cosearch.test_strategies import ROUTE

KILLS = int(os.environ.get("ACCELSIM_KILLS", "6"))
EVALUATIONS = 32


def go_on(options: dict[str, Any], path: Path) -> None:
    """As the same command again."""
    accelsim.search(**options, study=path)


def kill(work: Callable[[], None], after: float) -> bool:
    """Whether a child that does the work died of SIGKILL before it had finished."""
    pid = child(work)
    time.sleep(after)
    os.kill(pid, signal.SIGKILL)
    return died(pid)


def searches(strategy: str, folder: Path, random: Random) -> tuple[int, set[str], bool]:
    """Kills, the phases in which they came, and whether every search ended as one that nobody killed."""
    options = ROUTE[strategy] | {"evaluations": EVALUATIONS}
    whole = accelsim.search(**options)
    began = time.perf_counter()
    accelsim.search(**options, study=folder / f"{strategy}.study")
    took = time.perf_counter() - began
    kills, phases, equal, number = 0, set(), True, 0
    while kills < KILLS and number < 4 * KILLS:
        path = folder / f"{strategy}{number}.study"
        number += 1
        for _ in range(3):
            done = kill(lambda path=path: go_on(options, path), took * random.uniform(0.02, 0.6))
            kills += done
            if done and path.exists():
                with study.Study.open(path) as opened:
                    phases.add([*opened.generations()][-1].phase if len(opened) else "start")
        go_on(options, path)
        equal = equal and same(accelsim.load_study(path), whole)
    return kills, phases, equal


def main(at: Path) -> int:
    random, right = Random(int(os.environ.get("ACCELSIM_SEED", "0"))), True
    for strategy in strategy_names():
        kills, phases, equal = searches(strategy, at, random)
        print(f"{strategy}: {kills} kills, last phase {', '.join(sorted(phases))}: {equal}", flush=True)
        right = right and equal
    return 0 if right else 1


if __name__ == "__main__":
    raise SystemExit(main(folder(__doc__)))
