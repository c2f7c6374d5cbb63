"""What workers of engines are given to do; of nothing that takes them long to import."""

from __future__ import annotations

import os
import signal
import time


def double(chunk: int) -> int:
    time.sleep(0.02 * (chunk % 3))  # the first are not the fastest
    return 2 * chunk


def fail(chunk: int) -> int:
    if chunk == 2:
        raise ValueError(f"chunk {chunk} is bad")
    return chunk


def die_once(chunk: tuple[str, int]) -> int:
    """Ends its process the first time that chunk 3 comes by."""
    marker, n = chunk
    if n == 3:
        try:
            os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            pass
        else:
            os.kill(os.getpid(), signal.SIGKILL)
    return n


def die_at(marker: str, function, chunk):
    n, content = chunk
    die_once((marker, n + 2))
    return function(content)


def die(chunk: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return chunk
