# SPDX-License-Identifier: Apache-2.0
"""Networks of known shape with random weights: for tests, estimates and benchmarks."""

import difflib
from dataclasses import dataclass

import numpy as np

from hwgen.errors import ModelError
from hwgen.ir.graph import (
    Add,
    Attention,
    Gelu,
    Graph,
    ImageInput,
    LayerNorm,
    Linear,
    Op,
    PatchEmbedding,
    TakeToken,
    Tokens,
)
from hwgen.keep_ratios import parse_keep_ratios, with_keep_ratios


@dataclass(frozen=True)
class VitShape:
    """The sizes of a vision transformer."""

    image: int
    channels: int
    patch: int
    width: int
    heads: int
    blocks: int
    classes: int
    mlp_ratio: int = 4


SHAPES: dict[str, VitShape] = {
    "deit-tiny": VitShape(224, 3, 16, 192, 3, 12, 1000),
    "deit-small": VitShape(224, 3, 16, 384, 6, 12, 1000),
    "deit-base": VitShape(224, 3, 16, 768, 12, 12, 1000),
    "fashion-vit": VitShape(28, 1, 2, 128, 2, 6, 10, mlp_ratio=2),
}


def preset(name: str) -> Graph:
    """The Graph of the network called ``name``, the same weights at each call.

    ``deit-tiny@4:0.70,7:0.39,10:0.21`` is deit-tiny with token selectors in front of its 4th,
    7th and 10th block, which leave 70, 39 and 21 % of all patches (see ``keep_ratios``).

    Raises ModelError when there is no such network, or when no selectors can be like that.
    """
    base, at, ratios = name.partition("@")
    if base not in SHAPES:
        near = difflib.get_close_matches(base, SHAPES, n=1, cutoff=0)[0]
        raise ModelError(
            f"There is no preset '{base}'; the presets are {', '.join(SHAPES)}. "
            f"Did you mean '{near}'?"
        )
    graph = vit(name, SHAPES[base], seed=0)
    return with_keep_ratios(graph, parse_keep_ratios(name, ratios)) if at else graph


def vit(name: str, shape: VitShape, seed: int) -> Graph:
    """A vision transformer of ``shape`` whose random weights act much like trained ones.

    Linear layers keep the variance of their input, and the branches into the residual stream are
    scaled down with depth, so activations neither vanish nor grow.
    """
    return _VitBuilder(name, shape, np.random.default_rng(seed)).build()


class _VitBuilder:
    """Appends one operation after the other; each method returns its output's name."""

    def __init__(self, name: str, shape: VitShape, rng: np.random.Generator) -> None:
        self._name = name
        self._shape = shape
        self._rng = rng
        self._ops: list[Op] = []

    def build(self) -> Graph:
        shape = self._shape
        mean, std = (0.5,) * shape.channels, (0.5,) * shape.channels
        image = ImageInput("images", shape.image, shape.image, shape.channels, mean, std)
        x = self._tokens(self._patch_embedding("images"))
        for number in range(shape.blocks):
            x = self._block(f"block{number}", x)
        x = self._norm("norm", x)
        x = self._emit(TakeToken("take_token", x, "class_token", 0))
        output = self._linear("head", x, shape.width, shape.classes)
        return Graph(self._name, image, tuple(self._ops), output)

    def _emit(self, op: Op) -> str:
        self._ops.append(op)
        return op.output

    def _normal(self, *size: int, std: float) -> np.ndarray:
        """Normal numbers cut off at two standard deviations, float32."""
        numbers = self._rng.standard_normal(size, np.float32)
        np.clip(numbers, -2, 2, out=numbers)
        numbers *= np.float32(std)
        return numbers

    def _patch_embedding(self, x: str) -> str:
        shape = self._shape
        inputs = shape.patch**2 * shape.channels
        weight = self._normal(shape.width, inputs, std=inputs**-0.5)
        bias = self._normal(shape.width, std=0.02)
        name = "patch_embedding"
        return self._emit(PatchEmbedding(name, x, "patches", weight, bias, shape.patch))

    def _tokens(self, x: str) -> str:
        shape = self._shape
        rows = (shape.image // shape.patch) ** 2 + 1
        class_token = self._normal(1, shape.width, std=0.02)
        position = self._normal(rows, shape.width, std=0.02)
        return self._emit(Tokens("tokens", x, "embedded", class_token, position))

    def _block(self, name: str, x: str) -> str:
        width, hidden = self._shape.width, self._shape.width * self._shape.mlp_ratio
        branch = (2 * self._shape.blocks) ** -0.5
        normal = self._norm(f"{name}.norm1", x)
        query, key, value = (
            self._linear(f"{name}.attention.{role}", normal, width, width)
            for role in ("query", "key", "value")
        )
        heads = self._shape.heads
        scale = (width // heads) ** -0.5
        mixed = self._emit(
            Attention(f"{name}.attention", query, key, value, f"{name}.mixed", heads, scale)
        )
        projected = self._linear(f"{name}.attention.project", mixed, width, width, branch)
        x = self._emit(Add(f"{name}.add1", x, projected, f"{name}.middle"))
        normal = self._norm(f"{name}.norm2", x)
        expanded = self._linear(f"{name}.mlp.expand", normal, width, hidden)
        active = self._emit(Gelu(f"{name}.mlp.gelu", expanded, f"{name}.mlp.active"))
        reduced = self._linear(f"{name}.mlp.reduce", active, hidden, width, branch)
        return self._emit(Add(f"{name}.add2", x, reduced, f"{name}.out"))

    def _norm(self, name: str, x: str) -> str:
        width = self._shape.width
        gamma = 1 + self._normal(width, std=0.1)
        beta = self._normal(width, std=0.1)
        return self._emit(LayerNorm(name, x, f"{name}.out", gamma, beta, 1e-6))

    def _linear(self, name: str, x: str, inputs: int, outputs: int, gain: float = 1.0) -> str:
        weight = self._normal(outputs, inputs, std=gain * inputs**-0.5)
        bias = self._normal(outputs, std=0.02)
        return self._emit(Linear(name, x, f"{name}.out", weight, bias))
