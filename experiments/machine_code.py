"""Packed and scalar floating-point instructions of the pricing kernels, for docs/performance.md.

python experiments/machine_code.py
"""

from __future__ import annotations

import os
import re
import tempfile
from collections import Counter


def count(assembly: str) -> Counter[str]:
    """Floating-point instructions of x86-64 by kind: packed, scalar, and the registers of the packed ones."""
    found: Counter[str] = Counter()
    for line in assembly.splitlines():
        parts = line.split()
        if not parts or not re.fullmatch(
            r"v?(add|sub|mul|div|max|min|rndscale|round|cmp\w*)(pd|sd)", parts[0]
        ):
            continue
        packed = parts[0].endswith("pd")
        found["packed" if packed else "scalar"] += 1
        width = re.search(r"%([xyz])mm", line)
        if packed and width:
            found[{"x": "128 bits", "y": "256 bits", "z": "512 bits"}[width[1]]] += 1
    return found


def main() -> None:
    """Compile both kernels into a cache of their own, for code from the cache cannot be looked at."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ACCELSIM_CACHE_DIR"] = folder
        from accelsim.bench import prepared
        from cost_models.lanes.price import price_lanes
        from cost_models.loopnest.price import price_batch

        arguments = prepared("3x3", 3, 8, True)
        for kernel in (price_batch, price_lanes):
            kernel(*arguments)
            (assembly,) = kernel.inspect_asm().values()
            print(kernel.py_func.__name__, dict(sorted(count(assembly).items())))


if __name__ == "__main__":
    main()
