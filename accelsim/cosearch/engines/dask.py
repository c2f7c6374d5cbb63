"""Workers of a Dask cluster: a running one by its scheduler's address, else one on this machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from accelsim.cosearch.engines.base import Engine, R, T
from accelsim.errors import AccelsimError

RETRIES = 5
TIMEOUT_S = 20


class DaskEngine(Engine):
    """Chunks as Dask tasks; the scheduler repeats those whose worker died."""

    def __init__(self, workers: int = 1, scheduler: str | None = None) -> None:
        try:
            from distributed import Client, LocalCluster
        except ImportError:
            raise AccelsimError(
                "engine dask: needs Dask; install it with: pip install 'accelsim[dask]'"
            ) from None
        self.workers = workers
        self._cluster: Any = None
        try:
            if scheduler is None:
                self._cluster = LocalCluster(
                    n_workers=workers, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
                )
            self._client = Client(self._cluster or scheduler, timeout=TIMEOUT_S)
        except (OSError, ValueError, TimeoutError) as fault:
            raise AccelsimError(f"scheduler {scheduler}: cannot be reached: {fault}") from None

    def map(self, function: Callable[[T], R], chunks: Sequence[T]) -> list[R]:
        """See `Engine.map`."""
        futures = self._client.map(function, list(chunks), pure=False, retries=RETRIES)
        return list(self._client.gather(futures))

    def close(self) -> None:
        """Leave the cluster; end it if it is ours."""
        self._client.close()
        if self._cluster is not None:
            self._cluster.close()
