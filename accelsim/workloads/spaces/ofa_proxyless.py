"""`ofa_proxyless`: the Once-for-All ProxylessNAS space, width 1.3."""

from __future__ import annotations

from accelsim.workloads.spaces.channels import divisible
from accelsim.workloads.spaces.mbconv import MBConvSpace, Plan, Stage

WIDTH = 1.3


def ofa_proxyless() -> MBConvSpace:
    """7371^5 x 9 = 2.0e20 subnets at each of 25 resolutions (layer table from OFA's repository).

    No squeeze-excite; the last stage has one block of free kernel and expansion.
    """
    stages = ((24, 2), (40, 2), (80, 2), (96, 1), (192, 2))
    plan = Plan(
        stem=divisible(32 * WIDTH),
        first=divisible(16 * WIDTH),
        stages=(
            *(Stage(divisible(out * WIDTH), stride) for out, stride in stages),
            Stage(divisible(320 * WIDTH), 1, depths=(1,)),
        ),
        final=divisible(1280 * WIDTH),
    )
    return MBConvSpace("ofa_proxyless", plan)
