"""The report on a machine: memories, peak and ridge, what the memories hold, and what to look at again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from accelsim.hardware import Accelerator
from accelsim.hardware.engines import HardwareEngine
from accelsim.hardware.ports import assumed, feeds, ports_text
from accelsim.report.drawings import axis_text, memory_text
from accelsim.report.grid import Grid, number, text
from accelsim.report.probes import Probe, idle, probe
from accelsim.report.roofline import roof
from accelsim.report.text import quantity
from accelsim.workloads.layer import touched


def hardware_report(hardware: Accelerator, *, probes: bool = True) -> RenderableType:
    """Hierarchy, peak, ridge, capacity in tiles, area and power, four layers priced, and remarks."""
    parts: list[RenderableType] = [_tree(hardware), Text(""), _peak(hardware), Text(""), _tiles(hardware)]
    found = list(remarks(hardware))
    if probes:
        priced = probe(hardware)
        parts += [Text(""), _probes(priced)]
        found += idle(priced)
    parts.append(Text("\nWorth a second look" if found else "\nNothing stands out", style="bold"))
    parts += [Text(f"  {remark}") for remark in found]
    return Group(*parts)


def hardware_facts(hardware: Accelerator) -> dict[str, Any]:
    """The report's figures as JSON; keys carry their units, None stands for any size."""
    probes = probe(hardware)
    over = roof(hardware)
    memories = [
        {
            "memory": memory.name,
            "instances": hardware.instances(m),
            "holds": list(memory.holds),
            "size_bytes": None if memory.size_bytes is None else memory.total_bytes,
            "tile_3x3": largest_tile(hardware, m),
            "tile_1x1": largest_tile(hardware, m, 1),
        }
        for m, memory in enumerate(hardware.memories)
    ]
    return {
        "hardware": hardware.name,
        "hardware_hash": hardware.hash,
        "technology_nm": hardware.technology_nm,
        "clock_mhz": hardware.clock_mhz,
        "num_pes": hardware.num_pes,
        "peak_macs_per_cycle": over.peak,
        "ridge_macs_per_byte": over.ridge,
        "onchip_bytes": hardware.onchip_bytes,
        "area_mm2": hardware.area_mm2,
        "area_split_mm2": hardware.area_breakdown_mm2(),
        "static_mw": dict(hardware.static_mw),
        "start": list(_starts(hardware)),
        "memories": memories,
        "probes": [one.to_dict() for one in probes],
        "remarks": [*remarks(hardware), *idle(probes)],
        "estimated": list(hardware.estimated),
    }


def largest_tile(hardware: Accelerator, m: int, kernel: int = 3) -> int | None:
    """Largest n for which a tile of n output channels, n input channels and n x n outputs under a square
    kernel fits memory `m` with all the tensors that it holds, sums at full precision; None = any.
    """  # fmt: skip
    memory, bits = hardware.memories[m], hardware.kept_bits(m)
    parts = memory.parts()
    if not parts:
        return None

    def fits(n: int) -> bool:
        rows = touched(n, kernel, 1, 1)
        words = {"W": n * n * kernel * kernel, "I": n * rows * rows, "O": n * n * n}
        need = {t: words[t] * bits.of(t) * (2 if memory.double_buffered else 1) for t in memory.holds}
        if "all" in parts:
            return sum(need.values()) <= 8 * parts["all"]
        return all(need[t] <= 8 * parts[t] for t in need)

    low, high = 0, 1
    while fits(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def _tree(hardware: Accelerator) -> RenderableType:
    text = Text(f"{hardware.name}: {hardware.technology_nm:g} nm, {hardware.clock_mhz:g} MHz\n", style="bold")
    indent = ""
    for m, memory in enumerate(hardware.memories):
        many = hardware.instances(m)
        times = f"{many:,} x " if many > 1 else ""
        free = f"; {' '.join(memory.holds_choice)} may pass by" if memory.holds_choice else ""
        what = f"{memory.name} [{' '.join(memory.holds)}{free}]: {memory_text(hardware, m)}"
        what += f"; {ports_text(hardware, m)} B/cycle"
        text.append(f"{indent}{times}{what}\n", style="not bold")
        for axis in memory.fanout:
            text.append(f"{indent}   / {axis_text(axis)}\n", style="not bold italic")
        indent += "   "
    bits = hardware.precision_bits
    mac = f"{hardware.num_pes:,} x MAC: {bits.weight} x {bits.input} bits into {bits.psum}"
    each = f", {hardware.mac.cycles:g} cycles" if hardware.mac.cycles != 1 else ""
    text.append(f"{indent}{mac}, {hardware.costs.mac.energy_pj:.3g} pJ{each}", style="not bold")
    return text


def _peak(hardware: Accelerator) -> RenderableType:
    per_second = hardware.peak_macs_per_cycle * hardware.clock_mhz * 1e6
    over = roof(hardware)
    peak, least = (f"{x:,.0f}" if x >= 100 else f"{x:.3g}" for x in (over.peak, over.ridge))
    ridge = f"from {least} MACs a byte on the array can be the limit; below, the port of {over.memory} is"
    text = Text()
    text.append(f"peak    {peak} MACs a cycle, {quantity(per_second, 'MAC/s')}\n")
    text.append(f"ridge   {ridge}\n")
    areas = ", ".join(f"{k} {v:.3g}" for k, v in hardware.area_breakdown_mm2().items() if v)
    without = "" if hardware.components else " without control and wiring"
    text.append(f"area    {hardware.area_mm2:.3g} mm2{without} ({areas})\n")
    static = hardware.static_mw
    split = f" ({', '.join(f'{k} {v:.3g}' for k, v in static.items())})" if len(static) > 1 else ""
    text.append(f"static  {sum(static.values()):.3g} mW, drawn busy or not{split}\n")
    text.append(f"start   {'; '.join(_starts(hardware))}")
    for engine in hardware.engines:
        text.append(f"\nengine  {_engine(engine)}")
    return text


def _starts(hardware: Accelerator) -> Iterator[str]:
    """What beginning takes, and what of it the file does not say."""
    unknown = []
    network = hardware.network
    if network.overhead_us or "overhead_us" in network.model_fields_set:
        yield f"{network.overhead_us:g} us an inference"
    else:
        unknown.append("an inference")
    if hardware.layer_cycles or "layer_cycles" in hardware.model_fields_set:
        yield f"{hardware.layer_cycles:g} cycles a layer"
    else:
        unknown.append("a layer")
    moves = False
    for m, memory in enumerate(hardware.memories):
        if memory.serial_folds is not None:
            yield f"{hardware.fold_cycles(m):g} cycles a fold of {memory.name}"
        if memory.start_cycles or memory.burst_bytes or "start_cycles" in memory.model_fields_set:
            moves = True
            starts = f"{memory.start_cycles:g} cycles a transfer of {memory.name}"
            yield starts + (f" in bursts of {memory.burst_bytes} bytes" if memory.burst_bytes else "")
    if not moves:
        unknown.append("a transfer")
    if unknown:
        yield f"unknown, taken as 0: {', '.join(unknown)}"


def _engine(engine: HardwareEngine) -> str:
    """What it runs, and how fast or with which figures of its own."""
    runs = [
        "/".join(rule.kinds) + (f" with windows over {rule.window_over}" if rule.window_over else "")
        for rule in engine.runs
    ]
    rate = "" if engine.points_per_us is None else f"{engine.points_per_us:g} points a us"
    own = ", ".join(f"{path} = {value:g}" for path, value in engine.changes.items())
    return f"{engine.name} runs {', '.join(runs)}: {', '.join(x for x in (rate, own) if x)}"


def _tiles(hardware: Accelerator) -> RenderableType:
    columns = [text("memory"), number("W elements"), number("I elements"), number("O sums")]
    table = Grid([*columns, number("3x3 tile"), number("1x1 tile", 1)], "Capacity of one instance")
    for m, memory in enumerate(hardware.memories):
        parts, bits = memory.parts(), hardware.kept_bits(m)
        cells = []
        for t in ("W", "I", "O"):
            size = parts.get(t, parts.get("all"))
            copies = 2 if memory.double_buffered else 1
            held = t in memory.holds
            cells.append(
                "-" if not held else "any" if size is None else f"{8 * size // copies // bits.of(t):,}"
            )
        for kernel in (3, 1):
            n = largest_tile(hardware, m, kernel)
            cells.append("any" if n is None else f"{n:,}")
        table.add_row(memory.name, *cells)
    shared = any("all" in memory.parts() and len(memory.holds) > 1 for memory in hardware.memories)
    note = "elements if one tensor had the shared memory to itself; " if shared else ""
    note += "tile: the largest K=C=P=Q with all held tensors together; double buffers counted"
    return Group(table, Text(note, style="dim"))


def _probes(probes: Sequence[Probe]) -> RenderableType:
    """The priced layers."""
    columns = [text("layer", 10), text("shape", 12, drop=1), number("cycles"), number("utilisation")]
    table = Grid([*columns, number("energy"), text("bound by", 12)], "Template mapping")
    for one in probes:
        cells = ("-", "-", "-")
        if one.latency_cycles is not None and one.energy_pj is not None:
            energy = quantity(one.energy_pj * 1e-12, "J")
            cells = (f"{one.latency_cycles:,.0f}", f"{one.utilisation:.0%}", energy)
        table.add_row(one.layer.name, str(one.layer), *cells, one.bound_by or "cannot be mapped")
    return table


def remarks(hardware: Accelerator) -> Iterator[str]:
    """What is legal and yet often a slip."""
    yield from assumed(hardware)
    for m, memory in enumerate(hardware.memories):
        here = f"memories[{m}]"
        share = feeds(hardware, m)
        if share < 1 - 1e-9:
            yield (
                f"{here}.bandwidth: {memory.name} can never feed the array: its ports keep at most "
                f"{share:.0%} of the MACs busy, however well reads are shared"
            )
        for a, axis in enumerate(memory.fanout):
            if not (axis.multicast or axis.reduction) and axis.size > 1:
                yield (
                    f"{here}.fanout[{a}]: {axis.axis} neither shares reads (multicast) nor adds sums up "
                    "(reduction): each lane moves all of its own"
                )
            if axis.axis not in hardware.dataflow.axes.get(memory.name, {}):
                yield f"dataflow.axes.{memory.name}.{axis.axis}: not given; it may carry any dimension"
            if axis.size == 1:
                yield f"{here}.fanout[{a}].size: {axis.axis} has a single lane"
    search = hardware.search
    if search is not None and search.max_pes is not None and search.max_pes < hardware.num_pes:
        yield f"search.max_pes: {search.max_pes} is below the machine's own {hardware.num_pes}"
    if search is not None and search.max_onchip_bytes is not None:
        own = hardware.onchip_bytes
        if search.max_onchip_bytes < own:
            yield f"search.max_onchip_bytes: {search.max_onchip_bytes} is below the machine's own {own}"
    bare = [path for path, source in hardware.provenance().items() if source is None and path[:6] != "search"]
    if bare:
        yield f"sources: {len(bare)} numbers name none: {_some(bare)}"
    if hardware.estimated:
        fitted = hardware.estimated
        yield f"{len(fitted)} figures are not given and come from the technology fit: {_some(fitted)}"


def _some(names: Sequence[str], most: int = 3) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
