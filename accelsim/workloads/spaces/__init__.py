"""Spaces of subnets: integer genomes in, exact layers out.

`load_space(name)` gives a space, `load(name, encoding)` one of its networks.
"""

from __future__ import annotations

from collections.abc import Callable

from accelsim.errors import AccelsimError, nearest
from accelsim.workloads.network import Network
from accelsim.workloads.spaces.base import Gene, Genomes, Space
from accelsim.workloads.spaces.constraints import Limits
from accelsim.workloads.spaces.nasbench_macro import MacroPlan, MacroSpace
from accelsim.workloads.spaces.ofa_mbv3 import ofa_mbv3
from accelsim.workloads.spaces.ofa_proxyless import ofa_proxyless
from accelsim.workloads.spaces.ofa_resnet50 import OfaResNet50
from accelsim.workloads.spaces.subnet import Subnet

__all__ = [
    "Gene", "Genomes", "Limits", "MacroPlan", "MacroSpace", "Space", "Subnet",
    "load", "load_space", "space_names",
]  # fmt: skip

_SPACES: dict[str, Callable[[], Space]] = {
    "ofa_mbv3": ofa_mbv3,
    "ofa_mbv3_w1.2": lambda: ofa_mbv3(1.2),
    "ofa_proxyless": ofa_proxyless,
    "ofa_resnet50": OfaResNet50,
    "nasbench_macro": MacroSpace,
}


def space_names() -> tuple[str, ...]:
    """Names that `load_space` knows."""
    return tuple(_SPACES)


def load_space(name: str, resolutions: tuple[int, ...] | None = None) -> Space:
    """A space by name, with its own input resolutions or others from 32 to 4096.

    Raises AccelsimError with the nearest name.
    """
    if name not in _SPACES:
        raise AccelsimError(f"unknown space {name!r}{nearest(name, _SPACES)}")
    space = _SPACES[name]()
    return space.at(*resolutions) if resolutions else space


def load(space: str | Space, encoding: str, batch: int = 1, resolution: int | None = None) -> Network:
    """The network of `space:encoding`; `resolution` replaces the encoding's.

    Raises AccelsimError for an unknown space or a choice that is not in it.
    """
    from dataclasses import replace

    if isinstance(space, str):
        space = load_space(space)
    subnet = space.parse(encoding)
    if resolution is not None:
        subnet = replace(subnet, resolution=resolution)
    return space.to_network(subnet, batch)
