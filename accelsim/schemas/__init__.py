"""JSON Schemas (draft 2020-12) of the files that accelsim reads and writes, for editors and other programs.

A schema knows shapes, names and ranges. Whether a file fits its machine, or a tile its memory, only reading
it says.
"""

from __future__ import annotations

from typing import Any

from accelsim.names import Registry

SCHEMAS = Registry(
    "schema",
    {
        "hardware": "accelsim.hardware.accelerator:json_schema",
        "machine": "accelsim.hardware.accelerator:json_schema",
        "network": "accelsim.schemas.network:schema",
        "mapping": "accelsim.schemas.mapping:schema",
        "study": "accelsim.schemas.study:schema",
        "design": "accelsim.schemas.study:design",
        "table": "accelsim.schemas.table:schema",
    },
    "accelsim.schemas",
)
"""Functions that give a schema; `machine` is another word for `hardware`."""


def schema(kind: str = "hardware") -> dict[str, Any]:
    """The JSON Schema of a kind of file. Raises AccelsimError for an unknown kind."""
    return SCHEMAS.call(kind, dict)
