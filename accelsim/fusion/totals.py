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

LOADED, STORED, FIRST, LAST, LOADS, STORES = range(6)
"""Columns of what a stack moves: bits loaded and stored by all images; loaded by an image's first step,
stored by its last; how many transfers load and store, of all images."""

_IN, _OUT = np.array([1.0, 1.0, 0.0]), np.array([0.0, 0.0, 1.0])
"""Of W, I, O: what is loaded, and what is stored."""


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
        self._start, self._burst = self._machine.memory[0, [L.START_CYCLES, L.BURST_BITS]].tolist()

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

        moved    int64[B, 2, 6] bits at memory 0 and at the home, columns as above
        held     int64[B, 2] bits of weights that stay; images int64[B], how often they are loaded
        compute  float64[B] cycles of all pieces, energy float64[B] their pJ: or bounds on them
        busy     float64[B, ports] cycles of their own traffic; None: leave it out
        """
        bits, many = self._whole(moved, held, images)
        ends = np.stack([held, moved[..., FIRST], moved[..., LAST]], axis=2) * 1.0
        once = (ends[:, 0] > 0) * 1.0
        ports = self._transfers(bits, many)
        if busy is not None:
            ports = ports + busy
        if self.hardware.memories[self.home].overlaps:
            moving = np.zeros(len(moved))
            up, down = (self._transfers(ends * way, once * way).max(axis=1) for way in (_IN, _OUT))
            latency = np.maximum(compute, ports.max(axis=1)) + (up + down)
        else:
            into, out = (self._transfers(bits * way, many * way).max(axis=1) for way in (_IN, _OUT))
            moving = into + out
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
        bits, _ = self._whole(moved, held, images)
        ends = (0, L.READ_PJ, L.WRITE_PJ), (self.home, L.WRITE_PJ, L.READ_PJ)
        for end, (m, taken, put) in enumerate(ends):
            taken_pj, put_pj = (
                self._machine.memory[m, taken : taken + 3],
                self._machine.memory[m, put : put + 3],
            )
            out[m] = np.ascontiguousarray(bits[:, end]) @ np.array([taken_pj[0], taken_pj[1], put_pj[2]])
        return out

    def _whole(self, moved: Ints, held: Ints, images: Ints) -> tuple[Floats, Floats]:
        """(bits float64[B, 2, 3] of W and I loaded and of O stored, at memory 0 and at the home, of all
        images; transfers float64[B, 3]). Weights that stay are one transfer an image; at memory 0 the mean
        transfer is rounded up to whole bursts.
        """  # fmt: skip
        bits = np.stack([held * images[:, None], moved[..., LOADED], moved[..., STORED]], axis=2) * 1.0
        many = np.stack([(held[:, 0] > 0) * images, moved[:, 0, LOADS], moved[:, 0, STORES]], axis=1) * 1.0
        if self._burst:
            each = np.maximum(many, 1.0) * self._burst
            bits[:, 0] = each * np.ceil(bits[:, 0] / each)
        return bits, many

    def of_pieces(
        self, moved: Ints, held: Ints, images: int, times: Ints, cycles: Floats, pj: Floats, busy: Floats
    ) -> Totals:
        """Of one stack, moved [2, 6] and held [2], as its pieces are: float64[n], busy float64[n, M, users],
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

    def _transfers(self, bits: Floats, many: Floats) -> Floats:
        """float64[B, ports] busy cycles of bits [B, 2, 3] of W, I, O in so many transfers [B, 3]: memory 0 is
        read for W and I, the home written. A transfer starts at memory 0.
        """  # fmt: skip
        rates = self._machine.memory[:, L.READ_CPB : L.READ_CPB + L.NUSER]
        busy = np.zeros((len(bits), len(rates), L.NUSER))
        for end, m, both in ((0, 0, (_IN, _OUT)), (1, self.home, (_OUT, _IN))):
            busy[:, m] = np.concatenate([bits[:, end] * way for way in both], axis=1) * rates[m]
        busy[:, 0] += np.concatenate([many * way for way in (_IN, _OUT)], axis=1) * self._start
        return self.of_ports(busy)
