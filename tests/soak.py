"""A long search on a cheap chip: how memory and the study grow with the candidates.

`python -m tests.soak FOLDER [CANDIDATES]` (20,000). A line each tenth of the way: candidates, seconds, memory
of the process, bytes of the study a candidate. Exit code 1 where 100,000 candidates would take more than
600 MiB, or a candidate more than 500 bytes of the study.
"""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser
from pathlib import Path

import numpy as np

import accelsim
from accelsim.cosearch.loop import Progress

POPULATION = 200
MEMORY = 600 * 2**20
"""Bytes that a search of 100,000 candidates may take."""
CANDIDATE = 500
"""Bytes of the study that a candidate may take."""


def resident() -> int:
    """Bytes of memory that this process holds now."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("no VmRSS in /proc/self/status")


def network() -> accelsim.Network:
    """Six small layers, no two alike: quickly mapped, and as many answers a candidate as of any network."""
    made = accelsim.NetworkBuilder("small", 16, 1, 1)
    x = made.input
    for size in (12, 10, 8, 6, 4, 2):
        x = made.linear(x, size)
    return made.build(x)


def soak(study: Path, candidates: int, **options: object) -> np.ndarray:
    """float64[points, 4]: candidates, seconds, bytes of memory, bytes of the study and its log."""
    began, curve = time.perf_counter(), []

    def note(progress: Progress) -> None:
        size = sum(path.stat().st_size for path in study.parent.glob(study.name + "*"))
        curve.append((len(progress.result), time.perf_counter() - began, resident(), size))

    accelsim.search(
        "shidiannao", networks=network(), mapper="template", objectives="edp,area", population=POPULATION,
        evaluations=candidates, study=study, watch=note, finish=0, **options,
    )  # fmt: skip
    curve.append((candidates, time.perf_counter() - began, resident(), study.stat().st_size))
    return np.array(curve, float)


def main() -> int:
    parser = ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="for the study; a new one is made in it")
    parser.add_argument("candidates", type=int, nargs="?", default=20_000)
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    study = given.folder / f"soak{given.candidates}.study"
    if study.exists():
        parser.error(f"{study}: is there already")
    curve = soak(study, given.candidates)
    print("candidates  seconds  memory, MiB  bytes a candidate")
    for i in np.unique(np.linspace(0, len(curve) - 1, 11).astype(int)):
        count, seconds, memory, size = curve[i]
        print(f"{count:10.0f}  {seconds:7.0f}  {memory / 2**20:11.0f}  {size / count:17.0f}")
    later = curve[len(curve) // 4 : -1]
    slope = np.polyfit(later[:, 0], later[:, 2], 1)[0]
    would = later[-1, 2] + slope * max(0, 100_000 - given.candidates)
    a_candidate = curve[-1, 3] / curve[-1, 0]
    print(f"memory grows {slope:.0f} bytes a candidate; 100,000 candidates: {would / 2**20:.0f} MiB")
    return 0 if would <= MEMORY and a_candidate <= CANDIDATE else 1


if __name__ == "__main__":
    sys.exit(main())
