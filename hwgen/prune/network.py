# SPDX-License-Identifier: Apache-2.0
"""A Graph as a torch network, and the trained network as a Graph again.

Images of a batch keep different tokens, so rows are dropped by masks: attention leaves masked
rows out, and rows that no image needs any more are cut away.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hwgen.compile.rows import single_rows
from hwgen.errors import ModelError
from hwgen.ir.graph import (
    Add,
    Attention,
    Gelu,
    Graph,
    LayerNorm,
    Linear,
    Op,
    PatchEmbedding,
    Scale,
    TakeToken,
    Tokens,
    TokenSelector,
    inputs_of,
)
from hwgen.prune.selector import MultiHeadSelector, Selection

SPARE = 0.25
"""Dropped rows that training still computes, as a part of the most rows that an image keeps: a
decision near the threshold then gets the gradient of being taken back."""

Observer = Callable[[Op, tuple[Tensor, ...], Tensor], None]
"""Called with each operation, its inputs and its output."""


@dataclasses.dataclass(frozen=True, eq=False)
class Rows:
    """The rows of a batch that are computed: ``mask`` (images, rows) is 1 for rows that are
    really there; ``origin`` (images, rows) is where a row stood in the unpruned network, -1 for
    package tokens."""

    mask: Tensor
    origin: Tensor


@dataclasses.dataclass(frozen=True, eq=False)
class Outcome:
    """What a network makes of a batch.

    ``logits`` (images, classes). For each selector: its Selection, the share of the image's
    tokens that stays behind it (images,), differentiable, and the Rows that go on.
    """

    logits: Tensor
    selections: tuple[Selection, ...] = ()
    shares: tuple[Tensor, ...] = ()
    rows: tuple[Rows, ...] = ()


class GraphNetwork(nn.Module):
    """Interprets a Graph; ``operations[i]`` holds the arrays of ``graph.ops[i]`` as parameters."""

    mean: Tensor
    std: Tensor

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.graph = graph
        self.operations = nn.ModuleList(_module(op) for op in graph.ops)
        self.register_buffer("mean", torch.tensor(graph.input.mean), persistent=False)
        self.register_buffer("std", torch.tensor(graph.input.std), persistent=False)
        self._single = single_rows(graph)
        self._tokens = sum(
            len(op.position) - len(op.class_token) for op in graph.ops if isinstance(op, Tokens)
        )

    @property
    def tokens(self) -> int:
        """Tokens of an image, class tokens not counted."""
        return self._tokens

    @property
    def selectors(self) -> tuple[MultiHeadSelector, ...]:
        """The selectors in their order."""
        return tuple(m for m in self.operations if isinstance(m, MultiHeadSelector))

    def to_graph(self) -> Graph:
        """The graph with the present weights, float32."""
        modules = zip(self.graph.ops, self.operations, strict=True)
        return dataclasses.replace(self.graph, ops=tuple(_with_weights(o, m) for o, m in modules))

    def freeze_stem(self) -> None:
        """Excludes what stands before the first selector from training: it still sees every
        token, as in the unpruned network."""
        for op, module in zip(self.graph.ops, self.operations, strict=True):
            if isinstance(op, TokenSelector):
                return
            module.requires_grad_(False)

    def forward(self, images: Tensor) -> Outcome:
        """Class scores of uint8 ``images`` (images, height, width, channels)."""
        values = {self.graph.input.name: (images.float() / 255 - self.mean) / self.std}
        return self._run(values, 0, None)

    def stem(self, images: Tensor) -> Tensor:
        """The first selector's input, from images as ``forward`` takes them."""
        values = {self.graph.input.name: (images.float() / 255 - self.mean) / self.std}
        for op, module in zip(self.graph.ops, self.operations, strict=True):
            if isinstance(op, TokenSelector):
                return values[op.input]
            values[op.output] = self._compute(op, module, [values[n] for n in inputs_of(op)], None)
        raise ModelError(f"The model '{self.graph.name}' has no token selectors.")

    def resume(self, name: str, value: Tensor, observe: Observer | None = None) -> Outcome:
        """As ``forward``, from the value called ``name`` on; ``observe`` sees every operation."""
        start = next(i for i, op in enumerate(self.graph.ops) if op.output == name) + 1
        return self._run({name: value}, start, observe)

    def _run(self, values: dict[str, Tensor], start: int, observe: Observer | None) -> Outcome:
        selections: list[Selection] = []
        shares: list[Tensor] = []
        staying: list[Rows] = []
        for op, module in list(zip(self.graph.ops, self.operations, strict=True))[start:]:
            inputs = [values[name] for name in inputs_of(op)]
            if isinstance(module, MultiHeadSelector):
                rows = staying[-1] if staying else _all_rows(inputs[0])
                selection = module(inputs[0], rows.mask)
                result, rows = self._drop(module.op, inputs[0], rows, selection)
                selections.append(selection)
                shares.append(tokens_kept(module.op, selection.mask) / self.tokens)
                staying.append(rows)
            else:
                mask = staying[-1].mask if staying else None
                result = self._compute(op, module, inputs, mask)
            values[op.output] = result
            if observe is not None:
                observe(op, tuple(inputs), result)
        logits = values[self.graph.output][:, 0]
        return Outcome(logits, tuple(selections), tuple(shares), tuple(staying))

    def _compute(
        self, op: Op, module: nn.Module, inputs: list[Tensor], mask: Tensor | None
    ) -> Tensor:
        row = self._single.get(op.output)
        if row is not None:
            inputs = self._one_row(op, inputs, row)
        weights: Any = module
        x = inputs[0]
        match op:
            case PatchEmbedding():
                return F.linear(_patches(x, op.patch), weights["weight"], weights["bias"])
            case Tokens():
                prefix = weights["class_token"].expand(len(x), -1, -1)
                return torch.cat([prefix.to(x.dtype), x], 1) + weights["position"]
            case Linear():
                return F.linear(x, weights["weight"], weights["bias"])
            case LayerNorm():
                shape = x.shape[-1:]
                return F.layer_norm(x, shape, weights["gamma"], weights["beta"], op.epsilon)
            case Gelu():
                return F.gelu(x)
            case Add():
                return x + inputs[1]
            case Scale():
                return x * weights["factor"]
            case Attention():
                return attention(x, inputs[1], inputs[2], op.heads, op.scale, mask, row)
            case TakeToken():
                return x if op.input in self._single else x[:, op.index : op.index + 1]
        raise ModelError(f"Operations of type {type(op).__name__} cannot be trained.")

    def _one_row(self, op: Op, inputs: list[Tensor], row: int) -> list[Tensor]:
        """The inputs that go with the one row of the output which is needed."""
        whole = (op.key, op.value) if isinstance(op, Attention) else ()
        return [
            value if name in self._single or name in whole else value[:, row : row + 1]
            for name, value in zip(inputs_of(op), inputs, strict=True)
        ]

    def _drop(
        self, op: TokenSelector, x: Tensor, rows: Rows, selection: Selection
    ) -> tuple[Tensor, Rows]:
        """Averages the dropped rows into a package token and cuts rows away."""
        dropped = rows.mask - selection.mask
        count = dropped.sum(1, keepdim=True).clamp(min=1)
        package = torch.einsum("br,brc->bc", dropped / count, x.float())[:, None]
        index = self._staying(op, rows, selection)
        kept = x.gather(1, index[..., None].expand(-1, -1, x.shape[2]))
        mask = selection.mask.gather(1, index)
        origin = rows.origin.gather(1, index)
        after = Rows(
            torch.cat([mask, torch.ones_like(mask[:, :1])], 1),
            torch.cat([origin, torch.full_like(origin[:, :1], -1)], 1),
        )
        return torch.cat([kept, package.to(kept.dtype)], 1), after

    def _staying(self, op: TokenSelector, rows: Rows, selection: Selection) -> Tensor:
        """Indices (images, rows that stay), ascending: all kept rows of each image, and as many
        of its best dropped ones as make the images equally long."""
        mask = selection.mask.detach().round()
        longest = int(mask.sum(1).max())
        if self.training:
            longest += round(SPARE * longest)
        if op.package == "merged":  # the earlier package went into the new one for good
            mask = mask[:, : mask.shape[1] - op.packages]
        size = mask.shape[1]
        before, score = rows.mask.detach()[:, :size], selection.score.detach()[:, :size]
        rank = 4 * mask + 2 * before + score
        return rank.topk(min(longest, size), 1).indices.sort(1).values


def tokens_kept(op: TokenSelector, mask: Tensor) -> Tensor:
    """How many tokens of each image (images,) are in ``mask`` (images, rows) of ``op``'s rows."""
    return mask[:, op.prefix : mask.shape[1] - op.packages].sum(1)


def attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    heads: int,
    scale: float,
    mask: Tensor | None = None,
    row: int | None = None,
) -> Tensor:
    """``softmax(scale * Q K^T) V`` for each head over the rows that ``mask`` (images, rows) keeps.

    A dropped row still attends to itself (softmax_with_policy of DynamicViT and SPViT); only its
    own gradient depends on that. ``row`` is the index of the one row that ``query`` holds.
    """
    q, k, v = (t.unflatten(2, (heads, -1)).transpose(1, 2) for t in (query, key, value))
    if mask is None:
        mixed = F.scaled_dot_product_attention(q, k, v, scale=scale)
        return mixed.transpose(1, 2).flatten(2)
    scores = (q * scale) @ k.transpose(2, 3)
    weights = torch.exp(scores - scores.detach().amax(3, keepdim=True))
    policy = mask.to(weights.dtype)[:, None, :, None]
    # A last column of ones, masked like the values, sums the weights up.
    total = weights @ torch.cat([v * policy, policy.expand(-1, heads, -1, -1)], 3)
    mixed, norm = total[..., :-1], total[..., -1:]
    if row is None:
        own = weights.diagonal(dim1=2, dim2=3)[..., None] * (1 - policy)
        mixed, norm = mixed + own * v, norm + own
    return (mixed / norm).transpose(1, 2).flatten(2)


def _all_rows(x: Tensor) -> Rows:
    origin = torch.arange(x.shape[1], device=x.device).expand(len(x), -1)
    return Rows(torch.ones(origin.shape, device=x.device), origin)


def _patches(images: Tensor, patch: int) -> Tensor:
    count, height, width, channels = images.shape
    tiles = images.view(count, height // patch, patch, width // patch, patch, channels)
    return tiles.permute(0, 1, 3, 2, 4, 5).flatten(3).flatten(1, 2)


def _module(op: Op) -> nn.Module:
    if isinstance(op, TokenSelector):
        return MultiHeadSelector(op)
    arrays = {name: v for name, v in vars(op).items() if isinstance(v, np.ndarray)}
    return nn.ParameterDict({name: torch.tensor(value) for name, value in arrays.items()})


def _with_weights(op: Op, module: nn.Module) -> Op:
    arrays: dict[str, Any] = {
        name: parameter.detach().float().cpu().numpy().copy()
        for name, parameter in module.named_parameters()
    }
    return dataclasses.replace(op, **arrays) if arrays else op
