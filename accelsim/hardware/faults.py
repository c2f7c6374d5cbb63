"""Faults of a hardware file: where, which rule, what was there, and what was probably meant."""

from __future__ import annotations

import json
import re
import types
from collections.abc import Iterable
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel, Tag, ValidationError

from accelsim.errors import AccelsimError, nearest

TAGS = ("~number", "~object", "~one", "~ports", "~list")
"""Marks in pydantic's locations that are no keys of the file; see `memory`."""

UNITS = {"": 1, "B": 1, "kB": 1000, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
"""Bytes of each unit of size."""

_RULES = {
    "missing": "is missing",
    "literal_error": "must be {expected}",
    "bool_type": "must be true or false",
    "tuple_type": "must be a list",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "string_type": "must be a text",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
    "too_short": "must have at least {min_length} entries",
    "too_long": "must have at most {max_length} entries",
}
_PATTERNS = {
    "^[A-Za-z]": "must be a name: a letter, then up to 63 letters, digits, - and _",
    "^[A-E]": 'must be a confidence letter A to E, a colon and the source, like "A: data sheet, table 2"',
}


class Fault(NamedTuple):
    """One broken rule at one place of the file."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class HardwareError(AccelsimError):
    """A faulty hardware description; `faults` lists all that is wrong with it."""

    def __init__(self, where: str, faults: Iterable[Fault]) -> None:
        self.faults = tuple(dict.fromkeys(faults))
        count = f"{len(self.faults)} faults" if len(self.faults) > 1 else "1 fault"
        super().__init__("\n  ".join([f"{where}: {count}", *map(str, self.faults)]))


def join(path: str, *steps: str | int) -> str:
    """`memories[1].name` from its steps; keys that are no plain words are quoted."""
    for step in steps:
        if isinstance(step, int):
            path += f"[{step}]"
        elif re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]*", step):
            path += f".{step}" if path else step
        else:
            path += f"[{shown(step)}]"
    return path


def shown(value: object) -> str:
    """A value as JSON has it, cut to a readable length."""
    try:
        text = json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        try:
            text = ascii(value)
        except (ValueError, RecursionError):
            text = f"a {type(value).__name__}"
    return text if len(text) <= 60 else text[:57] + "..."


def but_got(rule: str, value: object) -> str:
    """The rule with the value that broke it; a size with a unit is told in bytes too."""
    size = re.fullmatch(r"(\d{1,12})\s*([kKMG]i?B)", value if isinstance(value, str) else "")
    told = size is not None and size[2] in UNITS and "bytes" in rule
    plain = f", which is {int(size[1]) * UNITS[size[2]]}" if told and size else ""
    return f"{rule}, but got {shown(value)}{plain}"


def from_pydantic(error: ValidationError, model: type[BaseModel]) -> list[Fault]:
    """Our words for pydantic's errors; rules between fields (type `cross`) are left to `checks`."""
    return [_translate(e, model) for e in error.errors(include_url=False) if not _echo(e)]


def _echo(error: Any) -> bool:
    """Rules between fields, and lists called too short only because their entries are faulty."""
    if error["type"] == "too_short":
        return len(error["input"]) >= int(error["ctx"]["min_length"])
    return bool(error["type"] == "cross")


def _translate(error: Any, model: type[BaseModel]) -> Fault:
    loc = tuple(step for step in error["loc"][:-1] if step not in TAGS) + error["loc"][-1:]
    kind = error["type"]
    if kind == "extra_forbidden":
        known = _known_fields(model, error["loc"][:-1])
        return Fault(join("", *loc), f"unknown key{nearest(str(loc[-1]), known)}")
    loc = tuple(step for step in loc if step not in (*TAGS, "[key]"))
    context = error.get("ctx", {})
    if kind == "string_pattern_mismatch":
        rule = next((text for start, text in _PATTERNS.items() if context["pattern"].startswith(start)), "")
    else:
        rule = _RULES[kind].format(**context) if kind in _RULES else error["msg"]
    if kind == "missing":
        about = getattr(_known_fields(model, error["loc"][:-1]).get(str(error["loc"][-1])), "description", "")
        return Fault(join("", *loc), f"{rule} ({about.rstrip('.')})" if about else rule)
    if kind in ("too_short", "too_long", "string_too_short", "string_too_long"):
        return Fault(join("", *loc), rule)
    return Fault(join("", *loc), but_got(rule, error["input"]))


def _known_fields(model: Any, loc: tuple[str | int, ...]) -> dict[str, Any]:
    """Fields of the object at a pydantic location."""
    for step in loc:
        model = _inside(model, step)
    return dict(_only(model).model_fields)


def _inside(model: Any, step: str | int) -> Any:
    """Type of what stands at key, index or tag `step` of a value of type `model`."""
    if step in TAGS:
        return next(a for a in _options(model) if Tag(str(step)) in getattr(a, "__metadata__", ()))
    model = _only(model)
    if isinstance(model, type) and issubclass(model, BaseModel):
        return model.model_fields[str(step)].annotation
    args = get_args(model)
    return args[0] if isinstance(step, int) else args[1]


def _only(model: Any) -> Any:
    """The type without `Annotated` and without the alternative null."""
    options = [o for o in _options(model) if o is not type(None)]
    model = options[0]
    return get_args(model)[0] if get_origin(model) is Annotated else model


def _options(model: Any) -> list[Any]:
    """Members of a union, unions inside it dissolved; else the type itself."""
    if get_origin(model) is Annotated and not any(isinstance(x, Tag) for x in model.__metadata__):
        model = get_args(model)[0]
    if get_origin(model) in (Union, types.UnionType):
        return [o for a in get_args(model) for o in _options(a)]
    return [model]
