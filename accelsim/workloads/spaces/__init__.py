"""Spaces of subnets: integer genomes in, exact layers out.

`load_space(name)` gives a space, `load(name, encoding)` one of its networks.
"""

from __future__ import annotations

from accelsim.names import Registry
from accelsim.workloads.network import Network
from accelsim.workloads.spaces.base import Gene, Genomes, Space
from accelsim.workloads.spaces.constraints import Limits
from accelsim.workloads.spaces.nasbench_macro import MacroPlan, MacroSpace
from accelsim.workloads.spaces.subnet import Subnet

__all__ = [
    "Gene", "Genomes", "Limits", "MacroPlan", "MacroSpace", "Space", "Subnet",
    "load", "load_space", "space_names",
]  # fmt: skip

_HERE = "accelsim.workloads.spaces"

SPACES = Registry(
    "space",
    {
        "ofa_mbv3": f"{_HERE}.ofa_mbv3:ofa_mbv3",
        "ofa_mbv3_w1.2": f"{_HERE}.ofa_mbv3:ofa_mbv3_wide",
        "ofa_proxyless": f"{_HERE}.ofa_proxyless:ofa_proxyless",
        "ofa_resnet50": f"{_HERE}.ofa_resnet50:OfaResNet50",
        "fashion": f"{_HERE}.fashion:fashion",
        "mcunet": f"{_HERE}.mcunet:McuNet",
        "nasbench_macro": f"{_HERE}.nasbench_macro:MacroSpace",
        "wdsr_x2": f"{_HERE}.wdsr:WdsrSpace",
        "vit": f"{_HERE}.vit:VitSpace",
    },
    "accelsim.space",
    f"{_HERE}.base:Space",
)
"""Functions without arguments that give a `Space`, or spaces."""


def space_names() -> tuple[str, ...]:
    """Names that `load_space` knows."""
    return SPACES.names()


def load_space(name: str | Space, resolutions: tuple[int, ...] | None = None) -> Space:
    """A space by name, or as it is, with its own input resolutions or others from 32 to 4096.

    Raises AccelsimError with the nearest name.
    """
    space: Space = SPACES.make(name)
    return space.at(*resolutions) if resolutions else space


def load(space: str | Space, encoding: str, batch: int = 1, resolution: int | None = None) -> Network:
    """The network of `space:encoding`; `resolution` replaces the encoding's.

    Raises AccelsimError for an unknown space or a choice that is not in it.
    """
    from dataclasses import replace

    space = load_space(space)
    subnet = space.parse(encoding)
    if resolution is not None:
        subnet = replace(subnet, resolution=resolution)
    return space.to_network(subnet, batch)
