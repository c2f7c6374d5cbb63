"""Networks as graphs of loop nests: layers, a builder, a zoo, and readers for JSON and ONNX."""

from __future__ import annotations

from accelsim.workloads.builder import NetworkBuilder
from accelsim.workloads.layer import Layer
from accelsim.workloads.network import Network

__all__ = ["Layer", "Network", "NetworkBuilder"]
