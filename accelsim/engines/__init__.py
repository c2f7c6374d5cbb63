"""Where chunks of work are done, for every verb: threads, processes or a Dask cluster."""

from accelsim.engines.base import ENGINES, Engine, engine_names, load_engine, started

__all__ = ["ENGINES", "Engine", "engine_names", "load_engine", "started"]
