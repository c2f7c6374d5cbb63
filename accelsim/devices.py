"""`evaluate_device`: what a network takes on a microcontroller, and whether it fits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from accelsim.hardware.microcontroller import controller
from accelsim.liveness import MemoryPlan, Rules, memory_plan
from accelsim.pricing.models.microcontroller import MicrocontrollerModel
from accelsim.pricing.network import NetworkPricer
from accelsim.pricing.run import Run

if TYPE_CHECKING:
    from accelsim.hardware import Accelerator
    from accelsim.workloads.network import Network


@dataclass(frozen=True)
class DeviceCost:
    """A network on a microcontroller; sizes are bytes.

    latency_cycles  multiply-accumulates, of patches done twice too, over the device's rate
    plan            where activations live, with the device's workspaces and code
    sram, flash     what there is
    """

    hardware: Accelerator
    network: Network
    latency_cycles: float
    plan: MemoryPlan
    sram: int
    flash: int

    @property
    def latency_s(self) -> float:
        """Seconds of an inference."""
        return self.latency_cycles / (self.hardware.clock_mhz * 1e6)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of an inference."""
        return self.plan.macs

    @property
    def fits(self) -> bool:
        """Whether SRAM and Flash are large enough."""
        return self.plan.peak <= self.sram and self.plan.flash <= self.flash

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain JSON values."""
        from accelsim import __version__

        return {
            "version": __version__,
            "hardware": self.hardware.name,
            "hardware_hash": self.hardware.hash,
            "network": self.network.name,
            "macs": self.macs,
            "latency_cycles": self.latency_cycles,
            "latency_s": self.latency_s,
            "sram_bytes": self.plan.peak,
            "sram_available_bytes": self.sram,
            "flash_bytes": self.plan.flash,
            "flash_available_bytes": self.flash,
            "fits": self.fits,
            "memory": self.plan.to_dict(),
        }


def evaluate_device(
    hardware: Accelerator,
    network: Network,
    rules: Rules | None = None,
    patches: tuple[str, int] | None = None,
) -> DeviceCost:
    """Latency, SRAM and Flash of a network; rules and patches as in `memory_plan`.

    Raises AccelsimError for hardware that is no microcontroller, and for patches that cannot be cut.
    """
    rate = controller(hardware).macs_per_cycle
    plan = memory_plan(network, hardware, rules, patches=patches)
    found = NetworkPricer(MicrocontrollerModel()).price([Run(hardware, network)])
    twice = (plan.macs - network.macs) / rate
    flash, sram = (int(memory.total_bytes) for memory in hardware.memories)
    return DeviceCost(hardware, network, float(found.latency_cycles[0]) + twice, plan, sram, flash)
