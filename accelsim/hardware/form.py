"""The JSON form of a machine: keys that describe and do not count, and the source of each number."""

from __future__ import annotations

from typing import Any

UNCOUNTED = ("notes", "source", "sources")
"""Keys that describe and do not count."""


def has_sources(value: Any) -> bool:
    """Whether anything in a JSON form names a source by key."""
    if isinstance(value, dict):
        return "sources" in value or any(map(has_sources, value.values()))
    return isinstance(value, list) and any(map(has_sources, value))


def with_sources_of(short: Any, full: Any) -> Any:
    """`short` with what `full` has at keys that name a source."""
    if isinstance(short, list):
        return [with_sources_of(a, b) for a, b in zip(short, full, strict=True)]
    if not isinstance(short, dict):
        return short
    out = {key: with_sources_of(item, full[key]) for key, item in short.items()}
    return out | {key: full[key] for key in short.get("sources", {}) if key not in short}


def without_sources(value: Any) -> Any:
    """JSON form without the keys that describe and do not count."""
    if isinstance(value, dict):
        counted = {k: v for k, v in value.items() if k not in UNCOUNTED}
        out = {k: without_sources(v) for k, v in counted.items()}
        # An object that only said where defaults come from says nothing.
        return {k: v for k, v in out.items() if v != {} or counted[k] == {}}
    return [without_sources(v) for v in value] if isinstance(value, list) else value


def trace(value: Any, path: str, source: str | None, out: dict[str, str | None]) -> None:
    """Enter JSON path -> source of every number into `out`; `source` is that of what surrounds it."""
    if isinstance(value, dict):
        named = value.get("sources", {})
        for key, item in value.items():
            if key != "sources":
                trace(item, f"{path}.{key}" if path else key, named.get(key, source), out)
    elif isinstance(value, list):
        for i, item in enumerate(value):
            trace(item, f"{path}[{i}]", source, out)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        out[path] = source
