"""`Subnet`: the readable form of a genome."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from accelsim.errors import AccelsimError, nearest


@dataclass(frozen=True)
class Subnet(ABC):
    """One network of a space, choices written as values; only active blocks are listed.

    space       name of the space
    resolution  input height and width
    """

    space: str
    resolution: int

    @property
    @abstractmethod
    def encoding(self) -> str:
        """Text of letters, digits, `.`, `-` and `_`; `Space.parse` reads it back."""

    def __str__(self) -> str:
        return f"{self.space}:{self.encoding}"


def fields(text: str, letters: str, example: str, where: str) -> dict[str, str]:
    """Split `r224-d2.3-k35` into `{"r": "224", ...}`: each of `letters` once, joined by dashes.

    Raises AccelsimError with an example.
    """
    out: dict[str, str] = {}
    for item in text.split("-"):
        letter, body = item[:1], item[1:]
        if letter not in letters or not letter or letter in out or not body:
            what = "comes twice" if letter in out else f"is not a field{nearest(letter, letters)}"
            raise AccelsimError(f"{where}: {item!r} in {text!r} {what}; write it like {example}")
        out[letter] = body
    missing = [x for x in letters if x not in out]
    if missing:
        raise AccelsimError(f"{where}: {text!r} lacks {', '.join(missing)}; write it like {example}")
    return out


def number(text: str, what: str, where: str) -> int:
    """A whole number in plain digits."""
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise AccelsimError(f"{where}: {what} must be a whole number, but got {text!r}")
    return int(text)


def numbers(text: str, what: str, where: str) -> tuple[int, ...]:
    """Whole numbers joined by dots."""
    return tuple(number(x, what, where) for x in text.split("."))
