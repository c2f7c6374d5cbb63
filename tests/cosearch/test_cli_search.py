"""`accelsim search` and `accelsim study`: reports, exports that price alike, one message for each fault."""

from __future__ import annotations

import csv
import json
import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

import accelsim
from tests.command import run
from tests.cosearch.small import TINY, same, tiny

FAST = ("--budget", "20", "--population", "8", "--evaluations", "16", "--finish", "0")


@pytest.fixture(scope="module")
def network(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("net") / "tiny.json"
    path.write_text(json.dumps(tiny()))
    return str(path)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def fails(capsys, *words: str) -> str:
    """The one message of a command that is refused."""
    code, out, err = run(capsys, *words)
    assert (code, out) == (2, ""), err
    assert len(err.strip().splitlines()) == 1
    assert err.startswith("accelsim: ")
    return err


# -- reports ---------------------------------------------------------------------------------------------


def test_report(capsys, here, network) -> None:
    code, out, err = run(capsys, "search", "eyeriss", "--network", network, *FAST, "--seed", "2")
    assert code == 0
    assert err == ""  # quiet when not on a terminal
    found = accelsim.search(**TINY, evaluations=16, seed=2)
    best = found.best
    assert "tiny on chips in the envelope of Eyeriss: minimise edp" in out
    assert "nested search by nsga2, mapper genetic with 20 evaluations a layer, seed 2" in out
    assert "16 candidates in" in out
    assert "drawn again: array" in out
    assert f"Design {best.index}: tiny" in out
    assert f"{best.metrics['edp']:.3g}" in out
    assert "The same network on Eyeriss" in out
    assert "Loop nest of the most expensive layer" in out
    assert "multiply-accumulate" in out
    assert "|[]|" in out
    assert "\x1b" not in out
    assert max(map(len, out.splitlines())) <= 140
    (study,) = here.iterdir()
    assert re.fullmatch(r"eyeriss-tiny-[0-9a-f]{8}\.study", study.name)
    assert out.strip().endswith(f"study: {study.name}")


def test_the_comparison_adds_up(capsys, network) -> None:
    """Speed-up, saving and gain are the ratios of the two rows."""
    code, out, _ = run(capsys, "search", "eyeriss", "--network", network, *FAST, "--study", "a.study")
    assert code == 0
    found = accelsim.load_study("a.study")
    new = found.best.metrics
    old = accelsim.evaluate("eyeriss", accelsim.Network.from_dict(tiny()), mapper="template")
    line = next(line for line in out.splitlines() if "base chip, template" in line)
    told = re.findall(r"(\d+\.\d\d)x(?: (slower|more))?", line)
    expected = [
        old.latency_s / new["latency"], old.energy_pj * 1e-12 / new["energy"], old.edp_js / new["edp"]
    ]  # fmt: skip
    assert [1 / gain if gain < 0.995 else gain for gain in expected] == pytest.approx(
        [float(number) for number, _ in told], abs=0.006
    )
    losses = [word if gain < 0.995 else "" for gain, word in zip(expected, ("slower", "more", "more"))]
    assert [loss for _, loss in told] == losses


@pytest.mark.parametrize(
    "options",
    [
        ("--space", "ofa_mbv3", "--resolution", "128", "--min-accuracy", "68"),
        ("--space", "ofa_mbv3", "--resolution", "128", "--strategy", "joint"),
        ("--network", "lenet5", "--network", "NETWORK", "--fix", "dataflow"),
        ("--network", "NETWORK", "--optimiser", "cmaes", "--objectives", "latency", "--max-area", "4"),
        ("--network", "NETWORK", "--fix", "hardware", "--mapper", "template"),
        ("--network", "lenet5", "--objectives", "edp,area,macs,power", "--batch", "2"),
    ],
)
def test_other_searches(capsys, network, options) -> None:
    words = [network if word == "NETWORK" else word for word in options]
    fast = FAST[2:] if "joint" in options else FAST  # which maps by genes
    code, out, err = run(capsys, "search", "nvdla_64", *words, *fast)
    assert (code, err) == (0, "")
    assert "Front: " in out
    assert "nan" not in out.lower().replace("nand", "")


def test_the_same_command_goes_on_and_another_begins_anew(capsys, here, network) -> None:
    command = (
        "search",
        "eyeriss",
        "--network",
        network,
        "--budget",
        "20",
        "--population",
        "8",
        "--finish",
        "0",
    )
    assert run(capsys, *command, "--evaluations", "8")[0] == 0
    assert run(capsys, *command, "--evaluations", "16", "--workers", "1")[0] == 0
    (path,) = here.iterdir()
    assert same(accelsim.load_study(path), accelsim.search(**TINY, evaluations=16))
    assert run(capsys, *command, "--evaluations", "8", "--seed", "1")[0] == 0
    assert len(list(here.iterdir())) == 2


# -- exports ---------------------------------------------------------------------------------------------


def test_exported_designs_price_to_the_same_numbers(capsys, here) -> None:
    words = ("--space", "ofa_mbv3", "--resolution", "128", "--export", "out", "--study", "a.study")
    code, out, _ = run(capsys, "search", "nvdla_64", *words, *FAST)
    assert code == 0
    found = accelsim.load_study("a.study")
    files = list((here / "out").iterdir())
    assert f"wrote {len(files)} files to out" in out
    assert len(files) == 1 + 4 * len(found.front)
    assert not [f for f in files if f.name.startswith(".")]
    for item in (found.front[0], found.front[-1]):
        stem = f"out/design_{item.index:05d}"
        sheet = json.loads(Path(f"{stem}.json").read_text())
        assert sheet["version"] == accelsim.__version__
        assert sheet["config_hash"] == found.config.hash
        assert sheet["metrics"]["edp"] == item.metrics["edp"]
        chip, net, mapping = (f"{stem}.{part}.json" for part in ("hardware", "network", "mapping"))
        code, out, _ = run(capsys, "evaluate", chip, net, "--mapping", mapping, "--json")
        assert code == 0
        cost = json.loads(out)
        assert cost["latency_s"] == item.metrics["latency"]
        assert cost["energy_pj"] * 1e-12 == item.metrics["energy"]
        assert sheet["hardware_hash"] == accelsim.load_hardware(chip).hash
    rows = list(csv.DictReader(Path("out/candidates.csv").read_text().splitlines()))
    assert len(rows) == 16
    assert [int(row["candidate"]) for row in rows] == list(range(16))
    assert {int(row["candidate"]) for row in rows if row["front"] == "True"} == {f.index for f in found.front}
    assert [float(row["edp_js"]) for row in rows] == [found.found(i).metrics["edp"] for i in range(16)]


def test_several_networks_are_exported_each(capsys, here, network) -> None:
    words = ("--network", network, "--network", "lenet5", "--export", "out")
    assert run(capsys, "search", "eyeriss", *words, *FAST)[0] == 0
    (sheet,) = (here / "out").glob("design_?????.json")
    nets = json.loads(sheet.read_text())["networks"]
    assert [n["name"] for n in nets] == ["tiny", "lenet5"]
    for n in nets:
        chip = str(sheet.with_suffix(".hardware.json"))
        code, *_ = run(capsys, "evaluate", chip, f"out/{n['network']}", "--mapping", f"out/{n['mapping']}")
        assert code == 0


def test_export_where_nothing_can_be_written(capsys, here, network) -> None:
    run(capsys, "search", "eyeriss", "--network", network, *FAST, "--study", "a.study")
    (here / "taken").write_text("a file")
    err = fails(capsys, "study", "export", "a.study", "--out", "taken/out")
    assert "taken is no folder" in err
    assert (here / "taken").read_text() == "a file"
    assert fails(capsys, "study", "export", "a.study", "--out", "taken")


# -- studies ---------------------------------------------------------------------------------------------


def test_study_commands(capsys, here, network) -> None:
    assert "no study in" in run(capsys, "study", "list")[1]
    search = ("search", "eyeriss", "--network", network, "--study", "a.study", *FAST)
    code, out, _ = run(capsys, *search)
    (here / "broken.study").write_bytes(b"SQLite format 3\0" + bytes(100))
    damaged = bytearray((here / "a.study").read_bytes())
    damaged[4096 : len(damaged)] = os.urandom(len(damaged) - 4096)
    (here / "worse.study").write_bytes(damaged)
    code, listed, err = run(capsys, "study", "list")
    assert (code, err) == (0, "")
    lines = {line.split()[0]: line for line in listed.splitlines()}
    assert "Eyeriss, tiny" in lines["a.study"]
    assert "nested, nsga2" in lines["a.study"]
    assert lines["a.study"].split()[-4:-1] == ["16", "16", "16"]
    assert "unreadable" in lines["broken.study"]
    assert "unreadable" in lines["worse.study"]

    code, shown, _ = run(capsys, "study", "show", "a.study")
    assert code == 0
    assert without_seconds(shown) == without_seconds(out)

    code, resumed, _ = run(
        capsys, "study", "resume", "a.study", "--evaluations", "24", "--finish", "0", "--export", "out"
    )
    assert code == 0
    assert "24 candidates" in resumed
    assert same(accelsim.load_study("a.study"), accelsim.search(**TINY, evaluations=24))
    code, out, _ = run(capsys, "study", "export", "a.study", "-o", "again", "--most", "1")
    assert code == 0
    for one in (here / "again").iterdir():
        assert one.read_bytes() == (here / "out" / one.name).read_bytes()


def without_seconds(text: str) -> str:
    """A report but for the time that it took, which a study read back knows in part only."""
    text = re.sub(r"^time: .*\n", "", text, flags=re.M)
    return re.sub(r"in [\d.]+ s \([\d,]+/s\)|\([\d,]+/s\)", "", text)


# -- faults ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "either a space of subnets or networks"),
        (("--space", "ofa_mbv3", "--network", "lenet5"), "either a space"),
        (("--space", "ofa_mbv4"), "ofa_mbv3"),
        (("--network", "lenet6"), "lenet6"),
        (("--network", "lenet5", "--objectives", "edpp"), "did you mean 'edp'"),
        (("--network", "lenet5", "--objectives", ""), "at least one"),
        (("--network", "lenet5", "--objectives", "edp,edp"), "twice"),
        (("--network", "lenet5", "--min-accuracy", "75"), "accuracy is known for subnets"),
        (("--network", "lenet5", "--max-area", "-3"), "max_area"),
        (("--network", "lenet5", "--max-latency", "nan"), "max_latency"),
        (("--network", "lenet5", "--strategy", "joined"), "did you mean 'joint'"),
        (("--network", "lenet5", "--strategy", "sequential"), "sequential"),
        (("--network", "lenet5", "--optimiser", "nsga3"), "nsga2"),
        (("--space", "ofa_mbv3", "--optimiser", "cmaes"), "one objective"),
        (("--network", "lenet5", "--mapper", "genetics"), "genetic"),
        (("--network", "lenet5", "--budget", "-1"), "budget"),
        (("--network", "lenet5", "--population", "1"), "population"),
        (("--network", "lenet5", "--evaluations", "0"), "evaluations"),
        (("--network", "lenet5", "--seed", "-1"), "seed"),
        (("--network", "lenet5", "--batch", "0"), "batch"),
        (("--network", "lenet5", "--fix", "hardwear"), "did you mean 'hardware'"),
        (("--network", "lenet5", "--engine", "thread"), "did you mean 'threads'"),
        (("--network", "lenet5", "--workers", "0"), "workers"),
        (("--network", "lenet5", "--scheduler", "tcp://x:1"), "scheduler"),
        (("--space", "ofa_mbv3", "--resolution", "13"), "13"),
        (("--space", "ofa_mbv3", "--accuracy", "table:nowhere.csv"), "nowhere.csv"),
        (("--space", "ofa_mbv3", "--objectives", "edp", "--accuracy", "nonsense"), "nonsense"),
        (("--network", "lenet5", "--accuracy", "table:nowhere.csv"), "nowhere.csv"),
        (("--space", "nasbench_macro"), "nasbench_macro"),
        (("--network", "lenet5", "--study", "no/such/folder/a.study"), "no/such/folder must exist"),
        (("--network", "lenet5", "--study", "."), "is a folder"),
    ],
)
def test_bad_options(capsys, here, words, said) -> None:
    assert said in fails(capsys, "search", "eyeriss", *words, *(w for w in FAST[:0]))
    assert not list(here.iterdir())


@pytest.mark.parametrize("words", [("--budget", "x"), ("--nonsense",), ("--workers", "1.5")])
def test_options_that_cannot_be_parsed(capsys, here, words) -> None:
    code, out, err = run(capsys, "search", "eyeriss", "--network", "lenet5", *words)
    assert (code, out) == (2, "")
    assert words[0] in err
    assert "Traceback" not in err
    assert not list(here.iterdir())


def test_a_chip_without_a_search_section(capsys) -> None:
    err = fails(capsys, "search", "example", "--network", "lenet5")
    assert "no `search` section" in err
    assert "`--fix hardware`" in err


def test_an_impossible_envelope_says_which_budget(capsys, here, network) -> None:
    data = accelsim.load_hardware("eyeriss").to_dict()
    data["search"]["max_onchip_bytes"] = 1000
    Path("chip.json").write_text(json.dumps(data))
    err = fails(capsys, "search", "chip.json", "--network", network, *FAST)
    shares = re.findall(r"([a-z][a-z -]*) (\d+)%", err)
    assert dict(shares).keys() >= {"on-chip bytes", "array"}
    assert sum(int(share) for _, share in shares) == pytest.approx(100, abs=2)
    assert [p.name for p in here.iterdir()] == ["chip.json"]  # no study of nothing


def test_impossible_limits_say_which_and_how_far(capsys, here, network) -> None:
    limits = ("--max-area", "1e-6", "--max-latency", "1e-9")
    code, out, err = run(capsys, "search", "eyeriss", "--network", network, *FAST, *limits)
    assert (code, err) == (3, "")
    assert "No candidate meets all limits" in out
    assert "area: missed by 100% of the candidates; the limit is 1e-06 mm2, the best candidate has" in out
    assert "Loosen the limit that most candidates miss" in out
    (path,) = here.iterdir()
    assert run(capsys, "study", "show", str(path))[0] == 3
    code, out, _ = run(capsys, "study", "export", str(path), "--out", "out")
    assert code == 0
    assert [p.name for p in (here / "out").iterdir()] == ["candidates.csv"]


# -- a terminal ------------------------------------------------------------------------------------------


def test_progress_on_a_terminal(here, network) -> None:
    master, slave = pty.openpty()
    words = ["search", "eyeriss", "--network", network, "--budget", "20", "--population", "8"]
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "accelsim.cli",
            *words,
            "--evaluations",
            "320",
            "--max-area",
            "1.5",
            "--finish",
            "0",
        ],
        stdout=subprocess.PIPE,
        stderr=slave,
        stdin=slave,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "200", "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    os.close(slave)
    shown, end = b"", time.monotonic() + 60
    while time.monotonic() < end:
        if not select.select([master], [], [], 0.2)[0]:
            if process.poll() is not None:
                break
            continue
        try:
            shown += os.read(master, 65536)
        except OSError:
            break
    out, _ = process.communicate(timeout=60)
    os.close(master)
    assert process.returncode == 0
    assert b"Front" in out
    assert b"\x1b" not in out
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    assert re.search(r"generation \d+/40", text)
    assert re.search(r"best edp \S+, \S+ candidates/s", text)
    assert "hypervolume" in text
    assert re.search(r"array \d+%", text)
    assert "None" not in text
    assert re.search(r"\d:\d\d:\d\d", text)  # time left


def test_help_is_light() -> None:
    code = """if True:
        import sys
        from accelsim.cli import main
        try:
            main(["search", "--help"])
        except SystemExit:
            heavy = ("numpy", "numba", "pymoo", "cma", "distributed", "sqlite3")
            print([name for name in heavy if name in sys.modules])
    """
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert done.stdout.splitlines()[-1] == "[]"
