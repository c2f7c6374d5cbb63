"""`load_network`: one door for every way to name a network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from accelsim.errors import AccelsimError
from accelsim.workloads.network import Network
from accelsim.workloads.zoo import MODELS, find
from accelsim.workloads.zoo.model import Resolution


def network_names() -> tuple[str, ...]:
    """Names of the shipped networks."""
    return tuple(MODELS)


def load_network(
    source: str | Path | dict[str, Any] | Network, *,
    batch: int | None = None, resolution: Resolution | None = None,
) -> Network:  # fmt: skip
    """A network from its name, a file, a dict, or itself.

    source      a shipped name ("resnet50"), a subnet of a space ("ofa_mbv3:<encoding>"), the path of a .json
                or .onnx file, the dict form of `Network.from_dict`, or a Network
    batch       inputs at once; None is 1, or what the network was made with
    resolution  height and width in one number, or (height, width); the length for a sequence model

    Batch and resolution shape shipped networks, subnets and the symbolic sizes of ONNX files; for a network
    whose sizes stand already they can only confirm them. Raises AccelsimError.
    """
    if isinstance(source, Network):
        return _confirm(source, batch, resolution)
    if isinstance(source, dict):
        return _confirm(Network.from_dict(source), batch, resolution)
    if not isinstance(source, (str, Path)):
        raise AccelsimError(f"a network is a name, a path, a dict or a Network, but got {source!r:.80}")
    path = Path(source)
    if path.suffix.lower() == ".json":
        return _confirm(read_json(path), batch, resolution)
    if path.suffix.lower() == ".onnx":
        from accelsim.workloads.onnx_import import read_onnx

        return read_onnx(path, batch=batch, resolution=resolution)
    name = str(source)
    if "/" in name or "\\" in name or isinstance(source, Path):
        raise AccelsimError(
            f"{name}: a network file ends in .json or .onnx, but got {path.suffix or 'no suffix'}"
        )
    if ":" in name:
        return _subnet(name, batch, resolution)
    return find(name).build(1 if batch is None else batch, resolution)


def read_json(path: Path) -> Network:
    """Read a network's JSON file. Raises AccelsimError naming the file and the place in it."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_once)
        return Network.from_dict(data)
    except OSError as fault:
        raise AccelsimError(f"{path}: cannot read the network: {fault.strerror or fault}") from None
    except UnicodeDecodeError:
        raise AccelsimError(f"{path}: a network file must be UTF-8 text") from None
    except json.JSONDecodeError as fault:
        raise AccelsimError(f"{path}: not JSON: {fault}") from None
    except RecursionError:
        raise AccelsimError(f"{path}: not a network: nested too deeply") from None
    except AccelsimError as fault:
        raise AccelsimError(f"{path}: {fault}") from None
    except ValueError as fault:  # an integer of thousands of digits
        raise AccelsimError(f"{path}: not a network: {fault}") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in pairs:
        if key in out:
            raise AccelsimError(f"key {key!r} comes twice in one object")
        out[key] = value
    return out


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
