"""Networks as graphs of loop nests: layers, a builder, a zoo, subnet spaces, JSON and ONNX readers."""

from __future__ import annotations

from accelsim.workloads.builder import NetworkBuilder
from accelsim.workloads.layer import Layer
from accelsim.workloads.load import load_network, network_names
from accelsim.workloads.network import Network

__all__ = ["Layer", "Network", "NetworkBuilder", "load_network", "network_names"]
