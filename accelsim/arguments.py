"""What callers hand over from Python, checked: a message names the argument, the rule and the value."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from accelsim.errors import AccelsimError


def wrong(what: str, rule: str, value: object) -> AccelsimError:
    """The fault of the argument `what`, which breaks `rule`."""
    return AccelsimError(f"{what}: must be {rule}, but got {value!r:.200}")


def as_path(value: object, what: str) -> Path:
    """A path from text or a path. Raises AccelsimError for anything else."""
    if not isinstance(value, str | os.PathLike) or isinstance(os.fspath(value), bytes):
        raise wrong(what, "a path", value)
    return Path(value)


def as_list(value: Any, what: str, rule: str, *one: type) -> list[Any]:
    """A list of one thing of the types `one`, or of several. Raises AccelsimError for no list."""
    if isinstance(value, one):
        return [value]
    try:
        return list(value)
    except TypeError:
        raise wrong(what, rule, value) from None
