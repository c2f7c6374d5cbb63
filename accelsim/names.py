"""`Registry`: things that users choose by name, imported when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from accelsim.errors import AccelsimError, nearest


class Registry:
    """Names of one kind, each with the place of what it stands for, as "module:attribute".

    Packages add to it by an entry point of the group "accelsim.<kind>", programs by `register`.
    """

    def __init__(self, kind: str, home: dict[str, str]) -> None:
        self.kind = kind
        self._home: dict[str, Any] = dict(home)
        self._asked = False

    def names(self) -> tuple[str, ...]:
        """All names, our own first."""
        self._ask_packages()
        return tuple(self._home)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def check(self, name: object) -> str:
        """The name. Raises AccelsimError where there is none such."""
        if not isinstance(name, str) or (name not in self._home and name not in self.names()):
            known = ", ".join(self.names())
            raise AccelsimError(
                f"{self.kind}: must be one of {known}, but got {name!r:.80}{nearest(str(name), self.names())}"
            )
        return name

    def load(self, name: str) -> Any:
        """What the name stands for. Raises AccelsimError for an unknown name, or one that does not import."""
        target = self._home[self.check(name)]
        if not isinstance(target, str):
            return target
        module, _, attribute = target.partition(":")
        try:
            return getattr(import_module(module), attribute)
        except (ImportError, AttributeError) as fault:
            if module.startswith("accelsim."):
                raise
            raise AccelsimError(f"{self.kind} {name}: {target} cannot be imported: {fault}") from None

    def register(self, name: str, target: Any) -> None:
        """Add a name of an object, or of "module:attribute". Raises AccelsimError if it is taken."""
        if name in self.names():
            raise AccelsimError(f"{self.kind}: the name {name!r} is taken; choose another")
        self._home[name] = target

    def _ask_packages(self) -> None:
        if not self._asked:
            self._asked = True
            for point in entry_points(group=f"accelsim.{self.kind}"):
                self._home.setdefault(point.name, point.value)
