"""`Engine`: where chunks of work are done."""

from __future__ import annotations

import os
import signal
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar, cast

from accelsim.errors import AccelsimError
from accelsim.names import Registry

QUIET = "ignore:resource_tracker"
"""It clears up after a command that does not end in order, and need not tell."""

T = TypeVar("T")
R = TypeVar("R")


@contextmanager
def deaf() -> Iterator[None]:
    """Processes and threads started meanwhile never hear Ctrl-C: a terminal sends it to all processes of a
    command, and it is for the first of them, which finishes its generation and then ends the others.
    """  # fmt: skip
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing import resource_tracker

    sys.warnoptions.append(QUIET)
    try:
        resource_tracker.ensure_running()  # it clears the mask where it is started
    finally:
        sys.warnoptions.remove(QUIET)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Engine(ABC):
    """Applies a function to chunks.

    Contract, held by tests/cosearch/test_engines.py: results come in the order of the chunks and do not
    depend on the number of workers; an exception of the function is raised here; a worker that dies costs
    another try of its chunks and nothing else. Functions are importable by name, chunks can be pickled.
    """

    name: str
    workers: int
    shares_memory = False
    """Whether workers see what changes here, such as an event that asks them to stop."""

    @classmethod
    def of(cls, workers: int, scheduler: str | None = None) -> Engine:
        """With so many workers. Raises AccelsimError for a scheduler where there is none."""
        if scheduler is not None:
            raise AccelsimError(f"scheduler: is for the engine dask, but the engine is {cls.name}")
        return cls(workers)  # type: ignore[call-arg]

    @abstractmethod
    def map(self, function: Callable[[T], R], chunks: Sequence[T]) -> list[R]:
        """`[function(chunk) for chunk in chunks]`."""

    def stream(self, function: Callable[[T], R], chunks: Sequence[T]) -> Iterator[R]:
        """`map`, results as they come; what is not asked for is not begun, but for a few."""
        size = 4 * self.workers
        for i in range(0, len(chunks), size):
            yield from self.map(function, chunks[i : i + size])

    @abstractmethod
    def close(self) -> None:
        """Free the workers."""

    def abandon(self) -> None:  # noqa: B027 (nothing, for most)
        """Leave, without waiting for what is being done; another call of `map` may start workers anew."""

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is KeyboardInterrupt:
            self.abandon()
        else:
            self.close()


ENGINES = Registry(
    "engine",
    {
        "threads": "accelsim.engines.threads:ThreadEngine",
        "processes": "accelsim.engines.processes:ProcessEngine",
        "dask": "accelsim.engines.dask:DaskEngine",
    },
    "accelsim.engine",
    "accelsim.engines.base:Engine",
)


def engine_names() -> tuple[str, ...]:
    """Names that `load_engine` knows."""
    return ENGINES.names()


def load_engine(name: str | type[Engine], workers: int | None = 1, scheduler: str | None = None) -> Engine:
    """An engine by name or class; `scheduler` is the address of a running Dask scheduler.

    workers  None: one a processor. Raises AccelsimError for an unknown name, a bad number of workers, or a
    library that is not there.
    """
    kind = ENGINES.load(name)
    return cast(Engine, kind.of(check_workers(workers), scheduler))


def check_workers(workers: int | None) -> int:
    """A number of workers, None being one a processor. Raises AccelsimError."""
    workers = os.cpu_count() or 1 if workers is None else workers
    if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
        raise AccelsimError(f"workers: must be a whole number from 1, but got {workers!r}")
    return workers


@contextmanager
def as_engine(
    engine: str | Engine | type[Engine], workers: int | None, scheduler: str | None
) -> Iterator[Engine]:
    """The engine, closed afterwards if it was named."""
    if isinstance(engine, Engine):
        yield engine
    else:
        with load_engine(engine, workers, scheduler) as started:
            yield started
