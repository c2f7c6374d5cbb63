"""`accelsim warmup`: compile the kernels ahead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from accelsim.cli.app import app


@app.command()
def warmup() -> None:
    """Compile the kernels now, so that the first result comes at once."""
    import time

    from accelsim.cosearch.run import search
    from accelsim.costing import evaluate
    from accelsim.mapping.maestro.machine import MaestroMachine
    from accelsim.mapping.maestro.model import price_layers
    from accelsim.mapping.mapper import map_layer
    from accelsim.workloads.layer import Layer

    layer = Layer.conv2d(K=8, C=4, P=6, Q=6, R=3, S=3)
    work: dict[str, Callable[[], Any]] = {
        "evaluate": lambda: evaluate("example", layer),
        "map": lambda: [map_layer("example", layer, name, budget=64) for name in ("genetic", "optimal")],
        "search": lambda: search("eyeriss", networks="lenet5", evaluations=2, population=2, budget=64),
        "MAESTRO's model": lambda: price_layers([layer], [MaestroMachine(pes=16)]),
    }
    for name, run in work.items():
        start = time.perf_counter()
        run()
        print(f"{name}: ready after {time.perf_counter() - start:.1f} s", flush=True)
