"""A mapping and its machine as the YAML that `timeloop-model` reads: architecture, problem, mapping.

The format is that of Timeloop's documentation (architecture 0.2): every level has one loop a dimension, loops
are listed innermost first, and `end,rest` is a loop of `end` steps of which the last outer step does only
`rest`. Its tiles therefore nest without remainder but at the end of the whole dimension.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from accelsim.emit.base import Item, title
from accelsim.emit.nest import ForLoop, blocks
from accelsim.errors import AccelsimError
from accelsim.hardware import Accelerator
from accelsim.hardware.ports import ports_of
from accelsim.mapping.mapping import Mapping
from accelsim.workloads.layer import DIMS, Layer

DATA = {"W": "Weights", "I": "Inputs", "O": "Outputs"}


def write(items: Sequence[Item], about: str) -> str:
    """A YAML document a layer, each whole: a file of one is a run of `timeloop-model`.

    Raises AccelsimError without the hardware, which `emit(..., hardware=...)` gives.
    """
    return "---\n".join(_document(item, about or "accelsim") for item in items)


def _document(item: Item, about: str) -> str:
    hw = item.hardware
    if hw is None:
        raise AccelsimError("emit timeloop: needs the hardware that the mapping is for")
    machine = item.mapping.machine(hw)
    levels, notes = _levels(item.mapping, item.layer)
    lines = [
        f"# {about}",
        f"# {title(item)}",
        *(f"# {note}" for note in notes),
        "architecture:",
        "  version: 0.2",
        *_architecture(machine, item.layer),
        *_problem(item.layer),
        "mapping:",
    ]
    for m, (memory, level) in enumerate(zip(machine.memories, levels, strict=True)):
        target = f"  - target: {_name(memory.name)}"
        kept = [t for t in DATA if t in memory.holds and (t != "W" or item.layer.has_weights)]
        passing = [t for t in DATA if t not in memory.holds and (t != "W" or item.layer.has_weights)]
        lines += [target, "    type: temporal", *_directive(level[0])]
        lines += [
            target,
            "    type: bypass",
            f"    keep: [{_words(kept)}]",
            f"    bypass: [{_words(passing)}]",
        ]
        if machine.instances(m + 1) > machine.instances(m):
            lines += [target, "    type: spatial", *_directive(level[1]), f"    split: {len(DIMS)}"]
    return "\n".join([*lines, ""])


Steps = dict[str, tuple[int, int]]
"""Dimension -> (steps, steps of the last outer step), outermost first."""


def _levels(mapping: Mapping, layer: Layer) -> tuple[list[tuple[Steps, Steps]], list[str]]:
    """The loops of each memory in time and over its array, and what had to be rounded."""
    nest: list[tuple[int, bool, ForLoop]] = []
    for m, block in enumerate(blocks(mapping, layer)):
        if not block.memory:
            left = ", ".join(loop.dim for loop in block.loops)
            raise AccelsimError(f"emit timeloop: below the last memory {left} of {layer} must be down to 1")
        nest += [(m, bool(loop.lanes), loop) for loop in block.loops]
    out: list[tuple[Steps, Steps]] = [({}, {}) for _ in mapping.levels]
    notes = []
    for d in DIMS:
        loops = [one for one in nest if one[2].dim == d]
        ends = [loop.steps for *_, loop in loops]
        inner = [1] * len(loops)
        for i in range(len(loops) - 2, -1, -1):
            inner[i] = inner[i + 1] * ends[i + 1]
            step = loops[i][2].step
            if inner[i] != step:
                notes.append(
                    f"{d}: a tile of {step} in {loops[i][2].place} becomes {inner[i]}, as it nests there"
                )
        rest = layer.dims[d]
        for i, (m, spatial, _) in enumerate(loops):
            end = ends[i] if i else -(-rest // inner[i])
            last = -(-rest // inner[i])
            rest -= (last - 1) * inner[i]
            known = out[m][spatial].pop(d, (1, 1))  # two axes over one dimension are one loop
            out[m][spatial][d] = (known[0] * end, (known[1] - 1) * end + last)
    order = [
        [loop.dim for place, spatial, loop in nest if place == m and not spatial] for m in range(len(out))
    ]
    return [
        ({d: times[d] for d in reversed(dict.fromkeys(reversed(dims)))}, over)
        for dims, (times, over) in zip(order, out, strict=True)
    ], notes


def _directive(steps: Steps) -> list[str]:
    """Factors and permutation, every dimension once, innermost first."""
    inside = [*reversed(steps), *(d for d in DIMS if d not in steps)]
    factors = (f"{d}={end}" + (f",{rest}" if rest != end else "") for d, (end, rest) in steps.items())
    ones = (f"{d}=1" for d in DIMS if d not in steps)
    return [f"    factors: {' '.join((*factors, *ones))}", f"    permutation: {''.join(inside)}"]


def _architecture(hw: Accelerator, layer: Layer) -> list[str]:
    """A subtree a fan-out, its memories at their instances, the MACs innermost."""
    lines = ["  subtree:", "    - name: System", "      local:"]
    pad = "      "
    bits = hw.precision_bits.input
    for m in range(len(hw.memories)):
        if m and hw.instances(m) > hw.instances(m - 1):
            count = hw.instances(m) // hw.instances(m - 1)
            lines += [
                f"{pad}subtree:",
                f"{pad}  - name: under_{_name(hw.memories[m - 1].name)}[0..{count - 1}]",
            ]
            pad += "    "
            lines.append(f"{pad}local:")
        lines += _storage(hw, m, bits, pad)
    last = len(hw.memories)
    count = hw.instances(last) // hw.instances(last - 1)
    if count > 1:
        lines += [f"{pad}subtree:", f"{pad}  - name: under_{_name(hw.memories[-1].name)}[0..{count - 1}]"]
        pad += "    "
        lines.append(f"{pad}local:")
    lines += [
        f"{pad}  - name: MACC",
        f"{pad}    class: intmac",
        f"{pad}    attributes: {{datawidth: {bits}, meshX: {hw.num_pes}}}",
    ]
    return lines


def _storage(hw: Accelerator, m: int, bits: int, pad: str) -> list[str]:
    memory = hw.memories[m]
    kind = {"dram": "DRAM", "register": "regfile"}.get(memory.technology, "SRAM")
    about = {"width": bits, "block-size": 1, "word-bits": bits}
    if memory.size_bytes is not None:
        about["depth"] = max(1, int(memory.total_bytes * 8 // bits))
    words: dict[str, float] = {}
    for port in ports_of(hw, m):
        ways = {user.split()[0] for user in port.users}
        name = f"{'shared' if len(ways) > 1 else ways.pop()}_bandwidth"
        words[name] = words.get(name, 0.0) + port.rate * 8 / bits
    about["meshX"] = hw.instances(m)
    fields = ", ".join(f"{key}: {value:g}" if isinstance(value, float) else f"{key}: {value}"
                       for key, value in (*about.items(), *words.items()))  # fmt: skip
    return [
        f"{pad}  - name: {_name(memory.name)}",
        f"{pad}    class: {kind}",
        f"{pad}    attributes: {{{fields}}}",
    ]


def _problem(layer: Layer) -> list[str]:
    rows, columns = "[[P, Pstride], [R, Rdilation]]", "[[Q, Qstride], [S, Sdilation]]"
    coefficients = zip(("Pstride", "Qstride", "Rdilation", "Sdilation"), (*layer.stride, *layer.dilation))
    sizes = {**layer.dims, **dict(coefficients)}
    weights = [
        "      - name: Weights",
        "        projection: [[[G]], [[K]], [[C]], [[R]], [[S]]]",
    ]
    return [
        "problem:",
        "  shape:",
        f"    name: {layer.op}",
        f"    dimensions: [{', '.join(DIMS)}]",
        "    coefficients:",
        *(
            f"      - {{name: {name}, default: 1}}"
            for name in ("Pstride", "Qstride", "Rdilation", "Sdilation")
        ),
        "    data-spaces:",
        *(weights if layer.has_weights else []),
        "      - name: Inputs",
        f"        projection: [[[N]], [[G]], [[C]], {rows}, {columns}]",
        "      - name: Outputs",
        "        projection: [[[N]], [[G]], [[K]], [[P]], [[Q]]]",
        "        read-write: True",
        f"  instance: {{{', '.join(f'{name}: {value}' for name, value in sizes.items())}}}",
    ]


def _words(tensors: Sequence[str]) -> str:
    return ", ".join(DATA[t] for t in tensors)


def _name(name: str) -> str:
    """A name that YAML and Timeloop take."""
    return re.sub(r"\W+", "_", name)
