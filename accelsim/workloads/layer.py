"""`Layer`: one operator as an eight-dimensional loop nest."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import gcd
from numbers import Integral
from typing import Any

from accelsim.errors import AccelsimError, nearest, not_one_of
from accelsim.workloads.bits import AS_THE_MACHINE, Bits, LayerBits, read_bits

DIMS = ("N", "G", "K", "C", "P", "Q", "R", "S")
"""Batch, groups, output channels per group, input channels per group, output rows, output columns,
kernel rows, kernel columns."""

OPS = ("conv", "gemm", "pool", "eltwise", "broadcast")
"""`conv` and `gemm` multiply weights. `pool` and `eltwise` have neither weights nor MACs, but move data.
`broadcast` is element-wise on two operands that lack dimensions: `I` lacks K, `W` lacks N, P, Q; no MACs."""

MAX_SIZE = 2**31 - 1

MAX_POINTS = 2**53
"""Iterations of a layer, and of a network: kernels count in floats, which are exact up to here."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One operator. Equal layers cost the same: the name takes no part in equality or hashing.

    `bits` are its precisions, where they are not the machine's.

    Sizes are elements. Inputs span `P*stride + R*dilation` rows, so padded zeros count as data.
    Depthwise: `G` = channels, `K = C = 1`. A GEMM `Z[M,N] += A[M,K] B[K,N]` has `P` = M, `C` = K, `K` = N.

    Raises AccelsimError when a size, stride or dilation is not a whole number from 1 to 2**31 - 1, or when
    the product of the sizes exceeds 2**53.
    """

    N: int = 1
    G: int = 1
    K: int = 1
    C: int = 1
    P: int = 1
    Q: int = 1
    R: int = 1
    S: int = 1
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    op: str = "conv"
    name: str = field(default="", compare=False)
    bits: LayerBits = AS_THE_MACHINE

    def __post_init__(self) -> None:
        if type(self.bits) is not LayerBits or self.bits != AS_THE_MACHINE:
            object.__setattr__(self, "bits", read_bits(self.bits))
        object.__setattr__(self, "stride", _pair(self.stride, "stride"))
        object.__setattr__(self, "dilation", _pair(self.dilation, "dilation"))
        sizes = (self.N, self.G, self.K, self.C, self.P, self.Q, self.R, self.S)
        for size, dim in zip(sizes, DIMS):
            if type(size) is not int or not 1 <= size <= MAX_SIZE:
                object.__setattr__(self, dim, check_size(size, dim))
        if self.op not in OPS:
            raise AccelsimError(f"op {not_one_of(self.op, OPS)}")
        check_points(self.points, self)

    # -- the usual ways to make one ------------------------------------------------------------------

    @classmethod
    def conv2d(
        cls, *, K: int, C: int, P: int, Q: int, R: int = 1, S: int = 1, N: int = 1, G: int = 1,
        stride: int | tuple[int, int] = 1, dilation: int | tuple[int, int] = 1, name: str = "",
        bits: Bits = AS_THE_MACHINE,
    ) -> Layer:  # fmt: skip
        """Convolution with `K` and `C` channels **per group** and a `P` x `Q` output."""
        pairs = _pair(stride, "stride"), _pair(dilation, "dilation")
        return cls(N, G, K, C, P, Q, R, S, *pairs, "conv", name, read_bits(bits))

    @classmethod
    def depthwise(
        cls, *, C: int, P: int, Q: int, R: int = 3, S: int = 3, N: int = 1,
        stride: int | tuple[int, int] = 1, dilation: int | tuple[int, int] = 1, name: str = "",
    ) -> Layer:  # fmt: skip
        """Depthwise convolution over `C` channels: one group each."""
        return cls(N, C, 1, 1, P, Q, R, S, _pair(stride, "stride"), _pair(dilation, "dilation"), "conv", name)

    @classmethod
    def gemm(
        cls, *, M: int, N: int, K: int, batch: int = 1, name: str = "", bits: Bits = AS_THE_MACHINE
    ) -> Layer:
        """Matrix product of [M, K] by [K, N], `batch` independent pairs of operands."""
        return cls(G=batch, K=N, C=K, P=M, op="gemm", name=name, bits=read_bits(bits))

    @classmethod
    def transposed(
        cls, *, K: int, C: int, P_in: int, Q_in: int, R: int, S: int, N: int = 1, G: int = 1,
        stride: int | tuple[int, int] = 2, name: str = "",
    ) -> Layer:  # fmt: skip
        """Transposed convolution of a `P_in` x `Q_in` input, as the equal convolution on sub-pixels.

        Each of the stride^2 output phases is a convolution with its own ceil(R/stride) x ceil(S/stride)
        share of the kernel; where the stride does not divide the kernel the missing taps count as zeros.
        """
        sh, sw = _pair(stride, "stride")
        return cls(N, G, K * sh * sw, C, P_in, Q_in, -(-R // sh), -(-S // sw), op="conv", name=name)

    @classmethod
    def pool(
        cls, *, C: int, P: int, Q: int, R: int, S: int, N: int = 1,
        stride: int | tuple[int, int] = 1, name: str = "",
    ) -> Layer:  # fmt: skip
        """Pooling window over `C` channels; `P = Q = 1` with a full-size window is global pooling."""
        return cls(N, C, 1, 1, P, Q, R, S, _pair(stride, "stride"), op="pool", name=name)

    @classmethod
    def eltwise(cls, *, C: int, P: int, Q: int, operands: int = 2, N: int = 1, name: str = "") -> Layer:
        """Element-wise function of `operands` tensors of C x P x Q (a residual sum has two)."""
        return cls(N, C, 1, operands, P, Q, op="eltwise", name=name)

    @classmethod
    def scale(cls, *, C: int, P: int, Q: int, N: int = 1, name: str = "") -> Layer:
        """Element-wise function of a tensor and one value for each image and channel (squeeze-excite)."""
        return cls(1, N * C, 1, 1, P, Q, op="broadcast", name=name)

    # -- what follows from the sizes -----------------------------------------------------------------

    @property
    def dims(self) -> dict[str, int]:
        """Size of each dimension, in the order N G K C P Q R S."""
        return {d: getattr(self, d) for d in DIMS}

    @property
    def has_weights(self) -> bool:
        """Whether the second operand, `W`, exists."""
        return self.op in ("conv", "gemm", "broadcast")

    @property
    def multiplies(self) -> bool:
        """Whether its iterations are multiply-accumulates."""
        return self.op in ("conv", "gemm")

    @property
    def elementwise(self) -> bool:
        """Whether it works position by position."""
        return self.op in ("eltwise", "broadcast")

    @property
    def points(self) -> int:
        """Iterations of the whole loop nest."""
        return self.N * self.G * self.K * self.C * self.P * self.Q * self.R * self.S

    @property
    def macs(self) -> int:
        """Multiply-accumulates; 0 for pooling and element-wise operators."""
        return self.points if self.multiplies else 0

    @property
    def weight_elements(self) -> int:
        """Elements of the weight operand, biases left out."""
        return self.G * self.K * self.C * self.R * self.S if self.has_weights else 0

    @property
    def input_elements(self) -> int:
        """Distinct input elements that the nest touches, padding included and stride gaps left out."""
        rows = touched(self.P, self.R, self.stride[0], self.dilation[0])
        return self.N * self.G * self.C * rows * touched(self.Q, self.S, self.stride[1], self.dilation[1])

    @property
    def output_elements(self) -> int:
        """Elements of the output."""
        return self.N * self.G * self.K * self.P * self.Q

    def to_dict(self) -> dict[str, Any]:
        """JSON form; `from_dict` reads it back."""
        out: dict[str, Any] = {"op": self.op, "dims": {d: v for d, v in self.dims.items() if v != 1}}
        if self.stride != (1, 1):
            out["stride"] = list(self.stride)
        if self.dilation != (1, 1):
            out["dilation"] = list(self.dilation)
        if self.bits != AS_THE_MACHINE:
            out["bits"] = self.bits.to_dict()
        return out | ({"name": self.name} if self.name else {})

    @classmethod
    def from_dict(cls, data: Any, path: str = "layer") -> Layer:
        """Read `{"dims": {...}, "stride": [..], "dilation": [..], "op": .., "name": .., "bits": {..}}`.

        Raises AccelsimError; `path` is the place that its message names.
        """
        if not isinstance(data, dict):
            raise AccelsimError(
                f'{path} must be an object like {{"dims": {{"K": 64}}}}, but got {data!r:.80}'
            )
        for key in data:
            if key not in _KEYS:
                raise AccelsimError(f"{path}.{key}: unknown key{nearest(key, _KEYS)}")
        dims = data.get("dims", {})
        if not isinstance(dims, dict):
            raise AccelsimError(f'{path}.dims must be an object like {{"K": 64}}, but got {dims!r:.80}')
        for key in dims:
            if key not in DIMS:
                raise AccelsimError(f"{path}.dims.{key}: unknown dimension; known: {' '.join(DIMS)}")
        name = data.get("name", "")
        if not isinstance(name, str):
            raise AccelsimError(f"{path}.name must be a string, but got {name!r:.80}")
        try:
            return cls(**dims, **{k: v for k, v in data.items() if k != "dims"})
        except AccelsimError as fault:
            raise AccelsimError(f"{path}: {fault}") from None

    def __str__(self) -> str:
        sizes = " ".join(f"{d}{v}" for d, v in self.dims.items() if v != 1)
        extra = "" if self.stride == (1, 1) else f" stride {self.stride[0]}x{self.stride[1]}"
        extra += "" if self.dilation == (1, 1) else f" dilation {self.dilation[0]}x{self.dilation[1]}"
        extra += "" if self.bits == AS_THE_MACHINE else f" bits {self.bits}"
        return f"{self.op} {sizes or 'scalar'}{extra}"


def touched(p: int, r: int, stride: int, dilation: int) -> int:
    """Distinct input rows that `p` output rows and `r` kernel rows touch.

    f(p, r) = p r - max(0, p - d') max(0, r - s') with s' = s/gcd(s, d), d' = d/gcd(s, d): the points
    p*s + r*d coincide exactly when p moves by d' and r back by s'.
    """
    g = gcd(stride, dilation)
    return p * r - max(0, p - dilation // g) * max(0, r - stride // g)


_KEYS = ("op", "dims", "stride", "dilation", "name", "bits")


def check_size(value: object, what: str, least: int = 1) -> int:
    """A whole number (NumPy's too) from `least` to 2**31 - 1 as an int, or AccelsimError."""
    if type(value) is not int and isinstance(value, Integral) and not isinstance(value, bool):
        value = int(value)
    if type(value) is not int or not least <= value <= MAX_SIZE:
        raise AccelsimError(
            f"{what} must be a whole number from {least} to {MAX_SIZE}, but got {value!r:.80}"
        )
    return value


def check_points(points: int, what: object) -> None:
    """Raise AccelsimError, which names `what`, for more iterations than a count can hold."""
    if points > MAX_POINTS:
        raise AccelsimError(
            f"{what}: all sizes multiplied, summed over layers, may be at most 2^53, so that every count is "
            f"exact, but come to {points:.3g}; make a size smaller, or split it in parts"
        )


def _pair(value: object, what: str) -> tuple[int, int]:
    if isinstance(value, (tuple, list)):  # asked first: an abstract class answers slowly
        if len(value) == 2:
            return (check_size(value[0], what), check_size(value[1], what))
    elif isinstance(value, Integral):
        size = check_size(value, what)
        return (size, size)
    raise AccelsimError(f"{what} must be one whole number or two (rows, columns), but got {value!r:.80}")
