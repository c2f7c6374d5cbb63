"""`NetworkBuilder`: write a network as code that passes tensor shapes from layer to layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from math import prod

from accelsim.errors import AccelsimError
from accelsim.workloads import phases, tensor, window
from accelsim.workloads.assembly import Assembly
from accelsim.workloads.bits import AS_THE_MACHINE, read_bits
from accelsim.workloads.layer import Layer, check_size
from accelsim.workloads.network import INPUT, Network, Selection
from accelsim.workloads.reach import SAME, Reads, RowWindow, Shift, View, Whole, Window, rows_read, upsampled
from accelsim.workloads.tensor import Source, Sources, Tensor, shape


class NetworkBuilder:
    """Collects layers; every method takes and returns `Tensor` handles, `build` makes the `Network`.

    Activation functions and BatchNorm are fused into the layer before: no cost, but their parameters count.
    Pooling, residual sums and other element-wise operators are layers that move data without MACs.
    Sizes are one number, or (rows, columns). `name` must be new; left out, it is the operator and a number.
    Every method raises AccelsimError when shapes do not fit, naming the layer and the sizes.
    """

    def __init__(self, name: str, channels: int, height: int, width: int, batch: int = 1) -> None:
        for value, what in ((channels, "channels"), (height, "height"), (width, "width"), (batch, "batch")):
            check_size(value, f"network {name!r}: {what}", 1)
        self.batch = batch
        self.input = Tensor(channels, height, width, (Source(INPUT, channels * height * width),))
        self._net = Assembly(name, (channels, height, width), batch)
        self._bits = AS_THE_MACHINE

    def precision(
        self, weight: int | None = None, input: int | None = None, output: int | None = None
    ) -> None:
        """Bits of an element of each operand, for the layers added from here on; None: the machine's."""
        self._bits = read_bits((weight, input, output), f"network {self._net.name!r}: precision")

    # -- layers with weights -------------------------------------------------------------------------

    def conv(
        self, x: Tensor, out: int, kernel: window.Size, stride: window.Size = 1,
        padding: window.Padding | None = None, groups: int = 1, dilation: window.Size = 1,
        bias: bool = False, bn: bool = True, name: str | None = None,
    ) -> Tensor:  # fmt: skip
        """Convolution to `out` channels. `padding` None is "same" for odd kernels (dilation * (k-1) // 2);
        else one number, (rows, columns), or (top, left, bottom, right).
        """  # fmt: skip
        name = self._net.new_name(name, "conv")
        if groups < 1 or x.channels % groups or out % groups:
            raise AccelsimError(
                f"layer {name!r}: groups must divide the channels, but got {groups} groups, "
                f"{x.channels} input and {out} output channels"
            )
        p, q, (r, s) = window.output(name, x.height, x.width, kernel, stride, padding, dilation)
        layer = Layer(
            self.batch, groups, out // groups, x.channels // groups, p, q, r, s,
            window.pair(stride), window.pair(dilation), "conv", name,
        )  # fmt: skip
        weights = out * (x.channels // groups) * r * s
        reads = _slides(layer, window.before(kernel, padding, dilation))
        seen = _read(x, reads, p, q)
        i = self._append(layer, (seen,), weights, weights + out * (bias + 2 * bn), reads=(reads,))
        return Tensor(out, p, q, (Source(i, out * p * q),))

    def depthwise(
        self, x: Tensor, kernel: window.Size, stride: window.Size = 1, padding: window.Padding | None = None,
        dilation: window.Size = 1, bias: bool = False, bn: bool = True, name: str | None = None,
    ) -> Tensor:  # fmt: skip
        """Convolution with one filter a channel."""
        name = self._net.new_name(name, "depthwise")
        return self.conv(x, x.channels, kernel, stride, padding, x.channels, dilation, bias, bn, name)

    def upconv(
        self, x: Tensor, out: int, kernel: window.Size = 2, stride: window.Size = 2,
        padding: window.Padding = 0, output_padding: window.Size = 0, groups: int = 1, bias: bool = True,
        bn: bool = False, name: str | None = None,
    ) -> Tensor:  # fmt: skip
        """Transposed convolution, by the phases of its stride (see `workloads.phases`).

        Where they are alike they are one layer; else each is one of its own, NAME.phase0 and so on.
        """
        name = self._net.new_name(name, "upconv")
        if groups < 1 or x.channels % groups or out % groups:
            raise AccelsimError(
                f"layer {name!r}: groups must divide the channels, but got {groups} groups, "
                f"{x.channels} input and {out} output channels"
            )
        (r, s), strides, extra = window.pair(kernel), window.pair(stride), window.pair(output_padding)
        top, left, bottom, right = window.pads(padding)
        p = (x.height - 1) * strides[0] + r + extra[0] - top - bottom
        q = (x.width - 1) * strides[1] + s + extra[1] - left - right
        if p < 1 or q < 1:
            raise AccelsimError(
                f"layer {name!r}: input {x.height}x{x.width} is too small for kernel {r}x{s}, stride "
                f"{strides[0]}x{strides[1]}, padding {(top, left, bottom, right)}: the output is {p}x{q}"
            )
        axes = [
            phases.pieces(x.height, r, strides[0], 1, top, p),
            phases.pieces(x.width, s, strides[1], 1, left, q),
        ]
        filters = (x.channels, out // groups, r, s)
        params = prod(filters) + out * (bias + 2 * bn)
        several = list(product(*axes))
        if not several:
            raise AccelsimError(f"layer {name!r}: no tap of the kernel reaches the output of {p}x{q}")
        sources: list[Source] = []
        for j, (rows, cols) in enumerate(several):
            members = len(rows.members) * len(cols.members)
            own = name if len(several) == 1 else self._net.new_name(f"{name}.phase{j}", "upconv")
            layer = Layer(
                self.batch, groups, out // groups * members, x.channels // groups, rows.outputs, cols.outputs,
                rows.taps, cols.taps, (1, 1), (rows.dilation, cols.dilation), "conv", own,
            )  # fmt: skip
            apart = Whole("its phases are convolutions of their own")
            reads: Reads = Window(upsampled(r, strides[0], top), upsampled(s, strides[1], left))
            view: View | Whole = View(Shift(strides[0]), Shift(strides[1]))
            if len(several) > 1:
                reads, view = apart, apart
            elif p > x.height * strides[0] or q > x.width * strides[1]:
                view = Whole("the last rows of the transposed convolution lie outside its sub-pixels")
            read = _part(x, len(rows.rows) * len(cols.rows))
            shares = product(rows.members, cols.members) if len(several) > 1 else ()
            held = [Selection(name, phases.kernel_share(filters, taps)) for taps in shares]
            i = self._append(layer, (read,), layer.weight_elements, params, reads=(reads,), held=held)
            made = out * p * q if len(several) == 1 else layer.output_elements // self.batch
            sources.append(Source(i, made, view))
            params = 0
        return Tensor(out, p, q, tuple(sources))

    def linear(self, x: Tensor, out: int, bias: bool = True, name: str | None = None) -> Tensor:
        """Fully connected over the channels, at every position (`flatten` first for the whole map)."""
        name = self._net.new_name(name, "linear")
        layer = Layer(self.batch, 1, out, x.channels, x.height, x.width, op="gemm", name=name)
        weights = out * x.channels
        i = self._append(layer, (x,), weights, weights + out * bias)
        return Tensor(out, x.height, x.width, (Source(i, out * x.height * x.width),))

    def matmul(
        self, x: Tensor, y: Tensor, *, groups: int, M: int, N: int, K: int, name: str | None = None
    ) -> Tensor:
        """`groups` products of activations [M, K] by [K, N] an image, such as attention's two; no weights.

        The result has `groups` * N channels and M rows. The batch multiplies the groups.
        """
        name = self._net.new_name(name, "matmul")
        for factor, size, what in ((x, groups * M * K, "left"), (y, groups * K * N, "right")):
            if factor.elements != size:
                raise AccelsimError(
                    f"layer {name!r}: the {what} factor needs {size} elements for {groups} groups of "
                    f"M={M} N={N} K={K}, but it has {factor.elements}"
                )
        layer = Layer.gemm(batch=self.batch * groups, M=M, N=N, K=K, name=name)
        rows: Reads = (
            SAME if (x.height, x.width) == (M, 1) else Whole("the left factor is no column of M rows")
        )
        i = self._append(layer, (x,), 0, 0, (y,), (rows,))
        return Tensor(groups * N, M, 1, (Source(i, groups * M * N),))

    # -- layers that move data -----------------------------------------------------------------------

    def pool(
        self, x: Tensor, kernel: window.Size, stride: window.Size | None = None, padding: window.Padding = 0,
        ceil_mode: bool = False, name: str | None = None,
    ) -> Tensor:  # fmt: skip
        """Maximum or average pooling (they cost the same); `stride` None is the kernel's size."""
        name = self._net.new_name(name, "pool")
        stride = kernel if stride is None else stride
        p, q, (r, s) = window.output(name, x.height, x.width, kernel, stride, padding, 1, ceil_mode)
        reads = _slides_by(window.pair(stride), (r, s), window.before(kernel, padding))
        return self._pooled(x, p, q, r, s, window.pair(stride), name, reads)

    def global_pool(self, x: Tensor, name: str | None = None) -> Tensor:
        """Average or maximum over the whole map."""
        name = self._net.new_name(name, "global_pool")
        return self._pooled(x, 1, 1, x.height, x.width, (1, 1), name, Whole("pooling over the whole map"))

    def adaptive_pool(self, x: Tensor, height: int, width: int, name: str | None = None) -> Tensor:
        """Pooling to a fixed output size; no layer at all where the size is already right.

        As a loop nest: stride floor(in/out) and the window that then reaches the last row, 1 and 1 where the
        output is larger than the input (each value is repeated).
        """
        if (height, width) == (x.height, x.width):
            return x
        sh, sw = max(x.height // height, 1), max(x.width // width, 1)
        r, s = max(x.height - (height - 1) * sh, 1), max(x.width - (width - 1) * sw, 1)
        reads: Reads = _slides_by((sh, sw), (r, s), (0, 0))
        if height > x.height or width > x.width:
            reads = Whole("pooling to a larger map repeats values")
        name = self._net.new_name(name, "adaptive_pool")
        return self._pooled(x, height, width, r, s, (sh, sw), name, reads)

    def add(self, *tensors: Tensor, name: str | None = None) -> Tensor:
        """Sum of tensors of one shape (a residual connection), one element-wise layer."""
        name = self._net.new_name(name, "add")
        x = tensors[0]
        for y in tensors[1:]:
            if y[:3] != x[:3]:
                raise AccelsimError(
                    f"layer {name!r}: cannot combine {shape(x)} and {shape(y)}; shapes must agree"
                )
        return self._elementwise(tensors, len(tensors), 0, name)

    def multiply(self, x: Tensor, y: Tensor, name: str | None = None) -> Tensor:
        """Product; `y` may be one value a channel (squeeze-excite), which takes the place of weights."""
        name = self._net.new_name(name, "multiply")
        if y[:3] == (x.channels, 1, 1):
            c, h, w, _ = x
            layer = Layer.scale(C=c, P=h, Q=w, N=self.batch, name=name)
            return Tensor(c, h, w, (Source(self._append(layer, (x,), 0, 0, (y,)), c * h * w),))
        if y[:3] != x[:3]:
            raise AccelsimError(
                f"layer {name!r}: cannot multiply {shape(x)} by {shape(y)}; it needs the same shape, "
                f"or one value for each of {x.channels} channels"
            )
        return self._elementwise((x, y), 2, 0, name)

    def eltwise(self, x: Tensor, operands: int = 1, params: int = 0, name: str | None = None) -> Tensor:
        """Element-wise pass over one tensor, such as softmax or layer normalisation, counted as one read and
        one write; further `operands` are constants of the same size (a position embedding).
        """  # fmt: skip
        return self._elementwise((x,), operands, params, self._net.new_name(name, "eltwise"))

    def squeeze_excite(self, x: Tensor, squeezed: int, name: str | None = None) -> Tensor:
        """Global pooling, 1x1 convolutions to `squeezed` channels and back (with biases), and the scaling."""
        name = self._net.new_name(name, "se")
        y = self.global_pool(x, name=f"{name}.pool")
        y = self.conv(y, squeezed, 1, bias=True, bn=False, name=f"{name}.reduce")
        y = self.conv(y, x.channels, 1, bias=True, bn=False, name=f"{name}.expand")
        return self.multiply(x, y, name=f"{name}.scale")

    # -- views: no layer, no cost --------------------------------------------------------------------

    concat = staticmethod(tensor.concat)
    split = staticmethod(tensor.split)
    crop = staticmethod(tensor.crop)
    flatten = staticmethod(tensor.flatten)
    reshape = staticmethod(tensor.reshape)

    # -- the end -------------------------------------------------------------------------------------

    def build(self, *outputs: Tensor) -> Network:
        """The network. Without `outputs`, what no layer reads leaves the network."""
        return self._net.build(x.sources for x in outputs)

    # -- inside --------------------------------------------------------------------------------------

    def _elementwise(self, tensors: tuple[Tensor, ...], operands: int, params: int, name: str) -> Tensor:
        c, h, w, _ = tensors[0]
        layer = Layer(self.batch, c, 1, operands, h, w, op="eltwise", name=name)
        i = self._append(layer, tensors, 0, params)
        return Tensor(c, h, w, (Source(i, c * h * w),))

    def _pooled(
        self, x: Tensor, p: int, q: int, r: int, s: int, stride: tuple[int, int], name: str, reads: Reads
    ) -> Tensor:
        layer = Layer(self.batch, x.channels, 1, 1, p, q, r, s, stride, op="pool", name=name)
        i = self._append(layer, (_read(x, reads, p, q),), 0, 0, reads=(reads,))
        return Tensor(x.channels, p, q, (Source(i, x.channels * p * q),))

    def _append(
        self, layer: Layer, inputs: tuple[Tensor, ...], weights: int, params: int,
        factors: tuple[Tensor, ...] = (), reads: tuple[Reads, ...] = (SAME,), held: Sequence[Selection] = (),
    ) -> int:  # fmt: skip
        return self._net.append(
            replace(layer, bits=self._bits) if any(self._bits) else layer,
            [self._whole_batch(x) for x in inputs],
            weights,
            params,
            [self._whole_batch(x) for x in factors],
            reads,
            held,
        )

    def _whole_batch(self, x: Tensor) -> Sources:
        return x.sources if self.batch == 1 else tuple(Source(i, n * self.batch, v) for i, n, v in x.sources)


def _read(x: Tensor, reads: Reads, rows: int, cols: int) -> Tensor:
    """What rows x cols results read of a map: a stride may skip some of it."""
    if isinstance(reads, Whole):
        return x
    return _part(x, rows_read(reads.rows, rows, x.height) * rows_read(reads.cols, cols, x.width))


def _part(x: Tensor, positions: int) -> Tensor:
    """So many positions of a map."""
    area = x.height * x.width
    if positions == area:
        return x
    sources = (y._replace(elements=max(y.elements * positions // area, 1)) for y in x.sources)
    return x._replace(sources=tuple(sources))


def _slides(layer: Layer, pad: tuple[int, int]) -> Window:
    return _slides_by(layer.stride, (layer.R, layer.S), pad, layer.dilation)


def _slides_by(
    stride: tuple[int, int], kernel: tuple[int, int], pad: tuple[int, int], dilation: tuple[int, int] = (1, 1)
) -> Window:
    rows, cols = (RowWindow(s, d, k, p) for s, d, k, p in zip(stride, dilation, kernel, pad))
    return Window(rows, cols)
