"""What a mapper found, as tables and loop nests."""

from __future__ import annotations

from math import isinf

from rich.console import Group, RenderableType
from rich.text import Text

from accelsim.mapping.found import MappingResult
from accelsim.network_cost import NetworkMapping
from accelsim.report.grid import Grid, number, text
from accelsim.report.tables import layer_report
from accelsim.report.text import quantity


def layer_mapping_report(result: MappingResult) -> RenderableType:
    """One layer: how it was found, costs, loop nest."""
    return Group(Text(_how(result)), layer_report(result.cost))


def network_mapping_report(found: NetworkMapping, *, nests: bool = False) -> RenderableType:
    """A row a layer, the totals and, once for equal mappings of equal layers, the loop nests."""
    cost = found.cost
    proofs = [r.certificate for r in found.results if r.certificate is not None]
    columns = [text("layer", 12, 28), text("shape", 16, 34, drop=4), number("cycles"), number("energy")]
    columns += [number("EDP, Js", drop=1), number("evaluations", drop=3), text("status", 7)]
    if proofs:
        columns += [number("gap"), number("candidates", drop=2)]
    table = Grid(columns, f"{cost.network.name} on {cost.hardware.name}")
    for result in found.results:
        one = result.cost
        table.add_row(
            one.layer.name,
            str(one.layer),
            f"{one.latency_cycles:,.0f}",
            quantity(one.energy_pj * 1e-12, "J"),
            f"{one.edp_js:.3g}",
            f"{result.evaluations:,}",
            result.status,
            *((f"{sure.gap:.2%}", f"{sure.nodes:,}") if (sure := result.certificate) is not None else ()),
        )
    how = (
        f"mapper {found.results[0].mapper}, objective {found.results[0].objective}: " if found.results else ""
    )
    total = (
        f"\n{how}"
        f"latency {cost.latency_cycles:,.0f} cycles ({quantity(cost.latency_s, 's')}), "
        f"energy {quantity(cost.energy_pj * 1e-12, 'J')}, EDP {cost.edp_js:.3g} Js\n"
    )
    if proofs:
        worst = max(proof.gap for proof in proofs)
        proved = sum(proof.complete for proof in proofs)
        outside = sum(proof.complete and not proof.inside for proof in proofs)
        total += (
            f"proved among {proofs[0].covers}: {proved} of {len(proofs)} layers, largest gap {worst:.2%}\n"
        )
        if outside:
            total += f"{outside} mappings lie outside that space: none in it is better\n"
    parts: list[RenderableType] = [table, Text(total)]
    if cost.stacks:
        from accelsim.report.fusion import stacks_table

        parts[1:1] = [Text(""), stacks_table(cost)]
    if nests:
        blocks: dict[str, list[str]] = {}
        for result in found.results:
            blocks.setdefault(result.mapping.nest(result.cost.layer), []).append(result.cost.layer.name)
        for nest, names in blocks.items():
            parts += [Text(", ".join(names), style="bold"), Text(nest + "\n")]
    return Group(*parts)


def _how(result: MappingResult) -> str:
    proof = ""
    if result.certificate is not None:
        sure = result.certificate
        size = sure.space_size
        many = "more mappings than are counted" if isinf(size) else f"{size:.3g} mappings"
        among = f"{many} with {sure.covers}"
        if sure.inside:
            proof = f"\ncertificate: gap {sure.gap:.2%} among {among}, "
        elif sure.complete:
            proof = f"\ncertificate: none of {among} is better; this one lies outside them; "
        else:
            proof = f"\ncertificate: gap {sure.gap:.2%} to {among}; this one lies outside them; "
        proof += f"{sure.nodes:,} candidates in {sure.seconds:.2f} s; cut by " + ", ".join(
            f"{rule} {n:,.0f}" for rule, n in sure.pruned.items() if n
        )
    return (
        f"mapper {result.mapper}, objective {result.objective}, seed {result.seed}: {result.status} after "
        f"{result.evaluations:,} evaluations, and {result.start_evaluations:,} for the template mapping"
        f"{proof}"
    )
