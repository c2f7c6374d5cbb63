"""Time and energy of a walked mapping, added up in plain words: what the product's ports are checked against.

A *price list* says for each memory: `ports`, a list of {"rate" (bits a cycle), "users" (as "read W")};
`overlaps`; `start` (cycles a transfer); `burst` (bits, 0 = none); `pj`, by user, of one bit; `bits` of W, I,
O and psum as this memory keeps them. For the whole: `mac_pj`, `leak` (pJ a cycle), `layer` (cycles), and the
tensors of the layer.

1.  A word of W or I is read at the parent and written at the child. A drained word of O is read at the child
    and written at the parent; one that comes back is read at the parent and written at the child. The MACs
    have no port.
2.  A word of O is complete when it leaves an instance if no axis above that instance carries C, R or S, and
    it leaves for the last time. Complete words have output bits, all others psum bits.
3.  Users of a port take turns: their times add up. A memory is as busy as its busiest port; instances in use
    share what is moved evenly.
4.  Each fill event is one transfer of the parent, of outputs one drain, and one read for the share of words
    that come back. A transfer takes `start` cycles at its port; together they move whole bursts, the mean
    transfer rounded up.
5.  What fills a child that does not overlap is time of its own, child by child. All else hides behind
    compute.
6.  First tiles come in through one overlapping memory after the other, each at the slower of both sides;
    the last outputs leave likewise. All tiles count as the first ones. (The product takes every instance
    to be full; where splits leave remainders its ramps may differ.)
7.  Layers without weights run on a unit of their own that is as wide as the whole array; with `unit` every
    layer runs at so many points a cycle. A multiply-accumulate takes `slow` cycles beyond its first.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil, prod
from typing import Any

from tests.oracle.walk import Flow, Problem, Tiles, walk


class TimedFlow(Flow):
    """Remembers what the first fill moves for the first instances."""

    first: tuple[int, int] = (0, 0)  # words at one parent, at one child

    def see(self, index: tuple[int, ...], tiles: Tiles) -> None:
        if self.fills == 0 and self.index is None:
            zeros = {x: tile for x, tile in tiles.items() if not any(x[: self.prefix])}
            groups: dict[tuple[int, ...], set[Any]] = {}
            for x, tile in zeros.items():
                name = tuple(x[i] for i in self.separate)
                groups.setdefault(name, set()).update(self.problem.elements(self.tensor, tile))
            child = min(zeros)
            self.first = (
                sum(map(len, groups.values())),
                len(self.problem.elements(self.tensor, zeros[child])),
            )
        super().see(index, tiles)


def priced(case: dict[str, Any], machine: dict[str, Any]) -> dict[str, float]:
    """Latency (cycles) and energy (pJ without wires) of a case on a price list."""
    flows: list[TimedFlow] = []

    class Kept(TimedFlow):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            flows.append(self)

    tensors = machine["tensors"]
    result = walk(**case, flow=Kept, tensors=tensors)
    problem: Problem = flows[0].problem
    prices = machine["memories"]
    M = len(prices)
    instances = [prod(axis.factor for _, axis in problem.axes_between(0, m)) for m in range(M)]
    loads: dict[int, dict[tuple[int, str], list[float]]] = {}
    for flow, row in zip(flows, result["traffic"], strict=True):
        t, p, c = flow.tensor, flow.parent, flow.child
        load = loads.setdefault(c if c < M and not prices[c]["overlaps"] else 0, {})
        for m, user, moved, share in moves(flow, row, problem, prices, M):
            wait = 0.0
            if m == p and moved:
                transfers = flow.fills * instances[p] * share
                wait = float(transfers) * prices[p]["start"]
                burst = prices[p]["burst"]
                if burst:
                    moved = float(transfers * burst * ceil(moved / (transfers * burst)))
            here = load.setdefault((m, f"{user} {t}"), [0.0, 0.0])
            here[0] += moved
            here[1] += wait
    energy = machine["mac_pj"] * (result["macs"] if machine["macs"] else 0)
    spent = {kind: busiest(load, prices, instances) for kind, load in loads.items()}
    for load in loads.values():
        energy += sum(moved * prices[m]["pj"][user] for (m, user), (moved, _) in load.items())
    steps = result["compute_steps"]
    if machine["unit"]:
        steps = ceil(result["macs"] / machine["unit"])
    elif machine["macs"]:
        steps *= 1 + machine["slow"]
    else:  # rule 7
        lanes = prod(axis["size"] for memory in case["memories"] for axis in memory["fanout"])
        steps = min(steps, ceil(result["macs"] / lanes))
    hidden = max(steps, spent.pop(0, 0.0))
    first = ramps(flows, prices, M)
    latency = first + hidden + sum(spent.values()) + machine["layer"]
    return {"latency": latency, "energy": energy + machine["leak"] * latency, "ramps": first}


def moves(flow: Flow, row: dict[str, Any], problem: Problem, prices: Any, M: int) -> Any:
    """(memory, direction, bits, share of the transfers) of one flow: rules 1 and 2."""
    t, p, c = flow.tensor, flow.parent, flow.child
    parent, child = row["parent_words"], row["child_words"]
    here, there = prices[p]["bits"], prices[c]["bits"] if c < M else {}
    if t != "O":
        yield p, "read", parent * here[t], Fraction(1)
        if c < M:
            yield c, "write", child * there[t], Fraction(1)
        return
    back = row["parent_psum_reads"]
    complete = {m: not any(axis.dim in "CRS" for _, axis in problem.axes_between(0, m)) for m in (p, c)}
    leaving = sum(map(len, flow.distinct.values())) if complete[p] else 0
    yield p, "write", (parent - leaving) * here["psum"] + leaving * here["O"], Fraction(1)
    yield p, "read", back * here["psum"], Fraction(back, parent)
    if c < M:
        outputs = prod(problem.sizes[d] for d in "NGKPQ") if complete[c] else 0
        yield c, "read", (child - outputs) * there["psum"] + outputs * there["O"], Fraction(1)
        yield c, "write", back * there["psum"], Fraction(1)


def busiest(load: dict[tuple[int, str], list[float]], prices: Any, instances: list[int]) -> float:
    """Cycles of the busiest port: rule 3."""
    most = 0.0
    for m, price in enumerate(prices):
        for port in price["ports"]:
            used = [load.get((m, user), (0.0, 0.0)) for user in port["users"]]
            most = max(most, sum(moved / port["rate"] + wait for moved, wait in used) / instances[m])
    return most


def ramps(flows: list[TimedFlow], prices: Any, M: int) -> float:
    """Cycles of the first tiles in and the last out: rule 6."""
    total = 0.0
    for c in range(1, M):
        if not prices[c]["overlaps"]:
            continue
        coming: dict[tuple[int, int], float] = {}
        leaving = [0.0]
        for flow in flows:
            if flow.child != c:
                continue
            t, p = flow.tensor, flow.parent
            out, into = ("read", "write") if t != "O" else ("write", "read")
            here, there = (prices[m]["bits"][t] * words for m, words in zip((p, c), flow.first))
            at_parent = prices[p]["start"] + here / port_of(prices[p], f"{out} {t}")[1]
            at_child = there / port_of(prices[c], f"{into} {t}")[1]
            if t == "O":
                leaving += [at_parent, at_child]
                continue
            for m, user, time in ((p, f"{out} {t}", at_parent), (c, f"{into} {t}", at_child)):
                place = m, port_of(prices[m], user)[0]
                coming[place] = coming.get(place, 0.0) + time
        total += max(coming.values(), default=0.0) + max(leaving)
    return total


def port_of(price: Any, user: str) -> tuple[int, float]:
    """(number, bits a cycle) of the port that a user has."""
    return next((i, port["rate"]) for i, port in enumerate(price["ports"]) if user in port["users"])
