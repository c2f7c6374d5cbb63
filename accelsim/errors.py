"""The one base class of every fault that a user can mend."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class AccelsimError(ValueError):
    """Bad input: the message states the rule, the values and the place. The CLI prints it and exits 2."""


def nearest(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` for the closest known word, else the list of known words."""
    names = sorted(known)
    close = difflib.get_close_matches(str(word).lower(), names, n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(names)}"
