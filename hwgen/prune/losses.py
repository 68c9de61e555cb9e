# SPDX-License-Identifier: Apache-2.0
"""The losses of token pruning: HeatViT Eq 12-14, with SPViT's weights and distillation."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from hwgen.ir.graph import Attention, Op
from hwgen.prune.network import GraphNetwork, Outcome
from hwgen.prune.selector import MultiHeadSelector, keep_score

LOGIT_LIMIT = 7.0
"""Largest magnitude of selector logits that training aims at; int8 scores end at 7.94."""


@dataclass(frozen=True)
class LossWeights:
    """How much each loss counts beside the cross entropy, which counts 1."""

    ratio: float = 2.0
    distillation: float = 0.5
    range: float = 0.05


@dataclass(frozen=True, eq=False)
class Losses:
    """Scalars: the parts, unweighted, and their weighted sum ``total``."""

    task: Tensor
    ratio: Tensor
    distillation: Tensor
    range: Tensor
    total: Tensor


def losses(
    outcome: Outcome,
    labels: Tensor,
    teacher: Tensor,
    keep: Sequence[float],
    weights: LossWeights,
) -> Losses:
    """The losses of a batch.

    Args:
        outcome: what the pruned network made of it.
        labels: classes (images,).
        teacher: logits of the unpruned network (images, classes).
        keep: the share of tokens to stay behind each selector.
        weights: how the parts count.
    """
    task = F.cross_entropy(outcome.logits.float(), labels)
    ratio = ratio_loss(outcome.shares, keep)
    distillation = distillation_loss(outcome.logits.float(), teacher.float())
    outside = range_loss([selection.logits for selection in outcome.selections])
    total = (
        task + weights.ratio * ratio + weights.distillation * distillation + weights.range * outside
    )
    return Losses(task, ratio, distillation, outside, total)


def ratio_loss(shares: Sequence[Tensor], keep: Sequence[float]) -> Tensor:
    """Sum over the stages of ``(keep - mean over the batch of the share that stays)^2``.

    The mean comes before the square, so one image may keep more tokens than another.
    """
    terms = [(share.mean() - goal) ** 2 for share, goal in zip(shares, keep, strict=True)]
    return sum(terms, torch.zeros(()))


def distillation_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Kullback-Leibler divergence of the student's classes from the teacher's, per image."""
    return F.kl_div(
        student.log_softmax(1), teacher.log_softmax(1), reduction="batchmean", log_target=True
    )


def range_loss(logits: Sequence[Tensor]) -> Tensor:
    """Sum over the selectors of the mean square by which logits exceed LOGIT_LIMIT."""
    terms = [F.relu(x.abs() - LOGIT_LIMIT).square().mean() for x in logits]
    return sum(terms, torch.zeros(()))


def ranking_loss(
    selectors: Sequence[MultiHeadSelector],
    teacher: GraphNetwork,
    stream: str,
    value: Tensor,
    keep: Sequence[float],
) -> Tensor:
    """Teaches untrained selectors to rank tokens as the unpruned network's class token does.

    The target of a token is whether the class token's attention to it, the mean over the heads of
    all blocks behind the selector, is among the highest of the batch's tokens, as many as ``keep``
    says: images keep different numbers from the start.

    Args:
        selectors: in the order of their blocks.
        teacher: the unpruned network.
        stream: name of the first selector's input.
        value: that input (images, rows, columns).
        keep: the share of tokens to stay behind each selector.
    """
    inputs = {stream: value}
    names = {selector.op.input for selector in selectors}
    attended: list[tuple[int, Tensor]] = []

    def observe(op: Op, values: tuple[Tensor, ...], output: Tensor) -> None:
        if isinstance(op, Attention):
            attended.append((len(inputs), _class_attention(op, values[0], values[1])))
        if op.output in names:
            inputs[op.output] = output

    with torch.no_grad():
        teacher.resume(stream, value, observe)
    terms = []
    for stage, (selector, share) in enumerate(zip(selectors, keep, strict=True)):
        with torch.autocast(value.device.type, enabled=False):
            logits = selector.logits(inputs[selector.op.input])
            score = keep_score(logits)[:, selector.op.prefix :].clamp(1e-6, 1 - 1e-6)
            behind = [weight for seen, weight in attended if seen > stage]
            attention = torch.stack(behind).mean(0)[:, selector.op.prefix :]
            bound = torch.quantile(attention.flatten()[:QUANTILE_VALUES], 1 - share)
            target = (attention >= bound).float()
            terms.append(F.binary_cross_entropy(score, target) + range_loss([logits]))
    return torch.stack(terms).sum()


QUANTILE_VALUES = 1 << 24
"""Most values that torch.quantile takes."""


def _class_attention(op: Attention, query: Tensor, key: Tensor) -> Tensor:
    """The first row's attention to all rows, mean over the heads (images, rows), float32."""
    q, k = (x.float().unflatten(2, (op.heads, -1)).transpose(1, 2) for x in (query, key))
    scores = (q[:, :, :1] * op.scale) @ k.transpose(2, 3)
    return torch.softmax(scores.float(), 3).mean((1, 2))
