"""Kills commands that write files at random moments, with and without compiled kernels; then runs them again.

`ACCELSIM_KILLS=10 python -m tests.campaign FOLDER`: so many kills a command. A file that a command writes is
there whole, or not at all, whenever it was killed, and the same command once more ends with the file
that nobody's kill touched. Exit code 1 after a finding. Searches have tests.cosearch.campaign.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from random import Random

KILLS = int(os.environ.get("ACCELSIM_KILLS", "6"))
VARY = (
    "--vary",
    "memories.GLB.size_bytes=16KiB,32KiB,64KiB,128KiB",
    "--vary",
    "memories.DRAM.bandwidth=1,2,4,8",
)
# The file that a command writes, and its words up to the file.
COMMANDS = {
    "sweep": ("sweep.csv", ("sweep", "eyeriss", "alexnet", *VARY, "--budget", "4000", "--out")),
    "map": ("mapping.json", ("map", "eyeriss", "alexnet", "--budget", "4000", "--save")),
    "lut": ("blocks.json", ("lut", "eyeriss", "--space", "ofa_mbv3", "--mapper", "template", "--out")),
}


def start(words: tuple[str, ...], kernels: Path | None) -> subprocess.Popen[bytes]:
    """The command, with compiled kernels in a folder of its own or, for None, where they always are."""
    environment = os.environ | ({} if kernels is None else {"ACCELSIM_CACHE_DIR": str(kernels)})
    return subprocess.Popen(
        [sys.executable, "-m", "accelsim.cli", *words], env=environment,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip


def finish(words: tuple[str, ...], kernels: Path | None = None) -> float:
    """Seconds that it took. Raises RuntimeError when it fails."""
    began = time.perf_counter()
    process = start(words, kernels)
    _, err = process.communicate()
    if process.returncode:
        raise RuntimeError(f"{' '.join(words)}: exit code {process.returncode}\n{err.decode()}")
    return time.perf_counter() - began


def kill(words: tuple[str, ...], kernels: Path | None, after: float) -> bool:
    """Whether it died of the kill before it had ended."""
    process = start(words, kernels)
    try:
        process.wait(after)
    except subprocess.TimeoutExpired:
        process.kill()
    process.communicate()
    return process.returncode < 0


def attack(name: str, folder: Path, random: Random, wanted: int = KILLS) -> tuple[int, list[str]]:
    """Kills that came in time, and what was found."""
    file, words = COMMANDS[name]
    whole = folder / f"whole_{file}"
    finish((*words, str(whole)))
    took = finish((*words, str(folder / f"again_{file}")))
    found = [] if (folder / f"again_{file}").read_bytes() == whole.read_bytes() else ["two runs differ"]
    kills = 0
    for number in range(4 * wanted):
        if kills >= wanted:
            break
        at = folder / f"{name}{number}"
        at.mkdir()
        kernels = at / "kernels" if number % 3 == 2 else None
        out = at / file
        seconds = took * random.uniform(0.1, 1.0) * (4 if kernels else 1)
        done = kill((*words, str(out)), kernels, seconds)
        kills += done
        if done and out.exists() and out.read_bytes() != whole.read_bytes():
            found.append(f"{out}: half written")
        try:
            finish((*words, str(out)), kernels)
        except RuntimeError as error:
            found.append(str(error))
            continue
        if out.read_bytes() != whole.read_bytes():
            found.append(f"{out}: another result")
        left = {path.name for path in at.iterdir()} - {file, "kernels"}
        if left:
            found.append(f"{at}: left behind {', '.join(sorted(left))}")
    return kills, found


def folder(text: str | None) -> Path:
    """The folder that the command line names, made; exits with 2 for none, or one that holds something."""
    parser = ArgumentParser(description=(text or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="for what the killed commands write; new or empty")
    given: Path = parser.parse_args().folder
    if given.exists() and (not given.is_dir() or any(given.iterdir())):
        parser.error(f"{given}: must be a new or an empty folder")
    given.mkdir(parents=True, exist_ok=True)
    return given


def main(at: Path) -> int:
    random, right = Random(int(os.environ.get("ACCELSIM_SEED", "0"))), True
    for name in COMMANDS:
        kills, found = attack(name, at, random)
        print(f"{name}: {kills} kills, {len(found)} findings", *found, sep="\n  ", flush=True)
        right = right and not found
    return 0 if right else 1


if __name__ == "__main__":
    raise SystemExit(main(folder(__doc__)))
