"""`load_hardware`: an `Accelerator` from a shipped name, a file or a dict."""

from __future__ import annotations

import logging
from collections import Counter
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from accelsim.errors import AccelsimError, nearest
from accelsim.hardware.accelerator import Accelerator
from accelsim.hardware.checks import cross_faults
from accelsim.hardware.engines import machine_of
from accelsim.hardware.faults import Fault, HardwareError, from_pydantic, join, shown
from accelsim.hardware.ports import assumed
from accelsim.json_text import parse_json
from accelsim.text_file import read_text

_LOG = logging.getLogger(__name__)


@cache
def _shipped() -> dict[str, bool]:
    """Shipped name -> whether it is a microcontroller."""
    files = [f for f in resources.files("hw_configs").iterdir() if f.name.endswith(".json")]
    kinds = {f.name[:-5]: '"kind": "microcontroller"' in f.read_text(encoding="utf-8") for f in files}
    return dict(sorted(kinds.items()))


def hardware_names() -> tuple[str, ...]:
    """Names of the shipped accelerators."""
    return tuple(name for name, controls in _shipped().items() if not controls)


def microcontroller_names() -> tuple[str, ...]:
    """Names of the shipped microcontrollers."""
    return tuple(name for name, controls in _shipped().items() if controls)


def load_hardware(source: str | Path | dict[str, Any] | Accelerator) -> Accelerator:
    """Read a machine: a shipped name (with or without .json), the path of a JSON file, or its content.

    Raises HardwareError, an AccelsimError, that lists every fault with its JSON path; AccelsimError for a
    name or file that cannot be found or read, and with line and column for malformed JSON.
    """
    if isinstance(source, Accelerator):
        return source
    try:
        return _load(source)
    except RecursionError:
        raise AccelsimError("the hardware description is nested too deeply") from None


def _load(source: str | Path | dict[str, Any]) -> Accelerator:
    if isinstance(source, dict):
        return _parse(source, "hardware", [])
    if not isinstance(source, str | Path):
        raise AccelsimError(f"hardware must be a name, a path or an object, but got {shown(source)}")
    name = str(source)
    stem = name.removesuffix(".json")
    if stem in _shipped() and (name == stem or not _is_file(name)):
        text = resources.files("hw_configs").joinpath(f"{stem}.json").read_text(encoding="utf-8")
        return _parse_text(text, f"hw_configs/{stem}.json")
    if isinstance(source, str) and not _is_file(name) and not set(name) & set("/\\"):
        hint = nearest(stem, _shipped())
        raise AccelsimError(f"no shipped hardware or file is called {shown(name)}{hint}")
    return _parse_text(_read(name), name)


def _is_file(name: str) -> bool:
    try:
        return Path(name).is_file()
    except (OSError, ValueError):
        return False


def _read(name: str) -> str:
    return read_text(name, f"hardware file {shown(name)}")


class _Object(dict[str, Any]):
    """A JSON object that remembers keys given more than once."""

    repeated: tuple[str, ...] = ()


def _pairs(pairs: list[tuple[str, Any]]) -> _Object:
    out = _Object(pairs)
    if len(out) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        out.repeated = tuple(sorted(key for key, count in counts.items() if count > 1))
    return out


def _parse_text(text: str, where: str) -> Accelerator:
    data = parse_json(text, where, _pairs)
    if not isinstance(data, dict):
        raise AccelsimError(f"{where}: must be an object, but got {shown(data)}")
    made = _parse(data, where, _repeated_keys(data, ""))
    missing = assumed(made)
    if missing and made.microcontroller is None:
        _LOG.warning("%s", "\n  ".join([f"{where}: assumed what the file does not give", *missing]))
    return made


def _repeated_keys(value: Any, path: str) -> list[Fault]:
    out: list[Fault] = []
    if isinstance(value, _Object):
        out += [Fault(join(path, key), "is given more than once") for key in value.repeated]
        for key, item in value.items():
            out += _repeated_keys(item, join(path, key))
    elif isinstance(value, list):
        for i, item in enumerate(value):
            out += _repeated_keys(item, join(path, i))
    return out


def _parse(data: dict[str, Any], where: str, faults: list[Fault]) -> Accelerator:
    try:
        made = Accelerator.model_validate(data)
    except ValidationError as error:
        found = [*faults, *from_pydantic(error, Accelerator), *cross_faults(data)]
        raise HardwareError(where, found or [Fault("", str(error))]) from None
    if faults:
        raise HardwareError(where, faults)
    for i, engine in enumerate(made.engines):
        try:
            machine_of(made, engine)
        except HardwareError as error:
            raise HardwareError(
                where, [Fault(f"engines[{i}].changes", str(f)) for f in error.faults]
            ) from None
        except AccelsimError as fault:
            raise HardwareError(where, [Fault(f"engines[{i}].changes", str(fault))]) from None
    return made
