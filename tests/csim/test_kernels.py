# SPDX-License-Identifier: Apache-2.0
"""Each C++ kernel against its golden function, every input where the domain allows it."""

import struct
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hwgen.golden.matmul import LayerParameters, pack_parameters
from hwgen.golden.select import kept_rows, most_heads, token_select
from hwgen.numerics.fixed_point import INT8_MAX, INT16_MAX, Ratio, ratio_from, requantise, saturate
from hwgen.numerics.gelu import GeluConstants, gelu, gelu_constants, gelu_int8
from hwgen.numerics.layer_norm import NormaliseConstants, mean_multiplier, normalise
from hwgen.numerics.mean import MOST_ROWS, mean_ratio
from hwgen.numerics.piecewise import inverse_sqrt, reciprocal
from hwgen.numerics.sigmoid import sigmoid
from hwgen.numerics.softmax import exponential_table, softmax
from hwgen.program.engine import EngineConfig
from hwgen.program.extent import most_rows
from hwgen.program.instructions import TokenSelect, encode

LANES = pytest.mark.parametrize("lanes", [16, 64])
EVERY_INT16 = np.arange(-INT16_MAX, INT16_MAX + 1)
MULTIPLIERS = (0, 1, 2, 160, 1181, 16384, 40000, 65535)


def _count(values: Any) -> bytes:
    return struct.pack("<I", len(values))


def _row_ratio(root: np.ndarray, root_shift: np.ndarray, ratio: Ratio) -> np.ndarray:
    """uint16 (..., 2): multiplier and shift; 47 stands for all larger shifts, which give zero."""
    factor = (root * ratio.multiplier + (1 << 15)) >> 16
    shift = np.clip(root_shift + ratio.shift - 16, 1, 47)
    return np.stack([factor, shift], axis=-1).astype("<u2")


def test_requantise(build: Any) -> None:
    rng = np.random.default_rng(1)
    limit = (1 << 26) - 1
    edges = [-limit, limit, -1, 0, 1, 127, -128]
    corners = [(a, m, s) for a in edges for m in (0, 1, 32768, 65535) for s in range(1, 48)]
    # Ties and their neighbours: an odd number of halves.
    ties = [
        (a, 1, s)
        for s in range(1, 26)
        for n in (-3, -1, 1, 3)
        for a in ((n << s >> 1) - 1, n << s >> 1, (n << s >> 1) + 1)
    ]
    shifts = rng.integers(1, 48, 20000)
    near = (rng.normal(0, 1, 20000) * 2.0 ** (shifts - 8)).clip(-limit, limit).astype(np.int64)
    random = np.stack([near, rng.integers(0, 1 << 16, 20000), shifts], axis=1)
    cases = np.concatenate([corners, ties, random])
    a, m, s = cases.T
    build("test_fixed_point").passes(
        _count(a),
        a.astype("<i4"),
        m.astype("<u2"),
        s.astype(np.uint8),
        requantise(a, m, s, INT8_MAX).astype("<i2"),
        requantise(a, m, s, INT16_MAX).astype("<i2"),
    )


def test_reciprocal_and_inverse_sqrt(build: Any) -> None:
    rng = np.random.default_rng(2)
    every = np.arange(1, 1 << 16)  # every mantissa of the reciprocal, and all short values

    def wide(bits: int) -> np.ndarray:
        lengths = rng.integers(16, bits, 20000)
        powers = np.int64(1) << np.arange(bits, dtype=np.int64)
        random = (np.int64(1) << lengths) + rng.integers(0, np.int64(1) << lengths)
        return np.concatenate([every, powers, np.maximum(powers - 1, 1), random])

    parts: list[Any] = []
    for values, function in ((wide(23), reciprocal), (wide(62), inverse_sqrt)):
        multiplier, shift = function(values)
        parts += [
            _count(values),
            values.astype("<u8"),
            multiplier.astype("<u2"),
            shift.astype(np.uint8),
        ]
    roots = rng.integers(1 << 15, 1 << 16, 2000)
    root_shifts = rng.integers(15, 48, 2000)
    multipliers, shifts = rng.integers(0, 1 << 16, 2000), rng.integers(1, 48, 2000)
    ratios = [
        _row_ratio(*values)
        for values in zip(roots, root_shifts, map(Ratio, multipliers, shifts), strict=True)
    ]
    given = np.stack([roots, root_shifts, multipliers, shifts], axis=1)
    table = np.concatenate([given, np.array(ratios)], axis=1).astype("<u2")
    build("test_piecewise").passes(*parts, _count(table), table)


def test_gelu_of_every_input(build: Any) -> None:
    parts: list[Any] = []
    for constants, output in (
        (gelu_constants(1.0), ratio_from(2.0**-12 / 0.05)),
        (gelu_constants(0.5), ratio_from(2.0**-12 / 0.011)),
        (gelu_constants(0.77), ratio_from(2.0**-12 / 0.3, power_of_two=True)),
        (GeluConstants(65535, 65535), Ratio(65535, 1)),
        (GeluConstants(0, 65535), Ratio(65535, 20)),
    ):
        parts += [
            struct.pack("<4H", constants.one, constants.slope, output.multiplier, output.shift),
            gelu(EVERY_INT16, constants).astype("<i4"),
            gelu_int8(EVERY_INT16, constants, output).astype(np.int8),
        ]
    build("test_gelu").passes(*parts)


@LANES
def test_softmax(build: Any, lanes: int) -> None:
    rng = np.random.default_rng(3)
    parts: list[Any] = [_count(MULTIPLIERS)]
    for multiplier in MULTIPLIERS:
        parts.append(struct.pack("<H", multiplier))
        parts.append(exponential_table(multiplier).astype(np.uint8))
    for rows, keys, multiplier in (
        (1, 1, 500),
        (7, lanes, 1181),
        (13, 3 * lanes - 1, 160),
        (20, 2 * lanes + 1, 16384),
        (5, lanes - 1, 0),
        (2, 5 * lanes, 65535),
    ):
        output = ratio_from(float(rng.uniform(0.3, 5)))
        slices = -(-keys // lanes)
        scores = rng.normal(0, rng.uniform(5, 90), (rows, keys)).clip(-127, 127).astype(np.int64)
        scores[0] = -127
        scores[-1, -1] = 127
        exponentials, total = softmax(scores, multiplier)
        padded = np.zeros((2, rows, slices * lanes), np.int8)
        padded[0] = rng.integers(-128, 128, padded[0].shape)  # beyond the keys: anything
        padded[0, :, :keys] = scores
        padded[1, :, :keys] = exponentials
        peaks = scores.max(axis=1, keepdims=True).astype(np.int8)
        parts.append(struct.pack("<5H", rows, keys, multiplier, output.multiplier, output.shift))
        parts.append(np.concatenate([peaks, padded[0]], axis=1))
        ratios = _row_ratio(*reciprocal(total), output)
        parts += [bytes(e) + r.tobytes() for e, r in zip(padded[1], ratios, strict=True)]
    build("test_softmax", EngineConfig(lanes=lanes)).passes(*parts)


@LANES
def test_layer_norm(build: Any, lanes: int) -> None:
    rng = np.random.default_rng(4)
    parts: list[Any] = []
    for rows, slices, padding in ((3, 1, 0), (17, 3, lanes - 1), (9, 12, 5), (4, 48, 0), (1, 2, 1)):
        columns = slices * lanes - padding
        size = 2.0 ** rng.uniform(0, 15, (rows, 1))
        x = (rng.normal(0, size, (rows, columns)) + rng.normal(0, size)).clip(-32767, 32767)
        x = np.rint(x).astype(np.int64)
        x[0] = 0
        if rows > 3:
            x[1], x[2] = 32767, -32767
            x[3] = np.where(np.arange(columns) % 2, 32767, -32767)
        x = np.pad(x, ((0, 0), (0, padding)))
        epsilon = int(rng.integers(0, 1 << 44)) if rows != 17 else 0
        output = ratio_from(columns / 64 * float(rng.uniform(10, 60)))
        constants = NormaliseConstants(columns, mean_multiplier(columns), epsilon, output)
        stride, address = rows + 3, 11
        sliced = x.reshape(rows, slices, lanes).transpose(1, 0, 2)
        result = normalise(x, constants).reshape(rows, slices, lanes).transpose(1, 0, 2)
        numbers = (rows, slices, address, stride, columns, output.multiplier, output.shift)
        parts += [
            struct.pack("<7H", *numbers),
            struct.pack("<IQ", constants.mean_multiplier, epsilon),
            sliced.astype("<i2"),
            result.astype(np.int8),
        ]
    build("test_layer_norm", EngineConfig(lanes=lanes)).passes(*parts)


def _tile(weights: np.ndarray, activations: np.ndarray) -> list[Any]:
    """int8 weights (outputs, lanes) and rows of activations, with the products."""
    products = activations.astype(np.int64) @ weights.astype(np.int64).T
    rows = [
        a.astype(np.int8).tobytes() + p.astype("<i4").tobytes()
        for a, p in zip(activations, products, strict=True)
    ]
    return [weights.astype(np.int8), _count(activations), *rows]


@pytest.mark.parametrize("define", ["", "HWGEN_EXACT_TYPES"])
@LANES
def test_array(build: Any, lanes: int, define: str) -> None:
    rng = np.random.default_rng(5)
    corners = np.array([-127, -126, -64, -1, 0, 1, 64, 127])
    every = np.repeat(np.arange(-128, 128)[:, None], lanes, axis=1)
    edges = rng.choice([-128, -127, -1, 0, 1, 127], (50, lanes))
    parts: list[Any] = []
    # Each pair of corner weights against each activation, all rows of the tile alike.
    pairs = np.array([(low, high) for low in corners for high in corners]).reshape(-1, lanes)
    for outputs in pairs:
        parts += _tile(np.repeat(outputs[:, None], lanes, axis=1), every)
    for values in (corners, np.array([-127, 127]), np.arange(-127, 128)):
        weights = rng.choice(values, (lanes, lanes))
        random = rng.integers(-128, 128, (50, lanes))
        parts += _tile(weights, np.concatenate([every, edges, random]))
    build("test_array", EngineConfig(lanes=lanes), define=define).passes(*parts)


@LANES
def test_transposer(build: Any, lanes: int) -> None:
    square = np.random.default_rng(6).integers(-128, 128, (lanes, lanes)).astype(np.int8)
    build("test_transposer", EngineConfig(lanes=lanes)).passes(square)


@LANES
def test_epilogue(build: Any, lanes: int) -> None:
    rng = np.random.default_rng(7)
    rows = 40
    parts: list[Any] = []
    for narrow, with_gelu, residual, by_row in (
        (0, 0, 0, 0),
        (0, 0, 1, 0),
        (1, 0, 0, 0),
        (1, 1, 0, 0),
        (1, 0, 0, 1),
    ):
        shift = rng.integers(30, 44, lanes)
        parameters = LayerParameters(
            np.zeros((lanes, lanes), np.int8),
            rng.integers(-(1 << 25), 1 << 25, lanes) * (1 - by_row),
            rng.integers(1 << 15, 1 << 16, lanes),
            shift,
        )
        constants = gelu_constants(0.5)
        output = ratio_from(2.0**-12 / 0.06)
        row_ratio = Ratio(int(rng.integers(1, 1 << 16)), 36)
        sums = rng.integers(-(1 << 25), 1 << 25, (rows, lanes))
        operand = rng.choice([-32767, -5, 0, 9, 32767], (rows, lanes))
        ratio = (row_ratio.multiplier, row_ratio.shift)
        wide = requantise(
            sums + parameters.bias,
            *(ratio if by_row else (parameters.multiplier, parameters.shift)),
            INT16_MAX,
        )
        expected = wide
        if with_gelu:
            expected = gelu_int8(wide, constants, output)
        elif narrow:
            expected = saturate(wide, INT8_MAX)
        elif residual:
            expected = saturate(wide + operand, INT16_MAX)
        flags = (narrow, with_gelu, residual, by_row)
        numbers = (constants.one, constants.slope, output.multiplier, output.shift, *ratio)
        parts += [
            struct.pack("<10H", *flags, *numbers),
            pack_parameters(parameters, lanes)[:8],
            struct.pack("<I", rows),
        ]
        for row in zip(sums.astype("<i4"), operand.astype("<i2"), expected, strict=True):
            parts += [row[0], row[1], row[2].astype("<i2")]
    build("test_epilogue", EngineConfig(lanes=lanes)).passes(*parts)


@LANES
def test_mean(build: Any, lanes: int) -> None:
    rng = np.random.default_rng(8)
    ratios = [mean_ratio(count) for count in range(1, MOST_ROWS + 1)]
    parts: list[Any] = [np.array([(r.multiplier, r.shift) for r in ratios], "<u2")]
    for count in [1, 2, 3, MOST_ROWS - 1, MOST_ROWS, *rng.integers(1, MOST_ROWS, 200)]:
        sums = rng.integers(-INT16_MAX, INT16_MAX + 1, lanes) * count
        sums[:2] = INT16_MAX * count, -INT16_MAX * count
        sums[2:5] = rng.integers(-4, 5, 3)  # ties, and near zero
        ratio = ratios[count - 1]
        means = requantise(sums, ratio.multiplier, ratio.shift, INT16_MAX)
        parts += [struct.pack("<I", count), sums.astype("<i4"), means.astype("<i2")]
    build("test_mean", EngineConfig(lanes=lanes)).passes(*parts)


@LANES
def test_token_select(build: Any, lanes: int) -> None:
    """Every row is kept and dropped somewhere, in place, below the source and apart from it."""
    rng = np.random.default_rng(9)
    depth = 120
    engine = EngineConfig(lanes=lanes, max_rows=30, residual_depth=depth, work_depth=40)
    parts: list[Any] = [sigmoid(np.arange(-128, 128)).astype("<u2")]
    for number in range(60):
        rows = int(rng.integers(1, 31))
        prefix = int(rng.integers(0, min(rows, 2) + 1))
        slices, stride = int(rng.integers(1, 3)), 31
        source = int(rng.integers(0, depth - stride * (slices - 1) - rows))
        target = [source, int(rng.integers(0, source + 1)), depth - 31][number % 3]
        if number % 3 == 2:
            slices, source = 1, min(source, depth - 31 - rows)
        op = TokenSelect(
            rows=rows,
            rows_register=0,
            source_address=source,
            source_stride=stride,
            destination_address=target,
            destination_stride=stride,
            slices=slices,
            score_address=int(rng.integers(0, 41 - rows)),
            heads=int(rng.integers(0, most_heads(lanes) + 1)),
            threshold=int(rng.choice([0, 200, 256, 300, 512, 65535])),
            limit=int(rng.choice([0, 5, 65535])),
            prefix=prefix,
            count_register=0,
            packages=int(rng.integers(0, min(rows - prefix, 3) + 1)),
            package=int(rng.integers(2)),
            merge=int(rng.integers(2)),
        )
        if most_rows(op) == 0 or source + stride * (slices - 1) + most_rows(op) > depth:
            op = replace(op, prefix=1, packages=0, limit=max(rows - 2, 0))
        residual = rng.integers(-INT16_MAX, INT16_MAX + 1, (depth, lanes))
        scores = rng.normal(0, rng.uniform(1, 90), (rows, lanes)).clip(-128, 127).astype(np.int8)
        kept = kept_rows(op, scores)
        after = residual.copy()
        for s in range(slices):
            result = token_select(op, residual[source + s * stride :][:rows], kept)
            after[target + s * stride :][: len(result)] = result
        parts += [encode(op), residual.astype("<i2"), scores]
        parts += [struct.pack("<I", len(result)), kept.astype(np.uint8), after.astype("<i2")]
    build("test_token_select", engine).passes(*parts)


def test_stream_keeps_order_and_reports_misuse(build: Any) -> None:
    bench = build("test_stream")
    bench.passes(b"\x00")
    empty = bench.run(b"\x01")
    assert empty.returncode != 0 and "'numbers': deadlock" in empty.stderr
    leftover = bench.run(b"\x02")
    assert leftover.returncode != 0 and "'numbers': data left over" in leftover.stderr


def test_benches_name_the_first_difference(build: Any) -> None:
    bench = build("test_fixed_point")
    case = struct.pack("<IiHBhh", 1, 1000, 32768, 17, 127, 250)
    assert bench.run(case).returncode == 0
    wrong = bench.run(case[:-2] + struct.pack("<h", 251))
    assert wrong.returncode == 1 and "int16[0]: expected 251, found 250" in wrong.stdout
