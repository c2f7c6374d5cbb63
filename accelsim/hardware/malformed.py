"""Reading JSON that may be malformed: what is of another kind is skipped, its own fault comes elsewhere."""

from __future__ import annotations

from typing import Any


def objects_of(value: Any) -> list[tuple[int, dict[str, Any]]]:
    """Entries of a list that are objects, with their places."""
    return (
        [(i, x) for i, x in enumerate(value) if isinstance(x, dict)]
        if isinstance(value, list | tuple)
        else []
    )


def table_of(value: Any) -> dict[str, Any]:
    """An object with its text keys; empty for anything else."""
    return {k: v for k, v in value.items() if isinstance(k, str)} if isinstance(value, dict) else {}


def count_of(value: Any) -> int | None:
    """A whole number from 1; None for anything else."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def texts_of(value: Any) -> list[str]:
    """Entries of a list that are text."""
    return [x for x in value if isinstance(x, str)] if isinstance(value, list | tuple) else []


def repeated(names: list[str]) -> list[str]:
    """Names that come twice."""
    return sorted({name for name in names if names.count(name) > 1})
