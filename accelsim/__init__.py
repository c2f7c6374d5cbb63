"""Hardware-accelerator co-design: price, map and jointly search networks and accelerators.

Everything is imported on first use, so that `import accelsim` and `accelsim --help` are quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOME = {
    "AccelsimError": "accelsim.errors",
    "Accelerator": "accelsim.hardware",
    "Layer": "accelsim.workloads.layer",
    "LayerCost": "accelsim.mapping.cost",
    "MapSpace": "accelsim.mapping.mapspace",
    "Mapping": "accelsim.mapping.mapping",
    "MappingError": "accelsim.mapping.mapping",
    "MappingResult": "accelsim.mapping.found",
    "MemoryPlan": "accelsim.liveness",
    "Network": "accelsim.workloads.network",
    "NetworkBuilder": "accelsim.workloads.builder",
    "NetworkCost": "accelsim.network_cost",
    "NetworkMapping": "accelsim.network_cost",
    "SearchResult": "accelsim.cosearch.result",
    "SweepTable": "accelsim.sweeps",
    "evaluate": "accelsim.costing",
    "hardware_names": "accelsim.hardware",
    "load_hardware": "accelsim.hardware",
    "load_network": "accelsim.workloads.load",
    "load_study": "accelsim.cosearch.run",
    "map_layer": "accelsim.mapping.mapper",
    "map_network": "accelsim.costing",
    "mapper_names": "accelsim.mapping.mapper",
    "memory_plan": "accelsim.liveness",
    "network_names": "accelsim.workloads.load",
    "resume": "accelsim.cosearch.run",
    "search": "accelsim.cosearch.run",
    "sweep": "accelsim.sweeps",
}

__all__ = [
    "Accelerator",
    "AccelsimError",
    "Layer",
    "LayerCost",
    "MapSpace",
    "Mapping",
    "MappingError",
    "MappingResult",
    "MemoryPlan",
    "Network",
    "NetworkBuilder",
    "NetworkCost",
    "NetworkMapping",
    "SearchResult",
    "SweepTable",
    "__version__",
    "evaluate",
    "hardware_names",
    "load_hardware",
    "load_network",
    "load_study",
    "map_layer",
    "map_network",
    "mapper_names",
    "memory_plan",
    "network_names",
    "resume",
    "search",
    "sweep",
]

if TYPE_CHECKING:
    from accelsim.cosearch.result import SearchResult
    from accelsim.cosearch.run import load_study, resume, search
    from accelsim.costing import evaluate, map_network
    from accelsim.errors import AccelsimError
    from accelsim.hardware import Accelerator, hardware_names, load_hardware
    from accelsim.liveness import MemoryPlan, memory_plan
    from accelsim.mapping.cost import LayerCost
    from accelsim.mapping.found import MappingResult
    from accelsim.mapping.mapper import map_layer, mapper_names
    from accelsim.mapping.mapping import Mapping, MappingError
    from accelsim.mapping.mapspace import MapSpace
    from accelsim.network_cost import NetworkCost, NetworkMapping
    from accelsim.sweeps import SweepTable, sweep
    from accelsim.workloads.builder import NetworkBuilder
    from accelsim.workloads.layer import Layer
    from accelsim.workloads.load import load_network, network_names
    from accelsim.workloads.network import Network


def __getattr__(name: str) -> Any:
    if name == "nacos":
        return import_module("accelsim.nacos")
    if name in _HOME:
        value = getattr(import_module(_HOME[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'accelsim' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
