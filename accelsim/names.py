"""`Registry`: things by name, imported when asked for. A name is

- one that is shipped, or that `register` gave in this process;
- one that an installed package gives in its entry points, group `accelsim.<kind>`;
- `package.module:Thing`, anything that can be imported, so that a study or a command line can name it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib import import_module
from typing import Any, TypeVar

from accelsim.errors import AccelsimError, not_one_of

_Given = TypeVar("_Given")


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
        """What a name stands for; a thing stands for itself. Raises AccelsimError for anything else.

        A function that makes a thing must have a name of its own; of those elsewhere, `make` takes any.
        """
        thing = self._found(name)
        maker = isinstance(name, str) and ":" not in name and callable(thing)
        if not (maker or self._is_kind(thing)):
            raise self._wrong(name, thing)
        return thing

    def make(self, name: Any) -> Any:
        """`load`, a class or any function called without arguments. Raises AccelsimError as well."""
        thing = self._found(name)
        if isinstance(thing, _imported(self.base)):
            return thing
        if not (self._is_kind(thing) or (isinstance(name, str) and callable(thing))):
            raise self._wrong(name, thing)
        made = self._called(name, thing)
        if not isinstance(made, _imported(self.base)):
            raise self._wrong(name, made)
        return made

    def call(self, name: str, gives: type[_Given], *arguments: Any) -> _Given:
        """What the function of a name gives. Raises AccelsimError where one from elsewhere gives no such."""
        made = self._called(name, self.load(name), *arguments)
        if not isinstance(made, gives):
            raise AccelsimError(
                f"{self.kind}: {name!r} must give a {gives.__name__}, but gave a {type(made).__name__}"
            )
        return made

    def _called(self, name: Any, thing: Any, *arguments: Any) -> Any:
        if not isinstance(name, str) or ":" not in name:
            return thing(*arguments)
        try:
            return thing(*arguments)
        except AccelsimError:
            raise
        except (Exception, SystemExit) as fault:
            raise AccelsimError(
                f"{self.kind}: {name!r} cannot be called as one: {type(fault).__name__}: {fault}"
            ) from fault

    def _is_kind(self, thing: Any) -> bool:
        if not self.base:
            return True
        base = _imported(self.base)
        return isinstance(thing, base) or (isinstance(thing, type) and issubclass(thing, base))

    def _wrong(self, name: Any, thing: Any) -> AccelsimError:
        """Says no more than the type of what a name stands for, which may hold what is not to be shown."""
        base = _imported(self.base).__name__
        got = f"{name!r} is a {type(thing).__name__}" if isinstance(name, str) else f"got {thing!r}"
        return AccelsimError(f"{self.kind}: must be a name, or a {base} or its class, but {got}")

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
        raise AccelsimError(f"{self.kind}: {not_one_of(name, self.names())}")

    def _installed(self) -> dict[str, Any]:
        from importlib.metadata import entry_points

        return {point.name: point for point in entry_points(group=self.group)}


def _imported(place: str) -> Any:
    module, _, names = place.partition(":")
    thing = import_module(module)
    for name in names.split("."):
        thing = getattr(thing, name)
    return thing
