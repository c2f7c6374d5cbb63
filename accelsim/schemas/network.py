"""The network file; `accelsim.workloads.network_json` reads it."""

from __future__ import annotations

from accelsim.schemas.parts import DIMENSION, TEXT, VERSION, Schema, items, record, said, table, titled, whole
from accelsim.workloads.bits import MAX_BITS, LayerBits
from accelsim.workloads.layer import MAX_SIZE, OPS

_SIZE = whole(1, MAX_SIZE)
_PAIR = {"anyOf": [_SIZE, items(_SIZE, 2, 2)]}
_BITS = {"anyOf": [whole(1, MAX_BITS), {"type": "null"}]}
_REGION = said(
    "Elements at the offset plus a sum of i * stride, i below the size, for each [size, stride].",
    record({"offset": whole(0), "factors": items(items(whole(1), 2, 2))}, ["factors"]),
)
_AXIS = record(
    {**dict.fromkeys(("stride", "dilation", "kernel", "upsample"), _SIZE), "pad": whole(-MAX_SIZE, MAX_SIZE)}
)
_INPUT = record(
    {
        "from": said('A layer before this one, or "input", the outside world.', TEXT),
        "elements": said("Elements read; default: all that the producer makes.", whole(1)),
        "operand": said("W where an activation takes the place of weights.", {"enum": ["I", "W"]}),
        "rows": said("Rows of the producer that a row of outputs reads.", _AXIS),
        "cols": said("Columns likewise.", _AXIS),
        "window": said("The whole producer is read for any piece.", {"const": "whole"}),
        "why": said("Why the window is the whole.", TEXT),
        "tensor": said("Which of several results.", TEXT),
        "region": _REGION,
    },
    ["from"],
)
_LAYER = record(
    {
        "name": {"type": "string"},
        "op": said("Default: conv.", {"enum": list(OPS)}),
        "dims": said("Sizes; what is left out is 1.", table(_SIZE, DIMENSION)),
        "stride": said("Rows and columns, or one number for both.", _PAIR),
        "dilation": said("Rows and columns, or one number for both.", _PAIR),
        "bits": said(
            "Bits of an element, where they are not the machine's.",
            {"anyOf": [record(dict.fromkeys(LayerBits._fields, _BITS)), items(_BITS, 3, 3)]},
        ),
        "inputs": said(
            "What it reads; left out, the layer before.", {"anyOf": [items(_INPUT, 1), {"const": "nothing"}]}
        ),
        "weights": said("Elements of weight tensors, where sizes do not say it.", whole(0)),
        "params": said("Parameters as frameworks count them.", whole(0)),
        "shares": said(
            "Weight tensors that other layers use too.",
            items(record({"tensor": TEXT, "region": _REGION}, ["tensor"])),
        ),
    }
)


def schema() -> Schema:
    """Of a network file."""
    keys = {
        "version": VERSION,
        "name": TEXT,
        "batch": said("Inputs at once.", _SIZE),
        "input_shape": said("Channels, height, width.", items(whole(1), 3, 3)),
        "layers": said("In execution order.", items(_LAYER, 1)),
        "outputs": said(
            "Layers whose results are wanted; default: those that no layer reads.", items(TEXT, 1)
        ),
        "notes": items(TEXT),
    }
    return titled("network", record(keys, ["layers"]))
