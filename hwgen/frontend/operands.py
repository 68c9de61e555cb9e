# SPDX-License-Identifier: Apache-2.0
"""The operands of an ONNX node, each as what a handler needs it to be."""

from collections.abc import Sequence

import numpy as np

from hwgen.frontend.refusal import Refused
from hwgen.frontend.values import Known, View


def view_at(operands: Sequence[Known], position: int) -> View:
    operand = operands[position]
    if not isinstance(operand, View):
        raise Refused(f"its operand {position} does not depend on the image")
    return operand


def constant_at(operands: Sequence[Known], position: int) -> np.ndarray:
    operand = operands[position]
    if not isinstance(operand, np.ndarray):
        raise Refused(f"its operand {position} is no constant")
    return operand


def optional_at(operands: Sequence[Known], position: int) -> np.ndarray | None:
    if position >= len(operands) or operands[position] is None:
        return None
    return constant_at(operands, position)


def vector(array: np.ndarray | None, size: int) -> np.ndarray:
    """``array`` as float32 (size,); zeros where it is absent."""
    if array is None:
        return np.zeros(size, np.float32)
    if array.size not in (1, size):
        raise Refused(f"a vector of shape {array.shape} where {size} numbers are needed")
    return np.broadcast_to(array.ravel(), size).astype(np.float32)
