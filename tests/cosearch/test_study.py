"""A study keeps all that was evaluated, whatever happens to the process, the disk and the file."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import accelsim
from accelsim import AccelsimError
from accelsim.cosearch import run as searching
from accelsim.cosearch.configure import configure
from accelsim.cosearch.generation import digest_of
from accelsim.cosearch.study import Study
from accelsim.cosearch.study_file import FORMAT, reseal
from tests.command import run
from tests.cosearch.small import TINY, same

EVALUATIONS = 24
resume = partial(searching.resume, finish=0)
COMMAND = ("search", "eyeriss", "--network", "lenet5", "--budget", "20", "--population", "8", "--finish", "0")


@pytest.fixture(scope="module")
def whole():
    """An uninterrupted search."""
    return accelsim.search(**TINY, evaluations=EVALUATIONS)


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> bytes:
    """A finished study."""
    path = tmp_path_factory.mktemp("study") / "a.study"
    accelsim.search(**TINY, evaluations=EVALUATIONS, study=path)
    return path.read_bytes()


@pytest.fixture
def study(tmp_path, finished) -> Path:
    path = tmp_path / "a.study"
    path.write_bytes(finished)
    return path


def evaluated(path: Path) -> int:
    with Study.open(path) as opened:
        return sum(len(g.rows) for g in opened.generations())


def fails(*words: str, run=run, capsys=None) -> str:
    """The one message of a command that is refused."""
    code, out, err = run(capsys, *words)
    assert (code, out) == (2, "")
    assert len(err.strip().splitlines()) == 1
    assert err.startswith("accelsim: ")
    return err


def begin(*words: str, **options) -> subprocess.Popen:
    """The command line in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "accelsim.cli", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def wait_for(ready, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end
        time.sleep(0.02)


# -- content ---------------------------------------------------------------------------------------------


def test_everything_is_kept(whole, study) -> None:
    loaded = accelsim.load_study(study)
    assert same(loaded, whole)
    assert loaded.config == whole.config
    assert [g.rejected for g in loaded.generations] == [g.rejected for g in whole.generations]
    assert [g.networks for g in loaded.generations] == [g.networks for g in whole.generations]
    assert [g.hardware for g in loaded.generations] == [g.hardware for g in whole.generations]
    assert [g.rng for g in loaded.generations] == [g.rng for g in whole.generations]
    assert all(g.rng for g in loaded.generations)
    assert repr(loaded.front) == repr(whole.front)
    with Study.open(study) as opened:
        assert opened.versions["accelsim"] == accelsim.__version__
        assert opened.evaluations == EVALUATIONS
        assert len(opened) == len(whole.generations)


def test_nothing_is_beside_a_study_that_is_closed(tmp_path) -> None:
    accelsim.search(**TINY, evaluations=8, study=tmp_path / "a.study")
    assert [p.name for p in tmp_path.iterdir()] == ["a.study"]


@pytest.mark.parametrize(
    "options",
    [{}, {"strategy": "joint"}, {"optimiser": "random"}, {"optimiser": "cmaes"}],
    ids=["nested", "joint", "random", "cmaes"],
)
def test_extending_equals_a_longer_run(options, tmp_path) -> None:
    search = TINY | options
    accelsim.search(**search, evaluations=8, study=tmp_path / "a.study")
    once = resume(tmp_path / "a.study", 16)
    twice = resume(tmp_path / "a.study", 32, workers=2)
    assert same(twice, accelsim.search(**search, evaluations=32))
    assert len(once) == 16
    assert same(resume(tmp_path / "a.study"), twice)  # and there is nothing left to do
    with pytest.raises(AccelsimError, match=r"a.study has 32 already; ask for as many at least, but got 8"):
        resume(tmp_path / "a.study", 8)


def test_the_same_command_goes_on(tmp_path, whole) -> None:
    path = tmp_path / "a.study"
    stopped = accelsim.search(**TINY, evaluations=EVALUATIONS, study=path, cancel=lambda: evaluated_now(path))
    assert stopped.interrupted
    assert len(stopped) == 8
    assert same(accelsim.search(**TINY, evaluations=EVALUATIONS, study=path), whole)


def evaluated_now(path: Path) -> bool:
    with closing(sqlite3.connect(path)) as db:
        return db.execute("SELECT count(*) FROM generations").fetchone()[0] > 0


def test_cancelled_before_it_began(tmp_path) -> None:
    found = accelsim.search(**TINY, evaluations=8, study=tmp_path / "a.study", cancel=lambda: True)
    assert found.interrupted
    assert len(found) == 0
    assert found.best is None
    assert len(resume(tmp_path / "a.study")) == 8


# -- kills -----------------------------------------------------------------------------------------------


def killed(folder: Path, *what: str) -> str:
    """What tests/cosearch/killed.py says."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.cosearch.killed", str(folder), *what],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_killed_at_any_moment_and_resumed(tmp_path) -> None:
    """SIGKILL at random moments, and at chosen SQL statements; see tests/cosearch/killed.py."""
    done = killed(tmp_path)
    moments, statements, left = (line.split() for line in done.splitlines())
    assert int(moments[1]) >= 8
    assert int(moments[2]) >= 3  # it was killed at different generations
    assert moments[3] == "True"
    assert statements[1:] == ["6", "True"]
    assert all(name.startswith(".") for name in left[1:])  # of studies that did not come to be


def test_no_statement_leaves_half_a_generation(tmp_path, whole, monkeypatch) -> None:
    """The files as a kill at each SQL statement would leave them hold whole generations, and go on."""
    path, connect, moments = tmp_path / "a.study", sqlite3.connect, []

    def copy(_statement: str) -> None:
        if path.exists():
            folder = tmp_path / str(len(moments))
            folder.mkdir()
            for file in (path, path.with_name("a.study-wal")):
                if file.exists():
                    shutil.copy(file, folder)
            moments.append(folder / path.name)

    def connected(*args, **options) -> sqlite3.Connection:
        db = connect(*args, **options)
        db.set_trace_callback(copy)
        return db

    with monkeypatch.context() as patch:
        patch.setattr(sqlite3, "connect", connected)
        accelsim.search(**TINY, evaluations=EVALUATIONS, study=path)
    assert len(moments) > EVALUATIONS  # each row is a statement
    last = {}
    for moment in moments:
        with Study.open(moment) as opened:
            kept = list(opened.generations())
        wanted = SimpleNamespace(generations=whole.generations[: len(kept)])
        assert same(SimpleNamespace(generations=kept), wanted)
        last[len(kept)] = moment
    assert {0, 1, 2} <= set(last)
    for moment in last.values():
        assert same(resume(moment), whole)


def test_killed_while_the_file_grows_from_its_log(tmp_path) -> None:
    done = killed(tmp_path, "checkpoints")
    _, kills, equal = done.split()
    assert int(kills) >= 2
    assert equal == "True"


def test_every_strategy_killed_and_resumed(tmp_path) -> None:
    """SIGKILL while the search goes on and at its last statement: as if nothing had happened."""
    done = killed(tmp_path, "strategies")
    lines = [line.split() for line in done.splitlines()]
    assert len(lines) == 6
    for name, kills, kept, whole, equal in lines:
        early, late = map(int, kept.split(","))
        assert (kills, equal) == ("2", "True")
        screened = name == "nested"  # whose last statement keeps a design that is mapped in full
        assert 0 < early < late < int(whole) + screened


@pytest.mark.parametrize("engine", ["threads", "processes"])
def test_ctrl_c_finishes_the_generation(engine, tmp_path) -> None:
    """The signal goes to the whole process group, as from a terminal."""
    path = tmp_path / "a b.study"
    process = begin(
        *COMMAND,
        *("--study", str(path), "--evaluations", "100000", "--engine", engine, "--workers", "2"),
        start_new_session=True,
    )
    wait_for(lambda: path.exists() and evaluated_now(path))
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "finishing this generation" in err
    assert "Traceback" not in err
    assert f"go on with: accelsim study resume '{path}'" in out
    assert "Front" in out
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    kept = evaluated(path)
    assert kept % 8 == 0
    assert len(resume(path, kept + 8)) == kept + 8


# -- others, and the disk --------------------------------------------------------------------------------


def test_two_writers(study, capsys) -> None:
    with Study.open(study, write=True) as first:
        first.lock()
        message = fails("study", "resume", str(study), "--evaluations", "32", capsys=capsys)
        assert "another process is writing to it" in message
        assert len(accelsim.load_study(study)) == EVALUATIONS  # reading is free
    assert len(resume(study, 32)) == 32


def test_a_link_to_a_study_is_the_study(study, whole, capsys) -> None:
    """What is still in its log is read, too; one lock for all names; a link may be there before its study."""
    link, early = study.with_name("link.study"), study.with_name("early.study")
    link.symlink_to(study)
    early.symlink_to("new.study")
    with Study.open(link, write=True) as first:
        first.lock()
        first.extend(EVALUATIONS + 8)
        assert study.with_name("a.study-wal").stat().st_size > 0
        with Study.open(link) as opened:
            assert opened.evaluations == EVALUATIONS + 8
        for name in (study, link):
            message = fails("study", "resume", str(name), "--evaluations", "32", capsys=capsys)
            assert "another process is writing to it" in message
    assert len(resume(link)) == EVALUATIONS + 8
    assert len(accelsim.load_study(study)) == EVALUATIONS + 8
    assert same(accelsim.search(**TINY, evaluations=EVALUATIONS, study=early), whole)
    assert early.is_symlink()
    assert same(accelsim.load_study(study.with_name("new.study")), whole)


def test_what_a_study_may_not_be(study, finished, tmp_path, capsys) -> None:
    """A link to itself, a pipe, and to be written to one of several hard links, which SQLite cannot tell."""
    circle, pipe, other = (tmp_path / name for name in ("circle.study", "pipe.study", "other.study"))
    circle.symlink_to(circle)
    os.mkfifo(pipe)
    other.hardlink_to(study)
    for path, said in ((circle, "leads back to itself"), (pipe, "is a pipe")):
        assert said in fails("study", "show", str(path), capsys=capsys)
        assert said in fails(*COMMAND, "--study", str(path), capsys=capsys)
    assert "hard links" in fails("study", "resume", str(study), "--evaluations", "32", capsys=capsys)
    assert study.read_bytes() == finished
    assert len(accelsim.load_study(other)) == EVALUATIONS


def test_two_that_begin_at_once(tmp_path) -> None:
    config = configure("eyeriss", networks="lenet5")
    with Study.create(tmp_path / "a.study", config, 8), pytest.raises(AccelsimError, match="exists already"):
        Study.create(tmp_path / "a.study", config, 8)


def test_the_same_generation_twice(study, whole) -> None:
    with Study.open(study, write=True) as opened, pytest.raises(AccelsimError, match="same generation"):
        opened.write(1, whole.generations[1])
    assert same(accelsim.load_study(study), whole)


def test_full_disk(study, whole, monkeypatch) -> None:
    """The file may not grow by another page."""
    opening = Study.open.__func__

    def small(cls, path, write=False):
        opened = opening(cls, path, write)
        pages = opened._db.execute("PRAGMA page_count").fetchone()[0]
        opened._db.execute(f"PRAGMA max_page_count = {pages}")
        return opened

    with monkeypatch.context() as patch:
        patch.setattr(Study, "open", classmethod(small))
        with pytest.raises(AccelsimError) as fault:
            resume(study, 400)
    assert "full" in str(fault.value)
    assert "free some space, then resume" in str(fault.value)
    loaded = accelsim.load_study(study)
    assert len(loaded) >= EVALUATIONS
    assert all(a.rows.tobytes() == b.rows.tobytes() for a, b in zip(loaded.generations, whole.generations))
    kept = len(loaded)
    assert same(resume(study, kept + 8), accelsim.search(**TINY, evaluations=kept + 8))


def test_file_size_limit(tmp_path) -> None:
    """As a quota: no file may be longer than 200 kB. SQLite gets an error, Python is told by a signal."""
    import resource

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))

    path = tmp_path / "a.study"
    process = begin(*COMMAND, "--study", str(path), "--evaluations", "100000", preexec_fn=limit, cwd=tmp_path)
    out, err = process.communicate(timeout=100)
    assert process.returncode == 2, err
    assert out == ""
    assert len(err.strip().splitlines()) == 1
    assert "nothing that was written before is lost" in err
    kept = evaluated(path)
    assert kept > 0
    assert len(resume(path, kept + 8)) == kept + 8


def test_a_disk_that_is_full_from_the_start_keeps_nothing(tmp_path, monkeypatch) -> None:
    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr("accelsim.cosearch.study.filled", full)
    with pytest.raises(AccelsimError, match="disk is full"):
        accelsim.search(**TINY, evaluations=8, study=tmp_path / "a.study")
    assert list(tmp_path.iterdir()) == []


@contextmanager
def nobody():
    """This process without its rights, if it has those of root."""
    if os.geteuid():
        yield
        return
    os.setresgid(65534, 65534, 0)
    os.setresuid(65534, 65534, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)
        os.setresgid(0, 0, 0)


@pytest.mark.parametrize("what", ["file", "folder"])
def test_what_may_not_be_written(what, study, finished, capsys) -> None:
    """Neither is work begun that could not be kept; show and list still work."""
    run(capsys, "study", "list", str(study.parent))  # all modules are read that nobody may not read
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "a.study"
        path.write_bytes(finished)
        path.chmod(0o444 if what == "file" else 0o666)
        folder.chmod(0o777 if what == "file" else 0o555)
        with nobody():
            err = fails("study", "resume", str(path), "--evaluations", "32", capsys=capsys)
            assert ("folder" if what == "folder" else "make the file writable") in err
            assert "writable" in err
            assert path.read_bytes() == finished
            assert len(accelsim.load_study(path)) == EVALUATIONS
            code, out, _ = run(capsys, "study", "list", name)
            assert code == 0
            assert "tiny" in out
            if what == "folder":
                err = fails(*COMMAND, "--study", str(folder / "b.study"), capsys=capsys)
                assert f"the folder {folder} must exist and be writable" in err
            assert [p.name for p in folder.iterdir()] == ["a.study"]
        folder.chmod(0o777)


# -- damaged and foreign files ---------------------------------------------------------------------------


def opens_cleanly(path: Path) -> str | None:
    """None if all of a study can be read, else the message."""
    try:
        accelsim.load_study(path)
    except AccelsimError as fault:
        message = str(fault)
    else:
        return None
    assert message.startswith(f"study {path}: ")
    assert "\n" not in message
    return message


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.35, 0.5, 0.75, 0.95, 0.9999])
def test_truncated(study, finished, share) -> None:
    study.write_bytes(finished[: int(share * len(finished))])
    assert opens_cleanly(study)
    with pytest.raises(AccelsimError):
        resume(study, 32)
    assert study.read_bytes() == finished[: int(share * len(finished))]


def test_garbage_is_noticed(study, finished, whole) -> None:
    """Sixteen bytes anywhere: a message, or they were in no use at all."""
    rng = np.random.default_rng(0)
    noticed = 0
    for at in rng.integers(0, len(finished) - 16, 60):
        study.write_bytes(finished[:at] + rng.bytes(16) + finished[at + 16 :])
        message = opens_cleanly(study)
        noticed += message is not None
        if message is None:
            assert same(accelsim.load_study(study), whole)
    assert noticed > 20


def test_a_single_bit(study, finished, whole) -> None:
    """In the stored figures themselves, where SQLite sees nothing."""
    genome = whole.generations[1].rows[3].astype("<i8").tobytes()
    at = finished.index(genome)
    study.write_bytes(finished[:at] + bytes([finished[at] ^ 1]) + finished[at + 1 :])
    assert "generation 2 is damaged" in (opens_cleanly(study) or "")
    with pytest.raises(AccelsimError, match="generation 2 is damaged"):
        resume(study, 32)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("DELETE FROM generations WHERE n = 1", "damaged"),
        ("DELETE FROM candidates WHERE row = 3", "damaged"),
        ("UPDATE candidates SET edp = edp * 2", "damaged"),
        ("UPDATE candidates SET genome = x'00'", "damaged"),
        ("UPDATE meta SET value = '{}' WHERE key = 'config'", "damaged"),
        ("UPDATE meta SET value = 'x' WHERE key = 'evaluations'", "damaged"),
        ("UPDATE meta SET value = '3' WHERE key = 'versions'", "damaged"),
        ("DELETE FROM meta WHERE key = 'config'", "damaged"),
        ("UPDATE meta SET value = replace(value, '\"seed\": 0', '\"seed\": 1')", "does not match its hash"),
        ("DROP TABLE candidates", "damaged"),
        ("DROP TABLE meta", "damaged"),
        ("DELETE FROM generations WHERE n = 2", "generations or settings are missing"),
        ("DELETE FROM candidates WHERE generation = 2", "damaged"),
        ("UPDATE meta SET value = '7' WHERE key = 'evaluations'", "generations or settings are missing"),
        ("UPDATE meta SET value = 'x' WHERE key = 'seal'", "generations or settings are missing"),
        ("DELETE FROM meta WHERE key = 'seal'", "generations or settings are missing"),
        ("PRAGMA user_version = 1", None),
        ("PRAGMA user_version = 0", None),
        ("CREATE TRIGGER t AFTER INSERT ON meta BEGIN DELETE FROM generations; END", "its tables are not"),
        ("CREATE VIEW v AS SELECT * FROM meta", "its tables are not"),
        ("CREATE TABLE more (x)", "its tables are not"),
        ("ALTER TABLE meta ADD COLUMN more TEXT", "its tables are not"),
        ("UPDATE meta SET value = CAST(x'7b22ff' AS TEXT) WHERE key = 'versions'", "damaged"),
        ("UPDATE candidates SET network = CAST(x'ff' AS TEXT)", "damaged"),
        ("INSERT OR REPLACE INTO meta VALUES ('finished', x'00ff')", "settings must be texts"),
        ("UPDATE meta SET value = x'00ff' WHERE key = 'config_hash'", "settings must be texts"),
        ("PRAGMA application_id = 7", "not a study"),
        (f"PRAGMA user_version = {FORMAT + 1}", "newer accelsim"),
    ],
)
def test_edited(study, statement, words) -> None:
    with sqlite3.connect(study) as db:
        db.execute(statement)
    db.close()
    assert words is None or words in (opens_cleanly(study) or "")


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("UPDATE generations SET seconds = 'x' WHERE n = 1", "value"),
        ("UPDATE generations SET rejected = '[1]' WHERE n = 1", "value"),
        ("UPDATE generations SET rejected = '{\"a\": -1}' WHERE n = 1", "value"),
        ("UPDATE generations SET phase = 'other' WHERE n = 1", "search"),
        ("UPDATE generations SET pairs = 1.5 WHERE n = 1", "value"),
        ("UPDATE candidates SET genome = x'00' WHERE generation = 1 AND row = 0", "value"),
        ("UPDATE candidates SET genome = x'0000000000000000' WHERE generation = 1", "search"),
        ("UPDATE candidates SET genome = CAST(zeroblob(length(genome) - 1) || x'7f' AS BLOB)", "search"),
        ("UPDATE candidates SET excess = '[[1]]' WHERE generation = 1", "value"),
        ("UPDATE candidates SET excess = '[1, 2, 3, 4]' WHERE generation = 1", "search"),
        ("UPDATE candidates SET excess = printf('%.50000c', '[') WHERE generation = 1", "value"),
        ("UPDATE candidates SET edp = 'x' WHERE generation = 1 AND row = 1", "value"),
        ("UPDATE candidates SET hardware = x'41' WHERE generation = 1 AND row = 1", "value"),
    ],
)
def test_forged(study, statement, kind) -> None:
    """Somebody has made the digests right: what is there is no study all the same."""
    with sqlite3.connect(study) as db:
        db.execute(statement)
        for n, *head in db.execute("SELECT * FROM generations ORDER BY n").fetchall():
            rows = db.execute("SELECT * FROM candidates WHERE generation = ? ORDER BY row", (n,)).fetchall()
            db.execute("UPDATE generations SET digest = ? WHERE n = ?", (digest_of((n, *head[:-1]), rows), n))
        reseal(db)
    db.close()
    assert ("does not belong" if kind == "search" else "is not what was written") in (
        opens_cleanly(study) or ""
    )


@pytest.mark.parametrize(
    "change", [{"population": "x"}, {"networks": [[]]}, {"hardware": []}, {"bogus": 1}, {"seed": 1e400}]
)
def test_forged_configurations(study, change, capsys) -> None:
    with sqlite3.connect(study) as db:
        meta = dict(db.execute("SELECT * FROM meta"))
        data = json.loads(meta["config"]) | change
        text = json.dumps(data, sort_keys=True, separators=(",", ":"))
        digest = hashlib.sha256(text.encode()).hexdigest()
        db.execute("UPDATE meta SET value = ? WHERE key = 'config'", (json.dumps(data),))
        db.execute("UPDATE meta SET value = ? WHERE key = 'config_hash'", (digest,))
        reseal(db)
    db.close()
    assert opens_cleanly(study)
    assert run(capsys, "study", "list", str(study.parent))[0] == 0


def test_a_study_of_the_first_format_still_loads(tmp_path) -> None:
    """And is sealed by the first generation that is added."""
    old = Path(__file__).parents[1] / "formats" / "files" / "study_1.study"
    path = tmp_path / "a.study"
    path.write_bytes(old.read_bytes())
    found = accelsim.load_study(path)
    assert [f.index for f in found.front] == [10, 8]
    assert found.front[0].metrics["edp"] == 2.7914454914189214e-11
    assert path.read_bytes() == old.read_bytes()
    with Study.open(path, write=True) as opened:
        again = list(opened.generations())
        opened.write(2, again[1])
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (2,)
        with db:
            db.execute("DELETE FROM generations WHERE n = 2")
    assert "are missing" in (opens_cleanly(path) or "")


@pytest.mark.parametrize("command", ["show", "resume", "export"])
def test_no_study(command, tmp_path, capsys) -> None:
    words = ["--out", str(tmp_path / "out")] if command == "export" else []
    missing = fails("study", command, str(tmp_path / "no.study"), *words, capsys=capsys)
    assert "no such file" in missing
    assert fails("study", command, str(tmp_path), *words, capsys=capsys)
    text = tmp_path / "text.study"
    text.write_text("hello\n" * 200)
    assert "not a database" in fails("study", command, str(text), *words, capsys=capsys)
    assert text.read_text() == "hello\n" * 200
    assert not (tmp_path / "out").exists()


def test_somebody_elses_database(tmp_path, capsys) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE meta (key TEXT, value TEXT)")
    db.close()
    before = path.read_bytes()
    for words in (("study", "resume", str(path)), (*COMMAND, "--study", str(path))):
        assert "not a study" in fails(*words, capsys=capsys)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["other.db"]


def test_a_study_of_another_search(study, capsys) -> None:
    before = study.read_bytes()
    message = fails(*COMMAND, "--study", str(study), "--seed", "4", capsys=capsys)
    assert "another search" in message
    assert "seed 0, not 4" in message
    assert study.read_bytes() == before


@pytest.mark.parametrize(
    ("running", "said"),
    [
        ("0.1.0", "It records the versions that run here (accelsim 0.1.0, python"),
        (
            "0.9.7",
            "It was begun with accelsim 0.1.0, but here runs accelsim 0.9.7: resume it with accelsim 0.1.0",
        ),
    ],
)
def test_other_code_that_searches_differently(running, said, study, monkeypatch, capsys) -> None:
    """The message names the version that the study records where it is another one."""
    begun = Study.open(study)
    assert begun.versions["accelsim"] == "0.1.0"
    begun.close()
    monkeypatch.setattr("accelsim.__version__", running)
    monkeypatch.setattr("accelsim.cosearch.optimisers.nsga2.Nsga2.crossed", 0.3)
    with pytest.raises(AccelsimError) as fault:
        resume(study, 32)
    assert "cannot go on as it began: generation" in str(fault.value)
    assert said in str(fault.value)
    assert ("pymoo" in str(fault.value)) == (running == "0.1.0")
    assert "begin a new study" in str(fault.value)
    assert run(capsys, "study", "show", str(study))[0] == 0  # as it says


def test_a_study_without_a_generation(tmp_path, capsys) -> None:
    config = configure("eyeriss", networks="lenet5", population=8, budget=20)
    path = tmp_path / "a.study"
    Study.create(path, config, 8).close()
    assert "holds no generation yet" in fails("study", "show", str(path), capsys=capsys)
    assert len(resume(path)) == 8
