# SPDX-License-Identifier: Apache-2.0
"""Checks of attention: values, scores, softmax, heads.

Where a check is not about softmax, one key takes all of a row's weight, and the result is so large
that it saturates: nothing then hangs on how exact exponentials and the division are.
"""

from dataclasses import dataclass

import numpy as np

from hwgen.numerics.fixed_point import Ratio, ratio_from
from hwgen.program.engine import EngineConfig
from hwgen.program.fields import Buffer
from hwgen.program.instructions import Attention
from hwgen.self_test.patterns import addresses
from hwgen.self_test.products import fill_work
from hwgen.self_test.writer import Writer

ROWS = 8
"""Of queries, where more would tell no more."""
SATURATING = ratio_from(130.0)
"""As the ratio of a result: a value of 1 becomes 127."""
STEEP = 65535
"""An exponent multiplier with which only the largest score counts."""
SCORES = 1024
"""Vectors of the score buffer that are filled, at most: each row of results is sent."""


@dataclass(frozen=True)
class Scaling:
    """The factors of an attention."""

    score: Ratio
    exponent: int
    output: Ratio


def value_buffer(writer: Writer) -> None:
    """A row of values at each place that shows an address bit; then values of each single bit."""
    lanes, rng = writer.lanes, writer.rng
    places = addresses(writer.engine.value_depth)
    known = 1 << np.add.outer(np.arange(7), np.arange(lanes)) % 7
    some = rng.integers(-1, 2, (len(places), lanes))
    count = max(len(known), len(places))
    for rows, where in ((some, places), (known, list(range(7))), (-known, list(range(7)))):
        writer.load(rows.astype(np.int8), Buffer.WORK, 0)
        for index, place in enumerate(where):
            writer.matmul(writer.identity, Buffer.VALUE, place, 1, index)
        for index, place in enumerate(where):
            _attend(writer, 1, 1, _robust(lanes), value=place, destination=count + index)
        writer.show_work(count, len(where))


def scores(writer: Writer) -> None:
    """Each query finds its own among random keys: more of them than lanes where they fit."""
    lanes, rng = writer.lanes, writer.rng
    count = _keys(writer.engine)
    keys = rng.integers(-127, 128, (count, lanes)).astype(np.int8)
    values = rng.integers(-1, 2, (count, lanes)).astype(np.int8)
    _load_values(writer, values)
    for chosen in (np.arange(ROWS), count - 1 - np.arange(ROWS), rng.permutation(count)[:ROWS]):
        writer.load(np.concatenate([keys, keys[chosen]]), Buffer.WORK, 0)
        _attend(writer, ROWS, count, _robust(lanes), query=count)
        writer.show_work(count, ROWS)


def uniform(writer: Writer) -> None:
    """Equal scores: means of the first values, with many a number of keys."""
    lanes, rng = writer.lanes, writer.rng
    most = _keys(writer.engine)
    _load_values(writer, rng.integers(-127, 128, (most, lanes)).astype(np.int8))
    fill_work(writer, 0, most)
    nothing = np.zeros((1, lanes), np.int8)
    for count in sorted({1, 2, 3, 5, 6, 7, 11, 13, 15, most}):
        # A result takes its query's place.
        writer.load(nothing, Buffer.WORK, most)
        scaling = Scaling(ratio_from(1 / 256), 700, ratio_from(1.5))
        _attend(writer, 1, count, scaling, query=most)
        writer.show_work(most, 1)


def exponentials(writer: Writer) -> None:
    """Scores of every size: queries that are rows of the unit matrix find them in the keys, and
    values that are such rows show each weight.
    """
    lanes, rng = writer.lanes, writer.rng
    count = min(lanes, _keys(writer.engine))
    units = 127 * np.eye(lanes, dtype=np.int8)
    _load_values(writer, units[:count])
    for exponent in (300, 1500, 9000):
        wanted = rng.integers(-127, 128, (count, lanes)).astype(np.int8)
        writer.load(np.concatenate([wanted, units[:ROWS]]), Buffer.WORK, 0)
        _attend(writer, ROWS, count, Scaling(ratio_from(1 / 127), exponent, ratio_from(4.0)), count)
        writer.show_work(count, ROWS)


def heads(writer: Writer) -> None:
    """Several heads of several slices, each with its own queries, keys and values."""
    lanes, rng = writer.lanes, writer.rng
    for number, slices in ((4, 1), (2, 2)):
        rows = ROWS // 2
        vectors = number * slices * rows
        for matrix in range(number * slices):
            values = rng.integers(-127, 128, (rows, lanes)).astype(np.int8)
            writer.load(values, Buffer.WORK, 0)
            writer.matmul(writer.identity, Buffer.VALUE, matrix * rows, rows)
        fill_work(writer, 0, 2 * vectors)
        size = 1 / (np.sqrt(slices * lanes) * 73 * 73)
        scaling = Scaling(ratio_from(50 * size), 700, ratio_from(1.5))
        fields = {"heads": number, "head_slices": slices, "destination": 2 * vectors}
        _attend(writer, rows, rows, scaling, key=vectors, **fields)
        writer.show_work(2 * vectors, vectors)


def score_buffer(writer: Writer) -> None:
    """As many rows and slices of keys as the score buffer takes."""
    engine, lanes = writer.engine, writer.lanes
    depth = min(engine.score_depth, SCORES)
    slices = max(1, min(depth // engine.max_rows, engine.value_depth // lanes))
    slices = max(1, min(slices, engine.work_depth // 2 // lanes))
    keys = slices * lanes if slices > 1 else min(lanes, _keys(engine))
    rows = min(engine.max_rows, depth // slices, engine.work_depth - keys)
    values = writer.rng.integers(-127, 128, (keys, lanes)).astype(np.int8)
    _load_values(writer, values)
    fill_work(writer, 0, keys + rows)
    size = 1 / (np.sqrt(lanes) * 73 * 73)
    scaling = Scaling(ratio_from(50 * size), 2000, ratio_from(1.5))
    _attend(writer, rows, keys, scaling, query=keys)
    writer.show_work(keys, rows)


def _keys(engine: EngineConfig) -> int:
    """Keys of a check: more than lanes, where buffers have the room."""
    scored = engine.score_depth // ROWS * engine.lanes
    return min(engine.lanes + 3, engine.value_depth, engine.work_depth // 2, scored)


def _robust(lanes: int) -> Scaling:
    """A key that is its query's own gets a score of 100."""
    return Scaling(ratio_from(100 / (lanes * 73 * 73)), STEEP, SATURATING)


def _load_values(writer: Writer, values: np.ndarray) -> None:
    """Rows of values to the beginning of VALUE, by way of WORK."""
    step = min(writer.engine.max_rows, writer.engine.work_depth)
    for first in range(0, len(values), step):
        part = values[first : first + step]
        writer.load(part, Buffer.WORK, 0)
        writer.matmul(writer.identity, Buffer.VALUE, first, len(part))


def _attend(
    writer: Writer,
    rows: int,
    keys: int,
    scaling: Scaling,
    query: int = 0,
    key: int = 0,
    value: int = 0,
    destination: int | None = None,
    **fields: int,
) -> None:
    """An ATTENTION on matrices whose slices lie one behind the other; the result takes the place
    of the queries where no other is given.
    """
    wanted = {"rows_register": 0, "keys_register": 0, "heads": 1, "head_slices": 1}
    writer.emit(
        Attention(
            rows=rows,
            keys=keys,
            query_address=query,
            query_stride=rows,
            key_address=key,
            key_stride=keys,
            value_address=value,
            value_stride=keys,
            destination_address=query if destination is None else destination,
            destination_stride=rows,
            score_multiplier=scaling.score.multiplier,
            score_shift=scaling.score.shift,
            exponent_multiplier=scaling.exponent,
            output_multiplier=scaling.output.multiplier,
            output_shift=scaling.output.shift,
            **(wanted | fields),
        )
    )
