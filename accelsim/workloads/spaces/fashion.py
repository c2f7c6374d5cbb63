"""`fashion`: small MBConv networks for Fashion-MNIST, whose weights one trained network shares.

A space of ours: small enough that the shared weights train in minutes on one core, and ship. Source of the
images: Xiao, Rasul and Vollgraf, "Fashion-MNIST", 2017 (arXiv 1708.07747).
"""

from __future__ import annotations

from accelsim.workloads.spaces.mbconv import MBConvSpace, Plan, Stage

RESOLUTIONS = (12, 16, 20, 24, 28)
"""The images are 28 x 28; smaller ones cost accuracy, so that the space covers a wide range of it."""


def fashion() -> MBConvSpace:
    """258^3 = 1.7e7 subnets at each of five resolutions; one grey channel, ten classes."""
    plan = Plan(
        stem=8,
        first=8,
        stages=tuple(Stage(out, stride, depths=(1, 2, 3)) for out, stride in ((12, 2), (16, 2), (24, 1))),
        final=0,
        classes=10,
        kernels=(3, 5),
        expansions=(2, 3, 4),
        channels=1,
        least_resolution=8,
    )
    return MBConvSpace("fashion", plan, RESOLUTIONS)
