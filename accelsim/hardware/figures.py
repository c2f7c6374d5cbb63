"""Figures of a memory that a file writes as one number or as one for each tensor, and its ports."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from accelsim.hardware.fields import BytesPerCycle, Count, Energy, Section, is_number

WAYS: tuple[Literal["read", "write"], ...] = ("read", "write")


class BytesPerTensor(Section):
    """A part of the memory for each tensor it holds."""

    W: Count | None = Field(default=None, description="Bytes for weights.")
    I: Count | None = Field(default=None, description="Bytes for inputs.")
    O: Count | None = Field(default=None, description="Bytes for outputs and partial sums.")


class BanksPerTensor(Section):
    """Number of banks of each tensor's part."""

    W: Count | None = Field(default=None, description="Banks of the weights' part.")
    I: Count | None = Field(default=None, description="Banks of the inputs' part.")
    O: Count | None = Field(default=None, description="Banks of the outputs' part.")


class EnergyPerTensor(Section):
    """A figure for each tensor; a missing one comes from the fit."""

    W: Energy | None = Field(default=None, description="pJ for weights.")
    I: Energy | None = Field(default=None, description="pJ for inputs.")
    O: Energy | None = Field(default=None, description="pJ for outputs and partial sums.")


class Ports(Section):
    """A read and a write port, in bytes per cycle and instance; missing or null = the default."""

    read: BytesPerCycle | None = Field(default=None, description="Read port, bytes per cycle.")
    write: BytesPerCycle | None = Field(default=None, description="Write port, bytes per cycle.")


class OnePort(Section):
    """One port on which all reads and writes take turns, like the data bus of a DRAM."""

    read_write: BytesPerCycle = Field(description="Bytes per cycle, both directions together.")


class PortsPerTensor(Section):
    """Own ports for each tensor; missing or null = the default."""

    W: Ports | None = Field(default=None, description="Ports of the weights.")
    I: Ports | None = Field(default=None, description="Ports of the inputs.")
    O: Ports | None = Field(default=None, description="Ports of the outputs and partial sums.")


User = Literal["read", "write", "read W", "read I", "read O", "write W", "write I", "write O"]
"""A tensor and a direction, or all tensors in one direction."""


class SharedPort(Section):
    """One port and who takes turns on it."""

    bytes_per_cycle: BytesPerCycle = Field(description="Bytes per cycle, all users together.")
    users: tuple[User, ...] = Field(
        min_length=1, max_length=6, description='Who uses it: "read", "write", or "read W" and so on.'
    )


class SeparatePorts(Section):
    """Ports that each serve one tensor only."""

    ports: PortsPerTensor = Field(description="Ports by tensor.")


class ListedPorts(Section):
    """Any ports, each with its users."""

    ports: tuple[SharedPort, ...] = Field(
        min_length=1, max_length=6, description="Ports and who takes turns on each."
    )


def _form(value: Any) -> str | None:
    """Which way a value is written; tags start with ~ so that they can be told from keys."""
    if isinstance(value, dict):
        if "ports" in value:
            return "~list" if isinstance(value["ports"], list | tuple) else "~ports"
        return "~one" if "read_write" in value else "~object"
    if isinstance(value, Section):
        kinds = {SeparatePorts: "~ports", ListedPorts: "~list", OnePort: "~one"}
        return kinds.get(type(value), "~object")
    return "~number" if is_number(value) else None


def _one_or_each(what: str) -> Discriminator:
    """Tells a number from an object with one per tensor."""
    return Discriminator(
        lambda v: "~object" if isinstance(v, dict | Section) else _form(v),
        custom_error_type="form",
        custom_error_message=f"must be {what}, or an object with one for each of W, I, O",
    )


Size = Annotated[
    Annotated[Count, Tag("~number")] | Annotated[BytesPerTensor, Tag("~object")],
    _one_or_each("a whole number of bytes, null"),
]
Banks = Annotated[
    Annotated[Count, Tag("~number")] | Annotated[BanksPerTensor, Tag("~object")],
    _one_or_each("a whole number of banks"),
]
EnergyFigure = Annotated[
    Annotated[Energy, Tag("~number")] | Annotated[EnergyPerTensor, Tag("~object")],
    _one_or_each("a number of pJ"),
]
Bandwidth = Annotated[
    Annotated[BytesPerCycle, Tag("~number")]
    | Annotated[Ports, Tag("~object")]
    | Annotated[OnePort, Tag("~one")]
    | Annotated[SeparatePorts, Tag("~ports")]
    | Annotated[ListedPorts, Tag("~list")],
    Discriminator(
        _form,
        custom_error_type="form",
        custom_error_message="must be a number of bytes per cycle, null, "
        'an object {"read", "write"}, {"read_write"}, {"ports": {"W": {"read", "write"}, ...}}, or '
        '{"ports": [{"bytes_per_cycle", "users"}, ...]}',
    ),
]


def of_tensor(value: Any, tensor: str) -> Any:
    """The figure of a tensor, of one number or of an object per tensor."""
    return getattr(value, tensor, None) if isinstance(value, Section) else value
