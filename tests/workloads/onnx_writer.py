"""Writes ONNX through the methods of `NetworkBuilder`, so that one network's code gives both forms."""

from typing import NamedTuple

import onnx
from onnx import TensorProto, helper


class Handle(NamedTuple):
    name: str
    channels: int
    height: int
    width: int


class OnnxWriter:
    """Follows PyTorch's exporter: BatchNorm and Relu as operators of their own, Reshape to flatten.

    Weights have sizes but no values, which keeps files small.
    """

    def __init__(self, name, channels, height, width, batch=1):
        self.title = name
        self.batch = batch
        self.nodes, self.weights = [], []
        self.input = Handle("image", channels, height, width)

    def weight(self, name, *dims):
        self.weights.append(TensorProto(name=name, data_type=TensorProto.FLOAT, dims=dims))
        return name

    def shape(self, name, *values):
        self.weights.append(helper.make_tensor(name, TensorProto.INT64, [len(values)], values))
        return name

    def node(self, op, inputs, name, **attributes):
        output = f"{name}:out"
        self.nodes.append(helper.make_node(op, inputs, [output], name=name, **attributes))
        return output

    def conv(self, x, out, kernel, stride=1, padding=None, groups=1, bias=False, bn=True, name=None):
        pad = kernel // 2 if padding is None else padding
        inputs = [x.name, self.weight(f"{name}.w", out, x.channels // groups, kernel, kernel)]
        inputs += [self.weight(f"{name}.b", out)] if bias else []
        y = self.node(
            "Conv",
            inputs,
            name,
            strides=[stride] * 2,
            pads=[pad] * 4,
            group=groups,
            kernel_shape=[kernel] * 2,
        )
        if bn:
            four = [self.weight(f"{name}.bn{i}", out) for i in range(4)]
            y = self.node("BatchNormalization", [y, *four], f"{name}.bn")
        y = self.node("Relu", [y], f"{name}.relu")
        size = [(n + 2 * pad - kernel) // stride + 1 for n in (x.height, x.width)]
        return Handle(y, out, *size)

    def depthwise(self, x, kernel, stride=1, bias=False, bn=True, name=None):
        return self.conv(x, x.channels, kernel, stride, None, x.channels, bias, bn, name)

    def upconv(self, x, out, name=None):
        inputs = [x.name, self.weight(f"{name}.w", x.channels, out, 2, 2), self.weight(f"{name}.b", out)]
        y = self.node("ConvTranspose", inputs, name, strides=[2, 2], kernel_shape=[2, 2])
        return Handle(y, out, 2 * x.height, 2 * x.width)

    def linear(self, x, out, bias=True, name=None):
        if (x.height, x.width) != (1, 1):
            raise NotImplementedError
        flat = self.node("Flatten", [x.name], f"{name}.flat")
        inputs = [flat, self.weight(f"{name}.w", out, x.channels), self.weight(f"{name}.b", out)]
        return Handle(self.node("Gemm", inputs, name, transB=1), out, 1, 1)

    def pool(self, x, kernel, stride=None, padding=0, ceil_mode=False, name=None):
        stride = stride or kernel
        size = []
        for n in (x.height, x.width):
            count = (n + 2 * padding - kernel + (stride - 1 if ceil_mode else 0)) // stride + 1
            size.append(count - (ceil_mode and (count - 1) * stride >= n + padding))
        y = self.node(
            "MaxPool", [x.name], name, kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[padding] * 4,
            ceil_mode=int(ceil_mode),
        )  # fmt: skip
        return Handle(y, x.channels, *size)

    def global_pool(self, x, name=None):
        return Handle(self.node("GlobalAveragePool", [x.name], name), x.channels, 1, 1)

    def adaptive_pool(self, x, height, width, name=None):
        if (x.height, x.width) != (height, width):
            raise NotImplementedError
        return x

    def add(self, *tensors, name=None):
        y = self.node("Add", [x.name for x in tensors], name)
        return Handle(self.node("Relu", [y], f"{name}.relu"), *tensors[0][1:])

    def multiply(self, x, y, name=None):
        gate = self.node("Sigmoid", [y.name], f"{name}.gate")
        return Handle(self.node("Mul", [x.name, gate], name), *x[1:])

    def eltwise(self, x, name=None):
        return Handle(self.node("LRN", [x.name], name, size=5), *x[1:])

    def squeeze_excite(self, x, squeezed, name=None):
        y = self.global_pool(x, name=f"{name}.pool")
        y = self.conv(y, squeezed, 1, bias=True, bn=False, name=f"{name}.reduce")
        y = self.conv(y, x.channels, 1, bias=True, bn=False, name=f"{name}.expand")
        return self.multiply(x, y, name=f"{name}.scale")

    def concat(self, tensors):
        y = self.node("Concat", [x.name for x in tensors], f"concat{len(self.nodes)}", axis=1)
        return Handle(y, sum(x.channels for x in tensors), *tensors[0][2:])

    def crop(self, x, height, width):
        name = f"crop{len(self.nodes)}"
        top, left = (x.height - height) // 2, (x.width - width) // 2
        inputs = [
            x.name,
            self.shape(f"{name}.starts", top, left),
            self.shape(f"{name}.ends", top + height, left + width),
            self.shape(f"{name}.axes", 2, 3),
        ]
        return Handle(self.node("Slice", inputs, name), x.channels, height, width)

    def flatten(self, x):
        name = f"flatten{len(self.nodes)}"
        count = x.channels * x.height * x.width
        y = self.node("Reshape", [x.name, self.shape(f"{name}.shape", self.batch, -1)], name)
        return Handle(y, count, 1, 1)

    def save(self, path, out, *, batch=None, size=None):
        """`batch` and `size`, if given, take the fixed sizes' places: strings make symbolic axes."""
        shape = [batch or self.batch, self.input.channels, *(size or self.input[2:])]
        graph = helper.make_graph(
            self.nodes,
            self.title,
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info(out.name, TensorProto.FLOAT, None)],
            self.weights,
        )
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
