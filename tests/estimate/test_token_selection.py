# SPDX-License-Identifier: Apache-2.0
"""Token selection in the cycle model, against cases worked out by hand."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from hwgen.errors import ProgramError
from hwgen.estimate.cycles import estimate_cycles
from hwgen.estimate.latency import Latency
from hwgen.estimate.result import Cause
from hwgen.estimate.schedule import AFTER_SUM
from hwgen.estimate.timing import Timing
from hwgen.program.fields import Opcode
from tests.estimate.conftest import TOKENS

FULL = Timing(ddr_bytes=64)
WIDE = Latency(64)
BUBBLE = 1
"""After a single row: the counters must see it before they are asked."""

Make = Callable[..., object]


def test_a_selection_is_a_pass_a_slice_and_a_row_for_the_package(
    program: Make, selection: Make
) -> None:
    def run(slices: int, package: int) -> tuple[int, int]:
        result = estimate_cycles(program(selection(100, slices, 40, package=package)), FULL)
        assert result.instructions[0].opcode is Opcode.TOKEN_SELECT
        assert result.macs == 0
        return result.busy, result.total

    assert run(1, 0)[0] == 100
    assert run(3, 1)[0] == 3 * (100 + 1)
    # Without a package nothing waits: the slices follow each other.
    assert run(4, 0)[1] - run(3, 0)[1] == 100
    # The package waits for the sums of the rows before it.
    assert run(4, 1)[1] - run(3, 1)[1] == 100 + WIDE.after_sum - 1 + AFTER_SUM


def test_the_first_package_waits_for_the_count(program: Make, selection: Make) -> None:
    result = estimate_cycles(program(selection(100, 1, 40)), FULL)
    # 100 rows, then the mean so many cycles after the last one, then its result.
    last = WIDE.after_decision + WIDE.after_count
    assert result.total == FULL.startup + 100 + last + WIDE.result_at


def test_what_follows_has_as_many_rows_as_were_kept(
    program: Make, matmul: Make, selection: Make
) -> None:
    block = matmul(0, 2, 2, register=1, stride=TOKENS, normalise=1)
    two = program(replace(selection(100, 2, 100), destination_stride=TOKENS), block)
    for rows in (100, 40, 2):
        assert estimate_cycles(two, FULL, [rows]).instructions[1].busy == 4 * rows


def test_a_selection_writes_as_many_rows_as_it_can_where_none_are_given(
    program: Make, matmul: Make, selection: Make
) -> None:
    product = matmul(0, 1, 1, register=1, stride=200)
    for limit, most in ((30, 32), (500, 101)):
        two = program(replace(selection(100, 1, limit), destination_address=200), product)
        assert estimate_cycles(two, FULL).instructions[1].busy == most


def test_the_statistics_of_what_is_written_are_gathered_on_the_way(
    program: Make, matmul: Make, selection: Make
) -> None:
    block = matmul(0, 2, 2, register=1, stride=100, normalise=1)
    result = estimate_cycles(program(selection(100, 2, 50), block), FULL)
    # No pass that measures: only the walk over the statistics, when all rows have arrived.
    assert result.instructions[1].busy == 4 * 52
    assert result.instructions[1].stalls[Cause.NORMALISE] == WIDE.after_statistics


def test_counts_must_be_those_of_the_program(program: Make, selection: Make) -> None:
    with pytest.raises(ProgramError, match=r"2 row counts were given for the 1 token selections"):
        estimate_cycles(program(selection(100, 1, 40)), FULL, [40, 40])


def test_a_mean_is_a_row_a_slice_and_waits_for_the_sums(program: Make, matmul: Make) -> None:
    def total(outputs: int, mean: int) -> int:
        return estimate_cycles(program(matmul(200, 2, outputs, mean=mean)), FULL).total

    plain, mean = total(4, 0), total(4, 1)
    assert mean - total(3, 1) == 2 * 200 + WIDE.after_sum + BUBBLE
    # Behind the last mean nothing waits for the bubble.
    assert mean - plain == 4 * (WIDE.after_sum + BUBBLE) - BUBBLE


def test_a_mean_does_not_stop_those_that_follow_row_by_row(program: Make, matmul: Make) -> None:
    first = matmul(200, 2, 1, mean=1)
    same = matmul(200, 1, 1, at=1000)
    assert Cause.PIPELINE not in stalls_of_second(program(first, same))
    # Another matrix must have arrived: the mean may be on top of it.
    other = replace(same, source_address=500)
    assert stalls_of_second(program(first, other))[Cause.PIPELINE] == WIDE.after_write


def test_a_second_source_is_waited_for_once(program: Make, matmul: Make) -> None:
    first = matmul(200, 2, 1, mean=1)
    second = matmul(200, 2, 3, second=1, at=1000)
    # A pass of the first source hides the wait; later slices read what has been waited for,
    # though rows of their own matrix are still on their way.
    assert Cause.PIPELINE not in stalls_of_second(program(first, second))


def test_another_gelu_waits_for_the_rows_of_the_one_before(program: Make, matmul: Make) -> None:
    first = matmul(200, 1, 1, gelu=1, at=1000)
    same = replace(matmul(200, 1, 1, gelu=1, at=2000), source_address=1000)
    assert Cause.PIPELINE not in stalls_of_second(program(first, same))
    other = replace(same, gelu_shift=3)
    assert stalls_of_second(program(first, other))[Cause.PIPELINE] == WIDE.after_write + 1


def stalls_of_second(program: object) -> dict[Cause, int]:
    return estimate_cycles(program, FULL).instructions[1].stalls
