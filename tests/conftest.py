"""Fixtures that every test may ask for."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")  # a busy machine is no fault


def pytest_collection_finish() -> None:
    """What is loaded by now stays: looking through it again and again takes a tenth of the tests' time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The folder of reference data beside the checkout (or where ACCELSIM_SHARED says); skips without it."""
    path = Path(os.environ.get("ACCELSIM_SHARED", Path(__file__).resolve().parents[2] / "shared"))
    if not path.is_dir():
        pytest.skip(f"reference data not found at {path}")
    return path


@pytest.fixture(scope="session", autouse=True)
def widthless() -> None:
    """Reports are as wide as in a pipe, whatever terminal the tests are started at."""
    os.environ.pop("COLUMNS", None)


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> Iterator[None]:
    """Ctrl-C works in tests and what they start, also where the shell ignores it (`nohup`, `&`)."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
