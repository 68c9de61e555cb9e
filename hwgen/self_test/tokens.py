# SPDX-License-Identifier: Apache-2.0
"""Checks of token registers and of the selection of tokens."""

import numpy as np

from hwgen.golden.select import most_heads
from hwgen.numerics.fixed_point import ratio_from
from hwgen.numerics.sigmoid import ONE, sigmoid
from hwgen.program.fields import Buffer
from hwgen.program.instructions import Attention, SetTokens, TokenSelect
from hwgen.program.tokens import TOKEN_REGISTERS
from hwgen.self_test.writer import Writer

STRIDE = 16
ROWS = STRIDE - 1
"""A package token may come on top."""
SLICES = 2
TARGET = SLICES * STRIDE
"""Where selections write, behind the rows that they read."""
SCORES = 4 * STRIDE
"""In WORK; before them lies a row for each number that a register can hold."""
GIVEN, FROM, TO, COUNT, END = 6, 14, 9, 3, 12
"""Token registers, as instructions name them: rows, parts of addresses, two that are written."""
KEEP, DROP = 127, -127
STEPS = (-80, -61, -38, -17, -3, 0, 9, 16, 29, 38, 79)
"""Scores at which the sigmoid is measured, in each of its pieces."""


def registers(writer: Writer) -> None:
    """Each token register as an offset and as a row count, with each of their low bits set and
    clear; then as large an offset as there is.
    """
    lanes, last = writer.lanes, writer.engine.work_depth - STRIDE
    rows = writer.rng.integers(-127, 128, (2, STRIDE, lanes)).astype(np.int8)
    writer.load(rows[0], Buffer.WORK, 0)
    writer.load(rows[1], Buffer.WORK, last)
    every = np.arange(TOKEN_REGISTERS)
    for values in (every, STRIDE - 1 - every):
        _set(writer, last + values)
        _show_rows(writer)
        _set(writer, values)
        _show_rows(writer)
        counts = values.clip(1)
        _set(writer, counts)
        places = [writer.output(int(count)) for count in counts]
        # From the last place to the first: a row too many would show.
        for register, place in reversed(list(enumerate(places))):
            counted = {"rows_register": register + 1}
            writer.matmul(writer.identity, Buffer.OUTPUT, place, STRIDE, **counted)


def registers_of_attention(writer: Writer) -> None:
    """Rows, keys and both offsets of an attention from registers."""
    lanes, rng = writer.lanes, writer.rng
    writer.load(rng.integers(-127, 128, (STRIDE, lanes)).astype(np.int8), Buffer.WORK, 0)
    writer.matmul(writer.identity, Buffer.VALUE, 0, STRIDE)
    score, output = ratio_from(50 / (np.sqrt(lanes) * 73 * 73)), ratio_from(1.5)
    for rows, keys, query, key in ((3, 5, 2, 4), (6, 10, 7, 1)):
        for register, value in enumerate((rows, keys, query, key)):
            writer.emit(SetTokens(2 * register, value))
        writer.load(rng.integers(-127, 128, (3 * STRIDE, lanes)).astype(np.int8), Buffer.WORK, 0)
        writer.emit(
            Attention(
                rows=0,
                rows_register=1,
                keys=0,
                keys_register=3,
                query_address=2 * STRIDE,
                query_stride=0,
                query_offset_register=5,
                key_address=0,
                key_stride=0,
                key_offset_register=7,
                value_address=0,
                value_stride=0,
                destination_address=2 * STRIDE,
                destination_stride=0,
                heads=1,
                head_slices=1,
                score_multiplier=score.multiplier,
                score_shift=score.shift,
                exponent_multiplier=700,
                output_multiplier=output.multiplier,
                output_shift=output.shift,
            )
        )
        writer.show_work(2 * STRIDE, STRIDE)


def copies(writer: Writer) -> None:
    """Selections that keep every row: apart from their source, and over it."""
    for source, target in ((0, TARGET), (3, 0)):
        _load_rows(writer, source)
        _select(writer, source, target, prefix=ROWS, heads=0)
        writer.show_residual(target, SLICES * STRIDE)


def selection(writer: Writer) -> None:
    """What stays of rows whose scores leave no doubt, in each way that an instruction can say."""
    heads = most_heads(writer.lanes)
    for fields in (
        {"prefix": 1},
        {"prefix": 2, "limit": 4},
        {"packages": 3},
        {"prefix": 1, "packages": 2, "merge": 1},
        {"prefix": 1, "heads": 1, "limit": 0},
        {"prefix": 1, "threshold": 400},
        {"prefix": 3, "threshold": ONE},
    ):
        _load_rows(writer)
        decided = np.where(writer.rng.integers(0, 2, (ROWS, 1)), KEEP, DROP)
        _load_scores(writer, np.repeat(decided, writer.lanes, axis=1))
        _select(writer, **({"heads": heads} | fields))
        _show_selected(writer)


def package(writer: Writer) -> None:
    """The mean of rows that do not stay: of none, one, a few, and with the packages before."""
    for dropped, fields in (
        (0, {}),
        (1, {}),
        (3, {}),
        (8, {}),
        (11, {"packages": 2}),
        (7, {"packages": 2, "merge": 1}),
    ):
        _load_rows(writer)
        decided = np.full((ROWS, writer.lanes), KEEP)
        decided[writer.rng.permutation(np.arange(1, ROWS - 2))[:dropped]] = DROP
        _load_scores(writer, decided)
        _select(writer, package=1, prefix=1, heads=1, **fields)
        _show_selected(writer)


def decisions(writer: Writer) -> None:
    """Each head's keep score at a threshold and just above it, in each piece of the sigmoid; then
    decisions that hang on importances, too.
    """
    lanes, rng = writer.lanes, writer.rng
    heads = most_heads(lanes)
    rows = np.arange(ROWS)
    for number, step in enumerate(STEPS):
        scores = np.full((ROWS, lanes), step)
        # Of each row one head has a score one higher, or the same.
        scores[rows, (rows + number) % heads] += rng.integers(0, 2, ROWS)
        _load_rows(writer)
        _load_scores(writer, scores)
        _select(writer, heads=heads, prefix=1, threshold=int(sigmoid(np.array(step))))
        _show_selected(writer)
    for _ in range(4):
        _load_rows(writer)
        _load_scores(writer, rng.integers(-127, 128, (ROWS, lanes)))
        _select(writer, heads=heads, prefix=1)
        _show_selected(writer)


def _load_rows(writer: Writer, address: int = 0) -> None:
    """Rows to choose from, zeros where selections write, and rows of WORK that tell numbers."""
    lanes, rng = writer.lanes, writer.rng
    rows = rng.integers(-32767, 32768, (SLICES * STRIDE, lanes)).astype(np.int16)
    zeros = np.zeros((SLICES * STRIDE - address, lanes), np.int16)
    writer.load(np.concatenate([rows, zeros]), Buffer.RESIDUAL, address)
    numbers = rng.integers(-127, 128, (3 * STRIDE, lanes)).astype(np.int8)
    writer.load(numbers, Buffer.WORK, 0)


def _load_scores(writer: Writer, scores: np.ndarray) -> None:
    writer.load(scores.astype(np.int8), Buffer.WORK, SCORES)


def _select(writer: Writer, source: int = 0, target: int = TARGET, **fields: int) -> None:
    """A TOKEN_SELECT; registers say how many rows it reads, and hold a part of each address."""
    source_part, target_part = source // 2, target // 2
    for register, value in ((GIVEN, ROWS), (FROM, source_part), (TO, target_part)):
        writer.emit(SetTokens(register - 1, value))
    wanted = {
        "rows": 0,
        "rows_register": GIVEN,
        "source_address": source - source_part,
        "source_offset_register": FROM,
        "source_stride": STRIDE,
        "destination_address": target - target_part,
        "destination_offset_register": TO,
        "destination_stride": STRIDE,
        "slices": SLICES,
        "score_address": SCORES,
        "threshold": ONE // 2,
        "limit": ROWS,
        "prefix": 0,
        "count_register": COUNT,
        "end_register": END,
    }
    writer.emit(TokenSelect(**(wanted | fields)))


def _show_selected(writer: Writer) -> None:
    """The rows written and those behind them; then rows of WORK that say how many there are."""
    writer.show_residual(TARGET, SLICES * STRIDE)
    for register in (COUNT, END):
        writer.show(writer.identity, 1, source_offset_register=register)


def _set(writer: Writer, values: np.ndarray) -> None:
    """All token registers."""
    for register, value in enumerate(values):
        writer.emit(SetTokens(register, int(value)))


def _show_rows(writer: Writer) -> None:
    """The row of WORK that each token register names."""
    for register in range(TOKEN_REGISTERS):
        writer.show(writer.identity, 1, source_offset_register=register + 1)
