"""A finished search on a terminal: what ran, the front, and its best design beside the base chip."""

from __future__ import annotations

import math
from statistics import median

from rich.console import Group, RenderableType
from rich.text import Text

from accelsim.cosearch.finish import moved
from accelsim.cosearch.goals import Goals
from accelsim.cosearch.metrics import Metric
from accelsim.cosearch.phase import DRAWS
from accelsim.cosearch.result import SearchResult
from accelsim.cosearch.screen import LEVELS, SKETCHED
from accelsim.report.accuracies import accuracy_lines
from accelsim.report.design import design_parts
from accelsim.report.grid import Grid, number, text
from accelsim.report.text import quantity

DROPPED = {"accuracy": 0, "area": 3, "macs": 4}
"""How soon a column that is no goal goes for want of room, if not 2."""

MOST_ROWS = 20
"""Members of the front shown; of a longer one evenly spaced members."""

_CELL = 6


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
    many = sum(design.level == LEVELS[SKETCHED] for design in result.front)
    rough = [f"{many} of the front are sketched: go on, and they are mapped in full"] if many else []
    if found is None:
        return rough
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
    return lines + rough


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
    values = [value for value in result.as_finished()[0][:, goals.column[name]] if math.isfinite(value)]
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
