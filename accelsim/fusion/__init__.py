"""Fused schedules: what a stack of layers costs on a chip, and which stacks are best."""

from __future__ import annotations

from accelsim.fusion.price import price_stack
from accelsim.fusion.room import Room, StackError
from accelsim.fusion.schedule import Stack, read_stacks, write_stacks
from accelsim.fusion.search import FusionCertificate, Search, fuse
from accelsim.fusion.stack_cost import Piece, StackCost

__all__ = [
    "FusionCertificate",
    "Piece",
    "Room",
    "Search",
    "Stack",
    "StackCost",
    "StackError",
    "fuse",
    "price_stack",
    "read_stacks",
    "write_stacks",
]
