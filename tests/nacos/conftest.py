from __future__ import annotations

import numpy as np
import pytest

from accelsim.nacos import Bench, create


@pytest.fixture(scope="session")
def bench() -> Bench:
    return create()


@pytest.fixture(scope="session")
def measured(tmp_path_factory) -> Bench:
    """With accuracies of our own making: no measured ones ship."""
    plain = create()
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("accuracy") / "made_up.csv"
    value = 60 + 30 * np.log(plain.nets.macs / 7e6) / 3 + rng.normal(0, 1, len(plain))
    lines = [f"{plain.arch(i)},{min(99.0, value[i]):.3f}" for i in range(len(plain))]
    path.write_text("encoding,top1\n" + "\n".join(lines) + "\n")
    return create(accuracy=f"table:{path}")
