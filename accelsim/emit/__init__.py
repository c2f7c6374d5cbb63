"""Mappings as programs for other compilers: one writer a language, text alone, nothing to install.

The loops, their order and their tiles are the mapping's. What a layer's operator leaves open is the same in
all of them: a pool takes the maximum, an element-wise operator the sum of its operands.
"""

from accelsim.emit.base import EMITTERS, Item, emit, emitter_names

__all__ = ["EMITTERS", "Item", "emit", "emitter_names"]
