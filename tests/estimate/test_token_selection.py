# SPDX-License-Identifier: Apache-2.0
"""Token selection in the cycle model, against cases worked out by hand."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from hwgen.errors import ProgramError
from hwgen.estimate.cycles import estimate_cycles
from hwgen.estimate.latency import Latency
from hwgen.estimate.result import Cause
from hwgen.estimate.timing import Timing
from hwgen.program.fields import Buffer, Opcode

FULL = Timing(ddr_bytes=64)
WIDE = Latency(64)

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
    # The package waits for the sums, and costs a bubble as every single row does.
    assert run(4, 1)[1] - run(3, 1)[1] == 100 + WIDE.after_sum + 2


def test_what_follows_has_as_many_rows_as_were_kept(
    program: Make, matmul: Make, selection: Make
) -> None:
    block = replace(matmul(0, 2, 2, register=1, stride=100, normalise=1), source_stride=100)
    two = program(selection(100, 2, 100), block)

    def rows(selections: list[int] | None) -> int:
        return estimate_cycles(two, FULL, selections).instructions[1].busy // 4

    assert rows([40]) == 40
    assert rows([2]) == 2
    # All stay, and an empty package.
    assert rows(None) == 101


def test_the_statistics_of_what_is_written_are_gathered_on_the_way(
    program: Make, matmul: Make, selection: Make
) -> None:
    block = replace(matmul(0, 2, 2, register=1, stride=100, normalise=1), source_stride=100)
    result = estimate_cycles(program(selection(100, 2, 50), block), FULL)
    # No pass that measures: only the walk over the statistics, when all rows have arrived.
    assert result.instructions[1].busy == 4 * 52
    assert result.instructions[1].stalls[Cause.NORMALISE] > WIDE.after_statistics - 2


def test_counts_must_be_those_of_the_program(program: Make, selection: Make) -> None:
    with pytest.raises(ProgramError, match=r"2 row counts were given for the 1 token selections"):
        estimate_cycles(program(selection(100, 1, 40)), FULL, [40, 40])


def test_a_mean_is_a_row_a_slice_and_waits_for_the_sums(program: Make, matmul: Make) -> None:
    plain, mean = (
        estimate_cycles(program(matmul(200, 2, 3, mean=flag)), FULL) for flag in (0, 1)
    )
    assert mean.busy == plain.busy + 3
    assert mean.total == plain.total + 3 * (1 + 1 + WIDE.after_sum) - 1


def test_a_mean_does_not_stop_those_that_follow_row_by_row(program: Make, matmul: Make) -> None:
    first = matmul(200, 2, 1, mean=1)
    second = replace(matmul(200, 1, 1, at=1000), source_address=first.destination_address)
    result = estimate_cycles(program(first, second), FULL)
    assert Cause.PIPELINE not in result.instructions[1].stalls


def test_a_second_source_waits_for_its_last_row(program: Make, matmul: Make) -> None:
    first = matmul(200, 2, 1, mean=1, at=0)
    second = matmul(200, 2, 1, second=1, at=1000)
    result = estimate_cycles(program(first, second), FULL)
    # The mean's row is the last to arrive, the pass of the first source hides what it takes.
    assert Cause.PIPELINE not in result.instructions[1].stalls
    short = estimate_cycles(
        program(matmul(40, 2, 1, mean=1), matmul(40, 2, 1, second=1, at=1000)), FULL
    )
    assert short.instructions[1].stalls[Cause.PIPELINE] > 0
    assert Buffer.WORK == first.destination_buffer
