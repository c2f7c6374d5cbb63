"""`unpack`: arrays of a .npz archive from outside; what they take is bounded, and nothing in it is run."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_BYTES = 256 * 2**20
"""Of all arrays together."""

MOST_ARRAYS = 1000
"""The largest archives here have some hundred."""


def unpack(data: bytes) -> dict[str, NDArray[Any]]:
    """Arrays by name. Raises ValueError, in a message that names no file, for what is no such archive."""
    file = io.BytesIO(data)
    try:
        with zipfile.ZipFile(file) as members:  # np.load would unpack a megabyte to gigabytes
            parts = members.infolist()
    except Exception as fault:  # a damaged archive can raise nearly anything
        raise _unreadable(fault) from None
    if sum(info.file_size for info in parts) > MOST_BYTES:
        raise ValueError(f"its arrays take more than {MOST_BYTES} bytes")
    if len(parts) > MOST_ARRAYS:
        raise ValueError(f"has more than {MOST_ARRAYS} arrays")
    try:
        with np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except Exception as fault:
        raise _unreadable(fault) from None


def _unreadable(fault: Exception) -> ValueError:
    return ValueError(f"not a .npz file of plain arrays ({fault!s:.200})")
