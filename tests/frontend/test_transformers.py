# SPDX-License-Identifier: Apache-2.0
"""Models of the transformers library, exported by torch, with random weights."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import (
    DeiTConfig,
    DeiTForImageClassification,
    DeiTForImageClassificationWithTeacher,
    PretrainedConfig,
    PreTrainedModel,
    ViTConfig,
    ViTForImageClassification,
)

from hwgen.frontend import float_reference, load
from hwgen.ir.evaluate import logits
from hwgen.ir.graph import Tokens

TINY = {"hidden_size": 192, "num_attention_heads": 3, "intermediate_size": 768}
SMALL = {
    "hidden_size": 32,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "num_hidden_layers": 1,
    "image_size": 32,
    "patch_size": 8,
}


class Logits(torch.nn.Module):
    """Image in, logits out."""

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.model(pixel_values=images).logits


def export(model: PreTrainedModel, config: PretrainedConfig, path: Path) -> None:
    """Random weights everywhere, so that no zero or one hides a mistake."""
    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, 0.02, 0.05, generator)
    torch.onnx.export(
        Logits(model).eval(),
        (torch.randn(2, 3, config.image_size, config.image_size),),
        path,
        dynamo=True,
        opset_version=18,
        input_names=["images"],
        output_names=["logits"],
        dynamic_shapes=({0: torch.export.Dim.DYNAMIC},),
        verbose=False,
    )


def difference(path: Path) -> float:
    """Largest difference between graph and onnxruntime, relative to the largest logit."""
    graph = load(path)
    shape = (2, graph.input.height, graph.input.width, 3)
    images = np.random.default_rng(3).integers(0, 256, shape, np.uint8)
    expected = float_reference(path).logits(images)
    return float(np.abs(logits(graph, images) - expected).max() / np.abs(expected).max())


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize(
    ("config_class", "model_class"),
    [
        (DeiTConfig, DeiTForImageClassification),
        (DeiTConfig, DeiTForImageClassificationWithTeacher),
        (ViTConfig, ViTForImageClassification),
    ],
)
def test_small_model(
    tmp_path: Path,
    attention: str,
    config_class: type[PretrainedConfig],
    model_class: type[PreTrainedModel],
) -> None:
    config = config_class(**SMALL, num_labels=10, attn_implementation=attention)
    path = tmp_path / "small.onnx"
    export(model_class(config), config, path)
    assert difference(path) < 1e-5


def test_deit_tiny(tmp_path: Path) -> None:
    """The published DeiT-Tiny without distillation is a ViT: 197 tokens, twelve blocks."""
    config = ViTConfig(**TINY, num_labels=1000)
    path = tmp_path / "tiny.onnx"
    export(ViTForImageClassification(config), config, path)
    graph = load(path, check=False)
    count = Counter(type(op).__name__ for op in graph.ops)
    assert (count["Linear"], count["Attention"], count["LayerNorm"]) == (73, 12, 25)
    (tokens,) = (op for op in graph.ops if isinstance(op, Tokens))
    assert tokens.position.shape == (197, 192)
    assert difference(path) < 1e-5
