"""The mapping file, of a layer or of a network; `Mapping.from_dict` and `evaluate` read it."""

from __future__ import annotations

from accelsim.schemas.parts import DIMENSION, TEXT, VERSION, Schema, items, record, said, table, titled, whole
from accelsim.stacks import KEPT
from accelsim.workloads.layer import MAX_SIZE
from cost_models.loopnest.layout import MAX_AXES

_SIZE = whole(1, MAX_SIZE)
_USE = record({"dim": DIMENSION, "factor": _SIZE}, ["dim", "factor"])
_LEVEL = record(
    {
        "memory": said("Name in the hardware file.", {"type": "string"}),
        "holds": said("Tensors that stay, where that is left open.", items({"enum": list("WIO")})),
        "order": said("Loops, outermost first.", items(DIMENSION) | {"uniqueItems": True}),
        "tile": said("What is handed down at a time, to all below together.", table(_SIZE, DIMENSION)),
        "spatial": said(
            "How the axes below divide that tile.",
            table(_USE) | {"maxProperties": MAX_AXES},
        ),
    },
    ["memory"],
)
_NAMES = items(TEXT)
_TILE = record({"P": _SIZE, "Q": _SIZE})
_PIECE = {"pattern": "^[0-9]+x[0-9]+$"}
_ANYTHING: Schema = {}


def schema() -> Schema:
    """Of a mapping file: one layer's levels, a network's layers and stacks, or a table by layer name."""
    layer = record(
        {
            "version": VERSION,
            "levels": said("One a memory, outermost first.", items(_LEVEL, 1)),
            "notes": _ANYTHING,
        },
        ["levels"],
    )
    one = {"$ref": "#/$defs/layer"}
    stack = record(
        {
            "layers": said("An interval of the network's layers.", items(TEXT, 1)),
            "tile": said("Rows and columns of the last layer's output done at a time.", _TILE),
            "kept": said("What stays between tiles; default: both.", {"enum": list(KEPT)}),
            "weights": said("Layers whose weights stay for the whole stack.", _NAMES),
            "pieces": said("By layer, then by rows x columns.", table(table(one, _PIECE))),
        },
        ["layers"],
    )
    network = record(
        {
            "version": VERSION,
            "layers": said("By layer name; others get the template's.", table(one)),
            "stacks": said("Layers done together, tile by tile.", items(stack)),
            "resident": said(
                "Layers whose results, and whose weights, stay on chip.",
                record({"kept": _NAMES, "weights": _NAMES}),
            ),
            "notes": _ANYTHING,
        }
    )
    network["anyOf"] = [{"required": ["layers"]}, {"required": ["stacks"]}]
    return titled("mapping", {"anyOf": [one, network, table(one)], "$defs": {"layer": layer}})
