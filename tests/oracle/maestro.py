"""MAESTRO's analysis, slow and obvious: every iteration case of every cluster level, one after another.

The oracle of `cost_models.maestro.price`. With `compat` it does what the tool does, defects included, as
found by reading its sources (repository maestro-project/maestro) and held against its outputs; without,
it counts strides and partial sums rightly. A case gives every directive one state: init, steady or edge.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil, inf, prod
from typing import Any

TENSORS = {
    "CONV": {"I": "CYX", "W": "KCRS", "O": "KYX"},
    "DSCONV": {"I": "CYX", "W": "CRS", "O": "CYX"},
    "NGCONV": {"I": "GCYX", "W": "GKCRS", "O": "GKCYX"},
    "GEMM": {"I": "MK", "W": "KN", "O": "MN"},
}
BATCHED = {
    "CONV": {"I": "NCYX", "W": "KCRS", "O": "NKYX"},
    "DSCONV": {"I": "NCYX", "W": "CRS", "O": "NCYX"},
    "NGCONV": {"I": "NGCYX", "W": "GKCRS", "O": "NGKCYX"},
}
WINDOW = {"Y": "R", "X": "S"}


class Refused(Exception):
    """The tool stops with an error message."""


@dataclass
class State:
    where: str  # init, steady, edge
    times: int
    unrolled: bool = False
    cut: bool = False  # an init that is larger than what is left of the dimension
    last_cut: bool = False  # the last unit in use of a spatial edge gets less than the others

    @property
    def edge(self) -> bool:
        return self.where == "edge" or self.cut


@dataclass
class Level:
    """One cluster level: directives as (kind, size, step, dimension), and all that follows from them."""

    directives: list[tuple[str, int, int, str]]
    units: int
    dims: dict[str, int]
    tensors: dict[str, str]
    scale: dict[str, int] = field(default_factory=dict)  # input rows per output row
    compat: bool = True
    edge_units: int = 1
    mapped: dict[str, int] = field(default_factory=dict)
    mapped_edge: dict[str, int] = field(default_factory=dict)
    fresh: dict[str, int] = field(default_factory=dict)
    fresh_edge: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for kind, size, step, dim in self.directives:
            full = self.dims[dim]
            steady = max(0, cdiv(full - size, step))
            ragged = steady * step + size < full or size > full
            self.mapped[dim] = size
            self.fresh[dim] = 0 if kind == "T" and full <= size else min(size, step)
            rest = full - (steady + 1) * step
            rest = full if rest < 0 or (size > full and not self.compat) else rest
            self.mapped_edge[dim] = rest if ragged else size
            self.fresh_edge[dim] = max(step - (size - rest), 0)
        for _, size, step, dim in self.directives:
            if dim in WINDOW:
                out, kernel, scale = dim + "'", WINDOW[dim], self.scale.get(dim, 1)
                self.mapped[out] = (self.mapped[dim] - self.mapped[kernel]) // scale + 1
                self.fresh[out] = -(-min(size, step) // scale)
                self.mapped_edge[out] = (self.mapped_edge[dim] - self.mapped_edge[kernel]) // scale + 1
                self.fresh_edge[out] = min(-(-step // scale), self.mapped_edge[out])
        spatial = [d for d in self.directives if d[0] == "S"]
        if not 1 <= len(spatial) <= 2:
            raise Refused("a level needs one or two spatial maps")
        _, size, step, dim = spatial[0]
        full = self.dims[dim]
        if full > step * (self.units - 1) + size:
            steady = cdiv(cdiv(full - size, step) + 1, self.units) - 1
            rest = full - (steady + 1) * step * self.units
            self.edge_units = 1 if rest < size else cdiv(rest - size, step) + 1
            if not self.compat and rest > (self.edge_units - 1) * step + size:
                self.edge_units += 1
        elif full > size:
            self.edge_units = -(-(full - size) // step) + 1

    def states(self, dims: dict[str, int]) -> list[list[State]]:
        """What each directive can be in when the level works on a tile of `dims`."""
        out = []
        for kind, size, step, dim in self.directives:
            full = dims[dim]
            if kind == "T":
                found = [State("init", 1, full <= size, full < size)]
                if size < full:
                    steady = (full - size) // step
                    if steady > 0:
                        found.append(State("steady", steady))
                    if steady * step + size < full:
                        found.append(State("edge", 1))
            else:
                reach = size + step * (self.units - 1)
                found = [State("init", 1, full <= reach, full < reach, full < reach)]
                if full > reach:
                    steady = ((full - size) // step + 1) // self.units - 1
                    if steady > 0:
                        found.append(State("steady", steady))
                    sweep = step * self.units
                    if (steady + 1) * sweep + reach > full and steady * sweep + reach != full:
                        rest = full - (steady + 1) * sweep
                        used = 1 if rest < size else (rest - size) // step + 1
                        found.append(State("edge", 1, last_cut=(used - 1) * step + size < rest))
            out.append(found)
        return out

    def cases(self, dims: dict[str, int]) -> list[dict[str, State]]:
        """All combinations, in the tool's order: every counter but the innermost runs one case ahead."""
        states = self.states(dims)
        strides = []
        total = 1
        for found in reversed(states):
            strides.append(total)
            total *= len(found)
        strides.reverse()
        return [
            {
                self.directives[i][3]: found[-(-case // stride) % len(found)]
                for i, (found, stride) in enumerate(zip(states, strides))
            }
            for case in range(total)
        ]

    def kind(self, dim: str) -> str:
        return next(d[0] for d in self.directives if d[3] == dim)

    def spatial_state(self, dims: str, case: dict[str, State]) -> State | None:
        """State of the last of `dims` that is mapped spatially, with `edge` if any of them is at its edge."""
        return next((case[d] for d in reversed(dims) if self.kind(d) == "S"), None)

    # -- inputs ----------------------------------------------------------------------------------------

    def volume(self, tensor: str, case: dict[str, State], first: bool, last: bool) -> int:
        """Elements that one unit holds: loaded whole, nothing kept."""
        out = 1
        for kind, _, _, dim in self.directives:
            if dim not in self.tensors[tensor]:
                continue
            edge = case[dim].edge
            if kind == "T":
                out *= self.mapped_edge[dim] if edge else self.mapped[dim]
            elif not edge:
                out *= self.mapped[dim]
            elif self.edge_units == 1:
                out *= self.mapped_edge[dim] if first or last else 1
            else:
                out *= self.mapped_edge[dim] if last else self.mapped[dim]
        return out

    def load(self, tensor: str, case: dict[str, State], first: bool = True, last: bool = False) -> int:
        """Elements that one unit receives; `first` unit of the array, or the `last` and cut one."""
        moving = max((i for i, d in enumerate(self.directives) if case[d[3]].where != "init"), default=-1)
        if moving < 0:
            return self.volume(tensor, case, first, last)
        if self.directives[moving][3] not in self.tensors[tensor]:
            return 0
        restarted = any(
            case[d[3]].where == "init" and d[3] in self.tensors[tensor] and not case[d[3]].unrolled
            for d in self.directives[moving + 1 :]
        )
        out = 1
        for i, (kind, _, _, dim) in enumerate(self.directives):
            if dim not in self.tensors[tensor]:
                continue
            state = case[dim]
            whole = self.mapped_edge[dim] if last else self.mapped[dim]
            part = self.fresh_edge[dim] if last else self.fresh[dim]
            if kind == "T":
                if state.where == "init":
                    out *= self.mapped_edge[dim] if state.edge else self.mapped[dim]
                else:
                    if i == moving and not restarted:
                        if self.fresh[dim] == 0:
                            raise Refused("a loop that has one step moves")
                        out *= self.fresh[dim]
                    else:
                        out *= self.mapped[dim]
            elif first:
                out *= whole
            elif state.where == "init":
                out *= part if i > moving else whole
            else:
                out *= part if i == moving and not restarted else whole
        return out

    def ingress(self, tensor: str, case: dict[str, State]) -> int:
        """Elements sent to all units, a multicast counted once."""
        dims = self.tensors[tensor]
        state = self.spatial_state(dims, case)
        if state is None:
            return self.load(tensor, case)
        if not any(case[d].edge for d in dims if self.kind(d) == "S"):
            return self.load(tensor, case) + (self.units - 1) * self.load(tensor, case, False)
        out = self.load(tensor, case, True, self.edge_units == 1 and state.last_cut)
        if self.edge_units > 1:
            cut = int(state.last_cut)
            out += max(self.edge_units - cut - 1, 0) * self.load(tensor, case, False, False)
            out += cut * self.load(tensor, case, False, True)
        return out

    # -- outputs ---------------------------------------------------------------------------------------

    def yields(
        self, case: dict[str, State], sums: bool, first: bool = True, last: bool = False, shared: bool = True
    ) -> int:
        """Outputs of one unit; with `sums` its multiply-accumulates."""
        out = 1
        outputs = self.tensors["O"]
        reduced = [(d[0], d[3], d[3]) for d in self.directives if d[3] not in outputs] if sums else []
        for kind, dim, name in reduced + [(self.kind(d), d, d + "'" if d in WINDOW else d) for d in outputs]:
            state = case[dim]
            whole, part = self.mapped[name], self.fresh[name]
            if kind == "T":
                out *= self.mapped_edge[name] if state.edge else whole
                continue
            plain = whole if first else part or 1
            if state.where == "edge":
                if self.edge_units == 1:
                    out *= self.mapped_edge[dim if self.compat else name] if first or last else 1
                else:
                    out *= self.fresh_edge[name] if last else plain
            elif state.cut and last:
                some = self.edge_units > 1 and shared and dim in outputs
                out *= self.fresh_edge[name] if some else self.mapped_edge[name]
            else:
                out *= plain
        return out

    def egress(self, case: dict[str, State]) -> int:
        dims = self.tensors["O"]
        state = self.spatial_state(dims, case)
        if state is None:
            return self.yields(case, False)
        if not any(case[d].edge for d in dims if self.kind(d) == "S"):
            return self.yields(case, False) + (self.units - 1) * self.yields(case, False, False)
        out = self.yields(case, False, True, self.edge_units == 1 and state.last_cut)
        if self.edge_units > 1:
            cut = int(state.last_cut)
            out += max(self.edge_units - cut - 1, 0) * self.yields(case, False, False)
            out += cut * self.yields(case, False, False, True)
        return out

    def longest(self, case: dict[str, State]) -> int:
        """Multiply-accumulates of the busiest unit."""
        dims = self.tensors["O"]
        state = self.spatial_state(dims, case)
        cut = (
            state is not None
            and any(case[d].edge for d in dims if self.kind(d) == "S")
            and self.edge_units == 1
            and state.last_cut
        )
        return self.yields(case, True, True, cut)

    def work(self, case: dict[str, State]) -> int:
        """Multiply-accumulates of all units."""
        spatial = [d[3] for d in self.directives if d[0] == "S"]
        state = case[spatial[-1]]
        if not any(case[d].edge for d in spatial):
            return self.units * self.yields(case, True)
        out = self.yields(case, True, True, self.edge_units == 1 and state.last_cut)
        if self.edge_units > 1:
            cut = int(state.last_cut)
            out += max(self.edge_units - cut - 1, 0) * self.yields(case, True)
            out += cut * self.yields(case, True, False, True, False)
        return out

    def tile(self, case: dict[str, State], last: bool) -> dict[str, int]:
        """What one unit works on: the dimensions of the next level."""
        out = {}
        for kind, _, _, dim in self.directives:
            edge = case[dim].edge
            if kind == "S":
                edge = edge and (self.edge_units == 1 or last)
            out[dim] = self.mapped_edge[dim] if edge else self.mapped[dim]
        return out


def cdiv(a: int, b: int) -> int:
    """Quotient rounded towards zero."""
    return int(abs(a) // b) * (1 if a >= 0 else -1)


def levels(layer: dict[str, Any], program: list[Any], pes: int, compat: bool = True) -> list[Level]:
    """The cluster levels of a directive program: lists of (kind, size, step, dimension), sizes between."""
    batched = "N" in layer["dims"] and layer["type"] in BATCHED
    tensors = (BATCHED if batched else TENSORS)[layer["type"]]
    if layer["type"] == "NGCONV" and not compat:
        tensors = tensors | {"O": tensors["O"].replace("C", "")}
    dims = dict(layer["dims"])
    full = dict(dims)
    strides = layer.get("strides", {})
    scale: dict[str, int] = {}
    for dim in WINDOW if not compat else ():
        if strides.get(dim, 1) > 1:
            kernel = full[WINDOW[dim]]
            scale[dim] = min(strides[dim], kernel)
            dims[dim] = (full[dim] - kernel) // strides[dim] * scale[dim] + kernel
    groups: list[list[tuple[str, int, int, str]]] = [[]]
    sizes: list[int] = []
    for item in program:
        if isinstance(item, int):
            sizes.append(item)
            groups.append([])
        else:
            groups[-1].append(item)
    group = 1
    for size in sizes:
        group *= size
    out: list[Level] = []
    known = sorted(set(tensors["I"] + tensors["W"]))
    units = pes // group
    for depth, directives in enumerate(groups):
        names = {d[3] for d in directives}
        window = {d[3]: d[1] for d in directives if d[3] in "RS"}
        here = []
        given = {}
        for kind, size, step, dim in directives:
            if dim.endswith("'") and dim[0] not in names:
                given[dim[0]] = size
                size, dim = size + window[WINDOW[dim[0]]] - 1, dim[0]
            here.append((kind, size, step, dim))
        own = {d[3] for d in here}
        names = {d[3] for d in here}
        if out:
            for _, size, step, dim in out[-1].directives:
                if dim not in names:
                    here.insert(0, ("T", size, step, dim))
            names = {d[3] for d in here}
        here += [("T", dims[d], dims[d], d) for d in known if d not in names and d in dims]
        for i, (kind, size, step, dim) in enumerate(here):
            stride = strides.get(dim, 1)
            if dim in WINDOW and stride != 1 and size >= full[WINDOW[dim]] and (compat or dim in own):
                kernel = full[WINDOW[dim]]
                outputs = (size + stride - kernel) // stride
                if not compat:
                    outputs = given.get(dim, outputs)
                step = outputs * (kernel if (out or not compat) and kernel < stride else stride)
                size = outputs * min(stride, kernel) + max(kernel - stride, 0)
                here[i] = (kind, size, step, dim)
        out.append(Level(here, units, dims, tensors, scale, compat))
        dims = {d: min({x[3]: x[1] for x in here}[d], dims[d]) for d in known}
        units = sizes[depth] if depth < len(sizes) else 0
    return out


def noc_delay(elements: int, bandwidth: int, latency: int) -> int:
    return latency + -(-elements // bandwidth) - 1


def analyse(
    layer: dict[str, Any], program: list[Any], machine: dict[str, int], compat: bool = True
) -> dict[str, Any]:
    """All that the tool reports of one layer. `machine`: pes, simd, noc_bw, noc_latency, offchip_bw."""
    stack = levels(layer, program, machine["pes"], compat)
    top = _level(stack, 0, stack[0].dims, machine)
    inner, asked = _first_result(stack, 0, stack[0].dims) if compat else (stack[-1], 1)
    for tensor, coupled in inner.tensors.items():
        times = 1 if tensor == "O" else asked
        top["l1_req"][tensor] = 2 * times * prod(inner.mapped[dim] for dim in coupled)
    return top


def _first_result(stack: list[Level], depth: int, dims: dict[str, int]) -> tuple[Level, int]:
    """The level that the tool is done with first, whose tile it takes for L1's, and how often it adds it up:
    once for the first case that does some work, and for all before, of which it says nothing else.
    """
    level = stack[depth]
    asked = 0
    for case in level.cases(dims):
        asked += 1
        if level.longest(case) > 0:
            if depth + 1 == len(stack):
                break
            spatial = next(case[d[3]] for d in level.directives if d[0] == "S")
            return _first_result(stack, depth + 1, level.tile(case, spatial.edge and spatial.last_cut))
    return level, asked


def _level(stack: list[Level], depth: int, dims: dict[str, int], machine: dict[str, int]) -> dict[str, Any]:
    level = stack[depth]
    zero = {"I": 0, "W": 0, "O": 0}
    out: dict[str, Any] = {"runtime": 0, "macs": 0, "active": 0.0, "peak_noc": 0, "avg_noc": 0, "offchip": 0}
    out |= {name: dict(zero) for name in ("l2_read", "l2_write", "l1_read", "l1_write", "l2_req", "l1_req")}
    out["delay"] = {kind: [inf, -inf, 0] for kind in ("ingress", "egress", "compute")}
    counted = 0
    for number, case in enumerate(level.cases(dims)):
        if number == 0:
            for tensor, coupled in level.tensors.items():
                size = 1
                for dim in coupled:
                    if tensor == "O" and dim in WINDOW:
                        size *= (dims[dim] - dims[WINDOW[dim]]) // level.scale.get(dim, 1) + 1
                    else:
                        size *= dims[dim]
                if tensor == "O":
                    out["l2_read"]["O"] = size
                    out["l2_req"]["O"] = 2 * level.egress(case)
                else:
                    out["l2_write"][tensor] = size
                    out["l2_req"][tensor] = 2 * level.ingress(tensor, case)
        times = 1
        for state in case.values():
            times *= state.times
        egress, work, longest = level.egress(case), level.work(case), level.longest(case)
        out["l2_write"]["O"] += times * egress
        out["l1_write"]["O"] += times * work
        out["l1_read"]["O"] += times * work
        if longest <= 0:
            continue
        ingress = 0
        for tensor in "IW":
            words = level.ingress(tensor, case)
            ingress += words
            out["l2_read"][tensor] += times * words
            out["l1_write"][tensor] = out["l2_read"][tensor]
            out["l1_read"][tensor] += times * work
        spatial = next(case[d[3]] for d in level.directives if d[0] == "S")
        active = 0.0
        if depth + 1 < len(stack):
            parts = []
            if spatial.edge and spatial.last_cut:
                parts.append((1, _level(stack, depth + 1, level.tile(case, True), machine)))
                if level.edge_units > 1:
                    rest = _level(stack, depth + 1, level.tile(case, False), machine)
                    parts.append((level.edge_units - 1, rest))
            else:
                rest = _level(stack, depth + 1, level.tile(case, False), machine)
                parts.append((level.edge_units if spatial.edge else level.units, rest))
            compute = max(0, *(part["runtime"] for _, part in parts))
            active = sum(many * part["active"] for many, part in parts)
        else:
            compute = ceil(longest / machine["simd"])
        if active == 0:
            active = level.edge_units if spatial.edge else level.units
        again = any(case[d].where != "init" for d in case if d not in level.tensors["O"])
        if again and not level.compat:
            out["l2_read"]["O"] += times * egress
        back = egress if again and not level.compat else 0
        came = noc_delay(ingress + back, machine["noc_bw"], machine["noc_latency"])
        went = noc_delay(egress, machine["noc_bw"], machine["noc_latency"])
        start = all(state.where == "init" for state in case.values())
        delay = compute + came if start else max(went, compute, came)
        if depth == 0:
            need_in, need_out = out["l2_req"]["I"] + out["l2_req"]["W"], out["l2_req"]["O"]
            bandwidth = machine["offchip_bw"]
            delay = max(delay, cdiv(cdiv(need_in, bandwidth), 2), cdiv(cdiv(need_out, bandwidth), 2))
            if compute == 0:
                raise Refused("division by zero")
            out["offchip"] = max(out["offchip"], cdiv(need_out, compute), cdiv(need_in, compute)) // 2
        out["runtime"] += times * delay
        out["macs"] += times * work
        out["active"] += active * times
        compute = compute or 1
        busy = max(ingress, egress)
        out["peak_noc"] = max(out["peak_noc"], cdiv(busy, compute))
        out["avg_noc"] += cdiv(times * busy, compute)
        for kind, value in (("ingress", came), ("egress", went), ("compute", compute)):
            low, high, total = out["delay"][kind]
            out["delay"][kind] = [min(low, value), max(high, value), total + times * value]
        counted += times
    if counted:
        out["active"] /= counted
        out["avg_noc"] /= counted
        for kind in out["delay"]:
            out["delay"][kind][2] //= counted
    return out
