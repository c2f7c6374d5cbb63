"""A dataflow becomes tables of tiles: what every map moves, whole, at the edge, and anew, per cluster level.

`ws` float64 and `iw` int64 are the work arrays of `maestro`, flat, with the offsets named here.
"""

from __future__ import annotations

import numpy as np

from cost_models import maestro_layout as L
from cost_models._jit import inlined, step

_L, _D = L.MAX_LEVELS, L.NDIM

# ws, tables of [level, map] unless said otherwise
SIZE = 0  # elements of a whole tile
STEP = SIZE + _L * _D
FRESH = STEP + _L * _D  # of a tile: elements not in the tile before
EDGE = FRESH + _L * _D  # elements of the last, smaller tile
EDGE_FRESH = EDGE + _L * _D
OUT = EDGE_FRESH + _L * _D  # the same four in outputs; equal but for Y and X
OUT_FRESH = OUT + _L * _D
OUT_EDGE = OUT_FRESH + _L * _D
OUT_EDGE_FRESH = OUT_EDGE + _L * _D
STEADY = OUT_EDGE_FRESH + _L * _D  # [bank, level, map] steps after the first and before the edge, see `state`
BASE = STEADY + 2 * _L * _D  # [bank, level, 4] products of the temporal tiles: I, W, outputs, the other maps
TILE = BASE + 2 * _L * 4  # [level, dimension] what a level works on
FULL = TILE + _L * _D  # [level, dimension] what it works on when nothing is cut: its tables are made for it
UNITS = FULL + _L * _D  # [level] sub-units
EDGE_UNITS = UNITS + _L  # [level] sub-units in use at the edge of the spatial map
LOADS = EDGE_UNITS + _L  # [level, 1 + map, 3] I, W and delay of the step in which that map moves; 0: none
RESULT = LOADS + _L * (_D + 1) * 3  # [COUNT_COLS]
MACHINE = RESULT + L.COUNT_COLS  # [MACHINE_COLS]
SCALE = MACHINE + L.MACHINE_COLS  # [dimension] input rows per output row
WS_SIZE = SCALE + _D

# iw
LEVELS = 0
STATUS = 1
MAPS = 2  # [level] how many maps
DIM = MAPS + _L  # [level, map]
SPLIT = DIM + _L * _D  # [level] set of the spatial maps; sets have bit i for map i
FIRST = SPLIT + _L  # [level] first spatial map
SECOND = FIRST + _L  # [level] second, or -1
COUPLED = SECOND + _L  # [level, tensor] set of the maps whose dimension indexes the tensor
LAST = COUPLED + _L * L.NTENSOR  # [level, tensor] of its spatial maps the one that the tool asks
WHERE = LAST + _L * L.NTENSOR  # [dimension] map of the dimension, at the level at hand
MOVING = WHERE + _D  # [bank, level, 0 .. 7] maps with more than one step
MOVES = MOVING + 2 * _L * _D  # [bank, level] how many of them
EDGES = MOVES + 2 * _L  # [bank, level] set of the maps whose last step is smaller
CUT = EDGES + 2 * _L  # [bank, level] set of the maps whose only step is smaller
UNEVEN = CUT + 2 * _L  # [bank, level] set of the spatial maps whose last sub-unit then gets less than others
IW_SIZE = UNEVEN + 2 * _L

# Banks: what a level does with a whole tile, and with the one at hand where that is cut.
BANK = _L


@inlined
def number(code, layer, layers):
    """A size in its array form as a number of elements."""
    d = (code + (L.PER_DIM >> 1)) >> 40
    value = code - (d << 40)
    return value + layers[layer, d - 1] if d > 0 else value


@step
def fill(layer, program, compat, layers, maps, size, step, cluster, ws, iw):
    """Make all tables of a dataflow on a layer; return a status."""
    pes = ws[MACHINE + L.PES]
    group = 1.0
    levels = 1
    while levels < L.MAX_LEVELS and cluster[program, levels] != 0:
        units = number(cluster[program, levels], layer, layers)
        ws[UNITS + levels] = units
        group *= units
        levels += 1
    iw[LEVELS] = levels
    ws[UNITS] = np.floor(pes / group)
    if ws[UNITS] < 1.0:
        return L.TOO_FEW_PES
    for d in range(L.NDIM):
        full = layers[layer, d]
        ws[SCALE + d] = 1.0
        if d == L.Y or d == L.X:
            stride = layers[layer, L.STRIDE_Y + d - L.Y]
            kernel = layers[layer, d + 2]
            if not compat and stride > 1:
                # Rows that no output touches do not count.
                scale = min(stride, kernel)
                full = ((full - kernel) // stride) * scale + kernel
                ws[SCALE + d] = scale
        ws[FULL + d] = full
        ws[TILE + d] = full
    for level in range(levels):
        status = _order(level, layer, program, compat, layers, maps, size, step, ws, iw)
        if status != L.OK:
            return status
        _tables(level, compat, ws, iw)
        state(level, 0, FULL, ws, iw)
        if level + 1 < levels:
            for i in range(iw[MAPS + level]):
                d = iw[DIM + L.NDIM * level + i]
                ws[FULL + L.NDIM * (level + 1) + d] = min(
                    ws[SIZE + L.NDIM * level + i], ws[FULL + L.NDIM * level + d]
                )
    return L.OK


@step
def _order(level, layer, program, compat, layers, maps, size, step, ws, iw):
    """The maps of a level, those that it inherits first, with sizes in input elements; return a status."""
    seen = 0
    given = 0
    while given < L.NDIM and maps[program, level, given] >= 0:
        d = maps[program, level, given] & (L.SPATIAL - 1)
        d = d - 4 if d >= L.Y_OUT else d
        if ((seen | ~layers[layer, L.DIMS]) >> d) & 1:
            return L.BAD_DIM
        seen |= 1 << d
        given += 1
    at = L.NDIM * level
    n = 0
    dims_i = layers[layer, L.COUPLED + L.I]
    dims_w = layers[layer, L.COUPLED + L.W]
    dims_o = layers[layer, L.COUPLED + L.O]
    coupled_i = 0
    coupled_w = 0
    coupled_o = 0
    if level > 0:
        # The tool puts each in front, so that the last of the level above comes first.
        for i in range(at - 1 - L.NDIM + iw[MAPS + level - 1], at - 1 - L.NDIM, -1):
            d = iw[DIM + i]
            if not (seen >> d) & 1:
                iw[DIM + at + n] = d
                ws[SIZE + at + n] = ws[SIZE + i]
                ws[STEP + at + n] = ws[STEP + i]
                if compat:
                    _stride(level, at + n, d, 0, layer, compat, layers, ws)
                coupled_i |= ((dims_i >> d) & 1) << n
                coupled_w |= ((dims_w >> d) & 1) << n
                coupled_o |= ((dims_o >> d) & 1) << n
                n += 1
    split = 0
    splits = 0
    first = -1
    second = -1
    for k in range(given):
        code = maps[program, level, k]
        d = code & (L.SPATIAL - 1)
        tile = number(size[program, level, k], layer, layers)
        outputs = 0
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
        iw[DIM + at + n] = d
        ws[SIZE + at + n] = tile
        ws[STEP + at + n] = number(step[program, level, k], layer, layers)
        _stride(level, at + n, d, outputs, layer, compat, layers, ws)
        if code & L.SPATIAL:
            split |= 1 << n
            splits += 1
            if first < 0:
                first = n
            else:
                second = n
        coupled_i |= ((dims_i >> d) & 1) << n
        coupled_w |= ((dims_w >> d) & 1) << n
        coupled_o |= ((dims_o >> d) & 1) << n
        n += 1
    missing = layers[layer, L.DIMS] & ~seen
    if level == 0 and missing:
        for d in range(L.NDIM):
            if (missing >> d) & 1:
                iw[DIM + n] = d
                ws[SIZE + n] = ws[FULL + d]
                ws[STEP + n] = ws[FULL + d]
                coupled_i |= ((dims_i >> d) & 1) << n
                coupled_w |= ((dims_w >> d) & 1) << n
                coupled_o |= ((dims_o >> d) & 1) << n
                n += 1
    if splits < 1 or splits > 2:
        return L.NO_SPLIT
    iw[MAPS + level] = n
    iw[SPLIT + level] = split
    iw[FIRST + level] = first
    iw[SECOND + level] = second
    iw[COUPLED + L.NTENSOR * level + L.I] = coupled_i
    iw[COUPLED + L.NTENSOR * level + L.W] = coupled_w
    iw[COUPLED + L.NTENSOR * level + L.O] = coupled_o
    for t in range(L.NTENSOR):
        last = split & iw[COUPLED + L.NTENSOR * level + t]
        if last & (last - 1):
            # Both are: the tool asks the one whose dimension comes last in the tensor's list.
            last = 1 << (second if iw[DIM + at + second] > iw[DIM + at + first] else first)
        iw[LAST + L.NTENSOR * level + t] = last
    return L.OK


@inlined
def _stride(level, i, d, outputs, layer, compat, layers, ws):
    """Round a tile of input rows to whole outputs where the layer has a stride, as the tool does.

    Where it is wrong, and `compat` is off: a tile given in `outputs` makes that many; a stride larger than
    the kernel steps over rows that no output touches, so that they never count.
    """
    if d == L.Y or d == L.X:
        stride = layers[layer, L.STRIDE_Y + d - L.Y]
        kernel = layers[layer, d + 2]
        if stride > 1 and ws[SIZE + i] >= kernel:
            made = np.floor((ws[SIZE + i] + stride - kernel) / stride)
            scale = min(stride, kernel)
            if not compat and outputs > 0:
                made = np.float64(outputs)
            ws[SIZE + i] = made * scale + (kernel - scale)
            # Below the top level the tool steps by the kernel where the stride is larger.
            ws[STEP + i] = made * (scale if level > 0 or not compat else stride)


@step
def _tables(level, compat, ws, iw):
    """All columns that follow from size and step of each map."""
    at = L.NDIM * level
    n = iw[MAPS + level]
    split = iw[SPLIT + level]
    for i in range(at, at + n):
        size = ws[SIZE + i]
        stride = ws[STEP + i]
        full = ws[FULL + at + iw[DIM + i]]
        iw[WHERE + iw[DIM + i]] = i
        if size >= full:
            spatial = (split >> (i - at)) & 1
            ws[FRESH + i] = min(size, stride) if spatial else 0.0
            steady = 0.0
        else:
            ws[FRESH + i] = min(size, stride)
            steady = np.floor((full - size) / stride)
        rest = full - (steady + 1.0) * stride
        if rest < 0.0:
            rest = full
        ragged = steady * stride + size < full or size > full
        ws[EDGE + i] = rest if ragged else size
        ws[EDGE_FRESH + i] = max(stride - (size - rest), 0.0)
    for i in range(at, at + n):
        d = iw[DIM + i]
        ws[OUT + i] = ws[SIZE + i]
        ws[OUT_FRESH + i] = ws[FRESH + i]
        ws[OUT_EDGE + i] = ws[EDGE + i]
        ws[OUT_EDGE_FRESH + i] = ws[EDGE_FRESH + i]
        if d == L.Y or d == L.X:
            k = iw[WHERE + d + 2]
            scale = ws[SCALE + d]
            stride = ws[STEP + i]
            out = ws[SIZE + i] - ws[SIZE + k]
            edge = ws[EDGE + i] - ws[EDGE + k]
            fresh = min(stride, ws[SIZE + i])
            if scale > 1.0:
                out = np.floor(out / scale)
                edge = np.floor(edge / scale)
                fresh = np.ceil(fresh / scale)
                stride = np.ceil(stride / scale)
            ws[OUT + i] = out + 1.0
            ws[OUT_EDGE + i] = edge + 1.0
            ws[OUT_FRESH + i] = fresh
            ws[OUT_EDGE_FRESH + i] = min(stride, edge + 1.0)
    i = at + iw[FIRST + level]
    units = ws[UNITS + level]
    size = ws[SIZE + i]
    stride = ws[STEP + i]
    full = ws[FULL + at + iw[DIM + i]]
    used = 1.0
    if full > stride * (units - 1.0) + size:
        steady = np.floor((np.floor((full - size) / stride) + 1.0) / units) - 1.0
        rest = full - (steady + 1.0) * stride * units
        if rest >= size:
            used = np.floor((rest - size) / stride) + 1.0
    elif full > size:
        used = np.ceil((full - size) / stride) + 1.0
    ws[EDGE_UNITS + level] = used


@step
def state(level, bank, tile, ws, iw):
    """What the maps of a level do on the tile that stands in table `tile`: fills one bank."""
    at = L.NDIM * level
    split = iw[SPLIT + level]
    coupled_i = iw[COUPLED + L.NTENSOR * level + L.I]
    coupled_w = iw[COUPLED + L.NTENSOR * level + L.W]
    coupled_o = iw[COUPLED + L.NTENSOR * level + L.O]
    to = BANK * L.NDIM * bank + at
    edges = 0
    cut = 0
    uneven = 0
    moves = 0
    base_i = 1.0
    base_w = 1.0
    base_o = 1.0
    base_r = 1.0
    for i in range(iw[MAPS + level]):
        full = ws[tile + at + iw[DIM + at + i]]
        size = ws[SIZE + at + i]
        stride = ws[STEP + at + i]
        if (split >> i) & 1:
            units = ws[UNITS + level]
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
                ws[STEADY + to + i] = steady
                iw[MOVING + to + moves] = i
                moves += 1
        else:
            made = ws[OUT + at + i]
            if full < size:
                cut |= 1 << i
                size = ws[EDGE + at + i]
                made = ws[OUT_EDGE + at + i]
            elif full > size:
                steady = np.floor((full - size) / stride)
                if steady * stride + size < full:
                    edges |= 1 << i
                ws[STEADY + to + i] = steady
                iw[MOVING + to + moves] = i
                moves += 1
            base_i *= size if (coupled_i >> i) & 1 else 1.0
            base_w *= size if (coupled_w >> i) & 1 else 1.0
            base_o *= made if (coupled_o >> i) & 1 else 1.0
            base_r *= 1.0 if (coupled_o >> i) & 1 else made
    to = BANK * bank + level
    iw[MOVES + to] = moves
    iw[EDGES + to] = edges
    iw[CUT + to] = cut
    iw[UNEVEN + to] = uneven
    ws[BASE + 4 * to] = base_i
    ws[BASE + 4 * to + 1] = base_w
    ws[BASE + 4 * to + 2] = base_o
    ws[BASE + 4 * to + 3] = base_r
