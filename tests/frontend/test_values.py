# SPDX-License-Identifier: Apache-2.0
"""Views recognise rows and columns of a matrix, however it was cut and turned."""

from dataclasses import replace

import numpy as np

from hwgen.frontend.values import Matrix, Pixels, View, in_order, rows_and_columns, spread

MATRIX = Matrix("x", rows=5, columns=6)
BATCH = 2


def whole() -> View:
    return in_order(MATRIX, (BATCH, 5, 6))


def arranged(index: np.ndarray) -> View:
    return replace(whole(), index=index)


def test_a_whole_matrix() -> None:
    found = rows_and_columns(whole(), BATCH)
    assert found is not None
    assert found[0].tolist() == list(range(5)) and found[1].tolist() == list(range(6))


def test_some_rows_and_columns_in_any_order() -> None:
    found = rows_and_columns(arranged(whole().index[:, 1:3][..., [4, 0]]), BATCH)
    assert found is not None
    assert found[0].tolist() == [1, 2] and found[1].tolist() == [4, 0]


def test_one_head_turned_and_turned_back() -> None:
    heads = whole().index.reshape(BATCH, 5, 3, 2).transpose(0, 2, 3, 1)
    back = heads[:, 1].transpose(0, 2, 1)
    found = rows_and_columns(arranged(back), BATCH)
    assert found is not None and found[1].tolist() == [2, 3]


def test_what_is_no_cut_through_a_matrix() -> None:
    index = whole().index
    assert rows_and_columns(arranged(index.transpose(0, 2, 1)), BATCH) is None
    assert rows_and_columns(arranged(index[::-1]), BATCH) is None, "images change places"
    assert rows_and_columns(arranged(index[:1]), BATCH) is None, "an image is missing"
    assert rows_and_columns(replace(whole(), source=Pixels()), BATCH) is None


def test_a_constant_follows_the_arrangement() -> None:
    turned = arranged(whole().index.transpose(0, 2, 1))
    found = spread(turned, np.arange(6.0)[:, None], BATCH)
    assert found is not None and (found == np.arange(6)).all() and found.shape == (5, 6)


def test_a_constant_that_does_not_fit() -> None:
    assert spread(whole(), np.ones(5), BATCH) is None
    assert spread(whole(), np.ones((7, 2, 5, 6)), BATCH) is None
    assert spread(whole(), np.arange(2.0).reshape(2, 1, 1), BATCH) is None, "images differ"
    assert spread(arranged(whole().index[:, :2]), np.ones(6), BATCH) is None, "rows are missing"
