"""How fast the cost model is on this machine."""

from accelsim.bench.speed import LAYERS, MACHINES, Speed, bench, prepared

__all__ = ["LAYERS", "MACHINES", "Speed", "bench", "prepared"]
