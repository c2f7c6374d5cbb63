"""How fast the cost model is on this machine."""

from accelsim.bench.speed import LAYERS, MACHINES, Speed, bench, prepared
from accelsim.bench.waits import Waits, whole

__all__ = ["LAYERS", "MACHINES", "Speed", "Waits", "bench", "prepared", "whole"]
