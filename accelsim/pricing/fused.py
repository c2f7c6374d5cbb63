"""Stacks for many candidates: a small space, the best path of bounds priced, all at once.

What `accelsim.fusion.fuse` proves for one network on one chip is too dear for thousands.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from accelsim.errors import AccelsimError
from accelsim.fusion import Stack, StackSearch
from accelsim.fusion.menu import StackSpace
from accelsim.fusion.paths import value_of
from accelsim.fusion.room import StackError, home_of
from accelsim.pricing.ask import Ask
from accelsim.pricing.models.base import CostModel
from accelsim.pricing.network import overhead_cycles, overhead_pj

if TYPE_CHECKING:
    from accelsim.hardware import Accelerator
    from accelsim.pricing.network import NetworkPricer
    from accelsim.pricing.run import Run

FEW = StackSpace(longest=6, kept=("both",))
"""Stacks of up to six layers, all kept between tiles."""

ROUNDS = 1
"""Paths that are priced. A second one gains 0.2 to 1.1 % and takes as long again (docs/fusion.md)."""


class Fused(NamedTuple):
    """The better of a network's layers one by one and its best stacks."""

    latency_cycles: float
    energy_pj: float
    stacks: tuple[Stack, ...]


def fuses(fuse: str | dict[str, Any] | None, chip: Accelerator, model: CostModel) -> bool:
    """Whether runs look for stacks: `fuse` as of `read_fuse`, None being what the chip says.

    Raises AccelsimError where stacks are asked for or given, but the model knows none or the chip has no
    home.
    """
    able = type(model).pieces is not CostModel.pieces
    if fuse is None:
        return able and chip.network.stacks == "auto"
    if fuse != "none":
        home_of(chip)
        if not able:
            raise AccelsimError(f"fuse: model {model.name} knows whole layers, no stacks; use accelsim's own")
    return fuse == "auto"


def fused(pricer: NetworkPricer, runs: Sequence[Run], plain: Sequence[tuple[float, float]]) -> list[Fused]:
    """What runs cost with stacks; `plain` are their cycles and pJ without. Chips without a home have none."""
    objective = pricer.model.goal()
    searches = [_search(pricer, run, objective, value_of(*one, objective)) for run, one in zip(runs, plain)]
    for _ in range(ROUNDS):
        asked = [[] if search is None else search.ask() for search in searches]
        if not any(asked):
            break
        questions: list[tuple[Hashable, Ask]] = [
            (run.key_of(run.chip), Ask(run.chip, layer, resident, reserved))
            for run, questions in zip(runs, asked)
            for layer, resident, reserved in questions
        ]
        columns, at = pricer.pieces(questions), 0
        for search, mine in zip(searches, asked):
            if search is not None and mine:
                search.tell(tuple(column[at : at + len(mine)] for column in columns))  # type: ignore[arg-type]
                at += len(mine)
    return [_better(search, objective, *one) for search, one in zip(searches, plain)]


def _search(pricer: NetworkPricer, run: Run, objective: str, below: float) -> StackSearch | None:
    try:
        return StackSearch(
            run.chip,
            run.network,
            pricer.alone(run),
            objective,
            pricer.menus,
            (overhead_cycles(run.chip), overhead_pj(run.chip)),
            below,
        )
    except StackError:
        return None


def _better(search: StackSearch | None, objective: str, latency: float, energy: float) -> Fused:
    if search is None or value_of(latency, energy, objective) <= search.best:
        return Fused(latency, energy, ())
    return Fused(*search.figures(), search.chosen())
