"""Processes on this machine, started afresh (`spawn`): a fork would copy the locks of running threads."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from accelsim.engines.base import Engine, R, T, deaf
from accelsim.errors import AccelsimError

TRIES = 5
"""How often in a row the pool may break without a single chunk being done."""


def _begin() -> None:
    """A worker hears no Ctrl-C, which is for the parent, and ends with it, however that one ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


class ProcessEngine(Engine):
    """A pool of processes, replaced when one of them dies."""

    name = "processes"

    def __init__(self, workers: int = 1) -> None:
        self.workers = workers
        self._pool: ProcessPoolExecutor | None = None

    def map(self, function: Callable[[T], R], chunks: Sequence[T]) -> list[R]:
        """See `Engine.map`. Raises AccelsimError if workers keep dying."""
        results: dict[int, R] = {}
        failures = 0
        while len(results) < len(chunks):
            before = len(results)
            futures: dict[int, Future[Any]] = {}
            try:
                with deaf():  # each process starts when there is work for it
                    pool = self._started()
                    for i, chunk in enumerate(chunks):
                        if i not in results:
                            futures[i] = pool.submit(function, chunk)  # raises where one died meanwhile
                for i, future in futures.items():
                    results[i] = future.result()
            except BrokenProcessPool:
                for i, future in futures.items():
                    if future.done() and not future.cancelled() and future.exception() is None:
                        results[i] = future.result()
                self.close()
                failures = failures + 1 if len(results) == before else 0
                if failures == TRIES:
                    raise AccelsimError(
                        f"engine processes: workers died {TRIES} times in a row without finishing anything; "
                        "is there enough memory? try fewer workers"
                    ) from None
        return [results[i] for i in range(len(chunks))]

    def _started(self) -> ProcessPoolExecutor:
        if self._pool is None:
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self.workers, context, initializer=_begin)
        return self._pool

    def close(self) -> None:
        """End the processes."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None

    def abandon(self) -> None:
        """See `Engine.abandon`."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
