"""A search's result as JSON: what ran, the front, and the base chip on the best design's networks."""

from __future__ import annotations

import json
from typing import Any

from accelsim.cosearch.result import SearchResult


def result_dict(result: SearchResult) -> dict[str, Any]:
    """What `search --json` and `study show --json` print; `accelsim schema study` describes it.

    Rows are those of `to_rows`, best first, units in their keys; what is not known is None. `base` is the
    base chip under its template's mappings on the networks of the best design; None on a microcontroller.
    """
    config, goals = result.config, result.setup.goals
    best = result.best
    device = result.setup.base.microcontroller is not None
    base = None if best is None or device else [_price(one.cost) for one in result.baseline(best)]
    out = {
        "version": 1,
        "study": None if result.path is None else str(result.path),
        "hardware": result.setup.base.name,
        "space": config.space,
        "networks": [str(net["name"]) for net in config.networks],
        "config_hash": config.hash,
        "strategy": config.strategy,
        "optimiser": config.optimiser,
        "mapper": config.mapper,
        "budget": config.budget,
        "seed": config.seed,
        "objectives": list(goals.objectives),
        "limits": dict(goals.limits),
        "metrics": {
            name: {"unit": metric.unit, "maximise": metric.maximise} for name, metric in goals.metrics.items()
        },
        "candidates": len(result),
        "feasible": int(result.as_finished()[1].sum()),
        "generations": len(result.generations),
        "seconds": sum(g.seconds for g in result.generations),
        "interrupted": result.interrupted,
        "exhausted": result.exhausted,
        "drawn_again": result.rejected(),
        "limits_missed": result.missed(),
        "hypervolume": result.hypervolume(),
        "front": [
            result.row(found)
            | {"base": found.base, "freedoms": [str(freedom) for freedom in found.granted]}
            | {"sizes": bool(found.sizes), "near": found.name.near}
            | {"mapper": found.mapper or config.mapper}
            for found in result.front
        ],
        "base": base,
        "accuracy": _source(result),
        "notes": list(result.notes),
    }
    return dict(json.loads(json.dumps(_known(out))))


def _source(result: SearchResult) -> dict[str, Any] | None:
    if result.source is None:
        return None
    source, space = result.source
    return {"kinds": list(source.kinds(space)), "source": source.describe(space), "caution": result.caution}


def _price(cost: Any) -> dict[str, Any]:
    return {
        "network": cost.network.name,
        "latency_s": cost.latency_s,
        "energy_pj": cost.energy_pj,
        "edp_js": cost.edp_js,
    }


def _known(value: Any) -> Any:
    """JSON has no NaN and no infinity: None."""
    if isinstance(value, dict):
        return {key: _known(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_known(item) for item in value]
    return None if isinstance(value, float) and not abs(value) < float("inf") else value
