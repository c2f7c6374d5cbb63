"""Join small networks end to end: how a subnet is made of blocks that are built once and kept."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain as flat

from accelsim.workloads.network import INPUT, Edge, Network


def chain(name: str, blocks: Sequence[Network]) -> Network:
    """One network; each block reads the single output of the block before.

    Layer names must differ between blocks. The batch and input shape are the first block's.
    """
    edges: list[Edge] = []
    start, source = 0, INPUT
    for block in blocks:
        edges += [
            Edge(source if producer == INPUT else producer + start, consumer + start, elements, operand)
            for producer, consumer, elements, operand in block.edges
        ]
        source = start + block.outputs[0]
        start += len(block.layers)
    return Network(
        name,
        tuple(flat.from_iterable(b.layers for b in blocks)),
        tuple(edges),
        (source,),
        tuple(flat.from_iterable(b.weights_of for b in blocks)),
        tuple(flat.from_iterable(b.params_of for b in blocks)),
        blocks[0].input_shape,
        blocks[0].batch,
        windows=tuple(flat.from_iterable(b.windows for b in blocks)),
    )
