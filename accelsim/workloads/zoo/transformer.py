"""Transformers: ViT-B/16 (Dosovitskiy et al., 2021) and BERT-base (Devlin et al., 2019).

Layer normalisation and softmax are element-wise layers, one read and one write; GELU and tanh are fused.
"""

from __future__ import annotations

from accelsim.errors import AccelsimError
from accelsim.workloads.builder import NetworkBuilder
from accelsim.workloads.tensor import Tensor, scattered
from accelsim.workloads.zoo.model import Model

WIDTH, HEADS, HIDDEN, BLOCKS = 768, 12, 3072, 12  # the "base" size of both papers
VOCABULARY, POSITIONS, SEGMENTS = 30522, 512, 2  # bert-base-uncased


def vit_b16(b: NetworkBuilder) -> Tensor:
    """As in torchvision: normalisation before attention and before the perceptron."""
    if b.input.height % 16 or b.input.width % 16:
        raise AccelsimError(
            f"height and width must be multiples of 16, but got {b.input.height}x{b.input.width}"
        )
    x = b.conv(b.input, WIDTH, 16, 16, 0, bias=True, bn=False, name="patches")
    tokens = x.height * x.width + 1
    # The class token joins here; it and the position embedding are parameters, added as a second operand.
    x = Tensor(WIDTH, tokens, 1, scattered(x.sources, "the map of patches becomes a row of tokens"))
    x = b.eltwise(x, 2, (tokens + 1) * WIDTH, name="positions")
    for i in range(BLOCKS):
        y = norm(b, x, f"block{i}.norm1")
        q, k, v = b.split(b.linear(y, 3 * WIDTH, name=f"block{i}.qkv"), [WIDTH] * 3)
        x = b.add(x, attention(b, q, k, v, f"block{i}"), name=f"block{i}.add1")
        x = b.add(x, perceptron(b, norm(b, x, f"block{i}.norm2"), f"block{i}"), name=f"block{i}.add2")
    x = norm(b, x, "norm")
    return b.linear(b.crop(x, 1, 1), 1000, name="head")


def bert_base(b: NetworkBuilder) -> Tensor:
    """As in bert-base-uncased, with its pooler; the sequence is 128 tokens unless asked otherwise.

    The input is the looked-up word embeddings. Position and segment embeddings are the other two operands of
    the sum; the parameters of all three tables count.
    """
    tokens = b.input.height
    if tokens > POSITIONS:
        raise AccelsimError(f"the position table has {POSITIONS} rows, but got {tokens} tokens")
    x = b.eltwise(b.input, 3, (VOCABULARY + POSITIONS + SEGMENTS) * WIDTH, name="embeddings")
    x = norm(b, x, "norm")
    for i in range(BLOCKS):
        q, k, v = (b.linear(x, WIDTH, name=f"block{i}.{part}") for part in ("query", "key", "value"))
        x = norm(b, b.add(x, attention(b, q, k, v, f"block{i}"), name=f"block{i}.add1"), f"block{i}.norm1")
        x = norm(b, b.add(x, perceptron(b, x, f"block{i}"), name=f"block{i}.add2"), f"block{i}.norm2")
    return b.linear(b.crop(x, 1, 1), WIDTH, name="pooler")


def norm(b: NetworkBuilder, x: Tensor, name: str) -> Tensor:
    """Layer normalisation with scale and shift."""
    return b.eltwise(x, params=2 * x.channels, name=name)


def attention(b: NetworkBuilder, q: Tensor, k: Tensor, v: Tensor, name: str) -> Tensor:
    """Scores, softmax, weighted sum, projection."""
    tokens, head = q.height, q.channels // HEADS
    scores = b.matmul(q, k, groups=HEADS, M=tokens, N=tokens, K=head, name=f"{name}.scores")
    scores = b.eltwise(scores, name=f"{name}.softmax")
    y = b.matmul(scores, v, groups=HEADS, M=tokens, N=head, K=tokens, name=f"{name}.context")
    return b.linear(y, q.channels, name=f"{name}.projection")


def perceptron(b: NetworkBuilder, x: Tensor, name: str) -> Tensor:
    """Two fully connected layers on every token."""
    return b.linear(b.linear(x, HIDDEN, name=f"{name}.fc1"), x.channels, name=f"{name}.fc2")


MODELS = (
    Model("vit_b16", vit_b16, "torchvision vit_b_16", aliases=("vit_b_16", "vit")),
    Model("bert_base", bert_base, "google-research/bert bert-base-uncased",
          channels=WIDTH, height=128, width=1, sequence=True, aliases=("bert",)),
)  # fmt: skip
