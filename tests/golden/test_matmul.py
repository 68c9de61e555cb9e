# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from hwgen.golden.matmul import (
    LayerParameters,
    exact_product,
    matmul,
    pack_parameters,
    row_mean,
    unpack_parameters,
)
from hwgen.program.engine import EngineConfig
from hwgen.program.fields import Buffer
from hwgen.program.instructions import Matmul


def op(**fields: int) -> Matmul:
    base = dict(
        rows=3, rows_register=0, source_buffer=Buffer.WORK, source_address=0, source_stride=3,
        reduction_slices=2, destination_buffer=Buffer.WORK, destination_address=0,
        destination_stride=3, output_slices=3, offset=0,
    )  # fmt: skip
    return Matmul(**(base | fields))


def parameters(outputs: int, inputs: int, seed: int = 0) -> LayerParameters:
    rng = np.random.default_rng(seed)
    return LayerParameters(
        rng.integers(-127, 128, (outputs, inputs)).astype(np.int8),
        rng.integers(-(2**20), 2**20, outputs).astype(np.int32),
        rng.integers(1 << 15, 1 << 16, outputs).astype(np.uint16),
        rng.integers(20, 30, outputs).astype(np.uint8),
    )


@pytest.mark.parametrize("inputs", [1, 64, 1024, 1025, 3072, 8192])
def test_product_is_exact_at_the_extremes(inputs: int) -> None:
    left = np.full((2, inputs), -128, np.int8)
    right = np.full((inputs, 2), 127, np.int8)
    assert (exact_product(left, right) == -128 * 127 * inputs).all()


def test_product_equals_integer_matrix_multiplication() -> None:
    rng = np.random.default_rng(1)
    left = rng.integers(-128, 128, (4, 7, 2500))
    right = rng.integers(-127, 128, (2500, 9))
    assert (exact_product(left, right) == left @ right).all()


@pytest.mark.parametrize("lanes", [16, 64])
def test_unpack_inverts_pack(lanes: int) -> None:
    layer = parameters(3 * lanes, 2 * lanes)
    stream = np.concatenate([np.zeros((5, lanes), np.uint8), pack_parameters(layer, lanes)])
    again = unpack_parameters(stream, op(offset=5), EngineConfig(lanes=lanes))
    for name in ("weights", "bias", "multiplier", "shift"):
        assert (getattr(again, name) == getattr(layer, name)).all(), name


def test_stream_order_is_parameters_then_one_beat_a_channel() -> None:
    layer = parameters(32, 32)
    stream = pack_parameters(layer, 16)
    second = stream[8 + 32 :]  # second output slice
    assert int.from_bytes(second[0, 8:12].tobytes(), "little", signed=True) == layer.bias[17]
    beat = second[8 + 16 + 5]  # channel 5 of the second reduction slice
    assert (beat.view(np.int8) == layer.weights[16 + 5, 16:32]).all()


def test_every_result_by_hand() -> None:
    rng = np.random.default_rng(2)
    layer = parameters(48, 32)
    source = rng.integers(-127, 128, (3, 32))
    residual = rng.integers(-32767, 32768, (3, 48))
    wide_op = op(destination_buffer=Buffer.RESIDUAL, residual=1)
    narrow, wide = matmul(op(), source, None, layer), matmul(wide_op, source, residual, layer)
    for row in range(3):
        for column in range(48):
            acc = sum(
                int(a) * int(w) for a, w in zip(source[row], layer.weights[column], strict=True)
            )
            acc += int(layer.bias[column])
            shift = int(layer.shift[column])
            value = (acc * int(layer.multiplier[column]) + (1 << (shift - 1))) >> shift
            assert narrow[row, column] == max(-127, min(127, value))
            value = max(-32767, min(32767, value)) + int(residual[row, column])
            assert wide[row, column] == max(-32767, min(32767, value))


@pytest.mark.parametrize("rows", [1, 2, 3, 64, 197, 2048])
def test_row_mean_is_the_mean_rounded_down_by_less_than_the_ratio(rows: int) -> None:
    values = np.random.default_rng(rows).integers(-127, 128, (2, rows, 300))
    values[:, :, 0], values[:, :, 1] = 127, -127
    found = row_mean(values)
    assert found.shape == (2, 1, 300)
    exact = values.mean(axis=1, keepdims=True)
    assert np.abs(found - exact).max() <= 0.5 + 127 * 2**-15
    assert (found[..., :2] == [127, -127]).all()
