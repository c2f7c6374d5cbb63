"""A network with every kind of layer, small enough for the exact mapper."""

from __future__ import annotations

import accelsim
from accelsim.workloads.network import Network
from tests.mapping.invented import INVENTED, OPEN

MACHINES = [*INVENTED, "open", "eyeriss", "shidiannao", "example", "edgetpu"]


def machine(name: str) -> accelsim.Accelerator:
    """Invented, without a `dataflow`, or shipped."""
    return accelsim.load_hardware((INVENTED | {"open": OPEN}).get(name, name))


def every_kind() -> Network:
    """conv, depthwise, pool, eltwise and gemm."""
    net = accelsim.NetworkBuilder("every", 3, 12, 12)
    x = net.conv(net.input, 12, 3, stride=2)
    y = net.depthwise(x, 3)
    z = net.add(net.conv(y, 12, 1), x)
    return net.build(net.linear(net.global_pool(z), 10))
