"""Read the tensors of a PyTorch checkpoint without PyTorch and without running code from the file.

A checkpoint is a pickle, and unpickling calls whatever the file names. Here a name is looked up in a short
table of our own stand-ins for tensors and storages; any other name is refused before anything is called.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from functools import cache
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.accuracy.base import LARGEST
from accelsim.errors import AccelsimError
from accelsim.text_file import read_bytes

MOST_OPCODES = 200_000
"""Of one pickle: those of real checkpoints have some thousands."""

MAGIC = 0x1950A86A20F9469CFC6C
"""First object of the format that PyTorch wrote before 1.6."""

DTYPES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
}


class TorchFileError(AccelsimError):
    """Not a checkpoint of plain tensors, or one that names something else."""


class _Storage(NamedTuple):
    dtype: str
    key: str
    size: int


class _Tensor(NamedTuple):
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def load_tensors(path: str | Path) -> dict[str, NDArray[Any]]:
    """Name -> array for a state dict, or the `state_dict` entry of a dict; both formats of `torch.save`.

    Raises TorchFileError, also for a file that would call anything, and AccelsimError if it cannot be read.
    """
    path = Path(path)
    data = read_bytes(path, LARGEST, kind=TorchFileError)
    try:
        tree, storages = _zip(data) if data.startswith(b"PK\x03\x04") else _legacy(data)
        state = tree["state_dict"] if isinstance(tree, dict) and "state_dict" in tree else tree
        if not isinstance(state, dict) or not all(isinstance(x, _Tensor) for x in state.values()):
            raise TorchFileError("it must hold a dict of tensors (a state dict), and holds something else")
        if sum(_bytes(tensor) for tensor in state.values()) > LARGEST:
            raise TorchFileError(f"its tensors take more than {LARGEST} bytes")
        return {str(name): _array(tensor, storages) for name, tensor in state.items()}
    except TorchFileError as fault:
        raise TorchFileError(f"{path}: {fault}") from None
    except Exception as fault:  # a damaged pickle can raise nearly anything
        raise TorchFileError(f"{path}: not a PyTorch checkpoint, or a damaged one ({fault})") from None


class _StandIn:
    """What may be called in place of one of PyTorch's functions; nothing in the file can change it."""

    __slots__ = ("_make",)
    _make: Callable[..., Any]

    def __init__(self, make: Callable[..., Any]) -> None:
        object.__setattr__(self, "_make", make)

    def __call__(self, *arguments: Any) -> Any:
        return self._make(*arguments)

    def __setattr__(self, name: str, value: object) -> None:
        raise TorchFileError("it sets attributes of a function")

    def __setstate__(self, state: object) -> None:
        raise TorchFileError("it sets attributes of a function")


def _rebuild_tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> _Tensor:
    if not isinstance(storage, _Storage):
        raise TorchFileError(f"a tensor without a storage, but with a {type(storage).__name__}")
    if type(shape) is not tuple or type(strides) is not tuple or max(len(shape), len(strides)) > 32:
        raise TorchFileError("a tensor whose shape and strides are no short tuples")
    numbers = (offset, *shape, *strides)
    if len(shape) != len(strides) or not all(type(x) is int and x >= 0 for x in numbers):
        raise TorchFileError("a tensor whose shape, strides and offset do not go together")
    return _Tensor(storage, offset, tuple(shape), tuple(strides))


def _rebuild_parameter(tensor: Any, *_: Any) -> Any:
    return tensor


ALLOWED: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _StandIn(_rebuild_tensor),
    ("torch._utils", "_rebuild_parameter"): _StandIn(_rebuild_parameter),
    **{("torch", name): dtype for name, dtype in DTYPES.items()},
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ALLOWED:
            raise TorchFileError(f"it names {module}.{name}, which is not part of a tensor; it was not run")
        return ALLOWED[module, name]

    def persistent_load(self, pid: Any) -> _Storage:
        match pid:
            case ("storage", str(dtype), str(key), str(), int(size), *_) if dtype in DTYPES.values():
                return _Storage(dtype, key, size)
        raise TorchFileError("a reference that is none to a storage of plain numbers")


def _load(stream: io.BytesIO) -> Any:
    """One pickle, once it is known to be no bomb."""
    start = stream.tell()
    _check_sizes(stream)
    stream.seek(start)
    return _Unpickler(stream).load()


def _check_sizes(stream: io.BytesIO) -> None:
    """Raise TorchFileError for a pickle that would take time or memory out of proportion.

    Each value is counted with all that it holds, as hashing and printing count it: a tuple that holds the
    one before twice, 60 times over, is no larger than 2 ** 60.
    """
    stack: list[int | None] = []
    memo: dict[int, int] = {}
    argument: Any
    for count, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
        name = opcode.name
        if count >= MOST_OPCODES or (name.endswith("PUT") and not 0 <= int(argument) <= count):
            raise TorchFileError("a pickle with too many parts, or with numbers of parts out of proportion")
        if name in ("MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT"):
            memo[len(memo) if name == "MEMOIZE" else int(argument)] = stack[-1] or 0
            continue
        if name in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(memo[int(argument)])
            continue
        if name == "DUP":
            stack.append(stack[-1])
            continue
        size = 1
        if pickletools.markobject in opcode.stack_before:
            while (top := stack.pop()) is not None:
                size += top
            below = opcode.stack_before.index(pickletools.markobject)
        else:
            below = len(opcode.stack_before)
        for _ in range(below):
            size += stack.pop() or 0
        if size > MOST_OPCODES:
            raise TorchFileError("a pickle whose parts hold each other too many times")
        marks = [None if kind is pickletools.markobject else size for kind in opcode.stack_after]
        stack.extend(marks)


def _zip(data: bytes) -> tuple[Any, Callable[[_Storage], bytes]]:
    archive = zipfile.ZipFile(io.BytesIO(data))
    members = {info.filename: info for info in archive.infolist()}
    pickles = [name for name in members if name.endswith("/data.pkl")]
    if len(pickles) != 1 or sum(info.file_size for info in members.values()) > LARGEST:
        raise TorchFileError("a checkpoint has one data.pkl, and at most 256 MiB of tensors")
    folder = pickles[0].removesuffix("data.pkl")
    if f"{folder}byteorder" in members and archive.read(f"{folder}byteorder").strip() != b"little":
        raise TorchFileError("it was written on a big-endian machine, which is not supported")
    tree = _load(io.BytesIO(archive.read(pickles[0])))
    return tree, cache(lambda storage: archive.read(f"{folder}data/{storage.key}"))


def _legacy(data: bytes) -> tuple[Any, Callable[[_Storage], bytes]]:
    stream = io.BytesIO(data)
    if _load(stream) != MAGIC:
        raise TorchFileError("it does not start as a PyTorch checkpoint does")
    _protocol, system = (_load(stream) for _ in range(2))
    if not system["little_endian"]:
        raise TorchFileError("it was written on a big-endian machine, which is not supported")
    tree = _load(stream)
    keys = _load(stream)
    found = _storages(tree)
    blobs = {}
    for key in keys:
        if key not in found:
            raise TorchFileError(f"storage {key!r} belongs to no tensor")
        count = int.from_bytes(stream.read(8), "little")
        blobs[key] = stream.read(count * np.dtype(found[key].dtype).itemsize)
    return tree, lambda storage: blobs[storage.key]


def _storages(tree: Any) -> dict[str, _Storage]:
    out: dict[str, _Storage] = {}
    seen: set[int] = set()
    waiting = [tree]
    while waiting:
        item = waiting.pop()
        if isinstance(item, _Tensor):
            out[item.storage.key] = item.storage
        elif isinstance(item, dict) and id(item) not in seen:
            seen.add(id(item))
            waiting.extend(item.values())
    return out


def _bytes(tensor: _Tensor) -> int:
    return prod(tensor.shape) * np.dtype(tensor.storage.dtype).itemsize


def _array(tensor: _Tensor, read: Callable[[_Storage], bytes]) -> NDArray[Any]:
    flat = np.frombuffer(read(tensor.storage), tensor.storage.dtype)
    empty = 0 in tensor.shape
    last = tensor.offset + sum((n - 1) * step for n, step in zip(tensor.shape, tensor.strides))
    size = int(np.prod(tensor.shape, dtype=object)) if tensor.shape else 1
    if not empty and (last >= len(flat) or size > len(flat)):
        raise TorchFileError(f"a tensor of shape {tensor.shape} does not fit its {len(flat)} stored elements")
    strides = tuple(step * flat.itemsize for step in tensor.strides)
    view = np.lib.stride_tricks.as_strided(flat[tensor.offset :], tensor.shape, strides, writeable=False)
    return view.copy()
