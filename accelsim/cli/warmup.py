"""`accelsim warmup`: compile the kernels ahead."""

from __future__ import annotations

from accelsim.cli.app import app


@app.command()
def warmup() -> None:
    """Compile the kernels now, so that the first result comes at once."""
    import time

    from accelsim.costing import evaluate as run
    from accelsim.workloads.layer import Layer

    start = time.perf_counter()
    run("example", Layer.conv2d(K=8, C=4, P=6, Q=6, R=3, S=3))
    print(f"kernels ready after {time.perf_counter() - start:.1f} s")
