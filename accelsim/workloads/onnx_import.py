"""Read an ONNX model as a `Network`; needs the `onnx` extra."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

from accelsim.errors import AccelsimError
from accelsim.workloads.layer import check_size
from accelsim.workloads.network import Network
from accelsim.workloads.onnx_graph import Graph
from accelsim.workloads.onnx_ops import constants, import_node
from accelsim.workloads.zoo.model import Resolution

_KEEP = 4096  # initializers above so many elements cannot be shapes; their values are dropped


def read_onnx(path: str | Path, *, batch: int | None = None, resolution: Resolution | None = None) -> Network:
    """The network of an .onnx file, its shapes inferred by `onnx.shape_inference`.

    `batch` (default 1) and `resolution` take the places of symbolic sizes: the first axis of each input, and
    the others. Fixed sizes they can only confirm. Activation functions, BatchNorm and constants of one value
    a channel are fused into the layer before; reshapes, slices and transpositions are views (see `notes`).

    Raises AccelsimError without the extra, for a damaged file, an operator outside the list in `onnx_ops`, a
    size that stays unknown, or a batch or resolution that the file contradicts.
    """
    try:
        import onnx
    except ModuleNotFoundError:
        raise AccelsimError(
            f"{path}: reading ONNX needs the onnx package: pip install 'accelsim[onnx]'"
        ) from None
    try:
        model = onnx.load(str(path), load_external_data=False)
    except OSError as fault:
        raise AccelsimError(f"{path}: cannot read the model: {fault.strerror or fault}") from None
    except Exception as fault:  # protobuf's own errors differ from version to version
        raise AccelsimError(f"{path}: not an ONNX model, or a damaged one: {_line(fault)}") from None
    try:
        return _convert(onnx, model, Path(path).stem, batch, resolution)
    except AccelsimError as fault:
        raise AccelsimError(f"{path}: {fault}") from None


def _convert(onnx: Any, model: Any, name: str, batch: int | None, resolution: Resolution | None) -> Network:
    if not model.graph.node:
        raise AccelsimError("the model has no operators; is the file damaged?")
    if model.functions:
        model = _guarded("inlining functions", onnx.inliner.inline_local_functions, model)
    weights = {x.name for x in model.graph.initializer} | {
        x.values.name for x in model.graph.sparse_initializer
    }
    inputs = [x for x in model.graph.input if x.name not in weights]
    if not inputs:
        raise AccelsimError("the model has no inputs")
    known = constants(model.graph.node, weights)
    bound = [_bind(x, batch, resolution) for x in inputs]
    if any(bound):
        del model.graph.value_info[:]  # sizes from before the binding
        for output in model.graph.output:
            output.type.tensor_type.ClearField("shape")
    for tensor in model.graph.initializer:
        if prod(tensor.dims) > _KEEP:
            for values in (
                "raw_data",
                "float_data",
                "int32_data",
                "int64_data",
                "double_data",
                "uint64_data",
            ):
                tensor.ClearField(values)
    model = _guarded("shape inference", onnx.shape_inference.infer_shapes, model, data_prop=True)
    graph = Graph(onnx, model.graph, name, [x.name for x in inputs], known)
    for node in model.graph.node:
        if not known.issuperset(node.output):
            import_node(graph, node)
    return graph.build([x.name for x in model.graph.output])


def _guarded(what: str, function: Any, *arguments: Any, **options: Any) -> Any:
    try:
        return function(*arguments, **options)
    except Exception as fault:  # the checks inside onnx raise many types
        raise AccelsimError(f"{what} failed: {_line(fault)}") from None


def _bind(value: Any, batch: int | None, resolution: Resolution | None) -> bool:
    """Put batch and resolution in the place of symbolic sizes; whether there were any."""
    if value.type.WhichOneof("value") != "tensor_type" or not value.type.tensor_type.HasField("shape"):
        raise AccelsimError(f"input {value.name!r} must be a tensor with a shape")
    dims = value.type.tensor_type.shape.dim
    wanted = _wanted(value.name, len(dims), batch, resolution)
    bound = False
    for axis, (dim, size) in enumerate(zip(dims, wanted)):
        argument = "batch" if axis == 0 else "resolution"
        if dim.WhichOneof("value") == "dim_value" and dim.dim_value >= 1:
            if size is not None and size != dim.dim_value:
                raise AccelsimError(
                    f"input {value.name!r}: axis {axis} is fixed at {dim.dim_value}, so {argument} cannot "
                    f"make it {size}; export the model with a symbolic axis"
                )
            continue
        if size is None and axis:
            symbol = dim.dim_param or "?"
            raise AccelsimError(f"input {value.name!r}: axis {axis} is symbolic ({symbol}); give resolution=")
        dim.dim_value = 1 if size is None else size
        bound = True
    return bound


def _wanted(
    name: str, rank: int, batch: int | None, resolution: Resolution | None
) -> list[int | None]:  # one size an axis, None where nothing is asked
    sizes: list[int | None] = [None] * rank
    if batch is not None and rank:
        sizes[0] = check_size(batch, "batch", 1)
    if resolution is None or rank < 2:
        return sizes
    if rank == 4:
        height, width = (resolution, resolution) if isinstance(resolution, int) else resolution
        sizes[2], sizes[3] = check_size(height, "resolution", 1), check_size(width, "resolution", 1)
    elif isinstance(resolution, int):
        sizes[1] = check_size(resolution, "resolution", 1)
    else:
        raise AccelsimError(f"input {name!r} has {rank} axes: resolution must be one number, its length")
    return sizes


def _line(fault: Exception) -> str:
    text = " ".join(str(fault).split())
    return f"{type(fault).__name__}: {text[:300]}" if text else type(fault).__name__
