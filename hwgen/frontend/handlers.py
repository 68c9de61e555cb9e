# SPDX-License-Identifier: Apache-2.0
"""What each ONNX operator that computes means for the Graph.

A handler gets the builder, the node and what is known of its inputs, at least one of them no
constant. It returns what is known of the node's first output, or raises Refused.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import onnx_ir as ir

from hwgen.frontend import attention
from hwgen.frontend.builder import Builder
from hwgen.frontend.names import label, value_name
from hwgen.frontend.refusal import Refused
from hwgen.frontend.rewrite import DOMAIN
from hwgen.frontend.values import (
    Known,
    Matrix,
    NanGuard,
    Pixels,
    Probabilities,
    Scores,
    View,
    spread,
)
from hwgen.ir.graph import Add, Gelu, LayerNorm, Linear, PatchEmbedding, Scale, Tokens

Handler = Callable[[Builder, ir.Node, Sequence[Known]], Known]


def _conv(builder: Builder, node: ir.Node, operands: Sequence[Known]) -> View:
    """The patch embedding: a convolution whose square kernel is its stride."""
    pixels, weight = _view(operands, 0), _constant(operands, 1)
    bias = _optional(operands, 2)
    if not isinstance(pixels.source, Pixels) or not pixels.in_order or weight.ndim != 4:
        raise Refused("a convolution inside the network", "only the patch embedding may be one")
    columns, channels, patch, width = weight.shape
    batch, image_channels, *size = pixels.shape
    strides = node.attributes.get_ints("strides", [1, 1])
    plain = (
        list(strides) == [patch, width]
        and patch == width
        and channels == image_channels
        and not any(node.attributes.get_ints("pads", []))
        and all(d == 1 for d in node.attributes.get_ints("dilations", []))
        and node.attributes.get_int("group", 1) == 1
        and node.attributes.get_string("auto_pad", "NOTSET") in ("NOTSET", "VALID")
    )
    if not plain:
        raise Refused(
            f"kernel {patch}x{width}, strides {list(strides)}",
            "a patch embedding has a square kernel equal to its strides, and no padding, "
            "dilation or groups",
        )
    if any(s % patch for s in size):
        raise Refused(
            f"patches of {patch}x{patch} do not tile the image of {size[0]}x{size[1]}",
            f"height and width must be multiples of {patch}",
        )
    op = PatchEmbedding(
        label(node),
        builder.image,
        value_name(node),
        weight.transpose(0, 2, 3, 1).reshape(columns, -1).astype(np.float32),
        _vector(bias, columns),
        patch,
    )
    grid = [s // patch for s in size]
    rows = builder.view(op, (batch, math.prod(grid), columns))
    index = rows.index.transpose(0, 2, 1).reshape(batch, columns, *grid)
    return replace(rows, index=index)


def _mat_mul(builder: Builder, node: ir.Node, operands: Sequence[Known]) -> View:
    """A Linear without bias, or one of the two products of attention."""
    left, right = operands
    if isinstance(left, View) and isinstance(right, View):
        if isinstance(left.source, Probabilities):
            return attention.mix(builder, node, left, right)
        return attention.scores(builder, left, right)
    if not isinstance(left, View) or not isinstance(right, np.ndarray) or right.ndim != 2:
        raise Refused("not a product of tokens with a constant matrix on their right")
    return _linear(builder, node, left, right.T, None)


def _gemm(builder: Builder, node: ir.Node, operands: Sequence[Known]) -> View:
    weight, bias = _constant(operands, 1), _optional(operands, 2)
    if node.attributes.get_int("transA", 0):
        raise Refused("its left operand is transposed")
    if not node.attributes.get_int("transB", 0):
        weight = weight.T
    weight = weight * np.float32(node.attributes.get_float("alpha", 1.0))
    if bias is not None:
        bias = bias * np.float32(node.attributes.get_float("beta", 1.0))
    return _linear(builder, node, _view(operands, 0), weight, bias)


def _linear(
    builder: Builder, node: ir.Node, x: View, weight: np.ndarray, bias: np.ndarray | None
) -> View:
    """``x @ weight.T + bias``."""
    op = Linear(
        label(node),
        builder.matrix(x).name,
        value_name(node),
        weight.astype(np.float32),
        _vector(bias, len(weight)),
    )
    return builder.view(op, (*x.shape[:-1], len(weight)))


def _layer_normalization(builder: Builder, node: ir.Node, operands: Sequence[Known]) -> View:
    x, gamma = _view(operands, 0), _constant(operands, 1)
    epsilon = node.attributes.get_float("epsilon", 1e-5)
    axis = node.attributes.get_int("axis", -1)
    return _normalise(builder, node, x, axis, epsilon, gamma, _optional(operands, 2))


def _normalize(builder: Builder, node: ir.Node, operands: Sequence[Known]) -> View:
    x = _view(operands, 0)
    epsilon, axis = node.attributes.get_float("epsilon"), node.attributes.get_int("axis")
    return _normalise(builder, node, x, axis, epsilon, np.ones(x.shape[-1]), None)


def _normalise(
    builder: Builder,
    node: ir.Node,
    x: View,
    axis: int,
    epsilon: float,
    gamma: np.ndarray,
    beta: np.ndarray | None,
) -> View:
    if axis not in (-1, len(x.shape) - 1):
        raise Refused(f"it normalises over axis {axis}", "use LayerNorm over the last axis")
    op = LayerNorm(
        label(node),
        builder.matrix(x).name,
        value_name(node),
        _vector(gamma, x.shape[-1]),
        _vector(beta, x.shape[-1]),
        epsilon,
    )
    return builder.view(op, x.shape)


def _gelu(builder: Builder, node: ir.Node, operands: Sequence[Known]) -> View:
    if node.attributes.get_string("approximate", "none") != "none":
        raise Refused(
            "the tanh approximation of GELU", "use the exact GELU (torch.nn.GELU())"
        )
    x = _view(operands, 0)
    return builder.view(Gelu(label(node), builder.matrix(x).name, value_name(node)), x.shape)


def _add(builder: Builder, node: ir.Node, operands: Sequence[Known]) -> View:
    left, right = operands
    if isinstance(left, View) and isinstance(right, View):
        return _residual(builder, node, left, right)
    if isinstance(left, View) and isinstance(right, np.ndarray):
        return _add_constant(builder, node, left, right)
    if isinstance(left, np.ndarray) and isinstance(right, View):
        return _add_constant(builder, node, right, left)
    raise Refused("it does not add tokens")


def _sub(builder: Builder, node: ir.Node, operands: Sequence[Known]) -> View:
    return _add_constant(builder, node, _view(operands, 0), -_constant(operands, 1))


def _residual(builder: Builder, node: ir.Node, left: View, right: View) -> View:
    if left.shape != right.shape:
        raise Refused(f"it adds values of shapes {left.shape} and {right.shape}")
    names = builder.matrix(left).name, builder.matrix(right).name
    return builder.view(Add(label(node), *names, value_name(node)), left.shape)


def _add_constant(builder: Builder, node: ir.Node, x: View, constant: np.ndarray) -> View:
    """A bias, the position embedding, or a mask of zeros."""
    if isinstance(x.source, Scores):
        if constant.any():
            raise Refused("an attention mask", "every token must attend to all tokens")
        return x
    rows = spread(x, np.asarray(constant / x.factor, np.float32), builder.batch)
    if rows is None or not isinstance(x.source, Matrix):
        raise Refused(f"it adds a constant of shape {constant.shape} to a value of {x.shape}")
    producer = builder.producer(x.source)
    output = value_name(node)
    match producer:
        case Linear() | PatchEmbedding() if (rows == rows[0]).all():
            op = replace(producer, output=output, bias=producer.bias + rows[0])
        case LayerNorm() if (rows == rows[0]).all():
            op = replace(producer, output=output, beta=producer.beta + rows[0])
        case Tokens():
            op = replace(producer, output=output, position=producer.position + rows)
        case PatchEmbedding():
            none = np.zeros((0, x.source.columns), np.float32)
            op = Tokens("tokens", producer.output, output, none, rows)
        case _:
            raise Refused(
                f"it adds a constant of shape {constant.shape} to the output of '{producer.name}'",
                "only a bias after a Linear or LayerNorm and a position embedding before the "
                "first block may be added",
            )
    return replace(x, source=builder.emit(op, x.source.rows, x.source.columns))


def _mul(builder: Builder, node: ir.Node, operands: Sequence[Known]) -> View:
    left, right = operands
    if isinstance(left, View) and isinstance(right, np.ndarray):
        return _multiply(builder, node, left, right)
    if isinstance(left, np.ndarray) and isinstance(right, View):
        return _multiply(builder, node, right, left)
    raise Refused("a product of two activations", "hwgen has no gates; use the exact GELU")


def _div(builder: Builder, node: ir.Node, operands: Sequence[Known]) -> View:
    with np.errstate(divide="ignore"):
        reciprocal = 1 / _constant(operands, 1).astype(np.float64)
    return _multiply(builder, node, _view(operands, 0), reciprocal)


def _multiply(builder: Builder, node: ir.Node, x: View, constant: np.ndarray) -> View:
    """A scalar factor, the gamma of a LayerNorm, or LayerScale."""
    if isinstance(x.source, Pixels):
        raise Refused(
            "arithmetic on the pixels",
            "leave it out of the model and give hwgen the mean and standard deviation",
        )
    if not np.isfinite(constant).all() or not constant.all():
        raise Refused("a factor of zero or infinity")
    if constant.size == 1 and constant.ndim <= len(x.shape):
        return replace(x, factor=x.factor * float(constant.item()))
    rows = spread(x, constant.astype(np.float32), builder.batch)
    if rows is None or not isinstance(x.source, Matrix) or not (rows == rows[0]).all():
        raise Refused(
            f"it multiplies a value of shape {x.shape} by a constant of shape {constant.shape}",
            "a factor is a scalar, or a vector with one number per column (LayerScale)",
        )
    producer = builder.producer(x.source)
    if isinstance(producer, LayerNorm):
        gamma, beta = producer.gamma * rows[0], producer.beta * rows[0]
        op = replace(producer, output=value_name(node), gamma=gamma, beta=beta)
    else:
        op = Scale(label(node), producer.output, value_name(node), rows[0])
    return replace(x, source=builder.emit(op, x.source.rows, x.source.columns))


def _concat(builder: Builder, node: ir.Node, operands: Sequence[Known]) -> View:
    """Class tokens in front of the patches."""
    *prefix, x = operands
    arrays = [part for part in prefix if isinstance(part, np.ndarray)]
    if not isinstance(x, View) or len(arrays) != len(prefix):
        raise Refused(
            "it joins values that are not constant tokens followed by the patches",
            "hwgen joins class tokens in front of the patches and nothing else",
        )
    axis = node.attributes.get_int("axis")
    if len(x.shape) != 3 or axis not in (1, -2) or x.shape[0] != builder.batch:
        raise Refused(f"it joins along axis {axis} of shape {x.shape}", "class tokens are rows")
    tokens = np.concatenate(arrays, axis=1).astype(np.float32)
    if (tokens != tokens[0]).any():
        raise Refused("the class tokens differ between the images of a batch")
    matrix = builder.matrix(x)
    producer = builder.producer(matrix)
    class_token, position = tokens[0], np.zeros((matrix.rows, matrix.columns), np.float32)
    if isinstance(producer, Tokens):
        matrix = replace(matrix, name=producer.input)
        class_token = np.concatenate([class_token, producer.class_token])
        position = producer.position
    elif not isinstance(producer, PatchEmbedding):
        raise Refused("it joins tokens inside the network", "hwgen joins them before block one")
    position = np.concatenate([np.zeros_like(tokens[0]), position])
    op = Tokens("tokens", matrix.name, value_name(node), class_token, position)
    return builder.view(op, (builder.batch, len(position), matrix.columns))


def _softmax(builder: Builder, node: ir.Node, operands: Sequence[Known]) -> View:
    return attention.softmax(_view(operands, 0), node.attributes.get_int("axis", -1))


def _is_nan(builder: Builder, node: ir.Node, operands: Sequence[Known]) -> NanGuard:
    if not isinstance(_view(operands, 0).source, Probabilities):
        raise Refused("it looks for NaN in a value that is no softmax")
    return NanGuard()


def _where(builder: Builder, node: ir.Node, operands: Sequence[Known]) -> View:
    """The guard some exporters put around softmax: a softmax is never NaN, so it is left out."""
    if not isinstance(operands[0], NanGuard):
        raise Refused("a choice between values", "hwgen has no masks")
    return _view(operands, 2)


def _unchanged(builder: Builder, node: ir.Node, operands: Sequence[Known]) -> View:
    return _view(operands, 0)


def _cast(builder: Builder, node: ir.Node, operands: Sequence[Known]) -> View:
    target = ir.DataType(node.attributes.get_int("to"))
    if not target.is_floating_point():
        raise Refused(f"it rounds activations to {target}", "give the float model")
    return _view(operands, 0)


def _attention(builder: Builder, node: ir.Node, operands: Sequence[Known]) -> View:
    return attention.whole(builder, node, operands)


def _view(operands: Sequence[Known], position: int) -> View:
    operand = operands[position]
    if not isinstance(operand, View):
        raise Refused(f"its operand {position} does not depend on the image")
    return operand


def _constant(operands: Sequence[Known], position: int) -> np.ndarray:
    operand = operands[position]
    if not isinstance(operand, np.ndarray):
        raise Refused(f"its operand {position} is no constant")
    return operand


def _optional(operands: Sequence[Known], position: int) -> np.ndarray | None:
    if position >= len(operands) or operands[position] is None:
        return None
    return _constant(operands, position)


def _vector(array: np.ndarray | None, size: int) -> np.ndarray:
    """``array`` as float32 (size,); zeros where it is absent."""
    if array is None:
        return np.zeros(size, np.float32)
    if array.size not in (1, size):
        raise Refused(f"a vector of shape {array.shape} where {size} numbers are needed")
    return np.broadcast_to(array.ravel(), size).astype(np.float32)


HANDLERS: Mapping[tuple[str, str], Handler] = {
    ("", "Add"): _add,
    ("", "Attention"): _attention,
    ("", "Cast"): _cast,
    ("", "Concat"): _concat,
    ("", "Conv"): _conv,
    ("", "Div"): _div,
    ("", "Dropout"): _unchanged,
    ("", "Gelu"): _gelu,
    ("", "Gemm"): _gemm,
    ("", "IsNaN"): _is_nan,
    ("", "LayerNormalization"): _layer_normalization,
    ("", "MatMul"): _mat_mul,
    ("", "Mul"): _mul,
    ("", "Softmax"): _softmax,
    ("", "Sub"): _sub,
    ("", "Where"): _where,
    (DOMAIN, "Gelu"): _gelu,
    (DOMAIN, "Normalize"): _normalize,
}
