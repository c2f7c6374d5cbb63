"""What each ONNX operator becomes: layers, a part of the layer before, or a view."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from accelsim.workloads.onnx import attention as A
from accelsim.workloads.onnx import contract as C
from accelsim.workloads.onnx import convolve as W
from accelsim.workloads.onnx import microsoft as S
from accelsim.workloads.onnx import move as M
from accelsim.workloads.onnx import sequences as Q
from accelsim.workloads.onnx import stateful as T
from accelsim.workloads.onnx import views as V
from accelsim.workloads.onnx.combine import combine
from accelsim.workloads.onnx.graph import Graph
from accelsim.workloads.onnx.recurrent import recurrent
from accelsim.workloads.onnx.values import STANDARD

Handler = Callable[[Graph, Any], None]

VIEWS: dict[str, Handler] = {
    **dict.fromkeys(("Flatten", "Reshape", "Squeeze", "Unsqueeze"), V.reshape),
    "Transpose": V.transpose, "Slice": V.slices, "Split": V.split, "Expand": V.expand, "Tile": V.tile,
    "Pad": V.pad, "Concat": V.concat, "DepthToSpace": V.depth_to_space, "SpaceToDepth": V.space_to_depth,
    "Trilu": V.same, "Identity": V.same,
}  # fmt: skip
"""Of activations and of constants."""

CONSTANT_VIEWS: dict[str, Handler] = VIEWS | {
    "Cast": V.same, "CastLike": V.same, "QuantizeLinear": V.quantise, "DequantizeLinear": V.quantise,
    "Gather": V.gather_constant, "Dropout": V.same,
}  # fmt: skip
"""Operators that leave a weight tensor itself."""

ONE_OPERAND = frozenset({
    "Relu", "LeakyRelu", "PRelu", "Clip", "Sigmoid", "HardSigmoid", "HardSwish", "Swish", "Mish", "Tanh",
    "Elu", "Selu", "Celu", "Gelu", "Erf", "Softplus", "Softsign", "ThresholdedRelu", "Shrink", "Abs",
    "Neg", "Exp", "Log", "Sqrt", "Reciprocal", "Floor", "Ceil", "Round", "Sign", "Sin", "Cos", "Tan", "Asin",
    "Acos", "Atan", "Sinh", "Cosh", "Asinh", "Acosh", "Atanh", "Not", "BitwiseNot", "IsNaN", "IsInf", "Cast",
    "CastLike", "BitCast", "Dropout", "Hardmax", "Affine", "ParametricSoftplus", "ScaledTanh", "Scale",
})  # fmt: skip

SEVERAL_OPERANDS = frozenset({
    "Add", "Sub", "Mul", "Div", "Sum", "Mean", "Max", "Min", "Pow", "Where", "Mod", "And", "Or", "Xor",
    "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "BitShift", "BitwiseAnd", "BitwiseOr",
    "BitwiseXor", "SwiGLU",
})  # fmt: skip

PASSES = frozenset({
    "Softmax", "LogSoftmax", "LayerNormalization", "InstanceNormalization", "GroupNormalization",
    "MeanVarianceNormalization", "RMSNormalization", "LpNormalization", "LRN", "CumSum", "RotaryEmbedding",
    "ReverseSequence", "CumProd",
})  # fmt: skip

REDUCTIONS = frozenset({
    "ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2",
    "ReduceSumSquare", "ReduceLogSumExp", "ReduceLogSum", "ArgMax", "ArgMin",
})  # fmt: skip

TRAFFIC = frozenset({
    "TopK", "NonMaxSuppression", "GridSample", "GatherND", "Scatter", "ScatterElements", "ScatterND",
    "RoiAlign", "MaxRoiPool", "MaxUnpool", "Col2Im", "OneHot", "AffineGrid", "EyeLike", "Range", "Unique",
    "Compress", "CenterCropPad", "TensorScatter", "SoftmaxCrossEntropyLoss", "NegativeLogLikelihoodLoss",
    "Det", "TfIdfVectorizer",
})  # fmt: skip

SEQUENCES: dict[str, Handler] = {
    **dict.fromkeys(("SequenceConstruct", "SequenceEmpty", "SequenceInsert", "SequenceErase"), Q.sequence),
    "SequenceAt": Q.at, "SequenceLength": Q.length, "SplitToSequence": Q.split, "ConcatFromSequence": Q.join,
    **dict.fromkeys(("Optional", "OptionalGetElement"), Q.optional), "OptionalHasElement": Q.has,
}  # fmt: skip
"""Operators on lists of tensors, whose members are views."""

REFUSED = {
    "ImageDecoder": "the size of the image stands in its data",
    **dict.fromkeys(
        ("StringConcat", "StringNormalizer", "StringSplit", "RegexFullMatch"), "texts are no data of a chip"
    ),
}
"""Standard operators that are not known, and why."""

HANDLERS: dict[str, Handler] = {
    **VIEWS,
    "Conv": W.conv, "ConvInteger": W.conv, "QLinearConv": partial(W.conv, weight=3, bias=8),
    "DeformConv": S.deform_conv, "ConvTranspose": W.conv_transpose,
    "Gemm": C.gemm, "MatMul": C.matmul, "MatMulInteger": C.matmul,
    "QLinearMatMul": partial(C.matmul, right=3),
    "Einsum": C.einsum, "Attention": A.attention,
    **dict.fromkeys(("LSTM", "GRU", "RNN"), recurrent),
    **dict.fromkeys(("MaxPool", "AveragePool", "LpPool"), W.pool),
    **dict.fromkeys(("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"), W.global_pool),
    **dict.fromkeys(REDUCTIONS, M.reduce), **dict.fromkeys(PASSES, M.one_pass),
    **dict.fromkeys(SEVERAL_OPERANDS, combine), **dict.fromkeys(ONE_OPERAND, M.fused),
    **dict.fromkeys(("Resize", "Upsample"), M.resize), **dict.fromkeys(TRAFFIC, M.traffic),
    **dict.fromkeys(("QuantizeLinear", "DequantizeLinear"), M.quantize),
    "DynamicQuantizeLinear": M.dynamic_quantize, "BatchNormalization": M.batch_norm,
    **dict.fromkeys(("Gather", "GatherElements"), M.gather), "NonZero": M.nonzero, "DFT": M.dft,
    "STFT": M.stft, "CausalConvWithState": T.causal_conv, "LinearAttention": T.linear_attention,
    "SimplifiedLayerNormalization": M.same_shape,  # of onnxruntime, which writes it into this domain
    **SEQUENCES,
}  # fmt: skip
"""Operators of the standard domain."""

MICROSOFT: dict[str, Handler] = {
    "Attention": A.fused_attention, "QAttention": A.fused_attention,
    "MultiHeadAttention": A.group_query, "GroupQueryAttention": A.group_query,
    "FusedMatMul": S.fused_matmul, "FusedGemm": C.gemm, "FusedConv": W.conv,
    "QGemm": partial(C.gemm, right=3, bias=6),
    "NhwcConv": partial(W.conv, last=True), "QLinearConv": S.quantised(S.qlinear_conv),
    "TransposeMatMul": S.fused_matmul,
    "MatMulNBits": S.matmul_nbits, "MatMulIntegerToFloat": C.matmul, "DynamicQuantizeMatMul": C.matmul,
    "DynamicQuantizeLSTM": recurrent,
    **dict.fromkeys(("QLinearAdd", "QLinearMul"), S.quantised(S.qlinear_combine)),
    **dict.fromkeys(
        ("QLinearSigmoid", "QLinearLeakyRelu", "QuickGelu", "Gelu", "FastGelu", "BiasGelu"), S.fused
    ),
    **dict.fromkeys(("QLinearSoftmax", "RotaryEmbedding", "BiasSoftmax"), M.same_shape),
    "QLinearGlobalAveragePool": S.quantised(S.qlinear_global_pool),
    "QLinearAveragePool": S.quantised(S.qlinear_pool),
    "QLinearConcat": S.qlinear_concat, "QLinearReduceMean": M.reduce,
    "QuantizeLinear": M.quantize, "DequantizeLinear": M.quantize,
    **dict.fromkeys(
        ("SkipLayerNormalization", "SkipSimplifiedLayerNormalization", "SkipGroupNorm"), S.skip_norm
    ),
    "SimplifiedLayerNormalization": M.same_shape, "LayerNormalization": M.same_shape,
    "EmbedLayerNormalization": S.embed_norm, "GroupNorm": M.same_shape,
}  # fmt: skip
"""Fused and quantised operators of the domain com.microsoft."""


def handler(domain: str, op: str) -> Handler | None:
    """What an operator becomes, or None if it is not known."""
    if domain in STANDARD:
        return HANDLERS.get(op)
    if domain == "com.microsoft":
        return MICROSOFT.get(op)
    return HANDLERS.get(op) if domain.startswith("com.microsoft.") else None
