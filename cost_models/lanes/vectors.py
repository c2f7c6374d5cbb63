"""Lanes: eight mappings side by side in vector registers, inside Numba.

LLVM's loop vectoriser leaves the kernels scalar: too much of a mapping is branches and loops of a few
iterations. Here vectors are values of their own: `Float`, `Word` (64-bit integers) and `Mask` hold one number
a lane, arithmetic and comparisons act on all lanes, and what branches in the scalar kernel is a `select`.
The types are plain LLVM vectors, which LLVM cuts to what the processor has (AVX-512, AVX2, SSE2, NEON), so
that results are the same everywhere. Without `fastmath` each lane rounds as scalar code does.
"""

from __future__ import annotations

import operator
import sys
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.typeconv.castgraph import Conversion
from numba.core.typing.templates import ConcreteTemplate, infer_global, signature
from numba.extending import intrinsic as _intrinsic
from numba.extending import lower_builtin, lower_cast, models, register_model

LANES = 8

intrinsic: Any = _intrinsic  # its type has the context as an argument, which no caller gives

_DOUBLE = ir.DoubleType()
_LONG = ir.IntType(64)
_INDEX = ir.IntType(32)


class Lanes(types.Type):  # type: ignore[misc]
    """One number a lane; a single number where lanes are expected is the same in all of them."""

    def __init__(self, name: str, single: Any, element: ir.Type) -> None:
        self.single = single
        self.element = element
        super().__init__(name=f"lanes.{name}")

    def can_convert_from(self, typingctx: Any, other: Any) -> Any:
        """Numbers of the lanes' type spread over all lanes."""
        same = types.unliteral(other) == self.single
        return Conversion.safe if same else None


FLOAT = Lanes("Float", types.float64, _DOUBLE)
WORD = Lanes("Word", types.int64, _LONG)
MASK = Lanes("Mask", types.boolean, ir.IntType(1))


@register_model(Lanes)
class _Model(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, dmm: Any, fe_type: Lanes) -> None:
        super().__init__(dmm, fe_type, ir.VectorType(fe_type.element, LANES))


def _spread(builder: ir.IRBuilder, value: ir.Value) -> ir.Value:
    """The same number in all lanes."""
    vector = ir.VectorType(value.type, LANES)
    one = builder.insert_element(ir.Constant(vector, ir.Undefined), value, ir.Constant(_INDEX, 0))
    zeros = ir.Constant(ir.VectorType(_INDEX, LANES), [0] * LANES)
    return builder.shuffle_vector(one, ir.Constant(vector, ir.Undefined), zeros)


def _cast(context: Any, builder: ir.IRBuilder, fromty: Any, toty: Any, value: ir.Value) -> ir.Value:
    if isinstance(fromty, types.Boolean):
        value = builder.trunc(value, ir.IntType(1)) if value.type.width > 1 else value
    return _spread(builder, value)


for _lanes in (FLOAT, WORD, MASK):
    lower_cast(_lanes.single, _lanes)(_cast)


def _define(symbol: Any, emit: Any, result: Lanes, *arguments: Lanes) -> None:
    """Make a Python operator mean an instruction on lanes; `emit(builder, *values)`."""

    class Template(ConcreteTemplate):  # type: ignore[misc]
        key = symbol
        cases = [signature(result, *arguments)]  # noqa: RUF012

    infer_global(symbol)(Template)

    def lower(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        return emit(builder, *args)

    lower_builtin(symbol, *arguments)(lower)


def _instruction(name: str, *compare: str) -> Any:
    return lambda builder, x, y: getattr(builder, name)(*compare, x, y)


for _name, _symbols in {
    "fadd": (operator.add, operator.iadd),
    "fsub": (operator.sub, operator.isub),
    "fmul": (operator.mul, operator.imul),
    "fdiv": (operator.truediv, operator.itruediv),
}.items():
    for _symbol in _symbols:
        _define(_symbol, _instruction(_name), FLOAT, FLOAT, FLOAT)
for _name, _symbols in {
    "and_": (operator.and_, operator.iand),
    "or_": (operator.or_, operator.ior),
}.items():
    for _symbol in _symbols:
        for _kind in (WORD, MASK):
            _define(_symbol, _instruction(_name), _kind, _kind, _kind)
for _name, _symbols in {
    "shl": (operator.lshift, operator.ilshift),
    "lshr": (operator.rshift, operator.irshift),
}.items():
    for _symbol in _symbols:
        _define(_symbol, _instruction(_name), WORD, WORD, WORD)
for _name, _symbol in {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq,
}.items():  # fmt: skip
    _define(_symbol, _instruction("fcmp_ordered", _name), MASK, FLOAT, FLOAT)
    _define(_symbol, _instruction("icmp_signed", _name), MASK, WORD, WORD)
_define(operator.ne, _instruction("fcmp_unordered", "!="), MASK, FLOAT, FLOAT)
_define(operator.ne, _instruction("icmp_signed", "!="), MASK, WORD, WORD)
_define(operator.add, _instruction("add"), WORD, WORD, WORD)
for _kind in (WORD, MASK):
    _define(operator.invert, lambda b, x: b.not_(x), _kind, _kind)


@intrinsic
def spread(typingctx, value):
    """One number in all lanes."""
    kind = {types.float64: FLOAT, types.int64: WORD, types.boolean: MASK}[types.unliteral(value)]

    def codegen(context, builder, sig, args):
        return _cast(context, builder, types.unliteral(sig.args[0]), kind, args[0])

    return kind(types.unliteral(value)), codegen


@intrinsic
def select(typingctx, mask, yes, no):
    """`yes` in the lanes of the mask, else `no`."""
    kind = yes if isinstance(yes, Lanes) else no

    def codegen(context, builder, sig, args):
        return builder.select(*args)

    return kind(MASK, kind, kind), codegen


def _pair(compare: str) -> Any:
    def typed(typingctx, a, b):
        def codegen(context, builder, sig, args):
            return builder.select(builder.fcmp_ordered(compare, *args), *args)

        return FLOAT(FLOAT, FLOAT), codegen

    return typed


most = intrinsic(_pair(">"))
least = intrinsic(_pair("<"))


def _rounding(name: str) -> Any:
    def typed(typingctx, value):
        def codegen(context, builder, sig, args):
            vector = args[0].type
            function = cgutils.get_or_insert_function(
                builder.module, ir.FunctionType(vector, [vector]), f"llvm.{name}.v{LANES}f64"
            )
            return builder.call(function, args)

        return FLOAT(FLOAT), codegen

    return typed


ceiling = intrinsic(_rounding("ceil"))
floor = intrinsic(_rounding("floor"))


@intrinsic
def lanes_of(typingctx, mask):
    """The lanes of a mask as the bits of an integer, lane 0 lowest."""

    def codegen(context, builder, sig, args):
        return builder.zext(builder.bitcast(args[0], ir.IntType(LANES)), _LONG)

    return types.int64(MASK), codegen


def _at(context: Any, builder: ir.IRBuilder, array: Any, value: ir.Value, index: ir.Value) -> ir.Value:
    """Address of an element of a flat or contiguous array, counted from its first."""
    data = context.make_array(array)(context, builder, value).data
    return builder.gep(data, [index])


def _vector_at(context: Any, builder: ir.IRBuilder, array: Any, value: ir.Value, index: ir.Value) -> ir.Value:
    """Address of eight elements of a contiguous array as one vector."""
    vector = ir.VectorType(context.get_data_type(array.dtype), LANES)
    return builder.bitcast(_at(context, builder, array, value, index), vector.as_pointer())


def _reader(scale: int) -> Any:
    def typed(typingctx, array, slot):
        kind = FLOAT if array.dtype == types.float64 else WORD

        def codegen(context, builder, sig, args):
            index = builder.mul(args[1], ir.Constant(_LONG, scale))
            return builder.load(_vector_at(context, builder, sig.args[0], args[0], index), align=8)

        return kind(array, types.int64), codegen

    return typed


def _writer(scale: int) -> Any:
    def typed(typingctx, array, slot, value):
        def codegen(context, builder, sig, args):
            index = builder.mul(args[1], ir.Constant(_LONG, scale))
            address = _vector_at(context, builder, sig.args[0], args[0], index)
            value = args[2]
            if value.type != address.type.pointee:
                value = builder.trunc(value, address.type.pointee)
            builder.store(value, address, align=sig.args[0].dtype.bitwidth // 8)
            return context.get_dummy_value()

        return types.void(array, types.int64, value), codegen

    return typed


load = intrinsic(_reader(LANES))  # lanes number `slot` of a flat array of float64 or int64
store = intrinsic(_writer(LANES))
put = intrinsic(_writer(1))  # to elements `slot` to `slot` + 7 of an array, narrowed to its integers


@intrinsic
def one_of_each(typingctx, array, first, stride):
    """Element `first` of a contiguous array of integers and each `stride` elements on."""

    def codegen(context, builder, sig, args):
        array, index, stride = args
        vector = ir.Constant(ir.VectorType(_LONG, LANES), ir.Undefined)
        for lane in range(LANES):
            one = builder.sext(builder.load(_at(context, builder, sig.args[0], array, index)), _LONG)
            vector = builder.insert_element(vector, one, ir.Constant(_INDEX, lane))
            index = builder.add(index, stride)
        return vector

    return WORD(array, types.int64, types.int64), codegen


@intrinsic
def as_float(typingctx, value):
    """Integers as floats, exact below 2^53."""

    def codegen(context, builder, sig, args):
        return builder.sitofp(args[0], ir.VectorType(_DOUBLE, LANES))

    return FLOAT(WORD), codegen


def _turned(rows: list[ir.Value], builder: ir.IRBuilder) -> list[ir.Value]:
    """Columns of eight rows of eight, by three rounds of shuffles of two rows each."""
    for width in (4, 2, 1):
        done = list(rows)
        for i in range(LANES):
            if i & width:
                continue
            low = [j if not j & width else LANES + (j ^ width) for j in range(LANES)]
            high = [j | width if not j & width else LANES + j for j in range(LANES)]
            for target, picks in ((i, low), (i | width, high)):
                mask = ir.Constant(ir.VectorType(_INDEX, LANES), picks)
                done[target] = builder.shuffle_vector(rows[i], rows[i | width], mask)
        rows = done
    return rows


@intrinsic
def turn_tiles(typingctx, tile, first, stride, vs, slot):
    """Eight int32 from `first` of a contiguous array on, for eight mappings `stride` apart, to `vs`.

    Size d of all mappings becomes lanes number `slot` + d.
    """

    def codegen(context, builder, sig, args):
        array, index, stride, vs, slot = args
        eight = ir.VectorType(ir.IntType(32), LANES)
        rows = []
        for _ in range(LANES):
            address = _at(context, builder, sig.args[0], array, index)
            rows.append(builder.load(builder.bitcast(address, eight.as_pointer()), align=4))
            index = builder.add(index, stride)
        vector = ir.VectorType(_DOUBLE, LANES)
        to = builder.mul(slot, ir.Constant(_LONG, LANES))
        for column in _turned(rows, builder):
            address = _vector_at(context, builder, sig.args[3], vs, to)
            builder.store(builder.sitofp(column, vector), address, align=8)
            to = builder.add(to, ir.Constant(_LONG, LANES))
        return context.get_dummy_value()

    return types.void(tile, types.int64, types.int64, vs, types.int64), codegen


@intrinsic
def eight_bytes(typingctx, order, first, stride):
    """Eight int8 from `first` of a contiguous array on as one integer, for mappings `stride` apart.

    The first of them is the lowest byte.
    """

    def codegen(context, builder, sig, args):
        array, index, stride = args
        vector = ir.Constant(ir.VectorType(_LONG, LANES), ir.Undefined)
        for lane in range(LANES):
            address = _at(context, builder, sig.args[0], array, index)
            row = builder.load(builder.bitcast(address, _LONG.as_pointer()), align=1)
            if sys.byteorder == "big":
                row = builder.bswap(row)
            vector = builder.insert_element(vector, row, ir.Constant(_INDEX, lane))
            index = builder.add(index, stride)
        return vector

    return WORD(order, types.int64, types.int64), codegen
