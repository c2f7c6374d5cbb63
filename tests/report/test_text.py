"""Numbers in words."""

from __future__ import annotations

import pytest

from accelsim.report.text import times


@pytest.mark.parametrize(
    ("gain", "said"), [(2.4, "2.40x"), (1.0, "1.00x"), (0.999, "1.00x"), (0.4, "2.50x more"), (0.0, "0.00x")]
)
def test_a_gain_below_one_is_a_loss(gain, said) -> None:
    assert times(gain) == said


def test_a_loss_of_time_is_called_slower() -> None:
    assert times(0.5, "slower") == "2.00x slower"
