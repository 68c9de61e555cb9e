# SPDX-License-Identifier: Apache-2.0
"""The multi-head token selector of HeatViT (section IV) as a torch module."""

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hwgen.ir.graph import TokenSelector

MIN_IMPORTANCE = 1 / 512
"""Least importance of a head."""


@dataclass(frozen=True, eq=False)
class Selection:
    """What a selector decides about the rows of a batch.

    ``score`` (images, rows) is the keep score of Eq 3, 0 to 1; ``mask`` (images, rows) is 1 for
    rows that go on, and has the gradient of the soft decision; ``logits`` (images, rows,
    2 * heads) are each head's difference of keep logits, then each head's importance logit.
    """

    score: Tensor
    mask: Tensor
    logits: Tensor


class MultiHeadSelector(nn.Module):
    """Scores tokens and decides which stay; its parameters are the arrays of a TokenSelector.

    ``noise`` scales the Gumbel noise of decisions in training, ``temperature`` divides them.
    """

    gamma: Tensor
    beta: Tensor
    local_weight: Tensor
    local_bias: Tensor
    hidden1_weight: Tensor
    hidden1_bias: Tensor
    hidden2_weight: Tensor
    hidden2_bias: Tensor
    score_weight: Tensor
    score_bias: Tensor
    importance_hidden_weight: Tensor
    importance_hidden_bias: Tensor
    importance_weight: Tensor
    importance_bias: Tensor

    def __init__(self, op: TokenSelector) -> None:
        super().__init__()
        self.op = op
        self.noise = 1.0
        self.temperature = 1.0
        for name, value in vars(op).items():
            if isinstance(value, np.ndarray):
                self.register_parameter(name, nn.Parameter(torch.tensor(value)))

    def logits(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Logits (images, rows, 2 * heads), float32, of rows ``x`` (images, rows, columns).

        ``mask`` (images, rows) is 1 for the rows that are there: they make the global features.
        """
        op = self.op
        columns = x.shape[2]
        z = F.layer_norm(x.float(), (columns,), self.gamma, self.beta, op.epsilon)
        z = z.unflatten(2, (op.heads, columns // op.heads))
        local = self._activate(_per_head(z, self.local_weight, self.local_bias))
        present = torch.ones_like(x[:, :, 0]) if mask is None else mask
        share = (present / present.sum(1, keepdim=True)).float()
        mean = torch.einsum("br,brhf->bhf", share, local)[:, None]
        features = torch.cat([local, mean.expand_as(local)], 3)
        hidden = self._activate(_per_head(features, self.hidden1_weight, self.hidden1_bias))
        hidden = self._activate(_per_head(hidden, self.hidden2_weight, self.hidden2_bias))
        pair = _per_head(hidden, self.score_weight, self.score_bias)
        pooled = z.mean(3)
        branch = F.linear(pooled, self.importance_hidden_weight, self.importance_hidden_bias)
        branch = self._activate(branch)
        importance = F.linear(branch, self.importance_weight, self.importance_bias)
        return torch.cat([pair[..., 0] - pair[..., 1], importance], 2)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Selection:
        """Decides on rows ``x`` (images, rows, columns), of which ``mask`` are still there.

        Class tokens stay; packages of earlier selectors leave with "merged" and stay with "kept".
        In training, decisions are drawn (Gumbel softmax of two classes, straight through); in
        evaluation they are those of Eq 3.
        """
        op = self.op
        with torch.autocast(x.device.type, enabled=False):
            if mask is None:
                mask = torch.ones(x.shape[:2], device=x.device)
            logits = self.logits(x, mask)
            score = keep_score(logits)
            first, last = op.prefix, x.shape[1] - op.packages
            kept = (self._decide(score) * mask)[:, first:last]
            if op.limit is not None:
                kept = kept * (kept.detach().cumsum(1) <= op.limit)
            packages = mask[:, last:] if op.package == "kept" else torch.zeros_like(mask[:, last:])
            return Selection(score, torch.cat([mask[:, :first], kept, packages], 1), logits)

    def _decide(self, score: Tensor) -> Tensor:
        if not self.training:
            return (score > self.op.threshold).float()
        # The difference of two Gumbel variables has the logistic law.
        margin = torch.logit(score, 1e-5) - math.log(self.op.threshold / (1 - self.op.threshold))
        if self.noise > 0:
            uniform = torch.rand_like(margin).clamp(1e-6, 1 - 1e-6)
            margin = margin + self.noise * torch.logit(uniform)
        soft = torch.sigmoid(margin / self.temperature)
        return (margin > 0).float() + soft - soft.detach()

    def _activate(self, x: Tensor) -> Tensor:
        return F.gelu(x) if self.op.activation == "gelu" else F.relu(x)


def keep_score(logits: Tensor) -> Tensor:
    """The keep score of Eq 3, (images, rows) in 0..1, from ``logits`` of a selector."""
    difference, importance = logits.chunk(2, 2)
    weight = torch.sigmoid(importance).clamp(min=MIN_IMPORTANCE)
    return (weight * torch.sigmoid(difference)).sum(2) / weight.sum(2)


def _per_head(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """(images, rows, heads, inputs) times (heads, outputs, inputs), head by head."""
    return torch.einsum("brhi,hoi->brho", x, weight) + bias
