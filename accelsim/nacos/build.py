"""`build`: make the tables of a benchmark, chip by chip; what was interrupted goes on."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING, Any

from accelsim import __version__
from accelsim.engines.threads import ThreadEngine
from accelsim.errors import AccelsimError
from accelsim.files import Lock, check_folder, make_folder, write_whole
from accelsim.json_text import format_json, read_json
from accelsim.mapping.mapper import Cancel, as_question
from accelsim.nacos.chips import bases, draws, is_drawn
from accelsim.nacos.manifest import CONTRACT, LARGEST, Manifest, write_tables
from accelsim.nacos.nets import Nets
from accelsim.nacos.pair import tabulate
from accelsim.nacos.tables import Tables
from accelsim.text_file import read_bytes

if TYPE_CHECKING:
    from accelsim.hardware import Accelerator

DATA = "2"
"""Version of the shipped tables: append-only, a changed row is another version."""

MAX_NODES = 500_000
SHIPPED = 16
"""Times as many for a shipped chip."""

DRAWS = 64
CHIPS = 32
TRIES = 10
"""Draws looked at, for each chip that a base should have."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Built:
    """What `build` did: the manifest of the tables, and their pairs and mappings."""

    manifest: Manifest
    pairs: int
    mappings: int


def build(
    out: Path | str,
    space: str = "macro",
    *,
    chips: int = CHIPS,
    seed: int = 0,
    max_nodes: int = MAX_NODES,
    draws: int = DRAWS,
    workers: int = 1,
    cancel: Cancel | None = None,
    progress: Progress | None = None,
) -> Built | None:
    """Write `tables.npz` and `manifest.json` to a folder; None where `cancel` asked to stop.

    chips      in all: the shipped ones that keep nothing between layers, then draws from each in turn
    max_nodes  boxes of tiles after which a front is given up, 16 times as many on a shipped chip; a chip
               with such a front is left out
    draws      random mappings a pair
    progress   called with (chips done, chips in all)

    Chips that are done lie in OUT.part until all are; the same call goes on there. The tables depend neither
    on interruptions nor on `workers`, threads. Raises AccelsimError for bad input.
    """
    out = Path(out)
    for name, value, least in (("chips", chips, 1), ("seed", seed, 0), ("max_nodes", max_nodes, 1),
                               ("draws", draws, 1), ("workers", workers, 1)):  # fmt: skip
        if value < least:
            raise AccelsimError(f"{name}: must be a whole number from {least}, but got {value}")
    check_folder(out)
    nets = Nets(space)
    whole = Path(os.path.realpath(out))  # `.` has no name
    part = whole.parent / f"{whole.name}.part"
    make_folder(part)
    lock = Lock(part / "lock", str(part))
    try:
        work = _Work(part, nets, max_nodes, draws, seed, as_question(cancel))
        work.question()
        engine = ThreadEngine(workers)
        try:
            found = work.chips(engine, chips, progress)
        finally:
            engine.close()
        if found is None:
            return None
        tables = Tables.join([made for _, made in found.values()])
        manifest = Manifest(
            space, DATA, seed, max_nodes, draws, [layer.to_dict() for layer in nets.layers],
            {name: chip.to_dict() for name, (chip, _) in found.items()},
            {name: chip.hash for name, (chip, _) in found.items()},
            {base: names for base, names in work.left_out.items() if names}, tables.digest(), __version__,
        )  # fmt: skip
        make_folder(out)
        write_tables(out, manifest, tables)
        rmtree(part, ignore_errors=True)  # while nobody else can have begun there
    finally:
        lock.free()
    return Built(manifest, tables.pairs, sum(len(r.latency) for r in (tables.front, tables.template)))


class _Work:
    """Chips of one question, each kept as a file once it is known."""

    def __init__(
        self, part: Path, nets: Nets, max_nodes: int, draws: int, seed: int, stopped: Callable[[], bool]
    ) -> None:
        self.part, self.nets, self.seed, self.stopped = part, nets, seed, stopped
        self.max_nodes, self.draws = max_nodes, draws
        self.left_out: dict[str, list[str]] = {}
        self.salt = ""

    def question(self) -> None:
        """Raise AccelsimError where the folder holds parts of other tables."""
        path = self.part / "question.json"
        asked: dict[str, Any] = {
            "space": self.nets.name, "max_nodes": self.max_nodes, "draws": self.draws, "seed": self.seed,
            "contract": CONTRACT,
        }  # fmt: skip
        if path.exists():
            try:
                before = read_json(path)
            except AccelsimError as fault:
                raise AccelsimError(f"{fault}; delete the folder {self.part} to start over") from None
            if before != asked:
                raise AccelsimError(
                    f"{self.part} holds parts of other tables ({json.dumps(before)}); go on with those, "
                    "or delete the folder"
                )
        write_whole(path, format_json(asked))
        self.salt = json.dumps(asked, sort_keys=True)

    def chips(
        self, engine: ThreadEngine, wanted: int, progress: Progress | None
    ) -> dict[str, tuple[Accelerator, Tables]] | None:
        """So many chips, bases in turn."""
        names = bases()[:wanted]
        share = math.ceil(wanted / len(names)) * TRIES
        sources = {name: iter(draws(name, self.seed)) for name in names}
        tried = dict.fromkeys(names, 0)
        self.left_out = {name: [] for name in names}
        found: dict[str, dict[str, tuple[Accelerator, Tables]]] = {name: {} for name in names}
        count = 0
        while count < wanted and sources:
            for base in [*sources]:
                if count == wanted or base not in sources:
                    break
                while (one := next(sources[base], None)) is not None and tried[base] < share:
                    name, chip = one
                    tried[base] += 1
                    made = self._chip(engine, name, chip)
                    if self.stopped():
                        return None
                    if made is not None:
                        found[base][name] = chip, made
                        count += 1
                        break
                    self.left_out[base].append(name)
                else:
                    del sources[base]
                if progress is not None:
                    progress(count, wanted)
        if count < wanted:
            raise AccelsimError(
                f"chips: only {count} have fronts that are proved within {self.max_nodes} nodes each; "
                "ask for fewer, or give more nodes"
            )
        return {name: pair for some in found.values() for name, pair in some.items()}

    def _chip(self, engine: ThreadEngine, name: str, chip: Accelerator) -> Tables | None:
        """Tables of all layers on a chip; None where one is not proved, or where it was asked to stop."""
        known = self._known(name)
        if known is not None:
            return known[0]
        failed: list[bool] = []

        def stop() -> bool:
            return bool(failed) or self.stopped()

        # The largest first: where a chip is to fail, it fails soon. The answer depends on no order.
        layers = self.nets.layers
        order = sorted(range(len(layers)), key=lambda i: (-layers[i].points, i))
        one = partial(_one, chip, most_nodes(name, self.max_nodes), self.draws, self.seed, stop, failed)
        found = dict(zip(order, engine.map(one, [layers[i] for i in order])))
        if self.stopped():
            return None
        whole = [made for i in range(len(layers)) if (made := found[i]) is not None]
        if len(whole) < len(layers):
            self._keep(name, b"")
            return None
        tables = Tables.join(whole)
        self._keep(name, tables.to_bytes())
        return tables

    def _keep(self, name: str, data: bytes) -> None:
        """The tables of a chip, or nothing where it is left out, under a digest of the question and them."""
        write_whole(self._path(name), self._digest(name, data) + b"\n" + data)

    def _known(self, name: str) -> tuple[Tables | None] | None:
        """What was kept of a chip; None where there is nothing, or where it is damaged: it is made again."""
        path = self._path(name)
        if not path.exists():
            return None
        digest, _, data = read_bytes(path, LARGEST).partition(b"\n")
        if digest != self._digest(name, data):
            return None
        tables = Tables.from_bytes(data, str(path)) if data else None
        return (tables,) if tables is None or tables.pairs == len(self.nets.layers) else None

    def _path(self, name: str) -> Path:
        return self.part / f"{name}.chip"

    def _digest(self, name: str, data: bytes) -> bytes:
        return hashlib.sha256(f"{self.salt} {name} ".encode() + data).hexdigest().encode()


def most_nodes(name: str, max_nodes: int) -> int:
    """Boxes of tiles after which fronts on a chip count as unproved."""
    return max_nodes if is_drawn(name) else SHIPPED * max_nodes


def _one(
    chip: Accelerator, max_nodes: int, draws: int, seed: int, stop: Callable[[], bool], failed: list[bool],
    layer: Any,
) -> Tables | None:  # fmt: skip
    if stop():
        return None
    made = tabulate(chip, layer, max_nodes=max_nodes, draws=draws, seed=seed, cancel=stop)
    if made is None:
        failed.append(True)
    return made
