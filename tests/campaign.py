"""Kills commands that write files at random moments, with and without compiled kernels; then runs them again.

`ACCELSIM_KILLS=10 python -m tests.campaign FOLDER`: so many kills a command. A file that a command writes is
there whole, or not at all, whenever it was killed, and the same command once more ends with the file
that nobody's kill touched; a search also with the same candidates to the same bits. A search is killed up to
three times on its way. ACCELSIM_COMMANDS="map lut" takes some of them. Exit code 1 after a finding.
tests.cosearch.campaign kills searches without a command, which costs far less a kill.

ACCELSIM_WHEN says at which moments: `any`; `start`, while Python and the libraries load; `cold`, ten times in
a row while kernels are compiled into one folder, before the command runs to its end; `two`: nobody is killed,
but the same command begins twice, the second a random time later: one of them writes, the other is refused,
or comes after it and does the same again.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from random import Random

from accelsim import load_study
from tests.cosearch.small import DEVICE as DEVICE_CHIP
from tests.cosearch.small import same

WHEN = os.environ.get("ACCELSIM_WHEN", "any")
KILLS = int(os.environ.get("ACCELSIM_KILLS", "6"))
VARY = (
    "--vary",
    "memories.GLB.size_bytes=16KiB,32KiB,64KiB,128KiB",
    "--vary",
    "memories.DRAM.bandwidth=1,2,4,8",
)
SEARCH = (
    *("search", "nvdla_64", "--space", "ofa_mbv3"),
    *("--evaluations", "48", "--population", "8", "--budget", "200"),
)
MACRO = ("eyeriss", "--space", "nasbench_macro", "--objectives", "edp,macs", "--fix", "hardware")
DEVICE = ("DEVICE", "--space", "ofa_proxyless", "--resolution", "128", "--objectives", "work,peak_memory")
STRATEGIES = {
    "nested": ("eyeriss", "--network", "lenet5"),
    "joint": ("eyeriss", "--network", "lenet5"),
    "single": ("eyeriss", "--network", "lenet5"),
    "sequential": ("nvdla_64", "--space", "ofa_mbv3", "--resolution", "128"),
    "holistic": DEVICE,
    "blockwise": MACRO,
    "blockwise_exact": MACRO,
    "gradient": MACRO,
}
"""What a search of each strategy is told."""
# The file or folder that a command writes, and its words up to it; STUDY, HERE and DEVICE stand for a study
# of SEARCH that is done, for the folder that the command may write to, and for a microcontroller's file.
COMMANDS = {
    "sweep": ("sweep.csv", ("sweep", "eyeriss", "alexnet", *VARY, "--budget", "4000", "--out")),
    "map": ("mapping.json", ("map", "eyeriss", "alexnet", "--budget", "4000", "--save")),
    "lut": ("blocks.json", ("lut", "eyeriss", "--space", "ofa_mbv3", "--mapper", "template", "--out")),
    "search": ("designs", (*SEARCH, "--study", "HERE/a.study", "--out")),
    "export": ("designs", ("study", "export", "STUDY", "--out")),
    "report": ("page.html", ("report", "STUDY", "--out")),
    "build": ("tables", ("build", "--chips", "6", "--draws", "4", "--max-nodes", "100000", "--out")),
} | {
    strategy: (
        "designs",
        (
            *("search", *words, "--strategy", strategy, "--evaluations", "48", "--population", "8"),
            *(() if strategy in ("holistic", "joint", "single") else ("--budget", "60")),
            *("--study", "HERE/a.study", "--out"),
        ),
    )
    for strategy, words in STRATEGIES.items()
}


def start(words: Sequence[str], kernels: Path | None) -> subprocess.Popen[bytes]:
    """The command, with compiled kernels in a folder of its own or, for None, where they always are."""
    environment = os.environ | ({} if kernels is None else {"ACCELSIM_CACHE_DIR": str(kernels)})
    program = ["tests.nacos.small", *words[1:]] if words[0] == "build" else ["accelsim.cli", *words]
    return subprocess.Popen(
        [sys.executable, "-m", *program], env=environment,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip


def finish(words: Sequence[str], kernels: Path | None = None) -> float:
    """Seconds that it took. Raises RuntimeError when it fails."""
    began = time.perf_counter()
    process = start(words, kernels)
    _, err = process.communicate()
    if process.returncode:
        raise RuntimeError(f"{' '.join(words)}: exit code {process.returncode}\n{err.decode()}")
    return time.perf_counter() - began


def kill(words: Sequence[str], kernels: Path | None, after: float) -> bool:
    """Whether it died of the kill before it had ended."""
    process = start(words, kernels)
    try:
        process.wait(after)
    except subprocess.TimeoutExpired:
        process.kill()
    process.communicate()
    return process.returncode < 0


def twice(words: Sequence[str], apart: float) -> str:
    """What is wrong with how two of one command ended, the second begun so many seconds after the first."""
    first = start(words, None)
    time.sleep(apart)
    second = start(words, None)
    ends = []
    for process in (first, second):
        _, err = process.communicate(timeout=600)
        ends.append((process.returncode, err.decode().strip()))
    refused = [text for code, text in ends if code]
    right = len(refused) < 2 and all(
        code == 0 or (code == 2 and "another process" in text and "\n" not in text) for code, text in ends
    )
    return "" if right else str(ends)


def moments(random: Random, took: float, number: int, several: int) -> list[float]:
    """Seconds after which the attempts of a command are killed, one after another."""
    if WHEN == "start":
        return [random.uniform(0.01, 1.0)]
    if WHEN == "cold":
        return [random.uniform(0.5, 3 * took + 4) for _ in range(10)]
    scale = 4 if number % 12 == 11 else 1
    return [took * scale * random.uniform(0.02, 1.0) for _ in range(several)]


def content(out: Path) -> dict[str, bytes]:
    """Bytes by name of a file, or of the files of a folder."""
    files = [out] if out.is_file() else sorted(out.rglob("*")) if out.is_dir() else []
    return {str(file.relative_to(out)): file.read_bytes() for file in files if file.is_file()}


def attack(name: str, folder: Path, random: Random, wanted: int = KILLS) -> tuple[int, list[str]]:
    """Kills that came in time, and what was found."""
    file, plain = COMMANDS[name]
    study, device = folder / "done.study", folder / "device.json"
    if "STUDY" in plain and not study.exists():
        finish((*SEARCH, "--study", str(study)))
    device.write_text(json.dumps(DEVICE_CHIP["hardware"]))
    stands_for = {"STUDY": str(study), "DEVICE": str(device)}

    def words(at: Path) -> list[str]:
        at.mkdir()
        return [stands_for.get(w, w.replace("HERE", str(at))) for w in plain] + [str(at / file)]

    sound = folder / f"{name}_whole"
    finish(words(sound))
    whole = content(sound / file)
    took = finish(words(folder / f"{name}_again"))
    found = [] if content(folder / f"{name}_again" / file) == whole else ["two runs differ"]
    kills = 0
    for number in range(4 * wanted):
        if kills >= wanted:
            break
        at = folder / f"{name}{number}"
        mine, out = words(at), at / file
        kernels = at / "kernels" if WHEN == "cold" or (WHEN == "any" and number % 12 == 11) else None
        if WHEN == "two":
            kills += 1
            if wrong := twice(mine, random.uniform(0.0, took)):
                found.append(wrong)
        several = random.choice((1, 2, 3)) if plain[0] == "search" else 1
        for after in moments(random, took, number, several) if WHEN != "two" else ():
            kills += kill(mine, kernels, after)
            if any(whole.get(one) != data for one, data in content(out).items() if not one.endswith(".part")):
                found.append(f"{out}: half written")
        try:
            finish(mine, kernels)
        except RuntimeError as error:
            found.append(str(error))
            continue
        if content(out) != whole:
            found.append(f"{out}: another result")
        if (at / "a.study").exists() and not same(load_study(at / "a.study"), load_study(sound / "a.study")):
            found.append(f"{at}: other candidates")
        left = {path.name for path in at.iterdir()} - {file, "kernels", "a.study"}
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
    for name in os.environ.get("ACCELSIM_COMMANDS", " ".join(COMMANDS)).split():
        kills, found = attack(name, at, random)
        print(f"{name}, {WHEN}: {kills} tries, {len(found)} findings", *found, sep="\n  ", flush=True)
        right = right and not found
    return 0 if right else 1


if __name__ == "__main__":
    raise SystemExit(main(folder(__doc__)))
