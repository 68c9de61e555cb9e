# SPDX-License-Identifier: Apache-2.0
import numpy as np

from hwgen.golden.attention import attention
from hwgen.numerics.fixed_point import ratio_from
from hwgen.program.instructions import Attention


def op(heads: int, score_scale: float, real_scale: float) -> Attention:
    score = ratio_from(score_scale)
    output = ratio_from(1.0)
    exponent = round(real_scale * np.log2(np.e) * 2**14)
    return Attention(
        rows=0, rows_register=0, keys=0, keys_register=0, query_address=0, query_stride=0,
        key_address=0, key_stride=0, value_address=0, value_stride=0, destination_address=0,
        destination_stride=0, heads=heads, head_slices=1, score_multiplier=score.multiplier,
        score_shift=score.shift, exponent_multiplier=exponent,
        output_multiplier=output.multiplier, output_shift=output.shift,
    )  # fmt: skip


def test_close_to_real_attention() -> None:
    rng = np.random.default_rng(0)
    query, key, value = (rng.integers(-127, 128, (2, 9, 128)) for _ in range(3))
    # One score step stands for 0.05; products reach about 64 * 127 * 127 / 4.
    result = attention(op(2, 1 / 2048, 0.05), query, key, value)
    for head in range(2):
        part = slice(64 * head, 64 * head + 64)
        score = np.clip(np.rint(query[..., part] @ key[..., part].swapaxes(1, 2) / 2048), -127, 127)
        weight = np.exp((score - score.max(axis=-1, keepdims=True)) * 0.05)
        real = weight @ value[..., part] / weight.sum(axis=-1, keepdims=True)
        assert np.abs(result[..., part] - real).max() < 2.5


def test_equal_scores_average_the_values() -> None:
    query, key = np.zeros((1, 3, 64), np.int64), np.zeros((1, 197, 64), np.int64)
    value = np.random.default_rng(1).integers(-127, 128, (1, 197, 64))
    result = attention(op(1, 1 / 2048, 0.05), query, key, value)
    assert np.abs(result - value.mean(axis=1)).max() <= 0.51
