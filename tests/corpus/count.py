"""Multiply-accumulates and weights of an ONNX file counted by execution, with nothing of accelsim.

The file runs in onnxruntime, unoptimised, with every operand of a product as an extra output; their shapes
at run time give the count. Products of constants are none. A transposed convolution does inputs x taps. Inner
graphs are not looked into.
"""

from math import prod

import numpy as np
import onnx
import onnxruntime

PRODUCTS = {
    "Conv": 1, "ConvInteger": 1, "ConvTranspose": 1, "MatMul": 1, "MatMulInteger": 1, "Gemm": 1, "LSTM": 1,
    "GRU": 1, "RNN": 1, "DynamicQuantizeLSTM": 1, "QLinearConv": 3, "QLinearMatMul": 3,
}  # fmt: skip
"""Position of the weight operand."""

GATES = {"LSTM": 4, "DynamicQuantizeLSTM": 4, "GRU": 3, "RNN": 1}


def count(path, feeds):
    """(multiply-accumulates, distinct weight elements); `feeds` are shapes by input, or values."""
    model = onnx.load(path)
    graph = model.graph
    constant = constants(graph)
    nodes = [n for n in graph.node if n.op_type in PRODUCTS and n.output[0] not in constant]
    wanted = {x for n in nodes for x in (n.input[0], n.input[PRODUCTS[n.op_type]], n.output[0]) if x}
    wanted |= {n.input[2] for n in nodes if n.op_type in GATES}
    known = {x.name: tuple(x.dims) for x in graph.initializer}
    inputs = {x.name: x for x in graph.input if x.name not in known}
    made = {x for n in graph.node for x in n.output}
    have = {x.name for x in graph.output}
    graph.output.extend(onnx.ValueInfoProto(name=x) for x in sorted((wanted & made) - have))
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    values = {name: feed(inputs[name], feeds.get(name)) for name in inputs}
    results = session.run(None, values)
    shapes = known | {k: v.shape for k, v in values.items()}
    shapes |= {o.name: r.shape for o, r in zip(session.get_outputs(), results) if hasattr(r, "shape")}
    macs, weights = 0, {}
    for n in nodes:
        x, w, y = (shapes.get(k) for k in (n.input[0], n.input[PRODUCTS[n.op_type]], n.output[0]))
        held = [n.input[PRODUCTS[n.op_type]]]
        if n.op_type in ("MatMul", "Gemm") and n.input[0] in constant:
            held = [n.input[0]]
        if n.op_type in GATES:
            held.append(n.input[2])
            back = shapes[n.input[2]]
            macs += x[0] * x[1] * (prod(w) + prod(back))
        elif n.op_type == "ConvTranspose":
            macs += prod(x) * prod(w[1:])
        elif "Conv" in n.op_type:
            macs += prod(y) * prod(w[1:])
        else:
            turned = any(a.name == "transA" and a.i for a in n.attribute)
            macs += prod(y) * (x[0] if turned else x[-1])
        weights |= {constant[k]: prod(shapes[k]) for k in held if k in constant}
    return macs, sum(weights.values())


def constants(graph):
    """Tensors that only come from weights, each with the weight behind it."""
    found = {x.name: x.name for x in graph.initializer}
    for n in graph.node:
        if n.op_type == "Constant" or n.op_type in ("Shape", "Size"):
            found[n.output[0]] = n.output[0]
        elif n.input and n.input[0] and all(not x or x in found for x in n.input):
            found |= dict.fromkeys(n.output, found[n.input[0]])
    return found


def feed(value, given):
    """Zeros of the shape given, else of the file's, symbols taken for 1; a number is itself."""
    kind = onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
    sizes = [d.dim_value if d.dim_value > 0 else 1 for d in value.type.tensor_type.shape.dim]
    if given is not None and not sizes:
        return np.array(given[0], kind)
    return np.zeros(given or sizes, kind)
