"""What several schemas are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from accelsim.workloads.layer import DIMS

Schema = dict[str, Any]

VERSION: Schema = {"const": 1, "description": "Version of the format."}
DIMENSION: Schema = {"enum": list(DIMS)}
TEXT: Schema = {"type": "string", "minLength": 1}
NUMBER_OR_NULL: Schema = {"type": ["number", "null"]}


def titled(title: str, schema: Schema) -> Schema:
    """A whole schema under its title."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"accelsim {title}, version 1",
        **schema,
    }


def record(properties: Mapping[str, Schema], needs: Sequence[str] = ()) -> Schema:
    """An object of these keys and no others."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(needs),
        "additionalProperties": False,
    }


def table(values: Schema, names: Schema | None = None) -> Schema:
    """An object from any name to one kind of value."""
    return {"type": "object", "additionalProperties": values} | (
        {} if names is None else {"propertyNames": names}
    )


def items(item: Schema, least: int = 0, most: int | None = None) -> Schema:
    """A list of one kind of item."""
    return {"type": "array", "items": item, "minItems": least} | ({} if most is None else {"maxItems": most})


def whole(least: int, most: int | None = None) -> Schema:
    """A whole number in a range."""
    return {"type": "integer", "minimum": least} | ({} if most is None else {"maximum": most})


def said(text: str, schema: Schema) -> Schema:
    """A schema with its description."""
    return {**schema, "description": text}
