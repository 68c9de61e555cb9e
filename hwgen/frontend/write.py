# SPDX-License-Identifier: Apache-2.0
"""From a Graph to an ONNX file."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from hwgen.errors import ModelError
from hwgen.frontend.importer import CLASSES_KEY
from hwgen.frontend.names import NAME_KEY
from hwgen.frontend.preprocessing import MEAN_KEY, STD_KEY
from hwgen.frontend.selector import (
    DOMAIN,
    OPERATOR,
    OPSET,
    WEIGHTS,
    attributes_of,
    selector_function,
)
from hwgen.ir.evaluate import selects_tokens
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
)
from hwgen.whole_file import write_whole

_IR_VERSION = 10
"""Of the ONNX file format: the first one that has metadata of nodes."""


def write_onnx(
    graph: Graph, path: str | Path, metadata: Mapping[str, str] = MappingProxyType({})
) -> None:
    """Writes a float ``graph``, as it is before the passes, to one self-contained ONNX file.

    The input takes normalised pixels, float32 (batch, channels, height, width), the batch dynamic,
    or 1 where the graph has token selectors; these are calls of the function
    ``hwgen.TokenSelector``. Normalisation and classes are in the metadata ``hwgen.mean``,
    ``hwgen.std`` and ``hwgen.classes``, and ``metadata`` with them. The same graph gives the same
    bytes.

    ``hwgen.frontend.load`` reads the same operations back, with the same arrays, attributes to
    float32, names of operations, and names of values but for those that TakeToken makes.

    Raises ModelError when the graph holds operations that the passes made, or takes one token and
    then attends with it.
    """
    model = _Writer(graph).model()
    helper.set_model_props(model, _metadata(graph) | dict(metadata))
    write_whole(Path(path), model.SerializeToString(deterministic=True))


@dataclass(frozen=True)
class _Tensor:
    """A value: its ONNX name, its columns, and whether it is (batch, columns), without rows."""

    name: str
    columns: int
    single: bool = False


class _Writer:
    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: dict[str, onnx.TensorProto] = {}
        self._taken = {graph.input.name, *(op.output for op in graph.ops)}
        self._tensors: dict[str, _Tensor] = {}

    def model(self) -> onnx.ModelProto:
        graph = self._graph
        for op in graph.ops:
            self._tensors[op.output] = self._write(op)
        selects = selects_tokens(graph)
        batch = 1 if selects else "batch"
        image, output = graph.input, self._tensors[graph.output]
        inputs = [batch, image.channels, image.height, image.width]
        outputs = [batch, output.columns] if output.single else [batch, None, output.columns]
        proto = helper.make_model(
            helper.make_graph(
                self._nodes,
                graph.name,
                [helper.make_tensor_value_info(image.name, onnx.TensorProto.FLOAT, inputs)],
                [helper.make_tensor_value_info(output.name, onnx.TensorProto.FLOAT, outputs)],
                list(self._initializers.values()),
            ),
            functions=[selector_function()] if selects else [],
            opset_imports=[
                helper.make_opsetid("", OPSET),
                *([helper.make_opsetid(DOMAIN, 1)] if selects else []),
            ],
            ir_version=_IR_VERSION,
            producer_name="hwgen",
        )
        return proto

    def _write(self, op: Op) -> _Tensor:
        match op:
            case PatchEmbedding():
                return self._patch_embedding(op)
            case Tokens():
                return self._tokens(op)
            case Linear():
                x = self._tensors[op.input]
                weight = self._array(op, "weight", op.weight.T)
                product = self._node(op, "MatMul", [x.name, weight], "product")
                bias = self._array(op, "bias", op.bias)
                name = self._node(op, "Add", [product, bias])
                return _Tensor(name, len(op.bias), x.single)
            case LayerNorm():
                arrays = [self._array(op, part, getattr(op, part)) for part in ("gamma", "beta")]
                attributes: dict[str, Any] = {"axis": -1, "epsilon": op.epsilon}
                return self._same(op, "LayerNormalization", op.input, *arrays, **attributes)
            case Gelu():
                return self._same(op, "Gelu", op.input)
            case Scale():
                return self._same(op, "Mul", op.input, self._array(op, "factor", op.factor))
            case Add():
                return self._same(op, "Add", op.left, self._tensors[op.right].name)
            case Attention():
                return self._attention(op)
            case TakeToken():
                x = self._tensors[op.input]
                if x.single:
                    raise self._refusal(op, "it takes a token of a single one")
                index = self._array(op, "index", np.array(op.index))
                name = self._node(op, "Gather", [x.name, index], axis=1)
                return _Tensor(name, x.columns, single=True)
            case TokenSelector():
                arrays = [self._array(op, name, getattr(op, name)) for name in WEIGHTS]
                attributes = attributes_of(op) | {"domain": DOMAIN}
                return self._same(op, OPERATOR, op.input, *arrays, **attributes)
            case _:
                raise self._refusal(op, f"{type(op).__name__} is an operation of the passes")

    def _patch_embedding(self, op: PatchEmbedding) -> _Tensor:
        patch, columns = op.patch, len(op.weight)
        kernel = op.weight.reshape(columns, patch, patch, -1).transpose(0, 3, 1, 2)
        arrays = [self._array(op, "weight", kernel), self._array(op, "bias", op.bias)]
        sizes: dict[str, Any] = {"kernel_shape": [patch, patch], "strides": [patch, patch]}
        grid = self._node(op, "Conv", [op.input, *arrays], **sizes)
        shape = self._array(op, "shape", np.array([0, columns, -1]))
        flat = self._node(op, "Reshape", [grid, shape], "flat")
        return _Tensor(self._node(op, "Transpose", [flat], "rows", perm=[0, 2, 1]), columns)

    def _tokens(self, op: Tokens) -> _Tensor:
        x = self._tensors[op.input]
        name = x.name
        if len(op.class_token):
            token = self._array(op, "class_token", op.class_token[None])
            if not selects_tokens(self._graph):
                image = self._graph.input.name
                batch = self._node(op, "Shape", [image], "batch", start=0, end=1)
                rest = self._array(op, "class_token_shape", np.array(op.class_token.shape))
                shape = self._node(op, "Concat", [batch, rest], "shape", axis=0)
                token = self._node(op, "Expand", [token, shape], "class_tokens")
            name = self._node(op, "Concat", [token, name], "joined", axis=1)
        position = self._array(op, "position", op.position[None])
        return _Tensor(self._node(op, "Add", [name, position]), x.columns)

    def _attention(self, op: Attention) -> _Tensor:
        operands = [self._tensors[name] for name in (op.query, op.key, op.value)]
        if any(operand.single for operand in operands):
            raise self._refusal(op, "it attends with a single token")
        split = self._array(op, "split", np.array([0, 0, op.heads, -1]))
        orders = ("query", [0, 2, 1, 3]), ("key", [0, 2, 3, 1]), ("value", [0, 2, 1, 3])
        heads = []
        for operand, (role, order) in zip(operands, orders, strict=True):
            cut = self._node(op, "Reshape", [operand.name, split], f"{role}.split")
            heads.append(self._node(op, "Transpose", [cut], f"{role}.heads", perm=order))
        query, key, value = heads
        product = self._node(op, "MatMul", [query, key], "product")
        factor = self._array(op, "scale", np.array(op.scale, np.float32))
        scores = self._node(op, "Mul", [product, factor], "scores")
        weights = self._node(op, "Softmax", [scores], "weights", axis=-1)
        mixed = self._node(op, "MatMul", [weights, value])
        rows = self._node(op, "Transpose", [mixed], "rows", perm=[0, 2, 1, 3])
        join = self._array(op, "join", np.array([0, 0, -1]))
        columns = operands[2].columns
        return _Tensor(self._node(op, "Reshape", [rows, join], "joined"), columns)

    def _same(self, op: Op, op_type: str, value: str, *inputs: str, **attributes: Any) -> _Tensor:
        """A node whose output has the shape of ``value``."""
        x = self._tensors[value]
        name = self._node(op, op_type, [x.name, *inputs], **attributes)
        return _Tensor(name, x.columns, x.single)

    def _node(
        self, op: Op, op_type: str, inputs: Sequence[str], part: str = "", **attributes: Any
    ) -> str:
        """Appends a node that belongs to ``op`` and returns its output's name: that of the
        operation's value, or where ``part`` is given one of its own.
        """
        output = self._fresh(f"{op.output}.{part}") if part else op.output
        name = f"{op.name}.{part}" if part else op.name
        node = helper.make_node(op_type, inputs, [output], name, **attributes)
        node.metadata_props.add(key=NAME_KEY, value=op.name)
        self._nodes.append(node)
        return output

    def _array(self, op: Op, part: str, array: np.ndarray) -> str:
        """An initializer: int64 for integers, else float32."""
        kind = np.int64 if array.dtype.kind == "i" else np.float32
        name = self._fresh(f"{op.name}.{part}")
        contiguous = np.ascontiguousarray(array, kind).reshape(array.shape)
        self._initializers[name] = numpy_helper.from_array(contiguous, name)
        return name

    def _fresh(self, name: str) -> str:
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        return name

    def _refusal(self, op: Op, why: str) -> ModelError:
        return ModelError(
            f"{self._graph.name}: '{op.name}' cannot be written to ONNX: {why}. Give the graph as "
            "it was imported or made, before hwgen.passes."
        )


def _metadata(graph: Graph) -> dict[str, str]:
    metadata = {
        MEAN_KEY: ",".join(map(repr, map(float, graph.input.mean))),
        STD_KEY: ",".join(map(repr, map(float, graph.input.std))),
    }
    if graph.classes:
        metadata[CLASSES_KEY] = json.dumps(list(graph.classes), ensure_ascii=False)
    return metadata
