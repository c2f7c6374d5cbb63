"""`Found`: a candidate or design of a search, as reports show it."""

from __future__ import annotations

from dataclasses import dataclass

from accelsim.cosearch.finished import Granted, Name


@dataclass(frozen=True)
class Found:
    """One evaluated candidate.

    index    position among all candidates of the study
    metrics  name -> value, in the metric's unit; NaN where not known
    network, hardware  label of the network, and the chip in a few words
    base     on the base chip instead of its own, which the search may not have come by
    granted  freedoms of its own chip that the base chip has here
    genome, sizes  of a design around a candidate, see `finished.Name`
    mapper   whose mappings the metrics are of, where they are not the search's own
    level    what the metrics are, see `screen.LEVELS`
    """

    index: int
    generation: int
    phase: str
    metrics: dict[str, float]
    network: str
    hardware: str
    feasible: bool
    base: bool = False
    mapper: str = ""
    level: str = "mapped"
    granted: Granted = ()
    genome: tuple[int, ...] = ()
    sizes: tuple[int, ...] = ()

    @property
    def name(self) -> Name:
        """What tells it from other designs."""
        return Name(self.index, self.base, self.granted, self.genome, self.sizes)

    @property
    def evaluated(self) -> bool:
        """Whether the search came by it, chip and all."""
        return not self.base and not self.genome

    @property
    def where(self) -> str:
        """On which chip, if not its own."""
        words = [*map(str, self.granted), *(["other sizes"] if self.sizes else [])]
        free = f" with {', '.join(words)}" if words else ""
        return f"the base chip{free}" if self.base else ""

    @property
    def called(self) -> str:
        """Number of the candidate, and what is not its own."""
        near = f"near {self.index}" if self.genome else str(self.index)
        return f"{near} on {self.where}" if self.base else near

    @property
    def marks(self) -> str:
        """In tables behind its number: b on the base chip, f with freedoms, s with other sizes, n near it."""
        kinds = (self.base, self.granted, self.sizes, self.genome)
        return "".join(mark for mark, on in zip("bfsn", kinds, strict=True) if on)
