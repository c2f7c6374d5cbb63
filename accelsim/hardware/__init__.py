"""Accelerators: the JSON description, its checks, and the default energy and area."""

from accelsim.hardware.accelerator import Accelerator, json_schema
from accelsim.hardware.axis import Axis
from accelsim.hardware.faults import HardwareError
from accelsim.hardware.loader import hardware_names, load_hardware, microcontroller_names
from accelsim.hardware.memory import Memory

__all__ = [
    "Accelerator",
    "Axis",
    "HardwareError",
    "Memory",
    "hardware_names",
    "json_schema",
    "load_hardware",
    "microcontroller_names",
]
