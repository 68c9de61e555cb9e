# SPDX-License-Identifier: Apache-2.0
"""Instructions on batches of integers that carry gradients.

Each function computes what ``hwgen.golden`` computes for one instruction, from that instruction's
own constants, and gives its result the gradient of the real operation.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from hwgen.golden.select import kept_rows
from hwgen.numerics.fixed_point import INT8_MAX, INT16_MAX, Ratio
from hwgen.numerics.gelu import INPUT_FRACTION
from hwgen.numerics.sigmoid import ONE
from hwgen.program import instructions as isa
from hwgen.program.fields import Buffer
from hwgen.prune import integer_arithmetic as integer
from hwgen.prune.integer_gradients import gelu_polynomial, product, rounded, straight_through

MOST_DIFFERENCE = 8.0
"""How far above all others a dropped key's score counts."""


@dataclass(frozen=True, eq=False)
class Value:
    """A matrix of every image of a batch.

    Attributes:
        integers: float32 (images, rows, columns), whole numbers, without gradient.
        real: their real values, ``integers * scale``, with gradient.
        scale: the real value of one step.
        gate: (images, rows), 1 for rows that the image has, 0 for rows that a selector dropped:
            nothing reads these. Its gradient is that of the scores. None: every row is there.
    """

    integers: Tensor
    real: Tensor
    scale: float
    gate: Tensor | None = None

    @property
    def weights(self) -> Tensor:
        """``gate``; ones where it is None."""
        return torch.ones_like(self.real[..., 0]) if self.gate is None else self.gate

    @property
    def there(self) -> Tensor:
        """Which rows are there, bool (images, rows)."""
        return self.weights.detach() > 0.5


@dataclass(frozen=True, eq=False)
class Layer:
    """Quantised weights of a product of K columns with N results.

    Attributes:
        weight: float32 (K, N), integers; bias: float64 (N,), integers.
        ratio: float64 (N,), the requantisation factors.
        step: float64 (N,), the real value of one step of an accumulator.
        real_weight, real_bias: float32, the real values of weight and bias, with gradient.
    """

    weight: Tensor
    bias: Tensor
    ratio: Tensor
    step: Tensor
    real_weight: Tensor
    real_bias: Tensor


def normalised(op: isa.Matmul, x: Value, epsilon: float, scale: float) -> Value:
    """The normalised input of a product."""
    integers = integer.normalise(x.integers, op.normalise_constants)
    real = F.layer_norm(x.real, x.real.shape[-1:], eps=epsilon)
    return replace(x, integers=integers, real=rounded(real, integers, scale, INT8_MAX), scale=scale)


def joined(x: Value, second: Value) -> Value:
    """A first source with the columns of a second one behind its own; one row of that goes with
    every row. The second one's steps are made up for in the weights.
    """

    def join(own: Tensor, other: Tensor) -> Tensor:
        return torch.cat([own, other.expand(-1, own.shape[1], -1)], 2)

    return replace(x, integers=join(x.integers, second.integers), real=join(x.real, second.real))


def matmul(op: isa.Matmul, layer: Layer, x: Value, residual: Value | None, scale: float) -> Value:
    """A MATMUL of an input that is normalised and joined already; ``scale`` of the result."""
    accumulator = integer.exact_product(x.integers, layer.weight) + layer.bias
    real = product(x.real, layer.real_weight, (accumulator * layer.step).float())
    # The bias is in the accumulator; what is added is its gradient.
    real = real + (layer.real_bias - layer.real_bias.detach())
    if op.gelu:
        wide = integer.requantise(accumulator, layer.ratio, INT16_MAX)
        real = rounded(real, wide, 2.0**-INPUT_FRACTION, INT16_MAX)
        real = gelu_polynomial(real, op.gelu_constants)
        integers = integer.gelu(wide, op.gelu_constants, op.gelu_output)
        return Value(integers, rounded(real, integers, scale, INT8_MAX), scale, x.gate)
    limit = INT8_MAX if op.destination_buffer in (Buffer.WORK, Buffer.VALUE) else INT16_MAX
    integers = integer.requantise(accumulator, layer.ratio, limit)
    if residual is not None:
        integers = (integers + residual.integers).clamp(-limit, limit)
        real = real + residual.real
    return Value(integers, rounded(real, integers, scale, limit), scale, x.gate)


def positions(patches: Value, constants: Tensor, real: Tensor, prefix: int) -> Value:
    """Class tokens in front of the patches and positions added to all rows.

    ``constants`` (rows, columns) are the positions as integers, those of the class tokens with
    the tokens themselves; ``real`` is what they are rounded from.
    """
    integers = F.pad(patches.integers, (0, 0, prefix, 0)) + constants
    integers = integers.clamp(-INT16_MAX, INT16_MAX)
    real = F.pad(patches.real, (0, 0, prefix, 0)) + real
    return replace(
        patches, integers=integers, real=rounded(real, integers, patches.scale, INT16_MAX)
    )


def attention(
    op: isa.Attention,
    query: Value,
    key: Value,
    value: Value,
    factor: float,
    delta: float,
    scale: float,
) -> Value:
    """An ATTENTION. ``factor`` multiplies scores, ``delta`` regularises softmax (HeatViT Eq 7).

    Dropped keys weigh nothing; the gradient of their gate is that of taking them back.
    """

    def split(x: Tensor) -> Tensor:
        return x.unflatten(2, (op.heads, -1)).transpose(1, 2)

    dot = integer.exact_product(split(query.integers), split(key.integers).mT)
    ratio = Ratio(op.score_multiplier, op.score_shift).value
    scores = integer.requantise(dot, ratio, INT8_MAX)
    step = query.scale * key.scale
    real = product(split(query.real), split(key.real).mT, (dot * step).float())
    real = rounded(real * factor, scores, step * factor / ratio, INT8_MAX)
    there = None if key.gate is None else key.there
    exponentials = integer.exponentials(scores, op.exponent_multiplier, there)
    total = exponentials.sum(dim=-1)
    shares = straight_through(_softmax(real, key), exponentials / total[..., None])
    mixed = integer.exact_product(exponentials, split(value.integers))
    factors = integer.scaled(*integer.reciprocal(total.long()), op.output_ratio)
    integers = integer.requantise(mixed, factors[..., None], INT8_MAX)
    real = product(shares, split(value.real), (mixed / total[..., None] * value.scale).float())
    integers, real = (x.transpose(1, 2).flatten(2) for x in (integers, real * delta))
    return Value(integers, rounded(real, integers, scale, INT8_MAX), scale, query.gate)


def _softmax(scores: Tensor, key: Value) -> Tensor:
    """Softmax of real scores (images, heads, rows, keys) over the keys that are there."""
    if key.gate is None:
        return torch.softmax(scores, dim=-1)
    present = scores.detach().masked_fill(~key.there[:, None, None], -torch.inf)
    # A dropped key may score far above those that are there; it counts in the gate's gradient only.
    difference = (scores - present.amax(dim=-1, keepdim=True)).clamp(max=MOST_DIFFERENCE)
    weights = torch.exp(difference) * key.gate[:, None, None]
    return weights / weights.sum(dim=-1, keepdim=True)


def token_mean(x: Value) -> Value:
    """The mean that a MATMUL makes of its result: one row."""
    integers = integer.row_mean(x.integers, x.there, INT8_MAX)
    weights = x.weights[..., None]
    real = (x.real * weights).sum(dim=1, keepdim=True) / weights.sum(dim=1, keepdim=True)
    return Value(integers, rounded(real, integers, x.scale, INT8_MAX), x.scale)


@dataclass(frozen=True, eq=False)
class Decision:
    """``score`` (images, rows), the fused keep score with its gradient; ``gate`` (images, rows),
    1 for rows that stay.
    """

    score: Tensor
    gate: Tensor


def decide(op: isa.TokenSelect, x: Value, scores: Value) -> Decision:
    """Which rows stay: golden's decision, with the gradient of the fused keep score (Eq 3)."""
    kept = _kept(op, x.there, scores.integers)
    chances = straight_through(torch.sigmoid(scores.real), integer.sigmoid_values(scores.integers))
    keep, importance = chances.split(op.heads, dim=2)
    importance = importance.clamp(min=1 / ONE)
    score = (importance * keep).sum(dim=2) / importance.sum(dim=2)
    last = x.integers.shape[1] - op.packages
    before = x.weights
    gate = torch.cat(
        [
            before[:, : op.prefix],
            before[:, op.prefix : last]
            * straight_through(score, kept.to(score.dtype))[:, op.prefix : last],
            before[:, last:] * (0 if op.merge else 1),
        ],
        dim=1,
    )
    return Decision(score, gate)


def computed_rows(x: Value, decision: Decision, spare: float) -> Tensor:
    """Indices of the rows to go on with, ascending, int64 (images, rows).

    All that stay are among them. Dropped ones with the best scores fill each image up to the most
    that any image keeps, and to the share ``spare`` more.
    """
    kept = decision.gate.detach()
    longest = int(kept.sum(dim=1).max())
    rank = 4 * kept + 2 * x.weights.detach() + decision.score.detach()
    size = min(longest + round(spare * longest), kept.shape[1])
    return rank.topk(size, dim=1).indices.sort(dim=1).values


def token_select(x: Value, gate: Tensor, rows: Tensor) -> Value:
    """A TOKEN_SELECT that keeps the rows in ``gate`` and ends with the mean of the others.

    Its result goes on with ``rows``, those in ``gate`` among them; nothing reads the rest.
    """
    dropped = (x.weights - gate)[..., None]
    package = integer.row_mean(x.integers, dropped.detach()[..., 0] > 0.5, INT16_MAX)
    count = dropped.sum(dim=1, keepdim=True).clamp(min=1)
    real = (x.real * dropped).sum(dim=1, keepdim=True) / count
    real = rounded(real, package, x.scale, INT16_MAX)
    index = rows[..., None].expand(-1, -1, x.real.shape[2])
    return Value(
        torch.cat([x.integers.gather(1, index), package], 1),
        torch.cat([x.real.gather(1, index), real], 1),
        x.scale,
        torch.cat([gate.gather(1, rows), torch.ones_like(gate[:, :1])], 1),
    )


def _kept(op: isa.TokenSelect, there: Tensor, scores: Tensor) -> Tensor:
    """Golden's decision about the rows that are there, image by image; bool (images, rows)."""
    kept = there.cpu().numpy().copy()
    for rows, some in zip(kept, scores.cpu().numpy().astype(np.int8), strict=True):
        rows[rows] = kept_rows(replace(op, rows=int(rows.sum())), some[rows])
    return torch.from_numpy(kept).to(there.device)
