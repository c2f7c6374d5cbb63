"""Checkpoints are read without running what is in them."""

from __future__ import annotations

import io
import os
import pickle
import time
import tracemalloc
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.accuracy import torch_file
from accelsim.accuracy.torch_file import MAGIC, TorchFileError, load_tensors
from accelsim.errors import AccelsimError

DATA = Path(__file__).parent / "data"
FILES = ("mbv3_zip.pth", "mbv3_legacy.pth", "resnet50_zip.pth", "views_zip.pth", "views_legacy.pth")


@pytest.mark.parametrize("file", FILES[:3])
def test_state_dicts(file: str) -> None:
    """Exactly the arrays that PyTorch wrote, also one level down in a dict with other entries."""
    arrays, prefix = np.load(DATA / "expected.npz"), file.split("_")[0] + "."
    found = load_tensors(DATA / file)
    assert {prefix + name for name in found} == {n for n in arrays.files if n.startswith(prefix)}
    for name, array in found.items():
        assert array.dtype == np.float32
        assert (array == arrays[prefix + name]).all()


def test_views_and_types() -> None:
    """Transposed and strided views of one storage, a scalar, and other element types."""
    base = np.arange(12.0).reshape(3, 4)
    for file in ("views_zip.pth", "views_legacy.pth"):
        found = load_tensors(DATA / file)
        assert (found["t"] == base.T).all()
        assert (found["s"] == base[1:, ::2]).all()
    found = load_tensors(DATA / "views_zip.pth")
    assert found["scalar"] == 3.0
    assert [str(found[n].dtype) for n in "ihd"] == ["int64", "float16", "float64"]
    assert found["i"].tolist() == [0, 1, 2]


class Bomb:
    """Unpickled by an ordinary unpickler it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def legacy(*objects: object) -> bytes:
    return b"".join(pickle.dumps(x, protocol=2) for x in objects)


def zipped(tree: object, folder: str = "archive", **members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(f"{folder}/data.pkl", pickle.dumps(tree, protocol=2))
        for name, content in members.items():
            archive.writestr(f"{folder}/{name}", content)
    return out.getvalue()


@pytest.mark.parametrize("where", ["first", "tree", "zip", "metadata"])
def test_code_is_not_run(tmp_path: Path, where: str) -> None:
    bomb = Bomb(tmp_path / "made")
    system = {"little_endian": True}
    state = OrderedDict(x=bomb)
    marked = OrderedDict()
    marked._metadata = bomb
    content = {
        "first": legacy(bomb),
        "tree": legacy(MAGIC, 1001, system, state, []),
        "zip": zipped(state),
        "metadata": zipped(marked),
    }[where]
    path = tmp_path / "bad.pth"
    path.write_bytes(content)
    with pytest.raises(TorchFileError, match=r"names (posix|nt)\.mkdir.*not run"):
        load_tensors(path)
    assert not (tmp_path / "made").exists()
    if where == "first":
        pickle.loads(content)
        assert (tmp_path / "made").exists(), "the bomb must be live for this test to mean anything"


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("builtins", "eval"), ("builtins", "getattr"), ("os", "system"), ("torch", "load"),
        ("torch.nn.modules.linear", "Linear"), ("collections", "abc"), ("collections", "OrderedDict.clear"),
        ("numpy", "load"), ("torch", "ByteStorage"),
    ],
)  # fmt: skip
def test_only_tensors_are_named(tmp_path: Path, module: str, name: str) -> None:
    pickled = b"\x80\x04" + b"\x8c" + bytes([len(module)]) + module.encode()
    pickled += b"\x8c" + bytes([len(name)]) + name.encode() + b"\x93."
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a/data.pkl", pickled)
    path = tmp_path / "bad.pth"
    path.write_bytes(out.getvalue())
    with pytest.raises(TorchFileError, match="which is not part of a tensor"):
        load_tensors(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not a PyTorch checkpoint"),
        (b"PK\x03\x04", "not a PyTorch checkpoint"),
        (b"hello", "not a PyTorch checkpoint"),
        (legacy(1), "does not start as"),
        (legacy(MAGIC, 1001, {"little_endian": False}, {}, []), "big-endian"),
        (legacy(MAGIC, 1001, {"little_endian": True}, {}, ["0"]), "belongs to no tensor"),
        (legacy(MAGIC, 1001, {"little_endian": True}, [1], []), "dict of tensors"),
        (zipped({"x": 1}), "dict of tensors"),
        (zipped({}, byteorder=b"big"), "big-endian"),
    ],
)
def test_not_a_checkpoint(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "bad.pth"
    path.write_bytes(content)
    with pytest.raises(TorchFileError, match=words) as fault:
        load_tensors(path)
    assert str(path) in str(fault.value)


def test_size_limit(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(torch_file, "LARGEST", 1000)
    with pytest.raises(TorchFileError, match="at most 1000 bytes"):
        load_tensors(DATA / "mbv3_legacy.pth")
    with pytest.raises(AccelsimError, match="cannot be read"):
        load_tensors(tmp_path / "nothing.pth")


def test_compressed_bomb(tmp_path: Path, monkeypatch) -> None:
    """A small file whose members are large."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", pickle.dumps({}))
        archive.writestr("a/data/0", bytes(100_000))
    monkeypatch.setattr(torch_file, "LARGEST", 50_000)
    path = tmp_path / "bomb.pth"
    path.write_bytes(out.getvalue())
    with pytest.raises(TorchFileError, match="at most 256 MiB"):
        load_tensors(path)


def test_tensor_beyond_its_storage(tmp_path: Path) -> None:
    """A shape that reaches past the stored elements is refused, also with stride 0."""
    whole = (DATA / "views_legacy.pth").read_bytes()
    for old, new in ((b"K\x04K\x03\x86", b"K\x04K\x09\x86"), (b"K\x04K\x03\x86", b"K\x7fK\x7f\x86")):
        assert whole.count(old) == 1
        path = tmp_path / "bad.pth"
        path.write_bytes(whole.replace(old, new))
        with pytest.raises(TorchFileError, match="does not fit its 12 stored elements"):
            load_tensors(path)


@pytest.mark.parametrize("file", ["views_legacy.pth", "views_zip.pth"])
@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_damaged_files(file: str, data, tmp_path_factory) -> None:
    """Whatever happens to the bytes: tensors or one clear error."""
    content = bytearray((DATA / file).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(0, len(content)))] if data.draw(st.booleans()) else content
    path = tmp_path_factory.mktemp("damaged") / "x.pth"
    path.write_bytes(bytes(content))
    message = ""
    try:
        assert all(isinstance(x, np.ndarray) for x in load_tensors(path).values())
    except AccelsimError as fault:
        message = str(fault)
    assert not message or str(path) in message


# -- bombs: small files that would take a machine's time or memory -------------------------------------------


def doubled(depth: int) -> bytes:
    """A tuple that holds the one before twice, so many times over: 2 ** depth to whom looks at all of it."""
    return b"\x80\x02)" + depth * b"2\x86" + b"."


def put(index: int) -> bytes:
    return b"\x80\x02}r" + index.to_bytes(4, "little") + b"."


HUGE = (2**31).to_bytes(8, "little")


@pytest.mark.parametrize(
    "content",
    [
        doubled(60)[:-1] + b"Q.",
        b"\x80\x02}" + doubled(60)[2:-1] + b"K\x01s.",
        b"\x80\x02)q\x00" + b"".join(b"h%cq%c\x86q%c" % (i, i + 1, i + 1) for i in range(9)) + b".",
        put(2**28),
        put(2**31 - 1),
        b"\x80\x05\x96" + HUGE + b"x.",
        b"\x80\x04\x8d" + HUGE + b"x.",
        b"\x80\x02" + 2_000_000 * b"(" + b".",
        b"\x80\x02" + 2_000_000 * b"0" + b".",
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\nN}X\x01\x00\x00\x00aK\x01s\x86b.",
        b"I" + 5000 * b"9" + b"\n.",
    ],
)
@pytest.mark.parametrize("form", ["legacy", "zip"])
def test_bombs_are_refused_at_once(tmp_path: Path, content: bytes, form: str) -> None:
    path = tmp_path / "bomb.pth"
    if form == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", content)
    else:
        path.write_bytes(content)
    began = time.process_time()
    tracemalloc.start()
    with pytest.raises(TorchFileError):
        load_tensors(path)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert time.process_time() - began < 10
    assert most < 2**28


def test_stand_ins_cannot_be_changed() -> None:
    """BUILD sets attributes; on a function of ours it would last until the program ends."""
    for stand_in in torch_file.ALLOWED.values():
        if callable(stand_in) and not isinstance(stand_in, type):
            with pytest.raises(TorchFileError):
                stand_in.__defaults__ = (1,)
            with pytest.raises(TorchFileError):
                stand_in.__setstate__({})


def test_one_storage_behind_many_tensors(tmp_path: Path, monkeypatch) -> None:
    """Each becomes an array of its own: their sum counts."""
    monkeypatch.setattr(torch_file, "LARGEST", 200_000)
    path = tmp_path / "many.pth"
    for count in (2, 100):
        path.write_bytes(state_of(count, 2000))
        if count == 2:
            assert len(load_tensors(path)) == 2
        else:
            with pytest.raises(TorchFileError, match="its tensors take more than"):
                load_tensors(path)


def state_of(count: int, size: int) -> bytes:
    """A checkpoint of equal views of one storage."""
    out = io.BytesIO()
    ref = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuM"
    ref += size.to_bytes(2, "little") + b"tQ"
    tensor = b"ctorch._utils\n_rebuild_tensor_v2\n(" + ref + b"K\x00M" + size.to_bytes(2, "little")
    tensor += b"\x85K\x01\x85\x89}tR"
    items = b"".join(b"X\x04\x00\x00\x00" + b"%04d" % i + tensor for i in range(count))
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02}(" + items + b"u.")
        archive.writestr("archive/data/0", bytes(4 * size))
    return out.getvalue()
