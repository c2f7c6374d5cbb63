"""MAESTRO's notation and hardware file, and what they mean in accelsim's terms."""

from accelsim.mapping.maestro.convert import NoEquivalent, from_mapping, to_mapping
from accelsim.mapping.maestro.machine import MaestroMachine, parse_machine, read_machine
from accelsim.mapping.maestro.notation import (
    Cluster,
    MaestroDataflow,
    MaestroError,
    MaestroLayer,
    MaestroNetwork,
    Map,
    Size,
)
from accelsim.mapping.maestro.parse import parse_dataflow, parse_network, read_dataflow, read_network
from accelsim.mapping.maestro.shipped import dataflow_names, load_dataflow, with_dataflow

__all__ = [
    "Cluster",
    "MaestroDataflow",
    "MaestroError",
    "MaestroLayer",
    "MaestroMachine",
    "MaestroNetwork",
    "Map",
    "NoEquivalent",
    "Size",
    "dataflow_names",
    "from_mapping",
    "load_dataflow",
    "parse_dataflow",
    "parse_machine",
    "parse_network",
    "read_dataflow",
    "read_machine",
    "read_network",
    "to_mapping",
    "with_dataflow",
]
