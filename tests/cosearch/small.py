"""A search small enough to run many times."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import accelsim
from accelsim.cosearch.result import SearchResult


def tiny(name: str = "tiny", channels: int = 8) -> dict[str, Any]:
    """A network: a convolution, a depthwise one, a pointwise one and a classifier, in JSON form."""
    net = accelsim.NetworkBuilder(name, 3, 10, 10)
    x = net.conv(net.input, channels, 3, stride=2)
    x = net.depthwise(x, 3)
    x = net.conv(x, 2 * channels, 1)
    return net.build(net.linear(net.global_pool(x), 10)).to_dict()


TINY: dict[str, Any] = {"hardware": "eyeriss", "networks": tiny(), "budget": 20, "population": 8, "finish": 0}
"""About 10 ms a candidate."""

SUBNETS: dict[str, Any] = {
    "hardware": "nvdla_64",
    "space": "ofa_mbv3",
    "resolution": 128,
    "budget": 20,
    "population": 8,
    "finish": 0,
}
"""About 50 ms a candidate."""


MACRO: dict[str, Any] = {
    "hardware": "eyeriss",
    "space": "nasbench_macro",
    "objectives": "edp,macs",
    "fix": "hardware",
    "budget": 20,
    "population": 8,
    "finish": 0,
}
"""21 blocks."""


DEVICE: dict[str, Any] = {
    "hardware": accelsim.load_hardware("mcu_h743").to_dict()
    | {
        "memories": [
            {"name": "Flash", "size_bytes": 2**25, "holds": ["W"]},
            {"name": "SRAM", "size_bytes": 2**21, "holds": ["I", "O"]},
        ]
    },
    "space": "ofa_proxyless",
    "resolution": 128,
    "objectives": "work,peak_memory",
    "population": 8,
    "finish": 0,
}
"""A microcontroller of 32 MiB Flash and 2 MiB SRAM, and one space of networks."""


@contextmanager
def short_local_search() -> Iterator[None]:
    """Few chips and networks around finished designs, for tests of what does not depend on where it ends."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("accelsim.cosearch.near.PRICED", 8)
        patch.setattr("accelsim.cosearch.near.NETWORKS", 60)
        yield


def same(one: SearchResult, two: SearchResult) -> bool:
    """Whether two searches evaluated the same candidates in the same order, to the same bits."""
    return len(one.generations) == len(two.generations) and all(
        a.phase == b.phase
        and a.rows.tobytes() == b.rows.tobytes()
        and a.values.tobytes() == b.values.tobytes()
        and a.excess.tobytes() == b.excess.tobytes()
        and (a.networks, a.hardware, a.rejected, a.rng) == (b.networks, b.hardware, b.rejected, b.rng)
        and a.layers == b.layers  # pairs are mapped again after a break
        for a, b in zip(one.generations, two.generations)
    )
