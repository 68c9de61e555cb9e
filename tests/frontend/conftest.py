# SPDX-License-Identifier: Apache-2.0
"""Builds small vision transformers as ONNX models, in the spellings that exporters use."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

Operand = str | np.ndarray


@dataclass(frozen=True)
class Spelling:
    """How one model is written down. The defaults are what torch.onnx.export gives."""

    norm: str = "LayerNormalization"  # or "pow", "square", "reciprocal", "plain"
    gelu: str = "half_with_erf"  # or "half_outside", "half_with_input", an operator's name
    linear: str = "MatMul"  # or "Gemm", "no bias"
    qkv: str = "joined"  # or "separate", "split", "interleaved"
    scale: str = "scores"  # or "divide", "query", "both"
    guard: bool = False
    layer_scale: bool = False
    class_tokens: int = 1
    take: str = "Gather"  # or "Slice", "ReduceMean"
    softmax: bool = False
    batch: int | str = "batch"
    opset: int = 18
    image: tuple[int, int] = (8, 12)
    channels: int = 3
    patch: int = 4
    metadata: dict[str, str] = field(default_factory=dict)


WIDTH, HEADS, CLASSES = 12, 3, 5
SIZE = WIDTH // HEADS


class VitModel:
    """Writes the nodes of one model. Weights are random, gamma and beta too."""

    def __init__(self, spelling: Spelling) -> None:
        self.spelling = spelling
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.rng = np.random.default_rng(1)

    def build(self) -> onnx.ModelProto:
        s = self.spelling
        height, width = s.image
        x = self.block(self.tokens(self.patches("images")))
        x = self.norm(x)
        logits = self.linear(self.take(x), CLASSES)
        if s.softmax:
            logits = self.op("Softmax", logits, axis=-1)
        self.nodes[-1].output[0] = "logits"
        image = helper.make_tensor_value_info(
            "images", onnx.TensorProto.FLOAT, [s.batch, s.channels, height, width]
        )
        output = helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, [s.batch, CLASSES])
        graph = helper.make_graph(self.nodes, "vit", [image], [output], self.initializers)
        opsets = [helper.make_opsetid("", s.opset)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
        helper.set_model_props(model, s.metadata)
        return model

    def op(self, op_type: str, *inputs: Operand, **attributes: object) -> str:
        names = [i if isinstance(i, str) else self.constant(i) for i in inputs]
        output = f"v{len(self.nodes)}"
        node = helper.make_node(op_type, names, [output], f"n{len(self.nodes)}", **attributes)
        self.nodes.append(node)
        return output

    def constant(self, array: np.ndarray) -> str:
        name = f"c{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def random(self, *shape: int) -> np.ndarray:
        return self.rng.normal(0, 0.5, shape).astype(np.float32)

    def ints(self, *numbers: int) -> np.ndarray:
        return np.array(numbers, np.int64)

    def number(self, value: float) -> np.ndarray:
        return np.array(value, np.float32)

    @property
    def leading(self) -> int:
        """The batch as it stands in the shape given to a Reshape."""
        return self.spelling.batch if isinstance(self.spelling.batch, int) else -1

    @property
    def rows(self) -> int:
        height, width = self.spelling.image
        patches = (height // self.spelling.patch) * (width // self.spelling.patch)
        return patches + self.spelling.class_tokens

    def patches(self, x: str) -> str:
        patch = self.spelling.patch
        weight = self.random(WIDTH, self.spelling.channels, patch, patch)
        sizes = {"kernel_shape": [patch, patch], "strides": [patch, patch]}
        x = self.op("Conv", x, weight, self.random(WIDTH), **sizes)
        x = self.op("Reshape", x, self.ints(0, WIDTH, -1))
        return self.op("Transpose", x, perm=[0, 2, 1])

    def tokens(self, x: str) -> str:
        count = self.spelling.class_tokens
        if count:
            batch = self.op("Slice", self.op("Shape", "images"), self.ints(0), self.ints(1))
            shape = self.op("Concat", batch, self.ints(1), self.ints(1), axis=0)
            parts = [self.op("Expand", self.random(1, 1, WIDTH), shape) for _ in range(count)]
            x = self.op("Concat", *parts, x, axis=1)
        return self.op("Add", x, self.random(1, self.rows, WIDTH))

    def block(self, x: str) -> str:
        x = self.op("Add", x, self.branch(self.attention(self.norm(x))))
        hidden = self.gelu(self.linear(self.norm(x), 2 * WIDTH))
        return self.op("Add", self.branch(self.linear(hidden, WIDTH, 2 * WIDTH)), x)

    def branch(self, x: str) -> str:
        return self.op("Mul", x, self.random(WIDTH)) if self.spelling.layer_scale else x

    def linear(self, x: str, outputs: int, inputs: int = WIDTH) -> str:
        match self.spelling.linear:
            case "Gemm":
                rows = self.op("Reshape", x, self.ints(-1, inputs))
                weight, bias = self.random(outputs, inputs), self.random(outputs)
                y = self.op("Gemm", rows, weight, bias, transB=1)
                if outputs == CLASSES:
                    return y
                return self.op("Reshape", y, self.ints(self.leading, self.rows, outputs))
            case "no bias":
                return self.op("MatMul", x, self.random(inputs, outputs))
            case _:
                y = self.op("MatMul", x, self.random(inputs, outputs))
                return self.op("Add", self.random(outputs), y)

    def norm(self, x: str) -> str:
        gamma, beta = 1 + self.random(WIDTH), self.random(WIDTH)
        form = self.spelling.norm
        if form == "LayerNormalization":
            return self.op(form, x, gamma, beta, axis=-1, epsilon=1e-3)
        centred = self.op("Sub", x, self.mean(x))
        two = self.number(2)
        squared = [centred, two] if form == "pow" else [centred, centred]
        square = self.op("Pow" if form == "pow" else "Mul", *squared)
        variance = self.op("Add", self.mean(square), self.number(1e-3))
        deviation = self.op("Sqrt", variance)
        if form == "reciprocal":
            y = self.op("Mul", self.op("Reciprocal", deviation), centred)
        else:
            y = self.op("Div", centred, deviation)
        return y if form == "plain" else self.op("Add", self.op("Mul", y, gamma), beta)

    def mean(self, x: str) -> str:
        if self.spelling.opset < 18:
            return self.op("ReduceMean", x, axes=[-1])
        return self.op("ReduceMean", x, self.ints(-1))

    def gelu(self, x: str) -> str:
        form = self.spelling.gelu
        if not form.startswith("half"):
            return self.op(form, x)
        half = self.number(0.5)
        if form == "half_with_erf":
            erf = self.op("Erf", self.op("Div", x, self.number(np.sqrt(2))))
        else:
            erf = self.op("Erf", self.op("Mul", x, self.number(np.sqrt(0.5))))
        one = self.op("Add", erf, self.number(1))
        if form == "half_outside":
            return self.op("Mul", self.op("Mul", x, one), half)
        if form == "half_with_input":
            return self.op("Mul", self.op("Mul", half, x), one)
        return self.op("Mul", x, self.op("Mul", half, one))

    def attention(self, x: str) -> str:
        query, key, value = self.heads(x)
        if self.spelling.scale in ("query", "both"):
            both = self.spelling.scale == "both"
            factor = self.number(SIZE ** (-0.25 if both else -0.5))
            query = self.op("Mul", query, factor)
            key = self.op("Mul", key, factor) if both else key
        scores = self.op("MatMul", query, self.op("Transpose", key, perm=[0, 1, 3, 2]))
        if self.spelling.scale == "divide":
            scores = self.op("Div", scores, self.op("Sqrt", self.number(SIZE)))
        if self.spelling.scale == "scores":
            scores = self.op("Mul", scores, self.number(SIZE**-0.5))
        weights = self.op("Softmax", scores, axis=-1)
        if self.spelling.guard:
            weights = self.op("Where", self.op("IsNaN", weights), self.number(0), weights)
        mixed = self.op("Transpose", self.op("MatMul", weights, value), perm=[0, 2, 1, 3])
        merged = self.op("Reshape", mixed, self.ints(self.leading, self.rows, WIDTH))
        return self.linear(merged, WIDTH)

    def heads(self, x: str) -> list[str]:
        """Query, key and value, each (batch, heads, rows, size)."""
        form = self.spelling.qkv
        if form == "separate":
            return [self.cut(self.linear(x, WIDTH)) for _ in range(3)]
        joined = self.linear(x, 3 * WIDTH)
        if form == "split":
            outputs = [f"{joined}.{part}" for part in "qkv"]
            sizes = self.constant(self.ints(WIDTH, WIDTH, WIDTH))
            self.nodes.append(helper.make_node("Split", [joined, sizes], outputs, axis=-1))
            return [self.cut(output) for output in outputs]
        order = [HEADS, 3, SIZE] if form == "interleaved" else [3, HEADS, SIZE]
        cut = self.op("Reshape", joined, self.ints(self.leading, self.rows, *order))
        perm = [3, 0, 2, 1, 4] if form == "interleaved" else [2, 0, 3, 1, 4]
        stacked = self.op("Transpose", cut, perm=perm)
        first = self.op("Gather", stacked, self.ints(0)[0], axis=0)
        others = [
            self.op("Squeeze", self.op("Slice", stacked, *self.range(i)), self.ints(0))
            for i in (1, 2)
        ]
        return [first, *others]

    def range(self, start: int) -> tuple[np.ndarray, ...]:
        return self.ints(start), self.ints(start + 1), self.ints(0)

    def cut(self, x: str) -> str:
        shaped = self.op("Reshape", x, self.ints(self.leading, self.rows, HEADS, SIZE))
        return self.op("Transpose", shaped, perm=[0, 2, 1, 3])

    def take(self, x: str) -> str:
        match self.spelling.take:
            case "Slice":
                row = self.op("Slice", x, self.ints(0), self.ints(1), self.ints(1))
                return self.op("Squeeze", row, self.ints(1))
            case "ReduceMean":
                return self.op("ReduceMean", x, self.ints(1), keepdims=0)
            case _:
                return self.op("Gather", x, self.ints(0)[0], axis=1)


@pytest.fixture
def vit_model() -> Callable[..., onnx.ModelProto]:
    """``vit_model(**spelling)``: the model itself."""
    return lambda **spelling: VitModel(Spelling(**spelling)).build()


@pytest.fixture
def vit_file(tmp_path: Path) -> Callable[..., Path]:
    """``vit_file(**spelling)``: the path of the model, saved."""

    def save(**spelling: object) -> Path:
        path = tmp_path / "vit.onnx"
        onnx.save(VitModel(Spelling(**spelling)).build(), path)
        return path

    return save
