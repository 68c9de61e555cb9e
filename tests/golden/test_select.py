# SPDX-License-Identifier: Apache-2.0
"""TOKEN_SELECT: decision, compaction, package, token registers, operands that are refused."""

from dataclasses import replace
from math import floor
from typing import Any

import numpy as np
import pytest

from hwgen.golden.interpreter import EngineFault, Interpreter
from hwgen.golden.select import kept_rows, most_heads, token_select
from hwgen.numerics.sigmoid import sigmoid
from hwgen.program.engine import EngineConfig
from hwgen.program.extent import Extent, most_rows, writes
from hwgen.program.fields import Buffer, Region
from hwgen.program.instructions import End, Instruction, Load, SetTokens, TokenSelect
from hwgen.program.program import InputLayout, OutputLayout, Program
from hwgen.program.status import ErrorCode
from hwgen.program.tokens import resolved

LANES = 16
ENGINE = EngineConfig(lanes=LANES, residual_depth=128, work_depth=64, value_depth=8, max_rows=32)
ROWS, SLICES = 12, 2
KEEP, DROP = 127, -127


def select(**fields: Any) -> TokenSelect:
    """A selection of 12 rows, the first one a class token, into its own place."""
    base: dict[str, Any] = dict(
        rows=ROWS, rows_register=0, source_address=0, source_stride=20, destination_address=0,
        destination_stride=20, slices=SLICES, score_address=0, heads=3, threshold=256,
        limit=ROWS, prefix=1, count_register=1, package=1,
    )  # fmt: skip
    return TokenSelect(**(base | fields))


def scores(difference: int | np.ndarray, importance: int = 0, rows: int = ROWS) -> np.ndarray:
    """The same difference of logits and importance for every head of a row."""
    result = np.zeros((rows, LANES), np.int8)
    result[:, : LANES // 2] = np.broadcast_to(difference, rows)[:, None]
    result[:, LANES // 2 :] = importance
    return result


def by_hand(op: TokenSelect, scores: np.ndarray) -> list[bool]:
    """The table of the contract, row by row in Python integers."""
    kept, by_score = [], 0
    for row in range(op.rows):
        if row < op.prefix:
            kept.append(True)
        elif row >= op.rows - op.packages:
            kept.append(not op.merge)
        else:
            total = 0
            for head in range(op.heads):
                keep = int(sigmoid(scores[row, head : head + 1])[0])
                weight = int(sigmoid(scores[row, LANES // 2 + head :][:1])[0])
                total += max(weight, 1) * (keep - op.threshold)
            kept.append(total > 0 and by_score < op.limit)
            by_score += kept[-1]
    return kept


@pytest.mark.parametrize("seed", range(40))
def test_random_selections_by_hand(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = int(rng.integers(1, 33))
    prefix = int(rng.integers(0, min(rows, 2) + 1))
    op = select(
        rows=rows,
        prefix=prefix,
        packages=int(rng.integers(0, min(rows - prefix, 3) + 1)),
        merge=int(rng.integers(2)),
        package=int(rng.integers(2)),
        heads=int(rng.integers(0, 9)),
        threshold=int(rng.choice([0, 128, 256, 400, 511, 512, 65535])),
        limit=int(rng.choice([0, 1, 5, 65535])),
    )
    logits = rng.choice([-128, -127, -16, -1, 0, 1, 16, 38, 80, 127], (rows, LANES))
    logits = np.where(rng.random((rows, LANES)) < 0.5, rng.integers(-127, 128), logits)
    kept = kept_rows(op, logits.astype(np.int8))
    assert kept.tolist() == by_hand(op, logits.astype(np.int8))
    source = rng.integers(-32767, 32768, (rows, 7))
    expected = [source[row].tolist() for row in range(rows) if kept[row]]
    if op.package:
        dropped = source[~kept]
        # Far from ties the fixed-point mean is the rounded mean.
        real = dropped.mean(axis=0) if len(dropped) else np.zeros(7)
        found = token_select(op, source, kept)
        assert np.abs(found[-1] - real).max() <= 1.5
        assert found[:-1].tolist() == expected
    else:
        assert token_select(op, source, kept).tolist() == expected
    assert kept.sum() + op.package <= most_rows(op)


@pytest.mark.parametrize("lanes, heads", [(16, 8), (32, 16), (64, 16)])
def test_most_heads(lanes: int, heads: int) -> None:
    assert most_heads(lanes) == heads


def test_package_is_the_rounded_mean_of_the_dropped_rows() -> None:
    source = np.array([[5, 5], [100, -100], [103, -103], [104, -104], [7, 7]])
    kept = np.array([True, False, False, False, True])
    assert token_select(select(rows=5), source, kept).tolist() == [[5, 5], [7, 7], [102, -102]]
    kept = np.array([True, False, True, False, True])
    total = [100 + 104, -100 - 104]
    assert token_select(select(rows=5), source, kept)[-1].tolist() == [
        floor(t / 2 + 0.5) for t in total
    ]


def test_importance_weighs_the_heads() -> None:
    """One head says keep and two say drop: who is important decides."""
    logits = np.zeros((2, LANES), np.int8)
    logits[:, :3] = (40, -40, -40)
    half = LANES // 2
    logits[0, half : half + 3] = (127, -127, -127)
    logits[1, half : half + 3] = (-127, 127, 127)
    assert kept_rows(select(rows=2, prefix=0), logits).tolist() == [True, False]
    logits[:, half : half + 3] = -127  # of no importance at all: each counts 1/512
    logits[0, :3] = (127, -16, -16)
    assert kept_rows(select(rows=2, prefix=0), logits).tolist() == [False, False]
    logits[0, :3] = (127, -15, -15)
    assert kept_rows(select(rows=2, prefix=0), logits).tolist() == [True, False]


def test_threshold_has_to_be_exceeded() -> None:
    rows = scores(0, rows=4)  # keep is 1/2
    assert not kept_rows(select(rows=4, prefix=0, threshold=256), rows).any()
    assert kept_rows(select(rows=4, prefix=0, threshold=255), rows).all()
    assert not kept_rows(select(rows=4, prefix=0, threshold=512), scores(127, rows=4)).any()


class Run:
    """A program that loads a matrix and scores, then runs ``instructions`` once."""

    def __init__(
        self,
        *instructions: Instruction,
        scores: np.ndarray,
        stride: int = 20,
        start: int = 0,
        seed: int = 0,
    ) -> None:
        residual = np.random.default_rng(seed).integers(-32767, 32768, (128, LANES))
        self.residual = residual.astype(np.int16)
        rows = len(scores)
        slices = [self.residual[start + s * stride :][:rows] for s in range(SLICES)]
        self.matrix = np.concatenate(slices, axis=1)
        weights = np.concatenate(
            [self.residual.astype("<i2").view(np.uint8).reshape(-1, LANES), scores.view(np.uint8)]
        )
        program = Program(
            "selection",
            ENGINE,
            (
                Load(Region.WEIGHTS, 0, Buffer.RESIDUAL, 0, 128),
                Load(Region.WEIGHTS, 256, Buffer.WORK, 0, rows),
                *instructions,
                End(),
            ),
            tuple("" for _ in range(len(instructions) + 3)),
            weights,
            InputLayout(4, 4, 1, 2),
            OutputLayout(1, 16, 1.0),
        )
        self.written: list[tuple[Extent, np.ndarray]] = []
        self.kept: list[list[bool]] = []
        Interpreter(program).run(
            program.input.pack(np.zeros((1, 4, 4, 1), np.uint8), LANES),
            lambda _, extent, vectors: self.written.append((extent, vectors[0])),
            lambda _, kept: self.kept.append(kept.tolist()),
        )
        self.program = program

    @property
    def result(self) -> np.ndarray:
        """What the last instruction wrote, (rows, columns)."""
        return np.concatenate(list(self.written[-1][1]), axis=1)


def test_all_kept_appends_a_row_of_zeros() -> None:
    run = Run(select(), scores=scores(KEEP))
    assert run.written[-1][0] == Extent(Buffer.RESIDUAL, 0, 20, SLICES, ROWS + 1)
    assert (run.result[:-1] == run.matrix).all()
    assert (run.result[-1] == 0).all()


def test_none_kept_leaves_class_token_and_package() -> None:
    run = Run(select(), scores=scores(DROP))
    assert run.written[-1][0].rows == 2
    assert (run.result[0] == run.matrix[0]).all()
    assert np.abs(run.result[1] - run.matrix[1:].mean(axis=0)).max() < 1.5


def test_one_kept() -> None:
    difference = np.full(ROWS, DROP)
    difference[7] = KEEP
    run = Run(select(), scores=scores(difference))
    assert run.kept == [[row in (0, 7) for row in range(ROWS)]]
    assert (run.result[:2] == run.matrix[[0, 7]]).all()
    assert len(run.result) == 3


def test_without_package_none_kept_can_leave_no_row() -> None:
    run = Run(select(prefix=0, package=0), scores=scores(DROP))
    assert run.written[-1][0].rows == 0
    with pytest.raises(EngineFault) as caught:
        Run(
            select(prefix=0, package=0),
            select(rows_register=1, heads=0, prefix=0),
            scores=scores(DROP),
        )
    assert (caught.value.code, caught.value.index) == (ErrorCode.OUT_OF_RANGE, 3)


def test_limit_takes_the_first_ones_and_packages_do_not_count() -> None:
    run = Run(select(limit=3, packages=2), scores=scores(KEEP))
    assert run.kept == [[True] + 3 * [True] + 6 * [False] + 2 * [True]]
    assert len(run.result) == 7


def test_merged_packages_go_into_the_new_one() -> None:
    run = Run(select(packages=2, merge=1), scores=scores(KEEP))
    assert run.kept == [10 * [True] + 2 * [False]]
    assert np.abs(run.result[-1] - run.matrix[10:].mean(axis=0)).max() < 1.5


def test_only_prefix_and_packages_need_no_scores() -> None:
    run = Run(select(prefix=8, packages=4, heads=0, package=0), scores=scores(DROP))
    assert (run.result == run.matrix).all()


@pytest.mark.parametrize("start, target", [(20, 20), (20, 19), (20, 12), (30, 0), (21, 70)])
def test_in_place_below_and_apart(start: int, target: int) -> None:
    difference = np.where(np.arange(ROWS) % 3 == 1, KEEP, DROP)
    op = select(source_address=start, destination_address=target)
    run = Run(op, scores=scores(difference), start=start)
    expected = np.concatenate([run.matrix[:1], run.matrix[1::3]])
    assert (run.result[:-1] == expected).all()
    assert len(run.result) == 6


def test_copy_of_rows_from_a_register_offset() -> None:
    """The class tokens of a batch: one row each, behind one another."""
    copy = select(
        rows=1, prefix=1, heads=0, package=0, limit=0, count_register=0, destination_address=60
    )
    run = Run(
        SetTokens(4, 7),
        SetTokens(9, 2),
        replace(copy, source_offset_register=5, destination_offset_register=10, end_register=10),
        replace(copy, source_address=3, destination_offset_register=10),
        scores=scores(DROP),
    )
    extents = [extent for extent, _ in run.written[2:]]
    assert [extent.address for extent in extents] == [62, 63]
    vectors = [vectors[:, 0] for _, vectors in run.written[2:]]
    assert (vectors[0] == run.residual[[7, 27]]).all()
    assert (vectors[1] == run.residual[[3, 23]]).all()


def test_registers_hold_count_and_end() -> None:
    """The second selection counts the first one's rows and lies behind them."""
    run = Run(
        SetTokens(14, 5),
        select(destination_address=50, destination_offset_register=15, end_register=15),
        select(
            rows_register=1,
            source_address=50,
            source_offset_register=2,
            destination_offset_register=15,
            prefix=2,
            heads=0,
            package=0,
            end_register=1,
        ),
        select(rows=0, rows_register=1, heads=0, prefix=1),
        scores=scores(np.where(np.arange(ROWS) < 4, KEEP, DROP)),
    )
    first, second, third = (extent for extent, _ in run.written[2:])
    assert (first.address, first.rows) == (55, 5)
    # Register 14 holds 5 + 5 now; register 0 becomes 2 and then, as the end, 12.
    assert (second.address, second.rows) == (10, 2)
    assert run.kept[2] == [True] + 11 * [False]
    assert third.rows == 2


def test_registers_that_no_field_names_stay() -> None:
    copy = select(prefix=ROWS, heads=0, package=0, count_register=0)
    run = Run(SetTokens(0, 3), copy, replace(copy, rows_register=1, prefix=3), scores=scores(DROP))
    assert run.written[-1][0].rows == 3


def test_runs_of_a_batch_have_their_own_row_counts() -> None:
    rows = scores(0, rows=4)
    program = Run(select(rows=4), scores=rows).program
    load = Load(Region.INPUT, 0, Buffer.WORK, 0, 4, offset_binary=1)
    program = replace(program, instructions=(program.instructions[0], load, select(rows=4), End()),
                      labels=("", "", "", ""))  # fmt: skip
    beats = np.full((3, 4, LANES), 128, np.uint8)
    beats[0, :, : LANES // 2] = 255
    beats[1, 2, : LANES // 2] = 255
    counts: list[int] = []

    def observe(index: int, extent: Extent, _: np.ndarray) -> None:
        if index == 2:
            counts.append(extent.rows)

    Interpreter(program).run(beats, observe)
    assert counts == [5, 3, 2]


FAULTS: list[tuple[dict[str, int], str]] = [
    ({"rows": 0, "prefix": 0}, "no rows"),
    ({"rows": 33, "source_stride": 40, "destination_stride": 40}, "more than max_rows"),
    ({"slices": 0}, "no slices"),
    ({"slices": 3, "source_stride": 11}, "slices of the source that overlap"),
    ({"destination_stride": 12}, "the largest destination is 13 rows"),
    ({"source_address": 97}, "source beyond the buffer"),
    ({"destination_address": 96}, "the package beyond the buffer"),
    ({"score_address": 53}, "scores beyond the buffer"),
    ({"heads": 9}, "more heads than half a vector"),
    ({"prefix": 13}, "more prefix than rows"),
    ({"prefix": 5, "packages": 8}, "more prefix and packages than rows"),
    ({"prefix": 0, "limit": 0, "package": 0}, "no row can stay"),
    ({"prefix": 0, "packages": 12, "merge": 1, "package": 0}, "no row can stay"),
    ({"source_offset_register": 1}, "source beyond the buffer by its offset"),
    ({"destination_offset_register": 1}, "destination beyond the buffer by its offset"),
    ({"rows_register": 2}, "a register that holds no rows"),
]


@pytest.mark.parametrize("fields, why", FAULTS)
def test_bad_operands_stop_the_engine(fields: dict[str, int], why: str) -> None:
    with pytest.raises(EngineFault) as caught:
        Run(SetTokens(0, 120), select(**fields), scores=scores(KEEP))
    assert (caught.value.code, caught.value.index) == (ErrorCode.OUT_OF_RANGE, 3), why


def test_operands_at_their_limits_are_accepted() -> None:
    fits: list[dict[str, int]] = [
        {"destination_stride": 13},
        {"destination_stride": 12, "limit": 10},
        {"source_address": 96},
        {"destination_address": 95},
        {"score_address": 52},
        {"heads": 8},
        {"prefix": 4, "packages": 8},
        {"source_stride": 0, "destination_stride": 0, "slices": 1},
    ]
    for fields in fits:
        Run(select(**fields), scores=scores(KEEP))


@pytest.mark.parametrize(
    "fields, most",
    [
        ({}, 13),
        ({"package": 0}, 12),
        ({"limit": 4}, 6),
        ({"packages": 3, "limit": 4}, 9),
        ({"packages": 3, "merge": 1}, 10),
        ({"packages": 3, "merge": 1, "limit": 0}, 2),
    ],
)
def test_most_rows(fields: dict[str, int], most: int) -> None:
    assert most_rows(select(**fields)) == most
    extent = writes(select(**fields))
    assert extent is not None and extent.rows == most


def test_resolved_programs_take_the_largest_counts_or_those_given() -> None:
    program = Run(
        select(limit=4, end_register=15),
        select(rows_register=1, destination_offset_register=15, packages=1, merge=1),
        scores=scores(KEEP),
    ).program
    largest = [op for op in resolved(program) if isinstance(op, TokenSelect)]
    assert [(op.rows, op.destination_address) for op in largest] == [(12, 0), (6, 6)]
    given = [op for op in resolved(program, [3, 2]) if isinstance(op, TokenSelect)]
    assert [(op.rows, op.destination_address) for op in given] == [(12, 0), (3, 3)]
