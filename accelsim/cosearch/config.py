"""`SearchConfig`: everything that decides a search's result."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

ABSENT: dict[str, Any] = {
    "fuse": "none",
    "screen": False,
    "weights": [],
    "around": False,
    "layer_precision": [],
}
"""Settings that the JSON form leaves out where they are this."""


@dataclass(frozen=True)
class SearchConfig:
    """Plain values. Equal hashes give equal searches, on the same versions of the libraries.

    hardware  JSON form of the base chip; its `search` section spans the chips
    space     name of a space of subnets, or None with `networks` in JSON form
    mapper, budget, seed  see `Way`; budget None: no limit
    model     name of the cost model that prices the layers
    fuse      auto: candidates are priced with the best stacks found for them, too; none; or stacks of the
              network in JSON form, with which they are priced
    screen    whether candidates that cannot enter the front are not mapped in full, see `screen`
    weights   of the networks in geometric means; empty: all alike
    around    whether the first generation begins with the base chip and chips around it, as new searches do
    layer_precision  bits of (weights, activations) that each layer may have, see `mixed`; empty: the chip's
    """

    hardware: dict[str, Any]
    space: str | None
    networks: tuple[dict[str, Any], ...]
    batch: int
    resolutions: tuple[int, ...]
    objectives: tuple[str, ...]
    limits: dict[str, float]
    strategy: str
    optimiser: str
    population: int
    mapper: str
    budget: int | None
    seed: int
    fix: tuple[str, ...]
    accuracy: str
    accuracy_hash: str = field(default="")
    model: str = "accelsim"
    fuse: str | list[dict[str, Any]] = "none"
    screen: bool = False
    weights: tuple[float, ...] = ()
    around: bool = False
    layer_precision: tuple[tuple[int, int], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON form; what is `ABSENT` only where it says something, as older studies had none."""
        out = dict(json.loads(json.dumps(asdict(self))))
        return {name: value for name, value in out.items() if name not in ABSENT or value != ABSENT[name]}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> SearchConfig:
        """Read the JSON form back."""
        data = dict(data)
        for name in ("networks", "resolutions", "objectives", "fix"):
            data[name] = tuple(data[name])
        data["weights"] = tuple(data.get("weights", ()))
        data["layer_precision"] = tuple((w, a) for w, a in data.get("layer_precision", ()))
        return cls(**data)

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the canonical JSON."""
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()
