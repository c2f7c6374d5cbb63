"""What every engine promises: order, exceptions, and a worker that dies costs a retry and nothing else."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import suppress
from functools import partial
from pathlib import Path

import dask
import numpy as np
import pytest
from distributed.client import FutureCancelledError

import accelsim
from accelsim import AccelsimError
from accelsim.engines import Engine, engine_names, load_engine
from accelsim.engines.processes import ProcessEngine
from tests.cosearch.small import TINY, same
from tests.cosearch.tasks import die, die_at, die_once, double, fail

SEARCHES = {"nested": TINY, "joint": TINY | {"strategy": "joint"}}
EVALUATIONS = 16


@pytest.fixture(scope="module", params=engine_names())
def name(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def engine(name) -> Iterator[Engine]:
    """Of two workers, beside somebody else's Dask, which has the usual port."""
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError):
            taken.bind(("127.0.0.1", 8787))
            taken.listen()
        with load_engine(name, 2) as started:
            yield started


class TestEveryEngine:
    def test_results_come_in_order(self, engine) -> None:
        assert engine.workers == 2
        assert engine.map(double, range(12)) == list(range(0, 24, 2))
        assert engine.map(double, []) == []
        assert engine.map(double, [7]) == [14]
        assert list(engine.stream(double, range(12))) == list(range(0, 24, 2))
        assert list(engine.stream(double, [])) == []

    def test_exceptions_are_raised_here_and_the_engine_goes_on(self, engine) -> None:
        with pytest.raises(ValueError, match="chunk 2 is bad"):
            engine.map(fail, range(5))
        assert engine.map(fail, [0, 1, 3]) == [0, 1, 3]

    def test_a_worker_that_dies_costs_a_retry(self, engine, name, tmp_path) -> None:
        if name == "threads":
            return  # its workers live and die with this process
        marker = tmp_path / "died"
        chunks = [(str(marker), n) for n in range(8)]
        assert engine.map(die_once, chunks) == list(range(8))
        assert marker.exists()
        assert engine.map(double, range(4)) == [0, 2, 4, 6]
        marker.unlink()
        assert list(engine.stream(die_once, [*chunks, *chunks])) == [*range(8), *range(8)]
        assert marker.exists()

    def test_arrays_come_back_bit_for_bit(self, engine) -> None:
        chunks = [np.array([np.nan, np.inf, -0.0, 0.1 * i]) for i in range(5)]
        for sent, got in zip(chunks, engine.map(np.copy, chunks), strict=True):
            assert sent.tobytes() == got.tobytes()


# -- a search on every engine --------------------------------------------------------------------------


class Dying(Engine):
    """Another engine, one of whose workers dies at its second chunk, once."""

    def __init__(self, inner: Engine, marker: Path, workers: int) -> None:
        self.inner = inner
        self.marker = marker
        self.workers = workers

    def map(self, function, chunks):
        return self.inner.map(partial(die_at, str(self.marker), function), list(enumerate(chunks)))

    def close(self) -> None:
        """The inner one goes on."""


@pytest.fixture(scope="module")
def alone():
    """The search in this thread."""
    return {what: accelsim.search(**how, evaluations=EVALUATIONS) for what, how in SEARCHES.items()}


class TestASearchIsTheSameBitForBit:
    @pytest.mark.parametrize("what", SEARCHES)
    @pytest.mark.parametrize("workers", [2, 3])
    def test_on_threads(self, alone, what, workers) -> None:
        found = accelsim.search(**SEARCHES[what], evaluations=EVALUATIONS, workers=workers)
        assert same(found, alone[what])

    @pytest.mark.parametrize(("what", "workers"), [("nested", 3), ("joint", 1)])
    def test_on_workers_one_of_which_dies(self, engine, name, alone, what, workers, tmp_path) -> None:
        """Chunks as for so many workers, on the two that there are."""
        marker = tmp_path / "died"
        if name == "threads":
            marker.touch()
        dying = Dying(engine, marker, workers)
        found = accelsim.search(**SEARCHES[what], evaluations=EVALUATIONS, engine=dying)
        assert marker.exists()
        assert same(found, alone[what])


# -- what cannot be ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["processes", "dask"])
def test_workers_that_keep_dying(name, monkeypatch) -> None:
    monkeypatch.setattr("accelsim.engines.processes.TRIES", 2)
    with dask.config.set({"distributed.scheduler.allowed-failures": 0}), load_engine(name, 1) as engine:
        with pytest.raises(AccelsimError) as fault:
            engine.map(die, [1])
        assert f"engine {name}: workers died" in str(fault.value)
        assert "fewer workers" in str(fault.value)


def test_a_scheduler_that_is_lost(engine, name, monkeypatch) -> None:
    if name == "dask":

        def gather(_futures):
            raise FutureCancelledError("some-key", "scheduler-connection-lost")

        monkeypatch.setattr(engine._client, "gather", gather)
        with pytest.raises(AccelsimError, match="lost the scheduler"):
            engine.map(double, [1])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"name": "thread"}, ["engine", "'thread'", "threads"]),
        ({"name": 3}, ["engine", "3"]),
        ({"name": "threads", "workers": 0}, ["workers", "0"]),
        ({"name": "processes", "workers": 1.5}, ["workers", "1.5"]),
        ({"name": "dask", "workers": True}, ["workers", "True"]),
        ({"name": "threads", "scheduler": "tcp://127.0.0.1:1"}, ["scheduler", "dask", "threads"]),
        ({"name": "dask", "scheduler": "nonsense://x"}, ["scheduler nonsense://x", "cannot be reached"]),
        ({"name": "dask", "scheduler": "tcp://127.0.0.1:1"}, ["scheduler tcp://127.0.0.1:1", "cannot be"]),
    ],
)
def test_bad_engines(options, words, monkeypatch) -> None:
    monkeypatch.setattr("accelsim.engines.dask.TIMEOUT_S", 0.5)
    with pytest.raises(AccelsimError) as fault:
        load_engine(**options)
    assert all(word in str(fault.value) for word in words)
    assert "\n" not in str(fault.value)


def test_what_is_no_scheduler(monkeypatch) -> None:
    """Who refuses is not asked again; who is silent, or says something else, is not waited for."""
    monkeypatch.setattr("accelsim.engines.dask.TIMEOUT_S", 20)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"

        def speak() -> None:
            line, _ = server.accept()
            line.sendall(b"HTTP/1.1 400 Bad Request")
            line.close()

        speaker = threading.Thread(target=speak)
        speaker.start()
        with pytest.raises(AccelsimError, match="no scheduler of Dask's"):
            load_engine("dask", scheduler=address)
        speaker.join()
        monkeypatch.setattr("accelsim.engines.dask.TIMEOUT_S", 0.2)
        with pytest.raises(AccelsimError, match="timed out"):
            load_engine("dask", scheduler=address)
    monkeypatch.setattr("accelsim.engines.dask.TIMEOUT_S", 20)
    began = time.monotonic()
    with pytest.raises(AccelsimError, match="refused"):
        load_engine("dask", scheduler=address)
    assert time.monotonic() - began < 15


def test_a_cluster_that_does_not_start_is_one_message(monkeypatch) -> None:
    def cluster(**_options):
        raise RuntimeError("Cluster failed to start: timed out")

    monkeypatch.setattr("distributed.LocalCluster", cluster)
    with pytest.raises(AccelsimError, match="engine dask: a cluster on this machine cannot start: Cluster"):
        load_engine("dask")


def test_without_dask(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(AccelsimError, match=r"pip install 'accelsim\[dask\]'"):
        load_engine("dask")


# -- Ctrl-C at a terminal, and workers that die at any moment ----------------------------------------------


def test_a_worker_that_dies_between_two_tasks_costs_nothing() -> None:
    with load_engine("processes", 2) as engine:
        assert engine.map(double, range(4)) == [0, 2, 4, 6]
        for pid in list(engine._pool._processes):
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.3)
        assert engine.map(double, range(4)) == [0, 2, 4, 6]


@pytest.mark.parametrize("engine", ["processes", "dask"])
@pytest.mark.parametrize("after", [0.0, 0.3])
def test_an_interrupt_of_the_whole_group_ends_the_search_and_all_its_processes(
    engine, after, tmp_path
) -> None:
    """As Ctrl-C at a terminal, also while workers start: one message, and the study goes on later."""
    path = tmp_path / "a.study"
    process = begun(path, engine)
    group = os.getpgid(process.pid)
    end = time.monotonic() + 60
    while after and not path.exists():
        assert time.monotonic() < end
        time.sleep(0.05)
    time.sleep(after)
    os.killpg(group, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in out + err
    assert "go on with: accelsim study resume" in out
    alone_soon(group)


@pytest.mark.parametrize("engine", ["processes", "dask"])
def test_workers_end_with_a_command_that_is_killed(engine, tmp_path) -> None:
    process = begun(tmp_path / "a.study", engine)
    group = os.getpgid(process.pid)
    process.kill()
    process.communicate(timeout=60)
    alone_soon(group)


def begun(study: Path, engine: str) -> subprocess.Popen[str]:
    """A long search in a group of its own, which has workers."""
    words = ["search", "eyeriss", "--network", "lenet5", "--budget", "20", "--population", "8"]
    command = [sys.executable, "-m", "accelsim.cli", *words, "--evaluations", "100000", "--study", str(study)]
    process = subprocess.Popen(
        [*command, "--engine", engine], start_new_session=True, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    end = time.monotonic() + 60
    while len(members(os.getpgid(process.pid))) < 3:
        assert time.monotonic() < end
        time.sleep(0.05)
    return process


def alone_soon(group: int) -> None:
    """Nobody of it is left within a minute."""
    end = time.monotonic() + 60
    while members(group):
        assert time.monotonic() < end
        time.sleep(0.05)


def members(group: int) -> list[int]:
    """Processes of a group that live."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            words = (entry / "stat").read_text().rpartition(")")[2].split()
            if int(words[2]) == group and words[0] != "Z":
                found.append(int(entry.name))
    return found


def test_an_interrupt_leaves_no_queue_to_the_workers() -> None:
    """A program that goes on after Ctrl-C, as a notebook does, does not wait for work that nobody wants."""
    with suppress(KeyboardInterrupt), ProcessEngine(1) as engine:
        waiting = [engine._started().submit(time.sleep, 0.5) for _ in range(100)]
        raise KeyboardInterrupt
    with pytest.raises(CancelledError):
        waiting[-1].result(30)


@pytest.mark.parametrize("name", ["processes", "dask"])
@pytest.mark.parametrize("fuse", ["none", "auto"])
def test_a_stop_does_not_wait_for_workers_that_cannot_hear_of_it(name, fuse, monkeypatch) -> None:
    """Minutes of work end with the best so far, no worse than the template, and the engine works again."""
    asked: list[float] = []
    with load_engine(name, 2) as engine:
        engine.map(double, range(2))

        def heard(ask, *words):
            asked.append(time.monotonic())
            return ask(*words)

        for way in ("map", "stream"):
            monkeypatch.setattr(engine, way, partial(heard, getattr(engine, way)))
        found = accelsim.map_network(
            "eyeriss", "lenet5", budget=3_000_000, engine=engine, fuse=fuse,
            cancel=lambda: bool(asked) and time.monotonic() > asked[0] + 0.5,
        )  # fmt: skip
        assert time.monotonic() - asked[0] < 60
        assert fuse == "auto" or "cancelled" in {result.status for result in found.results}
        template = accelsim.map_network("eyeriss", "lenet5", "template", fuse="none")
        assert found.cost.edp_js <= template.cost.edp_js
        if name == "processes":
            assert engine.map(double, range(4)) == [0, 2, 4, 6]
