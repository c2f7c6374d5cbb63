"""The published nets, exactly."""

from __future__ import annotations

import numpy as np
import pytest

from accelsim.accuracy import AccuracyError
from accelsim.accuracy.published import PublishedSource
from accelsim.workloads.spaces import Space, load_space

from ..spaces.facts import PUBLISHED
from .conformance import AccuracySourceContract


class TestContract(AccuracySourceContract):
    @pytest.fixture(params=["ofa_mbv3", "ofa_mbv3_w1.2", "ofa_proxyless"])
    def space(self, request) -> Space:
        sizes = {
            int(s.split(":r")[1].split("-")[0]) for _, s, *_ in PUBLISHED if s.startswith(f"{request.param}:")
        }
        return load_space(request.param, tuple(sorted(sizes)))

    @pytest.fixture
    def genomes(self, space: Space) -> np.ndarray:
        own = [s.split(":")[1] for _, s, *_ in PUBLISHED if s.startswith(f"{space.name}:")]
        return np.array([space.encode(space.parse(x)) for x in own])

    @pytest.fixture
    def source(self) -> PublishedSource:
        return PublishedSource()


def test_all_published() -> None:
    """Each as printed, but one subnet that was fine-tuned for 75 epochs too: the 25 epochs count."""
    for name, subnet, _, _, top1 in PUBLISHED:
        space, encoding = subnet.split(":")
        found = PublishedSource().accuracy(load_space(space).parse(encoding))
        assert found.kind == "published"
        if name == "ofa-pixel1-58":
            assert found.value == 76.4
        else:
            assert abs(found.value - top1) <= found.error


def test_others_are_refused() -> None:
    space = load_space("ofa_mbv3", (224,))
    with pytest.raises(AccuracyError, match="is not one of the"):
        PublishedSource().predict(space, space.smallest())
