# SPDX-License-Identifier: Apache-2.0
"""The float graph: one frozen dataclass per operation, values named by strings.

A value is a matrix of tokens, shape (rows, columns), float32; a batch axis may stand in front of
it when the graph is evaluated. The graph input is an image of uint8 pixels, shape (height, width,
channels). Operations stand in an order in which each input is made before it is used.
"""

from dataclasses import dataclass

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
class FusedLinear:
    """What one MATMUL instruction does, still in float. Made by the passes, never by a front end.

    ``residual + gelu(normalise(input) @ weight.T + bias)``, each of the three parts optional.
    ``epsilon`` is None where the input is not normalised; gamma and beta are folded into weight
    and bias.
    """

    name: str
    input: str
    output: str
    weight: np.ndarray
    bias: np.ndarray
    epsilon: float | None
    gelu: bool
    residual: str | None


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
    | FusedLinear
)


def inputs_of(op: Op) -> tuple[str, ...]:
    """Names of the values that ``op`` reads."""
    match op:
        case Add():
            return (op.left, op.right)
        case Attention():
            return (op.query, op.key, op.value)
        case FusedLinear() if op.residual is not None:
            return (op.input, op.residual)
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
