"""`Place`: a run as it is priced, the asks that it makes, and what gives way where tiles need room."""

from __future__ import annotations

from collections.abc import Callable, Hashable

from accelsim.pricing.ask import Ask
from accelsim.pricing.residency import plan
from accelsim.pricing.run import Run


class Place:
    """One run as it is priced; what stays on chip gives way where tiles need the room."""

    def __init__(self, run: Run, numbers: list[int]) -> None:
        self.run, self.numbers = run, numbers
        self.residency = plan(run.chip, run.network) if run.residency is None else run.residency
        fused = run.fused
        self.alone = [i for i in range(len(run.network.layers)) if i not in fused]
        self.residency.make_room(fused)
        self.keys: list[Hashable] = []
        self.failed = -1
        self._rows: list[Ask] = []

    def asks(self) -> dict[Hashable, Ask]:
        """The distinct questions of the network as things stand."""
        run = self.run
        self._rows = []
        table = self.residency.table()
        for i in self.alone:
            layer, (flags, bits) = run.network.layers[i], table[i]
            chip = run.part(layer)
            schedule = None if run.schedule is None else run.schedule(layer)
            self._rows.append(Ask(chip, layer, flags, bits, schedule))
        self.keys = [
            ask.key(run.key_of(ask.chip), self.numbers[i])
            for ask, i in zip(self._rows, self.alone, strict=True)
        ]
        return dict(zip(self.keys, self._rows, strict=True))

    def gives_way(self, fits: Callable[[Hashable], bool]) -> bool:
        """Whether a layer does not fit and something that stays on chip was sent away for it."""
        at = next((i for i, key in enumerate(self.keys) if not fits(key)), -1)
        self.failed = self.alone[at] if at >= 0 else -1
        if at < 0:
            return False
        ask = self._rows[at]
        stays = bool(ask.resident) or ask.reserved_bits is not None
        return stays and self.residency.give_way(self.failed)
