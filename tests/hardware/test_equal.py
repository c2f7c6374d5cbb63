"""Equal machines are equal whatever has been asked of them."""

from __future__ import annotations

from accelsim import Layer, evaluate, load_hardware


def test_machines_that_priced_layers_compare() -> None:
    one, other = (load_hardware(load_hardware("nvdla_64").to_dict()) for _ in range(2))
    for chip in (one, other):
        assert chip._dense is chip  # kept of a machine without sparsity: itself
        evaluate(chip, Layer(K=4))
    assert one is not other
    assert one == other
    assert len({one, other}) == 1
    assert one != load_hardware(one.to_dict() | {"clock_mhz": 7})
