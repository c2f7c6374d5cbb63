"""Where figures come from: files shipped with the package, or a folder of reference data."""

from __future__ import annotations

import csv
import json
from importlib import resources
from pathlib import Path
from typing import Any

from accelsim.errors import AccelsimError


def facts(name: str) -> dict[str, Any]:
    """A shipped file of facts, `data/NAME.json`; its key `source` says where they were published."""
    text = resources.files("accelsim.validation").joinpath(f"data/{name}.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def reference(data: Path | None, path: str) -> Path | None:
    """A file of the folder of reference data, None if it is not there."""
    file = None if data is None else data / path
    return file if file is not None and file.is_file() else None


def missing(path: str, what: str) -> str:
    """Sentence on figures that were not there to compare with."""
    return f"{what}: not compared, because {path} was not found in the folder of reference data (--data)"


def read_json(file: Path) -> Any:
    """Content of a JSON file of reference data. Raises AccelsimError where it cannot be read."""
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as fault:
        raise AccelsimError(f"{file}: {fault}") from None


def read_rows(file: Path) -> list[dict[str, str]]:
    """Rows of a CSV file of reference data. Raises AccelsimError where it cannot be read."""
    try:
        with file.open(newline="", encoding="utf-8") as stream:
            return list(csv.DictReader(stream))
    except (OSError, ValueError) as fault:
        raise AccelsimError(f"{file}: {fault}") from None
