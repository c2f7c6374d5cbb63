"""Layer lists of other tools: SCALE-Sim and ConfuciuX CSV, Timeloop and ZigZag YAML, MAESTRO's .m files."""

from __future__ import annotations

from pathlib import Path

from accelsim.errors import AccelsimError
from accelsim.text_file import read_text
from accelsim.workloads.network import Network

SUFFIXES = (".csv", ".yaml", ".yml", ".m")


def read_list(path: Path) -> Network:
    """The layers of a file as a plain chain. Raises AccelsimError naming the file and the place in it."""
    text = read_text(path)
    suffix = path.suffix.lower()
    try:
        if suffix == ".csv":
            from accelsim.workloads.lists.tables import read
        elif suffix == ".m":
            from accelsim.workloads.lists.maestro import read
        else:
            from accelsim.workloads.lists.documents import read
        return Network.from_layers(path.stem or "layers", read(text))
    except AccelsimError as fault:
        raise AccelsimError(f"{path}: {fault}") from None
