# SPDX-License-Identifier: Apache-2.0
"""The weights of a Graph as torch parameters, and what they become in the canonical graph."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from hwgen.ir.graph import (
    FusedLinear,
    Graph,
    ImageInput,
    LayerNorm,
    Linear,
    Op,
    PatchEmbedding,
    TokenSelector,
)
from hwgen.passes.early_token import take_token_early
from hwgen.passes.fold_norm import fold_norm
from hwgen.passes.fold_scale import fold_scale


def trainable_form(graph: Graph) -> Graph:
    """``graph`` with LayerScale, gamma and beta folded into the layers beside them.

    It means the same. Its linear layers are those of the accelerator; TokenSelectors stay.
    """
    return fold_norm(take_token_early(fold_scale(graph)))


class Weights(nn.Module):
    """The arrays of one operation as float32 parameters."""

    def __init__(self, op: Op) -> None:
        super().__init__()
        self.op = op
        for field in dataclasses.fields(op):
            value = getattr(op, field.name)
            if isinstance(value, np.ndarray):
                tensor = torch.tensor(value, dtype=torch.float32)
                self.register_parameter(field.name, nn.Parameter(tensor))

    def __getitem__(self, name: str) -> Tensor:
        return self.get_parameter(name)

    def to_op(self) -> Op:
        """The operation with the present weights."""
        arrays: dict[str, Any] = {
            name: p.detach().cpu().numpy().copy() for name, p in self.named_parameters()
        }
        return dataclasses.replace(self.op, **arrays)


def has_weights(op: Op) -> bool:
    """Whether an operation of the trainable form has something to train."""
    arrays = any(isinstance(getattr(op, f.name), np.ndarray) for f in dataclasses.fields(op))
    return arrays and not isinstance(op, LayerNorm)


def canonical_weights(weights: Weights, image: ImageInput) -> Iterator[tuple[str, Tensor, Tensor]]:
    """Name, weight (outputs, inputs) and bias (outputs,) of each linear layer that an operation
    becomes in the canonical graph: real numbers, differentiable.
    """
    op = weights.op
    match op:
        case Linear() | FusedLinear():
            yield op.name, weights["weight"], weights["bias"]
        case PatchEmbedding():
            yield op.name, *_folded_pixels(weights, image)
        case TokenSelector():
            yield from _selector(op, weights)


def _folded_pixels(weights: Weights, image: ImageInput) -> tuple[Tensor, Tensor]:
    """As ``hwgen.compile.lower.fold_pixels``."""
    weight, bias = weights["weight"], weights["bias"]
    repeat = weight.shape[1] // image.channels
    mean, std = (
        torch.tensor(v, dtype=weight.dtype, device=weight.device).repeat(repeat)
        for v in (image.mean, image.std)
    )
    return weight / (255 * std), bias + weight @ ((128 / 255 - mean) / std)


def _selector(op: TokenSelector, weights: Weights) -> Iterator[tuple[str, Tensor, Tensor]]:
    """As ``hwgen.passes.expand_selector``."""
    heads, features, size = weights["local_weight"].shape
    pooling = (weights["importance_hidden_weight"] / size).repeat_interleave(size, dim=1)
    weight = torch.cat([torch.block_diag(*weights["local_weight"]), pooling])
    bias = torch.cat([weights["local_bias"].flatten(), weights["importance_hidden_bias"]])
    yield f"{op.name}.local", weight * weights["gamma"], bias + weight @ weights["beta"]
    own, shared = weights["hidden1_weight"].split(features, dim=2)
    gap = own.new_zeros(heads * own.shape[1], len(pooling))
    weight = torch.cat([torch.block_diag(*own), gap, torch.block_diag(*shared), gap], dim=1)
    yield f"{op.name}.hidden1", weight, weights["hidden1_bias"].flatten()
    weight = torch.block_diag(*weights["hidden2_weight"])
    yield f"{op.name}.hidden2", weight, weights["hidden2_bias"].flatten()
    pairs, biases = weights["score_weight"], weights["score_bias"]
    differences = torch.block_diag(*(pairs[:, :1] - pairs[:, 1:]))
    importances = torch.nn.functional.pad(
        weights["importance_weight"], (differences.shape[1] + heads * features, 0)
    )
    keep = torch.nn.functional.pad(differences, (0, importances.shape[1] - differences.shape[1]))
    bias = torch.cat([biases[:, 0] - biases[:, 1], weights["importance_bias"]])
    yield f"{op.name}.scores", torch.cat([keep, importances]), bias
