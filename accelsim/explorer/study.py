"""What the page shows of a search: every candidate, the front, and the front's designs in detail."""

from __future__ import annotations

import math
from typing import Any

from accelsim.cosearch.found import Found
from accelsim.cosearch.metrics import mean
from accelsim.cosearch.result import SearchResult
from accelsim.explorer.cost import cost_data
from accelsim.report.design import describe
from accelsim.report.search import ran


def study_page(result: SearchResult, *, designs: int = 8, live: bool = False) -> dict[str, Any]:
    """The page of a search; `designs` of its front, evenly spaced, are mapped again and drawn in detail.

    Its rows are the candidates, then what the front has beside them: on the base chip, or around a candidate.
    """
    rows = result.to_rows()
    if not rows:
        return _empty(result, live)
    home = [found for found in result.front if not found.evaluated]
    place = {found.name: len(rows) + i for i, found in enumerate(home)}
    front = [place.get(found.name, found.index) for found in result.front]
    rows += [result.row(found) for found in home]
    names = list(rows[0])
    metrics = result.setup.goals.metrics
    metric = {name: result.key_of(name) for name in metrics}
    columns = [
        {
            "name": name,
            "numeric": isinstance(rows[0][name], int | float) and not isinstance(rows[0][name], bool),
            "metric": name in metric.values(),
            "log": any(metrics[short].logarithmic for short, column in metric.items() if column == name),
        }
        for name in names
    ]
    goals = result.setup.goals
    first = metric[goals.objectives[0]]
    page: dict[str, Any] = {
        "kind": "study",
        "title": result.brief(),
        "summary": ran(result).replace("\n", "; "),
        "live": live,
        "columns": columns,
        "rows": [[_plain(row[name]) for name in names] for row in rows],
        "candidates": len(rows) - len(home),
        "names": {place[found.name]: found.called for found in home},
        "front": front,
        "objectives": [metric[name] for name in goals.objectives],
        "maximise": [metric[name] for name in metric if metrics[name].maximise],
        "second": metric.get("area", first),
        "latency": metric.get("latency", first),
        "energy": metric.get("energy", first),
        "base": None,
        "designs": {},
    }
    if result.best is None or live:
        return page
    step = max(1.0, (len(front) - 1) / max(designs - 1, 1))
    for shown in sorted({round(i * step) for i in range(designs) if round(i * step) < len(front)}):
        page["designs"][front[shown]] = _design(result, result.front[shown], metric)
    return page | _base(result, metric)


def _empty(result: SearchResult, live: bool) -> dict[str, Any]:
    columns = [{"name": "candidate", "numeric": True, "metric": False, "log": False}]
    same = dict.fromkeys(("second", "latency", "energy"), "candidate")
    return {
        "kind": "study", "title": result.setup.base.name, "summary": "no candidate yet", "live": live,
        "columns": columns, "rows": [], "candidates": 0, "names": {}, "front": [],
        "objectives": ["candidate"], "maximise": [], "base": None, "designs": {}, **same,
    }  # fmt: skip


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _design(result: SearchResult, found: Found, metric: dict[str, str]) -> dict[str, Any]:
    design = result.design(found)
    costs = [mapped.cost.to_dict() for mapped in result.mappings(found)]
    return {
        "title": f"Design {found.called}: {design.label}",
        "figures": {metric[name]: _plain(value) for name, value in found.metrics.items()},
        "chip": describe(design.chip),
        "costs": [cost_data(cost, i) for i, cost in enumerate(costs)],
    }


def _base(result: SearchResult, metric: dict[str, str]) -> dict[str, Any]:
    """The base chip on the networks of the best design, with the search's mapper."""
    assert result.best is not None
    joint = result.config.strategy == "joint"
    mapped = result.baseline(result.best, "template" if joint else result.config.mapper)
    costs = [one.cost for one in mapped]
    weights = result.config.weights
    latency = mean((cost.latency_s for cost in costs), weights)
    energy = mean((cost.energy_pj * 1e-12 for cost in costs), weights)
    base = result.setup.base
    known = {
        "latency": latency, "energy": energy, "edp": latency * energy, "power": energy / latency * 1e3,
        "area": base.area_mm2, "macs": mean((float(cost.macs) for cost in costs), weights),
        "accuracy": result.best.metrics.get("accuracy"),
    }  # fmt: skip
    figures = {metric[name]: _plain(value) for name, value in known.items() if name in metric}
    label = f"{base.name} itself, on the best design's network"
    return {
        "base": {"label": label, **figures},
        "base_design": {
            "title": label,
            "figures": figures,
            "chip": describe(base),
            "costs": [cost_data(cost.to_dict(), i) for i, cost in enumerate(costs)],
        },
    }
