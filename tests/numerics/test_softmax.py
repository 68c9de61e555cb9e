# SPDX-License-Identifier: Apache-2.0
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hwgen.numerics.softmax import exponential, exponential_table, softmax


def test_exponential_never_rises_and_ends_at_zero() -> None:
    result = exponential(np.arange(0, 16 << 14))
    assert result[0] == 127
    assert (np.diff(result) <= 0).all()
    assert (result[8 << 14 :] == 0).all()


@given(st.lists(st.integers(-127, 127), min_size=1, max_size=64), st.integers(1, 65535))
def test_softmax_weights_are_close_to_the_real_ones(scores: list[int], multiplier: int) -> None:
    exponentials, total = softmax(np.array(scores), multiplier)
    real = np.exp2((np.array(scores) - max(scores)) * multiplier / 2**14)
    assert np.abs(exponentials / 127 - real).max() < 0.0061
    assert total == exponentials.sum() >= 127


def test_uniform_scores_keep_full_resolution() -> None:
    exponentials, total = softmax(np.zeros((2, 197), np.int64), 1000)
    assert (exponentials == 127).all()
    assert (total == 127 * 197).all()


def test_table_equals_the_function() -> None:
    assert (exponential_table(777) == exponential(np.arange(255) * 777)).all()
