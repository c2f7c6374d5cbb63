"""`Registry`: things by name, imported when asked for. A name is

- one that is shipped, or that `register` gave in this process;
- one that an installed package gives in its entry points, group `accelsim.<kind>`;
- `package.module:Thing`, anything that can be imported, so that a study or a command line can name it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from accelsim.errors import AccelsimError, nearest


class Registry:
    """Names of one kind of thing.

    kind   what messages call it
    home   name -> "module:attribute" of what is shipped
    group  the entry-point group, `accelsim.<kind>`; shipped names win
    base   "module:Class" that things or their instances belong to; "": anything goes
    """

    def __init__(self, kind: str, home: Mapping[str, str], group: str, base: str = "") -> None:
        self.kind, self.group, self.base = kind, group, base
        self.home = dict(home)
        self._added: dict[str, Any] = {}

    def names(self) -> tuple[str, ...]:
        """All names: shipped, registered, and those of installed packages."""
        own = (name for name in self._added if ":" not in name)
        return tuple(dict.fromkeys((*self.home, *own, *self._installed())))

    def check(self, name: object) -> None:
        """Raises AccelsimError for an unknown name."""
        if not isinstance(name, str) or (name not in self.home and name not in self._added):
            self._found(name)

    def is_foreign(self, name: object) -> bool:
        """Whether to load the name would import what was neither shipped, installed nor registered here."""
        return isinstance(name, str) and ":" in name and not (name in self._added or name in self.names())

    def load(self, name: Any) -> Any:
        """What a name stands for; a thing stands for itself. Raises AccelsimError for anything else."""
        thing = self._found(name)
        if self.base:
            base = _imported(self.base)
            kind = isinstance(thing, type) and issubclass(thing, base)
            maker = isinstance(name, str) and callable(thing) and not isinstance(thing, type)
            if not (isinstance(thing, base) or kind or maker):
                raise AccelsimError(
                    f"{self.kind}: must be a name, or a {base.__name__} or its class, but got {thing!r}"
                )
        return thing

    def make(self, name: Any) -> Any:
        """`load`, a class or function called without arguments."""
        thing = self.load(name)
        return thing if isinstance(thing, _imported(self.base)) else thing()

    def register(self, name: str, thing: Any) -> None:
        """Give a thing a name in this process. Raises AccelsimError for a name that is taken."""
        if name in self.names():
            raise AccelsimError(f"{self.kind}: there is one of the name {name!r} already")
        self._added[name] = thing

    def name_of(self, thing: Any) -> str:
        """A name for a thing, checked: its own if it is one, else where it lives and what it holds.

        A class can be found again by it from anywhere, an instance in this process.
        """
        if isinstance(thing, str):
            self.check(thing)
            return thing
        self.load(thing)
        for name, known in self._added.items():
            if known is thing:
                return name
        kind = thing if isinstance(thing, type) else type(thing)
        name = f"{kind.__module__}:{kind.__qualname__}"
        if kind is not thing:
            held = vars(thing) if hasattr(thing, "__dict__") else {}
            text = ", ".join(f"{key}={value!r}" for key, value in sorted(held.items()))
            name += f"({text if len(text) < 100 else hashlib.sha256(text.encode()).hexdigest()[:16]})"
        self._added[name] = thing
        return name

    def _found(self, name: Any) -> Any:
        if not isinstance(name, str) and self.base:
            return name
        if name in self._added:
            return self._added[name]
        if name in self.home:
            return _imported(self.home[name])
        installed = self._installed()
        if name in installed:
            return installed[name].load()
        if isinstance(name, str) and ":" in name and "(" not in name:
            try:
                return _imported(name)
            except (ImportError, AttributeError, ValueError) as fault:
                raise AccelsimError(f"{self.kind}: cannot import {name!r}: {fault}") from None
        if isinstance(name, str) and ":" in name:
            raise AccelsimError(
                f"{self.kind}: {name!r} was an object of another process; give it again to the same call, or "
                "register it under this name"
            )
        known = self.names()
        raise AccelsimError(
            f"{self.kind}: must be one of {', '.join(known)}, but got {name!r}{nearest(str(name), known)}"
        )

    def _installed(self) -> dict[str, Any]:
        from importlib.metadata import entry_points

        return {point.name: point for point in entry_points(group=self.group)}


def _imported(place: str) -> Any:
    module, _, names = place.partition(":")
    thing = import_module(module)
    for name in names.split("."):
        thing = getattr(thing, name)
    return thing
