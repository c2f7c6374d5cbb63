"""`Microcontroller`: what a hardware file says of a processor that runs networks in software."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from accelsim.errors import AccelsimError
from accelsim.hardware.fields import Rate, Sourced, WholeNumber

if TYPE_CHECKING:
    from accelsim.hardware.accelerator import Accelerator

Bytes = Annotated[int, WholeNumber(0)]


class Microcontroller(Sourced):
    """A core with Flash for weights and code and SRAM for activations: no mappings, a rate of MACs."""

    macs_per_cycle: Rate = Field(description="Multiply-accumulates a cycle, averaged over whole networks.")
    code_bytes: Bytes = Field(default=0, description="Flash that code takes beside the weights.")
    runtime_bytes: Bytes = Field(default=0, description="SRAM that is never there for tensors.")
    workspace: Literal["none", "tinyengine"] = Field(
        default="none", description="Buffers of its kernels beside the tensors, as in `accelsim memory`."
    )
    alignment: Annotated[int, WholeNumber(1, 4096)] = Field(
        default=1, description="Bytes that each tensor is rounded up to."
    )


def controller(hardware: Accelerator) -> Microcontroller:
    """What makes a microcontroller of a machine. Raises AccelsimError where it is none."""
    if hardware.microcontroller is None:
        raise AccelsimError(
            f"{hardware.name}: is no microcontroller: its file has no section of that name, with a rate"
        )
    return hardware.microcontroller


def refuse(hardware: Accelerator) -> None:
    """Raise AccelsimError for a microcontroller, which knows no mappings."""
    if hardware.microcontroller is not None:
        raise AccelsimError(
            f"{hardware.name}: is a microcontroller, whose kernels are fixed code without mappings to price "
            "or search; it has: accelsim evaluate DEVICE NETWORK, accelsim memory NETWORK --hardware DEVICE, "
            "accelsim search DEVICE --strategy holistic"
        )
