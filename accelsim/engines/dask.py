"""Workers of a Dask cluster: a running one by its scheduler's address, else one on this machine."""

from __future__ import annotations

import logging
import socket
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from typing import Any

from accelsim.engines.base import Engine, R, T, deaf
from accelsim.errors import AccelsimError

RETRIES = 5
TIMEOUT_S = 10
GREETING = 2**20
"""Bytes, more than with which any scheduler greets."""


def _ask(address: str) -> None:
    """Raise OSError or ValueError where nobody listens, or somebody who does not greet as schedulers do.

    Dask itself tries again until its time is up, and waits for a greeting without end.
    """
    from distributed.comm.addressing import get_address_host_port, parse_address

    scheme, _ = parse_address(address)
    if scheme not in ("tcp", "tls"):
        return
    with socket.create_connection(get_address_host_port(address), TIMEOUT_S) as line:
        if scheme == "tcp":  # a message begins with its length
            head = line.recv(8, socket.MSG_WAITALL)
            if len(head) < 8 or int.from_bytes(head, sys.byteorder) > GREETING:
                raise ValueError("what answers there is no scheduler of Dask's")


class DaskEngine(Engine):
    """Chunks as Dask tasks; the scheduler repeats those whose worker died."""

    name = "dask"

    @classmethod
    def of(cls, workers: int, scheduler: str | None = None) -> DaskEngine:
        """With so many workers on this machine, or those of a scheduler."""
        return cls(workers, scheduler)

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
            if scheduler is not None:
                _ask(scheduler)
            else:
                with deaf():
                    self._cluster = LocalCluster(
                        n_workers=workers,
                        threads_per_worker=1,
                        host="127.0.0.1",
                        dashboard_address="127.0.0.1:0",  # any free port: the usual one may be taken
                        scheduler_kwargs={"dashboard": False},
                        silence_logs=logging.CRITICAL,  # what goes wrong is raised here; an end is no fault
                    )
            self._client = Client(self._cluster or scheduler, timeout=TIMEOUT_S)
        except (OSError, ValueError, TimeoutError, RuntimeError) as fault:
            reason = getattr(fault, "strerror", None) or fault
            said = f"scheduler {scheduler}: cannot be reached"
            if scheduler is None:
                said = "engine dask: a cluster on this machine cannot start"
            raise AccelsimError(f"{said}: {reason}") from None

    def map(self, function: Callable[[T], R], chunks: Sequence[T]) -> list[R]:
        """See `Engine.map`. Raises AccelsimError if workers keep dying or the scheduler is lost."""
        from distributed import KilledWorker
        from distributed.comm.core import CommClosedError

        try:
            futures = self._client.map(function, list(chunks), pure=False, retries=RETRIES)
            return list(self._client.gather(futures))
        except KilledWorker:
            raise AccelsimError(
                "engine dask: workers died one after another at the same work; is there enough memory? try "
                "fewer workers"
            ) from None
        except (CancelledError, CommClosedError):
            raise AccelsimError(
                "engine dask: lost the scheduler; what was evaluated before this generation is in the study"
            ) from None

    def close(self) -> None:
        """Leave the cluster; end it if it is ours."""
        self._client.close()
        if self._cluster is not None:
            self._cluster.close()
