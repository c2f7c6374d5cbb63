"""`Manifest`: how tables were made and what they rest on; what does not match is refused."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from accelsim import __version__
from accelsim.errors import AccelsimError
from accelsim.hardware import Accelerator, load_hardware
from accelsim.json_text import format_json, read_json
from accelsim.nacos.nets import Nets
from accelsim.nacos.tables import PERCENTS, Tables
from accelsim.text_file import read_bytes

CONTRACT = 1
"""Of the cost model: it changes whenever the same mapping of the same layer on the same chip gets another
price, or the space of the exact mapper another member. tests/nacos hold the shipped tables to both."""

FORMAT = 1
TABLES, MANIFEST = "tables.npz", "manifest.json"
LARGEST = 256 * 2**20
"""Bytes of tables that are read, at most; 0.7 MB ship."""


@dataclass(frozen=True)
class Manifest:
    """What a folder of tables says of itself.

    data       version of the tables; scores name it
    max_nodes  boxes of tiles after which a front counted as unproved, and its chip was left out
    draws      random mappings a pair
    layers     JSON forms, in the order of the tables
    chips      JSON forms by name, in the order of the tables
    left_out   base -> names of drawn chips with a front that was not proved
    """

    space: str
    data: str
    seed: int
    max_nodes: int
    draws: int
    layers: list[dict[str, Any]]
    chips: dict[str, dict[str, Any]]
    hashes: dict[str, str]
    left_out: dict[str, list[str]]
    tables: str
    accelsim: str
    contract: int = CONTRACT

    def to_text(self) -> str:
        """JSON text."""
        from accelsim.accuracy import KINDS

        return format_json(
            {
                "format": FORMAT, "benchmark": "NACOS-Bench", "space": self.space, "data": self.data,
                "accelsim": self.accelsim, "contract": self.contract, "seed": self.seed,
                "max_nodes": self.max_nodes, "draws": self.draws, "percents": list(PERCENTS),
                "accuracy": f"none ships; kinds that a source may have: {', '.join(KINDS)}",
                "sha256": {TABLES: self.tables}, "left_out": self.left_out, "layers": self.layers,
                "hashes": self.hashes, "chips": self.chips,
            },
            110,
        )  # fmt: skip

    @classmethod
    def read(cls, path: Path) -> Manifest:
        """Read and check. Raises AccelsimError for another contract, other chips or other layers."""
        data = read_json(path, "nacos:")
        try:
            if data["format"] != FORMAT or data["benchmark"] != "NACOS-Bench":
                raise AccelsimError(f"{path}: format must be {FORMAT}, but got {data['format']!r:.40}")
            if data["contract"] != CONTRACT:
                raise AccelsimError(
                    f"{path}: tables of version {data['contract']!r:.40} of the cost model's contract, but "
                    f"this accelsim, {__version__}, has {CONTRACT}; they were made by accelsim "
                    f"{data['accelsim']!s:.40}: use that code, or make them anew with `accelsim "
                    "nacos build`"
                )
            if data["percents"] != list(PERCENTS):
                raise AccelsimError(f"{path}: percents must be {list(PERCENTS)}")
            made = cls(
                str(data["space"]), str(data["data"]), int(data["seed"]), int(data["max_nodes"]),
                int(data["draws"]), list(data["layers"]), dict(data["chips"]), dict(data["hashes"]),
                dict(data["left_out"]), str(data["sha256"][TABLES]), str(data["accelsim"]),
                int(data["contract"]),
            )  # fmt: skip
        except AccelsimError:
            raise
        except (KeyError, TypeError, ValueError) as fault:
            raise AccelsimError(f"{path}: is no manifest: {type(fault).__name__} {fault!s:.80}") from None
        made._check(path)
        return made

    def _check(self, path: Path) -> None:
        for name, text in self.hashes.items():
            if name not in self.chips or self.chip(name).hash != text:
                raise AccelsimError(f"{path}: chip {name} is not the one that was priced: its hash differs")
        if set(self.hashes) != set(self.chips):
            raise AccelsimError(f"{path}: every chip needs a hash")
        if self.layers != [layer.to_dict() for layer in self.nets.layers]:
            raise AccelsimError(f"{path}: its layers are not those of {self.nets.space.name} here")

    @cached_property
    def nets(self) -> Nets:
        """Of the space."""
        return Nets(self.space)

    @cached_property
    def _made(self) -> dict[str, Accelerator]:
        return {}

    def chip(self, name: str) -> Accelerator:
        """A chip by name."""
        if name not in self._made:
            self._made[name] = load_hardware(self.chips[name])
        return self._made[name]


def load_tables(folder: Path) -> tuple[Manifest, Tables]:
    """What `write_tables` wrote. Raises AccelsimError where it is damaged or foreign."""
    manifest = Manifest.read(folder / MANIFEST)
    path = folder / TABLES
    tables = Tables.from_bytes(read_bytes(path, LARGEST), str(path), manifest.tables)
    if tables.pairs != len(manifest.chips) * len(manifest.layers):
        raise AccelsimError(f"{path}: has {tables.pairs} pairs, but the manifest names others")
    if not 0 <= tables.fits.min() <= tables.fits.max() <= manifest.draws or manifest.draws < 1:
        raise AccelsimError(f"{path}: more random mappings fit than the manifest's {manifest.draws} draws")
    return manifest, tables


def write_tables(folder: Path, manifest: Manifest, tables: Tables) -> None:
    """Tables first, so that a manifest never stands for what is not there."""
    from accelsim.files import write_whole

    write_whole(folder / TABLES, tables.to_bytes())
    write_whole(folder / MANIFEST, manifest.to_text())
