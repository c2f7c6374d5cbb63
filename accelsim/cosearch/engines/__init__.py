"""Where the work of a search is done: threads, processes or a Dask cluster."""

from accelsim.cosearch.engines.base import Engine, engine_names, load_engine

__all__ = ["Engine", "engine_names", "load_engine"]
