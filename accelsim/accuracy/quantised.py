"""Top-1 of networks by the widths of their weights and activations, as published; nothing is derived."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
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
    out = _published(networks)
    for pair in widths:
        if pair not in out:
            raise AccuracyError(
                f"accuracy of {networks[0].name} with weights of {pair[0]} and activations of {pair[1]} bits "
                f"is not published in the table; it has {_told(out)}"
            )
    return {pair: out[pair] for pair in widths}


def floors(networks: Sequence[Network], widths: Sequence[Widths]) -> dict[Widths, AccuracyValue]:
    """All that is published for one network, if `floor` can say something of any mixture of some widths.

    Raises AccuracyError as `quantised`, and where nothing as narrow as the narrowest is published.
    """
    out = _published(networks)
    least = min(weight for weight, _ in widths), min(activation for _, activation in widths)
    if not any(_within(pair, least) for pair in out):
        raise AccuracyError(
            f"accuracy of {networks[0].name} with weights of {least[0]} and activations of {least[1]} bits "
            f"in some layers cannot be bounded: nothing as narrow is published; the table has {_told(out)}"
        )
    return out


def floor(published: dict[Widths, AccuracyValue], used: Collection[Widths]) -> AccuracyValue:
    """Top-1 of a network whose layers have some widths: published where they are one, else a bound.

    The bound is an assumption: a mixture is taken to do no worse than the network with all layers at the
    narrowest weights and the narrowest activations that any has. Its error reaches up to the best that is
    published, with that one's error.
    """
    pairs = set(used)
    if len(pairs) == 1 and (alone := published.get(next(iter(pairs)))) is not None:
        return alone
    least = min(weight for weight, _ in pairs), min(activation for _, activation in pairs)
    below = max(
        (pair for pair in published if _within(pair, least)), key=lambda pair: (pair[0] * pair[1], pair)
    )
    found = published[below]
    top = max(one.value + one.error for one in published.values())
    source = f"not below {below[0]} and {below[1]} bits everywhere, an assumption; {found.source}"
    return AccuracyValue(found.value, found.kind, source, max(found.error, top - found.value))


def _within(pair: Widths, other: Widths) -> bool:
    return pair[0] <= other[0] and pair[1] <= other[1]


def _told(published: dict[Widths, AccuracyValue]) -> str:
    return ", ".join(f"{weight} and {activation}" for weight, activation in published)


def _published(networks: Sequence[Network]) -> dict[Widths, AccuracyValue]:
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
    return {
        (row["weight"], row["activation"]): AccuracyValue(
            row["value"], "published", document["source"], row["error"]
        )
        for row in one["top1"]
    }


@cache
def _document() -> dict[str, Any]:
    text = files("accelsim.accuracy").joinpath("data", "quantised.json").read_text(encoding="utf-8")
    return dict(json.loads(text))
