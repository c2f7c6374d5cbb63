"""A finished search on a terminal: what ran, the front, and its best design beside the base chip."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

from rich.console import Group, RenderableType
from rich.text import Text

from accelsim.cosearch.finish import moved
from accelsim.cosearch.found import Found
from accelsim.cosearch.gains import gains
from accelsim.cosearch.goals import Goals
from accelsim.cosearch.metrics import Metric, mean
from accelsim.cosearch.phase import DRAWS
from accelsim.cosearch.result import SearchResult
from accelsim.hardware import Accelerator
from accelsim.hardware.brief import size
from accelsim.hardware.ports import ports_text
from accelsim.network_cost import NetworkCost, NetworkMapping
from accelsim.report.accuracies import accuracy_lines
from accelsim.report.fusion import stacks_table
from accelsim.report.grid import Grid, number, text
from accelsim.report.tables import energy_table
from accelsim.report.text import quantity, times

DROPPED = {"accuracy": 0, "area": 3, "macs": 4}
"""How soon a column that is no goal goes for want of room, if not 2."""

MOST_ROWS = 20
"""Members of the front shown; of a longer one evenly spaced members."""

_CELL, _DRAWN = 6, (8, 4)


def search_report(result: SearchResult, *, designs: bool = True) -> RenderableType:
    """All of it; without `designs` only the numbers, which takes no mapping."""
    parts: list[RenderableType] = [Text("\n".join((ran(result), *result.notes))), Text("")]
    best = result.best
    if best is None:
        return Group(*parts, Text(nothing_feasible(result)))
    parts += [front_table(result), *map(Text, accuracy_lines(result) + finished_lines(result)), Text("")]
    if designs and result.setup.base.microcontroller is None:
        parts += design_parts(result, best)
    return Group(*parts)


def ran(result: SearchResult) -> str:
    """What was searched and what it took, a few lines."""
    config = result.config
    what = config.space or ", ".join(str(net["name"]) for net in config.networks)
    seconds = sum(g.seconds for g in result.generations)
    layers = sum(g.layers for g in result.generations)
    pairs = sum(g.pairs for g in result.generations)
    mappings = sum(g.mappings for g in result.generations)
    how = f"{config.strategy} search by {config.optimiser}"
    if config.model == "maestro":
        how += ", priced by MAESTRO's model under the best of its classic dataflows"
    elif config.mapper == "template":
        how += ", template mappings"
    elif config.strategy != "joint":
        limit = "no limit of" if config.budget is None else f"{config.budget}"
        how += f", mapper {config.mapper} with {limit} evaluations a layer"
    fixed = f"; fixed: {', '.join(config.fix)}" if config.fix else ""
    lines = [
        f"{what} on chips in the envelope of {result.setup.base.name}: {result.setup.goals.words()}",
        f"{how}, seed {config.seed}{fixed}",
        f"{len(result):,} candidates in {seconds:.1f} s ({len(result) / max(seconds, 1e-9):,.0f}/s), "
        f"{mappings:,} mappings ({mappings / max(seconds, 1e-9):,.0f}/s); "
        + (
            f"of {layers:,} layers {1 - pairs / max(layers, 1):.0%} were known already"
            if pairs <= layers
            else f"{pairs:,} layers and pieces of stacks mapped for {layers:,} layers"
        ),
    ]
    clock = result.setup.clock
    if clock:
        most = sorted(clock.items(), key=lambda item: -item[1])
        parts = (f"{name} {spent / sum(clock.values()):.0%}" for name, spent in most)
        lines.append("time: " + ", ".join(part for part in parts if not part.endswith(" 0%")))
    if result.rejected():
        shares = ", ".join(f"{name} {count:,}" for name, count in result.rejected().items())
        lines.append(f"drawn again: {shares}")
    if result.missed():
        lines.append(
            "limits missed by " + ", ".join(f"{n} {share:.0%}" for n, share in result.missed().items())
        )
    if result.caution:
        lines.append(f"accuracies are {result.caution}")
    if result.exhausted:
        lines.append(
            f"stopped early: {DRAWS:,} draws in a row gave no candidate that is new and in the envelope"
        )
    return "\n".join(lines)


def finished_lines(result: SearchResult) -> list[str]:
    """What the exact mapper made of the designs reported, and whether their ranks changed."""
    found = moved(result)
    if found is None:
        return []
    goals = result.setup.goals
    metric = next((name for name in goals.objectives if goals.metrics[name].mapped), "edp")
    gains = sorted(found.gains)
    most = max(made.patience for made in result.finished.values())
    lines = [
        f"finished: {found.designs} designs mapped anew by the exact mapper, at most {most:,} candidates a "
        f"layer; {metric} falls by {1 - 1 / median(gains):.1%} at the median, by at most "
        f"{1 - 1 / gains[-1]:.1%}",
    ]
    best = result.front[0]
    if found.pairs:
        same = best.index == found.best_before and not best.base
        lines.append(
            f"of {found.pairs} pairs of them {found.swaps} changed their order by {goals.objectives[0]}; "
            f"the best is {'the same' if same else f'another, it was {found.best_before}'}"
        )
    home = [found for found in result.front if found.base and not found.sizes]
    if own := sum(not found.granted for found in home):
        lines.append(f"{own} of the front are the base chip itself, which no chip found improves on there")
    if freed := len(home) - sum(not found.granted for found in home):
        lines.append(
            f"{freed} of the front are the base chip with freedoms of a design (bf), whose sizes and ports "
            "cost more than they gain there"
        )
    if sized := sum(bool(found.sizes) for found in result.front):
        lines.append(
            f"{sized} of the front are the base chip with other sizes or ports (s), for less {metric}"
        )
    if near := sum(found.name.near for found in result.front):
        lines.append(
            f"{near} of the front were found by a local search around finished designs: networks (n) or sizes"
        )
    return lines


def nothing_feasible(result: SearchResult) -> str:
    """Which limit kills what share, and how close the candidates came."""
    goals = result.setup.goals
    lines = ["No candidate meets all limits:"]
    for name, share in result.missed().items():
        line = f"  {name}: missed by {share:.0%} of the candidates"
        if name in goals.limits:
            line += f"; {closest(result, goals, name)}"
        lines.append(line)
    lines += _short(result)
    return "\n".join([*lines, "Loosen the limit that most candidates miss, or search longer."])


def _short(result: SearchResult) -> list[str]:
    """Which of MAESTRO's buffers the base chip lacks, where no dataflow fits."""
    if result.config.model != "maestro" or "no mapping fits" not in result.missed():
        return []
    from accelsim.mapping.maestro.machine import MaestroMachine
    from accelsim.mapping.maestro.shortage import shortages

    base, first = result.setup.base, result.design(result.found(0))
    layers = [layer for network in first.networks for layer in network.layers]
    found = shortages(layers, MaestroMachine.from_accelerator(base))
    if not found:
        return []
    return [
        f"  on {base.name} itself {found[0]}; of {len(set(layers))} unlike layers {len(found)} are short "
        "(`accelsim docs maestro`: what MAESTRO sees of a chip)"
    ]


def closest(result: SearchResult, goals: Goals, name: str) -> str:
    """The best value of a limited metric that any candidate has."""
    metric = goals.metrics[name]
    values = [value for value in result.column(name) if math.isfinite(value)]
    if not values:
        return "no candidate got as far as to have it"
    best = max(values) if metric.maximise else min(values)
    return f"the limit is {goals.limits[name]:.4g} {metric.unit}, the best candidate has {best:.4g}"


def front_table(result: SearchResult) -> Grid:
    """A row a member of the front."""
    front = result.front
    step = max(1.0, (len(front) - 1) / (MOST_ROWS - 1))
    shown = sorted({round(i * step) for i in range(MOST_ROWS) if round(i * step) < len(front)})
    title = f"Front: {len(front)} design{'s' * (len(front) != 1)}"
    title += f", {len(shown)} of them" if len(shown) < len(front) else ""
    goals = result.setup.goals
    metrics = {name: goals.metrics[name] for name in goals.objectives} | {
        name: metric for name, metric in goals.metrics.items() if name != "power" or name in goals.limits
    }
    known = [name for name in metrics if any(not math.isnan(found.metrics[name]) for found in front)]
    columns = [number("no.")]
    for name in known:
        wanted = name in goals.objectives or name in goals.limits or name == "edp"
        columns.append(
            number(_head(metrics[name], result.caution != ""), *([] if wanted else [DROPPED.get(name, 2)]))
        )
    columns.append(text("chip", 20))
    several = result.config.space is not None or len({found.network for found in front}) > 1
    table = Grid([*columns, *([text("network", 10, 30, drop=1)] if several else [])], title)
    for i in shown:
        found = front[i]
        table.add_row(
            f"{found.index}{found.marks}",
            *(_cell(metrics[name], found.metrics[name]) for name in known),
            found.hardware,
            *([found.network.partition(":")[2] or found.network] if several else []),
        )
    return table


def _head(metric: Metric, unranked: bool) -> str:
    """Of a column; seconds and joules stand beside their numbers."""
    if unranked and metric.name in ("accuracy", "accuracy_95"):
        return f"{metric.name.replace('accuracy', 'top-1')} % unranked"
    word = {"edp": "EDP", "accuracy": "top-1", "macs": "M MACs", "area": "mm2"}.get(metric.name, metric.name)
    unit = "" if metric.unit in ("s", "J", "mm2") else metric.unit
    return f"{word}{',' if unit == 'Js' else ''} {unit}".rstrip()


def _cell(metric: Metric, value: float) -> str:
    if metric.unit in ("s", "J"):
        return quantity(value, metric.unit)
    if metric.name == "macs":
        return f"{value / 1e6:,.0f}" if value >= 1e8 else f"{value / 1e6:.3g}"
    if metric.unit == "%":
        return f"{value:.2f}"
    return f"{value:.3g}" if abs(value) < 1000 or metric.logarithmic else f"{value:,.0f}"


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
