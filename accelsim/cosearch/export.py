"""A study on disk: a CSV of all candidates, and for each design of the front files that load back."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from accelsim.cosearch.found import Found
from accelsim.cosearch.result import SearchResult
from accelsim.csv_text import csv_text
from accelsim.files import make_folder, write_whole


def to_csv(result: SearchResult) -> str:
    """A line a candidate."""
    rows = result.to_rows()
    return csv_text(list(rows[0]), rows)


def front_csv(result: SearchResult) -> str:
    """A line a design of the front, best first; the header alone where there is none."""
    rows = [
        {key: " ".join(value) if isinstance(value, list) else value for key, value in row.items()}
        for row in result.to_dict()["front"]
    ]
    return csv_text(list(rows[0]) if rows else ["candidate"], rows)


def design_files(result: SearchResult, found: Found) -> dict[str, dict[str, Any]]:
    """File name -> JSON content of one design.

    `design_N.json` says how it was found; `.hardware.json`, `.network.json` and `.mapping.json` (a number
    more where there are several networks) are what `accelsim evaluate` reads, to the same numbers. On a
    microcontroller there are no mappings; a network's name says how it runs.
    """
    from accelsim import __version__

    design = result.design(found)
    stem = f"design_{found.index:05d}" + ("_base" if found.base else "")
    stem += f"_{design.chip.hash[:8]}" if found.granted or found.name.near else ""
    stem += f"_{hashlib.sha256(repr(found.genome).encode()).hexdigest()[:8]}" if found.genome else ""
    files: dict[str, dict[str, Any]] = {f"{stem}.hardware.json": design.chip.to_dict()}
    several = len(design.networks) > 1
    names = []
    device = design.chip.microcontroller is not None
    mappings = [None] * len(design.networks) if device else result.mappings(found)
    for i, (net, mapped) in enumerate(zip(design.networks, mappings, strict=True)):
        piece = f"{stem}.{i}" if several else stem
        files[f"{piece}.network.json"] = net.to_dict()
        if mapped is None:
            names.append({"network": f"{piece}.network.json", "name": found.network})
            continue
        files[f"{piece}.mapping.json"] = mapped.to_dict()
        names.append(
            {"network": f"{piece}.network.json", "mapping": f"{piece}.mapping.json", "name": net.name}
        )
    files[f"{stem}.json"] = {
        "version": __version__,
        "config_hash": result.config.hash,
        "hardware_hash": design.chip.hash,
        "candidate": found.index,
        "base": found.base,
        "freedoms": [str(freedom) for freedom in found.granted],
        "sizes": bool(found.sizes),
        "near": found.name.near,
        "mapper": found.mapper or result.config.mapper,
        "metrics": {name: None if value != value else value for name, value in found.metrics.items()},
        "hardware": f"{stem}.hardware.json",
        "networks": names,
        "config": result.config.to_dict(),
    }
    return files


def export(result: SearchResult, folder: Path, *, most: int | None = None) -> list[Path]:
    """Write `candidates.csv` and the files of the front's designs, at most `most` of them.

    Each file appears whole or not at all. Raises AccelsimError where the folder cannot be written.
    """
    make_folder(folder)
    written = [write_whole(folder / "candidates.csv", to_csv(result))]
    for found in result.front[:most]:
        for name, content in design_files(result, found).items():
            written.append(write_whole(folder / name, json.dumps(content, indent=1) + "\n"))
    return written
