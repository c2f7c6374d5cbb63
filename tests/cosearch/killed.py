"""Kills searches with SIGKILL, resumes them, and says whether they end as if nothing had happened.

A program of its own, so that it may fork: a fork costs milliseconds where a new process loads kernels for
seconds. `python -m tests.cosearch.killed FOLDER [strategies | checkpoints]`: one search at many
moments; or every strategy that has phases of its own, and precisions of layers, at two thirds and the last of
its statements; or one while SQLite moves pages from its log into the file.
"""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import accelsim
from accelsim.cosearch import study
from accelsim.cosearch.strategies import gradient
from tests.cosearch.small import DEVICE, MACRO, TINY, same

SEARCH = TINY | {"hardware": "nvdla_64", "population": 4, "objectives": "edp,area"}
EVALUATIONS = 24
STATEMENTS = (1, 8, 15, 24, 36, 80)
"""Numbers of the SQL statements at which a process is killed: of what makes the file, and of generations."""

CHECKPOINT = "PRAGMA wal_autocheckpoint = 2"
"""Pages of the log after which SQLite moves them into the file."""

STRATEGIES = {
    "blockwise": (MACRO, 48),
    "blockwise_exact": (MACRO, 48),
    "gradient": (MACRO, 48),
    "holistic": (DEVICE, 24),
    "single": (TINY, 24),
    "nested": (TINY | {"layer_precision": "4x4,8x8"}, 24),
}
"""Options, and candidates enough for the phases after a table or a list of spaces."""


def go_on(path: Path, search: dict[str, Any] = SEARCH, evaluations: int = EVALUATIONS) -> None:
    """As the same command again."""
    accelsim.search(**search, evaluations=evaluations, study=path)


def kill_at_statement(number: int) -> list[int]:
    """This process, at its so many-th statement; [statements] so far."""
    seen = [0]
    connect = sqlite3.connect

    def count(_statement: str) -> None:
        seen[0] += 1
        if seen[0] == number:
            os.kill(os.getpid(), signal.SIGKILL)

    def connected(*args, **options) -> sqlite3.Connection:
        db = connect(*args, **options)
        db.set_trace_callback(count)
        return db

    study.sqlite3.connect = connected  # type: ignore[assignment]
    return seen


def child(work: Callable[[], None]) -> int:
    """Its process number."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(0)
    return pid


def died(pid: int) -> bool:
    """Whether a child was killed."""
    return os.WIFSIGNALED(os.waitpid(pid, 0)[1])


def at_statement(path: Path, number: int, *search: Any) -> None:
    kill_at_statement(number)
    go_on(path, *search)


def at_checkpoint(path: Path, size: int, evaluations: int) -> None:
    """This process dies while SQLite moves pages from its log: of the write that makes the file too large."""
    connect = sqlite3.connect

    def connected(*args, **options) -> sqlite3.Connection:
        db = connect(*args, **options)
        db.execute(CHECKPOINT)
        return db

    study.sqlite3.connect = connected  # type: ignore[assignment]
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    go_on(path, evaluations=evaluations)


def checkpoints(folder: Path) -> None:
    """A line: kills while the file grew from its log, and whether all searches ended alike."""
    evaluations = 64
    whole = accelsim.search(**SEARCH, evaluations=evaluations)
    go_on(folder / "whole.study", evaluations=evaluations)
    kills, equal = 0, True
    for pages in range(7, (folder / "whole.study").stat().st_size // 4096, 2):
        path = folder / f"checkpoint{pages}.study"
        kills += died(child(partial(at_checkpoint, path, 4096 * pages - 2000, evaluations)))
        go_on(path, evaluations=evaluations)
        equal = equal and same(accelsim.load_study(path), whole)
    print("checkpoints", kills, equal)


def strategies(folder: Path) -> None:
    """A line each: name, kills, generations that the studies had then, and whether all ended alike."""
    connect = sqlite3.connect
    gradient.TARGETS = 4  # descents enough
    for name, (options, evaluations) in STRATEGIES.items():
        search = options | {"strategy": name}
        seen = kill_at_statement(-1)
        whole = accelsim.search(**search, evaluations=evaluations, study=folder / f"{name}.study")
        study.sqlite3.connect = connect  # type: ignore[assignment]
        kills, kept, equal = 0, [], True
        for number in (2 * seen[0] // 3, seen[0]):
            path = folder / f"{name}{number}.study"
            kills += died(child(partial(at_statement, path, number, search, evaluations)))
            with study.Study.open(path) as opened:
                kept.append(len(opened))
            go_on(path, search, evaluations)
            equal = equal and same(accelsim.load_study(path), whole)
        print(name, kills, ",".join(map(str, kept)), len(whole.generations), equal)


def main(folder: Path) -> None:
    whole = accelsim.search(**SEARCH, evaluations=EVALUATIONS)
    began = time.perf_counter()
    accelsim.search(**SEARCH, evaluations=EVALUATIONS, study=folder / "whole.study")
    took = time.perf_counter() - began

    kills, generations, equal, random = 0, set(), True, Random(1)
    wait = took / 4
    for number in range(40):  # later after one that was killed, sooner after one that had ended by then
        path = folder / f"moments{number}.study"
        for _ in range(4):
            pid = child(lambda path=path: go_on(path))
            time.sleep(wait * random.uniform(0.2, 1.8))
            os.kill(pid, signal.SIGKILL)
            done = died(pid)
            kills += done
            wait *= 1.2 if done else 0.6
            if path.exists():
                with study.Study.open(path) as opened:
                    generations.add(len(opened))
        go_on(path)
        equal = equal and same(accelsim.load_study(path), whole)
        if kills >= 8 and len(generations) >= 3:
            break
    print("moments", kills, len(generations), equal)

    kills, equal = 0, True
    for number in STATEMENTS:
        path = folder / f"statement{number}.study"
        kills += died(child(lambda path=path, number=number: at_statement(path, number)))
        go_on(path)
        equal = equal and same(accelsim.load_study(path), whole)
    print("statements", kills, equal)
    print("left", *sorted(p.name for p in folder.iterdir() if not p.name.endswith(".study")))


if __name__ == "__main__":
    tries = {"strategies": strategies, "checkpoints": checkpoints}
    tries.get(" ".join(sys.argv[2:]), main)(Path(sys.argv[1]))
