"""A dataflow becomes tables of tiles: what every map moves, whole, at the edge, and anew, per cluster level.

`ws` float64 and `iw` int64 are the work arrays of `price`, flat, with the offsets named here. Indices are
masked where Numba cannot see that they are not negative, which spares a test at every access.
"""

from __future__ import annotations

import numpy as np

from cost_models._jit import inlined, step
from cost_models.maestro import layout as L

# ws: a record of each map of each level, then
SIZE = 0  # elements of a whole tile
STEP = 1
FRESH = 2  # of a tile: elements not in the tile before
EDGE = 3  # elements of the last, smaller tile
EDGE_FRESH = 4
OUT, OUT_FRESH, OUT_EDGE, OUT_EDGE_FRESH = 5, 6, 7, 8  # the same in outputs; equal but for Y and X
STEADY = 9  # [bank] steps after the first and before the edge
LOADS = 11  # [3] I, W and delay of the step in which the map moves
BASE = (
    L.MAX_LEVELS * L.NDIM << 4
)  # [bank, level, 4] products of the temporal tiles: I, W, outputs, other maps
START = BASE + 2 * L.MAX_LEVELS * 4  # [level, 4] LOADS of the first step of all
TILE = START + L.MAX_LEVELS * 4  # [level, dimension] what a level works on
FULL = TILE + L.MAX_LEVELS * L.NDIM  # [level, dimension] the same when nothing is cut: the tables are for it
UNITS = FULL + L.MAX_LEVELS * L.NDIM  # [level] sub-units
EDGE_UNITS = UNITS + L.MAX_LEVELS  # [level] sub-units in use at the edge of the spatial map
RESULT = EDGE_UNITS + L.MAX_LEVELS  # [COUNT_COLS]
MACHINE = RESULT + L.COUNT_COLS  # [MACHINE_COLS]
SCALE = MACHINE + L.MACHINE_COLS  # [dimension] input rows per output row
CASE = SCALE + L.NDIM  # [level, 3] outputs drained, multiply-accumulates, those of the busiest sub-unit
SUM = CASE + L.MAX_LEVELS * 3  # [level, 9] over all cases so far, as named in `price`
WS_SIZE = SUM + L.MAX_LEVELS * 9

# iw: a record of each level, then LEVELS, STATUS and the dimension of each map. Sets have bit i for map i.
MAPS = 0  # how many
SPLIT = 1  # set of the spatial maps
FIRST, SECOND = 2, 3  # spatial maps; -1: none
COUPLED = 4  # [tensor] set of the maps whose dimension indexes the tensor
LAST = 7  # [tensor] of its spatial maps the one that the tool asks
MOVES = 10  # [bank] how many maps have more than one step
ORDER = 12  # [bank] which, four bits each, outermost lowest
EDGES = 14  # [bank] set of those whose last step is smaller
CUT = 16  # [bank] set of the maps whose only step is smaller
UNEVEN = 18  # [bank] set of the spatial maps whose last sub-unit then gets less than the others
LEVELS = L.MAX_LEVELS << 5
STATUS = LEVELS + 1
KNOWN = STATUS + 1  # [2] layer and dataflow of the tables
DIM = KNOWN + 2  # [level, map]
IW_SIZE = DIM + L.MAX_LEVELS * L.NDIM

_ALPHABET = (
    0x45760213  # dimensions C G K N R S X Y, four bits each: the order in which the tool adds missing maps
)

# Banks: 0 = what a level does with a whole tile, 1 = with the one at hand, where that is cut.


@inlined
def record(level, i):
    """Where the record of map `i` stands in `ws`."""
    return (L.NDIM * level + i & 31) << 4


@inlined
def level_record(level):
    """Where the record of a level stands in `iw`."""
    return (level & 3) << 5


@inlined
def dim_of(level, i, iw):
    """Dimension of map `i`."""
    return iw[DIM + (L.NDIM * level + i & 31)] & 7


@inlined
def number(code, layer, layers):
    """A size in its array form as a number of elements."""
    d = (code + (L.PER_DIM >> 1)) >> 40
    value = code - (d << 40)
    return value + layers[layer, (d - 1) & 7] if d > 0 else value


@step
def fill(layer, program, compat, layers, maps, size, stride, cluster, ws, iw):
    """Make all tables, unless they are those of the question before; return a status."""
    layer &= 0x7FFFFFFF
    program &= 0x7FFFFFFF
    group = 1.0
    levels = 1
    while levels < L.MAX_LEVELS and cluster[program, levels] != 0:
        units = number(cluster[program, levels], layer, layers)
        ws[UNITS + levels] = units
        group *= units
        levels += 1
    iw[LEVELS] = levels
    ws[UNITS] = np.floor(ws[MACHINE + L.PES] / group)
    if ws[UNITS] < 1.0:
        return L.TOO_FEW_PES
    if iw[KNOWN] != layer or iw[KNOWN + 1] != program:
        iw[KNOWN] = -1
        status = _shape(levels, layer, program, compat, layers, maps, size, stride, ws, iw)
        if status != L.OK:
            return status
        iw[KNOWN] = layer
        iw[KNOWN + 1] = program
    for level in range(levels):
        _edge_units(level, compat, ws, iw)
        state(level, 0, FULL, ws, iw)
    return L.OK


@step
def _shape(levels, layer, program, compat, layers, maps, size, stride, ws, iw):
    """All tables that do not depend on the machine; return a status."""
    for d in range(L.NDIM):
        ws[FULL + d] = layers[layer, d]
        ws[TILE + d] = layers[layer, d]
        ws[SCALE + d] = 1.0
    if not compat:
        for d in range(L.Y, L.X + 1):
            wide = layers[layer, L.STRIDE_Y - L.Y + d]
            if wide > 1:
                # Rows that no output touches do not count.
                kernel = layers[layer, d + 2]
                scale = min(wide, kernel)
                ws[FULL + d] = ((layers[layer, d] - kernel) // wide) * scale + kernel
                ws[TILE + d] = ws[FULL + d]
                ws[SCALE + d] = scale
    for level in range(levels):
        status = _order(level, layer, program, compat, layers, maps, size, stride, ws, iw)
        if status != L.OK:
            return status
        _outputs(level, ws, iw)
        if level + 1 < levels:
            below = FULL + (L.NDIM * (level + 1) & 31)
            for i in range(iw[MAPS + level_record(level)]):
                d = dim_of(level, i, iw)
                ws[below + d] = min(ws[SIZE + record(level, i)], ws[below - L.NDIM + d])
    return L.OK


@step
def _order(level, layer, program, compat, layers, maps, size, stride, ws, iw):
    """The maps of a level, those that it inherits first, with sizes in input elements; return a status."""
    level &= 3
    layer &= 0x7FFFFFFF
    program &= 0x7FFFFFFF
    row = level_record(level)
    known = layers[layer, L.DIMS]
    outputs_by = layers[layer, L.COUPLED + L.O]
    if not compat and (outputs_by >> L.K) & (outputs_by >> L.C) & 1:
        outputs_by &= ~(1 << L.C)  # the tool has an output for each input channel of a group
    seen = 0
    given = 0
    while given < L.NDIM and maps[program, level, given] >= 0:
        d = maps[program, level, given] & (L.SPATIAL - 1)
        d = d - 4 if d >= L.Y_OUT else d
        if ((seen | ~known) >> d) & 1:
            return L.BAD_DIM
        seen |= 1 << d
        given += 1
    n = 0
    split = 0
    coupled_i = 0
    coupled_w = 0
    coupled_o = 0
    # Missing maps: below the top the tool puts those of the level above in front, one by one, so that the
    # last comes first; at the top they go to the end, a step each.
    inherited = iw[MAPS + row - 32] if level > 0 else 0
    missing = known & ~seen if level == 0 else 0
    for k in range(inherited + given + (L.NDIM if missing else 0)):
        i = record(level, n)
        outputs = 0
        if k < inherited:
            above = inherited - 1 - k
            d = dim_of(level - 1, above, iw)
            if (seen >> d) & 1:
                continue
            ws[SIZE + i] = ws[SIZE + record(level - 1, above)]
            ws[STEP + i] = ws[STEP + record(level - 1, above)]
        elif k < inherited + given:
            at = k - inherited & 7
            code = maps[program, level, at]
            d = code & (L.SPATIAL - 1)
            tile = number(size[program, level, at], layer, layers)
            if d >= L.Y_OUT:
                d -= 4
                kernel = 0
                for j in range(given):
                    if maps[program, level, j] & (L.SPATIAL - 1) == d + 2:
                        kernel = number(size[program, level, j], layer, layers)
                if kernel == 0:
                    return L.NO_KERNEL
                outputs = tile
                tile += kernel - 1
            ws[SIZE + i] = tile
            ws[STEP + i] = number(stride[program, level, at], layer, layers)
            split |= (code // L.SPATIAL & 1) << n
        else:
            d = _ALPHABET >> 4 * (k - inherited - given & 7) & 7
            if not (missing >> d) & 1:
                continue
            ws[SIZE + i] = ws[FULL + d]
            ws[STEP + i] = ws[FULL + d]
        if d == L.Y or d == L.X:
            wide = layers[layer, L.STRIDE_Y - L.Y + d]
            if wide > 1 and (compat or inherited <= k < inherited + given):
                _whole_outputs(level, i, outputs, wide, layers[layer, d + 2], compat, ws)
        iw[DIM + (L.NDIM * level + n & 31)] = d
        coupled_i |= ((layers[layer, L.COUPLED + L.I] >> d) & 1) << n
        coupled_w |= ((layers[layer, L.COUPLED + L.W] >> d) & 1) << n
        coupled_o |= ((outputs_by >> d) & 1) << n
        _tile(i, (split >> n) & 1, ws[FULL + (L.NDIM * level & 31) + d], compat, ws)
        n += 1
    first = -1
    second = -1
    splits = 0
    for i in range(n):
        if (split >> i) & 1:
            first = i if splits == 0 else first
            second = i if splits == 1 else second
            splits += 1
    if splits < 1 or splits > 2:
        return L.NO_SPLIT
    iw[MAPS + row] = n
    iw[SPLIT + row] = split
    iw[FIRST + row] = first
    iw[SECOND + row] = second
    iw[COUPLED + row + L.I] = coupled_i
    iw[COUPLED + row + L.W] = coupled_w
    iw[COUPLED + row + L.O] = coupled_o
    for t in range(L.NTENSOR):
        last = split & iw[COUPLED + row + t]
        if last & (last - 1):
            # Both are: the tool asks the one whose dimension comes last in the tensor's list.
            last = 1 << (second if dim_of(level, second, iw) > dim_of(level, first, iw) else first)
        iw[LAST + row + t] = last
    return L.OK


@inlined
def _whole_outputs(level, i, outputs, wide, kernel, compat, ws):
    """Round a tile of input rows to whole outputs where the layer has the stride `wide`, as the tool does.

    Where that is wrong, and `compat` is off: a tile given in `outputs` makes that many; a stride larger than
    the kernel steps over rows that no output touches, so that they never count.
    """
    if ws[SIZE + i] >= kernel:
        made = np.floor((ws[SIZE + i] + wide - kernel) / wide)
        scale = min(wide, kernel)
        if not compat and outputs > 0:
            made = np.float64(outputs)
        ws[SIZE + i] = made * scale + (kernel - scale)
        # Below the top level the tool steps by the kernel where the stride is larger.
        ws[STEP + i] = made * (scale if level > 0 or not compat else wide)


@inlined
def _tile(i, spatial, full, compat, ws):
    """The columns that follow from size and step of the map at record `i`, on a dimension of `full`."""
    size = ws[SIZE + i]
    stride = ws[STEP + i]
    steady = np.floor((full - size) / stride) if size < full else 0.0
    fresh = min(size, stride) if size < full or spatial else 0.0
    rest = full - (steady + 1.0) * stride
    # Of a tile wider than the dimension the tool keeps what lies beyond the first step.
    rest = full if rest < 0.0 or (size > full and not compat) else rest
    edge = rest if steady * stride + size < full or size > full else size
    edge_fresh = max(stride - (size - rest), 0.0)
    ws[FRESH + i] = fresh
    ws[EDGE + i] = edge
    ws[EDGE_FRESH + i] = edge_fresh
    ws[OUT + i] = size
    ws[OUT_FRESH + i] = fresh
    ws[OUT_EDGE + i] = edge
    ws[OUT_EDGE_FRESH + i] = edge_fresh


@step
def _outputs(level, ws, iw):
    """The columns in outputs of Y and X."""
    rows = 0
    columns = 0
    for i in range(iw[MAPS + level_record(level)]):
        d = dim_of(level, i, iw)
        rows = record(level, i) if d == L.R else rows
        columns = record(level, i) if d == L.S else columns
    for i in range(iw[MAPS + level_record(level)]):
        d = dim_of(level, i, iw)
        if d == L.Y or d == L.X:
            k = rows if d == L.Y else columns
            i = record(level, i)
            stride = ws[STEP + i]
            out = ws[SIZE + i] - ws[SIZE + k]
            edge = ws[EDGE + i] - ws[EDGE + k]
            fresh = min(stride, ws[SIZE + i])
            scale = ws[SCALE + d]
            if scale > 1.0:
                out = np.floor(out / scale)
                edge = np.floor(edge / scale)
                fresh = np.ceil(fresh / scale)
                stride = np.ceil(stride / scale)
            ws[OUT + i] = out + 1.0
            ws[OUT_EDGE + i] = edge + 1.0
            ws[OUT_FRESH + i] = fresh
            ws[OUT_EDGE_FRESH + i] = min(stride, edge + 1.0)


@step
def _edge_units(level, compat, ws, iw):
    """How many sub-units are in use at the edge of the first spatial map."""
    first = iw[FIRST + level_record(level)]
    i = record(level, first)
    units = ws[UNITS + (level & 3)]
    size = ws[SIZE + i]
    stride = ws[STEP + i]
    full = ws[FULL + (L.NDIM * level & 31) + dim_of(level, first, iw)]
    used = 1.0
    if full > stride * (units - 1.0) + size:
        steady = np.floor((np.floor((full - size) / stride) + 1.0) / units) - 1.0
        rest = full - (steady + 1.0) * stride * units
        if rest >= size:
            used = np.floor((rest - size) / stride) + 1.0
            if not compat and (used - 1.0) * stride + size < rest:
                used += 1.0  # the tool forgets the one with the shorter tile
    elif full > size:
        used = np.ceil((full - size) / stride) + 1.0
    ws[EDGE_UNITS + (level & 3)] = used


@step
def state(level, bank, tile, ws, iw):
    """What the maps of a level do on the tile that stands in table `tile`: fills one bank."""
    level &= 3
    bank &= 1
    row = level_record(level)
    split = iw[SPLIT + row]
    units = ws[UNITS + level]
    edges = 0
    cut = 0
    uneven = 0
    moves = 0
    order = 0
    base_i = 1.0
    base_w = 1.0
    base_o = 1.0
    base_r = 1.0
    for i in range(iw[MAPS + row]):
        j = record(level, i)
        full = ws[tile + L.NDIM * level + dim_of(level, i, iw)]
        size = ws[SIZE + j]
        stride = ws[STEP + j]
        steady = 0.0
        reach = size
        if (split >> i) & 1:
            reach = size + stride * (units - 1.0)
            if full < reach:
                cut |= 1 << i
                uneven |= 1 << i
            elif full > reach:
                steady = np.floor((np.floor((full - size) / stride) + 1.0) / units) - 1.0
                sweep = stride * units
                if (steady + 1.0) * sweep + reach > full and steady * sweep + reach != full:
                    edges |= 1 << i
                    rest = full - (steady + 1.0) * sweep
                    used = 1.0 if rest < size else np.floor((rest - size) / stride) + 1.0
                    if (used - 1.0) * stride + size < rest:
                        uneven |= 1 << i
        else:
            made = ws[OUT + j]
            if full < size:
                cut |= 1 << i
                size = ws[EDGE + j]
                made = ws[OUT_EDGE + j]
            elif full > size:
                steady = np.floor((full - size) / stride)
                if steady * stride + size < full:
                    edges |= 1 << i
            base_i *= size if (iw[COUPLED + row + L.I] >> i) & 1 else 1.0
            base_w *= size if (iw[COUPLED + row + L.W] >> i) & 1 else 1.0
            makes = (iw[COUPLED + row + L.O] >> i) & 1
            base_o *= made if makes else 1.0
            base_r *= 1.0 if makes else made
        ws[STEADY + j + bank] = steady
        if full > reach:
            order |= i << 4 * moves
            moves += 1
    iw[MOVES + row + bank] = moves
    iw[ORDER + row + bank] = order
    iw[EDGES + row + bank] = edges
    iw[CUT + row + bank] = cut
    iw[UNEVEN + row + bank] = uneven
    at = BASE + 4 * (L.MAX_LEVELS * bank + level)
    ws[at] = base_i
    ws[at + 1] = base_w
    ws[at + 2] = base_o
    ws[at + 3] = base_r
