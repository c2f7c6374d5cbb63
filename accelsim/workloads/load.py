"""`load_network`: one door for every way to name a network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from accelsim import json_text
from accelsim.errors import AccelsimError
from accelsim.workloads.layer import check_size
from accelsim.workloads.lists import SUFFIXES, read_list
from accelsim.workloads.network import Network
from accelsim.workloads.zoo import MODELS, find
from accelsim.workloads.zoo.model import Resolution


def network_names() -> tuple[str, ...]:
    """Names of the shipped networks."""
    return tuple(MODELS)


def load_network(
    source: str | Path | dict[str, Any] | Network, *,
    batch: int | None = None, resolution: Resolution | None = None, dims: Mapping[str, int] | None = None,
    inputs: Mapping[str, tuple[int, ...]] | None = None, allow_unknown: bool = False,
) -> Network:  # fmt: skip
    """A network from its name, a file, a dict, or itself.

    source      a shipped name ("resnet50"), a subnet of a space ("ofa_mbv3:<encoding>"), the path of a .json
                or .onnx file, a layer list of another tool (.csv, .yaml, .m), the dict form of
                `Network.from_dict`, or a Network
    batch       inputs at once; None is 1, or what the network was made with
    resolution  height and width in one number, or (height, width); the length for a sequence model
    dims        sizes of an ONNX file's symbols by name, as in {"seq": 128}
    inputs      shapes of an ONNX file's inputs by name, with or without the batch; "" is the first one
    allow_unknown  price operators of an ONNX file that nobody knows as element-wise estimates

    Batch and resolution shape shipped networks, subnets and the symbolic sizes of ONNX files; for a network
    whose sizes stand already they can only confirm them. Raises AccelsimError.
    """
    if batch is not None:
        batch = check_size(batch, f"{_called(source)}: batch")
    resolution = _sides(resolution, f"{_called(source)}: resolution")
    if isinstance(source, Network):
        return _confirm(source, batch, resolution)
    onnx_only = dims or inputs or allow_unknown
    if onnx_only and not (isinstance(source, (str, Path)) and Path(source).suffix.lower() == ".onnx"):
        raise AccelsimError(
            f"{_called(source)}: sizes by name, shapes of inputs and unknown operators are for .onnx files"
        )
    if isinstance(source, dict):
        return _confirm(Network.from_dict(source), batch, resolution)
    if not isinstance(source, (str, Path)):
        raise AccelsimError(f"a network is a name, a path, a dict or a Network, but got {source!r:.80}")
    path = Path(source)
    if path.suffix.lower() == ".json":
        return _confirm(read_json(path), batch, resolution)
    if path.suffix.lower() == ".onnx":
        return read_onnx(path, batch, resolution, dims, inputs, allow_unknown)
    if path.suffix.lower() in SUFFIXES and (path.suffix.lower() != ".m" or path.exists()):
        return _confirm(read_list(path), batch, resolution)
    name = str(source)
    if "/" in name or "\\" in name or isinstance(source, Path):
        raise AccelsimError(
            f"{name}: a network file ends in .json, .onnx, {', '.join(SUFFIXES)}, but got "
            f"{path.suffix or 'no suffix'}"
        )
    if ":" in name:
        return _subnet(name, batch, resolution)
    return find(name).build(1 if batch is None else batch, resolution)


def read_onnx(
    path: Path, batch: int | None = None, resolution: Resolution | None = None,
    dims: Mapping[str, int] | None = None, inputs: Mapping[str, tuple[int, ...]] | None = None,
    allow_unknown: bool = False,
) -> Network:  # fmt: skip
    """The network of an .onnx file, arguments as in `load_network`. Raises AccelsimError."""
    try:
        import onnx  # noqa: F401
    except ModuleNotFoundError:
        raise AccelsimError(
            f"{path}: reading ONNX needs the onnx package: pip install 'accelsim[onnx]'"
        ) from None
    from accelsim.workloads.onnx.read import read
    from accelsim.workloads.onnx.sizes import Sizes

    return read(path, Sizes(batch, resolution, dims or {}, inputs or {}), allow_unknown)


def _called(source: object) -> str:
    if isinstance(source, Network):
        return f"network {source.name!r}"
    return str(source)[:80] if isinstance(source, (str, Path)) else "network"


def _sides(resolution: Any, what: str) -> Resolution | None:
    if resolution is None:
        return None
    if isinstance(resolution, (tuple, list)):
        if len(resolution) != 2:
            raise AccelsimError(
                f"{what} must be one whole number or (height, width), but got {resolution!r:.80}"
            )
        return check_size(resolution[0], what), check_size(resolution[1], what)
    return check_size(resolution, what)


def read_json(path: Path) -> Network:
    """Read a network's JSON file. Raises AccelsimError naming the file and the place in it."""
    data = json_text.read_json(path)
    try:
        return Network.from_dict(data)
    except AccelsimError as fault:
        raise AccelsimError(f"{path}: {fault}") from None


def _subnet(name: str, batch: int | None, resolution: Resolution | None) -> Network:
    from accelsim.workloads import spaces

    if isinstance(resolution, tuple):
        raise AccelsimError(f"{name}: the resolution of a subnet is one whole number, but got {resolution}")
    space, _, encoding = name.partition(":")
    return spaces.load(space, encoding, batch=1 if batch is None else batch, resolution=resolution)


def _confirm(network: Network, batch: int | None, resolution: Resolution | None) -> Network:
    if batch is not None and batch != network.batch:
        raise AccelsimError(
            f"network {network.name!r} stands already with batch {network.batch}; "
            f"it cannot get batch {batch!r}"
        )
    size = network.input_shape[1:]
    sides = (resolution, resolution) if isinstance(resolution, int) else resolution
    if sides is not None and sides != size and not (size[1] == 1 and resolution == size[0]):
        raise AccelsimError(
            f"network {network.name!r} stands already with inputs of {size[0]}x{size[1]}; "
            f"it cannot get resolution {resolution!r}"
        )
    return network
