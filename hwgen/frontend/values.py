# SPDX-License-Identifier: Apache-2.0
"""What the translator knows of each ONNX tensor.

A tensor that is no constant is a ``View``: an arrangement of the elements of one ``Source``. Each
element of the source has a number; the view's ``index`` holds those numbers in the tensor's shape.
Reshape, Transpose, Slice and their like are then simply applied to the index, whatever way an
exporter chose to cut a matrix into heads, and a matrix is recognised again by its numbers.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Pixels:
    """The model's input; elements are numbered in the order batch, channel, row, column."""


@dataclass(frozen=True)
class Matrix:
    """A value of the Graph; elements are numbered in the order batch, row, column."""

    name: str
    rows: int
    columns: int


@dataclass(frozen=True)
class Scores:
    """``Q K^T`` of all heads, numbered in the order batch, head, query row, key row."""

    query: Matrix
    key: Matrix
    heads: int
    scale: float


@dataclass(frozen=True)
class Probabilities:
    """The softmax of scores, numbered alike."""

    scores: Scores


Source = Pixels | Matrix | Scores | Probabilities


@dataclass(frozen=True, eq=False)
class View:
    """Elements of ``source`` times ``factor``, arranged as ``index`` says."""

    source: Source
    index: np.ndarray
    factor: float = 1.0

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the ONNX tensor."""
        return self.index.shape

    @property
    def in_order(self) -> bool:
        """Whether the elements, read in order, count up from 0."""
        return np.array_equal(self.index.ravel(), np.arange(self.index.size))


@dataclass(frozen=True, eq=False)
class NanGuard:
    """The result of IsNaN on probabilities: nowhere true."""


@dataclass(frozen=True)
class Unknown:
    """The result of a node that was refused; what depends on it is not looked at."""


Known = np.ndarray | View | NanGuard | Unknown | None
"""None stands for an optional input that is absent."""


def in_order(source: Source, shape: tuple[int, ...]) -> View:
    """All elements of ``source`` in their order, in a tensor of ``shape``."""
    return View(source, np.arange(int(np.prod(shape))).reshape(shape))


def rows_and_columns(view: View, batch: int) -> tuple[np.ndarray, np.ndarray] | None:
    """The rows and columns of its Matrix that ``view`` (..., columns) takes, in every image.

    None when the elements are not those of whole rows cut at the same columns.
    """
    source = view.source
    if not isinstance(source, Matrix) or view.index.ndim < 2 or view.index.size == 0:
        return None
    if view.index.size % (batch * view.shape[-1]):
        return None
    index = view.index.reshape(batch, -1, view.shape[-1])
    rows = index[0, :, 0] // source.columns
    columns = index[0, 0] % source.columns
    images = np.arange(batch)[:, None, None] * source.rows
    expected = (images + rows[:, None]) * source.columns + columns
    return (rows, columns) if np.array_equal(index, expected) else None


def spread(view: View, array: np.ndarray, batch: int) -> np.ndarray | None:
    """The constant ``array`` as it meets the elements of the Matrix under ``view``.

    Returns (rows, columns); None when ``array`` does not fit the view's shape, differs between
    images, or the view does not hold every element of its source once.
    """
    source = view.source
    if not isinstance(source, Matrix):
        return None
    if view.index.size != batch * source.rows * source.columns:
        return None
    if not _broadcasts(array.shape, view.shape):
        return None
    order = np.argsort(view.index, axis=None)
    if not np.array_equal(view.index.ravel()[order], np.arange(order.size)):
        return None
    flat = np.broadcast_to(array, view.shape).ravel()[order]
    images = flat.reshape(batch, source.rows, source.columns)
    return images[0] if (images == images[0]).all() else None


def _broadcasts(small: tuple[int, ...], large: tuple[int, ...]) -> bool:
    """Whether an array of shape ``small`` meets one of shape ``large`` without enlarging it."""
    ends = zip(reversed(small), reversed(large), strict=False)
    return len(small) <= len(large) and all(a in (1, b) for a, b in ends)
