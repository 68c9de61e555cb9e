# SPDX-License-Identifier: Apache-2.0
"""The cycle model against cases worked out by hand, and against the budget of DeiT."""

import math
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest

from hwgen.errors import ConfigError, ProgramError
from hwgen.estimate.cycles import estimate_cycles
from hwgen.estimate.latency import Latency
from hwgen.estimate.result import Cause
from hwgen.estimate.timing import Timing
from hwgen.program.engine import EngineConfig
from hwgen.program.fields import Buffer, Opcode, Region
from hwgen.program.instructions import Load, SetTokens

FULL = Timing(ddr_bytes=64)
"""A beat a cycle from DDR: the first tile takes its 72 beats, and is loaded as they come."""

WIDE = Latency(64)
FIRST_BEAT = FULL.startup + FULL.request + FULL.ddr_latency
FIRST_ITEM = FIRST_BEAT + 72 + 1
RESULT = WIDE.result_at

Make = Callable[..., object]


def test_nothing_takes_the_startup(program: Make) -> None:
    result = estimate_cycles(program(), FULL)
    assert result.total == FULL.startup
    assert result.instructions[0].stalls == {Cause.STARTUP: FULL.startup}


def test_one_matmul_is_tiles_times_rows_and_a_fixed_latency(program: Make, matmul: Make) -> None:
    result = estimate_cycles(program(matmul(100, 3, 4)), FULL)
    assert result.total == FIRST_ITEM + 3 * 4 * 100 + RESULT
    assert result.busy == 1200
    assert result.macs == 100 * 192 * 256
    assert result.ddr_cycles == 4 * (8 + 3 * 64)


def test_utilisation_counts_useful_multiplications(program: Make, matmul: Make) -> None:
    result = estimate_cycles(program(matmul(1000, 9, 9)), FULL)
    assert result.utilisation == pytest.approx(1000 * 81 / result.total)
    assert result.utilisation > 0.99


def test_few_rows_are_bound_by_memory(program: Make, matmul: Make) -> None:
    # 32 bytes a cycle: a tile of 64 beats takes 128 cycles to come, its 20 rows much less.
    result = estimate_cycles(program(matmul(20, 10, 10)), Timing(ddr_bytes=32))
    beats = 10 * (8 + 10 * 64)
    assert result.total == FIRST_BEAT + 2 * beats + 1 + 20 + RESULT
    assert result.ddr_cycles == beats * 2
    # Half of the time beats come, half of it the loader waits for them.
    assert result.stalls[Cause.MEMORY] > 0.4 * result.total


def test_few_rows_are_bound_by_the_tile_load(program: Make, matmul: Make) -> None:
    # A tile loads in 64 cycles, and the next one begins in the cycle after: its predecessor is
    # announced ahead, and live by then.
    one, two = (estimate_cycles(program(matmul(20, n, 1)), FULL).total for n in (8, 9))
    assert two - one == 64 + 1


def test_one_row_costs_a_bubble(program: Make, matmul: Make) -> None:
    result = estimate_cycles(program(matmul(1, 5, 1)), FULL)
    assert result.stalls[Cause.ISSUE] == 5


def test_a_long_prefetch_hides_a_burst_of_weights(program: Make, matmul: Make) -> None:
    # Many rows over few weights, then few rows over many: a deep buffer evens them out.
    steps = [matmul(800, 4, 4), matmul(75, 4, 20)]
    deep = estimate_cycles(program(*steps), Timing())
    shallow = estimate_cycles(program(*steps, engine=EngineConfig(prefetch_depth=256)), Timing())
    assert shallow.total - deep.total > 1000
    assert deep.stalls[Cause.MEMORY] < 400


def test_prefetch_smaller_than_a_tile_still_ends(program: Make, matmul: Make) -> None:
    result = estimate_cycles(program(matmul(100, 2, 2), engine=EngineConfig(prefetch_depth=1)))
    assert result.stalls[Cause.MEMORY] > 3 * 60


def test_normalisation_follows_its_writer_row_by_row(program: Make, matmul: Make) -> None:
    def stalls(rows: int) -> dict[Cause, int]:
        warm = matmul(1000, 4, 4)  # long enough to prefetch all that follows
        first = matmul(rows, 4, 2, to=Buffer.RESIDUAL)
        second = matmul(rows, 2, 2, normalise=1)
        return estimate_cycles(program(warm, first, second), FULL).instructions[2].stalls

    # The walk over the statistics may start when those of the first row are there, and normalised
    # rows follow it.
    walk = {Cause.ISSUE: 1, Cause.PIPELINE: WIDE.after_normalise}
    assert stalls(200) == walk
    short = WIDE.after_statistics + 2 - 40
    assert stalls(40)[Cause.NORMALISE] == short
    # The same matrix, normalised in the same way, is not walked twice.
    again = program(
        matmul(200, 4, 2, to=Buffer.RESIDUAL),
        matmul(200, 2, 2, normalise=1),
        matmul(200, 2, 2, normalise=1, at=1000),
    )
    assert estimate_cycles(again, FULL).instructions[2].stalls == {}


def test_loaded_rows_are_measured_before_they_are_normalised(program: Make, matmul: Make) -> None:
    load = Load(Region.WEIGHTS, 0, Buffer.RESIDUAL, 0, 400)
    result = estimate_cycles(program(load, matmul(200, 2, 2, normalise=1)), FULL)
    assert result.instructions[1].busy == 2 * 200 + 4 * 200


def test_attention_of_one_head(program: Make, attention: Make) -> None:
    result = estimate_cycles(program(attention(100, 64, stride=100)), FULL)
    assert result.busy == 2 * 100
    assert result.macs == 2 * 100 * 64 * 64
    # The values are in the square and loaded while the scores are made.
    assert Cause.PIPELINE not in result.instructions[0].stalls


def test_the_table_of_exponentials_is_filled_ahead(
    program: Make, matmul: Make, attention: Make
) -> None:
    # While the items before it run, as far as the queue lets the sequencer see ahead.
    warm = matmul(300, 1, 5, at=2000)
    result = estimate_cycles(program(warm, attention(50, 50, stride=300)), FULL)
    assert Cause.SOFTMAX not in result.instructions[1].stalls


def test_keys_of_later_heads_do_not_wait_for_results(program: Make, attention: Make) -> None:
    # They are fetched between the cycles in which results of the head before are written.
    def total(heads: int) -> int:
        return estimate_cycles(program(attention(80, 60, heads=heads, stride=80)), FULL).total

    assert 2 * 80 <= (total(7) - total(3)) / 4 < 2 * 80 + 10


def test_heads_wait_for_the_results_of_the_head_before(program: Make, attention: Make) -> None:
    def total(heads: int) -> int:
        return estimate_cycles(program(attention(197, 197, heads=heads, stride=197))).total

    rows = 2 * 4 * 197
    # Results in the queries' own place may be followed row by row.
    assert total(3) - total(2) == rows
    elsewhere = replace(attention(197, 197, heads=3, stride=197), destination_address=3 * 197)
    assert estimate_cycles(program(elsewhere)).total - total(3) == 2 * (WIDE.after_write + 1)


def test_wide_heads_use_every_slice(program: Make, attention: Make) -> None:
    result = estimate_cycles(program(attention(100, 100, heads=2, head_slices=2, stride=100)))
    assert result.busy == 2 * 2 * (2 * 2 * 100)


def test_loads_run_alone(program: Make, matmul: Make) -> None:
    load = Load(Region.INPUT, 0, Buffer.WORK, 0, 640)
    timing = Timing(ddr_bytes=32)
    result = estimate_cycles(program(load, matmul(640, 1, 1)), timing)
    arrived = FIRST_BEAT + 2 * 640
    assert result.instructions[0].end == arrived
    # The tile follows the pixels in the stream.
    assert result.total == arrived + 2 * 72 + 1 + 640 + RESULT


def test_int16_loads_take_two_beats_a_vector(program: Make) -> None:
    narrow = Load(Region.WEIGHTS, 0, Buffer.WORK, 0, 1000)
    wide = Load(Region.WEIGHTS, 0, Buffer.RESIDUAL, 0, 1000)
    assert estimate_cycles(program(narrow)).ddr_cycles == math.ceil(1000 * 1.5)
    assert estimate_cycles(program(wide)).ddr_cycles == math.ceil(2000 * 1.5)


def test_token_registers_set_the_rows(program: Make, matmul: Make) -> None:
    product = matmul(0, 2, 2, register=1, stride=50)
    result = estimate_cycles(program(SetTokens(0, 50), product, SetTokens(0, 30), product))
    assert [item.busy for item in result.instructions] == [0, 200, 0, 120, 0]


def test_attributed_cycles_add_up(deit: Make) -> None:
    result = estimate_cycles(deit(3))
    assert sum(item.cycles for item in result.instructions) == result.total
    assert result.busy + sum(result.stalls.values()) == result.total
    assert all(a.start <= b.start for a, b in pairwise(result.instructions))


@pytest.mark.parametrize(
    ("width", "floor", "limit", "macs"),
    [
        (3, 319_104, 333_000, 1.254e9),
        (6, 1_148_832, 1_172_000, 4.599e9),
        (12, 4_340_160, 4_380_000, 17.56e9),
    ],
)
def test_deit(deit: Make, width: int, floor: int, limit: int, macs: float) -> None:
    """The floor is 197 rows for each tile and 196 for each of the patch embedding."""
    result = estimate_cycles(deit(width))
    assert floor < result.total < limit
    # The head has one row, and the class token and positions are measured once.
    assert result.busy == floor + width * 16 + width * 197
    assert result.macs == pytest.approx(macs, rel=1e-3)
    assert result.stalls[Cause.MEMORY] < 0.01 * result.total + 197 * width * 4


def test_deit_b_is_fast_to_estimate(deit: Make) -> None:
    program = deit(12)
    start = time.process_time()
    estimate_cycles(program)
    assert time.process_time() - start < 3


def test_smaller_arrays_take_longer(program: Make, matmul: Make) -> None:
    small = estimate_cycles(program(matmul(200, 12, 12), engine=EngineConfig(lanes=16)))
    assert small.busy == 200 * 144
    assert small.macs == 200 * (12 * 16) ** 2
    assert small.instructions[0].opcode is Opcode.MATMUL


def test_an_operand_outside_its_buffer_is_refused(program: Make, matmul: Make) -> None:
    with pytest.raises(ProgramError, match=r"instruction 0 \(step 0\): the engine refuses it"):
        estimate_cycles(program(matmul(1000, 20, 1)))


def test_timing_is_checked() -> None:
    with pytest.raises(ConfigError, match=r"timing\.ddr_bytes is 0"):
        Timing(ddr_bytes=0)


def test_few_queries_wait_for_the_exponentials(program: Make, attention: Make) -> None:
    latency = Latency(64)
    short, long = (
        estimate_cycles(program(attention(rows, 50, stride=300)), FULL).stalls[Cause.SOFTMAX]
        for rows in (50, 300)
    )
    assert 0 < short < latency.after_softmax
    assert long == 0
    again = program(*(attention(50, 50, stride=300) for _ in range(3)))
    # The table is filled again when the last rows of the attention before have used it.
    assert estimate_cycles(again, FULL).stalls[Cause.SOFTMAX] > 2 * short


def test_tiles_are_hidden_by_as_many_rows_as_they_take_to_come() -> None:
    assert Timing().tile_rows(64) == 96 + 4
    assert Timing(ddr_bytes=32).tile_rows(64) == 128 + 4
    assert Timing().tile_rows(16) == 16 + 4  # the ports take one beat a cycle
