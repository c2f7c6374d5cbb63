"""What the operating system does to a command: streams, disks, homes; and text that comes from files."""

from __future__ import annotations

import csv
import io
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from random import Random

import numba
import pytest

import accelsim
from accelsim import AccelsimError
from accelsim.cli.app import console
from accelsim.csv_text import csv_text
from accelsim.errors import MOST
from accelsim.files import Lock, check_folder, check_writable, make_folder, write_whole
from accelsim.text_file import read_bytes
from cost_models import _jit
from tests.command import run
from tests.cosearch.small import same

ACCELSIM = (sys.executable, "-m", "accelsim.cli")
LAYER = ("evaluate", "example", "--layer", "K=8 C=4 P=6 Q=6 R=3 S=3")


def accel(*words: str, env=None, before=None, **options) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    environment = {k: v for k, v in ({**os.environ, **(env or {})}).items() if v is not None}
    return subprocess.run(
        [*ACCELSIM, *words], env=environment, stderr=subprocess.PIPE, text=True, timeout=120, check=False,
        preexec_fn=before, **options,
    )  # fmt: skip


# -- streams ---------------------------------------------------------------------------------------------


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full on this system")
def test_a_full_output_is_one_message() -> None:
    with open("/dev/full", "w") as full:
        done = accel("docs", stdout=full)
    assert (done.returncode, done.stderr) == (2, "accelsim: No space left on device\n")


def test_an_output_that_nobody_reads_ends_quietly() -> None:
    """141, as of a program that died of SIGPIPE."""
    read, write = os.pipe()
    os.close(read)
    done = accel("docs", stdout=write)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


def test_closed_streams() -> None:
    done = accel("docs", stdout=subprocess.DEVNULL, before=lambda: os.close(1))
    assert (done.returncode, done.stderr) == (0, "")


def test_usage_faults_keep_their_words_and_code(capsys) -> None:
    code, _, err = run(capsys, "lisst")
    assert code == 2
    assert "No such command" in err


# -- environments ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"HOME": None, "XDG_CACHE_HOME": None, "ACCELSIM_CACHE_DIR": None}, "plain"),
        ({"HOME": "/nonexistent", "XDG_CACHE_HOME": None, "ACCELSIM_CACHE_DIR": None}, "plain"),
        ({"HOME": "relative/home"}, "plain"),
        ({"ACCELSIM_CACHE_DIR": "/proc/none"}, "plain"),
        ({"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", "LANG": None}, "plain"),
        ({"TERM": "dumb"}, "with space and µ 漢"),
        ({"TERM": None, "COLUMNS": "1"}, "plain"),
    ],
)
def test_environments(environment, folder, tmp_path) -> None:
    here = tmp_path / folder
    here.mkdir()
    done = accel("list", env=environment, cwd=here, stdout=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0, "")
    assert "eyeriss" in done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="other systems bear no such limits")
@pytest.mark.parametrize(("kind", "bytes_", "said"), [("AS", 400, "ulimit -v"), ("DATA", 200, "ulimit -d")])
def test_too_little_memory_to_begin_with(kind, bytes_, said) -> None:
    """SciPy's import waits for ever at some such limits, and aborts at others."""
    import resource

    limit = (bytes_ << 20, bytes_ << 20)
    done = accel(
        *LAYER, stdout=subprocess.PIPE,
        before=lambda: resource.setrlimit(getattr(resource, f"RLIMIT_{kind}"), limit),
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert f"limited to {bytes_} MiB ({said})" in done.stderr


@pytest.mark.parametrize(
    ("name", "value"), [("NUMBA_NUM_THREADS", "0"), ("NUMBA_OPT", "9"), (".numba_config.yaml", "a: [")]
)
def test_settings_of_numba_that_it_cannot_read(name, value, tmp_path) -> None:
    if name.startswith("."):
        (tmp_path / name).write_text(value)
    done = accel("list", env={name: value}, cwd=tmp_path, stdout=subprocess.PIPE)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert name in done.stderr


ALONE = """
import sys
sys.path[:0] = {path!r}
from cost_models._jit import kernel
from accelsim.cli import main
@kernel
def twice(x):
    return 2 * x
assert twice(3) == 6
main({words!r})
"""


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become others")
@pytest.mark.parametrize("user", [65534, 54321])  # 54321 has no passwd entry
@pytest.mark.parametrize("home", [None, "/root"])
def test_another_user_may_write_nothing_of_ours(user, home, tmp_path) -> None:
    """A read-only installation, no home or one that is somebody else's, a folder that cannot be written."""
    script = tmp_path / "alone.py"
    script.write_text(ALONE.format(path=sys.path, words=["new", "mine"]))
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == 0 and "pytest" in str(folder):  # one for each worker, too
            folder.chmod(0o755)
    tmp_path.chmod(0o555)

    def leave() -> None:
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)

    def python(program: str, *words: str) -> subprocess.CompletedProcess[str]:
        taken = {"HOME", "XDG_CACHE_HOME", "ACCELSIM_CACHE_DIR", "NUMBA_CACHE_DIR"}
        environment = {k: v for k, v in os.environ.items() if k not in taken}
        environment |= {} if home is None else {"HOME": home}
        return subprocess.run(
            [program, *words], cwd=tmp_path, env=environment,
            capture_output=True, text=True, check=False, preexec_fn=leave,
        )  # fmt: skip

    reads = f"import sys; sys.path[:0] = {sys.path!r}; import numpy, accelsim"
    for program in (sys.executable, f"/usr/bin/python{sys.version_info[0]}.{sys.version_info[1]}"):
        try:
            if python(program, "-c", reads).returncode == 0:
                break
        except OSError:
            continue
    else:
        pytest.skip("no Python here that another user may run")
    done = python(program, str(script))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("accelsim: mine.json: cannot be written: Permission denied")
    assert done.stderr.count("\n") == 1


def test_kernels_without_a_folder_to_keep_them(monkeypatch, tmp_path) -> None:
    """No home, no cache, no temporary files: they compile all the same."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", "/proc/none")
    monkeypatch.setenv("HOME", "/proc/none")
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/none")
    monkeypatch.delenv("ACCELSIM_CACHE_DIR", raising=False)
    assert _jit.kernel(twice)(3) == 6
    monkeypatch.setattr(tempfile, "tempdir", "/proc")
    assert _jit._cache_dir() is None
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    kept = _jit._cache_dir()
    assert kept is not None
    assert kept.is_relative_to(tmp_path)
    kept.parent.chmod(0o777)  # anybody could have put machine code there
    assert _jit._cache_dir() is None


def test_damaged_kernels_are_compiled_again(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    assert _jit.kernel(twice)(3) == 6
    files = [p for p in tmp_path.rglob("*.nb*") if p.is_file()]
    assert files
    for damage in (b"", b"\x80garbage"):
        for file in files:
            file.write_bytes(damage)
        assert _jit.kernel(twice)(3) == 6
    assert all(file.stat().st_size > 20 for file in files)


def twice(x):
    return 2 * x


# -- files -----------------------------------------------------------------------------------------------


def test_files_are_whole_or_not_there(tmp_path, monkeypatch) -> None:
    path = tmp_path / "a.json"
    write_whole(path, "old")
    os.chmod(path, 0o640)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(AccelsimError, match=r"a\.json: cannot be written: No space left"):
        write_whole(path, "new")
    monkeypatch.undo()
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]
    write_whole(path, "new")
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o640


def full(_number: int) -> None:
    raise OSError(28, "No space left on device")


def test_links_stay_links_and_devices_devices(tmp_path) -> None:
    real, link = tmp_path / "real.json", tmp_path / "link.json"
    link.symlink_to(real)
    for _ in range(2):
        write_whole(link, "text")
    assert link.is_symlink()
    assert real.read_text() == "text"
    write_whole(Path("/dev/null"), "text")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names on this system")
def test_a_pipe_is_written_to_who_reads_it_and_not_for_ever_to_nobody(tmp_path, monkeypatch) -> None:
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    threading.Timer(0.3, reader.start).start()
    write_whole(pipe, 200_000 * "a")  # more than a pipe holds
    reader.join()
    assert read == [200_000 * b"a"]
    monkeypatch.setattr("accelsim.files.READER_S", 0.2)
    with pytest.raises(AccelsimError, match="pipe: cannot be written: nobody reads this pipe"):
        write_whole(pipe, "text")


def test_a_name_that_is_not_utf_8_can_be_written(tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = run(capsys, "new", os.fsdecode(b"a\xff.json"))
    assert (code, err) == (0, "")
    data = json.loads((tmp_path / os.fsdecode(b"a\xff.json")).read_text("utf-8"))
    assert data["name"] == os.fsdecode(b"a\xff")


def test_links_that_lead_in_a_circle_are_one_message(tmp_path, capsys) -> None:
    loop = tmp_path / "loop.png"
    loop.symlink_to(loop)
    for words in (("evaluate", "example", "lenet5", "--plot"), ("nacos", "build", "--chips", "1", "-o")):
        code, _, err = run(capsys, *words, str(loop))
        assert code == 2
        assert "loop.png" in err
        assert err.count("\n") == 1


def test_a_folder_behind_a_link_is_made_and_one_in_a_circle_refused_before_the_work(tmp_path) -> None:
    loop, link = tmp_path / "loop", tmp_path / "link"
    loop.symlink_to(loop)
    link.symlink_to("none")
    for at in (loop, loop / "inside"):
        with pytest.raises(AccelsimError, match="loop"):
            check_folder(at)
    check_folder(link)
    make_folder(link)
    assert (tmp_path / "none").is_dir()


@pytest.mark.parametrize("seed", [1, 2])
def test_clocks_that_jump_to_and_fro_change_no_answer(seed, monkeypatch, tmp_path) -> None:
    """Deadlines may come early or late, but what is proved, searched and swept is the same, and loads."""
    random = Random(seed)

    def jumping(clock):
        return lambda: clock() + random.choice((-1, 1)) * random.choice((0, 1e-3, 1, 3600, 1e9))

    search = {"networks": "lenet5", "evaluations": 8, "population": 4, "budget": 20, "finish": 0}
    sound = accelsim.search("eyeriss", **search)
    optimum = accelsim.map_network("example", "lenet5", "optimal").cost.edp_js
    for name in ("monotonic", "perf_counter", "time"):
        monkeypatch.setattr(time, name, jumping(getattr(time, name)))
    assert accelsim.map_network("example", "lenet5", "optimal").cost.edp_js == optimum
    assert accelsim.map_network("example", "lenet5", "optimal", seconds=1).cost.edp_js >= optimum
    accelsim.search("eyeriss", **search, study=tmp_path / "a.study")
    assert same(accelsim.load_study(tmp_path / "a.study"), sound)
    vary = ["clock_mhz=100,200,400"]
    table = accelsim.sweep("eyeriss", "lenet5", vary, mapper="template", out=tmp_path / "a.csv")
    assert len(table.ok) == 3
    assert not Path("/dev/null").is_file()


def test_what_killed_processes_left_goes(tmp_path) -> None:
    dead = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True
    )
    left = tmp_path / f".a.json.{int(dead.stdout)}.0.part"
    other, ours = tmp_path / ".b.json.1.0.part", tmp_path / f".a.json.{os.getpid()}.0.part"
    for file in (left, other, ours):
        file.touch()
    write_whole(tmp_path / "a.json", "text")
    assert [file.exists() for file in (left, other, ours)] == [False, True, True]


@pytest.mark.parametrize("name", ["", "no/x.json", "x\0.json", 300 * "x"])
def test_unwritable_is_said_before_the_work(name, tmp_path) -> None:
    with pytest.raises(AccelsimError):
        check_writable(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_every_output_is_checked_before_the_work(tmp_path, capsys, monkeypatch) -> None:
    """Nothing is loaded, mapped or drawn first."""
    monkeypatch.setattr("accelsim.cosearch.run.search_configured", None)
    monkeypatch.setattr("accelsim.mapping.mapper.map_layer", None)
    monkeypatch.setattr("accelsim.costing.map_network", None)
    monkeypatch.setattr("accelsim.sweeps.run._priced", None)
    monkeypatch.setattr("accelsim.costing.evaluate", None)
    monkeypatch.setattr("accelsim.lut.build_table", None)
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    for words in (
        ("map", "eyeriss", "lenet5", "--save", "no/x.json"),
        ("search", "eyeriss", "--network", "lenet5", "--plot", "no/x.png"),
        ("search", "eyeriss", "--network", "lenet5", "--export", "file/x"),
        ("evaluate", "eyeriss", "lenet5", "--plot", "no/x.png"),
        ("sweep", "eyeriss", "lenet5", "--vary", "clock_mhz=1,2", "-o", "no/x.csv"),
        ("sweep", "eyeriss", "lenet5", "--vary", "clock_mhz=1,2", "--plot", "no/x.png"),
        ("lut", "eyeriss", "--space", "ofa_mbv3", "-o", "no/x.json"),
        ("validate", "eyeriss", "--write", "file/x.md"),
        ("memory", "lenet5", "--figure", "no/x.png"),
    ):
        code, out, err = run(capsys, *words)
        assert (code, out) == (2, ""), words
        assert "no" in err or "file" in err
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_one_writer(tmp_path) -> None:
    path = tmp_path / "x.lock"
    first = Lock(path, "x")
    with pytest.raises(AccelsimError, match="another process is writing"):
        Lock(path, "x")
    first.free()
    Lock(path, "x").free()
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_file_is_not_waited_for(tmp_path, capsys) -> None:
    """A pipe that nobody writes to, devices without an end, a socket, a folder."""
    pipe, link = tmp_path / "pipe.json", tmp_path / "zero.json"
    os.mkfifo(pipe)
    link.symlink_to("/dev/zero")
    assert read_bytes(pipe, 10) == b""
    with socket.socket(socket.AF_UNIX) as name:
        name.bind(str(tmp_path / "socket.json"))
    for file, said in (
        (pipe, "JSON"), (link, "it is a device"), (tmp_path / "socket.json", "No such device"),
        (tmp_path, "Is a directory"),
    ):  # fmt: skip
        with pytest.raises(AccelsimError):
            read_bytes(file, 10) or accelsim.load_network(file)
        code, out, err = run(capsys, "evaluate", "example", "lenet5", "--mapping", str(file))
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert said in err
    net = json.dumps(accelsim.load_network("lenet5").to_dict())
    writer = threading.Thread(target=pipe.write_text, args=(net,))
    with open(pipe, "rb", opener=lambda path, flags: os.open(path, flags | os.O_NONBLOCK)):
        writer.start()  # it has the pipe open, and waits for a reader
        time.sleep(0.1)
        assert read_bytes(pipe, 10**6).decode() == net
    writer.join()


# -- text from outside -----------------------------------------------------------------------------------


def test_messages_are_short_and_printable() -> None:
    text = str(AccelsimError("a\0b \x1b[31m \u202e \ud800 " + 10_000 * "x" + " end"))
    assert "a\\x00b \\x1b[31m \\u202e \\ud800 xxx" in text
    assert "characters)..." in text
    assert text.endswith(" end")
    assert len(text) < 600
    assert len(str(AccelsimError("word " * 10_000))) < MOST + 100


def hostile(name: str) -> dict:
    """A network all whose names are one."""
    net = json.loads(json.dumps(accelsim.load_network("lenet5").to_dict()).replace("conv1", "CONV1"))
    text = json.dumps(net)
    for i, layer in enumerate(net["layers"]):
        text = text.replace(f'"{layer["name"]}"', json.dumps(f"{name}{i}"))
    return json.loads(text) | {"name": name}


@pytest.mark.parametrize("name", ["[/red]", "[bold]x", ":smile:", "\x1b[31mred", "=1+1", "a\0b", "\u202eabc"])
def test_names_are_printed_as_they_stand(name, tmp_path, capsys) -> None:
    file = tmp_path / "net.json"
    file.write_text(json.dumps(hostile(name)))
    code, out, err = run(capsys, "evaluate", "example", str(file), "--explain")
    if code:  # a name that networks may not have
        assert (code, out) == (2, "")
        assert "\x1b" not in err
        return
    assert "\x1b" not in out
    assert "\0" not in out
    assert name in out or not name.isprintable()
    code, out, _ = run(capsys, "evaluate", "example", str(file), "--csv")
    assert code == 0
    for row in csv.DictReader(io.StringIO(out)):
        assert row["layer"][0] not in "=+-@"


def test_csv_quotes_formulas_and_nothing_else() -> None:
    text = csv_text(["a", "b"], [{"a": "=1+1", "b": -1.5}, {"a": "@x", "b": None}, {"a": 'a,"b', "b": "-x"}])
    assert text == 'a,b\n\'=1+1,-1.5\n\'@x,\n"a,""b",\'-x\n'


def test_the_console_obeys_nothing(capsys) -> None:
    from rich.text import Text

    console().print(Text("a\x1b]0;title\x07b"), "[/nothing]")
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "[/nothing]" in out
