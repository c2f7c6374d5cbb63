"""Results for people: tables on a terminal, CSV, and figures, one call each.

Figures are imported on first use; `save(figure, path)` writes .png, .svg or .pdf.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOME = {
    "array_figure": "array",
    "bench_figure": "bench",
    "energy_figure": "stacks",
    "front_figure": "fronts",
    "hierarchy_figure": "drawings",
    "latency_figure": "stacks",
    "nest_figure": "drawings",
    "look": "style",
    "network_figure": "figures",
    "progress_figure": "search_plot",
    "result_figure": "search_plot",
    "roofline_figure": "roofline",
    "save": "style",
    "search_figure": "fronts",
    "sweep_figure": "sweep_figures",
    "sweep_front_figure": "sweep_figures",
}

__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"accelsim.report.{_HOME[name]}"), name)
    raise AttributeError(f"module 'accelsim.report' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
