"""Where the work of every verb is done: threads, processes or a Dask cluster."""

from accelsim.engines.base import Engine, engine_names, load_engine

__all__ = ["Engine", "engine_names", "load_engine"]
