"""`BlockMemory`: SRAM and Flash of any subnets of a space from plans of its blocks, each planned once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from accelsim.liveness.plan import memory_plan
from accelsim.liveness.rules import Rules, rules_of

if TYPE_CHECKING:
    from accelsim.hardware import Accelerator
    from accelsim.workloads.spaces import Space


class BlockMemory:
    """What `memory_plan` says of whole subnets, exactly, for chains of blocks.

    One tensor leads from a block to the next, so that what is live inside a block is that block's alone: the
    peak of a chain is that of its worst block, and so is each kind of workspace. Flash adds up.
    """

    def __init__(self, space: Space, hardware: Accelerator, rules: Rules | None = None) -> None:
        self.space, self.hardware = space, hardware
        self.rules = rules or rules_of(hardware)
        made = hardware.microcontroller
        self._runtime, self._code = (made.runtime_bytes, made.code_bytes) if made else (0, 0)
        self._known = np.full((space.num_blocks, 4), -1, np.int64)

    def sizes(self, genomes: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(peak of SRAM, Flash) in bytes int64[n] of genomes [n, genes]."""
        ids = self.space.block_ids(genomes)
        there = ids >= 0
        for i in np.unique(ids[there & (self._known[ids, 0] < 0)]).tolist():
            self._known[i] = self._block(i)
        parts = np.where(there[..., None], self._known[ids], 0)
        live, columns, kernels = parts[..., :3].max(axis=1).T
        peak = live + columns + kernels + self._runtime
        return np.asarray(peak), np.asarray(parts[..., 3].sum(axis=1) + self._code)

    def _block(self, block: int) -> tuple[int, int, int, int]:
        """Bytes of (live tensors, columns, copy of a kernel, Flash) of a block alone."""
        network = self.space.block(block)
        plan = memory_plan(network, self.hardware, self.rules)
        columns, kernels = zip(*(self.rules.workspaces(layer) for layer in network.layers), strict=True)
        aligned = self.rules.aligned
        return plan.live, aligned(max(columns)), aligned(max(kernels)), plan.flash - self._code
