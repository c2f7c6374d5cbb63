"""Archives from outside: every reader has one guard against those that grow."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from accelsim import npz_file
from accelsim.accuracy.one_shot import read_arrays
from accelsim.accuracy.predictor import PredictorSource
from accelsim.errors import AccelsimError
from accelsim.nacos.tables import Tables


def _predictor(data: bytes, folder: Path) -> None:
    (folder / "x.npz").write_bytes(data)
    PredictorSource(folder / "x.npz")


READERS = {
    "predictor": _predictor,
    "one-shot": lambda data, _: read_arrays(data, hashlib.sha256(data).hexdigest(), "weights"),
    "tables": lambda data, _: Tables.from_bytes(data, "x"),
}


@pytest.fixture(scope="module")
def bomb() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("w.npy", "w") as member:
        for _ in range(300):
            member.write(bytes(2**20))
    assert len(out.getvalue()) < 2**20
    return out.getvalue()


def packed(**arrays: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.savez_compressed(out, **arrays)  # type: ignore[arg-type]
    return out.getvalue()


@pytest.mark.parametrize("reader", READERS)
def test_an_archive_that_unpacks_to_gigabytes_is_refused(reader, bomb, tmp_path) -> None:
    with pytest.raises(AccelsimError, match="its arrays take more than 268435456 bytes"):
        READERS[reader](bomb, tmp_path)


@pytest.mark.parametrize("reader", READERS)
def test_an_archive_of_many_arrays_is_refused(reader, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(npz_file, "MOST_ARRAYS", 1)
    with pytest.raises(AccelsimError, match="has more than 1 arrays"):
        READERS[reader](packed(a=np.zeros(1), b=np.zeros(1)), tmp_path)


@pytest.mark.parametrize("reader", READERS)
def test_objects_and_other_files_are_refused(reader, tmp_path) -> None:
    for data in (packed(x=np.array([{}], dtype=object)), b"hello", b"", packed(x=np.ones(9))[:-30]):
        with pytest.raises(AccelsimError, match=r"not a \.npz file of plain arrays"):
            READERS[reader](data, tmp_path)


def test_plain_arrays_come_back() -> None:
    arrays = {"a": np.arange(6).reshape(2, 3), "b.c": np.array(1.5)}
    found = npz_file.unpack(packed(**arrays))
    assert found.keys() == arrays.keys()
    assert all(np.array_equal(found[name], arrays[name]) for name in arrays)
