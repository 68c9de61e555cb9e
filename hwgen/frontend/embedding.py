# SPDX-License-Identifier: Apache-2.0
"""From pixels to tokens: patch embedding and class token."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import onnx_ir as ir

from hwgen.frontend.builder import Builder
from hwgen.frontend.names import given_name, label, value_name
from hwgen.frontend.operands import constant_at, optional_at, vector, view_at
from hwgen.frontend.refusal import Refused
from hwgen.frontend.values import Known, Pixels, View
from hwgen.ir.graph import PatchEmbedding, Tokens


def conv(builder: Builder, node: ir.Node, operands: Sequence[Known]) -> View:
    """The patch embedding: a convolution whose square kernel is its stride."""
    pixels, weight = view_at(operands, 0), constant_at(operands, 1)
    bias = optional_at(operands, 2)
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
        vector(bias, columns),
        patch,
    )
    grid = [s // patch for s in size]
    rows = builder.view(op, (batch, math.prod(grid), columns))
    index = rows.index.transpose(0, 2, 1).reshape(batch, columns, *grid)
    return replace(rows, index=index)


def concat(builder: Builder, node: ir.Node, operands: Sequence[Known]) -> View:
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
    if any(array.ndim != 3 or array.shape[::2] != x.shape[::2] for array in arrays):
        raise Refused(f"it joins constants that do not fit the patches of shape {x.shape}")
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
    name = given_name(node) or "tokens"
    op = Tokens(name, matrix.name, value_name(node), class_token, position)
    return builder.view(op, (builder.batch, len(position), matrix.columns))
