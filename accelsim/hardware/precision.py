"""A layer in precisions of its own: the machine that it sees, the same silicon at other widths.

Memories pack words at the layer's widths, unless they keep elements in widths of their own; wires carry them
so too, and energies a bit stay. What the MACs make of it follows `mac.precision`:

- An operand wider than the unit's takes a pass for each part: ceil(w / w') ceil(i / i') passes, each of the
  time and energy of one, as a product of wide numbers is a sum of products of their parts.
- `fixed`: a narrower one takes the whole unit, at its time and energy.
- `fused`: the unit is made of narrower multipliers that work apart on narrower operands, w' / w i' / i of
  them at a time, w and i rounded up to a half, a quarter, ... of w' and i', down to 2 bits, as in Bit Fusion
  (Sharma et al., ISCA 2018): one 8 x 8, four 4 x 4 or 2 x 8, or sixteen 2 x 2 multiplications a cycle. The
  energy of each falls as the fit for MACs does, whose multiplier goes by the product of the widths.

Any dimension is taken to fill the parts of a unit; what they leave idle at its edges is not counted.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from accelsim.hardware import technology

if TYPE_CHECKING:
    from accelsim.hardware.accelerator import Accelerator
    from accelsim.workloads.bits import LayerBits

LEAST_BITS = 2
"""The narrowest multiplier of a `fused` unit (Bit Fusion's BitBrick)."""


def part(unit: int, wanted: int) -> int:
    """The narrowest of unit, unit / 2, unit / 4, ... bits that takes an operand of `wanted` bits."""
    while unit % 2 == 0 and unit // 2 >= max(wanted, LEAST_BITS):
        unit //= 2
    return unit


def at_bits(hw: Accelerator, bits: LayerBits) -> Accelerator:
    """The machine as a layer of these bits sees it; the machine itself where they are its own."""
    old = hw.precision_bits
    weight, entry, output = (
        b or own for b, own in zip(bits, (old.weight, old.input, old.output), strict=True)
    )
    if (weight, entry, output) == (old.weight, old.input, old.output):
        return hw
    new = old.model_copy(
        update={"weight": weight, "input": entry, "output": output, "psum": max(old.psum, output)}
    )
    passes = -(-weight // old.weight) * -(-entry // old.input)
    energy, cycles = hw.costs.mac.energy_pj * passes, float(hw.mac.cycles * passes)
    if hw.mac.precision == "fused":
        w, i = part(old.weight, weight), part(old.input, entry)
        cycles /= (old.weight // w) * (old.input // i)
        fits = [
            technology.mac(a, b, old.psum, hw.technology_nm).energy_pj
            for a, b in ((w, i), (old.weight, old.input))
        ]
        energy *= fits[0] / fits[1]
    made = hw.derived(precision_bits=new, mac=hw.mac.model_copy(update={"cycles": cycles}))
    made.__dict__["costs"] = replace(hw.costs, mac=replace(hw.costs.mac, energy_pj=energy))
    made.__dict__["_made"] = {name: engine.at_bits(bits) for name, engine in hw._made.items()}
    return made
