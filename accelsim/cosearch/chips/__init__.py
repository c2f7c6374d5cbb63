"""Chips as genes: the space that the `search` section of a hardware file spans, or one chip that is fixed."""

from accelsim.cosearch.chips.fixed import FixedChip, unsearched
from accelsim.cosearch.chips.space import ChipSpace

__all__ = ["ChipSpace", "FixedChip", "unsearched"]
