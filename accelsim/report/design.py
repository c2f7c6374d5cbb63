"""One design on a terminal: its chip drawn, beside the base chip, and where its gain comes from."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType
from rich.text import Text

from accelsim.cosearch.found import Found
from accelsim.cosearch.gains import gains
from accelsim.cosearch.metrics import mean
from accelsim.cosearch.result import SearchResult
from accelsim.hardware import Accelerator
from accelsim.hardware.brief import size
from accelsim.hardware.ports import ports_text
from accelsim.network_cost import NetworkCost, NetworkMapping
from accelsim.report.fusion import stacks_table
from accelsim.report.grid import Grid, number, text
from accelsim.report.tables import energy_table
from accelsim.report.text import quantity, times

_DRAWN = (8, 4)


def design_parts(result: SearchResult, found: Found) -> list[RenderableType]:
    """One design: the chip drawn, beside the base chip, its energy, its most expensive layer's loop nest."""
    design = result.design(found)
    on_base = f" on {result.setup.base.name} itself" if found.base else ""
    if found.granted or found.sizes:
        on_base = f" on {found.where}"
    mapped = result.mappings(found)
    parts: list[RenderableType] = [
        Text(f"Design {found.index}: {design.label}{on_base}", style="bold"),
        Text(describe(design.chip) + "\n"),
        *([Text(precisions(result, found) + "\n")] if result.config.layer_precision else []),
        comparison(result, found, mapped),
        Text(""),
        *gain_parts(result, found, mapped),
        energy_table(_sum([m.cost for m in mapped])),
        Text(""),
    ]
    for one in mapped:
        if one.cost.stacks:
            parts += [stacks_table(one.cost), Text("")]
    times, dearest = max((p for m in mapped for p in m.cost.parts), key=lambda p: p[0] ** 2 * p[1].edp_js)
    what = "layer" if times == 1 else f"layer, done in pieces, this one {times} times"
    title = f"Loop nest of the most expensive {what}, {dearest.layer.name} ({dearest.layer})"
    parts += [Text(title, style="bold italic"), Text(dearest.mapping.nest(dearest.layer))]
    return parts


def precisions(result: SearchResult, found: Found) -> str:
    """Which layers of a design have which widths, a line each."""
    design = result.design(found)
    own = design.chip.precision_bits
    lines: dict[str, list[str]] = {}
    for net in design.networks:
        for layer in net.layers:
            weight, read, written = layer.bits
            words = f"W{weight or own.weight} " if layer.multiplies else ""
            words += f"A{read or own.input} to {written or own.output} bits"
            lines.setdefault(words, []).append(layer.name)
    return "\n".join(f"{words}: {', '.join(names)}" for words, names in lines.items())


def describe(chip: Accelerator) -> str:
    """Memories from outside in, each array drawn as a grid."""
    lines = []
    for m, memory in enumerate(chip.memories):
        free = f" ({''.join(memory.holds_choice)} may pass by)" if memory.holds_choice else ""
        held = "".join(memory.holds) + free
        inner = "unlimited" if memory.size_bytes is None else f"{size(memory.total_bytes)} bytes"
        parts = memory.parts() if memory.partitioned else {}
        split = " (" + ", ".join(f"{t} {size(b)}" for t, b in parts.items()) + ")" if parts else ""
        lines.append(f"{memory.name}: {inner}{split}, holds {held}, bytes a cycle: {ports_text(chip, m)}")
        for axis in memory.fanout:
            dims = " or ".join(chip.axis_dims(memory.name, axis.axis))
            also = [w for w, on in (("multicast", axis.multicast), ("adds up", axis.reduction)) if on]
            lines.append(f"  {axis.axis}: {axis.size} lanes spread {dims} ({', '.join(also) or 'separate'})")
        lines += _grid([axis.size for axis in memory.fanout if axis.shares is None])
    lines.append(f"{chip.num_pes} MACs, {size(chip.onchip_bytes)} bytes on chip, {chip.area_mm2:.3g} mm2")
    return "\n".join(lines)


def _grid(sizes: Sequence[int]) -> list[str]:
    """A corner of the array as boxes: first axis across, second down, third as layers in words."""
    if not sizes:
        return []
    across, down = sizes[0], sizes[1] if len(sizes) > 1 else 1
    cols, rows = min(across, _DRAWN[0]), min(down, _DRAWN[1])
    tail = f" .. x{across}" if across > cols else ""
    bar = "    +" + "--+" * cols
    out = [bar]
    for _ in range(rows):
        out += ["    |" + "[]|" * cols + tail, bar]
    if down > rows:
        out.append(f"    : x{down}")
    if len(sizes) > 2:
        out.append(f"    ({sizes[2]} such planes)")
    return out


def comparison(result: SearchResult, found: Found, mapped: Sequence[NetworkMapping]) -> Grid:
    """The design beside the base chip on the same networks, with its own and with searched mappings."""
    own = result.baseline(found)
    rows = [("base chip, template", own)]
    if result.config.strategy != "joint" and result.config.mapper != "template":
        searched = result.baseline(found, result.config.mapper)
        rows.append((f"base chip, {result.config.mapper}", searched))
    rows.append(("this design", tuple(mapped)))
    columns = [text("", 12), number("latency", 2), number("energy", 2), number("EDP, Js")]
    columns += [number(name, drop) for name, drop in (("speed-up", 1), ("energy gain", 1), ("EDP gain", 0))]
    table = Grid(columns, f"The same network on {result.setup.base.name}, mapped so (gain: times less)")
    weights = result.config.weights
    new = _means([m.cost for m in mapped], weights)
    figures = [(name, _means([m.cost for m in group], weights)) for name, group in rows]
    if result.config.model == "maestro":
        figures = [(f"{name}, by accelsim's model", group) for name, group in figures]
        theirs = [result.priced(found, chip) for chip in (result.setup.base, result.design(found).chip)]
        new = theirs[1][0], theirs[1][1], theirs[1][0] * theirs[1][1]
        figures.insert(0, ("base chip, best dataflows", (*theirs[0], theirs[0][0] * theirs[0][1])))
        figures.append(("this design", new))
    for name, (latency, energy, edp) in figures:
        table.add_row(
            name,
            quantity(latency, "s"),
            quantity(energy, "J"),
            f"{edp:.3g}",
            *(
                times(old / now, loss)
                for old, now, loss in zip((latency, energy, edp), new, ("slower", "more", "more"))
            ),
        )
    return table


def gain_parts(result: SearchResult, found: Found, mapped: Sequence[NetworkMapping]) -> list[RenderableType]:
    """Where the design's EDP gain comes from, a row a step; nothing where that is not known."""
    steps = gains(result, found, mapped)
    if len(steps) < 2:
        return []
    columns = [
        text("step", 10),
        text("", 12),
        number("EDP, Js"),
        number("gain", 0),
        number("in all", 1),
        number("alone", 2),
    ]
    table = Grid(
        columns, "Where the EDP gain comes from, one step after another (alone: nothing else changed)"
    )
    for step in steps:
        first = step is steps[0]
        table.add_row(
            step.name,
            step.what,
            f"{step.edp_js:.3g}",
            "" if first else times(step.gain),
            "" if first else times(steps[0].edp_js / step.edp_js),
            "" if step.alone is None else times(step.alone),
        )
    return [table, Text("")]


def _means(costs: Sequence[NetworkCost], weights: Sequence[float]) -> tuple[float, float, float]:
    """(seconds, joules, joule-seconds), geometric means over networks."""
    latency = mean((cost.latency_s for cost in costs), weights)
    energy = mean((cost.energy_pj * 1e-12 for cost in costs), weights)
    return latency, energy, latency * energy


def _sum(costs: Sequence[NetworkCost]) -> dict[str, float]:
    total: dict[str, float] = {}
    for cost in costs:
        for name, pj in cost.memory_energy_pj.items():
            total[name] = total.get(name, 0.0) + pj
    return total
