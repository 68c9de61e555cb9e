# SPDX-License-Identifier: Apache-2.0
"""The float graph: one frozen dataclass per operation, values named by strings.

A value is a matrix of tokens, shape (rows, columns), float32; a batch axis may stand in front of
it when the graph is evaluated. The graph input is an image of uint8 pixels, shape (height, width,
channels). Operations stand in an order in which each input is made before it is used.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np


@dataclass(frozen=True)
class ImageInput:
    """The network's input: uint8 pixels and how the model wants them normalised.

    The model sees ``(pixel / 255 - mean) / std`` per channel.
    """

    name: str
    height: int
    width: int
    channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class PatchEmbedding:
    """Non-overlapping square patches times a weight matrix (a convolution with stride = kernel).

    ``weight`` is (outputs, patch * patch * channels); columns run over patch row, patch column,
    channel, the channel fastest. Output rows are patches in row-major image order.
    """

    name: str
    input: str
    output: str
    weight: np.ndarray
    bias: np.ndarray
    patch: int


@dataclass(frozen=True, eq=False)
class Tokens:
    """Puts the class token in front (when there is one) and adds the position embedding.

    ``class_token`` is (prefix, columns), prefix 0 or more rows; ``position`` is (prefix +
    patches, columns).
    """

    name: str
    input: str
    output: str
    class_token: np.ndarray
    position: np.ndarray


@dataclass(frozen=True, eq=False)
class Linear:
    """``input @ weight.T + bias``; weight is (outputs, inputs)."""

    name: str
    input: str
    output: str
    weight: np.ndarray
    bias: np.ndarray


@dataclass(frozen=True, eq=False)
class LayerNorm:
    """Normalisation over columns with learned ``gamma`` and ``beta`` (columns,)."""

    name: str
    input: str
    output: str
    gamma: np.ndarray
    beta: np.ndarray
    epsilon: float


@dataclass(frozen=True)
class Gelu:
    """The exact Gaussian error linear unit, ``x / 2 * (1 + erf(x / sqrt(2)))``."""

    name: str
    input: str
    output: str


@dataclass(frozen=True)
class Add:
    """Element-wise sum of two values of one shape (the residual connection)."""

    name: str
    left: str
    right: str
    output: str


@dataclass(frozen=True, eq=False)
class Scale:
    """Columns times ``factor`` (columns,): LayerScale."""

    name: str
    input: str
    output: str
    factor: np.ndarray


@dataclass(frozen=True)
class Attention:
    """``softmax(scale * Q K^T) V`` for each head; heads are equal slices of the columns."""

    name: str
    query: str
    key: str
    value: str
    output: str
    heads: int
    scale: float


@dataclass(frozen=True)
class TakeToken:
    """One row of the input, as a matrix of one row (the class token before the head)."""

    name: str
    input: str
    output: str
    index: int


@dataclass(frozen=True, eq=False)
class TokenSelector:
    """Keeps the informative tokens of an image and averages the rest into a package token
    (HeatViT, section IV).

    Rows in: ``prefix`` class tokens, the tokens, ``packages`` package tokens of earlier selectors.
    With ``d`` columns a head, per head ``i`` and row, of ``z``, the normalised input (LayerNorm
    with gamma, beta, epsilon):

        local    = activation(local_weight[i] @ z_i + local_bias[i])               f features
        global   = mean of local over all rows
        hidden1  = activation(hidden1_weight[i] @ [local; global] + hidden1_bias[i])
        hidden2  = activation(hidden2_weight[i] @ hidden1 + hidden2_bias[i])
        p_i      = softmax(score_weight[i] @ hidden2 + score_bias[i])[0]           keep score
        pooled_i = mean of z_i over the head's columns
        a        = sigmoid(importance_weight @ activation(importance_hidden_weight @ pooled
                   + importance_hidden_bias) + importance_bias), at least 1/512    head importance

    A token stays where ``sum_i a_i p_i / sum_i a_i > threshold`` (Eq 3), and while fewer than
    ``limit`` tokens of the image were kept. Rows out: class tokens, kept tokens in their order,
    and one package token, the mean of the rows that were dropped (zeros where none was). Package
    tokens of earlier selectors are among the dropped with ``package`` "merged", and stay, before
    the new one, with "kept".

    Shapes: gamma, beta (columns,); local_weight (heads, f, d), local_bias (heads, f);
    hidden1_weight (heads, f1, 2 f), columns local then global; hidden2_weight (heads, f2, f1);
    score_weight (heads, 2, f2), row 0 keeps; importance_hidden_weight (k, heads);
    importance_weight (heads, k); biases as the rows of their weights.
    """

    name: str
    input: str
    output: str
    heads: int
    gamma: np.ndarray
    beta: np.ndarray
    epsilon: float
    local_weight: np.ndarray
    local_bias: np.ndarray
    hidden1_weight: np.ndarray
    hidden1_bias: np.ndarray
    hidden2_weight: np.ndarray
    hidden2_bias: np.ndarray
    score_weight: np.ndarray
    score_bias: np.ndarray
    importance_hidden_weight: np.ndarray
    importance_hidden_bias: np.ndarray
    importance_weight: np.ndarray
    importance_bias: np.ndarray
    activation: Literal["gelu", "relu"] = "gelu"
    threshold: float = 0.5
    prefix: int = 1
    packages: int = 0
    package: Literal["merged", "kept"] = "merged"
    limit: int | None = None


@dataclass(frozen=True, eq=False)
class FusedLinear:
    """What one MATMUL instruction does, still in float. Made by the passes, never by a front end.

    ``residual + gelu(normalise(input) @ weight.T + bias)``, each of the three parts optional.
    ``epsilon`` is None where the input is not normalised; gamma and beta are folded into weight
    and bias. ``relu`` stands in the place of GELU. Where ``second`` is given, its columns follow
    those of the input (which is then not normalised); one row of it goes with every row.
    """

    name: str
    input: str
    output: str
    weight: np.ndarray
    bias: np.ndarray
    epsilon: float | None
    gelu: bool
    residual: str | None
    second: str | None = None
    relu: bool = False


@dataclass(frozen=True)
class TokenMean:
    """The mean of all rows, as a matrix of one row. Made by the passes."""

    name: str
    input: str
    output: str


@dataclass(frozen=True)
class SelectTokens:
    """What one TOKEN_SELECT instruction does, still in float. Made by the passes.

    ``scores`` (rows, 2 * heads): for each head the difference of its two keep logits, then for
    each head the logit of its importance. The rest is as in ``TokenSelector``.
    """

    name: str
    input: str
    scores: str
    output: str
    heads: int
    threshold: float
    prefix: int
    packages: int
    package: Literal["merged", "kept"]
    limit: int | None


Op = (
    PatchEmbedding
    | Tokens
    | Linear
    | LayerNorm
    | Gelu
    | Add
    | Scale
    | Attention
    | TakeToken
    | TokenSelector
    | FusedLinear
    | TokenMean
    | SelectTokens
)


def inputs_of(op: Op) -> tuple[str, ...]:
    """Names of the values that ``op`` reads."""
    match op:
        case Add():
            return (op.left, op.right)
        case Attention():
            return (op.query, op.key, op.value)
        case FusedLinear():
            return tuple(v for v in (op.input, op.second, op.residual) if v is not None)
        case SelectTokens():
            return (op.input, op.scores)
        case _:
            return (op.input,)


@dataclass(frozen=True, eq=False)
class Graph:
    """A network: its input, its operations in order, and the name of its output value."""

    name: str
    input: ImageInput
    ops: tuple[Op, ...]
    output: str
    classes: tuple[str, ...] = ()

    def producer(self, value: str) -> Op | None:
        """The operation that makes ``value``; None for the graph input."""
        return next((op for op in self.ops if op.output == value), None)

    def consumers(self, value: str) -> tuple[Op, ...]:
        """The operations that read ``value``."""
        return tuple(op for op in self.ops if value in inputs_of(op))
