"""Ctrl-C as it is typed at a terminal: the kernel sends SIGINT to every process of the command."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.cosearch.test_engines import alone_soon

SWEEP = ("sweep", "eyeriss", "lenet5", "--vary", "clock_mhz=100:500:+1", "--out", "s.csv")
LONG = ("--budget", "3000000", "--workers", "2")  # minutes
COMMANDS = {
    "start": ("list",),
    "sweep": (*SWEEP, "--workers", "2"),
    "sweep dask": (*SWEEP, "--engine", "dask", "--workers", "2"),
    "cold": ("search", "eyeriss", "--network", "lenet5", "--study", "a.study"),
    "map": ("map", "eyeriss", "lenet5", *LONG, "--engine", "processes"),
    "map dask": ("map", "eyeriss", "lenet5", *LONG, "--engine", "dask"),
    "evaluate": ("evaluate", "eyeriss", "lenet5", *LONG, "--engine", "processes", "--fuse", "auto"),
    "lut": ("lut", "eyeriss", "--space", "ofa_mbv3", "--engine", "processes", "--out", "l.json"),
}
START = "from accelsim.start import main; main()"
SLOW = """
import sys, time
class Slow:
    def find_spec(self, name, *_):
        if name == "accelsim.cli":
            print("begun", flush=True)
            time.sleep(60)
sys.meta_path.insert(0, Slow())
"""
"""Its modules take long to load."""
LOST = """
import sys, time
from accelsim.engines.threads import ThreadEngine
def lose(self, function, chunks):
    while True:
        try:  # from the first word on: the test answers at once
            print("begun", file=sys.__stdout__, flush=True)
            time.sleep(60)
        except KeyboardInterrupt:
            pass
ThreadEngine.map = lose
"""
"""Its engine hears of no Ctrl-C, as libraries may not in a bad moment."""


def typed(
    program: str,
    command: Sequence[str],
    folder: Path,
    cues: list[bytes],
    delay: float = 0.0,
    **environment: str,
) -> tuple[int, int, bytes, float]:
    """(process, exit code, all that it wrote, seconds after the last Ctrl-C) of a command at a terminal.

    Ctrl-C is typed `delay` seconds after each cue is seen.
    """
    pid, terminal = pty.fork()
    if pid == 0:
        _heard()
        os.chdir(folder)
        os.environ.update(environment)
        os.execv(sys.executable, [sys.executable, "-c", program, *command])
    text, sent = b"", 0.0
    while True:
        try:
            if select.select([terminal], [], [], 60)[0]:
                text += os.read(terminal, 65536)
            else:
                os.kill(pid, signal.SIGKILL)
        except OSError:  # nobody has the terminal any more
            break
        if cues and cues[0] in text:
            del cues[0]
            time.sleep(delay)
            sent = time.monotonic()
            os.write(terminal, b"\x03")
    took = time.monotonic() - sent
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    return pid, os.waitstatus_to_exitcode(status), text, took


@pytest.mark.parametrize("name", COMMANDS)
def test_ctrl_c_at_a_terminal(name, tmp_path) -> None:
    """One line, 130, the cursor back, nobody left, and of files only what the same command goes on from."""
    words = {"start": b"begun", "cold": b"kernels", "map": b"mapping", "evaluate": b"pricing"}
    ready = words.get(name.split()[0], b"%")  # of the progress bar
    delay = 0.0 if ready in (b"begun", b"%") else 2.5  # until a kernel is, or workers work
    program = SLOW + START if name == "start" else START
    fresh = (
        {"ACCELSIM_CACHE_DIR": str(tmp_path / "kernels")} if name == "cold" else {}
    )  # nothing compiled yet
    pid, code, text, took = typed(program, COMMANDS[name], tmp_path, [ready], delay, **fresh)
    assert code == (-signal.SIGINT if name == "start" else 130)  # a shell says 130 of both
    assert b"Traceback" not in text
    assert text.rfind(b"\x1b[?25l") <= text.rfind(b"\x1b[?25h")
    if name != "start":
        assert text.count(b"accelsim: stopped") == 1
        assert b"Warning" not in text
        assert took < 30  # two seconds on an idle machine
    alone_soon(pid)
    assert {path.name for path in Path(tmp_path).iterdir()} <= {"s.csv.part", "a.study", "kernels"}


def test_a_second_ctrl_c_ends_what_does_not_hear_of_it(tmp_path) -> None:
    """One line and 130, though the interrupt is lost."""
    search = (*COMMANDS["cold"], "--mapper", "template", "--evaluations", "16")
    with subprocess.Popen(
        [sys.executable, "-c", LOST + START, *search], cwd=tmp_path, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=_heard,
    ) as running:  # fmt: skip
        assert running.stdout is not None
        assert running.stderr is not None
        assert running.stdout.readline() == "begun\n"
        running.send_signal(signal.SIGINT)
        while "press Ctrl-C again" not in running.stderr.readline():
            assert running.poll() is None
        running.send_signal(signal.SIGINT)
        try:
            _, text = running.communicate(timeout=60)
        finally:
            running.kill()
    assert (running.returncode, text) == (130, "accelsim: stopped\n")


CALLED = """
import ctypes, time
from accelsim.cli.app import leave_by_force
@ctypes.CFUNCTYPE(None)
def interrupted():
    raise KeyboardInterrupt
leave_by_force()
interrupted()
time.sleep(60)
"""


def test_the_cursor_comes_back_at_a_terminal_though_the_bar_is_still_drawn(tmp_path) -> None:
    search = (*COMMANDS["cold"], "--mapper", "template", "--evaluations", "16")
    _, code, text, _ = typed(LOST + START, search, tmp_path, [b"begun", b"press Ctrl-C again"])
    assert code == 130
    assert text.endswith(b"\x1b[?25haccelsim: stopped\r\n")


def test_an_interrupt_in_a_callback_from_machine_code_shows_no_traceback() -> None:
    """As of LLVM, which tells Python of each module that it has compiled: there nobody can catch it."""
    done = subprocess.run([sys.executable, "-c", CALLED], capture_output=True, text=True, timeout=50)
    assert (done.returncode, done.stderr) == (130, "accelsim: stopped\n")


def _heard() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
