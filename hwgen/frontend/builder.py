# SPDX-License-Identifier: Apache-2.0
"""Collects the operations of a Graph, and makes matrices out of views."""

import itertools
from dataclasses import replace

import numpy as np

from hwgen.frontend.names import part_name
from hwgen.frontend.refusal import Refused
from hwgen.frontend.values import Matrix, View, in_order, rows_and_columns
from hwgen.ir.graph import Linear, Op, Scale, TakeToken


class Builder:
    """The operations so far. ``batch`` is the number of images in every ONNX tensor."""

    def __init__(self, batch: int, image: str) -> None:
        self.batch = batch
        self.image = image
        self.ops: list[Op] = []
        self._producers: dict[str, Op] = {}
        self._made: dict[tuple[str, str, bytes], Matrix] = {}

    def emit(self, op: Op, rows: int, columns: int) -> Matrix:
        """Appends ``op``, whose output has ``rows`` and ``columns`` per image.

        The output is renamed if its name is taken.
        """
        taken = self._producers.keys() | {self.image}
        numbered = (f"{op.output}_{i}" for i in itertools.count(2))
        output = next(n for n in itertools.chain([op.output], numbered) if n not in taken)
        op = replace(op, output=output)
        self.ops.append(op)
        self._producers[output] = op
        return Matrix(output, rows, columns)

    def producer(self, matrix: Matrix) -> Op:
        """The operation that makes ``matrix``."""
        return self._producers[matrix.name]

    def view(self, op: Op, shape: tuple[int, ...]) -> View:
        """Appends ``op`` and views its output in order, as a tensor of ``shape`` (..., columns)."""
        rows = int(np.prod(shape)) // (self.batch * shape[-1])
        return in_order(self.emit(op, rows, shape[-1]), shape)

    def matrix(self, view: View, role: str = "part") -> Matrix:
        """The value that holds exactly what ``view`` (..., columns) shows.

        A cut through the columns of a Linear becomes a Linear of its own, called after ``role``;
        a single row a TakeToken; a factor a Scale.

        Raises Refused when ``view`` is no such thing.
        """
        found = rows_and_columns(view, self.batch)
        if found is None or not isinstance(view.source, Matrix):
            raise Refused(
                "its input is not a plain matrix of tokens: the elements have been rearranged, "
                "or they are pixels or attention scores"
            )
        rows, columns = found
        matrix = self._columns(view.source, columns, role)
        matrix = self._rows(matrix, rows)
        return self._scaled(matrix, view.factor)

    def _columns(self, matrix: Matrix, columns: np.ndarray, role: str) -> Matrix:
        if np.array_equal(columns, np.arange(matrix.columns)):
            return matrix
        linear = self.producer(matrix)
        if not isinstance(linear, Linear):
            raise Refused(
                f"it takes {len(columns)} of the {matrix.columns} columns of '{linear.name}'",
                "only the output of a Linear can be split by columns",
            )
        part = replace(
            linear,
            name=part_name(linear.name, role),
            output=f"{linear.output}.{role}",
            weight=linear.weight[columns],
            bias=linear.bias[columns],
        )
        return self._once(matrix, columns, part, matrix.rows, len(columns))

    def _rows(self, matrix: Matrix, rows: np.ndarray) -> Matrix:
        if np.array_equal(rows, np.arange(matrix.rows)):
            return matrix
        if len(rows) != 1:
            raise Refused(
                f"it takes {len(rows)} of {matrix.rows} tokens",
                "hwgen takes all tokens or a single one (the class token)",
            )
        index = int(rows[0])
        take = TakeToken("take_token", matrix.name, f"{matrix.name}.token{index}", index)
        return self._once(matrix, rows, take, 1, matrix.columns)

    def _scaled(self, matrix: Matrix, factor: float) -> Matrix:
        if factor == 1.0:
            return matrix
        factors = np.full(matrix.columns, factor, np.float32)
        scale = Scale("scale", matrix.name, f"{matrix.name}.scaled", factors)
        return self._once(matrix, factors, scale, matrix.rows, matrix.columns)

    def _once(
        self, matrix: Matrix, selection: np.ndarray, op: Op, rows: int, columns: int
    ) -> Matrix:
        """Emits ``op`` unless the same was already made of ``matrix``."""
        key = (matrix.name, type(op).__name__, selection.tobytes())
        if key not in self._made:
            self._made[key] = self.emit(op, rows, columns)
        return self._made[key]
