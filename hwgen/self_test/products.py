# SPDX-License-Identifier: Apache-2.0
"""Checks of the array and of all that stands between it and the buffers."""

import numpy as np

from hwgen.golden.matmul import exact_product
from hwgen.numerics.fixed_point import ACCUMULATOR_LIMIT, INT8_MAX, INT16_MAX, ratio_from
from hwgen.numerics.gelu import CLIP, gelu_constants
from hwgen.program.fields import Buffer, Region
from hwgen.program.instructions import Load
from hwgen.self_test.patterns import ratios, signs
from hwgen.self_test.writer import Writer, normalisation

SLICES = 4
ROWS = 16
MOST_ROWS = 2048
"""Rows of the check of the accumulators, at most: each one is sent."""
REPEATED = 127
"""Rows of a block that fills a buffer again and again: no power of two, so that no two addresses
that differ in one bit hold the same.
"""


def requantise_biases(writer: Writer) -> None:
    """Biases of every size, with no product added."""
    count = SLICES * writer.lanes
    sizes = 2 ** writer.rng.uniform(0, np.log2(ACCUMULATOR_LIMIT - 1), count)
    biases = np.round(sizes).astype(np.int64) * signs(writer.rng, count)
    writer.show(writer.biased(biases, ratios(writer.rng, biases, INT16_MAX)), 1)


def requantise_products(writer: Writer) -> None:
    """Sums of products with no bias, to 16 bits and to eight."""
    row = writer.rng.integers(-127, 128, writer.lanes)
    weights = writer.rng.integers(-127, 128, (SLICES * writer.lanes, writer.lanes))
    writer.load(row[None].astype(np.int8), Buffer.WORK, 0)
    wide = ratios(writer.rng, weights @ row, INT16_MAX)
    writer.show(writer.layer(weights, ratio=wide), 1)
    narrow = ratios(writer.rng, weights @ row, INT8_MAX)
    writer.matmul(writer.layer(weights, ratio=narrow), Buffer.WORK, 1, 1)
    writer.show_work(1, SLICES)


def array_from_work(writer: Writer) -> None:
    """One row at a time: no address can be wrong. Every weight and number of the largest size, in
    both signs, alone and against each other.
    """
    lanes, rng = writer.lanes, writer.rng
    ones, unit = np.ones((lanes, lanes), np.int64), np.eye(lanes, dtype=np.int64)
    parity = 1 - 2 * (np.add.outer(np.arange(lanes), np.arange(lanes)) % 2)
    mixed = np.where(parity[0] > 0, 127, -128)
    some = rng.integers(-128, 128, lanes) | unit[0]
    weights, others = _both_parities(writer)
    cases = [
        (-128 * ones[0], 127 * ones),
        (-128 * ones[0], -127 * ones),
        (mixed, 127 * parity),
        (mixed, -127 * parity[::-1]),
        (some, 127 * unit),
        (some, -127 * unit[::-1]),
        (rng.choice([-128, 127], lanes), 127 * signs(rng, lanes, lanes)),
        (some, weights),
        (some, others),
    ]
    for row, matrix in cases:
        writer.load(row[None].astype(np.int8), Buffer.WORK, 0)
        _show_exactly(writer, row, matrix)


def array_from_residual(writer: Writer) -> None:
    """The same array with numbers from LayerNorm, which are 127 and -127 however exact it is."""
    lanes, rng = writer.lanes, writer.rng
    row = rng.permutation(np.resize([1, -1], lanes))
    aligned = 127 * np.outer(np.resize([1, -1], lanes), row)
    for weights in (aligned, -aligned, *_both_parities(writer)):
        writer.load((1000 * row[None]).astype(np.int16), Buffer.RESIDUAL, 0)
        _show_exactly(writer, 127 * row, weights, **normalisation(lanes, 500))


def accumulators(writer: Writer) -> None:
    """As many rows as the accumulators hold, each one summed over two passes."""
    engine, lanes = writer.engine, writer.lanes
    rows = min(engine.max_rows, engine.work_depth // 2, MOST_ROWS)
    fill_work(writer, 0, 2 * rows)
    weights = writer.rng.integers(-127, 128, (lanes, 2 * lanes))
    writer.show(writer.layer(weights, ratio=ratio_from(1 / 16)), rows)


def gelu(writer: Writer) -> None:
    """Arguments made of biases; results fine and coarse, with both of the usual constants."""
    lanes = writer.lanes
    edges = [0, 1, -1, CLIP - 1, CLIP, CLIP + 1, -CLIP + 1, -CLIP, -CLIP - 1, INT16_MAX, -INT16_MAX]
    for delta, factor in ((1.0, 1 / 256), (1.0, 1 / 16), (0.5, 1 / 512), (0.5, 1.0)):
        # Up to a little beyond what int8 holds.
        largest = min(INT16_MAX, 40 / factor)
        values = np.round(largest * writer.rng.uniform(-1, 1, SLICES * lanes)).astype(np.int64)
        values[5::7] = np.resize(edges, len(values[5::7]))
        layer = writer.layer(np.zeros((len(values), lanes), np.int8), values)
        constants, ratio = gelu_constants(delta), ratio_from(factor)
        fields = {"gelu": 1, "gelu_one": constants.one, "gelu_slope": constants.slope}
        fields |= {"gelu_multiplier": ratio.multiplier, "gelu_shift": ratio.shift}
        writer.matmul(layer, Buffer.WORK, 1, 1, **fields)
        writer.show_work(1, SLICES)


def residual_addition(writer: Writer) -> None:
    """Sums of every size and beyond, into the residual buffer and into the output."""
    lanes, rng = writer.lanes, writer.rng
    operand = rng.integers(-INT16_MAX, INT16_MAX + 1, (2 * ROWS, lanes)).astype(np.int16)
    writer.load(rng.integers(-127, 128, (ROWS, lanes)).astype(np.int8), Buffer.WORK, 0)
    writer.load(operand, Buffer.RESIDUAL, 0)
    layer = writer.layer(np.tile(127 * np.eye(lanes, dtype=np.int64), (2, 1)))
    fields = {"residual": 1, "residual_address": 0, "residual_stride": ROWS}
    writer.show(layer, ROWS, **fields)
    writer.matmul(layer, Buffer.RESIDUAL, 0, ROWS, **fields)
    writer.show_residual(0, 2 * ROWS)


def layer_norm(writer: Writer) -> None:
    """Rows that were loaded, and then rows that the array made: their statistics come otherwise."""
    lanes, rng = writer.lanes, writer.rng
    columns = 2 * lanes - 3
    rows = rng.normal(0, 2.0 ** np.linspace(1, 14, ROWS)[:, None], (ROWS, 2 * lanes))
    rows += rng.normal(0, 2.0 ** np.linspace(12, 1, ROWS)[:, None], (ROWS, 1))
    rows[0], rows[1], rows[2] = 0, INT16_MAX, -INT16_MAX
    rows[3] = INT16_MAX * signs(rng, 2 * lanes)
    rows[:, columns:] = 0
    block = np.round(rows).clip(-INT16_MAX, INT16_MAX).astype(np.int16)
    writer.load(_in_slices(block, lanes), Buffer.RESIDUAL, 0)
    layer = writer.layer(np.eye(2 * lanes, dtype=np.int8))
    writer.show(layer, ROWS, **normalisation(columns, 40, epsilon=1000))


def layer_norm_of_results(writer: Writer) -> None:
    """The same of rows that the array made: their statistics are gathered on the way."""
    lanes, rng = writer.lanes, writer.rng
    writer.load(rng.integers(-127, 128, (ROWS, lanes)).astype(np.int8), Buffer.WORK, 0)
    weights = rng.integers(-127, 128, (2 * lanes, lanes))
    writer.matmul(writer.layer(weights, ratio=ratio_from(0.02)), Buffer.RESIDUAL, 0, ROWS)
    layer = writer.layer(np.eye(2 * lanes, dtype=np.int8))
    writer.show(layer, ROWS, **normalisation(2 * lanes, 40, epsilon=1))


def mean(writer: Writer) -> None:
    """Means of results beside them: of a power of two of rows, and of others."""
    lanes, rng = writer.lanes, writer.rng
    writer.load(rng.integers(-127, 128, (ROWS, lanes)).astype(np.int8), Buffer.WORK, 0)
    layer = writer.layer(rng.integers(-127, 128, (lanes, lanes)), ratio=ratio_from(1 / 256))
    for rows in (ROWS, ROWS - 3, 1):
        writer.matmul(layer, Buffer.WORK, ROWS, rows, mean=1, mean_address=2 * ROWS)
        writer.show_work(2 * ROWS, 1)


def second_source(writer: Writer) -> None:
    """A second matrix, and a second row that goes with every row."""
    lanes, rng = writer.lanes, writer.rng
    writer.load(rng.integers(-127, 128, (2 * ROWS, lanes)).astype(np.int8), Buffer.WORK, 0)
    layer = writer.layer(rng.integers(-127, 128, (lanes, 2 * lanes)), ratio=ratio_from(1 / 16))
    for broadcast in (0, 1):
        fields = {"second_slices": 1, "second_address": ROWS + 1, "second_broadcast": broadcast}
        writer.show(layer, ROWS - 1, **fields)


def fill_work(writer: Writer, address: int, vectors: int) -> None:
    """Random rows in so many vectors of WORK, a block of them again and again."""
    size = min(vectors, REPEATED)
    rows = writer.rng.integers(-127, 128, (size, writer.lanes)).astype(np.int8)
    offset = writer.data(rows)
    for first in range(0, vectors, size):
        count = min(size, vectors - first)
        writer.emit(Load(Region.WEIGHTS, offset, Buffer.WORK, address + first, count))


def _show_exactly(writer: Writer, row: np.ndarray, weights: np.ndarray, **fields: int) -> None:
    """The product of one row at address 0, to the last bit: the bias leaves small numbers."""
    small = np.arange(len(weights)) * 37 % 1001 - 500
    bias = small - exact_product(row[None], weights.T)[0]
    writer.show(writer.layer(weights, bias), 1, **fields)


def _both_parities(writer: Writer) -> tuple[np.ndarray, np.ndarray]:
    """Random weights (lanes, lanes), and others with which each sum for a row that begins with an
    odd number is odd where it was even.
    """
    weights = writer.rng.integers(-126, 127, (writer.lanes, writer.lanes))
    others = weights.copy()
    others[:, 0] ^= 1
    return weights, others


def _in_slices(rows: np.ndarray, lanes: int) -> np.ndarray:
    """Rows (n, slices * lanes) as the vectors of one slice after the other."""
    return rows.reshape(len(rows), -1, lanes).transpose(1, 0, 2).reshape(-1, lanes)
