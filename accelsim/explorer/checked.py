"""What a page needs of a cost or a table that comes from a file, checked before anything is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from accelsim.errors import AccelsimError
from accelsim.sweeps.table import FIGURES, YOUNG

LARGEST = 1e30
"""Of any figure: sums and products of a page's figures stay finite."""

_Figure = Annotated[float, Field(ge=0, le=LARGEST)]
_Name = Annotated[str, Field(max_length=10_000)]


class _Plain(BaseModel):
    model_config = ConfigDict(strict=True)


class _Access(_Plain):
    memory: _Name
    direction: _Name
    bits: _Figure


_Split = dict[str, _Figure | dict[str, _Figure | dict[str, _Figure]]]


class _LayerCost(_Plain):
    name: _Name
    layer: dict[str, Any]
    macs: _Figure
    latency_cycles: _Figure
    energy_pj: _Figure
    utilisation: _Figure
    bound_by: _Name
    latency_split_cycles: dict[str, _Figure]
    energy_split_pj: _Split
    accesses: list[_Access]
    mapping: dict[str, Any] | None = None


class _Stack(_Plain):
    layers: Annotated[list[_Name], Field(min_length=1)]
    latency_cycles: _Figure
    energy_split_pj: _Split = {}


class _NetworkCost(_Plain):
    network: _Name
    hardware: _Name
    latency_s: _Figure
    latency_cycles: _Figure
    energy_pj: _Figure
    edp_js: _Figure
    utilisation: _Figure
    area_mm2: _Figure | None
    macs: _Figure
    overhead_cycles: _Figure = 0
    energy_split_pj: _Split = {}
    layers: list[_LayerCost]
    stacks: list[_Stack] = []


def check_cost(cost: dict[str, Any]) -> None:
    """Raise AccelsimError where the JSON is no network's cost."""
    try:
        _NetworkCost.model_validate(cost)
    except ValidationError as fault:
        first = fault.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise AccelsimError(
            f"this is no network's cost, as `evaluate --json` prints: {place}: {first['msg']}"
        ) from None
    if not cost["layers"] and not cost.get("stacks"):
        raise AccelsimError("this is no network's cost: it has neither layers nor stacks")
    for i, layer in enumerate(cost["layers"]):
        if "compute" not in layer["latency_split_cycles"]:
            raise AccelsimError(f"this is no network's cost: layers.{i}.latency_split_cycles lacks compute")


def check_rows(rows: Sequence[dict[str, Any]], title: str) -> None:
    """Raise AccelsimError where rows are no table of a sweep, one by one."""
    names = list(rows[0]) if rows else []
    missing = [name for name in ("network", "objective", *FIGURES, "status") if name not in {*names, *YOUNG}]
    if missing:
        raise AccelsimError(f"{title}: is no table of a sweep: it lacks {', '.join(missing[:4])}")
    for i, row in enumerate(rows):
        where = f"{title}: is no table of a sweep: row {i + 1}"
        if set(row) != set(names):
            differ = sorted(set(row) ^ set(names))
            raise AccelsimError(f"{where} has not the columns of the first: {differ[0]}")
        for name, cell in row.items():
            if not isinstance(cell, str | int | float | None) or (
                isinstance(cell, int | float) and not abs(cell) <= LARGEST
            ):
                raise AccelsimError(f"{where}: {name} must be a number or a text, but is {cell!r:.60}")
            if name in FIGURES and isinstance(cell, str | bool | None) and row["status"] == "ok":
                raise AccelsimError(
                    f"{where}: {name} must be a number where the status is ok, but is {cell!r:.60}"
                )
