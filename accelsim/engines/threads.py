"""The in-process engine: kernels release the interpreter's lock, so threads run side by side."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from accelsim.engines.base import Engine, R, T


class ThreadEngine(Engine):
    """Threads of this process; no copy of anything."""

    name = "threads"
    shares_memory = True

    def __init__(self, workers: int = 1) -> None:
        self.workers = workers
        self._pool = ThreadPoolExecutor(workers) if workers > 1 else None

    def map(self, function: Callable[[T], R], chunks: Sequence[T]) -> list[R]:
        """See `Engine.map`."""
        if self._pool is None:
            return [function(chunk) for chunk in chunks]
        return list(self._pool.map(function, chunks))

    def stream(self, function: Callable[[T], R], chunks: Sequence[T]) -> Iterator[R]:
        """See `Engine.stream`."""
        if self._pool is None:
            yield from map(function, chunks)
            return
        waiting: deque[Future[R]] = deque()
        try:
            for chunk in chunks:
                waiting.append(self._pool.submit(function, chunk))
                if len(waiting) >= 4 * self.workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()

    def close(self) -> None:
        """Free the threads."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def abandon(self) -> None:
        """See `Engine.abandon`."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
