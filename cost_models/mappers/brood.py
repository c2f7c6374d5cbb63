"""Broods: eight proposals priced together, by a function of `lanes.brood` where there is one, else in turn.

That function is machine code of its own, which the kernels of the searches call by its address: they compile
no slower for it, and short searches, which end before it would be compiled, do without. The results
are the same, bit for bit.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic as _intrinsic

from cost_models._jit import inlined, step
from cost_models.loopnest import layout as L
from cost_models.loopnest import work as X
from cost_models.loopnest.layout import PENDING
from cost_models.loopnest.price import price
from cost_models.mappers.proposals import realise
from cost_models.mappers.records import Brood

BROOD = 8

# Brood.notes, made by `memory`
FUNCTION = 0  # address of the function that prices eight mappings, 0 = none
FRESH = 1  # whether it has not seen the problem at hand
STATUS = 2  # [BROOD] of each mapping; PENDING: left to `loopnest.price`
ASKED = STATUS + BROOD  # [BROOD, ASKS] what a search wants to know of each proposal
ASKS = 4
SETS = ASKED + ASKS * BROOD  # `bs` of `lanes.nest`

# Brood.figures
LATENCY = 0  # [BROOD] cycles, infinite if the mapping is illegal
ENERGY = LATENCY + BROOD  # [BROOD] pJ
NUMBERS = ENERGY + BROOD  # `vs` of `lanes.nest`

_COMPILED_AFTER = 8_000_000
"""Mappings asked for in this process after which the function is compiled: it saves as much time by then."""

_LOADED_AFTER = 300_000
"""The same where it is on disk already."""

intrinsic: Any = _intrinsic  # its type has the context as an argument, which no caller gives


@intrinsic
def _call(typingctx, notes, tile, order, axis_dim, axis_factor, figures, ws, iw):
    """Call the function at notes[FUNCTION] with the addresses of what the arrays hold."""

    def codegen(context, builder, sig, args):
        def at(i, offset=0):
            data = context.make_array(sig.args[i])(context, builder, args[i]).data
            return builder.gep(data, [ir.Constant(ir.IntType(64), offset)])

        data = [*map(at, range(1, 5)), at(0, STATUS), at(5, LATENCY), at(5, ENERGY)]
        data += [at(5, NUMBERS), at(0, SETS), at(6), at(7)]
        fresh = builder.load(at(0, FRESH))
        form = ir.FunctionType(ir.IntType(64), [fresh.type, *(one.type for one in data)])
        function = builder.inttoptr(builder.load(at(0, FUNCTION)), form.as_pointer())
        return builder.call(function, [fresh, *data])

    return types.int64(notes, tile, order, axis_dim, axis_factor, figures, ws, iw), codegen


@step
def ask(n, allowed, pool, space):
    """Price proposals 0 .. n - 1, at most BROOD of them, as far as that pays; `tell` does the rest.

    The other rows of the batch mean nothing.
    """
    notes, figures = space.brood
    for b in range(n):
        notes[STATUS + b] = PENDING
    if n == 1 or notes[FUNCTION] == 0 or space.iw[X.STARTS]:
        return
    for b in range(n):
        realise(b, b, allowed.orders, pool.proposal, space.batch, space.scratch, space.iw)
    tile, order, axis_dim, axis_factor = space.batch
    _call(notes, tile, order, axis_dim, axis_factor, figures, space.ws, space.iw)
    notes[FRESH] = 0


@inlined
def tell(b, allowed, pool, space):
    """(cycles, pJ) of proposal `b` of those asked for, infinite if it does not fit."""
    notes, figures = space.brood
    if notes[STATUS + b] != PENDING:
        return figures[LATENCY + b], figures[ENERGY + b]
    ws = space.ws
    realise(b, b, allowed.orders, pool.proposal, space.batch, space.scratch, space.iw)
    price(b, False, space.batch, ws, space.iw)
    return ws[X.RESULT + L.LATENCY], ws[X.RESULT + L.ENERGY]


def memory(mappings: int) -> Brood:
    """For searches that will price so many mappings."""
    global _asked
    _asked += mappings
    if not numba.config.DISABLE_JIT and _asked >= _LOADED_AFTER:  # type: ignore[attr-defined]
        from cost_models.lanes.brood import NUMBERS_SIZE, SETS_SIZE, price_addressed

        if _asked >= _COMPILED_AFTER or price_addressed.is_kept():
            notes = np.zeros(SETS + SETS_SIZE, np.int64)
            notes[FUNCTION] = price_addressed.address
            return Brood(notes, np.zeros(NUMBERS + NUMBERS_SIZE))
    return Brood(np.zeros(SETS, np.int64), np.zeros(NUMBERS))


_asked = 0
