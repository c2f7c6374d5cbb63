"""The contract of `AccuracySource`; a test class for a source inherits it and gives `source` and `space`."""

from __future__ import annotations

import numpy as np
import pytest

from accelsim.accuracy import KINDS, AccuracyError, AccuracySource
from accelsim.workloads.spaces import Space, load_space


class AccuracySourceContract:
    """Fixtures: `source`, `space` at answerable resolutions, `genomes` [n, genes] with an answer."""

    @pytest.fixture
    def genomes(self, space: Space) -> np.ndarray:
        return space.sample(np.random.default_rng(0), 40)

    def test_answers(self, source: AccuracySource, space: Space, genomes: np.ndarray) -> None:
        found = source.predict(space, genomes, mixed=True)
        assert found.value.shape == found.error.shape == found.kind.shape == (len(genomes),) == (len(found),)
        assert found.value.dtype == found.error.dtype == np.float64
        assert ((found.value >= 0) & (found.value <= 100)).all()
        assert np.isfinite(found.error).all()
        assert (found.error >= 0).all()
        assert set(found.kind.tolist()) <= set(source.kinds(space)) <= set(KINDS)
        assert found.source == source.describe(space)
        assert len(found.source) > 20

    def test_one_at_a_time(self, source: AccuracySource, space: Space, genomes: np.ndarray) -> None:
        """The rest of the batch does not matter, nor does its order."""
        found = source.predict(space, genomes, mixed=True)
        back = source.predict(space, genomes[::-1], mixed=True)
        assert back.value[::-1] == pytest.approx(found.value, abs=1e-9)
        for i in range(0, len(genomes), 7):
            one = source.accuracy(space.decode(genomes[i]), space)
            assert one.value == pytest.approx(found[i].value, abs=1e-9)
            assert one.error == pytest.approx(found[i].error, abs=1e-9)
            assert one.kind == found[i].kind
            assert one.kind in str(one)
            assert "±" in str(one)

    def test_other_resolutions_of_the_space(
        self, source: AccuracySource, space: Space, genomes: np.ndarray
    ) -> None:
        """Answers hang on the resolution itself, not on its place among the space's."""
        wide = space.at(*sorted({*space.resolutions, 33, 4096}))
        moved = np.array([wide.encode(space.decode(row)) for row in genomes])
        assert (
            source.predict(wide, moved, mixed=True).value == source.predict(space, genomes, mixed=True).value
        ).all()
        assert source.restrict(wide).resolutions == source.resolutions(wide)
        assert not {33, 4096} & set(source.resolutions(wide))

    def test_unused_genes(self, source: AccuracySource, space: Space, genomes: np.ndarray) -> None:
        noise = np.random.default_rng(1).integers(0, space.upper + 1, genomes.shape)
        other = np.where(space.active(genomes), genomes, noise)
        assert (
            source.predict(space, other, mixed=True).value == source.predict(space, genomes, mixed=True).value
        ).all()

    def test_nothing_for_no_genomes(self, source: AccuracySource, space: Space) -> None:
        assert len(source.predict(space, np.zeros((0, len(space.genes)), int), mixed=True)) == 0

    def test_kinds_do_not_mix_unasked(
        self, source: AccuracySource, space: Space, genomes: np.ndarray
    ) -> None:
        if len(source.kinds(space)) > 1:
            with pytest.raises(AccuracyError, match="mixed=True"):
                source.predict(space, genomes[:1])
        else:
            assert len(set(source.predict(space, genomes).kind.tolist())) == 1

    def test_unknown_resolution_is_refused(self, source: AccuracySource, space: Space) -> None:
        far = space.at(4096)
        with pytest.raises(AccuracyError, match="no accuracy at resolution 4096"):
            source.predict(far, far.smallest(), mixed=True)
        with pytest.raises(AccuracyError, match="no accuracy at resolution 4096"):
            source.restrict(far)

    def test_unknown_space_is_refused(self, source: AccuracySource, space: Space) -> None:
        other = load_space("nasbench_macro" if space.name != "nasbench_macro" else "ofa_resnet50")
        for call in (source.kinds, source.resolutions, source.restrict):
            with pytest.raises(AccuracyError, match=other.name):
                call(other)

    def test_bad_genomes_are_refused(self, source: AccuracySource, space: Space) -> None:
        with pytest.raises(ValueError, match="must be 0 to"):
            source.predict(space, space.upper + 1, mixed=True)
