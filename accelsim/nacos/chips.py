"""Chips of a benchmark: shipped ones that keep nothing between layers, and draws from what they may vary."""

from __future__ import annotations

from collections.abc import Iterator
from zlib import crc32

import numpy as np

from accelsim.cosearch.chips.fixed import unsearched
from accelsim.cosearch.chips.space import ChipSpace
from accelsim.hardware import Accelerator, hardware_names, load_hardware

MOST_TRIES = 100_000
"""Genomes drawn of a base at most."""


def bases() -> tuple[str, ...]:
    """Shipped accelerators on which costs of layers add up: nothing stays on chip from one to the next."""
    chips = map(load_hardware, hardware_names())
    return tuple(name for name, chip in zip(hardware_names(), chips) if adds_up(chip))


def adds_up(chip: Accelerator) -> bool:
    """Whether a network costs the sum of its layers and the overhead of an inference."""
    return not chip.network.keeps


def draws(name: str, seed: int) -> Iterator[tuple[str, Accelerator]]:
    """(name, chip): the shipped chip itself, then distinct uniform draws within its budgets.

    Genes are uniform, draws that break a budget are drawn again. A base without a `search` section has none.
    """
    base = load_hardware(name)
    yield name, unsearched(base)
    if base.search is None:
        return
    space = ChipSpace(base)
    rng = np.random.default_rng([seed, crc32(name.encode())])
    choices = [gene.choices for gene in space.genes]
    seen = {base.hash}
    for _ in range(MOST_TRIES):
        row = rng.integers(0, choices)[None, :]
        if space.faults(row)[0]:
            continue
        chip = space.accelerators(row)[0]
        if chip.hash not in seen:
            seen.add(chip.hash)
            yield f"{name}-{chip.hash[:8]}", chip


def is_drawn(name: str) -> bool:
    """Whether a name is that of a draw."""
    return "-" in name
