"""`Frame`: what loads, stores and waiting add to the pieces of stacks on one chip."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.fusion.room import home_of
from accelsim.hardware.ports import short
from accelsim.pack import USERS, pack_machine
from cost_models.loopnest import layout as L

if TYPE_CHECKING:
    from accelsim.hardware import Accelerator

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LOADED, STORED, FIRST, LAST = range(4)
"""Columns of what a stack moves: loaded and stored by all images; loaded by an image's first step, stored by
its last."""


class Totals(NamedTuple):
    """Of B stacks, or lower bounds on them.

    latency_cycles, energy_pj  float64[B]
    port_cycles                float64[B, ports], busy cycles over the whole stack
    moving                     float64[B], cycles of loads and stores where the home cannot fill behind
                               compute; else 0
    """

    latency_cycles: Floats
    energy_pj: Floats
    port_cycles: Floats
    moving: Floats


class Frame:
    """Ports and energies of memory 0 and of the home, where a stack's tensors wait."""

    def __init__(self, hardware: Accelerator) -> None:
        """Raises StackError for a chip without a home."""
        self.hardware, self.home = hardware, home_of(hardware)
        self._machine = pack_machine(hardware)

    @cached_property
    def ports(self) -> tuple[tuple[str, int, tuple[int, ...]], ...]:
        """(name, memory, columns of its users) of each port of memory 0 and of the home."""
        out = []
        for m in (0, self.home):
            memory = self.hardware.memories[m]
            for port in self.hardware.ports(m):
                users = tuple(USERS.index(user) for user in port.users)
                out.append((f"{memory.name} {short(port, memory.holds)}", m, users))
        return tuple(out)

    def totals(
        self,
        moved: Ints,
        held: Ints,
        images: Ints,
        compute: Floats,
        energy: Floats,
        busy: Floats | None = None,
    ) -> Totals:
        """Of B stacks.

        moved    int64[B, 2, 4] bits at memory 0 and at the home, columns as above
        held     int64[B, 2] bits of weights that stay; images int64[B], how often they are loaded
        compute  float64[B] cycles of all pieces, energy float64[B] their pJ: or bounds on them
        busy     float64[B, ports] cycles of their own traffic; None: leave it out
        """
        loads, stores = np.zeros((len(moved), 2, 3)), np.zeros((len(moved), 2, 3))
        loads[..., 0], loads[..., 1] = held * images[:, None], moved[..., LOADED]
        stores[..., 2] = moved[..., STORED]
        first, last = np.zeros_like(loads), np.zeros_like(loads)
        first[..., 0], first[..., 1], last[..., 2] = held, moved[..., FIRST], moved[..., LAST]
        none = np.zeros_like(loads)
        ports = self._transfers(loads, stores)
        if busy is not None:
            ports = ports + busy
        if self.hardware.memories[self.home].overlaps:
            moving = np.zeros(len(moved))
            ramps = self._transfers(first, none).max(axis=1) + self._transfers(none, last).max(axis=1)
            latency = np.maximum(compute, ports.max(axis=1)) + ramps
        else:
            moving = self._transfers(loads, none).max(axis=1) + self._transfers(none, stores).max(axis=1)
            latency = compute + moving
        for pj in self.transfer_pj(moved, held, images).values():
            energy = energy + pj
        energy = energy + self.leak_pj * np.maximum(0.0, latency - compute)
        return Totals(latency, energy, ports, moving)

    @property
    def leak_pj(self) -> float:
        """Static power, in pJ a cycle."""
        return float(self._machine.machine[L.LEAK_PJ])

    def transfer_pj(self, moved: Ints, held: Ints, images: Ints) -> dict[int, Floats]:
        """float64[B] pJ of the loads and stores at memory 0 and at the home; arguments as in `totals`."""
        out = {}
        ends = (0, L.READ_PJ, L.WRITE_PJ), (self.home, L.WRITE_PJ, L.READ_PJ)
        for end, (m, taken, put) in enumerate(ends):
            taken_pj, put_pj = (
                self._machine.memory[m, taken : taken + 3],
                self._machine.memory[m, put : put + 3],
            )
            bits = np.stack([held[:, end] * images, moved[:, end, LOADED], moved[:, end, STORED]], axis=1)
            out[m] = bits.astype(float) @ np.array([taken_pj[0], taken_pj[1], put_pj[2]])
        return out

    def of_pieces(
        self, moved: Ints, held: Ints, images: int, times: Ints, cycles: Floats, pj: Floats, busy: Floats
    ) -> Totals:
        """Of one stack, moved [2, 4] and held [2], as its pieces are: float64[n], busy float64[n, M, users],
        each running `times`.
        """  # fmt: skip
        compute, energy = (times * cycles).sum(), (times * pj).sum()
        used = (times[:, None] * self.of_ports(busy)).sum(axis=0)
        return self.totals(
            moved[None],
            held[None],
            np.array([images]),
            np.array([compute]),
            np.array([energy]),
            used[None],
        )

    def of_ports(self, busy: Floats) -> Floats:
        """float64[n, ports] of cycles float64[n, M, users]."""
        return np.stack([busy[:, m, users].sum(axis=1) for _, m, users in self.ports], axis=1)

    def _transfers(self, loads: Floats, stores: Floats) -> Floats:
        """float64[B, ports] busy cycles of bits [B, 2, 3] of W, I, O: memory 0 is read for loads, the home
        written.
        """  # fmt: skip
        rates = self._machine.memory[:, L.READ_CPB : L.READ_CPB + L.NUSER]
        busy = np.zeros((len(loads), len(rates), L.NUSER))
        for end, m, both in ((0, 0, (loads, stores)), (1, self.home, (stores, loads))):
            busy[:, m] = np.concatenate([bits[:, end] for bits in both], axis=1) * rates[m]
        return self.of_ports(busy)
