"""The JSON form of a network, version 1.

Minimal form, a plain chain: `{"version": 1, "name": "tiny", "layers": [{"op": "conv", "dims": {"K": 8}}]}`.
Full form: a layer also has `inputs`, a list of `{"from": "conv1", "elements": 64, "operand": "W"}` (left
out, `elements` is all that the producer makes and `operand` is "I"; "input" is the outside world), and
`weights` and `params` where they differ from what its sizes say. An input may state which rows and columns
of its producer it reads, `"rows": {"stride": 1, "dilation": 1, "kernel": 3, "pad": 1, "upsample": 1}` and
`"cols"` alike (what is left out is 1, and 0 for `pad`), or `"window": "whole"`; else it follows from the
sizes. Where a producer has several results, `"tensor"` names one; `"region": {"offset": 0, "factors": [[4,
1]]}` says which of its elements are read: those at offset + a sum of i * stride with i below the size, for
each [size, stride]. A layer's `shares` names in the same way the weight tensors that other layers use too.
Beside `layers` may stand `batch`, `input_shape` [channels, height, width], `outputs` (layer names)
and `notes`. `"inputs": "nothing"` is a layer whose data is zeros (the first step of a recurrent one), or
there already.
"""

from __future__ import annotations

from math import prod
from typing import Any

from accelsim.errors import AccelsimError, nearest
from accelsim.workloads.layer import MAX_SIZE, Layer
from accelsim.workloads.network import ALL, INPUT, OUTSIDE, Edge, Network, Selection, named, padded_input
from accelsim.workloads.reach import Reads, RowWindow, Whole, Window, derived
from accelsim.workloads.region import Region
from accelsim.workloads.region import region as make_region

_KEYS = ("version", "name", "batch", "input_shape", "layers", "outputs", "notes")
_LAYER_KEYS = ("op", "dims", "stride", "dilation", "name", "bits", "inputs", "weights", "params", "shares")
_INPUT_KEYS = ("from", "elements", "operand", "rows", "cols", "window", "why", "tensor", "region")
_SHARE_KEYS = ("tensor", "region")
_LARGEST = 2**53
NOTHING = "nothing"
"""In the place of a layer's inputs, where there are none."""


def write(network: Network) -> dict[str, Any]:
    """The full form."""
    layers = []
    for i, layer in enumerate(network.layers):
        entry = layer.to_dict()
        entry["inputs"] = []
        for (producer, _, elements, operand), reads, (tensor, region) in _read_by(network, i):
            source = OUTSIDE if producer == INPUT else network.names[producer]
            flow = {"from": source, "elements": elements}
            flow |= ({"operand": operand} if operand != "I" else {}) | _written(reads)
            entry["inputs"].append(flow | _selection(tensor, region))
        entry["inputs"] = entry["inputs"] or NOTHING
        if network.weights_of[i] != layer.weight_elements:
            entry["weights"] = network.weights_of[i]
        if network.params_of[i] != network.weights_of[i]:
            entry["params"] = network.params_of[i]
        if network.held and network.held[i]:
            entry["shares"] = [_selection(tensor, region) for tensor, region in network.held[i]]
        layers.append(entry)
    out: dict[str, Any] = {"version": 1, "name": network.name, "batch": network.batch}
    out["input_shape"] = list(network.input_shape)
    out["layers"] = layers
    out["outputs"] = [network.names[i] for i in network.outputs]
    return out | ({"notes": list(network.notes)} if network.notes else {})


def read(data: Any) -> Network:
    """Either form. Raises AccelsimError."""
    _keys(data, _KEYS, "network")
    if type(data.get("version", 1)) is not int or data.get("version", 1) != 1:
        raise AccelsimError(f"network.version must be 1, but got {data['version']!r:.80}")
    name = _text(data.get("name", "network"), "network.name")
    entries = data.get("layers")
    if not isinstance(entries, list) or not entries:
        raise AccelsimError(f"network.layers must be a list of at least one layer, but got {entries!r:.80}")
    layers = []
    for i, entry in enumerate(entries):
        _keys(entry, _LAYER_KEYS, f"layers[{i}]")
        if entry.get("inputs") == []:
            raise AccelsimError(
                f'layers[{i}].inputs must name at least one input, but is empty; {{"from": "input"}} is the '
                f'outside world, left out, it is the layer before, and "{NOTHING}" stands for none'
            )
        sizes = {k: v for k, v in entry.items() if k not in ("inputs", "weights", "params", "shares")}
        layers.append(Layer.from_dict(sizes, f"layers[{i}]"))
        if layers[-1].name == OUTSIDE:
            raise AccelsimError(f"layers[{i}].name: {OUTSIDE!r} stands for the outside world; choose another")
    entries = [entry | {"inputs": []} if entry.get("inputs") == NOTHING else entry for entry in entries]
    _unique([x.name for x in layers])
    layers = named(layers)
    index = {layer.name: i for i, layer in enumerate(layers)}
    batch = _whole(data.get("batch", layers[0].N), "network.batch", 1, MAX_SIZE)
    for i, entry in enumerate(entries):
        _check_batch(i, layers[i], batch, plain="inputs" not in entry)
    shape = _shape(data, layers)
    edges: list[Edge] = []
    weights, params = [], []
    for i, entry in enumerate(entries):
        own = _inputs(entry["inputs"], i, layers, index) if "inputs" in entry else [chain(layers, i)]
        edges += own
        weights.append(_whole(entry.get("weights", layers[i].weight_elements), f"layers[{i}].weights", 0))
        params.append(_whole(entry.get("params", weights[-1]), f"layers[{i}].params", 0))
        if any(e.operand == "W" for e in own) and "weights" not in entry:
            params[-1] -= weights[-1] if "params" not in entry else 0
            weights[-1] = 0
    return Network(
        name,
        tuple(layers),
        tuple(edges),
        _outputs(data, edges, index),
        tuple(weights),
        tuple(params),
        shape,
        batch,
        tuple(_text(x, f"network.notes[{i}]") for i, x in enumerate(_list(data, "notes"))),
        _windows(entries, layers, edges, shape),
        _selected(entries),
        _held(entries),
    )


def _read_by(network: Network, i: int) -> list[tuple[Edge, Reads, Selection]]:
    first = sum(map(len, network.inputs_of[:i]))
    several = network.reads_of[i]
    chosen = network.selected[first : first + len(several)] if network.selected else [ALL] * len(several)
    return [(edge, reads, one) for (edge, reads), one in zip(several, chosen)]


def _selection(tensor: str, region: Region | None) -> dict[str, Any]:
    out: dict[str, Any] = {"tensor": tensor} if tensor else {}
    if region is not None:
        out["region"] = {"offset": region.offset, "factors": [list(f) for f in region.factors]}
    return out


def _selected(entries: list[Any]) -> tuple[Selection, ...]:
    out = []
    for i, entry in enumerate(entries):
        for j, one in enumerate(entry.get("inputs", [{}])):
            out.append(_chosen(one, f"layers[{i}].inputs[{j}]"))
    return tuple(out) if any(one != ALL for one in out) else ()


def _held(entries: list[Any]) -> tuple[tuple[Selection, ...], ...]:
    out = []
    for i, entry in enumerate(entries):
        path, shares = f"layers[{i}].shares", entry.get("shares", [])
        if not isinstance(shares, list):
            raise AccelsimError(f"{path} must be a list of weight tensors, but got {shares!r:.80}")
        for j, one in enumerate(shares):
            _keys(one, _SHARE_KEYS, f"{path}[{j}]")
            _text(one.get("tensor"), f"{path}[{j}].tensor")
        out.append(tuple(_chosen(one, f"{path}[{j}]") for j, one in enumerate(shares)))
    return tuple(out) if any(out) else ()


def _chosen(entry: dict[str, Any], path: str) -> Selection:
    tensor = _text(entry["tensor"], f"{path}.tensor") if "tensor" in entry else ""
    if "region" not in entry:
        return Selection(tensor)
    _keys(entry["region"], ("offset", "factors"), f"{path}.region")
    factors = entry["region"].get("factors")
    if not isinstance(factors, list) or not all(isinstance(f, list) and len(f) == 2 for f in factors):
        raise AccelsimError(
            f"{path}.region.factors must be a list of [size, stride], but got {factors!r:.80}"
        )
    pairs = [
        (_whole(n, f"{path}.region.factors", 1), _whole(s, f"{path}.region.factors", 1)) for n, s in factors
    ]
    ends = sorted(pairs, key=lambda f: f[1])
    if any(s <= sum((n - 1) * t for n, t in ends[:k]) for k, (_, s) in enumerate(ends)):
        raise AccelsimError(f"{path}.region.factors {factors!r:.80} name an element twice")
    return Selection(
        tensor, make_region(_whole(entry["region"].get("offset", 0), f"{path}.region.offset", 0), pairs)
    )


def chain(layers: list[Layer], i: int) -> Edge:
    """The edge into layer `i` of a plain chain: what its predecessor makes, at most what it touches."""
    touched = layers[i].input_elements
    return Edge(i - 1, i, min(layers[i - 1].output_elements, touched)) if i else Edge(INPUT, 0, touched)


def _inputs(entries: Any, i: int, layers: list[Layer], index: dict[str, int]) -> list[Edge]:
    path = f"layers[{i}].inputs"
    if not isinstance(entries, list):
        raise AccelsimError(
            f'{path} must be a list of objects like {{"from": "input"}}, but got {entries!r:.80}'
        )
    out = []
    for j, entry in enumerate(entries):
        at = f"{path}[{j}]"
        _keys(entry, _INPUT_KEYS, at)
        source = _text(entry.get("from"), f"{at}.from")
        producer = INPUT if source == OUTSIDE else index.get(source)
        if producer is None:
            raise AccelsimError(f"{at}.from: no layer {source!r:.80}{nearest(source, [OUTSIDE, *index])}")
        if producer >= i:
            raise AccelsimError(
                f"{at}.from: layer {i} ({layers[i].name!r}) cannot read layer {producer} ({source!r}); "
                f"layers stand in execution order and read only earlier ones"
            )
        made = layers[i].input_elements if producer == INPUT else layers[producer].output_elements
        elements = _whole(entry.get("elements", made), f"{at}.elements", 1)
        if producer != INPUT and elements > made:
            raise AccelsimError(f"{at}.elements is {elements}, but {source!r} makes only {made}")
        operand = entry.get("operand", "I")
        if operand not in ("I", "W"):
            raise AccelsimError(f'{at}.operand must be "I" or "W", but got {operand!r:.80}')
        if operand == "W" and not layers[i].has_weights:
            raise AccelsimError(f'{at}.operand is "W", but a layer with op {layers[i].op!r} has no weights')
        out.append(Edge(producer, i, elements, operand))
    return out


def _windows(
    entries: list[Any], layers: list[Layer], edges: list[Edge], shape: tuple[int, int, int]
) -> tuple[Reads, ...]:
    stated = [
        _window(flow, f"layers[{i}].inputs[{j}]")
        for i, entry in enumerate(entries)
        for j, flow in enumerate(entry.get("inputs", [{}]))
    ]
    sizes = [
        shape[1:] if e.producer == INPUT else (layers[e.producer].P, layers[e.producer].Q) for e in edges
    ]
    return tuple(
        reads or derived(layers[e.consumer], size, e.operand) for reads, e, size in zip(stated, edges, sizes)
    )


def _window(entry: dict[str, Any], at: str) -> Reads | None:
    """What an input says of its window, None where it says nothing."""
    axes = [key for key in ("rows", "cols") if key in entry]
    if "window" in entry or "why" in entry:
        if entry.get("window") != "whole":
            raise AccelsimError(f'{at}.window must be "whole", but got {entry.get("window")!r:.80}')
        if axes:
            raise AccelsimError(f'{at}.{axes[0]}: an input whose window is "whole" has no rows and cols')
        return Whole(_text(entry.get("why", "the network file says so"), f"{at}.why"))
    return Window(*(_axis(entry.get(key, {}), f"{at}.{key}") for key in ("rows", "cols"))) if axes else None


def _axis(entry: Any, at: str) -> RowWindow:
    _keys(entry, RowWindow._fields, at)
    least = {"pad": -MAX_SIZE}
    return RowWindow(**{k: _whole(v, f"{at}.{k}", least.get(k, 1), MAX_SIZE) for k, v in entry.items()})


def _written(reads: Reads) -> dict[str, Any]:
    if isinstance(reads, Whole):
        return {"window": "whole", "why": reads.why}
    return {"rows": reads.rows._asdict(), "cols": reads.cols._asdict()}


def _outputs(data: dict[str, Any], edges: list[Edge], index: dict[str, int]) -> tuple[int, ...]:
    if "outputs" not in data:
        read_later = {e.producer for e in edges}
        return tuple(i for i in range(len(index)) if i not in read_later)
    out = set()
    for i, name in enumerate(_list(data, "outputs")):
        if _text(name, f"network.outputs[{i}]") not in index:
            raise AccelsimError(f"network.outputs[{i}]: no layer {name!r:.80}{nearest(name, index)}")
        out.add(index[name])
    if not out:
        raise AccelsimError(
            "network.outputs must name at least one layer; left out, it is what no layer reads"
        )
    return tuple(sorted(out))


def _shape(data: dict[str, Any], layers: list[Layer]) -> tuple[int, int, int]:
    if "input_shape" not in data:
        return padded_input(layers[0])
    values = _list(data, "input_shape")
    if len(values) != 3:
        raise AccelsimError(f"network.input_shape must be [channels, height, width], but got {values!r:.80}")
    c, h, w = (_whole(v, f"network.input_shape[{i}]", 1) for i, v in enumerate(values))
    for layer, entry in zip(layers, data["layers"]):
        if entry.get("inputs", [{"from": OUTSIDE}] if layer is layers[0] else []) == [{"from": OUTSIDE}]:
            _check_shape((c, h, w), layer)
    return c, h, w


def _check_shape(shape: tuple[int, int, int], layer: Layer) -> None:
    """The whole input, read by one layer, has its channels, and rows that its windows cover.

    Not where `elements` are given: a view, or another one of several inputs, may have any shape. Matrix
    products flatten or unfold it, which keeps its elements or multiplies its channels.
    """
    channels = layer.G * (layer.C if layer.multiplies else 1)
    if layer.op == "gemm":
        if channels % shape[0] and layer.input_elements != layer.N * prod(shape):
            raise AccelsimError(
                f"network.input_shape is {list(shape)}, but layer {layer.name!r:.80} reads {channels} "
                f"channels, neither all {prod(shape)} elements nor a multiple of {shape[0]}"
            )
        return
    if shape[0] != channels:
        raise AccelsimError(
            f"network.input_shape[0] is {shape[0]}, but layer {layer.name!r:.80} reads {channels} channels"
        )
    spans, windows = padded_input(layer)[1:], (layer.R, layer.S)
    for i, (size, span, r, s, d) in enumerate(
        zip(shape[1:], spans, windows, layer.stride, layer.dilation), 1
    ):
        padding = 2 * (r - 1) * d  # a window wholly outside would be more
        if not span - padding <= size <= span + s - 1:
            raise AccelsimError(
                f"network.input_shape[{i}] is {size}, but the windows of layer {layer.name!r:.80} span "
                f"{span}, of which at most {padding} are padding"
            )


def _check_batch(i: int, layer: Layer, batch: int, plain: bool) -> None:
    """Every layer works on the whole batch.

    N is the batch, or a matrix product has it in G or P. Importers, which give `inputs`, also count windows
    of an input in N, or bring the batch to another axis.
    """
    if not plain or layer.op == "broadcast":
        counted = layer.N if layer.op == "conv" else layer.output_elements
    else:
        counted = layer.G * layer.P if layer.op == "gemm" and layer.N == 1 else 0
    if batch != layer.N and (not counted or counted % batch):
        raise AccelsimError(
            f"layers[{i}].dims.N is {layer.N}, but the batch is {batch} (network.batch, or N of layers[0]); "
            f"every layer works on the whole batch"
        )


def _unique(names: list[str]) -> None:
    seen: dict[str, int] = {}
    for i, name in enumerate(names):
        if name and name in seen:
            raise AccelsimError(f"layers[{i}].name: {name!r:.80} is taken by layers[{seen[name]}]")
        seen[name] = i


def _keys(data: Any, known: tuple[str, ...], path: str) -> None:
    if not isinstance(data, dict):
        raise AccelsimError(
            f"{path} must be an object with keys from {', '.join(known)}, but got {data!r:.80}"
        )
    for key in data:
        if key not in known:
            raise AccelsimError(f"{path}.{key}: unknown key{nearest(str(key), known)}")


def _list(data: dict[str, Any], key: str) -> list[Any]:
    value = data.get(key, [])
    if not isinstance(value, list):
        raise AccelsimError(f"network.{key} must be a list, but got {value!r:.80}")
    return value


def _text(value: Any, path: str) -> str:
    if not isinstance(value, str) or not value:
        raise AccelsimError(f"{path} must be a string that is not empty, but got {value!r:.80}")
    return value


def _whole(value: Any, path: str, least: int, most: int = _LARGEST) -> int:
    if type(value) is not int or not least <= value <= most:
        raise AccelsimError(f"{path} must be a whole number from {least} to {most}, but got {value!r:.80}")
    return value
