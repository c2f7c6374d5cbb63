"""Processes on this machine, started afresh (`spawn`): a fork would copy the locks of running threads."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
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
        self._left = 0  # times that it was abandoned
        self._dying: ProcessPoolExecutor | None = None

    def map(self, function: Callable[[T], R], chunks: Sequence[T]) -> list[R]:
        """See `Engine.map`. Raises AccelsimError if workers keep dying, or were abandoned meanwhile."""
        results: dict[int, R] = {}
        failures, left = 0, self._left
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
                self._end_broken(left)
                failures = failures + 1 if len(results) == before else 0
                if failures == TRIES:
                    raise AccelsimError(
                        f"engine processes: workers died {TRIES} times in a row without finishing anything; "
                        "is there enough memory? try fewer workers"
                    ) from None
        return [results[i] for i in range(len(chunks))]

    def stream(self, function: Callable[[T], R], chunks: Sequence[T]) -> Iterator[R]:
        """See `Engine.stream`. Raises AccelsimError as `map` does."""
        left, begun, done = self._left, 0, 0
        waiting: deque[Future[R]] = deque()
        try:
            while done < len(chunks):
                try:
                    with deaf():
                        while begun < len(chunks) and len(waiting) < 4 * self.workers:
                            waiting.append(self._started().submit(function, chunks[begun]))
                            begun += 1
                    found = [waiting.popleft().result()]
                except BrokenProcessPool:
                    self._end_broken(left)
                    waiting.clear()
                    found = self.map(function, chunks[done:begun])
                done += len(found)
                yield from found
        finally:
            for future in waiting:
                future.cancel()

    def _end_broken(self, left: int) -> None:
        """Make way for another pool. Raises AccelsimError if it was abandoned since it was so `left`."""
        if self._left != left:
            raise AccelsimError("engine processes: its workers were abandoned")
        self.close()

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
        """See `Engine.abandon`. Workers end at once: a program would wait for them at its end."""
        pool, self._pool = self._pool, None
        self._left += 1
        self._dying = pool  # it cancels what waits, while somebody holds it
        if pool is not None:
            workers = list((pool._processes or {}).values())
            pool.shutdown(wait=False, cancel_futures=True)
            for worker in workers:
                worker.kill()
