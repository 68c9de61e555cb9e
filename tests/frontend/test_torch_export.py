# SPDX-License-Identifier: Apache-2.0
"""A vision transformer written as in timm, through each of torch's exporters."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from hwgen.frontend import float_reference, load
from hwgen.ir.evaluate import logits
from hwgen.ir.graph import Attention


class Block(nn.Module):
    """Joined qkv, LayerScale, exact GELU."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.gamma1 = nn.Parameter(torch.rand(width))
        self.gamma2 = nn.Parameter(torch.rand(width))
        self.mlp = nn.Sequential(nn.Linear(width, 48), nn.GELU(), nn.Linear(48, width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, rows, width = x.shape
        qkv = self.qkv(self.norm1(x)).reshape(batch, rows, 3, self.heads, width // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        mixed = nn.functional.scaled_dot_product_attention(query, key, value)
        x = x + self.gamma1 * self.proj(mixed.transpose(1, 2).reshape(batch, rows, width))
        return x + self.gamma2 * self.mlp(self.norm2(x))


class Vit(nn.Module):
    """One block on images of 12x12."""

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        self.patch_embed = nn.Conv2d(1, width, 4, 4)
        self.cls_token = nn.Parameter(torch.randn(1, 1, width))
        self.pos_embed = nn.Parameter(torch.randn(1, 10, width))
        self.block = Block(width, heads=4)
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 5)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = self.patch_embed(images).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(x.shape[0], -1, -1), x], 1) + self.pos_embed
        return self.head(self.norm(self.block(x))[:, 0])


def export(path: Path, opset: int, dynamo: bool) -> None:
    torch.manual_seed(0)
    model = Vit()
    for norm in (model.norm, model.block.norm1, model.block.norm2):
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)
    names: dict[str, list[str]] = {"input_names": ["images"], "output_names": ["logits"]}
    if dynamo:
        shapes: dict[str, object] = {"dynamic_shapes": ({0: torch.export.Dim.DYNAMIC},)}
    else:
        shapes = {"dynamic_axes": {"images": {0: "batch"}}}
    images = (torch.randn(2, 1, 12, 12),)
    options = {**names, **shapes, "opset_version": opset, "dynamo": dynamo, "verbose": False}
    torch.onnx.export(model.eval(), images, path, **options)


@pytest.mark.filterwarnings("ignore:.*legacy TorchScript-based ONNX export:DeprecationWarning")
@pytest.mark.parametrize(
    ("opset", "dynamo"), [(18, True), (20, True), (23, True), (14, False), (17, False)]
)
def test_timm_style(tmp_path: Path, opset: int, dynamo: bool) -> None:
    path = tmp_path / "vit.onnx"
    export(path, opset, dynamo)
    graph = load(path)
    images = np.random.default_rng(1).integers(0, 256, (3, 12, 12, 1), np.uint8)
    expected = float_reference(path).logits(images)
    assert np.abs(logits(graph, images) - expected).max() < 1e-5 * np.abs(expected).max()
    (attention,) = (op for op in graph.ops if isinstance(op, Attention))
    assert attention.scale == pytest.approx(6**-0.5)
    names = [op.name for op in graph.ops]
    assert {"patch_embed", "block.norm1", "block.query", "block", "block.proj", "head"} < set(names)
