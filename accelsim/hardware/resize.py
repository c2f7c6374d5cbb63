"""`resized`: an accelerator with some of its figures changed, and with what follows from them.

A memory that grows costs more an access: figures that the file gives (energy, leakage, area, hops) are
scaled by the ratio that the technology fit has between the new machine and the old one, as the fit's shape
is surer than its level. Each figure that changes says so in its source.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from accelsim.errors import AccelsimError
from accelsim.hardware import technology
from accelsim.hardware.accelerator import Accelerator
from accelsim.hardware.costs import Costs, resolve
from accelsim.hardware.faults import but_got, shown
from accelsim.hardware.fields import is_number
from accelsim.hardware.loader import load_hardware
from accelsim.hardware.paths import Place, find, leaves

_SHARED_OUT = ("size_bytes", "bandwidth")
"""A number for one of these that has parts is their sum; the parts keep their proportions."""


def resized(
    hardware: Accelerator | str | Path | dict[str, Any], changes: Mapping[str, Any], *, trusted: bool = False
) -> Accelerator:
    """The machine with new values at JSON paths, as in `{"memories.GLB.size_bytes": 65536}`.

    hardware  an `Accelerator`, or anything that `load_hardware` reads
    changes   path -> number, truth value or text. A path names memories and axes
              ("memories.GLB.fanout.rows.size"), or counts them ("memories[1].fanout[0].size")

    A number for a size or a bandwidth that has parts (by tensor or port) is the sum of the parts, which keep
    their proportions. Axes that lie on the lanes of an axis follow its size. Given figures scale with the
    technology fit, unless they are among the changes.

    With `trusted` nothing is checked and no source written: for changes that are valid by construction, to a
    machine without sources.

    Raises AccelsimError for a path that leads nowhere, HardwareError for a machine that cannot be.
    """
    old = load_hardware(hardware)
    if trusted:
        return Accelerator.trusted(resized_form(old, changes))
    data, sources = old.to_dict(), old.provenance()
    new, scaled = _resize(data, old, changes, sources)
    return load_hardware(data) if scaled else new


def resized_form(old: Accelerator, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON form of a `trusted` one: cheaper, where more is to be changed in it."""
    data: dict[str, Any] = json.loads(_text(old))
    _resize(data, old, changes, None)
    return data


@lru_cache(maxsize=64)
def _text(hardware: Accelerator) -> str:
    """The file, kept as text, which is quickly copied: many machines are made from one."""
    return json.dumps(hardware.to_dict())


@lru_cache(maxsize=64)
def _fitted(hardware: Accelerator) -> Costs:
    """All figures from the fit, kept likewise."""
    return resolve(hardware, given=False)


def _resize(
    data: dict[str, Any], old: Accelerator, changes: Mapping[str, Any], sources: dict[str, str | None] | None
) -> tuple[Accelerator, bool]:
    """Enter the changes and what follows from them; the machine before figures were scaled, and whether any
    was. Without `sources` nothing is checked.
    """  # fmt: skip
    changed = set()
    for path, value in changes.items():
        place = find(data, path, old)
        changed.add(place.path)
        _set(place, value, sources)
    _follow_shares(data, old, changed)
    new = Accelerator.trusted(data) if sources is None else load_hardware(data)
    before, after = _fitted(old), resolve(new, given=False)
    follow = [*_figures(data, before, after), *_component_figures(data, old, new)]
    scaled = [x for x in follow if not _named(x, changed)]
    why = "" if sources is None else ", ".join(f"{path} = {shown(value)}" for path, value in changes.items())
    for figure in scaled:
        _scale(figure, sources, why)
    return new, bool(scaled)


# -- new values --------------------------------------------------------------------------------------------


def _set(place: Place, value: Any, sources: dict[str, str | None] | None) -> None:
    value = value.item() if hasattr(value, "item") else value
    before = place.holder.get(place.key)
    if isinstance(before, dict | list):
        if place.key not in _SHARED_OUT or isinstance(before, list):
            keys = list(before) if isinstance(before, dict) else range(len(before))
            raise AccelsimError(
                f"{place.path}: has parts; name one of them: {', '.join(f'{place.path}.{k}' for k in keys)}"
            )
        if not is_number(value):
            raise AccelsimError(
                f"{place.path}: must be a number, the sum of its parts, but got {shown(value)}"
            )
        numbers = list(leaves(before, place.path))
        total = sum(leaf.holder[leaf.key] for leaf in numbers)
        shares = [leaf.holder[leaf.key] / total for leaf in numbers]
        parts = [value * share for share in shares]
        if place.key == "size_bytes":
            parts = _whole(value, parts, place.path)
        for leaf, part in zip(numbers, parts, strict=True):
            leaf.holder[leaf.key] = part
        was = f"{total:g} in all"
    else:
        place.holder[place.key] = value
        was = "" if sources is None else shown(before)
    if sources is not None:
        _note(place, f"D: varied, was {was}", sources)


def _whole(total: Any, parts: list[float], path: str) -> list[int]:
    """Whole numbers >= 1 that add up to a total, close to its parts (largest remainders first)."""
    if not isinstance(total, int) or total < len(parts):
        rule = f"must be a whole number >= {len(parts)}, a byte for each part"
        raise AccelsimError(f"{path}: {but_got(rule, total)}")
    whole = [max(1, int(part)) for part in parts]
    while sum(whole) != total:
        step = 1 if sum(whole) < total else -1
        can = [i for i in range(len(parts)) if whole[i] + step >= 1]
        whole[max(can, key=lambda i: step * (parts[i] - whole[i]))] += step
    return whole


def _follow_shares(data: dict[str, Any], old: Accelerator, changed: set[str]) -> None:
    """An axis on the lanes of another one keeps within its size, and fills it if it did before."""
    for m, memory in enumerate(old.memories):
        names = [axis.axis for axis in memory.fanout]
        for i, axis in enumerate(memory.fanout):
            if axis.shares is None or f"memories[{m}].fanout[{i}].size" in changed:
                continue
            host = names.index(axis.shares)
            room = data["memories"][m]["fanout"][host]["size"]
            full = axis.size == memory.fanout[host].size
            if is_number(room):
                data["memories"][m]["fanout"][i]["size"] = room if full else min(room, axis.size)


# -- figures that follow -----------------------------------------------------------------------------------


class _Figure(NamedTuple):
    """A figure that the file gives, and the fit's ratio by tensor ("" = one for all)."""

    place: Place
    ratio: dict[str, float]


def _figures(data: dict[str, Any], before: Costs, after: Costs) -> Iterator[_Figure]:
    """Given figures whose fit changes."""
    mac = data.get("mac", {})
    for key in ("energy_pj", "area_um2", "leakage_mw"):
        ratio = _ratio(getattr(before.mac, key), getattr(after.mac, key))
        yield from _given(mac, key, "mac", {"": ratio})
    for m, memory in enumerate(data["memories"]):
        here = f"memories[{m}]"
        energy = memory.get("energy", {})
        for i, way in enumerate(("read", "write")):
            ratios = {t: _ratio(before.access[m][t][i], after.access[m][t][i]) for t in memory["holds"]}
            if len(set(ratios.values())) == 1:
                ratios = {"": next(iter(ratios.values()))}
            for unit in ("bit", "word"):
                yield from _given(energy, f"{way}_pj_per_{unit}", f"{here}.energy", ratios)
        leakage = _ratio(before.memory_leakage_mw[m], after.memory_leakage_mw[m])
        yield from _given(energy, "leakage_mw", f"{here}.energy", {"": leakage})
        yield from _given(memory, "area_mm2", here, {"": _ratio(before.memory_mm2[m], after.memory_mm2[m])})
        for a, axis in enumerate(memory.get("fanout", [])):
            hop = _ratio(before.hop_pj_per_bit[m][a], after.hop_pj_per_bit[m][a])
            yield from _given(axis, "hop_pj_per_bit", f"{here}.fanout[{a}]", {"": hop})


def _component_figures(data: dict[str, Any], old: Accelerator, new: Accelerator) -> Iterator[_Figure]:
    """Given figures of components: they are logic, and follow the node as flip-flops and adders do."""
    if old.technology_nm == new.technology_nm:
        return
    (pj0, um0), (pj1, um1) = (technology.flipflop(hw.technology_nm) for hw in (old, new))
    wire0, wire1 = (technology.wire_pj_per_bit_mm(hw.technology_nm) for hw in (old, new))
    leak0, leak1 = (technology.mac(8, 8, 32, hw.technology_nm).leakage_mw for hw in (old, new))
    for i, part in enumerate(data.get("components", [])):
        area = um1 / um0
        per = area if part.get("per") == "mm2" else 1.0
        ratios = {"area_um2": area / per, "pj_per_cycle": pj1 / pj0 / per, "leakage_mw": leak1 / leak0 / per}
        ratios["pj_per_bit"] = wire1 / wire0 if part.get("per") == "routing" else pj1 / pj0
        for key, ratio in ratios.items():
            yield from _given(part, key, f"components[{i}]", {"": ratio})


def _ratio(before: float, after: float) -> float:
    return after / before if before > 0 else 1.0


def _given(holder: dict[str, Any], key: str, path: str, ratio: dict[str, float]) -> Iterator[_Figure]:
    if holder.get(key) and any(r != 1.0 for r in ratio.values()):
        yield _Figure(Place(holder, key, f"{path}.{key}", holder, key), ratio)


def _named(figure: _Figure, changed: set[str]) -> bool:
    """Whether the figure, or a part of it, is among the changes."""
    return any(path == figure.place.path or path.startswith(figure.place.path + ".") for path in changed)


def _scale(figure: _Figure, sources: dict[str, str | None] | None, why: str) -> None:
    place, ratio = figure
    value = place.holder[place.key]
    if isinstance(value, dict):
        place.holder[place.key] = {t: v * ratio.get(t, ratio.get("", 1.0)) for t, v in value.items()}
    elif "" in ratio:
        place.holder[place.key] = value * ratio[""]
    else:
        place.holder[place.key] = {t: value * r for t, r in ratio.items()}
    if sources is not None:
        times = ", ".join(f"{t} x {r:.4g}".strip() for t, r in ratio.items())
        _note(place, f"E: {shown(value)} scaled by the technology fit, {times}, for {why}", sources)


def _note(place: Place, text: str, sources: dict[str, str | None]) -> None:
    """Say where the new value comes from, and what stood there before."""
    before = next((s for path, s in sources.items() if path.startswith(place.path)), None)
    text = f"{text}; before, {before}" if before else text
    place.owner.setdefault("sources", {})[place.entry] = text[:2000]
