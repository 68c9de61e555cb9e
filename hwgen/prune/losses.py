# SPDX-License-Identifier: Apache-2.0
"""The losses of token pruning (HeatViT Eq 12-14; DynamicViT and SPViT for the distillation)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from hwgen.prune.network import Outcome
from hwgen.prune.selector import LOGIT_LIMIT


@dataclass(frozen=True)
class LossWeights:
    """How much each loss counts beside the cross entropy; the first two are SPViT's defaults."""

    ratio: float = 2.0
    distillation: float = 0.5
    range: float = 0.05


@dataclass(frozen=True, eq=False)
class Losses:
    """The parts, scalars, unweighted, and their weighted sum ``total``."""

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
    """All losses of a batch: ``labels`` (images,), ``teacher`` logits (images, classes)."""
    logits = outcome.logits.float()
    task = F.cross_entropy(logits, labels)
    ratio = ratio_loss(outcome.keep, keep)
    distillation = distillation_loss(logits, teacher.float())
    outside = range_loss(outcome)
    total = (
        task + weights.ratio * ratio + weights.distillation * distillation + weights.range * outside
    )
    return Losses(task, ratio, distillation, outside, total)


def ratio_loss(shares: Sequence[Tensor], keep: Sequence[float]) -> Tensor:
    """``sum over stages (keep - mean over the batch of the share kept)^2``.

    The mean is over the batch, so that one image may keep more tokens than another (Eq 14).
    """
    terms = [(share.mean() - goal) ** 2 for share, goal in zip(shares, keep, strict=True)]
    return torch.stack(terms).sum()


def distillation_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Kullback-Leibler divergence of the unpruned network's classes from the pruned one's."""
    return F.kl_div(
        student.log_softmax(1), teacher.log_softmax(1), reduction="batchmean", log_target=True
    )


def range_loss(outcome: Outcome) -> Tensor:
    """Mean square of what selector logits exceed LOGIT_LIMIT by; int8 scores end at 7.94."""
    terms = [F.relu(s.logits.abs() - LOGIT_LIMIT).square().mean() for s in outcome.selections]
    return torch.stack(terms).sum()
