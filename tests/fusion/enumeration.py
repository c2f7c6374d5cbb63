"""The slow walk that the search over stacks is held to: every cut, tile, kept mode and choice of weights.

`python -m tests.fusion.enumeration 300` compares so many random networks of up to 7 layers.
"""

from itertools import product

import numpy as np

from accelsim.fusion.menu import tiles_of
from accelsim.fusion.price import price_stack
from accelsim.fusion.room import StackError
from accelsim.fusion.schedule import Stack
from accelsim.fusion.search import fuse
from accelsim.mapping.mapper import TemplateMapper
from accelsim.mapping.mapping import MappingError
from accelsim.mapping.task import Task
from accelsim.stacks import KEPT


class Solver:
    """The template mapping of each piece, found once."""

    def __init__(self, hardware, objective):
        self.hardware, self.objective, self.known = hardware, objective, {}

    def __call__(self, layer, resident, reserved):
        key = layer, resident, reserved.tobytes()
        if key not in self.known:
            task = Task(self.hardware, layer, self.objective, resident=resident, reserved_bits=reserved)
            found = TemplateMapper().map(task)
            self.known[key] = None if found is None else found.cost
        return self.known[key]

    def answer(self, questions):
        """The same for many pieces, in figures."""
        found = [self(*question) for question in questions]
        nothing = np.zeros((len(self.hardware.memories), 6))
        return (
            np.array([np.inf if cost is None else cost.latency_cycles for cost in found]),
            np.array([np.inf if cost is None else cost.energy_pj for cost in found]),
            np.array([nothing if cost is None else cost.busy_cycles for cost in found]),
        )


def figures(singles):
    return np.array([(cost.latency_cycles, cost.energy_pj) for cost in singles])


def alone(hw, net, solve):
    nothing = np.zeros((len(hw.memories), 4))
    return [solve(layer, "", nothing) for layer in net.layers]


def value_of(latency, energy, objective):
    return {"latency": latency, "energy": energy, "edp": latency * energy}[objective]


def enumerated(hw, net, singles, solve, objective):
    """The best value over all cuts and all choices of every stack, one schedule after another.

    Of the choices for one stack those that another beats in both figures are left out: sums only grow.
    """
    count = len(net.layers)
    points = {(i, i + 1): [(c.latency_cycles, c.energy_pj)] for i, c in enumerate(singles)}
    for first in range(count):
        for last in range(first + 1, count):
            sink, heavy = net.layers[last], [i for i in range(first, last + 1) if net.weights_of[i]]
            found = set()
            for p, q in product(tiles_of(sink.P), tiles_of(sink.Q)):
                for kept, stay in product(KEPT, {(), tuple(heavy)}):
                    try:
                        cost = price_stack(hw, net, Stack(first, last, (p, q), kept, stay), solve)
                    except (StackError, MappingError):
                        continue
                    found.add((cost.latency_cycles, cost.energy_pj))
            front = [a for a in found if not any(b != a and b[0] <= a[0] and b[1] <= a[1] for b in found)]
            if front:
                points[first, last + 1] = front
    best, todo = np.inf, [(0, 0.0, 0.0)]
    while todo:
        cut, latency, energy = todo.pop()
        if cut == count:
            best = min(best, value_of(latency, energy, objective))
        for end in range(cut + 1, count + 1):
            todo += [(end, latency + x, energy + y) for x, y in points.get((cut, end), ())]
    return best


def compare(hw, net, objective):
    """(the certificate, the best value of the enumeration); None where a layer fits nowhere."""
    solve = Solver(hw, objective)
    singles = alone(hw, net, solve)
    if any(single is None for single in singles):
        return None
    _, proof = fuse(hw, net, figures(singles), solve.answer, objective, most=10**6)
    return proof, enumerated(hw, net, singles, solve, objective)


def main():
    import sys
    import time

    from hypothesis import HealthCheck, given, settings
    from hypothesis import strategies as st

    from tests.mapping.invented import INVENTED, invented
    from tests.stacks.nets import networks

    began, seen, fused = time.process_time(), 0, 0

    @given(
        networks(most=7, side=5, least=5),
        st.sampled_from(sorted(INVENTED)),
        st.sampled_from(("edp", "latency", "energy")),
    )
    @settings(
        max_examples=int(sys.argv[1]), deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    def every(net, chip, objective):
        nonlocal seen, fused
        found = compare(invented(chip), net, objective)
        if found is None:
            return
        proof, best = found
        assert proof.proved
        assert proof.value == best, (chip, objective, net)
        seen, fused = seen + 1, fused + (proof.priced > 0)

    every()
    print(f"{seen} networks agree, {fused} with stacks priced, {time.process_time() - began:.0f} CPU s")


if __name__ == "__main__":
    main()
