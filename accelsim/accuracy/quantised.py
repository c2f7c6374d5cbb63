"""Top-1 of networks by the widths of their weights and activations, as published; nothing is derived."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from accelsim.accuracy.base import AccuracyError, AccuracyValue

if TYPE_CHECKING:
    from accelsim.workloads.network import Network

Widths = tuple[int, int]
"""Bits of weights, bits of activations."""


def quantised(networks: Sequence[Network], widths: Sequence[Widths]) -> dict[Widths, AccuracyValue]:
    """What is published for one network at each of some widths.

    A network is told by its name and its multiply-accumulates. Raises AccuracyError where no table has it,
    and for a network with layers in precisions of their own: what a mixture loses is nowhere stated.
    """
    document = _document()
    known: dict[str, Any] = document["networks"]
    names = [network.name for network in networks]
    one = known.get(names[0]) if len(names) == 1 else None
    if one is None or one["macs"] != networks[0].macs:
        raise AccuracyError(
            f"accuracy by precision is published for {' and for '.join(known)}, not for {', '.join(names)}"
            + (f" of {networks[0].macs:,} MACs" if len(names) == 1 and names[0] in known else "")
        )
    mixed = [layer.name for layer in networks[0].layers if any(layer.bits)]
    if mixed:
        raise AccuracyError(
            f"accuracy by precision is published where all layers are in the chip's, but {len(mixed)} layers "
            f"of {names[0]} have precisions of their own, the first {mixed[0]}"
        )
    out = {
        (row["weight"], row["activation"]): AccuracyValue(
            row["value"], "published", document["source"], row["error"]
        )
        for row in one["top1"]
    }
    for pair in widths:
        if pair not in out:
            told = ", ".join(f"{weight} and {activation}" for weight, activation in out)
            raise AccuracyError(
                f"accuracy of {names[0]} with weights of {pair[0]} and activations of {pair[1]} bits is not "
                f"published in the table; it has {told}"
            )
    return {pair: out[pair] for pair in widths}


@cache
def _document() -> dict[str, Any]:
    text = files("accelsim.accuracy").joinpath("data", "quantised.json").read_text(encoding="utf-8")
    return dict(json.loads(text))
