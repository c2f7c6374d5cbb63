"""`ofa_mbv3`: the Once-for-All MobileNetV3 space, width 1.0 and 1.2."""

from __future__ import annotations

from accelsim.workloads.spaces.channels import divisible
from accelsim.workloads.spaces.mbconv import MBConvSpace, Plan, Stage


def ofa_mbv3(width: float = 1.0) -> MBConvSpace:
    """7371^5 = 2.2e19 subnets at each of 25 resolutions (OFA section 4.1; layers from its repository)."""
    stages = ((24, 2, False), (40, 2, True), (80, 2, False), (112, 1, True), (160, 2, True))
    plan = Plan(
        stem=divisible(16 * width),
        first=divisible(16 * width),
        stages=tuple(Stage(divisible(out * width), stride, se) for out, stride, se in stages),
        final=divisible(960 * width),
        mix=divisible(1280 * width),
    )
    return MBConvSpace("ofa_mbv3" if width == 1.0 else f"ofa_mbv3_w{width}", plan)


def ofa_mbv3_wide() -> MBConvSpace:
    """Width 1.2."""
    return ofa_mbv3(1.2)
