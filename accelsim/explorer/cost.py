"""What the page shows of a network's cost, made of the JSON that `accelsim evaluate --json` prints."""

from __future__ import annotations

from typing import Any

from accelsim.explorer.checked import check_cost
from accelsim.mapping.mapping import Mapping
from accelsim.report.text import quantity
from accelsim.workloads.layer import Layer


def cost_page(cost: dict[str, Any]) -> dict[str, Any]:
    """The page of one network on one machine. Raises AccelsimError where the JSON is no network's cost."""
    check_cost(cost)
    one = cost_data(cost)
    title = f"{cost['network']} on {cost['hardware']}"
    names = ("latency_s", "latency_cycles", "energy_pj", "edp_js", "utilisation", "area_mm2", "macs")
    figures = {name: cost[name] for name in names}
    summary = f"{_figures(cost)}, EDP {cost['edp_js']:.4g} Js"
    return {
        "kind": "cost",
        "title": title,
        "summary": summary,
        "design": {"title": title, "figures": figures, "costs": [one]},
    }


def cost_data(cost: dict[str, Any], number: int = 0) -> dict[str, Any]:
    """Layers, stacks and roofline of a cost in its JSON form; `number` tells the costs of a design apart."""
    roof = _roof(cost)
    layers = [_layer(item, roof) for item in cost["layers"]]
    return {
        "id": number,
        "beside": _beside(cost, layers),
        "network": f"{cost['network']}: {_figures(cost)}",
        "cycles": cost["latency_cycles"],
        "layers": layers,
        "stacks": [_stack(item) for item in cost.get("stacks", ())],
        "roof": roof,
    }


def _figures(cost: dict[str, Any]) -> str:
    return f"{quantity(cost['latency_s'], 's')}, {quantity(cost['energy_pj'] * 1e-12, 'J')}"


def _beside(cost: dict[str, Any], layers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Bars beside those of the layers: of fused stacks, and of what an inference takes beyond all of them."""
    bars = [
        {
            "name": _ends(item),
            "stack_cycles": {"fused stacks": item["latency_cycles"]},
            "energy_split": {name: _total(part) for name, part in item.get("energy_split_pj", {}).items()},
        }
        for item in cost.get("stacks", ())
    ]
    if overhead := cost.get("overhead_cycles", 0.0):
        rest = {name: _total(part) for name, part in cost.get("energy_split_pj", {}).items()}
        for one in (*layers, *bars):
            for name, pj in one["energy_split"].items():
                rest[name] = rest.get(name, 0.0) - pj
        split = {name: pj for name, pj in rest.items() if pj > 1e-9 * cost["energy_pj"]}
        bars.append({"name": "overhead", "stack_cycles": {"overhead": overhead}, "energy_split": split})
    return bars


def _layer(item: dict[str, Any], roof: dict[str, Any] | None) -> dict[str, Any]:
    layer = Layer.from_dict(item["layer"])
    moved = (
        0.0 if roof is None else roof["bandwidth"] * max(_busy(item, roof["memory"]).values(), default=0.0)
    )
    return {
        "name": item["name"] or str(layer),
        "shape": str(layer),
        "macs": item["macs"],
        "cycles": item["latency_cycles"],
        "energy_pj": item["energy_pj"],
        "bound_by": item["bound_by"],
        "cycles_split": item["latency_split_cycles"],
        "stack_cycles": latency_stack(item["latency_split_cycles"], item["latency_cycles"]),
        "energy_split": {name: _total(part) for name, part in item["energy_split_pj"].items()},
        "macs_per_byte": item["macs"] / moved if moved and item["macs"] else None,
        "nest": Mapping.from_dict(item["mapping"]).nest(layer) if item.get("mapping") else "",
    }


def _total(part: Any) -> float:
    return sum(map(_total, part.values())) if isinstance(part, dict) else float(part)


def latency_stack(split: dict[str, float], latency_cycles: float) -> dict[str, float]:
    """Cycles that add up to the latency: compute, what waiting for a port adds, and what nothing hides.

    A port's cycles in the split may be exposed fills in part, so the wait is what the others leave.
    """
    outside = ("exposed fills", "ramp-up", "ramp-down", "layer start")
    ports = {name: cycles for name, cycles in split.items() if name not in (*outside, "compute")}
    busiest = max(ports, key=lambda name: ports[name], default="a port")
    waits = latency_cycles - split["compute"] - sum(split.get(name, 0.0) for name in outside)
    return {
        "compute": split["compute"],
        **({f"wait for {busiest}": waits} if waits > 1e-9 * latency_cycles else {}),
        **{name: split[name] for name in outside if split.get(name)},
    }


def _stack(item: dict[str, Any]) -> dict[str, Any]:
    figures = ("tile", "kept", "steps", "macs", "macs_needed", "latency_cycles", "energy_pj", "bound_by")
    lines = [f"{name}: {item[name]}" for name in figures if name in item]
    lines += [f"{name}: {item[name]}" for name in ("loads", "stores", "room") if name in item]
    return {"title": _ends(item), "text": "\n".join(lines)}


def _ends(item: dict[str, Any]) -> str:
    return f"{item['layers'][0]} .. {item['layers'][-1]}"


def _busy(item: dict[str, Any], memory: str) -> dict[str, float]:
    """Cycles that a layer keeps each port of a memory busy."""
    split = item["latency_split_cycles"]
    return {k.removeprefix(f"{memory} "): v for k, v in split.items() if k.startswith(f"{memory} ")}


def _roof(cost: dict[str, Any]) -> dict[str, Any] | None:
    """Peak, and bandwidth of reads of the outermost memory: MACs and bytes a cycle, as the layers tell them.

    A layer's bytes are what its busiest port there could have moved, so that none lies above the roof.
    """
    for item in cost["layers"]:
        if not (item["macs"] and item["accesses"] and item["utilisation"] and item["latency_cycles"]):
            continue
        memory = item["accesses"][0]["memory"]
        rows = [row for row in item["accesses"] if row["memory"] == memory]
        for port, which in (("read+write", ("read", "write")), ("read", ("read",))):
            cycles = _busy(item, memory).get(port)
            moved = sum(row["bits"] for row in rows if row.get("direction") in which) / 8
            if cycles and moved:
                peak = item["macs"] / (item["utilisation"] * item["latency_cycles"])
                return {"memory": memory, "peak": peak, "bandwidth": moved / cycles}
    return None
