"""`Finished`: a design with mappings worth reporting, and its name among the designs of a search."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, NamedTuple

from accelsim.hardware.freedom import Freedom

Granted = tuple[Freedom, ...]


class Name(NamedTuple):
    """What tells a design from others.

    candidate  the one whose network, and unless `base` whose chip it is, or around which it was found
    base       whether it is the base chip instead
    granted    freedoms that the base chip has here
    genome     genes in place of the candidate's, of the same phase; none: the candidate's own
    sizes      genes of a chip with the base's axes and `granted` (`ChipSpace` with `sizes_only`); none: the
               base's own sizes and ports
    """

    candidate: int
    base: bool = False
    granted: Granted = ()
    genome: tuple[int, ...] = ()
    sizes: tuple[int, ...] = ()

    @property
    def near(self) -> bool:
        """Whether a local search found it, see `near`."""
        return bool(self.genome or self.sizes)

    @property
    def itself(self) -> bool:
        """Whether it is the candidate, and no other chip or network in its place."""
        return not (self.base or self.near)


@dataclass(frozen=True)
class Finished:
    """A design with mappings worth reporting.

    values     a value a metric, under the better mappings; None where not known
    before     the same under the search's own mappings; where none are looked for, `values`
    mapper     whose mappings are better: `finish.EXACT`, or "" for the search's own
    patience   candidates that the exact mapper looked at for a layer, at most
    fused      whether the better mappings of EXACT are of the search's stacks, each piece mapped anew
    spread     dimensions that the better mappings spread over axes; "" where that is not known

    The others are those of its `name`.
    """

    candidate: int
    base: bool
    values: tuple[float | None, ...]
    before: tuple[float | None, ...]
    mapper: str
    patience: int
    fused: bool = False
    granted: Granted = ()
    spread: str = ""
    genome: tuple[int, ...] = ()
    sizes: tuple[int, ...] = ()

    @property
    def name(self) -> Name:
        """What tells it from other designs."""
        return Name(self.candidate, self.base, self.granted, self.genome, self.sizes)

    @property
    def searched(self) -> bool:
        """Whether it is a candidate of the search, or the base chip on the network of one, as it is."""
        return not self.granted and not self.name.near

    def to_dict(self) -> dict[str, Any]:
        """JSON form; what came later only where it says something, as older studies had none."""
        late = ("fused", "granted", "spread", "genome", "sizes")
        out = {field.name: getattr(self, field.name) for field in fields(self)}
        out["granted"] = [asdict(freedom) for freedom in self.granted]
        return {key: value for key, value in out.items() if key not in late or value}


def read_finished(text: str) -> list[Finished]:
    """Designs in JSON form. Raises ValueError for what is none."""
    from pydantic import TypeAdapter

    return TypeAdapter(list[Finished]).validate_json(text, strict=True)
