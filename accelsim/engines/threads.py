"""The in-process engine: kernels release the interpreter's lock, so threads run side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from accelsim.engines.base import Engine, R, T


class ThreadEngine(Engine):
    """Threads of this process; no copy of anything."""

    def __init__(self, workers: int = 1) -> None:
        self.workers = workers
        self._pool = ThreadPoolExecutor(workers) if workers > 1 else None

    def map(self, function: Callable[[T], R], chunks: Sequence[T]) -> list[R]:
        """See `Engine.map`."""
        if self._pool is None:
            return [function(chunk) for chunk in chunks]
        return list(self._pool.map(function, chunks))

    def close(self) -> None:
        """Free the threads."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
