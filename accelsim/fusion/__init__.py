"""Fused schedules: what a stack of layers costs on a chip, and which stacks are best."""

from __future__ import annotations

from accelsim.fusion.price import price_stack
from accelsim.fusion.room import Room, StackError
from accelsim.fusion.schedule import Stack, read_stacks, write_stacks
from accelsim.fusion.search import FusionCertificate, StackSearch, fuse
from accelsim.fusion.stack_cost import StackCost, StackPiece

__all__ = [
    "FusionCertificate",
    "Room",
    "Stack",
    "StackCost",
    "StackError",
    "StackPiece",
    "StackSearch",
    "fuse",
    "price_stack",
    "read_stacks",
    "write_stacks",
]
