# SPDX-License-Identifier: Apache-2.0
"""The cycle model against cases worked out by hand, and against the budget of DeiT."""

import math
import time
from collections.abc import Callable
from itertools import pairwise

import pytest

from hwgen.errors import ConfigError, ProgramError
from hwgen.estimate.cycles import estimate_cycles
from hwgen.estimate.result import Cause
from hwgen.estimate.timing import Timing
from hwgen.program.engine import EngineConfig
from hwgen.program.fields import Buffer, Opcode, Region
from hwgen.program.instructions import Load, SetTokens

FULL = Timing(ddr_bytes=64)
"""A beat a cycle from DDR: the first tile takes its 72 beats and as many cycles to load."""

FIRST_ROW = FULL.startup + FULL.ddr_latency + 72 + 72
LATENCY = FULL.array_latency + FULL.epilogue_latency

Make = Callable[..., object]


def test_nothing_takes_the_startup(program: Make) -> None:
    result = estimate_cycles(program(), FULL)
    assert result.total == FULL.startup
    assert result.instructions[0].stalls == {Cause.STARTUP: FULL.startup}


def test_one_matmul_is_tiles_times_rows_and_a_fixed_latency(program: Make, matmul: Make) -> None:
    result = estimate_cycles(program(matmul(100, 3, 4)), FULL)
    assert result.total == FIRST_ROW + 3 * 4 * 100 + LATENCY - 1
    assert result.busy == 1200
    assert result.macs == 100 * 192 * 256
    assert result.ddr_cycles == 4 * (8 + 3 * 64)


def test_utilisation_counts_useful_multiplications(program: Make, matmul: Make) -> None:
    result = estimate_cycles(program(matmul(1000, 9, 9)), FULL)
    assert result.utilisation == pytest.approx(1000 * 81 / result.total)
    assert result.utilisation > 0.99


def test_few_rows_are_bound_by_memory(program: Make, matmul: Make) -> None:
    # 32 bytes a cycle: a tile of 64 beats takes 128 cycles to come, its 20 rows much less.
    timing = Timing(ddr_bytes=32, tile_vectors=64)
    result = estimate_cycles(program(matmul(20, 10, 10)), timing)
    beats = 10 * (8 + 10 * 64)
    last = timing.startup + timing.ddr_latency + beats * 64 // 32
    assert result.total == last + 1 + 20 + LATENCY - 1
    assert result.ddr_cycles == beats * 2
    assert result.stalls[Cause.MEMORY] > 0.8 * result.total


def test_few_rows_are_bound_by_the_tile_load(program: Make, matmul: Make) -> None:
    slow = estimate_cycles(program(matmul(20, 10, 10)), FULL)
    fast = estimate_cycles(program(matmul(20, 10, 10)), Timing(ddr_bytes=64, tile_vectors=4))
    assert slow.stalls[Cause.TILE_LOAD] + slow.stalls[Cause.MEMORY] > 4000
    assert fast.stalls[Cause.TILE_LOAD] < slow.stalls[Cause.TILE_LOAD] + 100


def test_a_long_prefetch_hides_a_burst_of_weights(program: Make, matmul: Make) -> None:
    # Many rows over few weights, then few rows over many: a deep buffer evens them out.
    steps = [matmul(800, 4, 4), matmul(70, 4, 20)]
    deep = estimate_cycles(program(*steps), Timing())
    shallow = estimate_cycles(program(*steps, engine=EngineConfig(prefetch_depth=256)), Timing())
    assert shallow.total - deep.total > 1000
    assert deep.stalls[Cause.MEMORY] < 400


def test_prefetch_smaller_than_a_tile_still_ends(program: Make, matmul: Make) -> None:
    result = estimate_cycles(program(matmul(100, 2, 2), engine=EngineConfig(prefetch_depth=1)))
    assert result.stalls[Cause.MEMORY] > 3 * 60


def test_normalisation_hides_behind_long_matrices_only(program: Make, matmul: Make) -> None:
    def stalls(rows: int) -> dict[Cause, int]:
        warm = matmul(1000, 4, 4)  # long enough to prefetch all that follows
        first = matmul(rows, 4, 2, to=Buffer.RESIDUAL)
        second = matmul(rows, 2, 2, normalise=1)
        timing = Timing(ddr_bytes=64, tile_vectors=64)
        return estimate_cycles(program(warm, first, second), timing).instructions[2].stalls

    # A row needs 36 cycles to the buffer and 36 to be normalised, less a bubble of 8.
    issue = {Cause.ISSUE: 8}
    assert stalls(64) == issue
    assert stalls(60) == issue | {Cause.PIPELINE: 4}
    assert stalls(20) == issue | {Cause.PIPELINE: 36, Cause.NORMALISE: 72 - 20 - 8 - 36}


def test_short_reductions_keep_the_accumulator_distance(program: Make, matmul: Make) -> None:
    near, far = (
        estimate_cycles(
            program(matmul(1, 8, 1)),
            Timing(ddr_bytes=64, tile_vectors=64, accumulate_distance=distance),
        )
        for distance in (1, 200)
    )
    assert far.total - near.total == pytest.approx(7 * 200, abs=7 * 70)


def test_attention_of_one_head(program: Make, attention: Make) -> None:
    result = estimate_cycles(program(attention(64, 64, stride=64)), FULL)
    # The keys take 64 cycles to load, and the bubble hides in them. While Q K^T runs the values
    # are loaded, and exponentials follow LATENCY + 1 + softmax_latency cycles behind: in time.
    first = FULL.startup + 64
    assert LATENCY + 1 + FULL.softmax_latency < 64 + FULL.issue
    assert result.stalls[Cause.SOFTMAX] == 0
    assert result.total == first + 64 + FULL.issue + 64 + LATENCY - 1
    assert result.busy == 2 * 64
    assert result.macs == 2 * 64 * 64 * 64


def test_attention_waits_for_its_softmax(program: Make, attention: Make) -> None:
    timing = Timing(softmax_latency=500)
    result = estimate_cycles(program(attention(64, 64, stride=64)), timing)
    exponentials = timing.startup + 64 + LATENCY + 1 + 500
    assert result.total == exponentials + 64 + LATENCY - 1
    assert result.stalls[Cause.SOFTMAX] > 400


def test_heads_overlap(program: Make, attention: Make) -> None:
    def total(heads: int, timing: Timing) -> int:
        return estimate_cycles(program(attention(197, 197, heads=heads, stride=197)), timing).total

    serial = Timing(heads_ahead=0)
    per_head = 2 * (4 * 197 + Timing().issue)
    assert total(12, Timing()) - total(11, Timing()) == per_head
    assert total(12, serial) - total(11, serial) > per_head + 400


def test_wide_heads_use_every_slice(program: Make, attention: Make) -> None:
    result = estimate_cycles(program(attention(100, 100, heads=2, head_slices=2, stride=100)))
    assert result.busy == 2 * 2 * (2 * 2 * 100)


def test_loads_wait_for_memory_and_rows_for_loads(program: Make, matmul: Make) -> None:
    load = Load(Region.INPUT, 0, Buffer.WORK, 0, 640)
    result = estimate_cycles(program(load, matmul(640, 1, 1)), Timing(ddr_bytes=32))
    arrived = 150 + 60 + 2 * 640
    assert result.instructions[0].end == arrived
    # The tile follows the pixels in the stream.
    assert result.total == arrived + 2 * 72 + 72 + 640 + LATENCY - 1


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
        (3, 319_104, 330_000, 1.254e9),
        (6, 1_148_832, 1_166_000, 4.599e9),
        (12, 4_340_160, 4_370_000, 17.56e9),
    ],
)
def test_deit(deit: Make, width: int, floor: int, limit: int, macs: float) -> None:
    """The floor is 197 rows for each tile and 196 for each of the patch embedding."""
    result = estimate_cycles(deit(width))
    assert floor < result.total < limit
    assert result.busy == floor + width * 16  # the head has one row
    assert result.macs == pytest.approx(macs, rel=1e-3)
    assert result.stalls[Cause.SOFTMAX] == result.stalls[Cause.NORMALISE] == 0


@pytest.mark.parametrize(("width", "budget"), [(3, 321_572), (6, 1_152_626), (12, 4_346_642)])
def test_deit_is_close_to_the_design_budget(deit: Make, width: int, budget: int) -> None:
    """The budget had tiles loaded four vectors a cycle, pixels interleaved with weights, no
    position embedding and one product for queries, keys and values.
    """
    result = estimate_cycles(deit(width), Timing(tile_vectors=4, softmax_latency=44))
    embedding = 2 * width * 197 * 1.5
    pixels = 12 * 196 * 1.5
    products = 12 * 2 * 8
    assert budget < result.total < budget + embedding + pixels + products + 150


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
    with pytest.raises(ConfigError, match=r"timing\.tile_vectors is 0"):
        Timing(tile_vectors=0)
