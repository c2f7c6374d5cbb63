"""`Registry`: things by name, imported when asked for; other packages add theirs by an entry point."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Generic, TypeVar, cast

from accelsim.errors import AccelsimError, nearest

T = TypeVar("T")


class Registry(Generic[T]):
    """Names of one kind of thing.

    kind   what messages call it
    home   name -> "module:attribute" of what is shipped
    group  entry-point group in which installed packages name theirs; shipped names win
    """

    def __init__(self, kind: str, home: Mapping[str, str], group: str) -> None:
        self.kind = kind
        self.group = group
        self._home = dict(home)
        self._added: dict[str, T] = {}

    def names(self) -> tuple[str, ...]:
        """All names: shipped, registered, and those of installed packages."""
        return tuple(dict.fromkeys((*self._home, *self._added, *self._installed())))

    def check(self, name: object) -> None:
        """Raises AccelsimError for an unknown name."""
        if not isinstance(name, str) or (name not in self._home and name not in self._added):
            known = self.names()
            if name not in known:
                raise AccelsimError(
                    f"{self.kind}: must be one of {', '.join(known)}, but got {name!r}"
                    f"{nearest(str(name), known)}"
                )

    def load(self, name: str) -> T:
        """What a name stands for. Raises AccelsimError for an unknown one."""
        self.check(name)
        if name in self._added:
            return self._added[name]
        if name in self._home:
            module, _, attribute = self._home[name].partition(":")
            return cast(T, getattr(import_module(module), attribute))
        return cast(T, self._installed()[name].load())

    def register(self, name: str, thing: T) -> None:
        """Give a thing a name in this process. Raises AccelsimError for a name that is taken."""
        if name in self.names():
            raise AccelsimError(f"{self.kind}: there is one of the name {name!r} already")
        self._added[name] = thing

    def _installed(self) -> dict[str, Any]:
        from importlib.metadata import entry_points

        return {point.name: point for point in entry_points(group=self.group)}
