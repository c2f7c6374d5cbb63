"""The one base class of every fault that a user can mend, and what makes text from outside fit to print."""

from __future__ import annotations

import copyreg
import difflib
import re
from collections.abc import Iterable
from typing import Any

MOST = 4000
"""Characters of a message."""

_LONG = re.compile(r"[^\s]{401,}")
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
"""Control characters but tab and line feed, what turns the direction of text round, halves of characters."""


def printable(text: str) -> str:
    """Text from a file or a command, with what a terminal would obey written as an escape, like \\x1b."""
    return _UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def message_text(text: str) -> str:
    """A message fit to print: no control characters, long words and long texts cut in the middle."""
    text = _LONG.sub(lambda word: _cut(word[0], 200), printable(text))
    return _cut(text, MOST)


def _cut(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    left, right = most * 2 // 3, most // 4
    return f"{text[:left]}...({len(text) - left - right} characters)...{text[-right:]}"


class AccelsimError(ValueError):
    """Bad input: the message states the rule, the values and the place. The CLI prints it and exits 2."""

    def __init__(self, message: object = "") -> None:
        super().__init__(message_text(str(message)))

    def __reduce__(self) -> tuple[Any, ...]:
        """Workers send faults back by pickle, whatever a subclass asks its caller for."""
        return copyreg.__newobj__, (type(self), *self.args), self.__dict__ or None  # type: ignore[attr-defined]


def nearest(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` for the closest known word or the only one that begins so, else all of them."""
    names = sorted(known)
    return _close(word, names) or f"; known: {', '.join(names)}"


def not_one_of(word: object, known: Iterable[str]) -> str:
    """`must be one of a, b, but got 'x'`, and the closest of them where one is close."""
    names = [*known]
    return f"must be one of {', '.join(names)}, but got {word!r:.80}{_close(word, sorted(names))}"


def _close(word: object, names: list[str]) -> str:
    asked = str(word)[:200].lower()
    close = difflib.get_close_matches(asked, names, n=1, cutoff=0.6)
    begin = [name for name in names if len(asked) > 2 and name.lower().startswith(asked)]
    if not close and len(begin) == 1:
        close = begin
    return f"; did you mean {close[0]!r}?" if close else ""
