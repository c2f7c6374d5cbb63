"""`Engine`: where chunks of work are done."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar, cast

from accelsim.errors import AccelsimError
from accelsim.names import Registry

T = TypeVar("T")
R = TypeVar("R")

ENGINES = Registry(
    "engine",
    {
        "threads": "accelsim.engines.threads:ThreadEngine",
        "processes": "accelsim.engines.processes:ProcessEngine",
        "dask": "accelsim.engines.dask:DaskEngine",
    },
)


class Engine(ABC):
    """Applies a function to chunks.

    Contract, held by tests/cosearch/test_engines.py: results come in the order of the chunks and do not
    depend on the number of workers; an exception of the function is raised here; a worker that dies costs
    another try of its chunks and nothing else. Functions are importable by name, chunks can be pickled.
    """

    workers: int
    takes_scheduler = False
    """Whether its class is called with (workers, address of a scheduler or None)."""

    @abstractmethod
    def map(self, function: Callable[[T], R], chunks: Sequence[T]) -> list[R]:
        """`[function(chunk) for chunk in chunks]`."""

    @abstractmethod
    def close(self) -> None:
        """Free the workers."""

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def engine_names() -> tuple[str, ...]:
    """Names that `load_engine` knows."""
    return ENGINES.names()


def load_engine(name: str, workers: int = 1, scheduler: str | None = None) -> Engine:
    """An engine by name; `scheduler` is the address of a running Dask scheduler.

    Raises AccelsimError for an unknown name, a bad number of workers, or a library that is not there.
    """
    kind: Any = ENGINES.load(name)
    if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
        raise AccelsimError(f"workers: must be a whole number from 1, but got {workers!r}")
    if kind.takes_scheduler:
        return cast(Engine, kind(workers, scheduler))
    if scheduler is not None:
        raise AccelsimError(f"scheduler: is for the engine dask, but the engine is {name}")
    return cast(Engine, kind(workers))


@contextmanager
def started(engine: str | Engine, workers: int = 1, scheduler: str | None = None) -> Iterator[Engine]:
    """The engine, closed afterwards if it was named."""
    if isinstance(engine, Engine):
        yield engine
    else:
        with load_engine(engine, workers, scheduler) as running:
            yield running
